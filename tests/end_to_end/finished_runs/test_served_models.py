"""What was pushed gives the pipeline's own numbers in a process that has no aepipe."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.end_to_end.conftest import FinishedRun
from tests.end_to_end.finished_runs.signatures import OUTPUTS, RAW_INPUT

SCORE = Path(__file__).with_name("score_without_aepipe.py")


@pytest.fixture(scope="session")
def served(
    finished: FinishedRun, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, np.ndarray]:
    transformed = ""
    if finished.outcome.pipeline == "denoise":
        transformed = finished.artifact("Transform", "transformed_examples").uri + "/Split-eval"
    directory = tmp_path_factory.mktemp("served")
    output = directory / "served.npz"
    command = [
        sys.executable,
        "-I",
        str(SCORE),
        str(finished.outcome.pushed),
        finished.artifact("ExampleGen", "examples").uri + "/Split-eval",
        transformed,
        str(output),
    ]
    result = subprocess.run(command, capture_output=True, text=True, cwd=directory)
    assert result.returncode == 0, result.stderr
    return dict(np.load(output))


def test_a_pushed_model_gives_the_pipelines_own_numbers(
    finished: FinishedRun, served: dict[str, np.ndarray]
) -> None:
    errors = np.load(Path(finished.artifact("ThresholdEvaluator", "evaluation").uri) / "errors.npz")
    outcome = finished.outcome
    judged = served["noisy_input_error" if outcome.pipeline == "denoise" else "error"]
    np.testing.assert_allclose(judged, errors["eval_error"], atol=1e-6)
    assert np.mean(judged) == pytest.approx(outcome.metrics["val_loss"], abs=1e-6)


def test_a_pushed_detector_decides_as_it_was_judged(
    finished: FinishedRun, served: dict[str, np.ndarray]
) -> None:
    outcome = finished.outcome
    if outcome.threshold is None:
        assert "threshold" not in served
        return
    errors = np.load(Path(finished.artifact("ThresholdEvaluator", "evaluation").uri) / "errors.npz")
    normal = errors["train_error"][errors["train_label"] == 1].astype(np.float64)
    assert outcome.threshold == pytest.approx(normal.mean() + normal.std(), abs=1e-7)
    np.testing.assert_allclose(served["threshold"], outcome.threshold, rtol=1e-6)
    is_normal = errors["eval_label"] == 1
    accuracy = np.mean(served["is_anomaly"] != is_normal)
    assert accuracy == pytest.approx(outcome.metrics["accuracy"])


def test_the_signatures_have_their_names_and_dtypes(finished: FinishedRun) -> None:
    pipeline = finished.outcome.pipeline
    name, shape = RAW_INPUT[pipeline]
    model = tf.saved_model.load(finished.outcome.pushed)
    assert {"serving_default", "serve_examples", "encode"} <= set(model.signatures)

    def inputs(signature: str) -> dict[str, tf.TensorSpec]:
        specs: dict[str, tf.TensorSpec] = model.signatures[signature].structured_input_signature[1]
        return specs

    for signature in ("serving_default", "encode"):
        (spec,) = inputs(signature).values()
        assert list(inputs(signature)) == [name]
        assert (spec.dtype, tuple(spec.shape)) == (tf.float32, shape)
    (examples,) = inputs("serve_examples").values()
    assert list(inputs("serve_examples")) == ["examples"]
    assert (examples.dtype, tuple(examples.shape)) == (tf.string, (None,))
    for signature in ("serving_default", "serve_examples"):
        outputs = model.signatures[signature].structured_outputs
        assert {key: spec.dtype for key, spec in outputs.items()} == OUTPUTS[pipeline]
    (latent,) = model.signatures["encode"].structured_outputs.items()
    assert latent[0] == "latent"
    assert latent[1].dtype == tf.float32


def test_no_noise_in_what_is_served(finished: FinishedRun) -> None:
    saved = (Path(str(finished.outcome.pushed)) / "saved_model.pb").read_bytes()
    assert b"Stateless" not in saved
    assert b"RandomStandardNormal" not in saved


def test_the_push_directory_is_as_a_server_expects_it(finished: FinishedRun) -> None:
    version = Path(str(finished.outcome.pushed))
    assert version.name.isdigit()
    assert version.parent.parent == finished.home / "serving"
    for file in (
        "saved_model.pb",
        "fingerprint.pb",
        "variables/variables.index",
        "assets.extra/tf_serving_warmup_requests",
        "aepipe.json",
    ):
        assert (version / file).is_file()
    seen = [path.name for path in version.parent.iterdir() if not path.name.startswith(".")]
    assert seen == [version.name]
