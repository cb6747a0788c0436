"""Columns of a text file as settings name them: `data.label`, `data.drop` and their numbers."""

import dataclasses
import difflib
from collections.abc import Collection, Sequence

from data.formats.columns import shown
from pipeline_config import SignalData, UserInputError


@dataclasses.dataclass(frozen=True)
class ChosenColumns:
    """What each column of a file is.

    Attributes:
        label: Place of the label, from 0; None if there is none.
        dropped: Columns that are left out, from 0, ascending.
    """

    label: int | None = None
    dropped: tuple[int, ...] = ()


def choose_columns(data: SignalData, names: Sequence[str], count: int, path: str) -> ChosenColumns:
    """Returns the label's place and the columns to leave out.

    Args:
        data: The settings.
        names: Of the columns; empty if no line names them.
        count: Columns of the file.
        path: The file, for messages.

    Raises:
        UserInputError: A column does not exist, or the label is to be left out.
    """
    dropped = tuple(sorted({_dropped(column, names, count, path) for column in data.drop}))
    kept = [place for place in range(count) if place not in dropped]
    if not kept:
        raise UserInputError(f"{path}: data.drop leaves no column: --set data.drop=")
    if data.label == "none":
        return ChosenColumns(None, dropped)
    if data.label in ("last", "first"):
        return ChosenColumns(kept[-1 if data.label == "last" else 0], dropped)
    if not names:
        raise UserInputError(
            f"{path}: data.label={data.label}, but no line names the columns: "
            "--set data.label=last, or first, or none"
        )
    label = place_of(data.label, names)
    if label is None:
        raise UserInputError(
            f"{path}: data.label={data.label}: there is no such column: "
            f"--set data.label={_nearest(data.label, names)}"
        )
    if label in dropped:
        raise UserInputError(
            f"{path}: data.label={data.label} is a column that data.drop leaves out: "
            "--set data.label=none"
        )
    return ChosenColumns(label, dropped)


def place_of(name: str, names: Sequence[str]) -> int | None:
    """Returns the place of a column from its name, in any case; None if there is none."""
    folded = [each.strip().casefold() for each in names]
    wanted = name.strip().casefold()
    return folded.index(wanted) if wanted in folded else None


def columns_named(columns: Collection[str], names: Sequence[str], count: int) -> tuple[int, ...]:
    """Returns the places, ascending, of those of the named or numbered columns that exist."""
    found = {int(each) if each.isdecimal() else place_of(each, names) for each in columns}
    return tuple(sorted(place for place in found if place is not None and place < count))


def _dropped(column: str, names: Sequence[str], count: int, path: str) -> int:
    if column.isdecimal():
        if int(column) >= count:
            raise UserInputError(
                f"{path}: data.drop={column}: the file has the columns 0 to {count - 1}: "
                f"--set data.drop={count - 1}"
            )
        return int(column)
    place = place_of(column, names)
    if place is None:
        why = "there is no such column" if names else "no line names the columns"
        nearest = _nearest(column, names) if names else f"N, a number from 0 to {count - 1}"
        raise UserInputError(f"{path}: data.drop={column}: {why}: --set data.drop={nearest}")
    return place


def _nearest(name: str, names: Sequence[str]) -> str:
    stripped = [each.strip() for each in names if each.strip()]
    nearest = difflib.get_close_matches(name, stripped, n=1, cutoff=0.5)
    if nearest:
        return nearest[0]
    listed = ", ".join(shown(each) for each in (stripped[:2] + stripped[-2:])[:4])
    return f"NAME, one of {listed}"
