"""Whether rows differ enough to learn from and to judge by, over blocks of rows."""

import dataclasses
import hashlib
from collections.abc import Iterable

import apache_beam as beam
import numpy as np

from data.formats.rows import Block
from pipeline_config import UserInputError


@dataclasses.dataclass(frozen=True)
class _Variety:
    """What some rows have in common.

    Attributes:
        rows: How many there are.
        labels: Their labels.
        flat: Whether the samples of each row are all the same number.
        signals: Digests of the rows' samples, no more than two of them.
    """

    rows: int
    labels: frozenset[int]
    flat: bool
    signals: frozenset[str]


class RequireVariety(beam.PTransform):
    """Blocks of rows -> an error, once all are read, if nothing can be learnt from them.

    Args:
        source: The files, for the message.

    Raises (when the Beam pipeline runs):
        UserInputError: All rows are of one class, all rows are the same signal, or every row is
            one number over and over.
    """

    def __init__(self, source: str) -> None:
        super().__init__()
        self._source = source

    def expand(self, blocks: beam.pvalue.PCollection[Block]) -> beam.pvalue.PCollection[None]:
        """Returns an empty element for each check that passed."""
        return (
            blocks
            | "VarietyOfBlock" >> beam.Map(_variety)
            | "Variety" >> beam.CombineGlobally(_together).without_defaults()
            | "Require" >> beam.Map(_require, self._source)
        )


def _variety(block: Block) -> _Variety:
    signals = block.rows.values
    same = bool((signals == signals[:1]).all())
    some = signals[:1] if same else signals[[0, int((signals != signals[0]).any(axis=1).argmax())]]
    return _Variety(
        rows=len(signals),
        labels=frozenset(int(label) for label in np.unique(block.rows.labels)),
        flat=bool((signals == signals[:, :1]).all()),
        signals=frozenset(hashlib.blake2b(row.tobytes()).hexdigest() for row in some),
    )


def _together(parts: Iterable[_Variety]) -> _Variety:
    rows, labels, flat, signals = 0, frozenset[int](), True, frozenset[str]()
    for part in parts:
        rows += part.rows
        labels |= part.labels
        flat &= part.flat
        signals = frozenset(sorted(signals | part.signals)[:2])
    return _Variety(rows, labels, flat, signals)


def _require(found: _Variety, source: str) -> None:
    if len(found.labels) == 1:
        (label,) = found.labels
        raise UserInputError(
            f"{source}: every row has the label {label}: "
            "give rows of both classes, 1 (normal) and 0 (abnormal)"
        )
    if found.flat:
        raise UserInputError(
            f"{source}: in each of the {found.rows} rows all samples are the same number: "
            "there is nothing to learn from: give the recorded signals"
        )
    if len(found.signals) == 1:
        raise UserInputError(
            f"{source}: all {found.rows} rows are the same signal: give the recorded signals"
        )
