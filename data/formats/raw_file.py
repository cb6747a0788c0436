"""Files of raw data on any file system that Beam supports, decompressed if they are gzip."""

import contextlib
import gzip
import zlib
from collections.abc import Iterator
from typing import BinaryIO, cast

from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems

from data.formats.first_bytes import GZIP
from pipeline_config import UserInputError

BLOCK_BYTES = 1 << 20
"""Bytes of content that are read and parsed at a time."""


@contextlib.contextmanager
def open_content(path: str) -> Iterator[BinaryIO]:
    """Opens a file, decompressed if its content is gzip, whatever its name.

    Raises:
        UserInputError: The gzip data is damaged or ends early.
    """
    # Beam would go by the name; users rename files.
    with (
        FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED) as file,
        unzipped(file, path) as content,
    ):
        yield content


@contextlib.contextmanager
def unzipped(file: BinaryIO, path: str) -> Iterator[BinaryIO]:
    """Yields a file itself, or its decompressed content if that is gzip.

    Args:
        file: At its start, and seekable.
        path: Its name in messages.

    Raises:
        UserInputError: The gzip data is damaged or ends early.
    """
    is_gzip = file.read(len(GZIP)) == GZIP
    file.seek(0)
    if not is_gzip:
        yield file
        return
    with gunzip(file, path) as content:
        yield content


@contextlib.contextmanager
def gunzip(file: BinaryIO, path: str) -> Iterator[BinaryIO]:
    """Yields the content of a gzip-compressed file, which need not be seekable.

    Raises:
        UserInputError: The gzip data is damaged or ends early.
    """
    try:
        with gzip.GzipFile(fileobj=file) as content:
            yield cast(BinaryIO, content)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise UserInputError(
            f"{path}: the gzip data is damaged or ends early: copy or download the file again"
        ) from error
