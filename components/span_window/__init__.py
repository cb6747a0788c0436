"""What both ExampleGens use if data arrives in spans."""
