"""VersionedPusher: makes a blessed model appear in a model server's directory."""

from tfx.dsl.components.base.base_component import BaseComponent
from tfx.dsl.components.base.executor_spec import ExecutorClassSpec
from tfx.types import standard_artifacts
from tfx.types.channel import BaseChannel, Channel
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from tfx.types.standard_component_specs import (
    EVALUATION_KEY,
    EXAMPLES_KEY,
    INFRA_BLESSING_KEY,
    MODEL_BLESSING_KEY,
    MODEL_KEY,
    PUSHED_MODEL_KEY,
)

from components.versioned_pusher.executor import (
    CONFIG_KEY,
    FINGERPRINT_KEY,
    PUSH_ROOT_KEY,
    RUN_KEY,
    Executor,
)


class VersionedPusherSpec(ComponentSpec):
    """Inputs, parameters and outputs of VersionedPusher."""

    PARAMETERS = {
        PUSH_ROOT_KEY: ExecutionParameter(type=str),
        CONFIG_KEY: ExecutionParameter(type=str),
        RUN_KEY: ExecutionParameter(type=str),
        FINGERPRINT_KEY: ExecutionParameter(type=str),
    }
    INPUTS = {
        MODEL_KEY: ChannelParameter(type=standard_artifacts.Model),
        MODEL_BLESSING_KEY: ChannelParameter(type=standard_artifacts.ModelBlessing),
        EXAMPLES_KEY: ChannelParameter(type=standard_artifacts.Examples, optional=True),
        EVALUATION_KEY: ChannelParameter(type=standard_artifacts.ModelEvaluation, optional=True),
        INFRA_BLESSING_KEY: ChannelParameter(type=standard_artifacts.InfraBlessing, optional=True),
    }
    OUTPUTS = {PUSHED_MODEL_KEY: ChannelParameter(type=standard_artifacts.PushedModel)}


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
