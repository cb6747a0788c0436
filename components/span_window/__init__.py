"""What both ExampleGens stand on where data arrives in spans."""
