"""Where a pipeline runs: one small class each."""
