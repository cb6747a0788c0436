"""Whether a table's columns are samples and a label in the last, and what to do if they are not.

Training needs the label; scoring takes rows with a label or without one, and can leave columns out.
"""

from collections.abc import Collection, Sequence
from typing import Literal

from data.formats.columns import (
    BINARY_LABELS,
    ColumnKind,
    OddColumn,
    holds_classes,
    holds_labels,
    holds_one_class,
    is_text,
    odd_columns,
    values_in,
)
from data.formats.table import Start, Table, label_column, shown
from pipeline_config import UserInputError

_GUESSES = {ColumnKind.INDEX: " (an index?)", ColumnKind.LABEL: " (the label?)"}

_TRAINING_REMEDIES = {
    ColumnKind.EMPTY: "take that comma off",
    ColumnKind.INDEX: "write the file without it (pandas: to_csv(..., index=False))",
    ColumnKind.TIME: "write the file without it",
    ColumnKind.TEXT: "write the file without it",
    ColumnKind.LABEL: "make the label, 1 (normal) or 0 (abnormal), the last column",
}


def require_training_layout(start: Start, length: int, path: str) -> None:
    """Checks the first rows of a file to train on, as far as most of them agree.

    Args:
        start: From `read_start`.
        length: Samples a row that the configuration names; a label of 0 or 1 follows them.
        path: The file, for the message.

    Raises:
        UserInputError: The columns are something else; the message names what was found in them.
    """
    columns = _usual_columns(start)
    table = start.table(columns) if columns > 2 else None
    if table is None:
        return
    fault = _training_fault(table, length)
    if fault:
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
    usual = _usual_columns(start)
    columns = usual if usual > length_in_file else length_in_file + labelled
    whole = start.table(columns)
    if whole is None:
        return labelled
    if dropped and max(dropped) >= columns:
        raise UserInputError(
            f"{path}: --drop-column {max(dropped)}: the file has the columns 0 to {columns - 1}"
        )
    fault = _scoring_fault(whole.without(dropped), length, labels, chosen=bool(dropped))
    if fault:
        raise UserInputError(f"{path}: {fault}")
    return labelled


def _usual_columns(start: Start) -> int:
    """Returns the number of cells that more than half of the rows have; 0 if there is none."""
    for columns, rows in start.counts.most_common(1):
        if 2 * rows > start.counts.total():
            return columns
    return 0


def _training_fault(table: Table, length: int) -> str | None:
    odd = odd_columns(table)
    samples = table.columns - len(odd) - 1
    label = _label_place(table, odd, BINARY_LABELS, label_required=True)
    first, last = _ends(table, odd)
    if label == "either":
        return (
            f"{_either(table, first, last)}: name the columns in a first line, the label's `label`"
        )
    if isinstance(label, OddColumn):
        if not odd and _names_label(table) == label.place:
            return _label_named(table, label)
        odd = sorted([*odd, label], key=lambda column: column.place)
    if odd:
        remedies = list(dict.fromkeys(_TRAINING_REMEDIES[column.kind] for column in odd))
        if label == "none":
            remedies.append(
                "give each row its label, 1 (normal) or 0 (abnormal), as the last value"
            )
        elif samples != length and samples > 1:
            remedies.append(f"set data.length={samples}")
        found = _found(
            table, odd, f"expected {length + 1} ({length} samples and a label)", length + 1
        )
        return f"{found}: {', then '.join(remedies)}"
    if samples == length or samples < 2:
        return None
    if label == "last":
        return (
            f"each row has {samples} samples and a label, but data.length={length}: "
            f"set data.length={samples}"
        )
    example = shown(table.cells(last)[0])
    if table.columns == length:
        return (
            f"each row has {length} values, expected {length + 1} ({length} samples and a label), "
            f"and the last column, such as {example}, is no label: add one, 1 (normal) or "
            "0 (abnormal), as the last column"
        )
    return (
        f"each row has {table.columns} values, expected {length + 1} ({length} samples and a "
        f"label), and the last column, such as {example}, is no label: make it the label, "
        "1 (normal) or 0 (abnormal), and set data.length to the number of samples before it"
    )


def _scoring_fault(
    table: Table, length: int, labels: Collection[float], *, chosen: bool
) -> str | None:
    odd = odd_columns(table)
    rest = table.columns - len(odd)
    label: _Label = "none"
    if rest > length:
        label = _label_place(table, odd, labels, label_required=False)
    elif rest == length:
        label = _classes_in(table, odd, chosen=chosen)
    takes = f"but the model takes {length}, with or without a label behind them"
    first, last = _ends(table, odd)
    if label == "either":
        drop = " or ".join(f"--drop-column {table.positions[place]}" for place in (first, last))
        return f"{_either(table, first, last)}: {drop}"
    if isinstance(label, OddColumn):
        odd = sorted([*odd, label], key=lambda column: column.place)
        rest -= 1
        if odd == [label] and rest == length and _names_label(table) == label.place:
            drop = f"--drop-column {table.positions[label.place]}"
            return f"{_label_named(table, label)} or leave it out, {drop}"
    if odd:
        drop = " ".join(f"--drop-column {table.positions[column.place]}" for column in odd)
        fault = f"{_found(table, odd, takes, length + 1)}: {drop}"
        if length <= rest <= length + 1:
            return fault
        return f"{fault} leaves {rest} values, which are not what this model takes"
    if rest > length + 1:
        return (
            f"each row has {rest} values, {takes}: name the model that goes "
            "with this file, or leave columns out with --drop-column N, counted from 0"
        )
    if rest == length + 1 and label == "none":
        named = ", ".join(f"{value:g}" for value in sorted(labels))
        return (
            f"each row has {rest} values, one more than the model takes, but {_name(table, last)} "
            f"is no label ({named} or text): it holds {values_in(table, last)}: leave the column "
            "that is no sample out with --drop-column N, counted from 0"
        )
    return None


_Label = OddColumn | Literal["last", "none", "either"]
"""Where the label is: in front, in the last column, nowhere, or in one of the two."""


def _label_place(
    table: Table, odd: Sequence[OddColumn], labels: Collection[float], *, label_required: bool
) -> _Label:
    first, last = _ends(table, odd)
    named = _names_label(table)
    if named is not None:
        found = f"is named {shown(table.name(named) or '')}"
        return "last" if named == last else OddColumn(named, ColumnKind.LABEL, found)
    if is_text(table, last):
        return "last"
    in_front = holds_labels(table, first, labels) or holds_classes(table, first)
    in_front = in_front and first < last and not _same(table, first, first + 1)
    in_last = holds_labels(table, last, labels, spared=1)
    if not in_front:
        return "last" if in_last else "none"
    in_front_column = OddColumn(first, ColumnKind.LABEL, f"holds {values_in(table, first)}")
    if not in_last:
        return in_front_column
    varied = [len(set(table.values(place))) > 1 for place in (first, last)]
    # Training needs two classes, so a constant column is not its label.
    if varied == [False, True] or (label_required and not varied[0]):
        return "last"
    if varied == [True, False] or _same(table, last, last - 1):
        return in_front_column
    whole = [all(cell.isdigit() for cell in table.cells(place)) for place in (first, last)]
    if whole[0] != whole[1]:
        return in_front_column if whole[0] else "last"
    return "either"


def _classes_in(table: Table, odd: Sequence[OddColumn], *, chosen: bool) -> _Label:
    """Returns the column of labels among as many values as a model takes without a label."""
    first, last = _ends(table, odd)
    if table.names is None and last - first > 1:
        for place, beside in ((first, first + 1), (last, last - 1)):
            if holds_one_class(table, place, beside):
                unnamed = "no name in a first line makes it a sample"
                found = f"holds {values_in(table, place)}, and {unnamed}"
                return OddColumn(place, ColumnKind.LABEL, found)
    if chosen:
        return "none"
    named = _names_label(table)
    if named is not None:
        return OddColumn(named, ColumnKind.LABEL, f"is named {shown(table.name(named) or '')}")
    for place in (first, last):
        if holds_classes(table, place):
            return OddColumn(place, ColumnKind.LABEL, f"holds {values_in(table, place)}")
    return "none"


def _ends(table: Table, odd: Sequence[OddColumn]) -> tuple[int, int]:
    """Returns the first and the last column that are not odd."""
    places = {column.place for column in odd}
    rest = [place for place in range(table.columns) if place not in places]
    return (rest[0], rest[-1]) if rest else (0, table.columns - 1)


def _same(table: Table, place: int, beside: int) -> bool:
    """Padding, and the rim of an image, are as the column beside them."""
    return table.values(place) == table.values(beside)


def _found(table: Table, odd: Sequence[OddColumn], expected: str, columns: int) -> str:
    found = ", ".join(
        f"{_name(table, column.place)} {column.found}{_GUESSES.get(column.kind, '')}"
        for column in odd
    )
    if table.columns == columns:
        return f"each row has {columns} values, but {found}"
    return f"each row has {table.columns} values, {expected}: {found}"


def _names_label(table: Table) -> int | None:
    return label_column(table.names or ())


def _label_named(table: Table, label: OddColumn) -> str:
    return f"the label is column {table.positions[label.place] + 1}: make it the last column"


def _either(table: Table, first: int, last: int) -> str:
    return (
        f"{_name(table, first)} holds {values_in(table, first)} and {_name(table, last)} "
        f"{values_in(table, last)}: either may be the label"
    )


def _name(table: Table, place: int) -> str:
    position = table.positions[place]
    if position == 0:
        return "the first column"
    if place == table.columns - 1 and place > 0:
        return f"the last column ({position + 1})"
    return f"column {position + 1}"
