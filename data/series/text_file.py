"""Delimited text as a series: a line a moment."""

import functools
import itertools
import math
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv

from data.formats.columns import MISSING_CELLS, Column
from data.formats.content import (
    BLOCK_BYTES,
    LineBlock,
    line_text,
    open_content,
    read_line_blocks,
)
from data.formats.rows import Rejected
from data.series.cells import parse_number, to_samples
from data.series.columns import FIRST_ROWS, SeriesColumns
from data.series.samples import Reject, Samples
from data.series.text_start import TextStart, names_columns, read_text_start
from pipeline_config import SignalData, UserInputError

_NULLS = sorted(
    {form for word in MISSING_CELLS for form in (word, word.upper(), word.title())} | {"NaN"}
)


class _BrokenRowError(UserInputError):
    """A line that is no row; the reason without its place."""

    def __init__(self, path: str, number: int, reason: str) -> None:
        super().__init__(f"{path}, {Rejected(number, reason, '').located()}")
        self.reason = reason


class TextFile:
    """A text file with a column a channel.

    Args:
        path: On any file system that Beam supports; decompressed if it is gzip.
        data: `separator` counts.
        block_bytes: Bytes of text parsed at a time.
        reject: Is called with each line that is no row of the columns; None to raise.
    """

    def __init__(
        self,
        path: str,
        data: SignalData,
        block_bytes: int = BLOCK_BYTES,
        reject: Reject | None = None,
    ) -> None:
        self._path = path
        self._data = data
        self._block_bytes = block_bytes
        self._reject = reject

    def columns(self) -> list[Column]:
        """Returns the columns, with the cells of the first rows.

        Raises:
            UserInputError: The file is empty, or is no delimited text.
        """
        start = self._start
        count = len(start.names) or len(start.rows[0])
        names = [name.strip().lower() for name in start.names]
        rows = [row for row in start.rows if len(row) == count]
        if not rows:
            raise UserInputError(
                f"{self._path}: the first line has {_values(count)}, but the rows below it "
                f"{len(start.rows[0])}: name every column or none, or take "
                "the line out"
            )
        return [
            Column(place, names[place] if names else None, [cell.strip() for cell in cells])
            for place, cells in enumerate(zip(*rows, strict=True))
        ]

    def count(self) -> int:
        """Returns how many samples the file has, without looking into its lines."""
        rows = 0
        for lines in self._line_blocks():
            header_row = self._start.header_row
            rows += sum(bool(line.strip()) for number, line in lines.lines() if number > header_row)
        return rows

    def read(self, columns: SeriesColumns) -> Iterator[Samples]:
        """Yields the samples.

        Raises:
            UserInputError: A line is no row of these columns; the message names row and column.
        """
        start, count = 0, len(self.columns())
        for lines in self._line_blocks():
            samples = self._parse_whole(lines, columns, count, start)
            if samples is None:
                samples = self._parse_rows(lines, columns, count, start)
            start += len(samples)
            if len(samples):
                yield samples

    def _line_blocks(self) -> Iterator[LineBlock]:
        with open_content(self._path) as content:
            yield from read_line_blocks(content, self._path, self._block_bytes)

    @functools.cached_property
    def _start(self) -> TextStart:
        lines: list[tuple[int, str]] = []
        for block in self._line_blocks():
            lines += itertools.islice(self._texts(block), FIRST_ROWS + 1)
            if len(lines) > 1:
                break
        return read_text_start(lines[: FIRST_ROWS + 1], self._path, self._data.separator)

    def _texts(self, block: LineBlock) -> Iterator[tuple[int, str]]:
        """Yields the number and the text of each line that is not blank."""
        for number, line in block.lines():
            if not line.strip():
                continue
            try:
                yield number, line_text(line)
            except ValueError as error:
                if self._reject is None:
                    raise UserInputError(f"{self._path}, row {number}: {error}") from None

    def _parse_whole(
        self, lines: LineBlock, columns: SeriesColumns, count: int, start: int
    ) -> Samples | None:
        """Returns the samples of some lines, or None if one of the lines may be wrong."""
        data, first_line = lines.data, lines.first_line
        above = self._start.header_row - first_line + 1
        if above > 0:
            *_, data = data.split(b"\n", above)
            first_line += above
        if not data.strip():
            return self._samples(columns, start, np.empty(0, np.int64), pa.table({}))
        separator = self._start.separator.character
        if separator is None:
            data = b"\n".join(b" ".join(line.split()) for line in data.split(b"\n"))
        else:
            data = data.replace(separator.encode() + b" ", separator.encode())
        names = [str(place) for place in range(count)]
        kinds = {str(place): pa.float64() for place in columns.channels}
        texts = [str(place) for place in (columns.time, columns.label) if place is not None]
        try:
            table = pyarrow.csv.read_csv(
                pa.BufferReader(data),
                pyarrow.csv.ReadOptions(
                    use_threads=False, block_size=len(data) + 1, column_names=names
                ),
                pyarrow.csv.ParseOptions(
                    delimiter=separator or " ", quote_char=self._start.separator.quote
                ),
                pyarrow.csv.ConvertOptions(
                    column_types=kinds | dict.fromkeys(texts, pa.string()),
                    include_columns=[*kinds, *texts],
                    null_values=_NULLS,
                    strings_can_be_null=False,
                ),
            )
        except pa.ArrowInvalid:
            return None
        rows = np.arange(first_line, first_line + table.num_rows, dtype=np.int64)
        if data.count(b"\n") + (not data.endswith(b"\n")) != table.num_rows:
            block = LineBlock(first_line, data)
            rows = np.array([number for number, _ in block.lines()], np.int64)
            if len(rows) != table.num_rows:
                return None
        return self._samples(columns, start, rows, table)

    def _samples(
        self, columns: SeriesColumns, start: int, rows: npt.NDArray[np.int64], table: pa.Table
    ) -> Samples:
        def column(place: int | None) -> npt.NDArray[np.str_] | None:
            if place is None:
                return None
            cells = table[str(place)].to_numpy() if len(rows) else np.empty(0, np.object_)
            return cells.astype(np.str_)

        values = np.empty((len(rows), len(columns.channels)))
        for channel, place in enumerate(columns.channels):
            if len(rows):
                values[:, channel] = table[str(place)].to_numpy()
        times, labels = column(columns.time), column(columns.label)
        path, reject = self._path, self._reject
        return to_samples(path, columns, start, rows, values, times, labels, reject=reject)

    def _parse_rows(
        self, lines: LineBlock, columns: SeriesColumns, count: int, start: int
    ) -> Samples:
        rows, values, times, labels = [], [], [], []
        broken: list[bool] = []
        for number, line in lines.lines():
            if number <= self._start.header_row or not line.strip():
                continue
            rows.append(number)
            try:
                cells = self._cells(number, line, count)
                values.append(self._numbers(number, cells, columns))
                broken.append(False)
            except _BrokenRowError as fault:
                if self._reject is None:
                    raise
                text = line.decode(errors="backslashreplace")
                self._reject(Rejected(number, fault.reason, text))
                cells = [*text.split(self._start.separator.character), *[""] * count][:count]
                values.append([math.nan] * len(columns.channels))
                broken.append(True)
            times.append(cells[columns.time or 0].strip())
            labels.append(cells[columns.label or 0])
        return to_samples(
            self._path,
            columns,
            start,
            np.array(rows, np.int64),
            np.array(values, np.float64).reshape(len(rows), len(columns.channels)),
            None if columns.time is None else np.array(times, np.str_),
            None if columns.label is None else np.array(labels, np.str_),
            broken=np.array(broken) if any(broken) else None,
            reject=self._reject,
        )

    def _cells(self, number: int, line: bytes, count: int) -> Sequence[str]:
        try:
            cells = self._start.separator.cells(line_text(line))
        except ValueError as error:
            raise _BrokenRowError(self._path, number, str(error)) from None
        if len(cells) != count:
            state = "complete" if len(cells) < count else "shorten"
            reason = (
                f"{_values(len(cells))}, expected {count}"
                f"{self._named()}: {state} the row or take it out"
            )
            raise _BrokenRowError(self._path, number, reason)
        return cells

    def _numbers(self, number: int, cells: Sequence[str], columns: SeriesColumns) -> list[float]:
        values = []
        for place, name in zip(columns.channels, columns.names, strict=True):
            try:
                values.append(parse_number(cells[place]))
            except ValueError as error:
                reason = f"{name}: {error}"
                if names_columns(cells):
                    reason = (
                        f"a line of names in the middle, {', '.join(cells[:3])}, ...: take it out, "
                        "or split the file there"
                    )
                raise _BrokenRowError(self._path, number, reason) from None
        return values

    def _named(self) -> str:
        names = [name.strip() for name in self._start.names]
        return f" ({', '.join(names)})" if 0 < len(names) <= 8 else ""


def _values(count: int) -> str:
    return f"{count} {'value' if count == 1 else 'values'}"
