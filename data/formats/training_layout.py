"""Whether a text file's columns are what the settings say, and the settings if they are not."""

import shlex
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence

from data.formats.chosen_columns import ChosenColumns, choose_columns
from data.formats.columns import BINARY_LABELS, LABEL_NAMES, Column, as_number, shown
from data.formats.labels import class_name, list_classes, suggest_normal
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

CountClasses = Callable[[int], Mapping[str, int]]
"""From a column's place to how many rows of the file are of each class; unlabelled ones are out."""


def training_columns(
    start: Start,
    data: SignalData,
    channels: int,
    path: str,
    count_classes: CountClasses | None = None,
) -> ChosenColumns:
    """Returns the label's place and the dropped columns of a file to train on.

    Args:
        start: From `read_start`; it is judged as far as most of its rows agree.
        data: What the settings say of the columns.
        channels: In the file; see `channels_in_rows`.
        path: The file, for the message.
        count_classes: Of the whole file; by default the first rows are counted.

    Raises:
        UserInputError: The columns are something else; the message names what was found in them
            and ends with the settings that read them.
    """
    expected = data.length * channels + data.is_labelled + len(data.drop)
    count = start.usual_count or expected
    names = start.names if len(start.names) == count else ()
    chosen = choose_columns(data, names, count, path)
    columns = start.columns(start.usual_count)
    if len(columns) > 2:
        fault = _Judge(columns, chosen, data, channels, count_classes).fault()
        if fault:
            raise UserInputError(f"{path}: {fault}")
    return chosen


def as_settings(changes: Mapping[str, object]) -> str:
    """Returns settings of `data` as they are written on the command line.

    >>> as_settings({"drop": "0,2", "length": 187})
    '--set data.drop=0,2 --set data.length=187'
    """
    return " ".join(f"--set {shlex.quote(f'data.{key}={value}')}" for key, value in changes.items())


_MOST_CHANNELS = 32
"""Rows of times and no more values than this are moments of a series."""


class _Judge:
    """Compares a file's columns with the settings.

    Args:
        columns: All of the file.
        chosen: What they are said to be.
        data: The settings.
        channels: In the file.
        count_classes: See `training_columns`.
    """

    def __init__(
        self,
        columns: Sequence[Column],
        chosen: ChosenColumns,
        data: SignalData,
        channels: int,
        count_classes: CountClasses | None,
    ) -> None:
        self._channels, self._values = channels, channels * data.length
        self._count, self._chosen, self._data = len(columns), chosen, data
        self._classes = count_classes or _counter(columns)
        kept = [column for column in columns if column.position not in chosen.dropped]
        # The label goes last: what is judged is a row of samples, wherever the label is.
        samples = [column for column in kept if column.position != chosen.label]
        label = [column for column in kept if column.position == chosen.label]
        self._columns = [*samples, *label]

    def fault(self) -> str | None:
        """Returns what is wrong, with the settings that mend it; None if nothing is."""
        columns, data = self._columns, self._data
        odd = self._odd()
        found = self._find_label(odd)
        if found == "either":
            return self._either(odd)
        if isinstance(found, OddColumn):
            odd = [each for each in odd if each.place != found.place]
        changes: dict[str, object] = {}
        if odd:
            changes["drop"] = self._drop([columns[each.place].position for each in odd])
        label = self._label_place(found, odd)
        if isinstance(found, OddColumn) or (self._labelled and label is None):
            changes["label"] = self._label_setting(label, odd)
        samples = len(columns) - len(odd) - (label is not None)
        if samples != self._values and samples > 1:
            if samples % self._channels:
                return (
                    f"each row has {samples} samples, which are not {self._channels} channels of "
                    f"as many: {as_settings({'channels': 1, 'length': samples})}"
                )
            changes["length"] = samples // self._channels
        if not changes:
            return None
        classes = {} if label is None else self._classes(columns[label].position)
        if normal := suggest_normal(classes, data.normal):
            changes["normal"] = normal
        others = [*odd, *([found] if isinstance(found, OddColumn) else [])]
        described = self._describe(others, label, classes)
        # A row that lacks a sample or two is still an example; one with half of them is a moment.
        are_moments = samples <= min(_MOST_CHANNELS, self._values // 2)
        if are_moments and any(each.kind == "times" for each in odd):
            described += ", so rows seem to be moments of a long series, a column a channel"
            del changes["drop"]
            changes = {"series": "true", **changes, "channels": samples}
            changes.pop("length", None)
        return f"{described}: {as_settings(changes)}"

    @property
    def _labelled(self) -> bool:
        return self._chosen.label is not None

    def _odd(self) -> list[OddColumn]:
        columns = self._columns
        odd = odd_columns(columns, labelled=self._labelled)
        last = columns[-1]
        if self._labelled and last.is_empty:
            # Most rows may well have no label; a separator at the end of each line makes none.
            is_named = last.name in LABEL_NAMES or self._data.label not in ("last", "first")
            if is_named or self._classes(last.position):
                return [each for each in odd if each.place != len(columns) - 1]
        return odd

    def _find_label(self, odd: Sequence[OddColumn]) -> LabelPlace:
        columns, data = self._columns, self._data
        if self._labelled:
            if columns[-1].is_empty and ends(columns, odd)[1] == len(columns) - 1:
                return "last"
            numbers = {as_number(name) for name in map(class_name, data.normal)}
            likely = BINARY_LABELS | {number for number in numbers if number is not None}
            chosen = data.label != "last"
            return find_label(columns, odd, likely, is_required=True, chosen=chosen)
        found = find_classes(columns, odd, chosen=False)
        fits = len(columns) - len(odd) == self._values
        # Somebody who says that there is no label, and how many samples, means these.
        return found if named_label(columns) or not fits else "none"

    def _label_place(self, found: LabelPlace, odd: Sequence[OddColumn]) -> int | None:
        if isinstance(found, OddColumn):
            return found.place
        return ends(self._columns, odd)[1] if self._labelled and found == "last" else None

    def _label_setting(self, label: int | None, odd: Sequence[OddColumn]) -> str:
        if label is None:
            return "none"
        left_out = {each.place for each in odd}
        kept = [column.position for i, column in enumerate(self._columns) if i not in left_out]
        column = self._columns[label]
        if column.position in (min(kept), max(kept)):
            return "first" if column.position == min(kept) else "last"
        return column.name or "NAME, and name the columns in a first line"

    def _drop(self, positions: Collection[int]) -> str:
        return ",".join([*self._data.drop, *map(str, sorted(positions))])

    def _either(self, odd: Sequence[OddColumn]) -> str:
        first, last = (self._columns[place].position for place in ends(self._columns, odd))
        without_first = as_settings({"drop": self._drop([first])})
        without_last = as_settings({"drop": self._drop([last]), "label": "first"})
        return (
            f"{describe_either(self._columns, odd)}: name the columns in a first line, the label's "
            f"'label', or leave the other one out: {without_first}, or {without_last}"
        )

    def _describe(
        self, others: Sequence[OddColumn], label: int | None, classes: Mapping[str, int]
    ) -> str:
        columns, count = self._columns, len(self._columns)
        if not others and (label is not None or not self._labelled):
            if label is None:
                return f"rows have {self._count} columns of samples"
            column = name_of(columns, label).split(" (")[0].replace("column", "one", 1)
            named = column if column.startswith("the ") else name_of(columns, label)
            return f"rows have {self._count} columns, {named} holds {list_classes(classes)}"
        values = self._values
        wanted = f"{values} samples" + (" and a label" if self._labelled else "")
        found = describe(columns, sorted(others, key=lambda each: each.place))
        if label is None and self._labelled:
            last = ends(columns, others)[1]
            no_label = f"such as {shown(columns[last].cells[0])}, is no label"
            found = ", ".join(
                [*([found] if found else []), f"{name_of(columns, last)}, {no_label}"]
            )
        if count == values + self._labelled:
            return f"each row has {count} values, but {found}"
        return (
            f"each row has {count} values, expected {values + self._labelled} ({wanted}): {found}"
        )


def _counter(columns: Sequence[Column]) -> CountClasses:
    cells = {column.position: column.cells for column in columns}
    return lambda place: Counter(name for name in map(class_name, cells[place]) if name)
