"""Routes of TensorFlow Serving's REST API; its clients work unchanged.

See https://www.tensorflow.org/tfx/serving/api_rest.
"""

from collections.abc import Awaitable, Callable
from concurrent.futures import Executor

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from serving import metrics
from serving.errors import NotServedError
from serving.large_requests import convert_body
from serving.loaded_version import LoadedVersion, Signature
from serving.request_json import check_amount
from serving.served_model import ServedModel, version_number
from serving.tensors import Arrays
from serving.tf_serving_json import answer, read_body, read_inputs
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
