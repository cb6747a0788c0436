"""Which version of which model scores: what a server would serve, unless another is named."""

import difflib
from pathlib import Path

from pipeline_config import PIPELINES, UserInputError
from serving.push_directory.version_file import read_version_file, served_version
from serving.push_directory.versions import list_versions


def find_version(models_dir: Path, model: str, version: str | None) -> Path:
    """Returns the folder of a version of a model.

    Args:
        models_dir: The push directory.
        model: The model's name, or the name of the pipeline that pushes it.
        version: Number or label; None for the version that a server would serve.

    Raises:
        UserInputError: There is no such model, version or label; the message names what there is.
    """
    name = PIPELINES[model].pusher.model_name if model in PIPELINES else model
    known = _known_models(models_dir)
    if name not in known:
        raise UserInputError(_unknown_model(models_dir, model, known))
    directory = models_dir / name
    if version is None:
        return directory / str(served_version(directory))
    labels = read_version_file(directory).labels
    versions = {str(number) for number in list_versions(directory)}
    chosen = str(labels[version]) if version in labels else version
    if chosen not in versions:
        there = ", ".join([*sorted(versions), *sorted(labels)])
        raise UserInputError(f"{directory}: no version {version}; there is {there}")
    return directory / chosen


def _known_models(models_dir: Path) -> list[str]:
    if not models_dir.is_dir():
        return []
    return sorted(folder.name for folder in models_dir.iterdir() if list_versions(folder))


def _unknown_model(models_dir: Path, model: str, known: list[str]) -> str:
    if not known:
        return f"{models_dir}: no model was pushed there: run a pipeline first, or name its --home"
    nearest = difflib.get_close_matches(model, [*known, *PIPELINES], n=1)
    hint = f"did you mean {nearest[0]}?" if nearest else f"there is {', '.join(known)}"
    return f"{models_dir}: no model {model}; {hint}"
