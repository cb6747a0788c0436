"""VersionedPusher: makes a blessed model appear in a model server's directory."""

import hashlib
import json
from pathlib import Path
from typing import Any

import tensorflow as tf
from tfx.components.pusher import executor as tfx_pusher
from tfx.dsl.components.base.base_component import BaseComponent
from tfx.dsl.components.base.executor_spec import ExecutorClassSpec
from tfx.dsl.io import fileio, filesystem
from tfx.types import artifact_utils, standard_artifacts
from tfx.types.artifact import Artifact
from tfx.types.channel import BaseChannel, Channel
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from tfx.types.standard_component_specs import (
    EVALUATION_KEY,
    EXAMPLES_KEY,
    INFRA_BLESSING_KEY,
    MODEL_BLESSING_KEY,
    MODEL_KEY,
    PUSHED_MODEL_KEY,
    PusherSpec,
)
from tfx.utils import io_utils

from components.raw_examples import first_records
from components.versioned_pusher.warmup import (
    read_signatures,
    signatures_as_dict,
    write_warmup_requests,
)
from pipeline_config import PusherConfig, UserInputError
from serving.push_directory.layout import model_folder
from serving.push_directory.manifest import file_digests, write_manifest
from serving.push_directory.push import push

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
        config = PusherConfig(**json.loads(exec_properties["config"]))
        model_directory = model_folder(Path(exec_properties["push_root"]), config.model_name)
        run_id = self._context.pipeline_run_id if self._context else None
        source = self.GetModelPath(input_dict)
        signatures = read_signatures(source)
        examples = input_dict.get(EXAMPLES_KEY)

        def fill(directory: Path, version: int) -> None:
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
                run=json.loads(exec_properties["run"]),
                evaluation=_read_evaluation(input_dict),
                signatures=signatures_as_dict(signatures),
                judged_model=artifact_utils.get_single_uri(input_dict[MODEL_KEY]),
            )

        # Like TFX's Pusher: an archive that outlives the version. Nothing of it may fail once the
        # version is there.
        _copy(source, pushed_model.uri)
        destination, notices = push(model_directory, fill, run_id=run_id, keep=config.keep)
        if not input_dict.get(INFRA_BLESSING_KEY):
            notices.insert(0, _NOT_LOADED)
        pushed_model.set_string_custom_property(NOTICE_PROPERTY, "\n".join(notices))
        self._MarkPushed(
            pushed_model, pushed_destination=str(destination), pushed_version=destination.name
        )


class VersionedPusherSpec(ComponentSpec):
    """TFX's Pusher's inputs and outputs, and what `aepipe.json` and the warm-up requests take."""

    PARAMETERS = {
        name: ExecutionParameter(type=str) for name in ("push_root", "config", "run", "fingerprint")
    }
    INPUTS = {
        **PusherSpec.INPUTS,
        EXAMPLES_KEY: ChannelParameter(type=standard_artifacts.Examples, optional=True),
        EVALUATION_KEY: ChannelParameter(type=standard_artifacts.ModelEvaluation, optional=True),
    }
    OUTPUTS = PusherSpec.OUTPUTS


class VersionedPusher(BaseComponent):
    """Pushes a blessed model to `PUSH_ROOT/MODEL/VERSION`.

    Without a blessing nothing is pushed, like in TFX's Pusher. Unlike there, a version is copied
    under a hidden name, compared with the judged model by SHA-256, flushed to disk and then
    renamed; it carries warm-up requests and `aepipe.json`; old versions are removed; and
    `models.config` names it for TensorFlow Serving.

    Outputs:
        pushed_model: `PushedModel` with the custom properties of TFX's Pusher: `pushed`,
            `pushed_destination` and `pushed_version`.

    Args:
        model: The judged model.
        model_blessing: The evaluator's blessing of that model.
        push_root: The push directory, on a local file system.
        config: JSON of `PusherConfig`.
        run: JSON object of what `aepipe.json` says of the pipeline. It is part of TFX's cache
            key, so nothing may be in it that differs from run to run.
        fingerprint: Digest of the code, so that an edit runs the stage again.
        examples: Raw examples; the source of the warm-up requests.
        evaluation: The evaluator's findings, for `aepipe.json`.
        infra_blessing: Whether a server of that model answered. Without one no process has loaded
            the model, and a notice on `pushed_model` reports that.
    """

    SPEC_CLASS = VersionedPusherSpec
    EXECUTOR_SPEC = ExecutorClassSpec(Executor)

    def __init__(
        self,
        *,
        model: BaseChannel,
        model_blessing: BaseChannel,
        push_root: str,
        config: str,
        run: str,
        fingerprint: str,
        examples: BaseChannel | None = None,
        evaluation: BaseChannel | None = None,
        infra_blessing: BaseChannel | None = None,
    ) -> None:
        super().__init__(
            VersionedPusherSpec(
                model=model,
                model_blessing=model_blessing,
                examples=examples,
                evaluation=evaluation,
                infra_blessing=infra_blessing,
                push_root=push_root,
                config=config,
                run=run,
                fingerprint=fingerprint,
                pushed_model=Channel(type=standard_artifacts.PushedModel),
            )
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
    content = io_utils.read_string_file(f"{directory}/evaluation.json")
    evaluation: dict[str, Any] = json.loads(content)
    return evaluation
