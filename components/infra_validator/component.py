"""InfraValidator: a candidate is pushed only if a server of it answers."""

import json
from pathlib import Path

from absl import logging
from tfx.components.util import model_utils
from tfx.dsl.component.experimental.annotations import InputArtifact, OutputArtifact, Parameter
from tfx.dsl.component.experimental.decorators import component
from tfx.dsl.io import fileio
from tfx.types.artifact import Artifact
from tfx.types.standard_artifacts import Examples, InfraBlessing, Model, ModelBlessing
from tfx.utils import io_utils, path_utils

from components.infra_validator.validation import find_fault
from components.raw_examples import first_records
from pipeline_config import InfraValidatorConfig

BLESSED_PROPERTY = "blessed"
REASON_PROPERTY = "reason"
"""Why not, in one line; not part of TFX's contract."""

LOG_FILE = "server.log"
"""The server's output, beside the verdict; missing if no server was started."""


@component
def InfraValidator(  # noqa: N802 - TFX names a component as a class.
    model: InputArtifact[Model],
    model_blessing: InputArtifact[ModelBlessing],
    examples: InputArtifact[Examples],
    blessing: OutputArtifact[InfraBlessing],
    config: Parameter[str],
    fingerprint: Parameter[str],
) -> None:
    """Starts a blessed model in a model server's process and sends it real requests.

    Replaces TFX's InfraValidator, which starts TensorFlow Serving's images in Docker or Kubernetes
    and nothing else. This one starts the project's own server, with nothing to install, and checks
    the answers too. A refusal is a result, not an error.

    Args:
        model: The judged model.
        model_blessing: The evaluator's blessing of that model; without one nothing is started.
        examples: Raw examples with the split `eval`.
        blessing: Verdict in the contract of TFX's InfraValidator, so that TFX's Pusher understands
            it; a refusal has the custom property `reason`, and `server.log` is beside it.
        config: JSON of `InfraValidatorConfig`.
        fingerprint: Digest of the code, the server's included, so that an edit runs the stage
            again.
    """
    del fingerprint
    settings = InfraValidatorConfig(**json.loads(config))
    if model_utils.is_model_blessed(model_blessing):
        fault = _serve(model, examples, settings, Path(blessing.uri))
    else:
        fault = "the evaluator did not bless the model, so it was not served"
    logging.info("Infra validation: %s", fault or "the candidate answered")
    write_blessing(blessing, fault)


def write_blessing(blessing: Artifact, fault: str | None) -> None:
    """Writes a verdict as TFX's InfraValidator does, for its Pusher to read.

    Args:
        blessing: The artifact: an empty file named by the verdict, and custom properties.
        fault: Why the model must not be pushed; None if it may.
    """
    file = "INFRA_BLESSED" if fault is None else "INFRA_NOT_BLESSED"
    io_utils.write_string_file(f"{blessing.uri}/{file}", "")
    blessing.set_int_custom_property(BLESSED_PROPERTY, int(fault is None))
    if fault is not None:
        blessing.set_string_custom_property(REASON_PROPERTY, fault)


def _serve(
    model: Artifact, examples: Artifact, settings: InfraValidatorConfig, directory: Path
) -> str | None:
    # The first ones: TFX's `request_builder` draws at random, and a refusal could not be repeated.
    records = first_records([examples], "eval", settings.requests)
    if not records:
        raise ValueError("the eval split holds no example to ask the candidate about")
    fileio.makedirs(str(directory))
    candidate = path_utils.serving_model_dir(model.uri)
    return find_fault(candidate, records, settings.timeout_seconds, directory / LOG_FILE)
