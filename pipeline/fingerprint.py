"""Digests of source code, so that TFX's cache sees an edit.

TFX caches a stage by its inputs and settings. Code named by a dotted path is neither, so each
stage also gets the digest of the code it runs: its own folders, and all of this repository that
they import.
"""

import ast
import functools
import hashlib
import importlib.util
from collections.abc import Iterable
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent


def source_fingerprint(*folders: str) -> str:
    """Returns a digest of the Python files below the named folders, and of what they import.

    Args:
        *folders: Such as `trainer` or `components/data_gate`.

    Returns:
        16 hex characters; the same for the same code in any folder.

    Raises:
        FileNotFoundError: A folder holds no Python file.
    """
    digest = hashlib.sha256()
    for name, source in sorted(sources(*folders).items()):
        digest.update(name.encode() + b"\0")
        digest.update(source + b"\0")
    return digest.hexdigest()[:16]


def sources(*folders: str) -> dict[str, bytes]:
    """Returns the Python files below the named folders, and those of this repository they import.

    Imports within functions count too. A file that is found by its name only, as by
    `importlib.import_module`, is not seen.

    Returns:
        Path relative to the repository -> content.

    Raises:
        FileNotFoundError: A folder holds no Python file.
    """
    waiting: list[Path] = []
    for folder in folders:
        files = sorted((REPOSITORY / folder).rglob("*.py"))
        if not files:
            raise FileNotFoundError(f"no source below {folder}")
        waiting += files
    found: dict[str, bytes] = {}
    while waiting:
        file = waiting.pop()
        name = file.relative_to(REPOSITORY).as_posix()
        if name not in found:
            found[name] = file.read_bytes()
            package = ".".join(file.relative_to(REPOSITORY).parent.parts)
            waiting += _files(_imported_modules(found[name], package))
    return found


@functools.cache
def _imported_modules(source: bytes, package: str) -> frozenset[str]:
    """Returns the dotted names that a file imports; of `from a import b` both `a` and `a.b`."""
    modules: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            modules.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            name = "." * node.level + (node.module or "")
            module = importlib.util.resolve_name(name, package)
            modules.update([module, *(f"{module}.{alias.name}" for alias in node.names)])
    return frozenset(modules)


def _files(modules: Iterable[str]) -> list[Path]:
    """Returns the files of this repository that importing some modules runs."""
    found = []
    for module in modules:
        parts = module.split(".")
        for length in range(1, len(parts) + 1):
            path = REPOSITORY.joinpath(*parts[:length])
            found += [path.with_suffix(".py"), path / "__init__.py"]
    return [file for file in found if file.is_file()]
