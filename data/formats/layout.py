"""Whether a file's columns are samples and a label in the last, and what to do if they are not.

Training needs the label; scoring takes rows with a label or without one, and can leave columns out.
"""

from collections.abc import Collection, Sequence
from typing import Literal

from data.formats.columns import (
    BINARY_LABELS,
    LABEL_NAMES,
    Column,
    OddColumn,
    holds_classes,
    holds_one_class,
    odd_columns,
    shown,
)
from data.formats.table import Start
from pipeline_config import UserInputError

_GUESSES = {"index": " (an index?)", "label": " (the label?)"}

_TRAINING_REMEDIES = {
    "empty": "take that comma off",
    "index": "write the file without it (pandas: to_csv(..., index=False))",
    "times": "write the file without it",
    "text": "write the file without it",
    "label": "make the label, 1 (normal) or 0 (abnormal), the last column",
}

_Label = OddColumn | Literal["last", "none", "either"]
"""Where the label is: in front, in the last column, nowhere, or in one of the two."""


def require_training_layout(start: Start, length: int, path: str) -> None:
    """Checks the first rows of a file to train on, as far as most of them agree.

    Args:
        start: From `read_start`.
        length: Samples a row that the configuration names; a label of 0 or 1 follows them.
        path: The file, for the message.

    Raises:
        UserInputError: The columns are something else; the message names what was found in them.
    """
    columns = start.columns(start.usual_count)
    if len(columns) > 2 and (fault := _training_fault(columns, length)):
        raise UserInputError(f"{path}: {fault}")


def has_label(
    start: Start, length: int, labels: Collection[float], dropped: Collection[int], path: str
) -> bool:
    """Returns whether the rows of a file to score have a label behind their values.

    Decided once for a file, not by the row: a labelled row that lacks a value has as many cells
    as one without a label.

    Args:
        start: From `read_start`.
        length: Values that the model takes.
        labels: What a label may be, if it is a number.
        dropped: Columns to leave out, from 0.
        path: The file, for the message.

    Raises:
        UserInputError: The columns are something else; the message names what was found in them.
    """
    length_in_file = length + len(set(dropped))
    labelled = start.counts[length_in_file + 1] >= start.counts[length_in_file]
    usual = start.usual_count
    count = usual if usual > length_in_file else length_in_file + labelled
    columns = start.columns(count)
    if not columns:
        return labelled
    if dropped and max(dropped) >= count:
        raise UserInputError(
            f"{path}: --drop-column {max(dropped)}: the file has the columns 0 to {count - 1}"
        )
    kept = [column for column in columns if column.position not in dropped]
    if fault := _scoring_fault(kept, length, labels, chosen=bool(dropped)):
        raise UserInputError(f"{path}: {fault}")
    return labelled


def _training_fault(columns: Sequence[Column], length: int) -> str | None:
    odd = odd_columns(columns)
    samples = len(columns) - len(odd) - 1
    label = _find_label(columns, odd, BINARY_LABELS, is_required=True)
    if label == "either":
        return f"{_either(columns, odd)}: name the columns in a first line, the label's `label`"
    if isinstance(label, OddColumn):
        if not odd and _label_by_name(columns) == label.place:
            return _label_in_wrong_place(columns, label)
        odd = sorted([*odd, label], key=lambda column: column.place)
    expected = f"expected {length + 1} ({length} samples and a label)"
    if odd:
        remedies = list(dict.fromkeys(_TRAINING_REMEDIES[column.kind] for column in odd))
        if label == "none":
            remedies.append(
                "give each row its label, 1 (normal) or 0 (abnormal), as the last value"
            )
        elif samples != length and samples > 1:
            remedies.append(f"set data.length={samples}")
        return f"{_found(columns, odd, expected, length + 1)}: {', then '.join(remedies)}"
    if samples == length or samples < 2:
        return None
    if label == "last":
        return (
            f"each row has {samples} samples and a label, but data.length={length}: "
            f"set data.length={samples}"
        )
    remedy = (
        "add one, 1 (normal) or 0 (abnormal), as the last column"
        if len(columns) == length
        else "make it the label, 1 (normal) or 0 (abnormal), and set data.length to the number of "
        "samples before it"
    )
    return (
        f"each row has {len(columns)} values, {expected}, and the last column, such as "
        f"{shown(columns[-1].cells[0])}, is no label: {remedy}"
    )


def _scoring_fault(
    columns: Sequence[Column], length: int, labels: Collection[float], *, chosen: bool
) -> str | None:
    odd = odd_columns(columns)
    rest = len(columns) - len(odd)
    label: _Label = "none"
    if rest > length:
        label = _find_label(columns, odd, labels, is_required=False)
    elif rest == length:
        label = _find_classes(columns, odd, chosen=chosen)
    takes = f"but the model takes {length}, with or without a label behind them"
    if label == "either":
        return f"{_either(columns, odd)}: {_drop(columns, _ends(columns, odd), ' or ')}"
    if isinstance(label, OddColumn):
        odd = sorted([*odd, label], key=lambda column: column.place)
        rest -= 1
        if odd == [label] and rest == length and _label_by_name(columns) == label.place:
            wrong_place = _label_in_wrong_place(columns, label)
            return f"{wrong_place} or leave it out, {_drop(columns, [label.place])}"
    if odd:
        drop = _drop(columns, [column.place for column in odd])
        fault = f"{_found(columns, odd, takes, length + 1)}: {drop}"
        if length <= rest <= length + 1:
            return fault
        return f"{fault} leaves {rest} values, which are not what this model takes"
    if rest > length + 1:
        return (
            f"each row has {rest} values, {takes}: name the model that goes "
            "with this file, or leave columns out with --drop-column N, counted from 0"
        )
    if rest == length + 1 and label == "none":
        last = len(columns) - 1
        named = ", ".join(f"{value:g}" for value in sorted(labels))
        return (
            f"each row has {rest} values, one more than the model takes, but "
            f"{_name(columns, last)} is no label ({named} or text): it holds "
            f"{columns[last].distinct}: leave the column that is no sample out with "
            "--drop-column N, counted from 0"
        )
    return None


def _find_label(
    columns: Sequence[Column],
    odd: Sequence[OddColumn],
    labels: Collection[float],
    *,
    is_required: bool,
) -> _Label:
    if named := _named_label(columns):
        return "last" if named.place == _ends(columns, odd)[1] else named
    first, last = _ends(columns, odd)
    if columns[last].is_text:
        return "last"
    in_front = (
        (columns[first].holds_labels(labels) or holds_classes(columns, first))
        and first < last
        and columns[first].values != columns[first + 1].values
    )
    in_last = columns[last].holds_labels(labels, spared=1)
    if not in_front:
        return "last" if in_last else "none"
    in_front_column = OddColumn(first, "label", f"holds {columns[first].distinct}")
    if not in_last:
        return in_front_column
    varied = [len(set(columns[place].values)) > 1 for place in (first, last)]
    # Training needs two classes, so a constant column is not its label.
    if varied == [False, True] or (is_required and not varied[0]):
        return "last"
    # Padding, and the rim of an image, are as the column beside them.
    if varied == [True, False] or columns[last].values == columns[last - 1].values:
        return in_front_column
    whole = [all(cell.isdigit() for cell in columns[place].cells) for place in (first, last)]
    if whole[0] != whole[1]:
        return in_front_column if whole[0] else "last"
    return "either"


def _find_classes(columns: Sequence[Column], odd: Sequence[OddColumn], *, chosen: bool) -> _Label:
    """Returns the column of labels among as many values as a model takes without a label."""
    first, last = _ends(columns, odd)
    if columns[0].name is None and last - first > 1:
        for place, beside in ((first, first + 1), (last, last - 1)):
            if holds_one_class(columns, place, beside):
                unnamed = "no name in a first line makes it a sample"
                return OddColumn(place, "label", f"holds {columns[place].distinct}, and {unnamed}")
    if chosen:
        return "none"
    if named := _named_label(columns):
        return named
    for place in (first, last):
        if holds_classes(columns, place):
            return OddColumn(place, "label", f"holds {columns[place].distinct}")
    return "none"


def _ends(columns: Sequence[Column], odd: Sequence[OddColumn]) -> tuple[int, int]:
    """Returns the first and the last column that are not odd."""
    places = {column.place for column in odd}
    rest = [place for place in range(len(columns)) if place not in places]
    return (rest[0], rest[-1]) if rest else (0, len(columns) - 1)


def _label_by_name(columns: Sequence[Column]) -> int | None:
    """Returns the one column whose name is that of a label."""
    found = [place for place, column in enumerate(columns) if column.name in LABEL_NAMES]
    return found[0] if len(found) == 1 else None


def _named_label(columns: Sequence[Column]) -> OddColumn | None:
    place = _label_by_name(columns)
    if place is None:
        return None
    return OddColumn(place, "label", f"is named {shown(columns[place].name or '')}")


def _found(columns: Sequence[Column], odd: Sequence[OddColumn], expected: str, count: int) -> str:
    found = ", ".join(
        f"{_name(columns, column.place)} {column.found}{_GUESSES.get(column.kind, '')}"
        for column in odd
    )
    if len(columns) == count:
        return f"each row has {count} values, but {found}"
    return f"each row has {len(columns)} values, {expected}: {found}"


def _label_in_wrong_place(columns: Sequence[Column], label: OddColumn) -> str:
    return f"the label is column {columns[label.place].position + 1}: make it the last column"


def _either(columns: Sequence[Column], odd: Sequence[OddColumn]) -> str:
    first, last = _ends(columns, odd)
    return (
        f"{_name(columns, first)} holds {columns[first].distinct} and {_name(columns, last)} "
        f"{columns[last].distinct}: either may be the label"
    )


def _drop(columns: Sequence[Column], places: Collection[int], joint: str = " ") -> str:
    return joint.join(f"--drop-column {columns[place].position}" for place in places)


def _name(columns: Sequence[Column], place: int) -> str:
    position = columns[place].position
    if position == 0:
        return "the first column"
    if place == len(columns) - 1 and place > 0:
        return f"the last column ({position + 1})"
    return f"column {position + 1}"
