"""Executor of VersionedPusher."""

import json
from pathlib import Path
from typing import Any

import tensorflow as tf
from absl import logging
from tfx.components.pusher import executor as tfx_pusher
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.types.artifact import Artifact
from tfx.types.standard_component_specs import (
    EVALUATION_KEY,
    EXAMPLES_KEY,
    MODEL_BLESSING_KEY,
    MODEL_KEY,
    PUSHED_MODEL_KEY,
)
from tfx.utils import io_utils

from components.versioned_pusher.copy_check import check_copy
from components.versioned_pusher.serving_inputs import (
    read_serving_inputs,
    read_signatures,
    write_warmup_requests,
)
from pipeline_config import PusherConfig
from serving.push_directory.manifest import pushed_by, write_manifest
from serving.push_directory.models_config import write_models_config
from serving.push_directory.version_file import prune, read_version_file
from serving.push_directory.versions import next_version, publish, pushing

CONFIG_KEY = "config"
FINGERPRINT_KEY = "fingerprint"
PUSH_ROOT_KEY = "push_root"
RUN_KEY = "run"

Artifacts = dict[str, list[Artifact]]


class Executor(tfx_pusher.Executor):
    """TFX's Pusher with a push that is atomic, checked and bounded in its number of versions."""

    def Do(  # noqa: N802 - TFX's name.
        self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]
    ) -> None:
        """Pushes `model` if all blessings are given, else marks `pushed_model` as not pushed.

        A run pushes once: where a scheduler tries it again that was killed between the push and
        its record in MLMD, what is there is taken.

        Args:
            input_dict: `model`, `model_blessing` and, where there are any, `examples`,
                `evaluation` and `infra_blessing`.
            output_dict: `pushed_model`.
            exec_properties: `push_root`, and `config` and `run` as JSON.

        Raises:
            UserInputError: The push directory cannot be written to, or the model's
                `versions.json` is malformed.
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
        model_directory = Path(exec_properties[PUSH_ROOT_KEY], config.model_name)
        source = self.GetModelPath(input_dict)
        model = tf.saved_model.load(source)
        inputs = read_serving_inputs(model, input_dict.get(EXAMPLES_KEY), config.warmup_requests)

        with pushing(model_directory):
            # A malformed file is told of before anything is pushed.
            read_version_file(model_directory)
            run_id = self._context.pipeline_run_id if self._context else None
            version = next_version(model_directory)

            def fill(directory: Path) -> None:
                io_utils.copy_dir(source, str(directory))
                check_copy(directory, model, inputs)
                if input_dict.get(EXAMPLES_KEY):
                    write_warmup_requests(directory, config.model_name, inputs)
                write_manifest(
                    directory,
                    model_name=config.model_name,
                    version=version,
                    run_id=run_id,
                    run=json.loads(exec_properties[RUN_KEY]),
                    evaluation=_read_evaluation(input_dict),
                    signatures=read_signatures(model),
                )

            destination = pushed_by(model_directory, run_id) or publish(
                model_directory, fill, version
            )
            removed = prune(model_directory, config.keep)
            write_models_config(model_directory.parent)
        logging.info("Pushed %s, removed versions %s", destination, removed)

        # Like TFX's Pusher: an archive that outlives the version.
        io_utils.copy_dir(source, pushed_model.uri)
        self._MarkPushed(
            pushed_model, pushed_destination=str(destination), pushed_version=destination.name
        )


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
