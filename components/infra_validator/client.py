"""TensorFlow Serving's gRPC API, as far as a candidate is asked."""

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import grpc
import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from components.infra_validator.candidate_server import (
    CandidateFault,
    CandidateServer,
    TimeLimit,
    one_line,
)

SIGNATURE_DEF = "signature_def"

_OPTIONS = [
    # The server is on this machine, whatever proxy the environment names.
    ("grpc.enable_http_proxy", 0),
    ("grpc.max_receive_message_length", -1),
]
_NOT_YET = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.NOT_FOUND)

_State = get_model_status_pb2.ModelVersionStatus.State


class CandidateClient:
    """Asks a server about its one model.

    TFX's own client (`tfx.components.infra_validator.model_server_clients`) sends requests without
    a time limit, and drops the answer and the reason why there is none.

    Args:
        server: Where the channel leads to; asked whether it still runs if that fails.
        channel: To the server.
        model: Name of the model there.
        limit: Of all calls together.
    """

    def __init__(
        self, server: CandidateServer, channel: grpc.Channel, model: str, limit: TimeLimit
    ) -> None:
        self._server = server
        self._model = model
        self._limit = limit
        self._models = model_service_pb2_grpc.ModelServiceStub(channel)
        self._predictions = prediction_service_pb2_grpc.PredictionServiceStub(channel)

    def wait_until_loaded(self) -> None:
        """Returns when the model can answer.

        Raises:
            CandidateFault: It does not load, the server's process ended, or the limit is over.
        """
        missed = "the candidate was not loaded"
        while True:
            for status in self._statuses(missed):
                if status.state == _State.AVAILABLE:
                    return
                if status.state == _State.END:
                    reason = one_line(status.status.error_message)
                    raise CandidateFault(f"the server cannot load the candidate: {reason}")
            self._server.pause(self._limit, missed)

    def signatures(self) -> Mapping[str, meta_graph_pb2.SignatureDef]:
        """Returns the model's signatures by name, as the server reports them.

        Raises:
            CandidateFault: The server does not answer, or not in time.
        """
        request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=[SIGNATURE_DEF])
        request.model_spec.name = self._model
        response = self._ask(self._predictions.GetModelMetadata, request)
        signatures = get_model_metadata_pb2.SignatureDefMap()
        response.metadata[SIGNATURE_DEF].Unpack(signatures)
        return dict(signatures.signature_def)

    def predict(self, signature: str, inputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
        """Sends one request and returns the outputs by name.

        Args:
            signature: Name of the signature.
            inputs: By name, what `tf.make_tensor_proto` takes.

        Raises:
            CandidateFault: The answer is an error, or does not come in time.
        """
        request = predict_pb2.PredictRequest()
        request.model_spec.name = self._model
        request.model_spec.signature_name = signature
        for name, value in inputs.items():
            request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
        response = self._ask(self._predictions.Predict, request)
        return {name: tf.make_ndarray(tensor) for name, tensor in response.outputs.items()}

    def _statuses(self, missed: str) -> list[get_model_status_pb2.ModelVersionStatus]:
        """Returns the states of the versions; none while the server has not looked."""
        request = get_model_status_pb2.GetModelStatusRequest()
        request.model_spec.name = self._model
        try:
            response = self._models.GetModelStatus(request, timeout=self._limit.left(missed))
        except grpc.RpcError as error:
            if error.code() in _NOT_YET:
                return []
            raise self._fault(error, missed) from error
        return list(response.model_version_status)

    def _ask(self, method: grpc.UnaryUnaryMultiCallable, request: Any) -> Any:
        missed = "the candidate did not answer"
        try:
            return method(request, timeout=self._limit.left(missed))
        except grpc.RpcError as error:
            raise self._fault(error, missed) from error

    def _fault(self, error: grpc.RpcError, missed: str) -> CandidateFault:
        if error.code() == grpc.StatusCode.DEADLINE_EXCEEDED:
            return self._limit.exceeded(missed)
        self._server.require_running(dying=error.code() == grpc.StatusCode.UNAVAILABLE)
        return CandidateFault(
            f"the answer was {error.code().name}: {one_line(error.details() or '')}"
        )


@contextlib.contextmanager
def candidate_client(
    server: CandidateServer, model: str, limit: TimeLimit
) -> Iterator[CandidateClient]:
    """Connects to a server that starts up.

    Raises:
        CandidateFault: Its process ended, or the limit is over.
    """
    with grpc.insecure_channel(server.wait_for_address(limit), _OPTIONS) as channel:
        yield CandidateClient(server, channel, model, limit)
