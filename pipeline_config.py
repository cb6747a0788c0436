"""What each pipeline is: frozen, typed, validated values.

Everything else reads these values and holds none of its own, so another autoencoder starts as one
more entry in `PIPELINES`. Only the standard library is imported here: the command line and an
Airflow DAG file read this module at start-up.
"""

import dataclasses
import difflib
import functools
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import PurePath
from types import MappingProxyType
from typing import Any, ClassVar, Literal, get_args, get_origin

LABEL_FEATURE = "label"
"""int64 [1]; signals: `NORMAL_LABEL`, `ABNORMAL_LABEL` or `UNLABELLED`; images: class 0..9."""

CLASS_FEATURE = "class"
"""bytes [1]; signals: the class's own name in the file, such as "4" or "V"; empty if unlabelled."""

ID_FEATURE = "example_id"
"""bytes [1]; hex digest of the example's content, so it does not depend on file order."""

PIXELS_FEATURE = "pixels"
"""float32 [n]; some pixels of an image, 0..255; only in the splits that drift is measured on, as
TFDV draws no histogram of an image's bytes."""

TARGET_FEATURE = "target"
"""float32, `data.shape`; Transform's output: the clean example scaled to [0, 1]."""

NOISY_FEATURE = "noisy"
"""float32, `data.shape`; Transform's output if `transform.noise` > 0: the training input."""

RAW_VALUES = "raw_values"
"""Op of Transform's graph between decoding and scaling; the served model enters the graph there."""

NORMAL_LABEL = 1
ABNORMAL_LABEL = 0
UNLABELLED = -1

AAMI_NORMAL_BEATS = ("N", "L", "R", "e", "j")
"""WFDB's annotation symbols of class N in ANSI/AAMI EC57, the beats that count as normal."""

SPLITS = ("train", "eval")
"""Splits of the examples that a model is made of and judged by."""

CALIBRATION_SPLIT = "calibration"
"""Examples of the training split that are held out of the training; see `Data.held_out`."""

NEWEST_SPLIT = "newest"
"""All examples of the newest span; with `PREVIOUS_SPLIT`, what drift is measured on."""

PREVIOUS_SPLIT = "previous"
"""All examples of the span before the newest."""


def normal_labels(*, presumes_normal: bool) -> tuple[int, ...]:
    """Returns the labels of the examples that a detector takes for normal in its training.

    Args:
        presumes_normal: Whether examples without a label are presumed normal.
    """
    return (NORMAL_LABEL, UNLABELLED) if presumes_normal else (NORMAL_LABEL,)


class UserInputError(ValueError):
    """The user's data, setting or folder is wrong; the message is one line that says what to do."""


class GateRefusalError(Exception):
    """A gate refused the data; the message is one line that names the feature and the reason."""


class SettingError(UserInputError):
    """A configuration value is out of its range; the message names the setting.

    Attributes:
        setting: The setting's full name, such as `data.length`; empty if it is of several.
    """

    def __init__(self, line: str, setting: str = "") -> None:
        super().__init__(line)
        self.setting = setting


NameKind = Literal["model", "pipeline", "run", "label"]

_LONGEST_NAMES: Mapping[NameKind, int] = MappingProxyType(
    # A run is named after its pipeline, the time and four characters.
    {"model": 63, "pipeline": 63, "run": 127, "label": 63}
)


def is_name(kind: NameKind, name: str) -> bool:
    """Returns whether a name can be one folder, one part of a URL and one word of a command line.

    Such a name has only ASCII letters, digits, `_`, `-` and `.`. It is not hidden (`.` first), does
    not read as an option (`-` first), and is short enough for a file system to take it with a
    suffix. A label also begins with a letter, as a version's number is asked for in its place.
    """
    first = "[A-Za-z]" if kind == "label" else "[A-Za-z0-9_]"
    matches = re.fullmatch(f"{first}[A-Za-z0-9_.-]*", name) is not None
    return matches and len(name) <= _LONGEST_NAMES[kind]


def name_rule(kind: NameKind) -> str:
    """Returns what `is_name` asks for, to go after "expected" in an error's message."""
    noun = kind if kind == "label" else f"{kind} name"
    first = "beginning with a letter" if kind == "label" else "not beginning with - or ."
    longest = _LONGEST_NAMES[kind]
    return f"a {noun} of letters, digits, _, - and ., {first}, of {longest} characters at most"


def check_name(kind: NameKind, name: str) -> None:
    """Checks a name that a user gave.

    Raises:
        UserInputError: It is not one; see `is_name`.
    """
    if not is_name(kind, name):
        raise UserInputError(f"{name!r}: expected {name_rule(kind)}")


def _require(condition: bool, setting: str, value: object, expected: str) -> None:
    if not condition:
        raise SettingError(f"{setting}={value!r}: expected {expected}", setting)


def setting(
    default: float,
    expected: str = "",
    *,
    ge: float | None = None,
    gt: float | None = None,
    le: float = 1_000_000,
) -> Any:
    """Returns the field of a number, whose section checks the range.

    Args:
        default: The number if nothing is set.
        expected: The range in words, to follow "expected" in an error's message; by default made
            from the range.
        ge: The least value.
        gt: What the value is above, instead of `ge`.
        le: The greatest value. Every number has one: what trains, allocates or waits far beyond
            what anyone means fails late, and not in one line.
    """

    def is_valid(value: float) -> bool:
        # A NaN is in no range, as every comparison with it is false.
        return (ge is None or value >= ge) and (gt is None or value > gt) and value <= le

    least = f"above {gt}" if ge is None else f"{ge} or more"
    expected = expected or f"{least}, up to {le}"
    metadata = {"expected": expected, "is_valid": is_valid, "ge": ge, "gt": gt, "le": le}
    return dataclasses.field(default=default, metadata=metadata)


def checked(
    expected: str, is_valid: Callable[[Any], bool], *, default: Any = dataclasses.MISSING
) -> Any:
    """Returns the field of a value, or of a tuple of values, that its section checks.

    Args:
        expected: What is valid, to follow "expected" in an error's message.
        is_valid: Whether a value is valid.
        default: The value if nothing is set; none if the value has to be given.
    """
    return dataclasses.field(default=default, metadata={"expected": expected, "is_valid": is_valid})


@dataclasses.dataclass(frozen=True, kw_only=True)
class Section:
    """A part of a pipeline's configuration; checks its values when it is made.

    Raises:
        SettingError: A value is not one that its `setting`, `checked` or `Literal` allows.
    """

    section: ClassVar[str]

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            name, value = f"{self.section}.{field.name}", getattr(self, field.name)
            if get_origin(field.type) is Literal:
                choices = get_args(field.type)
                _require(value in choices, name, value, f"one of {', '.join(choices)}")
            if is_valid := field.metadata.get("is_valid"):
                for item in value if isinstance(value, tuple) else (value,):
                    _require(is_valid(item), name, item, field.metadata["expected"])


def _data_folder(default: str) -> Any:
    def is_below(folder: str) -> bool:
        parts = PurePath(folder).parts
        return bool(parts) and ".." not in parts and parts[0] != "/" and folder.isprintable()

    expected = "a folder below the data directory, such as ecg or plant/ecg"
    return checked(expected, is_below, default=default)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Data(Section):
    """Raw data of any kind.

    Attributes:
        folder: Sub-folder of the data directory; if absent, the directory itself is read.
        window: Spans that are read: the newest alone, or so many of the newest.
        skip_refused: Leave out an earlier span that the data gate refused as the newest.
        schema: File of a schema of one's own, which `aepipe data schema` writes; empty for the
            pipeline's curated one. In a TOML file it is relative to that file.
        held_out: Share of the training split that is kept out of the training, as a split of its
            own, for validation and for a detector's threshold; 0 holds none out.
    """

    section: ClassVar[str] = "data"
    folder: str
    window: int = setting(1, "1 or more spans, up to 10000", ge=1, le=10_000)
    skip_refused: bool = True
    schema: str = ""
    held_out: float = setting(0.0, "0 (none) to 0.5", ge=0.0, le=0.5)

    @property
    def splits(self) -> tuple[str, ...]:
        """Splits of the examples, in the order that they are shown in."""
        train, kept = SPLITS
        return (train, CALIBRATION_SPLIT, kept) if self.held_out else SPLITS

    @property
    def presumes_normal(self) -> bool:
        """Whether examples without a label, if there are any, are presumed normal."""
        return True

    @property
    def marks_normal(self) -> bool:
        """Whether labels say which examples are normal, rather than which class they are of."""
        return True


@dataclasses.dataclass(frozen=True, kw_only=True)
class SignalData(Data):
    """Signals: rows of samples with a label or none, or long series that windows are cut from.

    Attributes:
        pattern: Which files; `{SPAN}`, `{YYYY}`, `{MM}`, `{DD}` and `{VERSION}` are TFX's. See
            `data.spans.files.matching_names`.
        length: Samples of one example.
        channels: Values of one sample. A row of text holds all those of its first sample, then
            those of the next, as `array.reshape(len(array), -1)` has them.
        channel: Names or numbers, from 0, of the channels to read, in this order; none for the
            first `channels`.
        label: Where the label is: "last", "first", "none", or the name of a column.
        normal: Names of the classes that are normal; all others are abnormal. In WFDB annotations
            the default means `AAMI_NORMAL_BEATS`.
        unlabelled: Whether rows without a label are presumed normal and trained on ("train"), or
            left out of training ("skip").
        separator: What is between the cells of a text file; "auto" finds it.
        arrays: Names of the samples and of the labels in an `.npz` file.
        before: Samples of a beat before its WFDB annotation; with `after` 0, windows are cut
            one after the other instead.
        after: Samples of a beat from its annotation on.
        annotator: Suffix of the files with a WFDB record's annotations.
        drop: Names or numbers, from 0, of columns that are left out before `label` is found; a
            number is a place in the file.
        series: Files are long series, one column a channel, to cut windows of `length` from.
        step: Samples from the start of one window to that of the next; 0 for `length`.
        time: Column of a series' time stamps: its name, "none", or "auto" to find it.
        share: A window is abnormal if more than this share of its samples is.
        missing: "refuse" a missing sample, or "interpolate" linearly.
        longest_gap: Missing samples in a row that are interpolated; more of them end a window.
        split: "hash" (80/20 by content), "tutorial" (scikit-learn's
            `train_test_split(test_size=0.2, random_state=21)` over the rows in file order), "time"
            (the last 20 % of each series is eval), "file" (whole files), or "auto"; see `split_by`.
        sample_rows: Rows of the built-in sample, used if there is no other data.
    """

    feature: ClassVar[str] = "signal"
    folder: str = _data_folder("ecg")
    pattern: str = "*.csv{,.gz}"
    length: int = setting(140, "2 or more samples per row, up to 1000000", ge=2)
    channels: int = setting(1, "1 or more values a sample, up to 10000", ge=1, le=10_000)
    channel: tuple[str, ...] = ()
    label: str = checked("last, first, none or a column's name", bool, default="last")
    normal: tuple[str, ...] = ("1",)
    unlabelled: Literal["train", "skip"] = "train"
    separator: Literal["auto", "comma", "tab", "semicolon", "blanks"] = "auto"
    arrays: tuple[str, ...] = ("x", "y")
    before: int = setting(0, ge=0)
    after: int = setting(0, ge=0)
    annotator: str = checked("the suffix of annotation files", str.isalnum, default="atr")
    drop: tuple[str, ...] = ()
    series: bool = False
    step: int = setting(0, "0 (the length) or more samples, up to 1000000", ge=0)
    time: str = checked("auto, none or a column's name", bool, default="auto")
    share: float = setting(0.0, "0 to below 1", ge=0.0, le=0.999_999)
    missing: Literal["refuse", "interpolate"] = "refuse"
    longest_gap: int = setting(10, ge=1)
    split: Literal["hash", "tutorial", "time", "file", "auto"] = "auto"
    sample_rows: int = setting(5_000, ge=50, le=10_000_000)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one example: `(length,)`, or `(length, channels)` with several channels."""
        return (self.length,) if self.channels == 1 else (self.length, self.channels)

    @property
    def presumes_normal(self) -> bool:
        """Whether examples without a label are presumed normal."""
        return self.unlabelled == "train"

    @property
    def split_by(self) -> str:
        """How examples are split: `split`, and for "auto" rows by "hash" and series by "time".

        Raises:
            SettingError: Windows of a series, which may overlap and resemble those beside them,
                would be drawn one by one; or rows would be split as series are.
        """
        if self.split == "auto":
            return "time" if self.series else "hash"
        if self.series and self.split in ("hash", "tutorial"):
            raise SettingError(
                f"data.split={self.split} draws windows one by one, so that a model is judged on "
                "samples that it was trained on: a series is split by time or file: "
                "--set data.split=time"
            )
        if not self.series and self.split in ("time", "file"):
            raise SettingError(
                f"data.split={self.split} is for series: --set data.series=true, or split rows by "
                "hash or tutorial"
            )
        return self.split

    @property
    def is_labelled(self) -> bool:
        """Whether the files are said to hold labels."""
        return self.label != "none"


@dataclasses.dataclass(frozen=True, kw_only=True)
class ImageData(Data):
    """Pairs of IDX files (images, labels), one pair a split.

    Attributes:
        train_pattern: The training split's image and label files; `{SPAN}` and `{VERSION}` work.
        eval_pattern: The eval split's image and label files.
        normal: Names of the classes that are normal, for a detector: all others are abnormal, and
            `label` is `NORMAL_LABEL` or `ABNORMAL_LABEL`. Without any, `label` is the class.
        height: Rows of an image, in pixels.
        width: Columns of an image, in pixels.
        sample_train: Training images of the built-in sample.
        sample_eval: Eval images of the built-in sample.
    """

    feature: ClassVar[str] = "image"
    folder: str = _data_folder("fashion_mnist")
    train_pattern: str = "train-*-ubyte{,.gz}"
    eval_pattern: str = "t10k-*-ubyte{,.gz}"
    normal: tuple[str, ...] = ()
    height: int = setting(28, "1 or more pixels, up to 10000", ge=1, le=10_000)
    width: int = setting(28, "1 or more pixels, up to 10000", ge=1, le=10_000)
    sample_train: int = setting(10_000, ge=10, le=10_000_000)
    sample_eval: int = setting(2_000, ge=10, le=10_000_000)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one example, `(height, width)`."""
        return (self.height, self.width)

    @property
    def marks_normal(self) -> bool:
        """Whether labels say which images are normal, rather than which class they are of."""
        return bool(self.normal)


@dataclasses.dataclass(frozen=True, kw_only=True)
class GateConfig(Section):
    """How much the newest span may differ from the one before; 1 lets everything pass.

    Attributes:
        drift_threshold: Greatest Jensen-Shannon divergence (0 to 1) of a signal's or an image's
            values. Spans cut from the tutorial's data at random are 0.001 to 0.007 apart, of 100
            images 0.02; 1.5 times the scale of a signal is 0.06, 0.8 times that of an image 0.14.
        label_drift_threshold: Greatest change (0 to 1) of any class's share.
    """

    section: ClassVar[str] = "gate"
    drift_threshold: float = setting(0.03, "above 0, up to 1 (off)", gt=0.0, le=1.0)
    label_drift_threshold: float = setting(0.2, "above 0, up to 1 (off)", gt=0.0, le=1.0)

    @property
    def compares_spans(self) -> bool:
        """Whether any drift could refuse a span."""
        return self.drift_threshold < 1 or self.label_drift_threshold < 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class TransformConfig(Section):
    """Preprocessing.

    Attributes:
        scale: Range that is scaled to [0, 1]: that of "all" training values, or of each "channel".
        noise: Standard deviation of the Gaussian noise on the training input, in units of the
            scaled range [0, 1]; 0 adds none.
        noise_seed: Seed of that noise; each example's own seed is derived from it and its
            `example_id`.
    """

    section: ClassVar[str] = "transform"
    scale: Literal["all", "channel"] = "all"
    noise: float = setting(0.0, "0.0 to 10.0", ge=0.0, le=10.0)
    noise_seed: int = setting(0, "-2**63 to 2**63 - 1", ge=-(2**63), le=2**63 - 1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainerConfig(Section):
    """Training.

    Attributes:
        epochs: Passes over the training split; if `steps` is set, parts that these are divided
            into, each with a value of the losses at its end.
        steps: Gradient steps in all, rounded up to equal parts, however many examples there are;
            0 if `epochs` decides.
        batch_size: Examples a gradient step.
        seed: Seed of the weights' initial values and of the shuffling.
        learning_rate: Adam's step size (Keras' default, as in the tutorial), at the start.
        schedule: "constant" keeps the step size, "cosine" lowers it to 0 at the last step along
            half a cosine (Loshchilov and Hutter 2017, without restarts).
        trim: Share of each training batch, the worst reconstructed, that is left out of its loss,
            for training data with unlabelled anomalies; 0 leaves out none.
        normal_only: Train on examples labelled normal only; validation sees all.
        early_stopping_patience: Epochs without a better val_loss before training stops and the
            best weights are taken; 0 turns it off. With `data.held_out`, the loss is that of a
            tenth of the training split that is not trained on either.
        warm_start: Start from the weights of the latest blessed model.
        steps_per_execution: Gradient steps a call into TensorFlow; 1 with several devices.
        distribution: "none" or "mirrored" (all GPUs of this machine, each with a part of every
            batch).
    """

    section: ClassVar[str] = "trainer"
    NOT_SEARCHED: ClassVar[tuple[str, ...]] = (
        # A seed that a search finds is luck, and the others say how and where to train.
        *("seed", "warm_start", "steps_per_execution", "distribution"),
    )
    epochs: int = setting(10, ge=1)
    steps: int = setting(0, "0 (epochs decide) or more steps, up to 1000000", ge=0)
    batch_size: int = setting(32, ge=1)
    seed: int = setting(42, "0 to 2**32 - 1", ge=0, le=2**32 - 1)
    learning_rate: float = setting(1e-3, gt=0, le=100)
    schedule: Literal["constant", "cosine"] = "constant"
    trim: float = setting(0.0, "0 to 0.5", ge=0.0, le=0.5)
    normal_only: bool = False
    early_stopping_patience: int = setting(0, "0 (off) or more epochs, up to 1000000", ge=0)
    warm_start: bool = False
    steps_per_execution: int = setting(50, ge=1)
    distribution: Literal["none", "mirrored"] = "none"


BOUNDS = ("lower_bounds", "upper_bounds", "tutorial_lower_bounds", "tutorial_upper_bounds")
"""Settings of `EvaluatorConfig` that bound metrics."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class EvaluatorConfig(Section):
    """The model gate.

    Attributes:
        lower_bounds: Metric name -> the least value that is blessed, on any data.
        upper_bounds: Metric name -> the greatest value that is blessed, on any data.
        tutorial_lower_bounds: The same for the tutorial's own examples alone, unless
            `lower_bounds` has the metric: what can be asked of them says nothing of other data.
        tutorial_upper_bounds: As `tutorial_lower_bounds`, of `upper_bounds`.
        baseline_metric: What the candidate and the latest blessed model are compared by; if it is
            not measured, as there are no labels, by `val_loss`.
        baseline_tolerance: How much worse than the baseline is still blessed, as a fraction of
            the baseline's value.
        batch_size: Examples scored at a time.
    """

    section: ClassVar[str] = "evaluator"
    lower_bounds: Mapping[str, float] = dataclasses.field(default_factory=dict)
    upper_bounds: Mapping[str, float] = dataclasses.field(default_factory=dict)
    tutorial_lower_bounds: Mapping[str, float] = dataclasses.field(default_factory=dict)
    tutorial_upper_bounds: Mapping[str, float] = dataclasses.field(default_factory=dict)
    baseline_metric: str = "val_loss"
    baseline_tolerance: float = setting(0.05, ge=0)
    batch_size: int = setting(512, ge=1)

    METRICS: ClassVar[tuple[str, ...]] = ("val_loss", "noisy_mse", "psnr_gain_db")

    def __post_init__(self) -> None:
        super().__post_init__()
        known = f"one of {', '.join(self.METRICS)}"
        metric = self.baseline_metric
        _require(metric in self.METRICS, "evaluator.baseline_metric", metric, known)
        for side in BOUNDS:
            for metric, bound in getattr(self, side).items():
                _require(metric in self.METRICS, f"evaluator.{side}", metric, known)
                # Nothing is below a NaN, so it would turn the gate off.
                name = f"evaluator.{side}.{metric}"
                _require(math.isfinite(bound), name, bound, "a finite number")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ThresholdEvaluatorConfig(EvaluatorConfig):
    """The model gate of a detector.

    Attributes:
        threshold: How the threshold is set from the reconstruction errors of normal examples: those
            that `data.held_out` holds out, else those trained on. "mean_std": mean + `threshold_k`
            x standard deviation (the tutorial's rule with k = 1); "mad": median + `threshold_k` x
            1.4826 x median absolute deviation; "percentile": their `percentile`; "conformal": at
            most `false_alarm_rate` of new normal examples are above it; "pot": the same, by a tail
            that is fitted to the largest errors; "f1": what separates labelled anomalies best.
        threshold_k: Factor of "mean_std" and "mad".
        percentile: Share of the errors that "percentile" leaves below the threshold, in percent.
        false_alarm_rate: Share of normal examples that "conformal" and "pot" allow above it.
        alarm_rate_least: Least share of the eval split's unlabelled examples above the threshold
            that is blessed, if they are presumed normal.
        alarm_rate_most: Greatest such share.
    """

    threshold: Literal["mean_std", "percentile", "mad", "conformal", "pot", "f1"] = "mean_std"
    threshold_k: float = setting(1.0, "-10.0 to 10.0", ge=-10.0, le=10.0)
    percentile: float = setting(95.0, "0 to 100", ge=0.0, le=100.0)
    false_alarm_rate: float = setting(0.05, "0.000001 to 0.5", ge=1e-6, le=0.5)
    alarm_rate_least: float = setting(0.0, "0 to 1", ge=0.0, le=1.0)
    alarm_rate_most: float = setting(0.2, "0 to 1 (off)", ge=0.0, le=1.0)
    baseline_metric: str = "f1"

    METRICS: ClassVar[tuple[str, ...]] = (
        "accuracy",
        "precision",
        "recall",
        "f1",
        "anomaly_recall",
        "roc_auc",
        "pr_auc",
        "val_loss",
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class InfraValidatorConfig(Section):
    """The try-out in a model server before the push.

    Attributes:
        enabled: Whether there is one.
        timeout_seconds: From the start of the server's process to its last answer. The imports
            alone take some ten seconds, more on a busy machine.
        requests: Examples that the server is asked about, one a request.
    """

    section: ClassVar[str] = "infra_validator"
    enabled: bool = True
    timeout_seconds: float = setting(120.0, "above 0, up to a day (86400)", gt=0.0, le=86_400.0)
    requests: int = setting(1, ge=1, le=1000)


@dataclasses.dataclass(frozen=True, kw_only=True)
class PusherConfig(Section):
    """What is served.

    Attributes:
        model_name: Folder of the model under the push directory.
        keep: Versions that stay on disk; 0 keeps all. The newest is never removed.
        warmup_requests: Requests written for the server to warm up with.
    """

    section: ClassVar[str] = "pusher"
    model_name: str = checked(name_rule("model"), functools.partial(is_name, "model"))
    keep: int = setting(5, "0 (all) or more versions, up to 1000000", ge=0)
    warmup_requests: int = setting(4, "1 to 1000 (TensorFlow Serving's limit)", ge=1, le=1000)


CRON_PRESETS = ("none", "@hourly", "@daily", "@weekly", "@monthly", "@quarterly", "@yearly")

BAD_ENDS = ("failed", "data_refused", "not_blessed", "interrupted")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ScheduleConfig(Section):
    """When a scheduler runs the pipeline, and what it does if a run fails.

    Nothing of it changes what a run makes. A local run reads the webhook and `keep_runs` alone.

    Attributes:
        cron: Five fields of cron in UTC, a preset such as `@daily`, or `none`: only when asked.
        retries: Tries more that a task has that crashed, was killed or ran out of time. What a gate
            refused, and a user's mistake, is not tried again.
        retry_delay_seconds: Wait before the first of them; doubled for each that follows, up to an
            hour.
        timeout_minutes: Longest time of one task's try.
        tags: What the scheduler's list of pipelines can be searched by.
        webhook_url: Address that a run which ended badly is posted to, as `run --json` prints it;
            empty for none.
        webhook_on: Which ends are posted.
        keep_runs: Runs of the pipeline that stay when one has ended, as `aepipe runs prune --keep`
            has it; 0 keeps all.
    """

    section: ClassVar[str] = "schedule"
    cron: str = checked(
        f"five fields of cron, such as '15 3 * * *', or one of {', '.join(CRON_PRESETS)}",
        lambda cron: cron in CRON_PRESETS or len(cron.split()) == 5,
        default="@daily",
    )
    retries: int = setting(2, ge=0, le=1000)
    retry_delay_seconds: float = setting(60.0, "above 0, up to an hour (3600)", gt=0.0, le=3600.0)
    timeout_minutes: float = setting(120.0, "above 0, up to a week (10080)", gt=0.0, le=10_080.0)
    tags: tuple[str, ...] = ("aepipe",)
    webhook_url: str = checked(
        "http://… or https://…, or nothing",
        lambda url: url == "" or url.startswith(("http://", "https://")),
        default="",
    )
    webhook_on: tuple[str, ...] = checked(
        f"some of {', '.join(BAD_ENDS)}",
        lambda end: end in BAD_ENDS,
        default=("failed", "data_refused", "not_blessed"),
    )
    keep_runs: int = setting(0, "0 (all) to 1000000 runs", ge=0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Range:
    """Numbers that `aepipe tune` may try for a setting.

    Attributes:
        low: The least, whole if the setting is.
        high: The greatest.
        log: Whether 0.001 to 0.01 is searched as much as 0.01 to 0.1.
    """

    low: float
    high: float
    log: bool = False

    @property
    def ends(self) -> tuple[float, ...]:
        """Its values that decide whether all of them are valid."""
        return (self.low, self.high)


@dataclasses.dataclass(frozen=True)
class Choice:
    """Values that `aepipe tune` may try for a setting."""

    values: tuple[Any, ...]

    @property
    def ends(self) -> tuple[Any, ...]:
        """Its values that decide whether all of them are valid."""
        return self.values


SearchSpace = Mapping[str, Range | Choice]
"""Full name of a setting -> what may be tried for it."""


def _check_search(search: SearchSpace, trainer: TrainerConfig) -> None:
    kinds = {
        f"{trainer.section}.{field.name}": field.type
        for field in dataclasses.fields(trainer)
        if field.name not in trainer.NOT_SEARCHED
    }
    for name, space in search.items():
        key = f"search.{name}"
        if name not in kinds:
            # Every trial trains on what one Transform wrote.
            line = f"{key}: expected one of {', '.join(kinds)}"
            raise SettingError(line, key)
        shown = list(space.values) if isinstance(space, Choice) else dataclasses.asdict(space)
        if isinstance(space, Range):
            _require(kinds[name] in (int, float), key, shown, "a list of values")
            is_range = space.low < space.high and (space.low > 0 or not space.log)
            _require(is_range, key, shown, "low below high, and above 0 if log is true")
        _require(bool(space.ends), key, shown, "one value or more")
        ends: tuple[Any, ...] = space.ends
        for value in ends:
            is_whole = kinds[name] is not int or type(value) is int
            _require(is_whole, key, shown, "whole numbers")
            try:
                dataclasses.replace(trainer, **{name.partition(".")[2]: value})
            except SettingError as error:
                raise SettingError(f"search.{error}", key) from error


Loss = Literal["mse", "mae"]
LOSSES: tuple[str, ...] = get_args(Loss)


@dataclasses.dataclass(frozen=True, kw_only=True)
class PipelineConfig:
    """One pipeline, from its data to its served model.

    Attributes:
        name: What `aepipe run` calls it.
        description: One line for people.
        model: Name of the `keras.Model` subclass in `trainer/models.py`.
        loss: Keras' name of the training loss, also the reconstruction error of one example.
        schema: File of the curated schema in `components/schema/`.
        search: What `aepipe tune` may try, for settings of `trainer`; empty for a pipeline that
            is not tuned. No run depends on it.
    """

    name: str
    description: str
    model: str
    loss: Loss
    schema: str
    data: SignalData | ImageData
    gate: GateConfig = GateConfig()
    transform: TransformConfig = TransformConfig()
    trainer: TrainerConfig = TrainerConfig()
    evaluator: EvaluatorConfig = EvaluatorConfig()
    infra_validator: InfraValidatorConfig = InfraValidatorConfig()
    pusher: PusherConfig
    schedule: ScheduleConfig = ScheduleConfig()
    search: SearchSpace = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        _require(is_name("pipeline", self.name), "name", self.name, name_rule("pipeline"))
        is_line = bool(self.description.strip()) and self.description.isprintable()
        _require(is_line, "description", self.description, "one line of text")
        _require(self.loss in LOSSES, "loss", self.loss, f"one of {', '.join(LOSSES)}")
        if self.promised_rate and not self.data.held_out:
            raise SettingError(
                "evaluator.threshold=conformal takes normal examples that are held out of the "
                "training: --set data.held_out=0.2, or --set evaluator.threshold=percentile",
                "data.held_out",
            )
        if isinstance(self.data, ImageData) and self.data.marks_normal != self.is_detector:
            raise SettingError(self._wrong_normal_classes(), "data.normal")
        _check_search(self.search, self.trainer)

    def _wrong_normal_classes(self) -> str:
        if self.is_detector:
            return (
                f"data.normal: pipeline {self.name} detects anomalies in pictures: name the "
                "classes that are normal, such as data.normal=9"
            )
        return (
            f"data.normal: pipeline {self.name} detects no anomalies: a pipeline of a file with "
            f'base = "anomaly" and feature = "{ImageData.feature}" does'
        )

    @property
    def feature(self) -> str:
        """Raw feature that holds the example, `signal` or `image`."""
        return self.data.feature

    @property
    def is_detector(self) -> bool:
        """Whether the model decides with a threshold, rather than only reconstructs."""
        return isinstance(self.evaluator, ThresholdEvaluatorConfig)

    @property
    def promised_rate(self) -> float:
        """Greatest false-alarm rate that the threshold promises; 0 if it promises none."""
        gate = self.evaluator
        if isinstance(gate, ThresholdEvaluatorConfig) and gate.threshold == "conformal":
            return gate.false_alarm_rate
        return 0.0


class Pipelines(Mapping[str, PipelineConfig]):
    """The pipelines by name: the built-in ones, and those of a user's file if one is in force.

    Args:
        *built_in: In their order.
        by_name: More built-in ones, which take long: `aepipe run all` leaves them out.
    """

    def __init__(self, *built_in: PipelineConfig, by_name: tuple[PipelineConfig, ...] = ()) -> None:
        self.built_in: Mapping[str, PipelineConfig] = MappingProxyType(
            {config.name: config for config in (*built_in, *by_name)}
        )
        self._by_name = frozenset(config.name for config in by_name)
        self._in_force: Mapping[str, PipelineConfig] = self.built_in

    def use(self, configs: Mapping[str, PipelineConfig]) -> None:
        """Puts other pipelines in force for this process, until `use_built_in`."""
        self._in_force = MappingProxyType({**configs})

    def use_built_in(self) -> None:
        """Puts the built-in pipelines alone in force."""
        self._in_force = self.built_in

    @property
    def run_by_all(self) -> tuple[str, ...]:
        """Names of the pipelines that `aepipe run all` runs."""
        return tuple(name for name in self if name not in self._by_name)

    def named(self, name: str) -> PipelineConfig:
        """Returns a pipeline.

        Raises:
            UserInputError: There is none of that name; the message names the nearest.
        """
        if name in self:
            return self[name]
        nearest = difflib.get_close_matches(name, self, n=1)
        hint = f"did you mean {nearest[0]}?" if nearest else f"there is {', '.join(self)}"
        raise UserInputError(
            f"no pipeline {name} ({hint}); one of your own needs its file: --config FILE"
        )

    def __getitem__(self, name: str) -> PipelineConfig:
        return self._in_force[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._in_force)

    def __len__(self) -> int:
        return len(self._in_force)


def section_as_dict(section: Any) -> dict[str, Any]:
    """Returns one section (`config.data`, `config.trainer`, ...) as plain JSON values."""
    values = {field.name: getattr(section, field.name) for field in dataclasses.fields(section)}
    return {key: dict(v) if isinstance(v, Mapping) else v for key, v in values.items()}


_NOT_OF_A_FILE = (
    *("folder", "pattern", "window", "skip_refused", "schema", "sample_rows", "unlabelled"),
    "held_out",
)


def reading_settings(data: SignalData | ImageData) -> str:
    """Returns as JSON what decides how a file is read; `data_from_reading` reads it back.

    Equal settings are equal text, so that TFX's cache sees only real changes.
    """
    values = section_as_dict(data)
    kept = {name: value for name, value in values.items() if name not in _NOT_OF_A_FILE}
    return json.dumps({"feature": data.feature, **kept}, sort_keys=True)


def data_from_reading(text: str) -> SignalData | ImageData:
    """Returns the settings that `reading_settings` wrote.

    Settings that are unknown here are left out: a later version may have written them.

    Raises:
        SettingError: A value is out of its range.
    """
    values = json.loads(text)
    kind: Any = SignalData if values.get("feature") == SignalData.feature else ImageData
    known = {field.name for field in dataclasses.fields(kind)} & values.keys()
    read: SignalData | ImageData = kind(
        **{
            name: tuple(values[name]) if isinstance(values[name], list) else values[name]
            for name in known
        }
    )
    return read


_LEARNING_RATES = Range(low=1e-4, high=1e-2, log=True)

BASIC = PipelineConfig(
    name="basic",
    description="dense autoencoder, Fashion-MNIST",
    model="BasicAutoencoder",
    loss="mse",
    schema="image.pbtxt",
    data=ImageData(),
    trainer=TrainerConfig(epochs=10, batch_size=32),
    evaluator=EvaluatorConfig(tutorial_upper_bounds={"val_loss": 0.02}),
    pusher=PusherConfig(model_name="basic_autoencoder"),
    search={
        "trainer.learning_rate": _LEARNING_RATES,
        "trainer.batch_size": Choice((16, 32, 64, 128)),
    },
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
        tutorial_lower_bounds={"psnr_gain_db": 1.0},
        tutorial_upper_bounds={"val_loss": 0.02},
    ),
    pusher=PusherConfig(model_name="denoising_autoencoder"),
    search={
        "trainer.learning_rate": _LEARNING_RATES,
        "trainer.batch_size": Choice((16, 32, 64, 128)),
    },
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
        # The first three can be had by calling everything normal if anomalies are rare.
        tutorial_lower_bounds={
            "accuracy": 0.85,
            "precision": 0.85,
            "recall": 0.75,
            "anomaly_recall": 0.75,
            "roc_auc": 0.85,
        }
    ),
    pusher=PusherConfig(model_name="ecg_anomaly_detector"),
    search={
        "trainer.learning_rate": _LEARNING_RATES,
        "trainer.batch_size": Choice((16, 32, 64, 128, 256, 512)),
        "trainer.epochs": Range(low=10, high=100, log=True),
    },
)

DETECTOR = PipelineConfig(
    name="detector",
    description="ensemble of autoencoders that detects anomalies in any signals",
    model="SignalAutoencoder",
    loss="mae",
    schema="signal.pbtxt",
    data=SignalData(held_out=0.2),
    transform=TransformConfig(scale="channel"),
    trainer=TrainerConfig(
        epochs=20,
        steps=3000,
        batch_size=64,
        learning_rate=2e-3,
        schedule="cosine",
        normal_only=True,
    ),
    evaluator=ThresholdEvaluatorConfig(
        threshold="conformal",
        # Of 0.005 to 0.05, it separated best within the training part of the tutorial's beats.
        false_alarm_rate=0.03,
        tutorial_lower_bounds=dict(ANOMALY.evaluator.tutorial_lower_bounds),
    ),
    pusher=PusherConfig(model_name="signal_anomaly_detector"),
    search={
        "trainer.learning_rate": Range(low=5e-4, high=1e-2, log=True),
        "trainer.batch_size": Choice((32, 64, 128)),
        "trainer.steps": Range(low=1000, high=6000, log=True),
    },
)

BASIC_PLUS = dataclasses.replace(
    BASIC,
    name="basic_plus",
    description="wide dense autoencoder, Fashion-MNIST",
    model="WideAutoencoder",
    trainer=TrainerConfig(epochs=30, batch_size=128, learning_rate=1e-3, schedule="cosine"),
    pusher=PusherConfig(model_name="basic_plus_autoencoder"),
    search={
        "trainer.learning_rate": _LEARNING_RATES,
        "trainer.batch_size": Choice((32, 64, 128, 256)),
    },
)

DENOISE_PLUS = dataclasses.replace(
    DENOISE,
    name="denoise_plus",
    description="residual convolutional denoiser, Fashion-MNIST with noise",
    model="ResidualDenoiser",
    trainer=TrainerConfig(epochs=20, batch_size=64, learning_rate=2e-3, schedule="cosine"),
    pusher=PusherConfig(model_name="denoise_plus_autoencoder"),
    search={
        "trainer.learning_rate": _LEARNING_RATES,
        "trainer.batch_size": Choice((32, 64, 128, 256)),
    },
)

PIPELINES = Pipelines(BASIC, DENOISE, ANOMALY, DETECTOR, by_name=(BASIC_PLUS, DENOISE_PLUS))
