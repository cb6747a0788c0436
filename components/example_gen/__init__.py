"""ExampleGen for signals in CSV files and for grey images in IDX files, by spans."""
