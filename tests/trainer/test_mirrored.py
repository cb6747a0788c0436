"""One device and two train the same model, by Keras' own `fit`."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from trainings import Transformed, arguments, assert_close, history, train_in, weights

from pipeline_config import UserInputError

# 160 examples: the last of 54 is a smaller batch.
CASES: dict[str, dict[str, Any]] = {
    "detector": {"model": "AnomalyDetector", "loss": "mae", "batch_size": 54, "epochs": 3},
    "normal only": {
        "model": "AnomalyDetector",
        "loss": "mae",
        "batch_size": 16,
        "epochs": 20,
        "learning_rate": 0.005,
        "early_stopping_patience": 2,
        "normal_only": True,
        "steps_per_execution": 3,
    },
    "dense": {"model": "BasicAutoencoder", "loss": "mse", "batch_size": 16, "epochs": 3},
    "convolutional": {"model": "DenoisingAutoencoder", "loss": "mse", "batch_size": 54},
}

TRAIN_ON_TWO_DEVICES = """
import json, sys, types
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from trainer.train import run_fn
for arguments in json.load(sys.stdin):
    run_fn(types.SimpleNamespace(**arguments))
"""


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def data_of(case: str, beats: Transformed, pictures: Transformed) -> Transformed:
    return beats if CASES[case]["model"] == "AnomalyDetector" else pictures


@pytest.mark.slow
def test_the_model_is_as_good_as_without_a_strategy(
    case: str, beats: Transformed, pictures: Transformed, tmp_path: Path
) -> None:
    data = data_of(case, beats, pictures)

    one = train_in(tmp_path / "1", data, **CASES[case])
    mirrored = train_in(tmp_path / "2", data, **CASES[case], distribution="mirrored")

    # The batches come in another order.
    best, found = (min(history(folder)["val_loss"]) for folder in (one, mirrored))
    assert found == pytest.approx(best, rel=0.05)
    assert list((mirrored / "run").glob("**/events.out.tfevents*"))


def test_a_warm_start_is_mirrored_too(beats: Transformed, tmp_path: Path) -> None:
    cold = train_in(tmp_path / "1", beats, **CASES["detector"])
    still = {**CASES["detector"], "epochs": 1, "learning_rate": 1e-12}

    warm = train_in(
        tmp_path / "2", beats, **still, base_model=cold / "model", distribution="mirrored"
    )

    for left, right in zip(weights(cold), weights(warm), strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-6, atol=1e-9)


@pytest.mark.slow
def test_two_devices_give_the_same_as_one(
    beats: Transformed, pictures: Transformed, tmp_path: Path
) -> None:
    calls, expected = [], {}
    for case, trainer in CASES.items():
        data = data_of(case, beats, pictures)
        expected[case] = train_in(tmp_path / case / "1", data, **trainer, distribution="mirrored")
        calls += [
            arguments(tmp_path / case / again, data, **trainer, distribution="mirrored")
            for again in ("2", "again")
        ]

    subprocess.run(
        [sys.executable, "-c", TRAIN_ON_TWO_DEVICES],
        input=json.dumps(calls),
        text=True,
        check=True,
    )

    for case, one in expected.items():
        two, again = tmp_path / case / "2", tmp_path / case / "again"
        assert_close(one, two)
        assert history(two) == history(again)
        for left, right in zip(weights(two), weights(again), strict=True):
            np.testing.assert_array_equal(left, right)


@pytest.mark.slow
def test_a_batch_that_does_not_split_evenly_is_reported(beats: Transformed, tmp_path: Path) -> None:
    call = arguments(
        tmp_path, beats, "AnomalyDetector", "mae", batch_size=5, distribution="mirrored"
    )

    done = subprocess.run(
        [sys.executable, "-c", TRAIN_ON_TWO_DEVICES],
        input=json.dumps([call]),
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    sentence = done.stderr.splitlines()[-1]
    assert sentence.startswith(f"{UserInputError.__module__}.UserInputError: trainer.batch_size=5")
    assert not (tmp_path / "model").exists()
