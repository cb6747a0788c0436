"""A push: a new version in a model's folder, the old ones pruned, and `models.config` to match."""

import logging
from collections.abc import Callable
from pathlib import Path

from pipeline_config import UserInputError
from serving.push_directory.layout import next_version
from serving.push_directory.manifest import read_manifest
from serving.push_directory.model_versions import (
    prune,
    pushed_already,
    pushed_by,
    read_versions,
)
from serving.push_directory.models_config import write_models_config
from serving.push_directory.publish import publish, pushing
from serving.push_directory.threshold_change import ThresholdChange, change_of
from serving.push_directory.versions_json import read_version_file

_LOG = logging.getLogger(__name__)


def push(
    model_directory: Path, fill: Callable[[Path, int], None], *, run_id: str | None, keep: int
) -> tuple[Path, list[str]]:
    """Pushes a version, once: one that was pushed before is taken.

    Args:
        model_directory: The model's folder.
        fill: Writes a version, its manifest included, into the folder that it is given; called
            with the version's number.
        run_id: The run that pushes; one that has pushed pushes no second version.
        keep: How many versions stay, see `prune`.

    Returns:
        The folder of the version, and what the reader of the run must not miss.

    Raises:
        UserInputError: The push directory cannot be written to, or `versions.json` is malformed.
    """
    with pushing(model_directory, _LOG.warning):
        # A malformed file is reported before anything is pushed.
        read_version_file(model_directory)
        version = next_version(model_directory)

        def fill_or_find(directory: Path) -> Path | None:
            fill(directory, version)
            return pushed_already(model_directory, directory)

        former = _threshold_by_hand(model_directory)
        destination = pushed_by(model_directory, run_id)
        destination = destination or publish(model_directory, fill_or_find, version)
        notices = []
        pushed_by_run = read_manifest(destination).get("run_id")
        if pushed_by_run != run_id:
            notices.append(
                f"run {pushed_by_run} had pushed this model as {destination.name} before it "
                "failed or was killed; it was not pushed twice"
            )
        if former is not None and _threshold_by_hand(model_directory) != former:
            notices.append(
                f"{model_directory.name}: the threshold {former.new_threshold:.6g} that was set by "
                f"hand is not served any more: {destination.name} has its own; set it again with "
                f"aepipe models threshold {model_directory.name} set {former.new_threshold:.6g}"
            )
        try:
            removed = prune(model_directory, keep)
            write_models_config(model_directory.parent)
            _LOG.info("Pushed to %s, removed versions %s", destination, removed)
        except (OSError, UserInputError) as error:
            # The version is there and served, so this does not end the push.
            _LOG.exception("After the push to %s", destination)
            notices.append(f"{model_directory}: pushed, but not tidied up after: {error}")
    return destination, notices


def _threshold_by_hand(model_directory: Path) -> ThresholdChange | None:
    """Returns how the served version came to its threshold, if a person asked for it."""
    versions = read_versions(model_directory)
    if not versions.sound:
        return None
    return change_of(read_manifest(model_directory / str(versions.served)))
