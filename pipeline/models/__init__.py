"""Pushed models: what there is, which version is served, and a record of who changed that."""
