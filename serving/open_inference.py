"""The Open Inference Protocol v2, through KServe's own protocol handling."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from kserve import InferInput, InferOutput, InferRequest, InferResponse, Model, ModelRepository
from kserve.errors import InferenceError, InvalidInput
from kserve.protocol.dataplane import DataPlane
from kserve.protocol.model_repository_extension import ModelRepositoryExtension
from kserve.utils.utils import from_np_dtype, generate_uuid

from serving import metrics
from serving.errors import InvalidRequestError, RequestError
from serving.loaded_version import LoadedVersion, Signature
from serving.served_model import ServedModel
from serving.tensors import STRING, TensorSpec, check_shape, numbers
from serving.watched_directory import PushDirectory

PROTOCOL = "open_inference"
_PLATFORM = "tensorflow_savedmodel"
"""As Triton's clients have it."""

_VERSION_PART = "/versions/"
_SIGNATURE_PARAMETER = "signature_name"


def versioned_name(model: str, version: str) -> str:
    """Returns the name under which the repository finds one version of a model.

    KServe passes on the name of a model only, not its version.
    """
    return f"{model}{_VERSION_PART}{version}" if version else model


class OpenInferenceModel(Model):
    """One model, or one version of it, as KServe's servers see it.

    Args:
        served: The model.
        number: Answer with this version; None for the default one.
    """

    def __init__(self, served: ServedModel, number: int | None) -> None:
        super().__init__(served.name)
        self._served = served
        self._number = number

    @property
    def version(self) -> LoadedVersion:
        """The version that answers.

        Raises:
            NotServedError: It is not in memory.
        """
        return self._served.find(self._number)

    @property
    def most_rows(self) -> int:
        """Examples that one request may have."""
        return self._served.most_rows

    @property
    def versions(self) -> list[str]:
        """The versions in memory, oldest first; the named one alone if one is named."""
        numbers = sorted(self._served.loaded) if self._number is None else [self.version.number]
        return [str(number) for number in numbers]

    def check_declared(
        self, signature: Signature, name: str, datatype: str, shape: Sequence[int]
    ) -> TensorSpec:
        """Checks what a request declares of an input, with no array made yet.

        Returns:
            What the signature takes for that input.

        Raises:
            InvalidRequestError: The signature has no such input, or takes another type or shape.
            TooManyExamplesError: There are more examples than may wait.
        """
        spec = signature.inputs.get(name)
        if spec is None:
            raise InvalidRequestError(f"no input {name!r}; there is {', '.join(signature.inputs)}")
        if datatype != _datatype(spec):
            raise InvalidRequestError(
                f"input {name!r}: expected datatype {_datatype(spec)}, got {datatype}"
            )
        check_shape(spec, shape, self._served.most_rows)
        return spec

    async def healthy(self) -> bool:
        """Whether the version is in memory."""
        number = self._served.default if self._number is None else self._number
        return number in self._served.loaded

    def load(self) -> bool:
        """Does nothing: versions are loaded as they are pushed."""
        return True

    def get_input_types(self) -> list[dict[str, Any]]:
        """Returns the inputs of the default signature."""
        return [_described(spec) for spec in self.version.signature(None).inputs.values()]

    def get_output_types(self) -> list[dict[str, Any]]:
        """Returns the outputs of the default signature."""
        return [_described(spec) for spec in self.version.signature(None).outputs.values()]

    async def predict(
        self,
        payload: InferRequest,
        headers: dict[str, str] | None = None,
        response_headers: dict[str, str] | None = None,
    ) -> InferResponse:
        """Answers with the outputs of the signature that the parameter `signature_name` names."""
        status = "INTERNAL"
        try:
            response = await self._answer(payload)
            status = "OK"
        except RequestError as error:
            status = error.grpc.name
            raise
        finally:
            metrics.REQUESTS.labels(self.name, PROTOCOL, status).inc()
        return response

    async def _answer(self, request: InferRequest) -> InferResponse:
        version = self.version
        signature = version.signature(signature_name(request.parameters))
        inputs = {}
        for given in request.inputs:
            spec = self.check_declared(signature, given.name, given.datatype, given.shape)
            inputs[given.name] = _array(given, spec)
        prediction = await self._served.predict(version, signature, inputs, PROTOCOL)
        wanted = [output.name for output in request.request_outputs or []] or list(
            prediction.outputs
        )
        for name in wanted:
            if name not in prediction.outputs:
                raise InvalidRequestError(
                    f"no output {name!r}; there is {', '.join(prediction.outputs)}"
                )
        return InferResponse(
            response_id=request.id or generate_uuid(),
            model_name=self.name,
            model_version=str(prediction.version),
            infer_outputs=[
                _output(name, prediction.outputs[name], request.use_binary_outputs)
                for name in wanted
            ],
            use_binary_outputs=request.use_binary_outputs,
            requested_outputs=request.request_outputs,
        )


class PushDirectoryRepository(ModelRepository):
    """KServe's registry, answered from the push directory."""

    def __init__(self, directory: PushDirectory) -> None:
        super().__init__(str(directory))
        self._directory = directory

    def get_model(self, name: str) -> OpenInferenceModel | None:
        """Returns a model or one version of it, None where there is none."""
        name, _, version = name.partition(_VERSION_PART)
        served = self._directory.models.get(name)
        if served is None:
            return None
        if version and not (version.isascii() and version.isdecimal()):
            raise InvalidRequestError(f"version {version!r}: expected a number")
        if version:
            served.find(int(version))
        return OpenInferenceModel(served, int(version) if version else None)

    def get_models(self) -> dict[str, OpenInferenceModel]:
        """Returns all models by name."""
        return {
            name: OpenInferenceModel(served, None)
            for name, served in self._directory.models.items()
        }


class PushDirectoryDataPlane(DataPlane):
    """KServe's data plane; the server is ready when a model can answer."""

    def __init__(self, repository: PushDirectoryRepository, directory: PushDirectory) -> None:
        super().__init__(model_registry=repository)
        self._directory = directory

    async def ready(self) -> bool:
        """Whether a model can answer."""
        return self._directory.ready

    async def model_metadata(self, model_name: str) -> dict[str, Any]:
        """Describes a model, or one version of it, for both protocols.

        Args:
            model_name: From `versioned_name`.

        Raises:
            NotServedError: There is no such version.
            ModelNotFound: There is no such model.
        """
        model = self.get_model_from_registry(model_name)
        assert isinstance(model, OpenInferenceModel)
        return {
            "name": model.name,
            "versions": model.versions,
            "platform": _PLATFORM,
            "inputs": model.get_input_types(),
            "outputs": model.get_output_types(),
        }

    def decode_inference_request(self, body: Any, headers: Any, model_name: str) -> InferRequest:
        """Decodes a request; binary parts that do not hold what they tell are the client's fault.

        Raises:
            InvalidRequestError: A part is missing or cut off. KServe also takes BYTES in a binary
                part for UTF-8, so serialized examples come over gRPC or TensorFlow Serving's REST.
        """
        try:
            return super().decode_inference_request(body, headers, model_name)
        except (KeyError, TypeError, ValueError, AttributeError, InferenceError) as error:
            raise InvalidRequestError(
                f"the request cannot be decoded: {type(error).__name__}: {str(error)[:200]}"
            ) from error


class ManagedByPushDirectoryError(NotImplementedError):
    """A client asked to load or unload a model: 501, UNIMPLEMENTED."""

    reason = "models are loaded and unloaded as the push directory says, not on request"

    def __str__(self) -> str:
        return self.reason


class ReadOnlyRepositoryExtension(ModelRepositoryExtension):
    """Lists models, and leaves loading them to the push directory."""

    async def load(self, model_name: str) -> None:
        """Refuses."""
        raise ManagedByPushDirectoryError

    async def unload(self, model_name: str) -> None:
        """Refuses."""
        raise ManagedByPushDirectoryError


def signature_name(parameters: Mapping[str, Any] | None) -> str | None:
    """Returns the signature that a request's parameters name, None if they name none.

    Args:
        parameters: Of HTTP or gRPC.

    Raises:
        InvalidRequestError: The parameter is not text.
    """
    value = (parameters or {}).get(_SIGNATURE_PARAMETER)
    # Over gRPC a parameter is a message with one of three fields.
    text = getattr(value, "string_param", value)
    if text is not None and not isinstance(text, str):
        raise InvalidRequestError(f"parameter {_SIGNATURE_PARAMETER}: expected text")
    return text or None


def _array(given: InferInput, spec: TensorSpec) -> np.ndarray:
    shape = list(given.shape)
    try:
        if given._raw_data is not None:
            array = given.as_numpy()
        elif len(given.data) > math.prod(shape):
            raise ValueError(f"{len(given.data)} values")
        elif spec.dtype == STRING:
            array = given.as_numpy()
        else:
            array = numbers(spec, given.data).reshape(shape)
    except (ValueError, TypeError, InvalidInput) as error:
        raise InvalidRequestError(
            f"input {given.name!r}: the data does not make a tensor of shape {shape}: {error}"
        ) from error
    return _as_bytes(array) if spec.dtype == STRING else array


def _as_bytes(array: np.ndarray) -> np.ndarray:
    values = [v.encode() if isinstance(v, str) else bytes(v) for v in array.ravel().tolist()]
    strings = np.empty(len(values), STRING)
    strings[:] = values
    return strings.reshape(array.shape)


def _output(name: str, array: np.ndarray, binary: bool) -> InferOutput:
    output = InferOutput(name=name, shape=list(array.shape), datatype=from_np_dtype(array.dtype))
    if binary or array.dtype == STRING:
        output.set_data_from_numpy(array, binary_data=binary)
    else:
        output.data = array.ravel().tolist()
    return output


def _described(spec: TensorSpec) -> dict[str, Any]:
    shape = [-1 if size is None else size for size in spec.shape]
    return {"name": spec.name, "datatype": _datatype(spec), "shape": shape}


def _datatype(spec: TensorSpec) -> str:
    return "BYTES" if spec.dtype == STRING else str(from_np_dtype(spec.dtype))
