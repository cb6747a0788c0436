"""Whether a text file to score has a label, and what to leave out if its columns are no samples."""

from collections.abc import Collection, Sequence

from data.formats.chosen_columns import ChosenColumns, columns_named, place_of
from data.formats.columns import Column
from data.formats.layout import (
    LabelPlace,
    describe,
    describe_either,
    ends,
    find_classes,
    find_label,
    name_of,
    named_label,
)
from data.formats.odd_columns import OddColumn, odd_columns
from data.formats.table import Start
from pipeline_config import SignalData, UserInputError


def scoring_columns(
    start: Start,
    length: int,
    labels: Collection[float],
    dropped: Collection[int],
    path: str,
    data: SignalData | None = None,
) -> ChosenColumns:
    """Returns the place of the label that is passed over, and the columns that are left out.

    Decided once for a file, not by the row: a labelled row that lacks a value has as many cells
    as one without a label. What the model was trained on scores without further options, and so
    do its samples without the label, or alone.

    Args:
        start: From `read_start`.
        length: Values that the model takes.
        labels: What a label is likely to be, if it is a number.
        dropped: Columns that the user leaves out, from 0; they go before `data.drop`.
        path: The file, for the message.
        data: How the files were read that the model was trained on; by default a label is last.

    Raises:
        UserInputError: The columns are something else; the message names what was found in them.
    """
    count, chosen = _choose(start, length, tuple(sorted(set(dropped))), data)
    columns = start.columns(count)
    if not columns:
        return chosen
    if dropped and max(dropped) >= count:
        raise UserInputError(
            f"{path}: --drop-column {max(dropped)}: the file has the columns 0 to {count - 1}"
        )
    kept = [column for column in columns if column.position not in chosen.dropped]
    by_setting = data is not None and data.label not in ("last", "none")
    if fault := _fault(
        [
            *(each for each in kept if each.position != chosen.label),
            *(each for each in kept if each.position == chosen.label),
        ],
        length,
        labels,
        left_out=bool(dropped),
        chosen=by_setting,
    ):
        raise UserInputError(f"{path}: {fault}")
    return chosen


def _choose(
    start: Start, length: int, dropped: tuple[int, ...], data: SignalData | None
) -> tuple[int, ChosenColumns]:
    """Returns how many columns are judged, and what they are if they are as expected."""
    usual = start.usual_count
    by_setting = () if dropped or data is None else data.drop
    if by_setting and usual == length:
        # Samples alone, without any of what was left out in training.
        by_setting = ()
    left_out = len(dropped) + len(by_setting)
    labelled = start.counts[length + left_out + 1] >= start.counts[length + left_out]
    count = usual if usual > length + left_out else length + left_out + labelled
    names = start.names if len(start.names) == count else ()
    # Numbers in the settings are those of files with a label.
    in_training = max(count, length + left_out + 1)
    trained_without = columns_named(by_setting, names, in_training)
    label = _label(data, names, [*dropped, *trained_without], in_training)
    if labelled:
        return count, ChosenColumns(label, dropped or trained_without)
    shifted = (place - (not names and place > label) for place in trained_without)
    return count, ChosenColumns(None, dropped or tuple(shifted))


def _label(
    data: SignalData | None, names: Sequence[str], dropped: Collection[int], count: int
) -> int:
    kept = [place for place in range(count) if place not in dropped]
    if data is None or data.label in ("last", "none"):
        return kept[-1]
    if data.label == "first":
        return kept[0]
    named = place_of(data.label, names)
    return kept[-1] if named is None else named


def _fault(
    columns: Sequence[Column],
    length: int,
    labels: Collection[float],
    *,
    left_out: bool,
    chosen: bool,
) -> str | None:
    odd = odd_columns(columns)
    rest = len(columns) - len(odd)
    label: LabelPlace = "none"
    if rest > length:
        label = find_label(columns, odd, labels, is_required=False, chosen=chosen)
    elif rest == length:
        label = find_classes(columns, odd, chosen=left_out)
    takes = f"but the model takes {length}, with or without a label"
    if label == "either":
        return f"{describe_either(columns, odd)}: {_drop(columns, ends(columns, odd), ' or ')}"
    if isinstance(label, OddColumn):
        odd = sorted([*odd, label], key=lambda column: column.place)
        rest -= 1
        named = named_label(columns)
        if odd == [label] and rest == length and named and named.place == label.place:
            place = columns[label.place].position + 1
            return f"the label is column {place}: leave it out, {_drop(columns, [label.place])}"
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
        return (
            f"each row has {rest} values, one more than the model takes, but "
            f"{name_of(columns, last)} is no label (a whole number or text): it holds "
            f"{columns[last].distinct}: leave the column that is no sample out with "
            "--drop-column N, counted from 0"
        )
    return None


def _drop(columns: Sequence[Column], places: Collection[int], joint: str = " ") -> str:
    return joint.join(f"--drop-column {columns[place].position}" for place in places)


def _found(columns: Sequence[Column], odd: Sequence[OddColumn], expected: str, count: int) -> str:
    if len(columns) == count:
        return f"each row has {count} values, but {describe(columns, odd)}"
    return f"each row has {len(columns)} values, {expected}: {describe(columns, odd)}"
