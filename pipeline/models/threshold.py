"""The threshold of a pushed detector: what it promises, and a new version with another one."""

import dataclasses
import functools
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from components.conformal import conformal_threshold, least_held_out
from components.threshold_evaluator.metrics import THRESHOLD_FREE
from components.threshold_evaluator.outputs import write_with_threshold
from pipeline.models.change_record import user_name
from pipeline.models.pushed_versions import pipeline_of
from pipeline_config import (
    CALIBRATION_SPLIT,
    PIPELINES,
    SettingError,
    ThresholdEvaluatorConfig,
    UserInputError,
)
from serving.push_directory.manifest import read_manifest
from serving.push_directory.model_versions import read_versions, served_version
from serving.push_directory.push import push
from serving.push_directory.rollback import Change, served_now
from serving.push_directory.threshold_change import (
    ThresholdChange,
    run_of,
    write_changed_manifest,
)

_VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"
"""End of a variable's name in the checkpoint of a SavedModel."""


@dataclasses.dataclass(frozen=True)
class PushedThreshold:
    """The threshold of the version that is served by default.

    Attributes:
        folder: The model's folder.
        version: The version.
        value: Its threshold; float32's value.
        origin: How it was set, from the manifest; empty if that does not say so.
        normal_errors: float32 [n], ascending: errors of normal examples; None in a version that
            was pushed before models kept them.
    """

    folder: Path
    version: int
    value: float
    origin: dict[str, Any]
    normal_errors: npt.NDArray[np.float32] | None

    @property
    def directory(self) -> Path:
        """The version's folder."""
        return self.folder / str(self.version)

    def false_alarm_rate(self, threshold: float) -> float | None:
        """Returns the share of normal examples that a threshold is expected to call anomalies.

        It is (1 + #{normal errors > threshold}) / (n + 1), the probability with which a normal
        example that is exchangeable with these n exceeds it, or more; None without errors.
        """
        if self.normal_errors is None:
            return None
        above = np.count_nonzero(self.normal_errors > np.float32(threshold))
        return float((1 + above) / (len(self.normal_errors) + 1))

    def as_dict(self) -> dict[str, Any]:
        """Returns plain JSON values."""
        return {
            "model": self.folder.name,
            "version": self.version,
            "threshold": self.value,
            "threshold_from": self.origin or None,
            "normal_errors": None if self.normal_errors is None else len(self.normal_errors),
            "false_alarm_rate": self.false_alarm_rate(self.value),
        }


def read_threshold(folder: Path) -> PushedThreshold:
    """Returns the threshold of the version that is served by default.

    Raises:
        UserInputError: No version can be served, or the model is no detector.
    """
    directory = read_versions(folder).find(None)
    try:
        checkpoint = tf.train.load_checkpoint(str(directory / "variables" / "variables"))
        names = checkpoint.get_variable_to_shape_map()
        found = {
            name: checkpoint.get_tensor(name + _VALUE)
            for name in ("threshold", "normal_errors")
            if name + _VALUE in names
        }
    except (tf.errors.OpError, ValueError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserInputError(f"{directory}: its variables cannot be read: {reason}") from error
    if "threshold" not in found:
        raise UserInputError(
            f"{folder.name}: version {directory.name} only reconstructs and has no threshold: "
            "name the model of a detector"
        )
    normal = found.get("normal_errors")
    return PushedThreshold(
        folder=folder,
        version=int(directory.name),
        value=float(found["threshold"]),
        origin=read_manifest(directory).get("threshold_from") or {},
        normal_errors=normal if normal is not None and len(normal) else None,
    )


def parse_threshold(text: str) -> float:
    """Returns a threshold that a person gave.

    Raises:
        UserInputError: It is not a number of 0 or more that float32 holds.
    """
    value = _number(text)
    if not 0 <= value <= float(np.finfo(np.float32).max):
        raise UserInputError(f"threshold {text}: expected a reconstruction error, 0 or above")
    return value


def threshold_at_rate(before: PushedThreshold, text: str) -> tuple[float, float]:
    """Returns the conformal threshold at a false-alarm rate that a person gave, and the rate.

    It is that of `evaluator.threshold=conformal`, on the errors that the version holds.

    Raises:
        UserInputError: The rate is out of its range, or the version holds no errors of normal
            examples that were held out of the training, or too few of them.
    """
    rate = _number(text)
    try:
        ThresholdEvaluatorConfig(false_alarm_rate=rate)
    except SettingError as error:
        expected = str(error).partition(": ")[2]
        raise UserInputError(f"false-alarm rate {text}: {expected}") from error
    name, normal = f"{before.folder.name}: version {before.version}", before.normal_errors
    if normal is None or before.origin.get("split") != CALIBRATION_SPLIT:
        raise UserInputError(
            f"{name} holds no errors of normal examples that were held out of the training: "
            "run the pipeline with --set data.held_out=0.2, or set a number"
        )
    if len(normal) < (least := least_held_out(rate)):
        raise UserInputError(
            f"{name} holds the errors of {len(normal):,} held-out normal examples, and a "
            f"false-alarm rate of {rate:g} takes {least:,} or more: ask for a "
            "higher rate, or train with more data or a higher data.held_out"
        )
    return conformal_threshold(normal, rate), rate


def change_threshold(
    before: PushedThreshold, value: float, *, false_alarm_rate: float | None = None
) -> Change:
    """Pushes the served version's weights with another threshold, as a version of its own.

    Args:
        before: From `read_threshold`.
        value: The new threshold.
        false_alarm_rate: The rate that it was computed for, if it was.

    Raises:
        UserInputError: It is the threshold already, another version was pushed meanwhile, or the
            push directory cannot be written to; nothing is pushed.
    """
    new = float(np.float32(value))
    if new == before.value:
        raise UserInputError(
            f"{before.folder.name}: version {before.version} has the threshold {new:.6g} already"
        )
    manifest = read_manifest(before.directory)
    change = ThresholdChange(
        from_version=before.version,
        from_run=run_of(manifest),
        old_threshold=before.value,
        new_threshold=new,
        strategy="manual" if false_alarm_rate is None else "conformal",
        false_alarm_rate=false_alarm_rate,
        user=user_name(),
    )
    metrics = manifest.get("metrics") or {}
    free = {name: metrics[name] for name in metrics if name in THRESHOLD_FREE}
    versions = set(read_versions(before.folder).numbers)
    destination, notices = push(
        before.folder,
        functools.partial(_fill, before, change, free),
        run_id=None,
        keep=_configured_keep(before),
    )
    after = read_versions(before.folder)
    return Change(
        action="threshold",
        from_version=before.version,
        to_version=int(destination.name),
        removed=sorted(versions - set(after.numbers)),
        notices=notices,
        threshold=change,
        **served_now(after),
    )


def _fill(
    before: PushedThreshold,
    change: ThresholdChange,
    metrics: dict[str, Any],
    directory: Path,
    version: int,
) -> None:
    """Writes the new version, with the model's folder locked."""
    now = served_version(before.folder)
    if now != before.version:
        raise UserInputError(
            f"{before.folder.name}: {now} is served by now instead of {before.version}: "
            "run this again"
        )
    write_with_threshold(str(before.directory), str(directory), change.new_threshold)
    # The warm-up requests; they hold inputs alone.
    extra = before.directory / "assets.extra"
    if extra.is_dir():
        shutil.copytree(extra, directory / extra.name)
    write_changed_manifest(directory, version, change, metrics)


def _configured_keep(before: PushedThreshold) -> int:
    """Returns the pipeline's `pusher.keep`; 0, which keeps all, for a model of no pipeline."""
    config = PIPELINES.get(pipeline_of(before.folder, before.version) or "")
    return 0 if config is None else config.pusher.keep


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
