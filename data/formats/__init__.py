"""Formats of raw files: what a file is, what its columns hold, and what is wrong with a row."""
