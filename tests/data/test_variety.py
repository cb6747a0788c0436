"""Whether a model can learn from rows, whatever file they were read from."""

import numpy as np
import pytest

from data.formats.labels import LabelRule
from data.formats.rows import Rows
from data.variety import joint_variety, require_variety, variety_of
from pipeline_config import SignalData, UserInputError

RAMPS = np.arange(24, dtype=np.float32).reshape(4, 3, 2)


def rows_of(classes: list[str], values: np.ndarray = RAMPS) -> Rows:
    names = np.array(classes, np.str_)
    labels = LabelRule.of(["1"]).labels_of(names)
    return Rows(np.arange(1, len(names) + 1), values[: len(names)], labels, names)


def judged(parts: list[Rows], data: SignalData) -> None:
    require_variety(joint_variety([variety_of(rows) for rows in parts]), data, "a.csv")


@pytest.mark.parametrize(
    ("classes", "values", "data", "fault"),
    [
        (["1", "1"], RAMPS, {}, "every row has the label 1: give rows of both classes"),
        (["V", "A"], RAMPS, {}, r"every row has the label 0 \(class A, V\): give rows of both"),
        (["", ""], RAMPS, {}, "none of the 4 rows has a label: --set data.label=none"),
        (["1", "0"], RAMPS[:, :1].repeat(3, axis=1), {}, "in each of the 4 rows all samples are"),
        (["1", "0"], RAMPS[:1].repeat(4, axis=0), {}, "all 4 rows are the same signal"),
        (["", ""], RAMPS[:1].repeat(4, axis=0), {"label": "none"}, "all 4 rows are the same"),
    ],
)
def test_rows_that_are_alike_are_refused(classes, values, data, fault):
    with pytest.raises(UserInputError, match=rf"^a\.csv: {fault}"):
        judged([rows_of(classes, values), rows_of(classes, values)], SignalData(**data))


@pytest.mark.parametrize(
    ("classes", "data"),
    [
        ([["1", "1"], ["0"]], {}),
        ([["1", ""], [""]], {}),
        ([["", ""]], {"label": "none"}),
    ],
)
def test_both_classes_are_needed_only_where_every_row_has_a_label(classes, data):
    judged([rows_of(names) for names in classes], SignalData(**data))
