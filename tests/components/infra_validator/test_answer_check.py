"""What an answer has to be, without a server."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2

from components.infra_validator.candidate_server import CandidateFault
from components.infra_validator.validation import check_agreement, check_answer

SOUND = {
    "error": np.array([0.5], np.float32),
    "latent": np.zeros((1, 3), np.float32),
    "is_anomaly": np.array([True]),
}


def signature() -> meta_graph_pb2.SignatureDef:
    definition = meta_graph_pb2.SignatureDef()
    for name, array in SOUND.items():
        info = definition.outputs[name]
        info.dtype = tf.as_dtype(array.dtype).as_datatype_enum
        info.tensor_shape.CopyFrom(tf.TensorShape([None, *array.shape[1:]]).as_proto())
    return definition


def test_a_sound_answer_passes() -> None:
    check_answer(SOUND, signature())


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("extra", np.zeros(1, np.float32), "the answer holds ['error', 'extra', 'is_anomaly'"),
        ("error", np.array([np.nan], np.float32), "'error' is not finite"),
        ("error", np.array([-np.inf], np.float32), "'error' is not finite"),
        ("error", np.array([0.5]), "'error' is float64, not float32"),
        ("error", np.zeros(2, np.float32), "'error' of one example has the shape [2], not [1]"),
        ("error", np.float32(0.5).reshape(()), "'error' of one example has the shape []"),
        ("latent", np.zeros((1, 4), np.float32), "the shape [1, 4], not [1, 3]"),
        ("is_anomaly", np.zeros(1, np.float32), "'is_anomaly' is float32, not bool"),
    ],
)
def test_another_answer_is_a_fault(name: str, value: np.ndarray, message: str) -> None:
    with pytest.raises(CandidateFault) as found:
        check_answer({**SOUND, name: value}, signature())
    assert message in str(found.value)


def test_a_missing_output_is_a_fault() -> None:
    with pytest.raises(CandidateFault, match=r"the answer holds \['error'\], not \['error', "):
        check_answer({"error": SOUND["error"]}, signature())


def test_two_answers_agree_where_they_differ_by_rounding_only() -> None:
    check_agreement(SOUND, {**SOUND, "error": SOUND["error"] * np.float32(1 + 1e-6)})
    with pytest.raises(CandidateFault, match=r"'error' is \[0.5\] for an example, and \[0.51\]"):
        check_agreement(SOUND, {**SOUND, "error": np.array([0.51], np.float32)})
    with pytest.raises(CandidateFault, match="'is_anomaly' is"):
        check_agreement(SOUND, {**SOUND, "is_anomaly": np.array([False])})
    with pytest.raises(CandidateFault, match=r"the raw values' answer holds \['error'\]"):
        check_agreement(SOUND, {"error": SOUND["error"]})


def test_a_p_value_may_jump_if_the_error_differs_by_rounding() -> None:
    answer = {**SOUND, "p_value": np.array([0.25], np.float32)}
    jumped = {**answer, "p_value": np.array([0.26], np.float32)}

    check_agreement(answer, {**jumped, "error": np.nextafter(SOUND["error"], np.float32(1))})
    with pytest.raises(CandidateFault, match="'p_value' is"):
        check_agreement(answer, jumped)
