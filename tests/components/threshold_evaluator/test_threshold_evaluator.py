"""The executor on real TFRecords, SavedModels and Beam."""

from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform.beam as tft_beam
from sklearn import metrics as sklearn_metrics
from tensorflow_transform.tf_metadata import dataset_metadata, schema_utils
from tfx.components.util import model_utils
from tfx.dsl.input_resolution.strategies.latest_blessed_model_strategy import (
    LatestBlessedModelStrategy,
)
from tiny_models import make_beats

from components.threshold_evaluator import verdict
from components.threshold_evaluator.config import EvaluationConfig
from pipeline_config import ANOMALY, DENOISE, EvaluatorConfig, ThresholdEvaluatorConfig
from tests.components.artifacts import example, write_shards

LENGTH = 12


def detector_config(**gate: Any) -> EvaluationConfig:
    return EvaluationConfig(
        feature="signal",
        shape=(LENGTH,),
        loss="mae",
        noise=0.0,
        gate=ThresholdEvaluatorConfig(batch_size=32, **gate),
    )


def image_config(*, noise: float = 0.0, **gate: Any) -> EvaluationConfig:
    return EvaluationConfig(
        feature="image", shape=(4, 6), loss="mse", noise=noise, gate=EvaluatorConfig(**gate)
    )


def test_a_detector_gets_the_tutorials_threshold_and_scikit_learns_metrics(bench: Any) -> None:
    shards = [
        make_beats(normal=50, anomalies=20, seed=1),
        make_beats(normal=30, anomalies=5, seed=2),
    ]
    signals, labels = make_beats(normal=60, anomalies=40, seed=3)
    bench.write("train", *shards)
    bench.write("eval", (signals, labels))
    model = bench.detector(level=0.5, length=LENGTH)

    result = bench.evaluate(detector_config(threshold_k=1.5), model)

    train_error = np.abs(np.concatenate([s for s, _ in shards]) - 0.5).mean(axis=1)
    normal_error = train_error[np.concatenate([y for _, y in shards]) == 1]
    threshold = np.mean(normal_error) + 1.5 * np.std(normal_error)
    error = np.abs(signals - 0.5).mean(axis=1)
    called_normal, normal = error <= threshold, labels == 1
    assert result.evaluation["threshold"] == pytest.approx(threshold, rel=1e-6)
    assert result.evaluation["threshold_from"]["examples"] == 80
    assert result.evaluation["metrics"] == pytest.approx(
        {
            "accuracy": sklearn_metrics.accuracy_score(normal, called_normal),
            "precision": sklearn_metrics.precision_score(normal, called_normal),
            "recall": sklearn_metrics.recall_score(normal, called_normal),
            "f1": sklearn_metrics.f1_score(normal, called_normal),
            "anomaly_recall": sklearn_metrics.recall_score(~normal, ~called_normal),
            "roc_auc": sklearn_metrics.roc_auc_score(~normal, error),
            "pr_auc": sklearn_metrics.average_precision_score(~normal, error),
            "val_loss": error.mean(),
        }
    )
    assert result.evaluation["confusion_matrix"] == {
        "labels": ["normal", "anomaly"],
        "rows_true_columns_predicted": sklearn_metrics.confusion_matrix(
            ~normal, ~called_normal
        ).tolist(),
    }
    assert result.evaluation["examples"] == {"train": 105, "eval": 100}
    np.testing.assert_allclose(result.errors["train_error"], train_error, rtol=1e-5)
    np.testing.assert_array_equal(result.errors["eval_label"], labels)
    assert result.errors["eval_error"].dtype == np.float32

    served = result.load().signatures["serving_default"](tf.constant(signals))
    assert served["threshold"][0] == np.float32(result.evaluation["threshold"])
    np.testing.assert_array_equal(served["is_anomaly"], ~called_normal)
    of_normals = result.errors["train_error"][result.errors["train_label"] == 1]
    np.testing.assert_array_equal(result.load().normal_errors, np.sort(of_normals))


@pytest.mark.parametrize("strategy", ["conformal", "f1"])
def test_a_threshold_is_set_on_what_is_held_out_and_all_strategies_are_compared(
    bench: Any, strategy: str
) -> None:
    signals, labels = make_beats(normal=60, anomalies=40, seed=3)
    held_out = make_beats(normal=50, anomalies=10, seed=2)
    bench.data.split_names = '["train", "calibration", "eval"]'
    bench.write("train", make_beats(normal=30, anomalies=20, seed=1))
    bench.write("calibration", held_out)
    bench.write("eval", (signals, labels))

    result = bench.evaluate(
        detector_config(threshold=strategy, false_alarm_rate=0.1),
        bench.detector(level=0.5, length=LENGTH),
    )

    normals = np.sort(np.abs(held_out[0][held_out[1] == 1] - 0.5).mean(axis=1))
    evaluation = result.evaluation
    assert evaluation["examples"] == {"train": 50, "calibration": 60, "eval": 100}
    origin = evaluation["threshold_from"]
    assert (origin["strategy"], origin["split"]) == (strategy, "calibration")
    assert origin["examples"] == 50
    entries = {entry["strategy"]: entry for entry in evaluation["thresholds"]}
    assert list(entries) == ["mean_std", "percentile", "mad", "conformal", "pot", "f1"]
    assert [name for name, entry in entries.items() if entry["is_chosen"]] == [strategy]
    assert entries[strategy]["threshold"] == evaluation["threshold"] == origin["value"]
    # ceil(51 * 0.9) = 46.
    assert entries["conformal"]["threshold"] == pytest.approx(normals[45], rel=1e-5)
    error = np.abs(signals - 0.5).mean(axis=1)
    for entry in entries.values():
        assert entry["alarms"] == np.count_nonzero(error > entry["threshold"])
        alarm_rate = np.mean(error[labels == 1] > entry["threshold"])
        assert entry["false_alarm_rate"] == pytest.approx(alarm_rate)
        assert entry["accuracy"] <= evaluation["oracle"]["accuracy"]
    assert evaluation["oracle"]["accuracy"] == pytest.approx(
        max(np.mean((error > cut) == (labels == 0)) for cut in [0, *error])
    )
    served = result.load()
    np.testing.assert_allclose(served.normal_errors, normals, rtol=1e-5)
    assert float(served.threshold) == evaluation["threshold"]
    assert "calibration_error" in result.errors
    with_labels = "the threshold was set with labelled anomalies of calibration"
    assert (with_labels in evaluation["notes"]) == (strategy == "f1")


def test_stock_tfx_understands_the_blessing(bench: Any) -> None:
    bench.write("train", make_beats(normal=20, anomalies=5, seed=1))
    bench.write("eval", make_beats(normal=20, anomalies=5, seed=2))
    blessed_model = bench.detector(level=0.5, length=LENGTH)
    blessed = bench.evaluate(detector_config(), blessed_model)
    refused_model = bench.detector(level=0.5, length=LENGTH)
    refused = bench.evaluate(detector_config(lower_bounds={"accuracy": 1.01}), refused_model)

    resolved = LatestBlessedModelStrategy().resolve_artifacts(
        None,
        {
            "model": [blessed_model, refused_model],
            "model_blessing": [blessed.blessing, refused.blessing],
        },
    )
    assert resolved == {"model": [blessed_model], "model_blessing": [blessed.blessing]}
    assert model_utils.is_model_blessed(blessed.blessing)
    assert not model_utils.is_model_blessed(refused.blessing)
    assert [path.name for path in Path(blessed.blessing.uri).iterdir()] == ["BLESSED"]
    assert [path.name for path in Path(refused.blessing.uri).iterdir()] == ["NOT_BLESSED"]
    assert blessed.blessing.get_string_custom_property("judged_model") == blessed.judged_model.uri
    accuracy = refused.evaluation["metrics"]["accuracy"]
    assert refused.evaluation["reasons"] == [
        f"accuracy {accuracy:.4g} is below the lower bound 1.01 "
        "(your setting evaluator.lower_bounds.accuracy)"
    ]


def test_the_baseline_is_scored_on_the_same_eval_split(bench: Any) -> None:
    bench.write("train", make_beats(normal=40, anomalies=10, seed=1))
    bench.write("eval", make_beats(normal=40, anomalies=20, seed=2))
    good = bench.evaluate(detector_config(), bench.detector(level=0.5, length=LENGTH))

    worse = bench.evaluate(
        detector_config(baseline_metric="val_loss"),
        bench.detector(level=0.6, length=LENGTH),
        good.judged_model,
    )
    as_good = bench.evaluate(
        detector_config(), bench.detector(level=0.5, length=LENGTH), good.judged_model
    )

    assert worse.evaluation["baseline"]["metrics"] == good.evaluation["metrics"]
    assert worse.evaluation["baseline"]["threshold"] == good.evaluation["threshold"]
    assert worse.blessing.get_string_custom_property("baseline_model") == good.judged_model.uri
    (reason,) = worse.evaluation["reasons"]
    assert reason.startswith("val_loss 0.1")
    assert "is worse than the baseline's 0.1" in reason
    assert as_good.evaluation["blessed"]


@pytest.mark.parametrize(
    ("length", "threshold", "note"),
    [
        (LENGTH + 1, 1.0, "its input 'signal' has the shape (13,), the examples have (12,)"),
        (LENGTH, np.inf, "it has no threshold"),
    ],
)
def test_a_baseline_that_cannot_be_scored_is_noted(
    bench: Any, length: int, threshold: float, note: str
) -> None:
    bench.write("train", make_beats(normal=20, anomalies=5, seed=1))
    bench.write("eval", make_beats(normal=20, anomalies=5, seed=2))
    baseline = bench.detector(level=0.5, length=length, threshold=threshold)

    result = bench.evaluate(detector_config(), bench.detector(level=0.5, length=LENGTH), baseline)

    assert result.evaluation["blessed"]
    assert result.evaluation["baseline"] is None
    assert "is not compared" in result.evaluation["notes"][0]
    assert note in result.evaluation["notes"][0]


def test_errors_that_are_no_numbers_refuse_the_model(bench: Any) -> None:
    bench.write("train", make_beats(normal=20, anomalies=5, seed=1))
    bench.write("eval", make_beats(normal=20, anomalies=5, seed=2))

    result = bench.evaluate(
        detector_config(lower_bounds={"accuracy": 0.5}),
        bench.detector(level=np.nan, length=LENGTH),
    )

    assert not model_utils.is_model_blessed(result.blessing)
    assert set(result.evaluation["metrics"].values()) == {None}
    reasons = result.evaluation["reasons"]
    assert "error of 25 of 25 eval examples is not a finite number" in " ".join(reasons)
    undefined = "accuracy is undefined, so it cannot be held against its bound 0.5"
    assert any(reason.startswith(undefined) for reason in reasons)


def test_a_single_class_leaves_the_areas_undefined(bench: Any) -> None:
    bench.write("train", make_beats(normal=20, anomalies=5, seed=1))
    bench.write("eval", make_beats(normal=20, anomalies=0, seed=2))

    result = bench.evaluate(detector_config(), bench.detector(level=0.5, length=LENGTH))

    assert result.evaluation["metrics"]["roc_auc"] is None
    assert result.evaluation["metrics"]["pr_auc"] is None
    assert result.evaluation["metrics"]["accuracy"] > 0.5
    assert result.evaluation["blessed"]


def test_classes_and_ids_travel_from_the_examples(bench: Any) -> None:
    signals, labels = make_beats(normal=40, anomalies=20, seed=1)
    labels[np.flatnonzero(labels == 1)[:10]] = -1
    names = {1: "1", 0: "V", -1: ""}
    records = [
        example(signal, label, **{"class": names[int(label)], "example_id": f"{row:032x}"})
        for row, (signal, label) in enumerate(zip(signals, labels, strict=True))
    ]
    for split in ("train", "eval"):
        write_shards(bench.data, split, [records[:25], [], records[25:]])

    result = bench.evaluate(detector_config(), bench.detector(level=0.5, length=LENGTH))

    classes = result.evaluation["classes"]
    assert {name: of["examples"] for name, of in classes.items()} == {"1": 30, "V": 20}
    assert classes["V"]["recall"] == result.evaluation["metrics"]["anomaly_recall"]
    assert classes["1"]["recall"] == result.evaluation["metrics"]["recall"]
    assert result.evaluation["threshold_from"]["examples"] == 40
    assert {bound["metric"]: bound["origin"] for bound in result.evaluation["bounds"]} == {
        "roc_auc": "default",
        "alarm_rate": "default",
    }
    assert np.sum(result.evaluation["confusion_matrix"]["rows_true_columns_predicted"]) == 50


def test_the_tutorials_examples_are_known_by_their_ids(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    signals, labels = make_beats(normal=40, anomalies=20, seed=1)
    for split in ("train", "eval"):
        records = [
            example(signal, label, example_id=f"{row:016x}{2**64 - 1:016x}")
            for row, (signal, label) in enumerate(zip(signals, labels, strict=True))
        ]
        write_shards(bench.data, split, [records])
    digest = f"{2 * sum(range(60)):016x}{2**64 - 120:016x}"
    monkeypatch.setattr(verdict, "TUTORIAL_EXAMPLES", {digest: "these"})
    config = detector_config(tutorial_lower_bounds={"accuracy": 1.5})

    result = bench.evaluate(config, bench.detector(level=0.5, length=LENGTH))

    (reason,) = result.evaluation["reasons"]
    assert reason.endswith("is below the lower bound 1.5 (the tutorial's)")


def write_transform_graph(directory: str) -> None:
    """Runs a real Transform whose noise is 0.1 on every pixel."""

    def preprocessing_fn(inputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        pixels = tf.io.decode_raw(tf.squeeze(inputs["image"], axis=1), tf.uint8)
        target = tf.reshape(tf.cast(pixels, tf.float32) / 255.0, [-1, 4, 6])
        return {"target": target, "noisy": target + 0.1, "label": inputs["label"]}

    schema = schema_utils.schema_from_feature_spec(
        {
            "image": tf.io.FixedLenFeature([1], tf.string),
            "label": tf.io.FixedLenFeature([1], tf.int64),
        }
    )
    rows = [{"image": [bytes(24)], "label": [0]}]
    with (
        beam.Pipeline("FnApiRunner") as pipeline,
        tft_beam.Context(temp_dir=f"{directory}/tmp"),
    ):
        metadata = dataset_metadata.DatasetMetadata(schema)
        data = pipeline | beam.Create(rows), metadata
        _, transform = data | tft_beam.AnalyzeAndTransformDataset(preprocessing_fn)
        _ = transform | tft_beam.WriteTransformFn(directory)
        _ = metadata | tft_beam.WriteMetadata(f"{directory}/metadata", pipeline)


def test_a_denoiser_is_held_against_doing_nothing(bench: Any) -> None:
    random = np.random.default_rng(1)
    images = random.integers(0, 256, (30, 4, 6), dtype=np.uint8)
    labels = random.integers(0, 256, 30)
    bench.write("train", (images, labels))
    bench.write("eval", (images[:10], labels[:10]), (images[10:], labels[10:]))
    write_transform_graph(bench.transform_graph.uri)

    result = bench.evaluate(
        image_config(noise=0.1, lower_bounds={"psnr_gain_db": 50.0}),
        bench.reconstructor(gain=0.9, shape=(4, 6)),
    )

    scaled = images / 255.0
    val_loss = np.mean(((scaled + 0.1) * 0.9 - scaled) ** 2)
    gain = 10 * np.log10(0.01 / val_loss)
    assert result.evaluation["metrics"] == pytest.approx(
        {"val_loss": val_loss, "noisy_mse": 0.01, "psnr_gain_db": gain}, rel=1e-4
    )
    assert result.evaluation["reasons"] == [
        f"psnr_gain_db {gain:.4g} is below the lower bound 50 "
        "(your setting evaluator.lower_bounds.psnr_gain_db)"
    ]
    assert result.evaluation["threshold"] is None
    np.testing.assert_array_equal(result.errors["eval_label"], labels)
    np.testing.assert_allclose(result.errors["eval_noisy_error"], 0.01, rtol=1e-4)
    assert [level["noise"] for level in result.evaluation["noise_levels"]] == [
        *(0.1, 0.2, 0.3, 0.4, 0.5)
    ]
    assert "score" in result.load().signatures


def test_a_model_without_noise_has_its_loss_as_the_only_metric(bench: Any) -> None:
    images = np.full((5, 4, 6), 255, np.uint8)
    bench.write("train", (images, np.zeros(5)))
    bench.write("eval", (images, np.zeros(5)))

    result = bench.evaluate(image_config(), bench.reconstructor(gain=0.9, shape=(4, 6)))

    assert result.evaluation["metrics"] == pytest.approx({"val_loss": 0.01})
    assert result.evaluation["blessed"]
    assert result.evaluation["noise_levels"] == []
    assert "eval_noisy_error" not in result.errors


@pytest.mark.parametrize("pipeline", [ANOMALY, DENOISE], ids=lambda pipeline: pipeline.name)
def test_a_config_survives_its_journey(pipeline: Any) -> None:
    config = EvaluationConfig.from_pipeline(pipeline)

    assert EvaluationConfig.from_json(config.to_json()) == config
    assert config.is_detector == pipeline.is_detector
