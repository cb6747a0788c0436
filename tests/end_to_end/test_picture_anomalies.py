"""A detector of pictures by a file alone: the documentation's own, from files to scores."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.conftest import Aepipe

CONFIG = Path("docs/garments.toml")


@pytest.mark.slow
def test_pictures_of_other_classes_are_anomalies(
    aepipe: Aepipe, small_sample: Path, tmp_path: Path
) -> None:
    common = ("--config", CONFIG, "--home", tmp_path / "home")
    short = ("--set", "trainer.epochs=60", "--set", "trainer.batch_size=16")
    checked = aepipe("data", "check", "boots", *common[:2], "--data-dir", small_sample, "--json")
    assert checked.exit_code == 0, checked.out
    labels = json.loads(checked.out)["found"]["labels"]

    result = aepipe("run", "boots", *common, "--data-dir", small_sample, *short, "--json")

    assert result.exit_code == 0, result.err
    (run,) = result.runs
    assert run["status"] == "pushed", run["reasons"]
    assert set(run["classes"]) == set("0123456789")
    assert [name for name, one in run["classes"].items() if one["label"] == "normal"] == ["9"]
    assert run["metrics"]["roc_auc"] > 0.6
    of_splits = run["data"]["labels"].values()
    assert {name: sum(of[name] for of in of_splits) for name in labels} == labels
    page = Path(run["report"]).read_text()
    assert "judged normal" in page
    assert "mean absolute error" in page

    model = tf.saved_model.load(run["pushed"])
    pictures = np.zeros((3, 28, 28), np.float32)
    answer = model.signatures["serving_default"](image=tf.constant(pictures))
    assert answer["threshold"].numpy()[0] == np.float32(run["threshold"])
    assert {"reconstruction", "error", "is_anomaly"} <= set(answer)

    images = small_sample / "fashion_mnist" / "t10k-images-idx3-ubyte.gz"
    out = tmp_path / "scores.csv"
    assert aepipe("predict", "boots", images, *common, "--out", out).exit_code == 0
    with out.open() as file:
        rows = list(csv.DictReader(file))
    alarms = sum(one["alarms"] for one in run["classes"].values())
    assert sum(row["is_anomaly"] in ("1", "true", "True") for row in rows) == alarms
