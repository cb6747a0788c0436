"""NumPy's arrays as a series: [moments] or [moments, channels]."""

import contextlib
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from data.formats.columns import Column
from data.formats.content import BLOCK_BYTES, open_content
from data.formats.npy_array import ArrayHeader, read_header, read_items
from data.formats.zipped_arrays import array_names, open_array
from data.series.cells import to_samples
from data.series.columns import FIRST_ROWS, SeriesColumns
from data.series.samples import Reject, Samples
from pipeline_config import SignalData, UserInputError


class NumpyFile:
    """An `.npy`, or the arrays of an `.npz` that `data.arrays` names: samples, and labels.

    Labels of an `.npz` are a column behind the channels.

    Args:
        path: On any file system that Beam supports.
        data: `arrays` and `label` count.
        is_archive: Whether it is an `.npz`.
        block_bytes: Bytes of samples read at a time.
        reject: Is called with each row that cannot be read; None to raise.
    """

    def __init__(
        self,
        path: str,
        data: SignalData,
        *,
        is_archive: bool,
        block_bytes: int = BLOCK_BYTES,
        reject: Reject | None = None,
    ) -> None:
        self._path = path
        self._reject = reject
        self._block_bytes = block_bytes
        self._names: list[str | None] = [None]
        if is_archive:
            self._names = list(self._arrays(data))
        self._headers = [self._header(name) for name in self._names]
        self._require_series()

    def columns(self) -> list[Column]:
        """Returns the columns, with the first values as text."""
        count = min(FIRST_ROWS, self.count())
        first, *_ = self._blocks(count, count)
        columns = (column for array in first for column in _numbers(array).T)
        cells = [[str(value) for value in column.tolist()] for column in columns]
        names = [self._name_of(place) for place in range(len(cells))]
        return [
            Column(place, name, column)
            for place, (name, column) in enumerate(zip(names, cells, strict=True))
        ]

    def count(self) -> int:
        """Returns how many samples the file has."""
        return self._headers[0].items

    def read(self, columns: SeriesColumns) -> Iterator[Samples]:
        """Yields the samples.

        Raises:
            UserInputError: The file ends early.
        """
        start, bytes_a_row = 0, max(1, self._headers[0].values_per_item * 8)
        for arrays in self._blocks(self.count(), max(1, self._block_bytes // bytes_a_row)):
            rows = np.arange(start + 1, start + 1 + len(arrays[0]), dtype=np.int64)
            flat = [column for array in arrays for column in array.T]
            values = np.stack([flat[place] for place in columns.channels], axis=1)
            times = None if columns.time is None else flat[columns.time]
            labels = None if columns.label is None else flat[columns.label]
            if labels is not None and labels.dtype.kind not in "US":
                labels = labels.astype(np.float64)
            path, reject = self._path, self._reject
            yield to_samples(path, columns, start, rows, values, times, labels, reject=reject)
            start += len(rows)

    def _arrays(self, data: SignalData) -> Iterator[str]:
        found = array_names(self._path)
        samples, *labels = data.arrays
        if samples not in found:
            only = len(found) == 1
            advice = found[0] if only else "NAME,NAME"
            raise UserInputError(
                f"{self._path}: there is no array {samples!r}, but {', '.join(found) or 'none'}: "
                f"--set data.arrays={advice} names the samples"
                + ("" if only else " and the labels")
            )
        yield samples
        yield from (name for name in labels if data.is_labelled and name in found)

    def _header(self, name: str | None) -> ArrayHeader:
        with self._open(name) as file:
            return read_header(
                file, self._path if name is None else f"{self._path}, array {name!r}"
            )

    def _require_series(self) -> None:
        samples, *labels = self._headers
        for header, kinds in ((samples, "biuf"), *((label, "biufUS") for label in labels)):
            if header.dtype.kind not in kinds:
                raise UserInputError(
                    f"{header.place}: {header.described()}: give an array of numbers"
                )
        if len(samples.shape) > 2:
            raise UserInputError(
                f"{samples.place}: {samples.described()} are windows that are cut already: "
                "--set data.series=false, or give a series, [moments] or [moments, channels]"
            )
        for label in labels:
            if label.shape != (samples.items,):
                raise UserInputError(
                    f"{label.place}: {label.described()}, but there are {samples.items} samples: "
                    "give one label a sample, or --set data.label=none"
                )

    def _name_of(self, place: int) -> str | None:
        is_label = place == self._headers[0].values_per_item and self._names[-1] is not None
        return str(self._names[-1]).lower() if is_label else None

    def _blocks(self, stop: int, rows: int) -> Iterator[list[npt.NDArray[Any]]]:
        """Yields a block of each array, [rows, columns]; samples first."""
        with contextlib.ExitStack() as stack:
            parts = [
                read_items(
                    stack.enter_context(self._open(name, at_random=header.is_fortran)),
                    header,
                    0,
                    stop,
                    rows,
                )
                for name, header in zip(self._names, self._headers, strict=True)
            ]
            for arrays in zip(*parts, strict=True):
                yield [array.reshape(len(array), -1) for array in arrays]

    @contextlib.contextmanager
    def _open(self, name: str | None, *, at_random: bool = False) -> Iterator[BinaryIO]:
        if name is None:
            with open_content(self._path) as file:
                yield file
        else:
            with open_array(self._path, name, at_random=at_random) as file:
                yield file


def _numbers(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return array.astype(np.uint8) if array.dtype.kind == "b" else array
