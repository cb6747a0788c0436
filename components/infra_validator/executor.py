"""Executor of InfraValidator."""

import json
from pathlib import Path
from typing import Any

from absl import logging
from tfx.components.util import model_utils
from tfx.dsl.components.base.base_executor import BaseExecutor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.types.artifact import Artifact
from tfx.types.standard_component_specs import (
    BLESSING_KEY,
    EXAMPLES_KEY,
    MODEL_BLESSING_KEY,
    MODEL_KEY,
)
from tfx.utils import path_utils

from components.infra_validator.blessing import LOG_FILE, write_blessing
from components.infra_validator.validation import find_fault
from components.raw_examples import first_records
from pipeline_config import InfraValidatorConfig

CONFIG_KEY = "config"
FINGERPRINT_KEY = "fingerprint"

Artifacts = dict[str, list[Artifact]]


class Executor(BaseExecutor):
    """Serves a blessed candidate, asks it, and writes what came of it."""

    def Do(  # noqa: N802 - TFX's name.
        self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]
    ) -> None:
        """Blesses `model` where a server of it answers.

        A refusal is a result, not an error: the blessing says so, and why.

        Args:
            input_dict: `model`, `model_blessing` and `examples`.
            output_dict: `blessing`.
            exec_properties: `config`, as JSON.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        config = InfraValidatorConfig(**json.loads(exec_properties[CONFIG_KEY]))
        blessing = artifact_utils.get_single_instance(output_dict[BLESSING_KEY])
        fault = self._find_fault(input_dict, config, Path(blessing.uri))
        logging.info("Infra validation: %s", fault or "the candidate answered")
        write_blessing(blessing, fault)

    def _find_fault(
        self, input_dict: Artifacts, config: InfraValidatorConfig, directory: Path
    ) -> str | None:
        model_blessing = artifact_utils.get_single_instance(input_dict[MODEL_BLESSING_KEY])
        if not model_utils.is_model_blessed(model_blessing):
            return "the evaluator did not bless the model, so it was not served"
        model = artifact_utils.get_single_instance(input_dict[MODEL_KEY])
        # The first ones: TFX's `request_builder` draws at random, and a refusal would not repeat.
        records = first_records(input_dict[EXAMPLES_KEY], "eval", config.requests)
        if not records:
            raise ValueError("the eval split holds no example to ask the candidate about")
        fileio.makedirs(str(directory))
        return find_fault(
            path_utils.serving_model_path(model.uri, path_utils.is_old_model_artifact(model)),
            records,
            config.timeout_seconds,
            directory / LOG_FILE,
        )
