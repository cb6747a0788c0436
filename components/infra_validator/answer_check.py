"""What an answer has to be."""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2

from components.infra_validator.fault import CandidateFault

_RELATIVE_TOLERANCE = 1e-4
_ABSOLUTE_TOLERANCE = 1e-6
"""The same kernels on the same machine: room for another order of sums only."""

Answer = Mapping[str, np.ndarray]


def check_answer(answer: Answer, signature: meta_graph_pb2.SignatureDef) -> None:
    """Passes where one example's answer is what the signature promises, and finite.

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
    """Passes where a parsed example and its raw values get one answer.

    Raises:
        CandidateFault: They do not; the message names the output.
    """
    if set(of_example) != set(of_raw):
        raise CandidateFault(
            f"the raw values' answer holds {sorted(of_raw)}, the example's {sorted(of_example)}"
        )
    for name, array in of_example.items():
        other = of_raw[name]
        if array.shape != other.shape or not np.allclose(
            array, other, _RELATIVE_TOLERANCE, _ABSOLUTE_TOLERANCE
        ):
            raise CandidateFault(
                f"{name!r} is {_sample(array)} for an example, and {_sample(other)} for its raw "
                "values"
            )


def _sample(value: np.ndarray) -> str:
    return np.array2string(value.ravel()[:3], separator=", ", precision=6)
