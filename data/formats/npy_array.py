"""One NumPy array in a file of NumPy's format: its header, and its items block by block.

Format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html. Nothing is mapped
into memory, so that a file may lie on any file system and be compressed.
"""

import dataclasses
import math
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from pipeline_config import UserInputError

_COPY_AGAIN = "copy or download it again"


@dataclasses.dataclass(frozen=True)
class ArrayHeader:
    """What an array says of itself.

    Attributes:
        place: The file, and the array's name if the file holds several, for messages.
        dtype: Type of one value.
        shape: Of the whole array.
        is_fortran: Whether the first index varies fastest.
        start: Offset of the first value.
    """

    place: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    is_fortran: bool
    start: int

    @property
    def items(self) -> int:
        """Length of the first dimension."""
        return self.shape[0]

    @property
    def values_per_item(self) -> int:
        """Values of one item, which has all dimensions but the first."""
        return math.prod(self.shape[1:])

    def described(self) -> str:
        """Returns type and shape, such as "float32 [5000, 140]"."""
        kind = {"U": "text", "S": "text", "V": "records"}.get(self.dtype.kind, str(self.dtype))
        return f"{kind} [{', '.join(map(str, self.shape))}]"


def read_header(file: BinaryIO, place: str) -> ArrayHeader:
    """Returns the header of an array, with the file at the array's first value.

    Args:
        file: At the array's start.
        place: See `ArrayHeader`.

    Raises:
        UserInputError: There is no header, or the array holds Python objects, which could run any
            code when they are read.
    """
    try:
        version = np.lib.format.read_magic(file)
        if version == (1, 0):
            shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(file)
        else:
            # Version 3 differs from 2 in the encoding of fields' names, which none of ours have.
            shape, is_fortran, dtype = np.lib.format.read_array_header_2_0(file)
    except ValueError as error:
        raise UserInputError(
            f"{place}: the header of the NumPy array is damaged or ends early: {_COPY_AGAIN}"
        ) from error
    if dtype.hasobject:
        raise UserInputError(
            f"{place}: the array holds Python objects (rows of different lengths, perhaps), which "
            "are not loaded as they could run any code: save numbers, all rows of one length "
            "(numpy.stack(x).astype('float32')), and labels as text (y.astype(str))"
        )
    if not shape or not dtype.itemsize or min(shape) < 0:
        raise UserInputError(
            f"{place}: the array is {dtype} {list(shape)}: give one of shape [rows, samples]"
        )
    return ArrayHeader(place, dtype, tuple(shape), bool(is_fortran), file.tell())


def read_items(
    file: BinaryIO, header: ArrayHeader, first: int, stop: int, block_items: int
) -> Iterator[npt.NDArray[Any]]:
    """Yields an array's items in order, `block_items` at a time.

    Args:
        file: Seekable; if the array is in Fortran order, also backwards and at no cost.
        header: The array's.
        first: Index of the first item.
        stop: Index after the last; at the array's end, the file must end too.
        block_items: Items a block; fewer at the end.

    Raises:
        UserInputError: The file ends early or goes on behind the array.
    """
    item_bytes = header.values_per_item * header.dtype.itemsize
    if not header.is_fortran:
        file.seek(header.start + first * item_bytes)
    for start in range(first, stop, block_items):
        count = min(block_items, stop - start)
        if header.is_fortran:
            yield _read_fortran(file, header, start, count)
            continue
        data = file.read(count * item_bytes)
        if len(data) < count * item_bytes:
            raise _ends_early(header, start + len(data) // item_bytes)
        yield np.frombuffer(data, header.dtype).reshape(count, *header.shape[1:])
    if stop == header.items:
        file.seek(header.start + header.items * item_bytes)
        # Reading on to the end is also what makes gzip and zip verify their check sums.
        if file.read(1):
            raise UserInputError(
                f"{header.place}: the file goes on behind the array, {header.described()}: save "
                "one array a file, or several with numpy.savez"
            )


def _read_fortran(file: BinaryIO, header: ArrayHeader, start: int, count: int) -> npt.NDArray[Any]:
    """Returns items whose values lie apart: all first ones, then all second ones, and so on."""
    itemsize = header.dtype.itemsize
    columns = np.empty((header.values_per_item, count), header.dtype)
    for place, column in enumerate(columns):
        file.seek(header.start + (place * header.items + start) * itemsize)
        data = file.read(count * itemsize)
        if len(data) < count * itemsize:
            raise UserInputError(
                f"{header.place}: the file ends early, in its column {place + 1} of "
                f"{header.values_per_item}: {_COPY_AGAIN}"
            )
        column[:] = np.frombuffer(data, header.dtype)
    return columns.reshape(*header.shape[:0:-1], count).transpose()


def _ends_early(header: ArrayHeader, items: int) -> UserInputError:
    return UserInputError(
        f"{header.place}: the file ends after {items} of {header.items} rows: {_COPY_AGAIN}"
    )
