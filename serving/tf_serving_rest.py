"""Routes of TensorFlow Serving's REST API; its clients work unchanged.

See https://www.tensorflow.org/tfx/serving/api_rest.
"""

import base64
import binascii
import dataclasses
import itertools
from collections.abc import Awaitable, Callable, Mapping
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
_VERBS = ("predict",)

Handler = Callable[[Request], Awaitable[Response]]


def tf_serving_routes(directory: PushDirectory, executor: Executor) -> list[BaseRoute]:
    """Returns the routes of `/v1/models/...`.

    Args:
        directory: The models.
        executor: Decodes large requests.
    """
    rest = _TfServingRest(directory, executor)
    model = "/v1/models/{model}"
    routes: list[BaseRoute] = []
    for path in (model, f"{model}/versions/{{version}}", f"{model}/labels/{{label}}"):
        routes += [
            Route(path, rest.status, methods=["GET"]),
            Route(f"{path}/metadata", rest.metadata, methods=["GET"]),
            Route(path, rest.predict, methods=["POST"]),
        ]
    return routes


class _TfServingRest:
    def __init__(self, directory: PushDirectory, executor: Executor) -> None:
        self._directory = directory
        self._executor = executor

    async def status(self, request: Request) -> Response:
        model, version, label = self._named(request)
        return _message(model_status(model, version, label))

    async def metadata(self, request: Request) -> Response:
        model, version, label = self._named(request)
        response, signatures = model_metadata(model.find(version, label))
        # TensorFlow Serving writes the packed message without the name of its type.
        return JSONResponse(
            {
                "model_spec": _as_dict(response.model_spec)
                | {"version": str(response.model_spec.version.value)},
                "metadata": {SIGNATURE_DEF: _as_dict(signatures)},
            }
        )

    async def predict(self, request: Request) -> Response:
        _split_verb(request)
        name = self._directory.known_name(request.path_params["model"])
        with metrics.counted(name, _PROTOCOL, http=True):
            content = await self._answer(request)
        return Response(content, media_type="application/json")

    async def _answer(self, request: Request) -> bytes:
        model, number, label = self._named(request)
        version = model.find(number, label)
        body = await request.body()
        signature, inputs, by_row = await convert_body(
            self._executor, len(body), _decoded, body, version, model.most_rows
        )
        del body
        outputs = await model.predict(version, signature, inputs, _PROTOCOL)
        return answer(outputs, by_row)

    def _named(self, request: Request) -> tuple[ServedModel, int | None, str | None]:
        model = self._directory.find(request.path_params["model"])
        text = request.path_params.get("version")
        number = None if text is None else version_number(text)
        return model, number, request.path_params.get("label")


def _decoded(
    content: bytes, version: LoadedVersion, most_rows: int
) -> tuple[Signature, Arrays, bool]:
    """Returns the requested signature, its inputs, and whether they came row by row."""
    check_amount(content, version, most_rows)
    body = read_body(content)
    signature = version.signature(body.signature_name)
    return signature, read_inputs(body, signature.inputs), body.by_row


def _split_verb(request: Request) -> None:
    """Removes `:predict` from the last part of the path; no verb means predict too."""
    parameters = request.path_params
    last = next(name for name in ("label", "version", "model") if name in parameters)
    parameters[last], _, verb = parameters[last].partition(":")
    if verb and verb not in _VERBS:
        raise NotServedError(f"{verb!r} is not served: only {', '.join(_VERBS)} is")


def _message(message: Message) -> Response:
    return JSONResponse(_as_dict(message))


def _as_dict(message: Message) -> dict[str, object]:
    content: dict[str, object] = MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return content


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
