"""Judges an autoencoder by its reconstruction errors, and sets a detector's threshold."""
