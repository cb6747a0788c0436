"""Custom TFX parts, one folder each."""
