"""What the rows of a run have in common, and whether a model can learn from them."""

import collections
import functools
import hashlib
import operator
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

from data.formats.rows import Rows
from pipeline_config import UNLABELLED, SignalData, UserInputError


class Variety(NamedTuple):
    """What some rows have in common.

    Attributes:
        rows: How many there are.
        labels: Their labels.
        classes: Rows of each class, by the class's own name; "" without one.
        flat: Whether the samples of each row are all the same number, channel by channel.
        signals: Digests of the rows' samples, no more than two of them.
    """

    rows: int
    labels: frozenset[int]
    classes: Mapping[str, int]
    flat: bool
    signals: frozenset[str]


def variety_of(rows: Rows) -> Variety:
    """Returns what some rows, at least one, have in common."""
    signals = rows.values
    differing = (signals != signals[0]).reshape(len(signals), -1).any(axis=1)
    some = signals[[0, int(differing.argmax())]]
    names, counts = np.unique([] if rows.classes is None else rows.classes, return_counts=True)
    return Variety(
        rows=len(signals),
        labels=frozenset(np.unique(rows.labels).tolist()),
        classes=dict(zip(names.tolist(), counts.tolist(), strict=True)),
        flat=bool((signals == signals[:, :1]).all()),
        signals=frozenset(hashlib.blake2b(row.tobytes()).hexdigest() for row in some),
    )


def joint_variety(parts: Iterable[Variety]) -> Variety:
    """Returns what all rows have in common of which the parts, at least one, are known."""
    rows, labels, classes, flat, signals = zip(*parts, strict=True)
    some = sorted(frozenset().union(*signals))[:2]
    counts: collections.Counter[str] = functools.reduce(
        operator.add, map(collections.Counter, classes)
    )
    return Variety(sum(rows), frozenset().union(*labels), dict(counts), all(flat), frozenset(some))


def require_variety(found: Variety, data: SignalData, pattern: str) -> None:
    """Checks that a model can learn from rows.

    Args:
        found: Of all rows that are read.
        data: What the settings say of them.
        pattern: The files, for messages.

    Raises:
        UserInputError: The labels that there should be are of one class or all empty, or all
            samples are alike.
    """
    if data.is_labelled and found.labels == {UNLABELLED}:
        raise UserInputError(
            f"{pattern}: none of the {found.rows} rows has a label: --set data.label=none"
        )
    if data.is_labelled and len(found.labels) == 1:
        (label,) = found.labels
        raise UserInputError(
            f"{pattern}: every row has the label {label}{_named(found.classes, label)}: "
            "give rows of both classes, 1 (normal) and 0 (abnormal)"
        )
    if found.flat:
        raise UserInputError(
            f"{pattern}: in each of the {found.rows} rows all samples are the same number: "
            "there is nothing to learn from: give the recorded signals"
        )
    if len(found.signals) == 1:
        raise UserInputError(
            f"{pattern}: all {found.rows} rows are the same signal: give the recorded signals"
        )


def _named(classes: Mapping[str, int], label: int) -> str:
    """Returns which classes a label comes from, if that is not its own number."""
    return "" if classes.keys() <= {str(label)} else f" (class {', '.join(sorted(classes))})"
