"""The Open Inference Protocol's routes of one model, with and without a version."""

from collections.abc import Mapping
from concurrent.futures import Executor
from http import HTTPStatus
from typing import Any

import orjson
from kserve import InferRequest
from kserve.errors import ModelNotReady
from kserve.protocol.rest.v2_datamodels import InferenceRequest, InferenceResponse
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from serving.decoding import check_amount, convert_body, decode_json
from serving.errors import InvalidRequestError
from serving.open_inference import OpenInferenceModel, PushDirectoryDataPlane

_JSON_LENGTH = "inference-header-content-length"


def open_inference_routes(
    data_plane: PushDirectoryDataPlane, executor: Executor
) -> list[BaseRoute]:
    """Returns the routes of `/v2/models/MODEL`.

    KServe's own routes accept JSON only with its content type, which many clients do not send,
    and have no versions.

    Args:
        data_plane: The models.
        executor: Decodes large requests.
    """

    def found(request: Request) -> OpenInferenceModel:
        parameters = request.path_params
        return data_plane.find(parameters["model"], parameters.get("version", ""))

    async def found_ready(request: Request) -> OpenInferenceModel:
        model = found(request)
        if not await model.healthy():
            raise ModelNotReady(model.name)
        return model

    async def metadata(request: Request) -> Response:
        return _json(found(request).metadata())

    async def ready(request: Request) -> Response:
        model = await found_ready(request)
        return _json({"name": model.name, "ready": True})

    async def infer(request: Request) -> Response:
        model = await found_ready(request)
        body = await request.body()
        asked = await convert_body(
            executor, len(body), _decoded, body, request.headers, model, data_plane
        )
        del body
        answered, _ = await model(asked)
        content, json_length = answered.to_rest()
        if json_length is not None:
            headers = {_JSON_LENGTH: str(json_length)}
            return Response(content, headers=headers, media_type="application/octet-stream")
        return _json(InferenceResponse.model_validate(content).model_dump())

    routes: list[BaseRoute] = []
    for path in ("/v2/models/{model}", "/v2/models/{model}/versions/{version}"):
        routes += [
            Route(path, metadata, methods=["GET"]),
            Route(f"{path}/ready", ready, methods=["GET"]),
            Route(f"{path}/infer", infer, methods=["POST"]),
        ]
    return routes


def _decoded(
    body: bytes,
    headers: Mapping[str, str],
    model: OpenInferenceModel,
    data_plane: PushDirectoryDataPlane,
) -> InferRequest:
    json_length = headers.get(_JSON_LENGTH)
    json_part = body if json_length is None else body[: _length(json_length, body)]
    check_amount(json_part, model.version, model.most_rows)
    values = decode_json(json_part)
    binary = json_length is not None
    try:
        checked = InferenceRequest.model_validate(
            _with_data(values) if binary else values, strict=binary
        )
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in ("body", *first["loc"]))
        raise InvalidRequestError(f"{where}: {first['msg']}"[:300]) from error
    model.check_declared(checked.parameters, checked.inputs)
    return data_plane.decode_inference_request(body if binary else checked, headers, model.name)


def _length(text: str, body: bytes) -> int:
    if not (text.isascii() and text.isdecimal() and int(text[:20]) <= len(body)):
        raise InvalidRequestError(
            f"{_JSON_LENGTH} {text[:40]!r}: expected the bytes of the JSON, at most {len(body)}"
        )
    return int(text)


def _with_data(values: Any) -> Any:
    """Returns the request with a `data` key in each input, which KServe's data model requires."""
    if not isinstance(values, dict) or not isinstance(values.get("inputs"), list):
        return values
    inputs = [
        {"data": []} | given if isinstance(given, dict) else given for given in values["inputs"]
    ]
    return values | {"inputs": inputs}


def _json(content: Any) -> Response:
    return Response(orjson.dumps(content), HTTPStatus.OK, media_type="application/json")
