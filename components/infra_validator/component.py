"""InfraValidator: a candidate is pushed only where a server of it answers."""

from tfx.dsl.components.base.base_component import BaseComponent
from tfx.dsl.components.base.executor_spec import ExecutorClassSpec
from tfx.types import standard_artifacts
from tfx.types.channel import BaseChannel, Channel
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from tfx.types.standard_component_specs import (
    BLESSING_KEY,
    EXAMPLES_KEY,
    MODEL_BLESSING_KEY,
    MODEL_KEY,
)

from components.infra_validator.executor import CONFIG_KEY, FINGERPRINT_KEY, Executor


class InfraValidatorSpec(ComponentSpec):
    """Inputs, parameters and outputs of InfraValidator."""

    PARAMETERS = {
        CONFIG_KEY: ExecutionParameter(type=str),
        FINGERPRINT_KEY: ExecutionParameter(type=str),
    }
    INPUTS = {
        MODEL_KEY: ChannelParameter(type=standard_artifacts.Model),
        MODEL_BLESSING_KEY: ChannelParameter(type=standard_artifacts.ModelBlessing),
        EXAMPLES_KEY: ChannelParameter(type=standard_artifacts.Examples),
    }
    OUTPUTS = {BLESSING_KEY: ChannelParameter(type=standard_artifacts.InfraBlessing)}


class InfraValidator(BaseComponent):
    """Starts a blessed model in a model server's process and asks it real questions.

    Stands in for TFX's InfraValidator, whose servers are TensorFlow Serving's images in Docker or
    Kubernetes and nothing else. This one starts the server that the push directory is read by
    here, with nothing to install, and looks at the answers too.

    Outputs:
        blessing: `InfraBlessing` in TFX's contract, so that TFX's Pusher understands it, with the
            custom property `reason` where it is a refusal; beside it the server's log,
            `server.log`.

    Args:
        model: The judged model.
        model_blessing: The evaluator's blessing of that model; without one nothing is started.
        examples: Raw examples with the split `eval`.
        config: JSON of `InfraValidatorConfig`.
        fingerprint: Digest of the code, the server's included, so that an edit runs the stage
            again.
    """

    SPEC_CLASS = InfraValidatorSpec
    EXECUTOR_SPEC = ExecutorClassSpec(Executor)

    def __init__(
        self,
        *,
        model: BaseChannel,
        model_blessing: BaseChannel,
        examples: BaseChannel,
        config: str,
        fingerprint: str,
    ) -> None:
        super().__init__(
            InfraValidatorSpec(
                model=model,
                model_blessing=model_blessing,
                examples=examples,
                config=config,
                fingerprint=fingerprint,
                blessing=Channel(type=standard_artifacts.InfraBlessing),
            )
        )
