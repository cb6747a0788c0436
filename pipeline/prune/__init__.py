"""`aepipe runs prune`: old runs, their artifacts, and MLMD's view of them."""
