"""The Open Inference Protocol v2: the models of the push directory as KServe's server uses them."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from kserve import InferInput, InferOutput, InferRequest, InferResponse, Model, ModelRepository
from kserve.errors import InferenceError, InvalidInput, ModelNotFound
from kserve.protocol.dataplane import DataPlane
from kserve.protocol.model_repository_extension import ModelRepositoryExtension
from kserve.utils.utils import from_np_dtype, generate_uuid

from serving import metrics
from serving.errors import LOADED_BY_PUSH, InvalidRequestError, UnimplementedError
from serving.loaded_version import LoadedVersion, Signature
from serving.served_model import ServedModel, version_number
from serving.tensors import STRING, TensorSpec, check_shape, numbers
from serving.watched_directory import PushDirectory

PROTOCOL = "open_inference"
_PLATFORM = "tensorflow_savedmodel"
"""The name that Triton's clients expect."""

_SIGNATURE_PARAMETER = "signature_name"


class DeclaredInput(Protocol):
    """What a request declares of an input, over HTTP as over gRPC."""

    name: str
    datatype: str
    shape: Sequence[int]


class OpenInferenceModel(Model):
    """One version of a model for KServe's servers.

    Args:
        served: The model.
        number: The version that answers; None for the default one.
    """

    def __init__(self, served: ServedModel, number: int | None = None) -> None:
        super().__init__(served.name)
        self._served = served
        self._number = number
        # A version that is dropped meanwhile still answers this request.
        answers = served.default if number is None else number
        self._loaded = None if answers is None else served.loaded.get(answers)

    @property
    def version(self) -> LoadedVersion:
        """The version that answers.

        Raises:
            NotServedError: It is not in memory.
        """
        return self._loaded or self._served.find(self._number)

    @property
    def most_rows(self) -> int:
        """Examples that one request may have."""
        return self._served.most_rows

    async def healthy(self) -> bool:
        """Whether the version is in memory."""
        return self._loaded is not None

    def metadata(self) -> dict[str, Any]:
        """Returns the versions in memory, and the tensors of the default signature."""
        signature = self.version.signature(None)
        numbers = sorted(self._served.loaded) if self._number is None else [self._number]
        return {
            "name": self.name,
            "versions": [str(number) for number in numbers],
            "platform": _PLATFORM,
            "inputs": [_described(spec) for spec in signature.inputs.values()],
            "outputs": [_described(spec) for spec in signature.outputs.values()],
        }

    def check_declared(self, parameters: Any, inputs: Iterable[DeclaredInput]) -> Signature:
        """Checks what a request declares of its inputs, before an array of them is made.

        Returns:
            The signature that the parameter `signature_name` names.

        Raises:
            InvalidRequestError: There is no such signature, or it has no such input, or takes
                another type or shape.
            TooLargeError: There are more examples than one request may have.
        """
        signature = self._signature(parameters)
        for given in inputs:
            spec = signature.inputs.get(given.name)
            if spec is None:
                raise InvalidRequestError(
                    f"no input {given.name!r}; there is {', '.join(signature.inputs)}"
                )
            if given.datatype != _datatype(spec):
                raise InvalidRequestError(
                    f"input {given.name!r}: expected datatype {_datatype(spec)}, got "
                    f"{given.datatype}"
                )
            check_shape(spec, given.shape, self.most_rows)
        return signature

    async def predict(
        self,
        payload: InferRequest,
        headers: dict[str, str] | None = None,
        response_headers: dict[str, str] | None = None,
    ) -> InferResponse:
        """Returns the outputs of a request that `check_declared` has passed."""
        with metrics.counted(self.name, PROTOCOL):
            return await self._answer(payload)

    async def _answer(self, request: InferRequest) -> InferResponse:
        signature = self._signature(request.parameters)
        inputs = {
            given.name: _read_tensor(given, signature.inputs[given.name])
            for given in request.inputs
        }
        outputs = await self._served.predict(self.version, signature, inputs, PROTOCOL)
        wanted = [output.name for output in request.request_outputs or []] or list(outputs)
        for name in wanted:
            if name not in outputs:
                raise InvalidRequestError(f"no output {name!r}; there is {', '.join(outputs)}")
        return InferResponse(
            response_id=request.id or generate_uuid(),
            model_name=self.name,
            model_version=str(self.version.number),
            infer_outputs=[
                _write_tensor(name, outputs[name], request.use_binary_outputs) for name in wanted
            ],
            use_binary_outputs=request.use_binary_outputs,
            requested_outputs=request.request_outputs,
        )

    def _signature(self, parameters: Mapping[str, Any] | None) -> Signature:
        value = (parameters or {}).get(_SIGNATURE_PARAMETER)
        # Over gRPC a parameter is a message with one of three fields.
        name = getattr(value, "string_param", value)
        if name is not None and not isinstance(name, str):
            raise InvalidRequestError(f"parameter {_SIGNATURE_PARAMETER}: expected text")
        return self.version.signature(name or None)


class PushDirectoryRepository(ModelRepository):
    """KServe's registry of models, read from the push directory."""

    def __init__(self, directory: PushDirectory) -> None:
        super().__init__(str(directory))
        self._directory = directory

    def get_model(self, name: str) -> OpenInferenceModel | None:
        """Returns a model, None if there is no such model."""
        served = self._directory.models.get(name)
        return None if served is None else OpenInferenceModel(served)

    def get_models(self) -> dict[str, OpenInferenceModel]:
        """Returns all models by name."""
        return {name: OpenInferenceModel(served) for name, served in self._directory.models.items()}


class PushDirectoryDataPlane(DataPlane):
    """KServe's data plane over the models of the push directory."""

    def __init__(self, directory: PushDirectory) -> None:
        super().__init__(model_registry=PushDirectoryRepository(directory))
        self.directory = directory

    async def ready(self) -> bool:
        """Whether a model can answer."""
        return self.directory.ready

    def find(self, name: str, version: str) -> OpenInferenceModel:
        """Returns the model, or version of it, that a request names.

        Args:
            name: The model.
            version: Its version; empty for the default one.

        Raises:
            ModelNotFound: There is no such model.
            NotServedError: The version is not in memory.
            InvalidRequestError: The version is not a number.
        """
        served = self.directory.models.get(name)
        if served is None:
            raise ModelNotFound(f"{name}/versions/{version}" if version else name)
        if not version:
            return OpenInferenceModel(served)
        return OpenInferenceModel(served, served.find(version_number(version)).number)

    def decode_inference_request(self, body: Any, headers: Any, model_name: str) -> InferRequest:
        """Decodes a request.

        Raises:
            InvalidRequestError: A part is missing or cut off. KServe reads BYTES in a binary part
                as UTF-8, so serialized examples are accepted over gRPC and TensorFlow Serving's
                REST only.
        """
        try:
            return super().decode_inference_request(body, headers, model_name)
        except (KeyError, TypeError, ValueError, AttributeError, InferenceError) as error:
            raise InvalidRequestError(
                f"the request cannot be decoded: {type(error).__name__}: {str(error)[:200]}"
            ) from error


class ReadOnlyRepositoryExtension(ModelRepositoryExtension):
    """Lists models; no request can load or unload one."""

    async def load(self, model_name: str) -> None:
        """Raises UnimplementedError."""
        raise UnimplementedError(LOADED_BY_PUSH)

    async def unload(self, model_name: str) -> None:
        """Raises UnimplementedError."""
        raise UnimplementedError(LOADED_BY_PUSH)


def _read_tensor(given: InferInput, spec: TensorSpec) -> np.ndarray:
    """Returns the array of an input whose declared shape has been checked.

    Raises:
        InvalidRequestError: The data does not have that shape or type.
    """
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


def _write_tensor(name: str, array: np.ndarray, binary: bool) -> InferOutput:
    """Returns an output, as binary data or as JSON values."""
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
