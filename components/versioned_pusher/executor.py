"""Executor of VersionedPusher."""

import hashlib
import json
from pathlib import Path
from typing import Any

import tensorflow as tf
from absl import logging
from tfx.components.pusher import executor as tfx_pusher
from tfx.dsl.io import fileio, filesystem
from tfx.types import artifact_utils
from tfx.types.artifact import Artifact
from tfx.types.standard_component_specs import (
    EVALUATION_KEY,
    EXAMPLES_KEY,
    INFRA_BLESSING_KEY,
    MODEL_BLESSING_KEY,
    MODEL_KEY,
    PUSHED_MODEL_KEY,
)
from tfx.utils import io_utils

from components.raw_examples import first_records
from components.versioned_pusher.warmup import (
    read_signatures,
    signatures_as_dict,
    write_warmup_requests,
)
from pipeline_config import PusherConfig, UserInputError
from serving.push_directory.layout import model_folder, next_version
from serving.push_directory.manifest import file_digests, read_manifest, write_manifest
from serving.push_directory.model_versions import prune, pushed_already, pushed_by
from serving.push_directory.models_config import write_models_config
from serving.push_directory.publish import publish, pushing
from serving.push_directory.versions_json import read_version_file

CONFIG_KEY = "config"
FINGERPRINT_KEY = "fingerprint"
PUSH_ROOT_KEY = "push_root"
RUN_KEY = "run"

NOTICE_PROPERTY = "notice"
"""Custom property of the pushed model: lines that the run's reader must not miss."""

_BLOCK_BYTES = 2**20

_NOT_LOADED = (
    "infra_validator.enabled is false: the model was pushed and no process has loaded it yet"
)

Artifacts = dict[str, list[Artifact]]


class BrokenCopyError(RuntimeError):
    """A file of the copied model is not what was judged."""


class Executor(tfx_pusher.Executor):
    """TFX's Pusher with a push that is atomic, checked and bounded in its number of versions."""

    def Do(  # noqa: N802 - TFX's name.
        self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]
    ) -> None:
        """Pushes `model` if all blessings are given, else marks `pushed_model` as not pushed.

        A model is pushed once: if this run, or an earlier one of the same judged model, was killed
        or failed between the push and its record in MLMD, the version that is there is taken.

        Args:
            input_dict: `model`, `model_blessing` and, if there are any, `examples`, `evaluation`
                and `infra_blessing`.
            output_dict: `pushed_model`.
            exec_properties: `push_root`, and `config` and `run` as JSON.

        Raises:
            UserInputError: The push directory cannot be written to, the model's name is no name,
                or its `versions.json` is malformed.
            BrokenCopyError: The copied model is not what was judged; nothing is pushed.
            ValueError: The blessing is of another model.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        pushed_model = artifact_utils.get_single_instance(output_dict[PUSHED_MODEL_KEY])
        if not self.CheckBlessing(input_dict):
            self._MarkNotPushed(pushed_model)
            return
        _require_judged_model(input_dict)
        config = PusherConfig(**json.loads(exec_properties[CONFIG_KEY]))
        model_directory = model_folder(Path(exec_properties[PUSH_ROOT_KEY]), config.model_name)
        source = self.GetModelPath(input_dict)
        signatures = read_signatures(source)
        examples = input_dict.get(EXAMPLES_KEY)
        # Like TFX's Pusher: an archive that outlives the version. Nothing of it may fail once the
        # version is there.
        _copy(source, pushed_model.uri)

        with pushing(model_directory, logging.warning):
            # A malformed file is reported before anything is pushed.
            read_version_file(model_directory)
            run_id = self._context.pipeline_run_id if self._context else None
            version = next_version(model_directory)

            def fill(directory: Path) -> Path | None:
                _copy(source, str(directory))
                check_copy(source, directory)
                if examples:
                    records = first_records(examples, "eval", config.warmup_requests)
                    write_warmup_requests(directory, config.model_name, signatures, records)
                write_manifest(
                    directory,
                    model_name=config.model_name,
                    version=version,
                    run_id=run_id,
                    run=json.loads(exec_properties[RUN_KEY]),
                    evaluation=_read_evaluation(input_dict),
                    signatures=signatures_as_dict(signatures),
                    judged_model=artifact_utils.get_single_uri(input_dict[MODEL_KEY]),
                )
                return pushed_already(model_directory, directory)

            destination = pushed_by(model_directory, run_id) or publish(
                model_directory, fill, version
            )
            notices = [
                None if input_dict.get(INFRA_BLESSING_KEY) else _NOT_LOADED,
                _by_another_run(destination, run_id),
                _tidy_up(model_directory, config.keep),
            ]
        pushed_model.set_string_custom_property(NOTICE_PROPERTY, "\n".join(filter(None, notices)))
        self._MarkPushed(
            pushed_model, pushed_destination=str(destination), pushed_version=destination.name
        )


def check_copy(source: str, copy: Path) -> None:
    """Compares a copied SavedModel with its original, by the SHA-256 of each file.

    Args:
        source: Directory of the original, on any file system of TFX's.
        copy: Directory of the copy.

    Raises:
        BrokenCopyError: A file is missing, differs or was added; the message names it.
    """
    expected, found = _digests(source), file_digests(copy)
    for name in sorted(expected.keys() | found.keys()):
        if name not in found:
            raise BrokenCopyError(f"{copy}: {name} is missing in the copied model")
        if found[name] != expected.get(name):
            raise BrokenCopyError(f"{copy}: {name} differs from the judged model's")


def _digests(directory: str) -> dict[str, str]:
    digests = {}
    for folder, _, names in fileio.walk(directory):
        for name in names:
            digest = hashlib.sha256()
            with fileio.open(f"{folder}/{name}", "rb") as file:
                while block := file.read(_BLOCK_BYTES):
                    digest.update(block)
            path = f"{folder}/{name}".removeprefix(directory).lstrip("/")
            digests[path] = digest.hexdigest()
    return digests


def _copy(source: str, target: str) -> None:
    """Copies a SavedModel.

    Raises:
        UserInputError: A file cannot be read or written; the message names it.
    """
    try:
        io_utils.copy_dir(source, target)
    except (tf.errors.OpError, filesystem.NotFoundError) as error:
        # TFX copies with TensorFlow, which says "PATH; No space left on device".
        fault = error.__cause__ if isinstance(error, filesystem.NotFoundError) else error
        said = str(getattr(fault, "message", fault)).splitlines()[0].replace("; ", ": ", 1)
        raise UserInputError(f"the model cannot be copied to {target}: {said}") from error


def _by_another_run(destination: Path, run_id: str | None) -> str | None:
    pushed_by_run = read_manifest(destination).get("run_id")
    if pushed_by_run == run_id:
        return None
    return (
        f"run {pushed_by_run} had pushed this model as {destination.name} before it failed or was "
        "killed; it was not pushed twice"
    )


def _tidy_up(model_directory: Path, keep: int) -> str | None:
    """Prunes and writes `models.config`; the version is there and served, so no fault ends it.

    Returns:
        One line if it could not be done.
    """
    try:
        removed = prune(model_directory, keep)
        write_models_config(model_directory.parent)
    except (OSError, UserInputError) as error:
        logging.exception("After the push to %s", model_directory)
        return f"{model_directory}: pushed, but not tidied up after: {error}"
    logging.info("Pushed to %s, removed versions %s", model_directory, removed)
    return None


def _require_judged_model(input_dict: Artifacts) -> None:
    model = artifact_utils.get_single_instance(input_dict[MODEL_KEY])
    blessing = artifact_utils.get_single_instance(input_dict[MODEL_BLESSING_KEY])
    judged = blessing.get_string_custom_property("judged_model")
    if judged and judged != model.uri:
        raise ValueError(f"the blessing is of {judged}, but the model to push is {model.uri}")


def _read_evaluation(input_dict: Artifacts) -> dict[str, Any] | None:
    if not input_dict.get(EVALUATION_KEY):
        return None
    directory = artifact_utils.get_single_uri(input_dict[EVALUATION_KEY])
    with fileio.open(f"{directory}/evaluation.json") as file:
        evaluation: dict[str, Any] = json.loads(file.read())
    return evaluation
