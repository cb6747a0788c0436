"""What `detector` reaches on real signals, and that a user gets it by plain commands."""

import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.run.outcome import RunOutcome
from pipeline.runners.local import RunRequest, run_pipelines
from pipeline_config import DETECTOR
from tests.conftest import Aepipe
from tests.serving.conftest import running_server

DATA = Path(os.environ.get("AEPIPE_DATA", ""))

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not os.environ.get("AEPIPE_DATA"), reason="AEPIPE_DATA names no folder of real files"
    ),
]

WITHOUT_SERVER = "infra_validator.enabled=false"
MODEL = "signal_anomaly_detector"


def run(home: Path, data: Path, *settings: str) -> RunOutcome:
    request = RunRequest(("detector",), home, data, (*settings, WITHOUT_SERVER))
    (outcome,) = run_pipelines(request, sys.stderr)
    assert outcome.status == "pushed", outcome.reasons
    return outcome


@pytest.fixture(scope="module")
def beats(tmp_path_factory: pytest.TempPathFactory) -> RunOutcome:
    """A run on the tutorial's file and split."""
    home = tmp_path_factory.mktemp("home")
    return run(home, DATA / "ecg", "data.split=tutorial")


def test_the_tutorials_heartbeats_are_told_apart(beats: RunOutcome) -> None:
    """One seed; docs/detection.md has mean and spread of several."""
    assert beats.metrics["accuracy"] >= 0.965
    assert beats.metrics["f1"] >= 0.968
    assert beats.metrics["roc_auc"] >= 0.988


def test_false_alarms_are_as_few_as_promised(beats: RunOutcome) -> None:
    normal = beats.classes["1"]
    rate = DETECTOR.evaluator.false_alarm_rate
    # Three standard deviations, of a share of 560 eval normals and of some 460 held-out ones.
    most = rate + 3 * (rate * (1 - rate) * (1 / 560 + 1 / 460)) ** 0.5
    assert normal["alarms"] / normal["examples"] <= most


@pytest.fixture(scope="module")
def power(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The home of a run on one set of the UCR archive, and the set's folder."""
    home, data = tmp_path_factory.mktemp("power"), tmp_path_factory.mktemp("sets")
    for path in (DATA / "signals").glob("ItalyPowerDemand_*.tsv"):
        (data / path.name).write_bytes(path.read_bytes())
    outcome = run(home, data, "data.length=24", "data.label=first")
    assert outcome.metrics["roc_auc"] >= 0.9
    return home, data


def test_a_set_of_one_s_own_is_reported_scored_and_served(
    power: tuple[Path, Path], aepipe: Aepipe, tmp_path: Path
) -> None:
    home, data = power
    reported = aepipe("report", "--home", home)
    assert reported.exit_code == 0, reported.err
    scores = tmp_path / "scores.csv"
    file = data / "ItalyPowerDemand_TEST.tsv"
    scored = aepipe("predict", "detector", file, "--out", scores, "--home", home)
    assert scored.exit_code == 0, scored.err
    table = pd.read_csv(scores)
    signals = np.loadtxt(file, delimiter="\t")[:50, 1:].astype(np.float32)
    with running_server(home / "serving") as server:
        answer = server.predict(signals, MODEL)
    np.testing.assert_allclose(answer["error"], table["error"][:50], rtol=1e-4)
    # A row that was held out itself is level with one of the normal errors, to the last bit.
    np.testing.assert_allclose(answer["p_value"], table["p_value"][:50], atol=0.02)
    assert ((answer["p_value"] > 0) & (answer["p_value"] <= 1)).all()
    assert answer["contribution"].shape == signals.shape
    np.testing.assert_allclose(answer["contribution"].sum(axis=1), 1, rtol=1e-4)
