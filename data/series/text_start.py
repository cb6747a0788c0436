"""The first lines of a text that holds a series: its separator, and the names of its columns."""

import dataclasses
from collections.abc import Sequence

from data.formats.columns import MISSING_CELLS, TIME_NAMES, as_number
from data.formats.preamble import begins_preamble
from data.formats.separators import Separator, find_separator
from data.formats.table import is_header
from pipeline_config import UserInputError


@dataclasses.dataclass(frozen=True)
class TextStart:
    """What a file's first lines hold.

    Attributes:
        separator: What is between the cells.
        header_row: Number of the line that names the columns; 0 for none.
        names: That line's cells.
        rows: Cells of the first rows below it.
    """

    separator: Separator
    header_row: int
    names: Sequence[str]
    rows: Sequence[Sequence[str]]


def read_text_start(lines: Sequence[tuple[int, str]], path: str, separator: str) -> TextStart:
    """Returns what a file's first lines hold.

    Args:
        lines: Number and text of each line that is not blank.
        path: The file, for messages.
        separator: Value of `data.separator`.

    Raises:
        UserInputError: There is no row, or the file is of a format whose rows are examples.
    """
    if not lines:
        raise UserInputError(f"{path}: the file is empty: give a series of samples")
    texts = [text for _, text in lines]
    if begins_preamble("\n".join([*texts, ""])):
        raise UserInputError(
            f"{path}: each row of an ARFF or .ts file is an example: --set data.series=false"
        )
    found = find_separator(texts, path, separator)
    rows = [found.cells(text) for text in texts]
    if not names_columns(rows[0]):
        return TextStart(found, 0, [], rows)
    if len(rows) == 1:
        raise UserInputError(
            f"{path}: the file has a header but no rows below it: give a series of samples"
        )
    return TextStart(found, lines[0][0], rows[0], rows[1:])


def names_columns(cells: Sequence[str]) -> bool:
    """Returns whether a line names the columns.

    Names are no numbers. A name may be one that counts its column, behind others such as a time's;
    two numbers alone are a time and a sample.

    >>> names_columns(["time", "flow"]), names_columns(["2026-01-31", "NaN"])
    (True, False)
    """
    numbers = [as_number(cell) for cell in cells]
    if all(number is None for number in numbers):
        words = [cell.strip() for cell in cells]
        return any(word.lower() not in MISSING_CELLS and not _is_time(word) for word in words)
    if None not in numbers and len(numbers) < 3:
        return False
    return is_header(cells) and (cells[0].strip().lower() in TIME_NAMES | {""} or numbers[0] == 0)


def _is_time(word: str) -> bool:
    return word[:1].isdigit() and word[-1:].isalnum() and any(mark in word for mark in "-:/.")
