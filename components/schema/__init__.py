"""Curated schemas: what each pipeline's examples must look like."""

from pathlib import Path

SCHEMA_DIRECTORY = Path(__file__).parent


def curated_names() -> list[str]:
    """Returns the files of the curated schemas."""
    return sorted(file.name for file in SCHEMA_DIRECTORY.glob("*.pbtxt"))
