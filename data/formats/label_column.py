"""The label among the values of each row, if these have a type already and need no parsing."""

import shlex
from collections.abc import Sequence

from data.formats.class_columns import holds_classes, may_be_classes
from data.formats.columns import LABEL_NAMES, Column
from data.formats.labels import is_class
from data.formats.samples import shape_fault
from pipeline_config import SignalData


def label_column_fault(columns: Sequence[Column], data: SignalData) -> str | None:
    """Returns what is wrong with rows of one value a column, as the end of a sentence.

    Args:
        columns: All of the first rows, samples and label; with their names as they are.
        data: What is configured; its label is first, last or none.

    Returns:
        Such as "the last value of each row is no class (0.1, 0.2): --set data.label=none"; None if
        there are as many columns as configured and the label may be one.
    """
    width, last = len(columns), len(columns) - 1
    first_or_last = {"first": 0, "last": last}
    likely = [end for end, place in first_or_last.items() if holds_classes(columns, place)]
    if not data.is_labelled:
        if width == data.length + 1 and likely:
            label = likely[-1]
            held = columns[first_or_last[label]].distinct
            return (
                f"each row has {width} values, one more than data.length={data.length}, and the "
                f"{label} one holds {held}: --set data.label={label}"
            )
        return shape_fault((width,), data, scoring=False)
    place, without = first_or_last[data.label], f"--set data.label=none{_length(width, data)}"
    named = [column for column in columns if (column.name or "").lower() in LABEL_NAMES]
    if len(named) == 1 and named[0] is not columns[place]:
        name = named[0].name
        return (
            f"data.label={data.label}, but another column is named {name!r}: "
            f"--set {shlex.quote(f'data.label={name}')}{_length(width - 1, data)}"
        )
    if width == data.length + 1 and all(map(is_class, columns[place].cells)):
        return None
    if may_be_classes(columns, place) and (width != data.length or data.label in likely):
        return (
            f"each row has {width - 1} samples and a label ({data.label}), but data.length="
            f"{data.length}: --set data.length={width - 1}, or, if it is no label, {without}"
        )
    fault = f"the {data.label} value of each row is no class ({columns[place].first_cells})"
    if likely:
        held = columns[first_or_last[likely[0]]].distinct
        return (
            f"{fault}, but the {likely[0]} one holds {held}: --set data.label={likely[0]}"
            f"{_length(width - 1, data)}"
        )
    return f"{fault}: {without}"


def _length(length: int, data: SignalData) -> str:
    return "" if length == data.length else f" --set data.length={length}"
