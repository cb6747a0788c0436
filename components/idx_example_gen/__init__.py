"""ExampleGen for grey images in IDX files."""
