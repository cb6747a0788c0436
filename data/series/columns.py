"""Which columns of a file are channels, times and labels."""

import dataclasses
import functools
import re
from collections.abc import Sequence

from data.formats.columns import TIME_NAMES, Column, shown
from data.formats.labels import class_name
from data.formats.odd_columns import TIME_TEXT
from data.series.column_kinds import are_labels, counts_rows, holds_times
from data.series.samples import Channel
from pipeline_config import SignalData, UserInputError

FIRST_ROWS = 100
"""Rows that a file is judged by."""


@dataclasses.dataclass(frozen=True)
class SeriesColumns:
    """What the columns of a file are; places from 0.

    Attributes:
        channels: Places of the channels, in the order of their values.
        names: What they are, for messages.
        time: Place of the times; None for none.
        label: Place of the labels; None for none.
        without_times: Settings with which samples are counted and times are not read.
    """

    channels: tuple[int, ...]
    names: tuple[Channel, ...]
    time: int | None
    label: int | None
    without_times: str


def choose_columns(
    columns: Sequence[Column], path: str, data: SignalData, *, to_score: bool = False
) -> SeriesColumns:
    """Returns what the columns of a series are, by the settings and a file's first rows.

    Args:
        columns: All of the file, with their first cells as text.
        path: The file, for messages.
        data: `time`, `label`, `channel`, `channels` and `drop` count.
        to_score: The label may be absent; if it is there, it is left out.

    Raises:
        UserInputError: A setting names a column that the file does not have, or the columns that
            are left are no channels; the message names the setting.
    """
    return _Chooser(columns, path, data, to_score).choose()


class _Chooser:
    def __init__(
        self, columns: Sequence[Column], path: str, data: SignalData, to_score: bool
    ) -> None:
        self._columns = columns
        self._path = path
        self._data = data
        self._to_score = to_score
        self._dropped = {self._place(name, "drop") for name in data.drop}

    def choose(self) -> SeriesColumns:
        time = self._time()
        label = self._label([place for place in self._rest if place != time])
        if self._data.channel:
            channels = [self._place(name, "channel") for name in self._data.channel]
            for place in channels:
                self._require_free(place, time, label)
        else:
            channels = [place for place in self._rest if place not in (time, label)]
        for place in channels:
            self._require_numbers(place)
        self._require_count(channels)
        names = tuple(self._channel(place) for place in channels)
        without_times = "" if time is None else f"--set data.time=none {self._drop(time)}"
        label = None if self._to_score else label
        return SeriesColumns(tuple(channels), names, time, label, without_times)

    @functools.cached_property
    def _rest(self) -> list[int]:
        return [place for place in range(len(self._columns)) if place not in self._dropped]

    def _place(self, name: str, setting: str) -> int:
        """Returns the place of a column that a setting names, or numbers from 0."""
        wanted = name.strip().lower()
        found = [place for place, column in enumerate(self._columns) if column.name == wanted]
        if len(found) == 1:
            return found[0]
        if found:
            raise UserInputError(
                f"{self._path}: data.{setting}={name}: {len(found)} columns have this name: give "
                f"the number of one, from 0, such as --set data.{setting}={found[0]}"
            )
        if wanted.isdecimal() and int(wanted) < len(self._columns):
            return int(wanted)
        raise UserInputError(
            f"{self._path}: data.{setting}={name}: there is no such column: {self._listed()}"
        )

    def _listed(self) -> str:
        names = [column.name for column in self._columns]
        count = len(names)
        if not all(names):
            return (
                f"its columns have the numbers 0 to {count - 1}" if count > 1 else "it has one, 0"
            )
        return f"its columns are {', '.join(str(name) for name in names)}"

    def _time(self) -> int | None:
        if self._data.time == "none":
            return None
        if self._data.time != "auto":
            return self._place(self._data.time, "time")
        named = [place for place in self._rest if self._columns[place].name in TIME_NAMES]
        if len(named) > 1:
            raise UserInputError(self._several_times(named))
        if named:
            return named[0]
        if len(self._rest) > 1 and holds_times(self._columns[self._rest[0]]):
            return self._rest[0]
        return None

    def _several_times(self, places: Sequence[int]) -> str:
        names = [self._setting_name(place) for place in places]
        fault = f"{self._path}: {len(names)} columns may be the times, {' and '.join(names)}"
        # A date alone, or a time of day, is that of many samples.
        whole = [place for place in places if holds_times(self._columns[place], distinct=True)]
        if whole:
            others = [place for place in places if place != whole[0]]
            return f"{fault}: --set data.time={self._setting_name(whole[0])} {self._drop(*others)}"
        return (
            f"{fault}: join them into one, such as 2026-01-31T12:00:00, or count samples alone: "
            f"--set data.time=none {self._drop(*places)}"
        )

    def _label(self, rest: Sequence[int]) -> int | None:
        wanted = self._data.label
        if wanted == "none" or not rest:
            return None
        if self._to_score and (self._data.channel or len(rest) <= self._data.channels):
            return None
        if wanted not in ("last", "first"):
            return self._place(wanted, "label")
        place = rest[-1 if wanted == "last" else 0]
        if self._to_score:
            return place
        cells = [cell for cell in self._columns[place].cells if class_name(cell)]
        if len(rest) > 1 and are_labels(cells):
            return place
        found = f"is the {wanted} one"
        if len(rest) == 1:
            found = "is the only one with values"
        elif cells:
            found += f" and holds values such as {shown(cells[0])}"
        raise UserInputError(
            f"{self._path}: {self._channel(place)} {found}, so it is no label: "
            "--set data.label=none if the series has none, or data.label=NAME for another column"
        )

    def _require_free(self, place: int, time: int | None, label: int | None) -> None:
        taken = "times" if place == time else "label" if place == label else ""
        if taken:
            setting = "time" if place == time else "label"
            raise UserInputError(
                f"{self._path}: data.channel names {self._channel(place)}, which is read as the "
                f"{taken}: take it out of data.channel, or --set data.{setting}=none"
            )
        if place in self._dropped:
            name = self._setting_name(place)
            raise UserInputError(f"{self._path}: data.channel and data.drop both name {name}")

    def _require_numbers(self, place: int) -> None:
        column = self._columns[place]
        name = self._setting_name(place)
        advice = "take it out of data.channel" if self._data.channel else self._drop(place)
        if column.is_empty:
            # All of its cells may be missing samples, but hardly the first hundred.
            raise UserInputError(
                f"{self._path}: {self._channel(place)} is empty in the first rows: {advice}"
            )
        if column.is_text and len(column.cells) > 1:
            text = next(cell for cell in column.cells if cell)
            if TIME_TEXT.search(text) and self._data.time == "auto":
                advice = f"--set data.time={name} if it holds the times, else {advice}"
            raise UserInputError(
                f"{self._path}: {self._channel(place)} holds text such as {shown(text)}, "
                f"which is no channel: {advice}"
            )

    def _require_count(self, channels: Sequence[int]) -> None:
        found, wanted = len(channels), self._data.channels
        if found == wanted:
            return
        names = ", ".join(self._setting_name(place) for place in channels)
        if self._data.channel:
            raise UserInputError(
                f"data.channel={names} names {found} channels, but data.channels={wanted}: "
                f"--set data.channels={found}"
            )
        counting = [place for place in channels if counts_rows(self._columns[place])]
        if found > wanted and counting:
            place = counting[0]
            raise UserInputError(
                f"{self._path}: {self._channel(place)} counts {self._columns[place].first_cells} "
                f"(an index?): {self._drop(place)}"
            )
        if not found:
            raise UserInputError(
                f"{self._path}: no column is left to be a channel: {self._listed()}"
            )
        some = ",".join(self._setting_name(place) for place in channels[:wanted])
        fewer = (
            f", or name those to read, such as --set data.channel={some}" if wanted < found else ""
        )
        raise UserInputError(
            f"{self._path}: {found} channel{'s' if found > 1 else ''} ({names}), but "
            f"data.channels={wanted}: --set data.channels={found}{fewer}"
        )

    def _drop(self, *places: int) -> str:
        """Returns the setting that leaves columns out, as well as those that are left out."""
        names = [self._setting_name(place) for place in places]
        return f"--set data.drop={','.join([*self._data.drop, *names])}"

    def _channel(self, place: int) -> Channel:
        return Channel(place + 1, self._columns[place].name or "")

    def _setting_name(self, place: int) -> str:
        """Returns what a setting calls a column."""
        name = self._columns[place].name
        is_alone = sum(column.name == name for column in self._columns) == 1
        return name if name and is_alone and re.fullmatch(r"[\w.-]+", name) else str(place)
