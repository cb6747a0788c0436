"""What is between the cells of a text file, found in its first lines, and the cells of a line."""

import csv
import dataclasses
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from data.formats.columns import as_number
from pipeline_config import UserInputError

_LINES_JUDGED = 20
_DECIMAL_COMMA = re.compile(r"[-+]?\d+,\d+(?:[eE][-+]?\d+)?")


@dataclasses.dataclass(frozen=True)
class Separator:
    """What is between the cells of a line.

    Attributes:
        name: Value of the setting `data.separator`.
        character: None for runs of blanks and tabs.
        words: Its name in messages.
        quote: What a cell is in that holds the separator.
    """

    name: str
    character: str | None
    words: str
    quote: str = '"'

    def cells(self, line: str) -> list[str]:
        """Returns the cells of one line without quotes; none if its quotes are not closed.

        >>> SEPARATORS["blanks"].cells("  1.5  -2   1 ")
        ['1.5', '-2', '1']
        """
        if self.quote not in line:
            return line.split(self.character)
        if line.count(self.quote) % 2:
            return []
        if self.character is None:
            line = line.replace("\t", " ").strip()
        blanks = self.character is None
        reader = csv.reader(
            [line],
            delimiter=self.character or " ",
            quotechar=self.quote,
            skipinitialspace=blanks or self.quote == "'",
        )
        try:
            return next(reader, [])
        except csv.Error:
            return []


SEPARATORS: Mapping[str, Separator] = MappingProxyType(
    {
        separator.name: separator
        for separator in (
            Separator("comma", ",", "commas"),
            Separator("tab", "\t", "tabs"),
            Separator("semicolon", ";", "semicolons"),
            Separator("blanks", None, "blanks"),
        )
    }
)

COMMA = SEPARATORS["comma"]

_PIPE = Separator("pipe", "|", "'|'")


def find_separator(lines: Sequence[str], path: str, chosen: str = "auto") -> Separator:
    """Returns the separator of a file: the one by which most cells of its first lines are numbers.

    Args:
        lines: Without line ends; blank ones are passed over.
        path: The file, for messages.
        chosen: Value of `data.separator`.

    Raises:
        UserInputError: Numbers have a decimal comma, cells are separated by something that is
            not read, or the chosen separator is in none of the lines and another one is.
    """
    judged = [line for line in lines if line.strip()][:_LINES_JUDGED]
    _require_decimal_points(judged, path)
    found = _most_numbers(judged, [*SEPARATORS.values(), _PIPE])
    if found is _PIPE:
        raise UserInputError(
            f"{path}: cells are separated by '|': save it with commas, tabs, semicolons or blanks"
        )
    if chosen == "auto":
        return found
    separator = SEPARATORS[chosen]
    if all(len(separator.cells(line)) < 2 for line in judged) and any(
        len(found.cells(line)) > 1 for line in judged
    ):
        raise UserInputError(
            f"{path}: data.separator={chosen}, but cells are separated by {found.words}: "
            f"--set data.separator={found.name}"
        )
    return separator


def other_separator(line: str, count: int, separator: Separator) -> Separator | None:
    """Returns the separator by which a line has so many cells, if it is not the file's."""
    for other in SEPARATORS.values():
        if other.name != separator.name and len(other.cells(line)) == count > 1:
            return other
    return None


def has_decimal_comma(cell: str) -> bool:
    """Returns whether a cell is a number with a decimal comma, such as "1,5"."""
    return _DECIMAL_COMMA.fullmatch(cell.strip()) is not None


def _most_numbers(lines: Sequence[str], separators: Sequence[Separator]) -> Separator:
    def numbers(separator: Separator) -> int:
        split = [separator.cells(line) for line in lines]
        return sum(
            as_number(cell) is not None for cells in split if len(cells) > 1 for cell in cells
        )

    def cells(separator: Separator) -> int:
        return sum(len(separator.cells(line)) for line in lines[:1])

    # Without a number in any line, only names can be compared; blanks may lie within one.
    best = max(separators, key=numbers)
    if numbers(best):
        return best
    without_blanks = [separator for separator in separators if separator.character is not None]
    best = max(without_blanks, key=cells)
    return best if cells(best) > 1 else COMMA


def _require_decimal_points(lines: Sequence[str], path: str) -> None:
    for name in ("semicolon", "tab", "blanks"):
        for line in lines[:2]:
            cells = SEPARATORS[name].cells(line)
            with_comma = [cell for cell in cells if has_decimal_comma(cell)]
            numbers = sum(as_number(cell) is not None for cell in cells)
            found = 2 * (len(with_comma) + numbers)
            # A time and a sample: one of two is enough if a semicolon is between them.
            is_half = name == "semicolon" and found == len(cells)
            if len(cells) > 1 and with_comma and (found > len(cells) or is_half):
                raise UserInputError(
                    f"{path}: numbers have a decimal comma, such as {with_comma[0].strip()!r}: "
                    "save it with decimal points (pandas: read_csv(..., decimal=','), then to_csv)"
                )
