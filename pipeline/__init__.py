"""How a config becomes a TFX pipeline, and where it runs."""
