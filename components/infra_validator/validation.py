"""Whether a candidate, served by a process of its own, answers real requests as it promises."""

import contextlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2
from tfx.utils import io_utils

from components.infra_validator.candidate_server import (
    CandidateFault,
    TimeLimit,
    candidate_server,
)
from components.infra_validator.client import CandidateClient, candidate_client
from components.raw_examples import raw_values

SERVING_DEFAULT = "serving_default"
SERVE_EXAMPLES = "serve_examples"

ERROR = "error"

MODEL = "candidate"

_RELATIVE_TOLERANCE = 1e-4
_ABSOLUTE_TOLERANCE = 1e-6
"""The same kernels on the same machine: room for another order of sums only."""

_STEPS = ("p_value",)
"""Outputs that jump with the last bit of the error, so that it has to be equal for them to be."""

Answer = Mapping[str, np.ndarray]


def find_fault(candidate: str, records: Sequence[bytes], seconds: float, log: Path) -> str | None:
    """Serves a candidate and returns what is wrong with its answers.

    Each example is sent to `serve_examples`, and its raw values to `serving_default`. Both must
    answer what their signature promises, and the same.

    Args:
        candidate: Directory of the SavedModel.
        records: Serialized tf.Examples.
        seconds: The time for all of it, the start of the server included.
        log: File for the output of the server.

    Returns:
        Why the candidate is not to be pushed, in one line; None if it answered.
    """
    limit = TimeLimit(seconds)
    try:
        # A server whose parent was killed removes the folder itself.
        with tempfile.TemporaryDirectory(
            prefix="aepipe-candidate-", ignore_cleanup_errors=True
        ) as models_dir:
            io_utils.copy_dir(candidate, f"{models_dir}/{MODEL}/1")
            with (
                candidate_server(Path(models_dir), log) as server,
                candidate_client(server, MODEL, limit) as client,
            ):
                ask(client, records)
    except CandidateFault as fault:
        return str(fault)
    return None


def ask(client: CandidateClient, records: Sequence[bytes]) -> None:
    """Passes if the candidate answers what it promises.

    Raises:
        CandidateFault: It does not, or not in time.
    """
    client.wait_until_loaded()
    signatures = client.signatures()
    if SERVE_EXAMPLES not in signatures:
        raise CandidateFault(f"the candidate has no signature {SERVE_EXAMPLES}")
    parsing, plain = signatures[SERVE_EXAMPLES], signatures[SERVING_DEFAULT]
    for record in records:
        with _about(SERVE_EXAMPLES):
            of_example = client.predict(SERVE_EXAMPLES, serialized_input(record, parsing))
            check_answer(of_example, parsing)
        with _about(SERVING_DEFAULT):
            of_raw = client.predict(SERVING_DEFAULT, raw_input(record, plain))
            check_agreement(of_example, of_raw)


def serialized_input(record: bytes, signature: meta_graph_pb2.SignatureDef) -> dict[str, Any]:
    """Returns one example as the input of a signature that parses it: string [1], by name.

    Raises:
        CandidateFault: The signature takes something else.
    """
    name, tensor = _only_input(signature)
    if tensor.dtype != tf.string.as_datatype_enum:
        raise CandidateFault(f"its input {name!r} is not a serialized tf.Example")
    return {name: [record]}


def raw_input(record: bytes, signature: meta_graph_pb2.SignatureDef) -> dict[str, Any]:
    """Returns the same example as the input of a signature that takes the raw feature.

    Args:
        record: Serialized tf.Example; the feature holds floats, or the bytes of a uint8 image.
        signature: With one float32 input [N, *shape], named like the feature.

    Returns:
        float32 [1, *shape], by name.

    Raises:
        CandidateFault: The example does not hold such a feature.
    """
    name, tensor = _only_input(signature)
    shape = [dimension.size for dimension in tensor.tensor_shape.dim[1:]]
    values = raw_values(record, name)
    try:
        return {name: values.reshape((1, *shape))}
    except ValueError as error:
        raise CandidateFault(
            f"its input {name!r} has the shape {shape}, and an example holds {values.size} values"
        ) from error


def check_answer(answer: Answer, signature: meta_graph_pb2.SignatureDef) -> None:
    """Passes if one example's answer is what the signature promises, and finite.

    Args:
        answer: Outputs by name.
        signature: Names, dtypes and shapes; the first dimension is that of the examples.

    Raises:
        CandidateFault: An output is missing, of another dtype or shape, or not finite.
    """
    if set(answer) != set(signature.outputs):
        raise CandidateFault(f"the answer holds {sorted(answer)}, not {sorted(signature.outputs)}")
    for name, tensor in signature.outputs.items():
        array = answer[name]
        promised = [dimension.size for dimension in tensor.tensor_shape.dim]
        fits = len(promised) == array.ndim and all(
            expected in (-1, found) for expected, found in zip(promised, array.shape, strict=True)
        )
        if not fits or array.shape[:1] != (1,):
            raise CandidateFault(
                f"{name!r} of one example has the shape {list(array.shape)}, not "
                f"{[1, *promised[1:]]}"
            )
        if tf.as_dtype(array.dtype) != tf.as_dtype(tensor.dtype):
            raise CandidateFault(f"{name!r} is {array.dtype}, not {tf.as_dtype(tensor.dtype).name}")
        if not np.isfinite(array).all():
            raise CandidateFault(f"{name!r} is not finite")


def check_agreement(of_example: Answer, of_raw: Answer) -> None:
    """Passes if a parsed example and its raw values get one answer.

    Raises:
        CandidateFault: They do not; the message names the output.
    """
    if set(of_example) != set(of_raw):
        raise CandidateFault(
            f"the raw values' answer holds {sorted(of_raw)}, the example's {sorted(of_example)}"
        )
    for name, array in of_example.items():
        other = of_raw[name]
        if name in _STEPS and not np.array_equal(of_example[ERROR], of_raw[ERROR]):
            continue
        if array.shape != other.shape or not np.allclose(
            array, other, _RELATIVE_TOLERANCE, _ABSOLUTE_TOLERANCE
        ):
            raise CandidateFault(
                f"{name!r} is {_sample(array)} for an example, and {_sample(other)} for its raw "
                "values"
            )


@contextlib.contextmanager
def _about(signature: str) -> Iterator[None]:
    try:
        yield
    except CandidateFault as fault:
        raise CandidateFault(f"{signature}: {fault}") from fault


def _only_input(
    signature: meta_graph_pb2.SignatureDef,
) -> tuple[str, meta_graph_pb2.TensorInfo]:
    if len(signature.inputs) != 1:
        raise CandidateFault(f"its inputs are {sorted(signature.inputs)}: expected one")
    ((name, tensor),) = signature.inputs.items()
    return name, tensor


def _sample(value: np.ndarray) -> str:
    return np.array2string(value.ravel()[:3], separator=", ", precision=6)
