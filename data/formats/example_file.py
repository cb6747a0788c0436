"""Files whose format says how many examples they hold: NumPy's, Parquet and WFDB records."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Literal, Protocol

from data.formats.content import BLOCK_BYTES, read_start
from data.formats.first_bytes import array_format
from data.formats.rows import Block
from pipeline_config import SignalData, UserInputError

ExampleFormat = Literal["npy", "npz", "parquet", "wfdb"]

WFDB_HEADER = ".hea"


class ExampleFile(Protocol):
    """A file that was found to hold examples of the configured shape."""

    @property
    def path(self) -> str:
        """The file."""

    @property
    def rows(self) -> int:
        """Rows in it, whether they are examples or rejected."""

    @property
    def row_bytes(self) -> int:
        """Bytes of one example as float32."""

    @property
    def has_middle(self) -> bool:
        """Whether rows can be read without those before."""

    @property
    def notice(self) -> str | None:
        """What a person should know of examples that were left out; None if none was."""

    def read(
        self, first: int = 0, stop: int | None = None, block_bytes: int = BLOCK_BYTES
    ) -> Iterator[Block]:
        """Yields rows in file order, float32 [n, *data.shape]; see `signal_file.read_signals`.

        Args:
            first: Index of the first row.
            stop: Index of the row to stop before; None reads to the end.
            block_bytes: Bytes of float32 samples read at a time.
        """


def example_format(path: str) -> tuple[ExampleFormat | None, bool]:
    """Returns a file's format, None if it is not read here, and whether the file is gzip.

    The content counts, not the suffix, except of a WFDB record, whose header is text.

    Args:
        path: A file on any file system that Beam supports.

    Raises:
        UserInputError: The file is a part of another one, which is to be given instead.
    """
    if path.lower().endswith(WFDB_HEADER):
        return "wfdb", False
    _refuse_part_of_a_record(path)
    start = read_start(path)
    return array_format(start.content), start.is_gzip


def find_example_file(path: str, data: SignalData, *, scoring: bool = False) -> ExampleFile | None:
    """Returns what a file holds; None if it is of no format that is read here.

    Args:
        path: See `example_format`.
        data: What the file is said to hold.
        scoring: Whether its rows are only scored, so that it may lack labels.

    Raises:
        UserInputError: The file is damaged or holds something else; the message names file,
            position and the setting that helps.
    """
    kind, is_gzip = example_format(path)
    if kind is None:
        return None
    if kind == "wfdb":
        from data.formats.wfdb_file import find_wfdb

        return find_wfdb(path, data, scoring=scoring)
    if is_gzip and kind != "npy":
        raise UserInputError(
            f"{path}: a file of this format ({kind}) is not read through gzip: unpack it (gunzip)"
        )
    if kind == "parquet":
        from data.formats.parquet_file import find_parquet

        return find_parquet(path, data, scoring=scoring)
    from data.formats.numpy_layout import find_numpy

    return find_numpy(path, data, is_archive=kind == "npz", is_gzip=is_gzip, scoring=scoring)


def left_out(path: str, data: SignalData) -> str | None:
    """Returns what a person should know of examples that a file's reader leaves out.

    That is only so of a WFDB record; other files are not opened.

    Raises:
        UserInputError: See `find_example_file`.
    """
    if data.series or not path.lower().endswith(WFDB_HEADER):
        return None
    found = find_example_file(path, data)
    return found.notice if found else None


def _refuse_part_of_a_record(path: str) -> None:
    record = PurePosixPath(path)
    if "://" in path or record.suffix.lower() not in (".dat", ".atr"):
        return
    header = record.with_suffix(WFDB_HEADER)
    if Path(header).exists():
        raise UserInputError(
            f"{path}: the file is a part of a WFDB record: give its header, {header.name}"
        )
