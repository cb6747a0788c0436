"""The reader of signals to train on, whatever the format of their file."""

from collections.abc import Iterator

from data.formats.content import BLOCK_BYTES
from data.formats.csv_file import read_csv
from data.formats.example_file import find_example_file
from data.formats.rows import Block
from pipeline_config import SignalData


def read_signals(path: str, data: SignalData, block_bytes: int = BLOCK_BYTES) -> Iterator[Block]:
    """Yields the examples of a file, float32 [n, *data.shape], with labels and classes.

    Args:
        path: A file on any file system that Beam supports.
        data: What the file holds.
        block_bytes: Bytes of content read at a time.

    Raises:
        UserInputError: The file is damaged, holds nothing, or most of it is not as expected; the
            message names file, row and column, and the setting that helps.
    """
    found = find_example_file(path, data)
    if found is None:
        yield from read_csv(path, data, block_bytes)
        return
    yield from found.read(block_bytes=block_bytes)
