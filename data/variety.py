"""What the rows of a run have in common, and whether a model can learn from them."""

import collections
import functools
import hashlib
import operator
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

from data.formats.labels import no_normal_fault
from data.formats.rows import Rows
from pipeline_config import NORMAL_LABEL, UNLABELLED, SignalData, UserInputError


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
        UserInputError: The labels that there should be are all normal, all abnormal or all empty,
            or all samples are alike.
    """
    if data.is_labelled and found.labels == {UNLABELLED}:
        raise UserInputError(
            f"{pattern}: none of the {found.rows} rows has a label: --set data.label=none"
        )
    if data.is_labelled and (fault := _class_fault(found, data)):
        raise UserInputError(f"{pattern}: {fault}")
    if found.flat:
        raise UserInputError(
            f"{pattern}: in each of the {found.rows} rows all samples are the same number: "
            "there is nothing to learn from: give the recorded signals"
        )
    if len(found.signals) == 1:
        raise UserInputError(
            f"{pattern}: all {found.rows} rows are the same signal: give the recorded signals"
        )


def _class_fault(found: Variety, data: SignalData) -> str | None:
    classes = {name: rows for name, rows in found.classes.items() if name}
    if NORMAL_LABEL not in found.labels and found.classes.get("", 0) < sum(classes.values()):
        return no_normal_fault(classes, data.normal)
    if found.labels != {NORMAL_LABEL}:
        return None
    named = "" if classes.keys() == {"1"} else f" (class {', '.join(sorted(classes))})"
    return (
        f"every row has the label 1{named}: give rows of both classes, 1 (normal) and 0 "
        "(abnormal), or train without labels: --set data.label=none"
    )
