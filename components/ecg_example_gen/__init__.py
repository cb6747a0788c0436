"""ExampleGen for signals in CSV files."""
