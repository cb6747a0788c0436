"""NumPy's files: `.npy`, one array, and `.npz`, several with names.

Rows are the array's items: [rows, samples] or [rows, samples, channels]. Labels are an array of
their own in an `.npz`, or the first or last of the values of each row.
"""

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from data.formats.content import BLOCK_BYTES, open_content
from data.formats.labels import LabelRule, class_names, is_class
from data.formats.npy_array import ArrayHeader, read_header, read_items
from data.formats.rows import Block, Rows, no_labels
from data.formats.samples import as_float32, finite_rows, shape_fault
from data.formats.zipped_arrays import array_names, is_stored, open_array
from pipeline_config import SignalData, UserInputError

_ROWS_JUDGED = 100


@dataclasses.dataclass(frozen=True)
class NumpyFile:
    """A file of arrays whose rows are examples.

    Attributes:
        path: The file.
        samples: Header of the array with the samples.
        names: Names of the arrays with the samples and, behind it, with the labels if they are
            read, in an `.npz`; none in an `.npy`.
        labels: Header of the array with the labels; None if they are no array of their own.
        label_column: Place of the label among the values of each row, 0 or -1; None if it is not
            there.
        rule: Which classes are normal; None if labels are not read.
        shape: Shape of one example.
        has_middle: Whether rows can be read without those before.
    """

    path: str
    samples: ArrayHeader
    names: tuple[str, ...]
    labels: ArrayHeader | None
    label_column: int | None
    rule: LabelRule | None
    shape: tuple[int, ...]
    has_middle: bool

    @property
    def rows(self) -> int:
        """Rows in the file."""
        return self.samples.items

    @property
    def row_bytes(self) -> int:
        """Bytes of one row as float32."""
        return 4 * self.samples.values_per_item

    @property
    def notice(self) -> str | None:
        """None: every row is read."""
        return None

    def read(
        self, first: int = 0, stop: int | None = None, block_bytes: int = BLOCK_BYTES
    ) -> Iterator[Block]:
        """Yields rows in file order.

        Args:
            first: Index of the first row.
            stop: Index of the row to stop before; None reads to the end and checks that it is one.
            block_bytes: Bytes of float32 samples read at a time.

        Raises:
            UserInputError: The file is shorter or longer than it says, or damaged.
        """
        end = self.rows if stop is None else min(stop, self.rows)
        count = max(1, block_bytes // self.row_bytes)
        headers = [self.samples, *([self.labels] if self.labels else [])]
        at_random = first > 0 or end < self.rows
        with contextlib.ExitStack() as stack:
            arrays = []
            for index, header in enumerate(headers):
                name = self.names[index] if self.names else None
                opened = _open(self.path, name, at_random=at_random or header.is_fortran)
                file = stack.enter_context(opened)
                arrays.append(read_items(file, header, first, end, count))
            for values, *classes in zip(*arrays, strict=True):
                yield self._block(first, values, *classes)
                first += len(values)

    def _block(
        self, first: int, values: npt.NDArray[Any], classes: npt.NDArray[Any] | None = None
    ) -> Block:
        numbers = np.arange(first + 1, first + 1 + len(values), dtype=np.int64)
        if self.label_column is not None:
            classes = values[:, self.label_column]
            values = values[:, 1:] if self.label_column == 0 else values[:, :-1]
        samples = as_float32(values).reshape(len(values), *self.shape)
        good, rejected = finite_rows(samples, numbers)
        names, labels = None, no_labels(len(values))
        if self.rule is not None and classes is not None:
            names = class_names(_as_cells(classes))
            labels = self.rule.labels_of(names)
        rows = Rows(numbers, samples, labels, names)
        return Block(self.path, rows if not rejected else rows[good], tuple(rejected))


def find_numpy(
    path: str, data: SignalData, *, is_archive: bool, is_gzip: bool, scoring: bool
) -> NumpyFile:
    """Returns what a file of NumPy's holds.

    Args:
        path: On any file system that Beam supports.
        data: What the file is said to hold.
        is_archive: Whether it is an `.npz`, by its content.
        is_gzip: Whether it is compressed with gzip.
        scoring: Whether its rows are only scored, so that it may lack labels.

    Raises:
        UserInputError: The file is damaged, lacks an array, or its arrays are of another shape or
            type; the message names the setting that helps.
    """
    if data.drop:
        raise UserInputError(
            f"{path}: the columns of a NumPy array cannot be left out by "
            f"{'--drop-column' if scoring else 'data.drop'}: save the array without them "
            "(numpy.delete(x, columns, axis=1))"
        )
    names = _find_names(path, data, scoring=scoring) if is_archive else ()
    with _open(path, names[0] if names else None, at_random=False) as file:
        samples = read_header(file, _place(path, names[:1]))
    _check_samples(samples)
    labels, column = None, None
    if len(names) > 1:
        with _open(path, names[1], at_random=False) as file:
            labels = read_header(file, _place(path, names[1:]))
        _check_labels(labels, samples)
        shape = samples.shape[1:]
    else:
        # Labels of a name are an array, which this archive lacks: see `_find_names`.
        own = not (is_archive and len(data.arrays) > 1)
        shape, column = _without_label(samples, data, scoring=scoring, own_column=own)
        if column is not None and not scoring:
            _require_classes(path, names, samples, column, data)
    if fault := shape_fault(shape, data, scoring=scoring):
        if column is not None and not scoring:
            fault += (
                f", or, if the {data.label} value is not the label, "
                f"--set data.length={shape[0] + 1} --set data.label=none"
            )
        raise UserInputError(f"{samples.place}: {fault}")
    if not samples.items:
        raise UserInputError(f"{samples.place}: there are no rows in it: give one or more")
    has_middle = is_stored(path, names) if is_archive else not is_gzip
    if samples.is_fortran and not has_middle:
        raise UserInputError(
            f"{samples.place}: the array is compressed and in Fortran order, so that it cannot be "
            "read row by row: save numpy.ascontiguousarray(x), or do not compress it"
        )
    rule = LabelRule.from_data(data) if not scoring and data.is_labelled else None
    return NumpyFile(path, samples, names, labels, column, rule, data.shape, has_middle)


def _require_classes(
    path: str, names: Sequence[str], samples: ArrayHeader, column: int, data: SignalData
) -> None:
    """Checks that the values said to be labels are such, in the first rows."""
    with _open(path, names[0] if names else None, at_random=samples.is_fortran) as file:
        # A file that cannot go back is opened anew, and its header read again.
        read_header(file, samples.place)
        head = next(read_items(file, samples, 0, samples.items, _ROWS_JUDGED), None)
    if head is None:
        return
    cells = head[:, column].tolist()
    if other := next((cell for cell in cells if not is_class(repr(cell))), None):
        width = head.shape[1]
        length = f"--set data.length={width} " if width != data.length else ""
        raise UserInputError(
            f"{samples.place}: the {data.label} value of each row, such as {other:g}, is no label: "
            f"{length}--set data.label=none"
        )


def _open(
    path: str, name: str | None, *, at_random: bool
) -> contextlib.AbstractContextManager[BinaryIO]:
    return open_content(path) if name is None else open_array(path, name, at_random=at_random)


def _place(path: str, names: Sequence[str]) -> str:
    return f"{path}, array {names[0]}" if names else path


def _find_names(path: str, data: SignalData, *, scoring: bool) -> tuple[str, ...]:
    """Returns the names of the arrays of samples and, if they are to be read, of labels."""
    if not 1 <= len(data.arrays) <= 2:
        raise UserInputError(
            f"data.arrays={','.join(data.arrays)}: expected the names of the arrays of samples and "
            "of labels, such as x,y, or of that of samples alone"
        )
    there = array_names(path)
    samples, *labels = data.arrays
    wanted = [samples, *(labels if data.is_labelled and not scoring else [])]
    if scoring and samples not in there and len(there) == 1:
        return (there[0],)
    missing = [name for name in wanted if name not in there]
    if not missing:
        return tuple(wanted)
    named = ", ".join(there) or "nothing"
    if scoring:
        raise UserInputError(
            f"{path}: the model was trained on an array {samples}, which is not in the archive, "
            f"but {named}: save the samples under this name"
        )
    others = [name for name in there if name not in wanted]
    found = iter(others)
    choice = ",".join(next(found, name) if name in missing else name for name in wanted)
    unlabelled = ", or, without labels, --set data.label=none" if missing == labels else ""
    raise UserInputError(
        f"{path}: there is no array {missing[0]} in the archive, but {named}: "
        f"--set data.arrays={choice if others else 'NAME,NAME'}{unlabelled}"
    )


def _check_samples(header: ArrayHeader) -> None:
    if header.dtype.kind not in "iufb":
        raise UserInputError(
            f"{header.place}: the array is {header.described()}, which are not real numbers: save "
            "it as float32 (x.astype('float32'))"
        )
    if len(header.shape) not in (2, 3):
        raise UserInputError(
            f"{header.place}: the array is {header.described()}: give [rows, samples] or "
            "[rows, samples, channels]"
        )


def _check_labels(labels: ArrayHeader, samples: ArrayHeader) -> None:
    if labels.values_per_item != 1:
        raise UserInputError(
            f"{labels.place}: the labels are {labels.described()}: give one a row (of one-hot "
            "labels numpy.argmax(y, axis=1))"
        )
    if labels.dtype.kind not in "iufbUS":
        raise UserInputError(
            f"{labels.place}: the labels are {labels.described()}: give numbers or text "
            "(y.astype(str))"
        )
    if labels.items != samples.items:
        raise UserInputError(
            f"{labels.place}: there are {labels.items} labels for {samples.items} rows of samples: "
            "give arrays that belong together"
        )


def _without_label(
    samples: ArrayHeader, data: SignalData, *, scoring: bool, own_column: bool
) -> tuple[tuple[int, ...], int | None]:
    """Returns the shape of each row without its label, and the label's place among its values."""
    shape = samples.shape[1:]
    if not data.is_labelled or not own_column:
        return shape, None
    if len(shape) == 1 and data.label in ("first", "last"):
        (width,) = shape
        if width == data.length + 1 or not (scoring or width == data.length):
            return (width - 1,), 0 if data.label == "first" else -1
    if scoring:
        return shape, None
    raise UserInputError(
        f"{samples.place}: the array is {samples.described()}, without room for data.label="
        f"{data.label}: --set data.label=none, or save the labels beside it "
        "(numpy.savez(file, x=x, y=y))"
    )


def _as_cells(labels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Returns labels as numbers or text, [n]."""
    flat = labels.reshape(len(labels))
    if flat.dtype.kind == "S":
        return np.char.decode(flat, errors="replace")
    return flat.astype(np.int64) if flat.dtype.kind == "b" else flat
