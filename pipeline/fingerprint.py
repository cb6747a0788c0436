"""Digests of source code, so that TFX's cache sees an edit.

TFX caches a stage by its inputs and settings. Code named by a dotted path is neither, so each
stage also gets the digest of the code it runs.
"""

import hashlib
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent


def source_fingerprint(*folders: str) -> str:
    """Returns a digest of all Python files below the named folders of this repository.

    Args:
        *folders: Such as `trainer` or `components/data_gate`.

    Returns:
        16 hex characters; the same for the same code wherever it lies.

    Raises:
        FileNotFoundError: A folder holds no Python file.
    """
    digest = hashlib.sha256()
    for folder in folders:
        files = sorted((REPOSITORY / folder).rglob("*.py"))
        if not files:
            raise FileNotFoundError(f"no source below {folder}")
        for file in files:
            digest.update(file.relative_to(REPOSITORY).as_posix().encode() + b"\0")
            digest.update(file.read_bytes() + b"\0")
    return digest.hexdigest()[:16]
