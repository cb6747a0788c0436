"""Where raw data comes from: given, downloaded or the built-in sample."""
