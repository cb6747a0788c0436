"""JSON of TensorFlow Serving's REST API to arrays and back.

See https://www.tensorflow.org/tfx/serving/api_rest#predict_api.
"""

import base64
import binascii
import dataclasses
import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson

from serving.errors import InvalidRequestError
from serving.request_json import decode_json
from serving.tensors import STRING, TensorSpec, check_names, numbers

_ROW = "instances"
_COLUMN = "inputs"
_KEYS_SHOWN = 5


@dataclasses.dataclass(frozen=True)
class PredictBody:
    """A decoded request.

    Attributes:
        signature_name: Which signature; None for the default one.
        by_row: Whether it has `instances`, so that the answer is by row too.
        content: The value of that key.
        may_hold_booleans: Whether `true` or `false` occurs; NumPy would convert them to numbers.
    """

    signature_name: str | None
    by_row: bool
    content: Any
    may_hold_booleans: bool


def read_body(body: bytes) -> PredictBody:
    """Decodes a request.

    Raises:
        InvalidRequestError: It is not JSON, or not an object with `instances` or `inputs`.
    """
    values = decode_json(body)
    if not isinstance(values, dict):
        raise InvalidRequestError(f"expected a JSON object, got {type(values).__name__}")
    if (_ROW in values) == (_COLUMN in values):
        # Unknown keys are ignored, as by TensorFlow Serving.
        got = ", ".join(repr(key[:40]) for key in itertools.islice(values, _KEYS_SHOWN))
        raise InvalidRequestError(
            f"expected exactly one of {_ROW!r} and {_COLUMN!r}, got {got or 'no key'}"
        )
    signature_name = values.get("signature_name")
    if signature_name is not None and not isinstance(signature_name, str):
        raise InvalidRequestError("signature_name: expected text")
    by_row = _ROW in values
    content = values[_ROW] if by_row else values[_COLUMN]
    if by_row and not isinstance(content, list):
        raise InvalidRequestError(f"{_ROW!r}: expected a list")
    if by_row and not content:
        raise InvalidRequestError(f"{_ROW!r}: the batch is empty")
    return PredictBody(
        signature_name=signature_name or None,
        by_row=by_row,
        content=content,
        may_hold_booleans=b"true" in body or b"false" in body,
    )


def read_inputs(body: PredictBody, specs: Mapping[str, TensorSpec]) -> dict[str, np.ndarray]:
    """Returns the request's values as arrays of the signature's inputs.

    Raises:
        InvalidRequestError: Names or values are not what the signature takes.
    """
    columns = (
        _columns_of_rows(body.content, specs) if body.by_row else _columns(body.content, specs)
    )
    check_names(specs, columns)
    return {
        name: _array(spec, columns[name], body.may_hold_booleans) for name, spec in specs.items()
    }


def answer(outputs: Mapping[str, np.ndarray], by_row: bool) -> bytes:
    """Encodes outputs; the values of a single output are written without its name."""
    plain = {name: _plain(name, array) for name, array in outputs.items()}
    if not by_row:
        return _encoded({"outputs": plain if len(plain) > 1 else next(iter(plain.values()))})
    if len(plain) == 1:
        return _encoded({"predictions": next(iter(plain.values()))})
    rows = zip(*plain.values(), strict=True)
    return _encoded({"predictions": [dict(zip(plain, row, strict=True)) for row in rows]})


def _columns_of_rows(rows: list[Any], specs: Mapping[str, TensorSpec]) -> dict[str, Any]:
    if not all(_is_named(row) for row in rows):
        if any(_is_named(row) for row in rows):
            raise InvalidRequestError("instances: some are objects of named inputs, some are not")
        if len(specs) > 1:
            raise InvalidRequestError(
                f"instances: expected objects with the inputs {', '.join(specs)}"
            )
        return {next(iter(specs)): rows}
    names = rows[0].keys()
    for number, row in enumerate(rows):
        if row.keys() != names:
            raise InvalidRequestError(f"instance {number} has other inputs than instance 0")
    return {name: [row[name] for row in rows] for name in names}


def _columns(content: Any, specs: Mapping[str, TensorSpec]) -> dict[str, Any]:
    if _is_named(content):
        return dict(content)
    if len(specs) > 1:
        raise InvalidRequestError(f"inputs: expected an object with {', '.join(specs)}")
    return {next(iter(specs)): content}


def _is_named(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() != {"b64"}


def _array(spec: TensorSpec, values: Any, may_hold_booleans: bool) -> np.ndarray:
    if spec.dtype == STRING:
        return _strings(spec, values)
    if may_hold_booleans and spec.dtype.kind != "b" and _holds_boolean(values):
        raise InvalidRequestError(f"input {spec.name!r}: expected {spec}, got booleans")
    return numbers(spec, values)


def _holds_boolean(values: Any) -> bool:
    if isinstance(values, list):
        return any(_holds_boolean(value) for value in values)
    return isinstance(values, bool)


def _strings(spec: TensorSpec, values: Any) -> np.ndarray:
    if len(spec.shape) != 1 or not isinstance(values, list):
        raise InvalidRequestError(f"input {spec.name!r}: expected a list, for {spec}")
    array = np.empty(len(values), STRING)
    for number, value in enumerate(values):
        array[number] = _bytes(spec, value)
    return array


def _bytes(spec: TensorSpec, value: Any) -> bytes:
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, dict) and value.keys() == {"b64"} and isinstance(value["b64"], str):
        try:
            return base64.b64decode(value["b64"], validate=True)
        except binascii.Error as error:
            raise InvalidRequestError(f"input {spec.name!r}: not base64: {error}") from error
    raise InvalidRequestError(
        f'input {spec.name!r}: expected text or {{"b64": "..."}}, got {type(value).__name__}'
    )


def _plain(name: str, array: np.ndarray) -> Any:
    if array.dtype != STRING:
        return np.ascontiguousarray(array)
    if name.endswith("_bytes"):
        return [{"b64": base64.b64encode(value).decode()} for value in array]
    return [value.decode(errors="replace") for value in array]


def _encoded(content: Any) -> bytes:
    return orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)
