"""Long series: files whose rows are moments, cut into windows to learn from."""
