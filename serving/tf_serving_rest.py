"""Routes of TensorFlow Serving's REST API; its clients work unchanged.

See https://www.tensorflow.org/tfx/serving/api_rest.
"""

import base64
import binascii
import itertools
from collections.abc import Mapping
from concurrent.futures import Executor
from typing import Any

import numpy as np
import orjson
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from serving import metrics
from serving.decoding import check_amount, convert_body, decode_json
from serving.errors import InvalidRequestError, NotServedError
from serving.loaded_version import LoadedVersion, Signature
from serving.served_model import ServedModel, version_number
from serving.tensors import STRING, Arrays, TensorSpec, check_names, numbers
from serving.tf_serving_status import SIGNATURE_DEF, model_metadata, model_status
from serving.watched_directory import PushDirectory

_PROTOCOL = "tf_serving_rest"

_ROW = "instances"
_COLUMN = "inputs"
_KEYS_SHOWN = 5


def tf_serving_routes(directory: PushDirectory, executor: Executor) -> list[BaseRoute]:
    """Returns the routes of `/v1/models/...`.

    Args:
        directory: The models.
        executor: Decodes large requests.
    """

    async def status(request: Request) -> Response:
        return JSONResponse(_as_dict(model_status(*_named(directory, request))))

    async def metadata(request: Request) -> Response:
        model, version, label = _named(directory, request)
        response, signatures = model_metadata(model.find(version, label))
        # TensorFlow Serving writes the packed message without the name of its type.
        return JSONResponse(
            {
                "model_spec": _as_dict(response.model_spec)
                | {"version": str(response.model_spec.version.value)},
                "metadata": {SIGNATURE_DEF: _as_dict(signatures)},
            }
        )

    async def predict(request: Request) -> Response:
        _split_verb(request)
        name = directory.known_name(request.path_params["model"])
        with metrics.counted(name, _PROTOCOL, http=True):
            return Response(await answer(request), media_type="application/json")

    async def answer(request: Request) -> bytes:
        model, number, label = _named(directory, request)
        version = model.find(number, label)
        body = await request.body()
        signature, inputs, by_row = await convert_body(
            executor, len(body), _decoded, body, version, model.most_rows
        )
        del body
        return _encoded(await model.predict(version, signature, inputs, _PROTOCOL), by_row)

    model = "/v1/models/{model}"
    routes: list[BaseRoute] = []
    for path in (model, f"{model}/versions/{{version}}", f"{model}/labels/{{label}}"):
        routes += [
            Route(path, status, methods=["GET"]),
            Route(f"{path}/metadata", metadata, methods=["GET"]),
            Route(path, predict, methods=["POST"]),
        ]
    return routes


def _named(
    directory: PushDirectory, request: Request
) -> tuple[ServedModel, int | None, str | None]:
    """Returns the model, version and label that a path names."""
    model = directory.find(request.path_params["model"])
    text = request.path_params.get("version")
    number = None if text is None else version_number(text)
    return model, number, request.path_params.get("label")


def _split_verb(request: Request) -> None:
    """Removes `:predict` from the last part of the path; no verb means predict too."""
    parameters = request.path_params
    last = next(name for name in ("label", "version", "model") if name in parameters)
    parameters[last], _, verb = parameters[last].partition(":")
    if verb not in ("", "predict"):
        raise NotServedError(f"{verb!r} is not served: only predict is")


def _as_dict(message: Message) -> dict[str, object]:
    content: dict[str, object] = MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return content


def _decoded(body: bytes, version: LoadedVersion, most_rows: int) -> tuple[Signature, Arrays, bool]:
    """Returns the requested signature, its inputs, and whether they came row by row.

    Raises:
        InvalidRequestError: The body is not a request, or does not fit the signature.
        TooLargeError: It holds more than `most_rows` examples can have.
    """
    check_amount(body, version, most_rows)
    values = decode_json(body)
    by_row = _is_by_row(values)
    name = values.get("signature_name")
    if name is not None and not isinstance(name, str):
        raise InvalidRequestError("signature_name: expected text")
    content = values[_ROW if by_row else _COLUMN]
    if by_row and not isinstance(content, list):
        raise InvalidRequestError(f"{_ROW!r}: expected a list")
    if by_row and not content:
        raise InvalidRequestError(f"{_ROW!r}: the batch is empty")
    signature = version.signature(name or None)
    specs = signature.inputs
    columns = _columns_of_rows(content, specs) if by_row else _columns(content, specs)
    check_names(specs, columns)
    # NumPy would convert booleans to numbers.
    may_hold_booleans = b"true" in body or b"false" in body
    inputs = {name: _array(spec, columns[name], may_hold_booleans) for name, spec in specs.items()}
    return signature, inputs, by_row


def _is_by_row(values: Any) -> bool:
    """Returns whether a request, and so its answer, is by row.

    Raises:
        InvalidRequestError: It is not an object with either `instances` or `inputs`.
    """
    if not isinstance(values, dict):
        raise InvalidRequestError(f"expected a JSON object, got {type(values).__name__}")
    if (_ROW in values) == (_COLUMN in values):
        # Unknown keys are ignored, as by TensorFlow Serving.
        got = ", ".join(repr(key[:40]) for key in itertools.islice(values, _KEYS_SHOWN))
        raise InvalidRequestError(
            f"expected exactly one of {_ROW!r} and {_COLUMN!r}, got {got or 'no key'}"
        )
    return _ROW in values


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


def _encoded(outputs: Arrays, by_row: bool) -> bytes:
    """Returns the body of an answer; the values of a single output are written without its name."""
    plain = {name: _plain(name, array) for name, array in outputs.items()}
    content: Any = plain if len(plain) > 1 else next(iter(plain.values()))
    if by_row and len(plain) > 1:
        rows = zip(*plain.values(), strict=True)
        content = [dict(zip(plain, row, strict=True)) for row in rows]
    return orjson.dumps(
        {"predictions" if by_row else "outputs": content}, option=orjson.OPT_SERIALIZE_NUMPY
    )
