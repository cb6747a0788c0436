"""TensorFlow Serving's messages of a model's status and metadata, for REST and gRPC."""

from google.protobuf.any_pb2 import Any as AnyMessage
from tensorflow.core.protobuf import error_codes_pb2
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2

from serving.errors import NotServedError
from serving.loaded_version import LoadedVersion
from serving.served_model import ServedModel, VersionStatus

SIGNATURE_DEF = "signature_def"


def model_status(
    model: ServedModel, version: int | None = None, label: str | None = None
) -> get_model_status_pb2.GetModelStatusResponse:
    """Returns the states of all versions, newest first, or of one.

    Raises:
        NotServedError: There is no such version.
    """
    if label is not None:
        version = model.find(label=label).number
    if version is not None and version not in model.statuses:
        raise NotServedError(f"could not find version {version} of model {model.name}")
    numbers = sorted(model.statuses, reverse=True) if version is None else [version]
    if not numbers:
        raise NotServedError(f"could not find any versions of model {model.name}")
    return get_model_status_pb2.GetModelStatusResponse(
        model_version_status=[_version_status(n, model.statuses[n]) for n in numbers]
    )


def model_metadata(
    version: LoadedVersion,
) -> tuple[get_model_metadata_pb2.GetModelMetadataResponse, get_model_metadata_pb2.SignatureDefMap]:
    """Returns the response to a metadata request, and the signatures packed in it."""
    signatures = get_model_metadata_pb2.SignatureDefMap()
    for name, definition in version.signature_defs.items():
        signatures.signature_def[name].CopyFrom(definition)
    response = get_model_metadata_pb2.GetModelMetadataResponse()
    response.model_spec.name = version.model
    response.model_spec.version.value = version.number
    packed = AnyMessage()
    packed.Pack(signatures)
    response.metadata[SIGNATURE_DEF].CopyFrom(packed)
    return response, signatures


def _version_status(number: int, status: VersionStatus) -> get_model_status_pb2.ModelVersionStatus:
    message = get_model_status_pb2.ModelVersionStatus(
        version=number,
        state=get_model_status_pb2.ModelVersionStatus.State.Value(status.state),
    )
    message.status.error_code = (
        error_codes_pb2.FAILED_PRECONDITION if status.reason else error_codes_pb2.OK
    )
    message.status.error_message = status.reason
    return message
