import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2
from trainings import Transformed

from trainer.preprocessing_graph import PreprocessingGraph


def call(model: Path, signature: str, **inputs: object) -> dict[str, np.ndarray]:
    loaded = tf.saved_model.load(str(model))
    outputs = loaded.signatures[signature](**{k: tf.constant(v) for k, v in inputs.items()})
    return {name: tensor.numpy() for name, tensor in outputs.items()}


def operations(model: Path) -> set[str]:
    saved = saved_model_pb2.SavedModel.FromString((model / "saved_model.pb").read_bytes())
    graph = saved.meta_graphs[0].graph_def
    nodes = [*graph.node, *(node for f in graph.library.function for node in f.node_def)]
    return {node.op for node in nodes}


def without_label(example: bytes) -> bytes:
    parsed = tf.train.Example.FromString(example)
    del parsed.features.feature["label"]
    del parsed.features.feature["example_id"]
    return parsed.SerializeToString()


def test_signatures_of_a_detector(detector: Path) -> None:
    signatures = tf.saved_model.load(str(detector)).signatures
    raw = tf.TensorSpec([None, 24], tf.float32, name="signal")
    outputs = {
        "reconstruction": ([None, 24], tf.float32),
        "error": ([None], tf.float32),
        "threshold": ([None], tf.float32),
        "is_anomaly": ([None], tf.bool),
        "p_value": ([None], tf.float32),
        "contribution": ([None, 24], tf.float32),
    }
    scored = {"error": ([None], tf.float32), "noisy_error": ([None], tf.float32)}
    scored |= dict.fromkeys(("given", "reconstruction"), ([None, 24], tf.float32))
    expected = {
        "serving_default": ({"signal": raw}, outputs),
        "serve_examples": (
            {"examples": tf.TensorSpec([None], tf.string, name="examples")},
            outputs,
        ),
        "encode": ({"signal": raw}, {"latent": ([None, 8], tf.float32)}),
        "score": (
            {"signal": raw, "noise": tf.TensorSpec([None, 24], tf.float32, name="noise")},
            scored,
        ),
    }

    reported = {
        name: (
            signature.structured_input_signature[1],
            {
                key: (spec.shape.as_list(), spec.dtype)
                for key, spec in signature.structured_outputs.items()
            },
        )
        for name, signature in signatures.items()
    }

    assert reported == expected


def test_examples_and_tensors_give_the_same(
    detector: Path, denoiser: Path, beats: Transformed, pictures: Transformed
) -> None:
    for model, data in ((detector, beats), (denoiser, pictures)):
        raw = call(model, "serving_default", **{data.feature: data.raw})
        for examples in (data.examples, [without_label(example) for example in data.examples]):
            parsed = call(model, "serve_examples", examples=examples)
            assert raw.keys() == parsed.keys()
            for name, values in raw.items():
                np.testing.assert_array_equal(values, parsed[name])


def test_one_at_a_time_gives_the_same(
    detector: Path, denoiser: Path, beats: Transformed, pictures: Transformed
) -> None:
    for model, data in ((detector, beats), (denoiser, pictures)):
        batch = call(model, "serving_default", **{data.feature: data.raw})
        single = tf.saved_model.load(str(model)).signatures["serving_default"]
        for i, raw in enumerate(data.raw[:10]):
            one = single(**{data.feature: raw[np.newaxis]})
            np.testing.assert_allclose(one["error"][0], batch["error"][i], atol=1e-6)
            np.testing.assert_allclose(
                one["reconstruction"][0], batch["reconstruction"][i], rtol=1e-6, atol=1e-6
            )


def test_an_empty_batch_is_served(detector: Path) -> None:
    assert call(detector, "serving_default", signal=np.zeros((0, 24), "f4"))["error"].shape == (0,)


def test_serving_scales_as_transform_did(detector: Path, beats: Transformed) -> None:
    target = beats.tensors("eval")["target"]
    outputs = call(detector, "serving_default", signal=beats.raw)

    # In any order: Transform's output is sorted by id, the raw examples are not.
    graph = PreprocessingGraph(beats.output, "signal")
    scaled = graph.scale(tf.constant(beats.raw)).numpy()
    # TensorFlow may fold the division by a constant into a product: the last bit is its own.
    np.testing.assert_allclose(np.sort(scaled, axis=0), np.sort(target, axis=0), atol=1e-7)
    np.testing.assert_allclose(graph.unscale(scaled), beats.raw, atol=1e-5)
    rescaled = graph.scale(tf.constant(outputs["reconstruction"])).numpy()
    np.testing.assert_allclose(np.abs(rescaled - scaled).mean(axis=1), outputs["error"], atol=1e-6)
    assert beats.raw.min() < outputs["reconstruction"].mean() < beats.raw.max()


def test_fractions_of_a_pixel_are_kept(denoiser: Path, pictures: Transformed) -> None:
    whole = call(denoiser, "score", image=pictures.raw, noise=np.zeros_like(pictures.raw))
    part = call(denoiser, "score", image=pictures.raw + 0.4, noise=np.zeros_like(pictures.raw))

    assert not np.array_equal(whole["error"], part["error"])


def test_score_adds_noise_and_clips(denoiser: Path, pictures: Transformed) -> None:
    graph = PreprocessingGraph(pictures.output, "image")
    scaled = graph.scale(tf.constant(pictures.raw)).numpy()
    noise = np.random.default_rng(0).normal(0, 0.2, scaled.shape).astype(np.float32)

    quiet = call(denoiser, "score", image=pictures.raw, noise=np.zeros_like(noise))
    noisy = call(denoiser, "score", image=pictures.raw, noise=noise)

    served = call(denoiser, "serving_default", image=pictures.raw)
    np.testing.assert_array_equal(quiet["noisy_error"], 0)
    np.testing.assert_allclose(quiet["error"], served["error"], atol=1e-7)
    given = np.clip(scaled + noise, 0, 1)
    expected = np.square(given - scaled).mean(axis=(1, 2))
    np.testing.assert_allclose(noisy["noisy_error"], expected, rtol=1e-5)
    np.testing.assert_allclose(noisy["given"], given, atol=1e-6)
    made = np.square(noisy["reconstruction"] - scaled).mean(axis=(1, 2))
    np.testing.assert_allclose(noisy["error"], made, rtol=1e-5)
    assert (noisy["error"] != quiet["error"]).all()


def test_images_are_reconstructed_within_0_and_1_without_a_threshold(
    denoiser: Path, pictures: Transformed
) -> None:
    outputs = call(denoiser, "serving_default", image=pictures.raw)

    assert outputs.keys() == {"reconstruction", "error"}
    assert outputs["reconstruction"].shape == pictures.raw.shape
    assert 0 <= outputs["reconstruction"].min() <= outputs["reconstruction"].max() <= 1
    assert not hasattr(tf.saved_model.load(str(denoiser)), "threshold")
    assert call(denoiser, "encode", image=pictures.raw)["latent"].shape == (40, 3 * 3 * 8)


def test_no_noise_is_in_the_served_graph(
    denoiser: Path, detector: Path, pictures: Transformed
) -> None:
    transform = pictures.folder / "graph" / "transform_fn"
    assert any("Random" in operation for operation in operations(transform))

    for model in (denoiser, detector):
        found = operations(model)
        assert not [name for name in found if "Random" in name or "While" in name]
        outputs = tf.saved_model.load(str(model)).signatures["serving_default"].structured_outputs
        assert "noisy" not in outputs


IN_A_CLEAN_PROCESS = """
import importlib.util, json, sys
foreign = {prefix!r}
sys.path[:] = [entry for entry in sys.path if entry.startswith(foreign) or "python3" in entry]
sys.meta_path[:] = [finder for finder in sys.meta_path if "editable" not in repr(finder).lower()]
for package in ("trainer", "components", "pipeline", "pipeline_config"):
    assert importlib.util.find_spec(package) is None, package
import tensorflow as tf
model = tf.saved_model.load({model!r})
values = tf.constant(json.load(sys.stdin))
names = ("serving_default", "encode")
out = {{name: {{k: v.numpy().tolist() for k, v in model.signatures[name](signal=values).items()}}
       for name in names}}
zeros = tf.zeros_like(values)
out["score"] = {{k: v.numpy().tolist()
                for k, v in model.signatures["score"](signal=values, noise=zeros).items()}}
print("RESULT" + json.dumps(out))
"""


def test_the_threshold_is_set_and_served_without_our_packages(
    detector: Path, beats: Transformed, tmp_path: Path
) -> None:
    before = call(detector, "serving_default", signal=beats.raw)
    assert np.isinf(before["threshold"]).all()
    assert not before["is_anomaly"].any()
    threshold = float(np.median(before["error"]))
    loaded = tf.saved_model.load(str(detector))
    loaded.threshold.assign(threshold)
    copy = tmp_path / "copy"
    tf.saved_model.save(loaded, str(copy), signatures=loaded.signatures)

    script = IN_A_CLEAN_PROCESS.format(prefix=sys.prefix, model=str(copy))
    done = subprocess.run(
        [sys.executable, "-I", "-c", script],
        input=json.dumps(beats.raw.tolist()),
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )

    assert done.returncode == 0, done.stderr[-2000:]
    result = json.loads(done.stdout.split("RESULT")[1])
    served = result["serving_default"]
    np.testing.assert_allclose(served["error"], before["error"], atol=1e-7)
    np.testing.assert_allclose(served["threshold"], threshold, rtol=1e-6)
    np.testing.assert_array_equal(served["is_anomaly"], before["error"] > np.float32(threshold))
    np.testing.assert_allclose(served["reconstruction"], before["reconstruction"], atol=1e-5)
    np.testing.assert_allclose(result["score"]["error"], before["error"], atol=1e-7)
    assert np.shape(result["encode"]["latent"]) == (40, 8)
    again = call(copy, "serve_examples", examples=beats.examples)
    np.testing.assert_array_equal(again["error"], before["error"])
    variables = tf.saved_model.load(str(copy)).model_variables
    assert [tuple(v.shape) for v in variables] == [tuple(v.shape) for v in loaded.model_variables]
