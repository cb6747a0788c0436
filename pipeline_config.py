"""What each pipeline is: frozen, typed, validated values.

Everything else reads these values and holds none of its own, so a fourth
autoencoder starts as one more entry in `PIPELINES`. Nothing heavy is imported
here: the command line and an Airflow DAG file read this module at start-up.
"""

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Literal

LABEL_FEATURE = "label"
"""int64 [1]; ECG: 1 = normal, 0 = abnormal; Fashion-MNIST: garment class 0..9."""

ID_FEATURE = "example_id"
"""bytes [1]; hex digest of the example's content, so it does not depend on file order."""

TARGET_FEATURE = "target"
"""float32, `data.shape`; Transform's output: the clean example scaled to [0, 1]."""

NOISY_FEATURE = "noisy"
"""float32, `data.shape`; Transform's output where `transform.noise` > 0: the training input."""

NORMAL_LABEL = 1


class UserInputError(ValueError):
    """The user's data, setting or folder is wrong; the message is one line that says what to do."""


class GateRefusalError(Exception):
    """A gate refused the data; the message is one line that names the feature and the reason."""


class SettingError(UserInputError):
    """A configuration value is out of its range; the message names the setting."""


def _require(condition: bool, setting: str, value: object, expected: str) -> None:
    if not condition:
        raise SettingError(f"{setting}={value!r}: expected {expected}")


@dataclasses.dataclass(frozen=True, kw_only=True)
class SignalData:
    """Rows of a CSV: `length` samples, then the label.

    Attributes:
        folder: Sub-folder of the data directory; the directory itself serves where it is absent.
        pattern: Which files; `{SPAN}` and `{VERSION}` are TFX's.
        length: Samples per row.
        split: "hash" (80/20 by content) or "tutorial" (scikit-learn's
            `train_test_split(test_size=0.2, random_state=21)` over the rows in file order).
        sample_rows: Rows of the built-in sample, used where there is no other data.
    """

    feature: ClassVar[str] = "signal"
    folder: str = "ecg"
    pattern: str = "*.csv*"
    length: int = 140
    split: Literal["hash", "tutorial"] = "hash"
    sample_rows: int = 5_000

    def __post_init__(self) -> None:
        _require(self.length >= 2, "data.length", self.length, "2 or more samples per row")
        _require(self.split in ("hash", "tutorial"), "data.split", self.split, "hash or tutorial")
        _require(self.sample_rows >= 50, "data.sample_rows", self.sample_rows, "50 or more")

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one example, `(length,)`."""
        return (self.length,)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImageData:
    """Pairs of IDX files (images, labels), one pair a split.

    Attributes:
        folder: Sub-folder of the data directory; the directory itself serves where it is absent.
        train_pattern: The training split's image and label files; `{SPAN}` and `{VERSION}` work.
        eval_pattern: The eval split's image and label files.
        height: Rows of an image, in pixels.
        width: Columns of an image, in pixels.
        sample_train: Training images of the built-in sample.
        sample_eval: Eval images of the built-in sample.
    """

    feature: ClassVar[str] = "image"
    folder: str = "fashion_mnist"
    train_pattern: str = "train-*-ubyte*"
    eval_pattern: str = "t10k-*-ubyte*"
    height: int = 28
    width: int = 28
    sample_train: int = 10_000
    sample_eval: int = 2_000

    def __post_init__(self) -> None:
        _require(self.height >= 1, "data.height", self.height, "1 or more pixels")
        _require(self.width >= 1, "data.width", self.width, "1 or more pixels")
        _require(self.sample_train >= 10, "data.sample_train", self.sample_train, "10 or more")
        _require(self.sample_eval >= 10, "data.sample_eval", self.sample_eval, "10 or more")

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one example, `(height, width)`."""
        return (self.height, self.width)


@dataclasses.dataclass(frozen=True, kw_only=True)
class TransformConfig:
    """Preprocessing.

    Attributes:
        noise: Standard deviation of the Gaussian noise on the training input, in units of the
            scaled range [0, 1]; 0 adds none.
        noise_seed: Seed of that noise; each example's own seed is derived from it and its
            `example_id`.
    """

    noise: float = 0.0
    noise_seed: int = 0

    def __post_init__(self) -> None:
        _require(0.0 <= self.noise <= 10.0, "transform.noise", self.noise, "0.0 to 10.0")


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainerConfig:
    """Training.

    Attributes:
        epochs: Passes over the training split.
        batch_size: Examples a gradient step.
        seed: Seed of the weights' initial values and of the shuffling.
        learning_rate: Adam's step size (Keras' default, as in the tutorial).
        normal_only: Train on examples labelled normal only; validation sees all.
        early_stopping_patience: Epochs without a better val_loss before training stops and the
            best weights are taken; 0 turns it off.
        warm_start: Start from the weights of the latest blessed model.
        steps_per_execution: Gradient steps a call into TensorFlow.
    """

    epochs: int = 10
    batch_size: int = 32
    seed: int = 42
    learning_rate: float = 1e-3
    normal_only: bool = False
    early_stopping_patience: int = 0
    warm_start: bool = False
    steps_per_execution: int = 50

    def __post_init__(self) -> None:
        _require(self.epochs >= 1, "trainer.epochs", self.epochs, "1 or more")
        _require(self.batch_size >= 1, "trainer.batch_size", self.batch_size, "1 or more")
        _require(0 <= self.seed < 2**32, "trainer.seed", self.seed, "0 to 2**32 - 1")
        _require(self.learning_rate > 0, "trainer.learning_rate", self.learning_rate, "above 0")
        _require(
            self.early_stopping_patience >= 0,
            "trainer.early_stopping_patience",
            self.early_stopping_patience,
            "0 (off) or more epochs",
        )
        _require(
            self.steps_per_execution >= 1,
            "trainer.steps_per_execution",
            self.steps_per_execution,
            "1 or more",
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class EvaluatorConfig:
    """The model gate.

    Attributes:
        lower_bounds: Metric name -> the least value that is blessed.
        upper_bounds: Metric name -> the greatest value that is blessed.
        baseline_metric: What the candidate and the latest blessed model are compared by.
        baseline_tolerance: How much worse than the baseline is still blessed, as a fraction of
            the baseline's value.
        batch_size: Examples scored at a time.
    """

    lower_bounds: Mapping[str, float] = dataclasses.field(default_factory=dict)
    upper_bounds: Mapping[str, float] = dataclasses.field(default_factory=dict)
    baseline_metric: str = "val_loss"
    baseline_tolerance: float = 0.05
    batch_size: int = 512

    METRICS: ClassVar[tuple[str, ...]] = ("val_loss", "noisy_mse", "psnr_gain_db")

    def __post_init__(self) -> None:
        _require(
            self.baseline_metric in self.METRICS,
            "evaluator.baseline_metric",
            self.baseline_metric,
            f"one of {', '.join(self.METRICS)}",
        )
        _require(
            self.baseline_tolerance >= 0,
            "evaluator.baseline_tolerance",
            self.baseline_tolerance,
            "0 or more",
        )
        _require(self.batch_size >= 1, "evaluator.batch_size", self.batch_size, "1 or more")
        for side in ("lower_bounds", "upper_bounds"):
            for metric in getattr(self, side):
                _require(
                    metric in self.METRICS,
                    f"evaluator.{side}",
                    metric,
                    f"one of {', '.join(self.METRICS)}",
                )


@dataclasses.dataclass(frozen=True, kw_only=True)
class ThresholdEvaluatorConfig(EvaluatorConfig):
    """The model gate of a detector.

    Attributes:
        threshold_k: The threshold is mean + `threshold_k` x standard deviation of the
            reconstruction errors of the normal training examples (the tutorial's rule with k = 1).
    """

    threshold_k: float = 1.0
    baseline_metric: str = "f1"

    METRICS: ClassVar[tuple[str, ...]] = (
        "accuracy",
        "precision",
        "recall",
        "f1",
        "roc_auc",
        "pr_auc",
        "val_loss",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        _require(
            -10.0 <= self.threshold_k <= 10.0,
            "evaluator.threshold_k",
            self.threshold_k,
            "-10.0 to 10.0",
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class PusherConfig:
    """What is served.

    Attributes:
        model_name: Folder of the model under the push directory.
        keep: Versions that stay on disk; 0 keeps all. The newest is never removed.
        warmup_requests: Requests written for the server to warm up with.
    """

    model_name: str
    keep: int = 5
    warmup_requests: int = 4

    def __post_init__(self) -> None:
        _require(self.keep >= 0, "pusher.keep", self.keep, "0 (all) or more versions")
        _require(
            1 <= self.warmup_requests <= 1000,
            "pusher.warmup_requests",
            self.warmup_requests,
            "1 to 1000 (TensorFlow Serving's limit)",
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class PipelineConfig:
    """One pipeline, from its data to its served model.

    Attributes:
        name: What `aepipe run` calls it.
        description: One line for people.
        model: Name of the `keras.Model` subclass in `trainer/models.py`.
        loss: Keras' name of the training loss, also the reconstruction error of one example.
        schema: File of the curated schema in `components/schema/`.
    """

    name: str
    description: str
    model: str
    loss: Literal["mse", "mae"]
    schema: str
    data: SignalData | ImageData
    transform: TransformConfig = TransformConfig()
    trainer: TrainerConfig = TrainerConfig()
    evaluator: EvaluatorConfig = EvaluatorConfig()
    pusher: PusherConfig

    @property
    def is_detector(self) -> bool:
        """Whether the model decides with a threshold, rather than only reconstructs."""
        return isinstance(self.evaluator, ThresholdEvaluatorConfig)


def section_as_dict(section: Any) -> dict[str, Any]:
    """Returns one section (`config.data`, `config.trainer`, ...) as plain JSON values."""
    values = {field.name: getattr(section, field.name) for field in dataclasses.fields(section)}
    return {key: dict(v) if isinstance(v, Mapping) else v for key, v in values.items()}


BASIC = PipelineConfig(
    name="basic",
    description="dense autoencoder, Fashion-MNIST",
    model="BasicAutoencoder",
    loss="mse",
    schema="image.pbtxt",
    data=ImageData(),
    trainer=TrainerConfig(epochs=10, batch_size=32),
    evaluator=EvaluatorConfig(upper_bounds={"val_loss": 0.02}),
    pusher=PusherConfig(model_name="basic_autoencoder"),
)

DENOISE = PipelineConfig(
    name="denoise",
    description="convolutional denoising autoencoder, Fashion-MNIST with noise",
    model="DenoisingAutoencoder",
    loss="mse",
    schema="image.pbtxt",
    data=ImageData(),
    transform=TransformConfig(noise=0.2),
    trainer=TrainerConfig(epochs=10, batch_size=32),
    evaluator=EvaluatorConfig(
        lower_bounds={"psnr_gain_db": 1.0},
        upper_bounds={"val_loss": 0.02},
    ),
    pusher=PusherConfig(model_name="denoising_autoencoder"),
)

ANOMALY = PipelineConfig(
    name="anomaly",
    description="dense anomaly detector, ECG heartbeats",
    model="AnomalyDetector",
    loss="mae",
    schema="signal.pbtxt",
    data=SignalData(),
    trainer=TrainerConfig(epochs=20, batch_size=512, normal_only=True),
    evaluator=ThresholdEvaluatorConfig(
        lower_bounds={"accuracy": 0.85, "precision": 0.85, "recall": 0.75}
    ),
    pusher=PusherConfig(model_name="ecg_anomaly_detector"),
)

PIPELINES: Mapping[str, PipelineConfig] = MappingProxyType(
    {config.name: config for config in (BASIC, DENOISE, ANOMALY)}
)
