"""One batch through the model: what it found, and the rows that it cannot judge."""

from typing import NamedTuple

import numpy as np

from data.formats.csv_rows import values_as_text
from data.formats.rows import Rejected, Rows
from pipeline.scoring.served_model import ERROR, Outputs, ServedModel


class Scored(NamedTuple):
    """A batch with its outputs, in the same order, and the rows that were left out."""

    rows: Rows
    outputs: Outputs
    rejected: list[Rejected]


def score(model: ServedModel, rows: Rows) -> Scored:
    """Scores rows in one call of the model."""
    return without_unscorable(rows, model.score(rows.values))


def without_unscorable(rows: Rows, outputs: Outputs) -> Scored:
    """Takes out the rows whose error is no finite number.

    Values near float32's limit overflow within a model, and an error that is not a number is
    above no threshold: such a row would pass as normal.
    """
    finite = np.isfinite(outputs[ERROR])
    if finite.all():
        return Scored(rows, outputs, [])
    bad = rows[~finite]
    reason = "the model's error is not a finite number: the values are too large for it"
    rejected = [
        Rejected(int(number), reason, values_as_text(values))
        for number, values in zip(bad.numbers, bad.values, strict=True)
    ]
    kept = {name: output[finite] for name, output in outputs.items()}
    return Scored(rows[finite], kept, rejected)
