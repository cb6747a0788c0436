"""The data gate: stops a run before anything is trained on data that is not as agreed."""
