"""`python -m pipeline` is `aepipe`."""

from pipeline.cli import main

main()
