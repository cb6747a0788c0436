"""TensorFlow Serving's REST surface, as its documentation shows it."""

import base64

import numpy as np
import pytest
import tensorflow as tf

from tests.serving.conftest import MODEL, RunningServer
from tests.serving.tiny_detector import LENGTH, example, signals


@pytest.fixture(scope="session")
def model(server: RunningServer) -> object:
    return tf.saved_model.load(str(server.models_dir / MODEL / "7"))


def test_status(server: RunningServer) -> None:
    expected = {
        "model_version_status": [
            {
                "version": "7",
                "state": "AVAILABLE",
                "status": {"error_code": "OK", "error_message": ""},
            }
        ]
    }
    assert server.get(f"/v1/models/{MODEL}").json() == expected
    assert server.get(f"/v1/models/{MODEL}/versions/7").json() == expected


def test_metadata_holds_the_signatures_of_the_saved_model(server: RunningServer) -> None:
    content = server.get(f"/v1/models/{MODEL}/metadata").json()
    assert content["model_spec"] == {"name": MODEL, "signature_name": "", "version": "7"}
    signatures = content["metadata"]["signature_def"]["signature_def"]
    assert {"serving_default", "serve_examples", "encode"} <= signatures.keys()
    default = signatures["serving_default"]
    assert default["method_name"] == "tensorflow/serving/predict"
    assert default["inputs"]["signal"]["dtype"] == "DT_FLOAT"
    sizes = [dim["size"] for dim in default["inputs"]["signal"]["tensor_shape"]["dim"]]
    assert sizes == ["-1", str(LENGTH)]
    assert default["outputs"]["is_anomaly"]["dtype"] == "DT_BOOL"
    contribution = default["outputs"]["contribution"]
    assert contribution["dtype"] == "DT_FLOAT"
    sizes = [dim["size"] for dim in contribution["tensor_shape"]["dim"]]
    assert sizes == ["-1", str(LENGTH)]


@pytest.mark.parametrize("where", [MODEL, f"{MODEL}/versions/7"])
def test_one_example_gives_the_saved_models_own_bits(
    server: RunningServer, model: object, where: str
) -> None:
    given = signals(1)
    expected = model.signatures["serving_default"](signal=tf.constant(given))  # type: ignore[attr-defined]
    answered = server.predict(given, where)
    assert answered.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(answered[name], value.numpy().astype(np.float32))


def test_a_large_batch_comes_back_in_order(server: RunningServer) -> None:
    given = signals(300)
    errors = server.predict(given)["error"]
    np.testing.assert_allclose(errors, np.abs(given * 0.5 - 0.25).mean(axis=1), atol=1e-6)


@pytest.mark.parametrize("named", [True, False])
def test_rows_and_columns_give_the_same(server: RunningServer, named: bool) -> None:
    given = signals(3)
    rows = [{"signal": row} for row in given.tolist()] if named else given.tolist()
    columns = {"signal": given.tolist()} if named else given.tolist()
    by_row = server.post(f"/v1/models/{MODEL}:predict", {"instances": rows}).json()
    by_column = server.post(f"/v1/models/{MODEL}:predict", {"inputs": columns}).json()
    assert len(by_row["predictions"]) == 3
    for name, values in by_column["outputs"].items():
        assert [row[name] for row in by_row["predictions"]] == values
    assert all(isinstance(row["is_anomaly"], bool) for row in by_row["predictions"])


def test_predict_may_be_left_out_of_the_path(server: RunningServer) -> None:
    body = {"instances": signals(1).tolist()}
    assert server.post(f"/v1/models/{MODEL}", body).status_code == 200


def test_a_signature_with_one_output_answers_without_its_name(server: RunningServer) -> None:
    given = signals(2)
    body = {"signature_name": "encode", "instances": given.tolist()}
    answered = server.post(f"/v1/models/{MODEL}:predict", body).json()
    np.testing.assert_allclose(answered["predictions"], given[:, :8] + 0.25, atol=1e-6)
    body = {"signature_name": "encode", "inputs": given.tolist()}
    assert server.post(f"/v1/models/{MODEL}:predict", body).json() == {
        "outputs": answered["predictions"]
    }


@pytest.mark.parametrize("key", ["instances", "inputs"])
def test_serialized_examples_come_as_base64(server: RunningServer, key: str) -> None:
    given = signals(2)
    examples = [{"b64": base64.b64encode(example(row)).decode()} for row in given]
    body = {"signature_name": "serve_examples", key: examples}
    answered = server.post(f"/v1/models/{MODEL}:predict", body).json()
    if key == "inputs":
        errors = answered["outputs"]["error"]
    else:
        errors = [row["error"] for row in answered["predictions"]]
    np.testing.assert_allclose(errors, server.predict(given)["error"], atol=1e-6)
