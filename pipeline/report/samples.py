"""A few eval examples and what the judged model makes of them."""

import dataclasses

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
from tensorflow_transform.saved.saved_transform_io_v2 import SavedModelLoader

from components.raw_examples import raw_values, records
from pipeline.report.findings import Findings
from pipeline_config import NOISY_FEATURE

CANDIDATES = 10_000
"""Samples are chosen among the first examples of the split, so that a big one costs no more."""

WHITE = 255.0

_EXPLAINED = ("contribution", "p_value")


@dataclasses.dataclass(frozen=True)
class Samples:
    """Examples in the units of the raw data.

    Attributes:
        original: float32 [n, *shape]; images in 0..255.
        noisy: float32 [n, *shape], what a denoising model was given; None without noise.
        reconstruction: float32 [n, *shape] by `serving_default`; images in 0..1.
        error: float32 [n]; the evaluator's, against the original.
        label: int16 [n].
        is_anomaly: bool [n], the model's own verdict; None for a model that only reconstructs.
        contribution: float32 [n, *shape], shares of the error; None if the model returns none.
        p_value: float32 [n], how rare the error is among normal ones; None likewise.
    """

    original: np.ndarray
    noisy: np.ndarray | None
    reconstruction: np.ndarray
    error: np.ndarray
    label: np.ndarray
    is_anomaly: np.ndarray | None
    contribution: np.ndarray | None = None
    p_value: np.ndarray | None = None


def read_samples(findings: Findings, count: int) -> Samples | None:
    """Chooses about `count` eval examples and gives them to the judged model.

    Returns:
        Samples ordered by label, the greatest first for a detector (normal, abnormal, unlabelled),
        and within a label by error; None if the run has no judged model or no examples.
    """
    if findings.model is None or not findings.examples or not findings.errors:
        return None
    config = findings.judged
    error = findings.errors["eval_error"][:CANDIDATES]
    label = findings.errors["eval_label"][:CANDIDATES]
    if not len(error):
        return None
    chosen = choose(error, label, count)
    if config.is_detector:
        chosen = sorted(chosen, key=lambda index: -label[index])
    examples = _records(findings, chosen)
    values = [raw_values(example, config.feature) for example in examples]
    original = np.stack(values).reshape(-1, *config.shape)
    noisy = _noisy(examples, findings)
    # Kept: a signature holds its model's variables by weak reference only.
    model = tf.saved_model.load(str(findings.model))
    given = tf.constant(original if noisy is None else noisy)
    outputs = model.signatures["serving_default"](**{config.feature: given})
    explained = {name: outputs[name].numpy() for name in _EXPLAINED if name in outputs}
    return Samples(
        original=original,
        noisy=noisy,
        reconstruction=outputs["reconstruction"].numpy(),
        error=error[chosen],
        label=label[chosen],
        is_anomaly=outputs["is_anomaly"].numpy() if "is_anomaly" in outputs else None,
        **explained,
    )


def choose(error: np.ndarray, label: np.ndarray, count: int) -> list[int]:
    """Returns indices of examples that are typical of their label.

    They are spread over the quantiles of the label's errors: one is the median, three are the
    5th percentile, the median and the 95th.

    Args:
        error: [N].
        label: [N].
        count: How many, split evenly over the labels; at least one a label, at most `count`
            labels.
    """
    labels = np.unique(label)[:count]
    each = count // len(labels)
    orders = np.array([0.5]) if each == 1 else np.linspace(0.05, 0.95, each)
    chosen: list[int] = []
    for value in labels:
        indices = np.flatnonzero(label == value)
        ordered = indices[np.argsort(error[indices], kind="stable")]
        chosen += [int(i) for i in dict.fromkeys(ordered[(orders * len(ordered)).astype(int)])]
    return chosen


def _records(findings: Findings, chosen: list[int]) -> list[bytes]:
    wanted = tf.constant(chosen, tf.int64)
    found = (
        records([str(path) for path in findings.examples])
        .take(CANDIDATES)
        .enumerate()
        .filter(lambda index, _: tf.reduce_any(wanted == index))
    )
    by_index = {int(index): record.numpy() for index, record in found}
    return [by_index[index] for index in chosen]


def _noisy(examples: list[bytes], findings: Findings) -> np.ndarray | None:
    """Returns the noisy examples as raw images.

    An example's noise depends on its `example_id` alone, so Transform's graph gives what it gave
    in training, without a search through the transformed examples.
    """
    if findings.judged.noise == 0 or findings.transform_graph is None:
        return None
    transform = tft.TFTransformOutput(str(findings.transform_graph))
    raw = tf.io.parse_example(examples, transform.raw_feature_spec())
    loader = SavedModelLoader(transform.transform_savedmodel_dir)
    noisy: np.ndarray = loader.apply_transform_model(raw)[NOISY_FEATURE].numpy() * WHITE
    return noisy
