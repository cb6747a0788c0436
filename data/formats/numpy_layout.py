"""What the arrays of a file of NumPy's are: samples, labels beside them or among them."""

from collections.abc import Sequence

from data.formats.channels import pick_channels
from data.formats.columns import Column
from data.formats.label_column import label_column_fault
from data.formats.labels import LabelRule
from data.formats.npy_array import ArrayHeader, read_header, read_items
from data.formats.numpy_file import NumpyFile, open_one
from data.formats.samples import shape_fault
from data.formats.zipped_arrays import array_names, is_stored
from pipeline_config import SignalData, UserInputError

_ROWS_JUDGED = 100


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
    with open_one(path, names[0] if names else None, at_random=False) as file:
        samples = read_header(file, _place(path, names[:1]))
    _check_samples(samples)
    has_middle = is_stored(path, names) if is_archive else not is_gzip
    if samples.is_fortran and not has_middle:
        raise UserInputError(
            f"{samples.place}: the array is compressed and in Fortran order, so that it cannot be "
            "read row by row: save numpy.ascontiguousarray(x), or do not compress it"
        )
    if not samples.items:
        raise UserInputError(f"{samples.place}: there are no rows in it: give one or more")
    labels, column, shape = None, None, samples.shape[1:]
    if len(names) > 1:
        with open_one(path, names[1], at_random=False) as file:
            labels = read_header(file, _place(path, names[1:]))
        _check_labels(labels, samples)
    elif not (is_archive and len(data.arrays) > 1):
        column = _find_label(path, names, samples, data, scoring=scoring)
        shape = shape if column is None else (shape[0] - 1,)
    channels: tuple[int, ...] = ()
    if data.channel:
        count = shape[1] if len(shape) == 2 else 1
        channels = tuple(pick_channels([""] * count, data, samples.place))
        shape = (shape[0], len(channels))
    if fault := shape_fault(shape, data, scoring=scoring):
        raise UserInputError(f"{samples.place}: {fault}")
    rule = LabelRule.from_data(data) if not scoring and data.is_labelled else None
    return NumpyFile(path, samples, names, labels, column, channels, rule, data.shape, has_middle)


def _find_label(
    path: str,
    names: Sequence[str],
    samples: ArrayHeader,
    data: SignalData,
    *,
    scoring: bool,
) -> int | None:
    """Returns the label's place among the values of each row, 0 or -1; None if it is not there."""
    shape, is_at_an_end = samples.shape[1:], data.label in ("first", "last")
    place = 0 if data.label == "first" else -1
    if scoring:
        return place if is_at_an_end and shape == (data.length + 1,) else None
    if data.is_labelled and not (is_at_an_end and len(shape) == 1):
        raise UserInputError(
            f"{samples.place}: the array is {samples.described()}, without room for data.label="
            f"{data.label}: --set data.label=none, or save the labels beside it "
            "(numpy.savez(file, x=x, y=y))"
        )
    if len(shape) > 1 or not shape[0]:
        return None
    if fault := label_column_fault(_first_columns(path, names, samples), data):
        raise UserInputError(f"{samples.place}: {fault}")
    return place if data.is_labelled else None


def _first_columns(path: str, names: Sequence[str], samples: ArrayHeader) -> list[Column]:
    count = min(_ROWS_JUDGED, samples.items)
    name = names[0] if names else None
    opened = open_one(path, name, at_random=samples.is_fortran)
    with opened as file:
        head = next(read_items(file, samples, 0, count, count))
    return [
        Column(place, None, [str(value) for value in column])
        for place, column in enumerate(head.astype(float).T.tolist())
    ]


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
