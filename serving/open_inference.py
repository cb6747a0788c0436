"""The Open Inference Protocol v2: the models of the push directory as KServe's server uses them."""

from typing import Any

from kserve import InferRequest, InferResponse, Model, ModelRepository
from kserve.errors import InferenceError
from kserve.protocol.dataplane import DataPlane
from kserve.protocol.model_repository_extension import ModelRepositoryExtension
from kserve.utils.utils import generate_uuid

from serving import metrics
from serving.errors import LOADED_BY_PUSH, InvalidRequestError, UnimplementedError
from serving.loaded_version import LoadedVersion
from serving.open_inference_tensors import (
    check_declared,
    described,
    read_tensor,
    signature_name,
    write_tensor,
)
from serving.served_model import ServedModel, version_number
from serving.watched_directory import PushDirectory

PROTOCOL = "open_inference"
_PLATFORM = "tensorflow_savedmodel"
"""The name that Triton's clients expect."""

_VERSION_PART = "/versions/"


def versioned_name(model: str, version: str) -> str:
    """Returns the name under which the repository finds one version of a model.

    KServe passes on the name of a model only, not its version.
    """
    return f"{model}{_VERSION_PART}{version}" if version else model


class OpenInferenceModel(Model):
    """One model, or one version of it, for KServe's servers.

    Args:
        served: The model.
        number: The version that answers; None for the default one.
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

    async def healthy(self) -> bool:
        """Whether the version is in memory."""
        number = self._served.default if self._number is None else self._number
        return number in self._served.loaded

    def load(self) -> bool:
        """Does nothing: versions are loaded as they are pushed."""
        return True

    def get_input_types(self) -> list[dict[str, Any]]:
        """Returns the inputs of the default signature."""
        return [described(spec) for spec in self.version.signature(None).inputs.values()]

    def get_output_types(self) -> list[dict[str, Any]]:
        """Returns the outputs of the default signature."""
        return [described(spec) for spec in self.version.signature(None).outputs.values()]

    async def predict(
        self,
        payload: InferRequest,
        headers: dict[str, str] | None = None,
        response_headers: dict[str, str] | None = None,
    ) -> InferResponse:
        """Answers with the outputs of the signature that the parameter `signature_name` names."""
        with metrics.counted(self.name, PROTOCOL):
            return await self._answer(payload)

    async def _answer(self, request: InferRequest) -> InferResponse:
        version = self.version
        signature = version.signature(signature_name(request.parameters))
        inputs = {}
        for given in request.inputs:
            spec = check_declared(
                signature, given.name, given.datatype, given.shape, self.most_rows
            )
            inputs[given.name] = read_tensor(given, spec)
        outputs = await self._served.predict(version, signature, inputs, PROTOCOL)
        wanted = [output.name for output in request.request_outputs or []] or list(outputs)
        for name in wanted:
            if name not in outputs:
                raise InvalidRequestError(f"no output {name!r}; there is {', '.join(outputs)}")
        return InferResponse(
            response_id=request.id or generate_uuid(),
            model_name=self.name,
            model_version=str(version.number),
            infer_outputs=[
                write_tensor(name, outputs[name], request.use_binary_outputs) for name in wanted
            ],
            use_binary_outputs=request.use_binary_outputs,
            requested_outputs=request.request_outputs,
        )


class PushDirectoryRepository(ModelRepository):
    """KServe's registry of models, read from the push directory."""

    def __init__(self, directory: PushDirectory) -> None:
        super().__init__(str(directory))
        self._directory = directory

    def get_model(self, name: str) -> OpenInferenceModel | None:
        """Returns a model or one version of it, None if there is no such model."""
        name, _, version = name.partition(_VERSION_PART)
        served = self._directory.models.get(name)
        if served is None:
            return None
        number = version_number(version) if version else None
        if number is not None:
            served.find(number)
        return OpenInferenceModel(served, number)

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
