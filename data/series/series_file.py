"""The reader of long series, whatever the format of their file: samples, and windows of them."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from data.formats.columns import Column
from data.formats.content import BLOCK_BYTES, open_content
from data.series.columns import SeriesColumns, choose_columns
from data.series.findings import Findings
from data.series.missing import without_missing
from data.series.numpy_file import NumpyFile
from data.series.parquet_file import ParquetFile
from data.series.samples import Reject, Samples
from data.series.text_file import TextFile
from data.series.times import split_at_gaps
from data.series.wfdb_file import WfdbFile
from data.series.windows import SeriesBlock, cut_windows
from pipeline_config import SignalData

_NPY = b"\x93NUMPY"
_ZIP = b"PK\x03\x04"
_PARQUET = b"PAR1"


class SeriesFile(Protocol):
    """A file whose rows are moments."""

    def columns(self) -> Sequence[Column]:
        """Returns the columns, with the first cells as text."""

    def count(self) -> int:
        """Returns how many samples the file has."""

    def read(self, columns: SeriesColumns) -> Iterator[Samples]:
        """Yields the samples in the order of the file."""


def read_series(
    path: str,
    data: SignalData,
    *,
    to_score: bool = False,
    findings: Findings | None = None,
    reject: Reject | None = None,
    block_bytes: int = BLOCK_BYTES,
) -> Iterator[SeriesBlock]:
    """Yields the samples of a file and the windows that are cut from them, in constant memory.

    A gap in time, and missing samples that are too many to be interpolated, end a run: no window
    spans them. See `times.split_at_gaps`, `missing.without_missing` and `windows.cut_windows`.

    Args:
        path: A file on any file system that Beam supports.
        data: What the file holds, and how it is cut.
        to_score: Whether the label may be absent; it is not read. The last window of a run ends
            with its last sample, so that all samples are covered.
        findings: What is found is added here.
        reject: Is called with each row that cannot be read; no window covers it. None to raise.
        block_bytes: Bytes read at a time.

    Raises:
        UserInputError: The file is damaged or is no such series, or time does not run forwards;
            the message names file and row, and the setting that helps.
    """
    found = Findings() if findings is None else findings
    file = _open(path, data, block_bytes, reject)
    columns = choose_columns(file.columns(), path, data, to_score=to_score)
    found.channels = tuple(name.name or str(name.column - 1) for name in columns.names)
    pieces = split_at_gaps(_seen(file.read(columns), found), found)
    whole = without_missing(pieces, data, found, reject)
    yield from cut_windows(whole, data, to_the_end=to_score)


def count_samples(path: str, data: SignalData) -> int:
    """Returns how many samples a file has; a text is read for it, the others say so themselves."""
    return _open(path, data, BLOCK_BYTES).count()


def series_columns(path: str, data: SignalData) -> SeriesColumns:
    """Returns what a file's columns are, from its first rows.

    Raises:
        UserInputError: See `choose_columns`.
    """
    return choose_columns(_open(path, data, BLOCK_BYTES).columns(), path, data)


def _open(
    path: str, data: SignalData, block_bytes: int = BLOCK_BYTES, reject: Reject | None = None
) -> SeriesFile:
    if path.lower().endswith(".hea"):
        return WfdbFile(path, data, block_bytes)
    with open_content(path) as content:
        start = content.read(len(_NPY))
    if start == _NPY:
        return NumpyFile(path, data, is_archive=False, block_bytes=block_bytes, reject=reject)
    if start.startswith(_ZIP):
        return NumpyFile(path, data, is_archive=True, block_bytes=block_bytes, reject=reject)
    if start.startswith(_PARQUET):
        return ParquetFile(path, block_bytes, reject)
    return TextFile(path, data, block_bytes, reject)


def _seen(blocks: Iterator[Samples], findings: Findings) -> Iterator[Samples]:
    for block in blocks:
        findings.see(block.values)
        yield block
