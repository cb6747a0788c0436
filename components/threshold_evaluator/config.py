"""What the evaluator needs to know of a pipeline, as it travels to the executor."""

import dataclasses
import json

from pipeline_config import (
    EvaluatorConfig,
    PipelineConfig,
    ThresholdEvaluatorConfig,
    section_as_dict,
)

THRESHOLD_FIGURES = ("accuracy", "precision", "recall", "f1", "anomaly_recall", "false_alarm_rate")
"""What strategies of setting a threshold are compared by, beside the alarms, in this order."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class EvaluationConfig:
    """Settings of one evaluation.

    Attributes:
        feature: Raw feature that holds the example, `signal` or `image`.
        shape: Shape of one example.
        loss: `mae` or `mse`; what the model's `score` signature calls an error. Only passed on:
            the signature computes it.
        noise: Standard deviation of the noise that Transform adds; 0 for none.
        noise_seed: Seed of that noise.
        gate: Bounds, baseline comparison and batch size; a `ThresholdEvaluatorConfig` makes the
            model a detector.
        presumes_normal: Whether examples without a label are presumed normal.
    """

    feature: str
    shape: tuple[int, ...]
    loss: str
    noise: float
    gate: EvaluatorConfig
    presumes_normal: bool = True
    noise_seed: int = 0

    @classmethod
    def from_pipeline(cls, config: PipelineConfig) -> "EvaluationConfig":
        """Takes from a pipeline's config what its evaluation depends on, and nothing else."""
        return cls(
            feature=config.data.feature,
            shape=config.data.shape,
            loss=config.loss,
            noise=config.transform.noise,
            gate=config.evaluator,
            presumes_normal=config.data.presumes_normal,
            noise_seed=config.transform.noise_seed,
        )

    @property
    def is_detector(self) -> bool:
        """Whether the model decides with a threshold, rather than only reconstructs."""
        return isinstance(self.gate, ThresholdEvaluatorConfig)

    def to_json(self) -> str:
        """Returns equal text for equal settings, so that TFX's cache sees only real changes."""
        return json.dumps(
            {
                "feature": self.feature,
                "shape": self.shape,
                "loss": self.loss,
                "noise": self.noise,
                "is_detector": self.is_detector,
                "gate": section_as_dict(self.gate),
                "presumes_normal": self.presumes_normal,
                "noise_seed": self.noise_seed,
            },
            sort_keys=True,
        )

    @classmethod
    def from_json(cls, text: str) -> "EvaluationConfig":
        """Reads `to_json` back.

        Raises:
            SettingError: A value of the gate is out of its range.
        """
        values = json.loads(text)
        gate_class = ThresholdEvaluatorConfig if values["is_detector"] else EvaluatorConfig
        return cls(
            feature=values["feature"],
            shape=tuple(values["shape"]),
            loss=values["loss"],
            noise=values["noise"],
            gate=gate_class(**values["gate"]),
            # Runs of before there were unlabelled examples have not recorded it.
            presumes_normal=values.get("presumes_normal", True),
            # Nor those of before noise was measured at other levels.
            noise_seed=values.get("noise_seed", 0),
        )
