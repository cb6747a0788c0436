"""ThresholdEvaluator: sets a detector's threshold and blesses a model, or refuses it."""

from tfx.dsl.components.base.base_component import BaseComponent
from tfx.dsl.components.base.executor_spec import BeamExecutorSpec
from tfx.types import standard_artifacts, standard_component_specs
from tfx.types.channel import BaseChannel, Channel
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter

from components.threshold_evaluator.executor import (
    CONFIG_KEY,
    FINGERPRINT_KEY,
    JUDGED_MODEL_KEY,
    Executor,
)


class ThresholdEvaluatorSpec(ComponentSpec):
    """Inputs, parameters and outputs of ThresholdEvaluator."""

    PARAMETERS = {
        CONFIG_KEY: ExecutionParameter(type=str),
        FINGERPRINT_KEY: ExecutionParameter(type=str),
    }
    INPUTS = {
        standard_component_specs.EXAMPLES_KEY: ChannelParameter(type=standard_artifacts.Examples),
        standard_component_specs.TRANSFORM_GRAPH_KEY: ChannelParameter(
            type=standard_artifacts.TransformGraph
        ),
        standard_component_specs.MODEL_KEY: ChannelParameter(type=standard_artifacts.Model),
        standard_component_specs.BASELINE_MODEL_KEY: ChannelParameter(
            type=standard_artifacts.Model, optional=True
        ),
    }
    OUTPUTS = {
        standard_component_specs.EVALUATION_KEY: ChannelParameter(
            type=standard_artifacts.ModelEvaluation
        ),
        standard_component_specs.BLESSING_KEY: ChannelParameter(
            type=standard_artifacts.ModelBlessing
        ),
        JUDGED_MODEL_KEY: ChannelParameter(type=standard_artifacts.Model),
    }


class ThresholdEvaluator(BaseComponent):
    """Judges a model by its reconstruction errors.

    Outputs:
        evaluation: `ModelEvaluation` with `evaluation.json` (metrics, threshold, confusion
            matrix, reasons) and `errors.npz` (the errors of all examples, for plots).
        blessing: `ModelBlessing` in TFX's standard contract, so that a stock Pusher and
            `LatestBlessedModelStrategy` understand it.
        judged_model: `Model`; the trained model with the threshold set inside. Push this one.

    Args:
        examples: Raw examples with the splits `train` and `eval`.
        transform_graph: Transform's graph; source of the noise of a denoising model.
        model: The Trainer's model, with the `score` signature.
        config: `EvaluationConfig.to_json()`.
        fingerprint: Digest of the code, so that an edit runs the stage again.
        baseline_model: A model that this component has judged before, or an empty channel.
    """

    SPEC_CLASS = ThresholdEvaluatorSpec
    EXECUTOR_SPEC = BeamExecutorSpec(Executor)

    def __init__(
        self,
        *,
        examples: BaseChannel,
        transform_graph: BaseChannel,
        model: BaseChannel,
        config: str,
        fingerprint: str,
        baseline_model: BaseChannel | None = None,
    ) -> None:
        super().__init__(
            ThresholdEvaluatorSpec(
                examples=examples,
                transform_graph=transform_graph,
                model=model,
                baseline_model=baseline_model,
                config=config,
                fingerprint=fingerprint,
                evaluation=Channel(type=standard_artifacts.ModelEvaluation),
                blessing=Channel(type=standard_artifacts.ModelBlessing),
                judged_model=Channel(type=standard_artifacts.Model),
            )
        )
