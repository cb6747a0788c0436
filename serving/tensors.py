"""Specifications of a signature's tensors, and checks of a request's arrays against them."""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from serving.errors import InvalidRequestError, too_many_examples

Arrays = Mapping[str, np.ndarray]
"""Name of a tensor -> array with the examples along its first axis."""

_NAMES_SHOWN = 20

STRING = np.dtype(object)
"""Strings are arrays of `bytes`."""


@dataclasses.dataclass(frozen=True)
class TensorSpec:
    """One input or output of a signature.

    Attributes:
        name: Its name in the signature.
        dtype: NumPy's type; `object` for strings.
        shape: Sizes; None for an axis of any size.
    """

    name: str
    dtype: np.dtype[Any]
    shape: tuple[int | None, ...]

    def __str__(self) -> str:
        sizes = ("N" if size is None else str(size) for size in self.shape)
        return f"{self.type_name} [{', '.join(sizes)}]"

    @property
    def type_name(self) -> str:
        """Name of the type for a message: NumPy's, or `string`."""
        return "string" if self.dtype == STRING else self.dtype.name


def check_inputs(specs: Mapping[str, TensorSpec], given: Arrays) -> int:
    """Checks the inputs of one request.

    Args:
        specs: The signature's inputs.
        given: Arrays, with the types of the specs.

    Returns:
        Number of examples, at least 1.

    Raises:
        InvalidRequestError: A name, type, shape or value is not what the model takes.
    """
    check_names(specs, given)
    rows: set[int] = set()
    for name, spec in specs.items():
        rows.add(_check_array(spec, given[name]))
    if len(rows) > 1:
        raise InvalidRequestError(f"the inputs differ in their number of examples: {sorted(rows)}")
    (count,) = rows
    return count


def check_shape(spec: TensorSpec, shape: Sequence[int], most_rows: int | None = None) -> None:
    """Checks a declared shape, before an array of it is made.

    Args:
        spec: What the signature takes.
        shape: Sizes.
        most_rows: Bound of the first axis; None if it is checked later.

    Raises:
        InvalidRequestError: It is not the signature's.
        TooLargeError: The first axis is longer than `most_rows`.
    """
    fits = len(shape) == len(spec.shape) and all(
        size >= 0 and expected in (None, size)
        for expected, size in zip(spec.shape, shape, strict=True)
    )
    if len(shape) and shape[0] == 0:
        raise InvalidRequestError(f"input {spec.name!r}: the batch is empty")
    if not fits:
        raise InvalidRequestError(
            f"input {spec.name!r}: expected {spec}, got shape {list(shape)[:8]}"
        )
    if most_rows is not None and shape[0] > most_rows:
        raise too_many_examples(shape[0], most_rows)


def check_names(specs: Mapping[str, TensorSpec], given: Mapping[str, Any]) -> None:
    """Checks that a request has exactly the signature's inputs.

    Raises:
        InvalidRequestError: One is missing or unknown.
    """
    if given.keys() != specs.keys():
        raise InvalidRequestError(
            f"expected the inputs {_listed(specs)}, got {_listed(given) or 'none'}"
        )


def numbers(spec: TensorSpec, values: Any) -> np.ndarray:
    """Converts numbers decoded from JSON to the signature's type.

    Raises:
        InvalidRequestError: They are ragged, or not numbers, or not of the right kind.
    """
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise InvalidRequestError(
            f"input {spec.name!r}: expected {spec}, got rows of different lengths"
        ) from error
    kinds = {"f": "fiu", "i": "iu", "u": "iu", "b": "b"}[spec.dtype.kind]
    if array.size and array.dtype.kind not in kinds:
        raise InvalidRequestError(f"input {spec.name!r}: expected {spec}, got {_described(array)}")
    # A number that is too large becomes infinite here, and is refused for that.
    with np.errstate(over="ignore"):
        return array.astype(spec.dtype)


def _check_array(spec: TensorSpec, array: np.ndarray) -> int:
    if array.dtype != spec.dtype:
        raise InvalidRequestError(f"input {spec.name!r}: expected {spec}, got {array.dtype}")
    check_shape(spec, array.shape)
    if spec.dtype.kind == "f" and not np.isfinite(array).all():
        row = int(np.argwhere(~np.isfinite(array))[0][0])
        raise InvalidRequestError(
            f"input {spec.name!r}: example {row} holds NaN or a number out of float32's range"
        )
    return int(array.shape[0])


def _described(array: np.ndarray) -> str:
    return {"b": "booleans", "U": "text", "S": "text", "c": "complex numbers"}.get(
        array.dtype.kind, "null, objects, or rows of different lengths"
    )


def _listed(names: Mapping[str, Any]) -> str:
    shown = [repr(name) for name in itertools.islice(names, _NAMES_SHOWN)]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
