"""Starts a candidate in a model server before it is pushed, and asks it a real question."""
