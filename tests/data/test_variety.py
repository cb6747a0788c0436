"""Whether a model can learn from rows, whatever file they were read from."""

from collections.abc import Sequence

import numpy as np
import pytest

from data.formats.labels import LabelRule
from data.formats.rows import Rows
from data.variety import joint_variety, require_variety, variety_of
from pipeline_config import SignalData, UserInputError

RAMPS = np.arange(24, dtype=np.float32).reshape(4, 3, 2)


def rows_of(classes: list[str], values: np.ndarray = RAMPS, normal: Sequence[str] = ("1",)) -> Rows:
    names = np.array(classes, np.str_)
    labels = LabelRule.of(normal).labels_of(names)
    return Rows(np.arange(1, len(names) + 1), values[: len(names)], labels, names)


def judged(parts: list[Rows], data: SignalData) -> None:
    require_variety(joint_variety([variety_of(rows) for rows in parts]), data, "a.csv")


@pytest.mark.parametrize(
    ("classes", "values", "data", "fault"),
    [
        (["1", "1"], RAMPS, {}, "every row has the label 1: give rows of both classes"),
        (["N", "N"], RAMPS, {"normal": ("N",)}, r"every row has the label 1 \(class N\): give"),
        (
            ["V", "A", "V"],
            RAMPS,
            {},
            r"no row is of a normal class \(data\.normal=1\); the classes are V \(4 rows\), A "
            r"\(2 rows\): --set data\.normal=V$",
        ),
        (
            ["0", "0", "2"],
            RAMPS,
            {"normal": ("7", "8")},
            r"no row is of .* \(data\.normal=7,8\); .* 0 \(4 rows\), .*: --set data\.normal=0$",
        ),
        (["", ""], RAMPS, {}, "none of the 4 rows has a label: --set data.label=none"),
        (["1", "0"], RAMPS[:, :1].repeat(3, axis=1), {}, "in each of the 4 rows all samples are"),
        (["1", "0"], RAMPS[:1].repeat(4, axis=0), {}, "all 4 rows are the same signal"),
        (["", ""], RAMPS[:1].repeat(4, axis=0), {"label": "none"}, "all 4 rows are the same"),
    ],
)
def test_rows_that_are_alike_are_refused(classes, values, data, fault):
    rows = rows_of(classes, values, SignalData(**data).normal)
    with pytest.raises(UserInputError, match=rf"^a\.csv: {fault}"):
        judged([rows, rows], SignalData(**data))


@pytest.mark.parametrize(
    ("classes", "data"),
    [
        ([["1", "1"], ["0"]], {}),
        ([["1", ""], [""]], {}),
        ([["V", ""], [""]], {}),
        ([["", ""]], {"label": "none"}),
    ],
)
def test_both_classes_are_needed_only_where_every_row_has_a_label(classes, data):
    judged([rows_of(names) for names in classes], SignalData(**data))
