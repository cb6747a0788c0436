"""A model server for a push directory; it depends on the layout of that directory alone."""
