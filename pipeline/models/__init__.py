"""`aepipe models`: rows for its list, and the record of each change in MLMD."""
