"""The models of a push directory: its direct sub-folders, by name."""

import difflib
from pathlib import Path

from pipeline_config import PIPELINES, UserInputError, check_name
from serving.push_directory.versions import list_versions


def model_folder(push_root: Path, name: str) -> Path:
    """Returns the folder of a model that is to be pushed, a direct child of the push directory.

    Raises:
        UserInputError: The name is no name of a model.
    """
    check_name("model", name)
    return push_root / name


def model_folders(push_root: Path) -> list[Path]:
    """Returns the folders that a server looks into: all but hidden ones, by name.

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
