"""A model server over a push directory; knows nothing but the layout of that directory."""
