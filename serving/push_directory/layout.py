"""Names in the push directory: MODEL/VERSION.

A model is a direct sub-folder. A version is a folder in it whose name is a decimal number, as
TensorFlow Serving and KServe read it; all other names are ignored by a server.
"""

import difflib
import os
import time
from contextlib import suppress
from pathlib import Path

from pipeline_config import PIPELINES, UserInputError, check_name

LARGEST_VERSION = 2**63 - 1


def model_folder(push_root: Path, name: str) -> Path:
    """Returns the folder of a model that is to be pushed, a direct child of the push directory.

    Raises:
        UserInputError: The name is not allowed for a model.
    """
    check_name("model", name)
    return push_root / name


def model_folders(push_root: Path) -> list[Path]:
    """Returns the folders that a server reads: all but hidden ones, by name.

    Raises:
        OSError: The push directory cannot be read.
    """
    return sorted(
        entry for entry in push_root.iterdir() if not entry.name.startswith(".") and entry.is_dir()
    )


def pushed_models(push_root: Path) -> list[Path]:
    """Returns the folders of the models that have a version, by name.

    Raises:
        UserInputError: The push directory, or a folder in it, cannot be read.
    """
    if not push_root.is_dir():
        return []
    try:
        return [folder for folder in model_folders(push_root) if list_versions(folder)]
    except OSError as error:
        raise UserInputError(
            f"{error.filename or push_root}: cannot be read: {error.strerror or error}"
        ) from error


def find_model(push_root: Path, model: str) -> Path:
    """Returns the folder of a model.

    Args:
        push_root: The push directory.
        model: The model's name, or the name of the pipeline that pushes it.

    Raises:
        UserInputError: There is no such model; the message names what there is.
    """
    name = PIPELINES[model].pusher.model_name if model in PIPELINES else model
    known = [folder.name for folder in pushed_models(push_root)]
    if name in known:
        return push_root / name
    if not known:
        raise UserInputError(
            f"{push_root}: no model was pushed there: run a pipeline first, or name its --home"
        )
    nearest = difflib.get_close_matches(model, [*known, *PIPELINES], n=1)
    hint = f"did you mean {nearest[0]}?" if nearest else f"there is {', '.join(known)}"
    raise UserInputError(f"{push_root}: no model {model}; {hint}")


def version_number(version_directory: Path) -> int | None:
    """Returns the version that a folder's name stands for, or None for any other name.

    A name with a leading zero is not a version: two folders would have the same number.
    """
    number = _decimal(version_directory)
    return number if str(number) == version_directory.name else None


def list_versions(model_directory: Path) -> list[int]:
    """Returns the versions that a server finds, oldest first.

    Raises:
        OSError: The folder cannot be read.
    """
    if not model_directory.is_dir():
        return []
    numbers = ((version_number(entry), entry) for entry in model_directory.iterdir())
    return sorted(number for number, entry in numbers if number is not None and entry.is_dir())


def largest_number(model_directory: Path) -> int:
    """Returns the number that TensorFlow Serving takes for the latest version; 0 if there is none.

    It reads a name such as `007` as a number too, whatever the folder holds.
    """
    if not model_directory.is_dir():
        return 0
    numbers = ((_decimal(entry), entry) for entry in model_directory.iterdir())
    return max((n for n, entry in numbers if n is not None and entry.is_dir()), default=0)


def next_version(model_directory: Path) -> int:
    """Returns the number for the next push: seconds since 1970, as TFX's Pusher uses.

    If the latest version is not older than that (two pushes in one second, or a clock that was
    set back), it is one more than the latest. Versions therefore increase strictly unless the
    newest is removed by hand.

    Raises:
        UserInputError: The latest version is the largest int64.
    """
    versions = list_versions(model_directory)
    version = max([int(time.time()), *(latest + 1 for latest in versions[-1:])])
    if version > LARGEST_VERSION:
        raise UserInputError(
            f"{model_directory}: no version above {versions[-1]} is left; remove that folder"
        )
    return version


def content_stamp(version_directory: Path) -> tuple[tuple[str, int, int], ...]:
    """Returns path, size and modification time of each file; differs after a change of the folder.

    Files that vanish or cannot be read meanwhile are left out.
    """
    stamp = []
    for parent, _, files in os.walk(version_directory):
        for name in files:
            path = Path(parent, name)
            with suppress(OSError):
                facts = path.stat()
                stamp.append((str(path), facts.st_size, facts.st_mtime_ns))
    return tuple(sorted(stamp))


def _decimal(entry: Path) -> int | None:
    """Returns a name as an int64 of 0 or more, or None."""
    name = entry.name
    if not (name.isascii() and name.isdecimal()):
        return None
    return int(name) if int(name) <= LARGEST_VERSION else None
