"""Six files of one's own: each is checked, trained on, served and scored, without a script.

The settings of each run are those that `aepipe data check` advises.
"""

import dataclasses
import json
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from data.formats.signal_file import read_signals
from data.series.series_file import read_series
from pipeline.settings import configured
from pipeline_config import SignalData
from tests.conftest import Aepipe, run_command
from tests.end_to_end.own_data import OWN_DATA, Beats, OwnData, read_beats
from tests.serving.conftest import RunningServer, running_server

pytestmark = pytest.mark.slow

QUICK = ("trainer.epochs=8", "trainer.batch_size=64", "evaluator.threshold_k=2")
SERVED_BEFORE = "plant"
"""Whose model the infra validator tries out; its server takes as long to start as a run."""

ASKED = 64


@dataclasses.dataclass(frozen=True)
class Trained:
    """What was made of a file."""

    own: OwnData
    settings: tuple[str, ...]
    checked: dict[str, Any]
    run: dict[str, Any]
    home: Path

    @property
    def model(self) -> str:
        return f"{self.own.name}_model"

    @property
    def data(self) -> SignalData:
        (config,) = configured(["anomaly"], self.settings)
        assert isinstance(config.data, SignalData)
        return config.data


@pytest.fixture(scope="module")
def beats(tmp_path_factory: pytest.TempPathFactory) -> Beats:
    return read_beats(tmp_path_factory.mktemp("beats"))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An output folder for all six, and a file of six pipelines in it."""
    home = tmp_path_factory.mktemp("home")
    pipelines = [
        f'[{make.__name__}]\nbase = "anomaly"\npusher.model_name = "{make.__name__}_model"\n'
        for make in OWN_DATA
    ]
    (home / "own.toml").write_text("\n".join(pipelines))
    return home


def advised(aepipe: Aepipe, own: OwnData, config: Path) -> tuple[tuple[str, ...], dict[str, Any]]:
    """Returns the settings that a check advises, and what a check with them finds."""
    base = ("--config", config, "data", "check", own.name, "--data-dir", own.file.parent, "--json")
    given = [word for setting in own.settings for word in ("--set", setting)]
    first = json.loads(aepipe(*base, *given).out)
    assert not first["accepted"]
    settings = (*own.settings, *first["settings"])
    assert shlex.join(first["settings"][:1]) in first["verdict"]
    again = aepipe(*base, *(word for setting in settings for word in ("--set", setting)))
    assert again.exit_code == 0, again.out
    return settings, json.loads(again.out)


@pytest.fixture(scope="module", params=OWN_DATA, ids=lambda make: make.__name__)
def made(
    request: pytest.FixtureRequest, beats: Beats, tmp_path_factory: pytest.TempPathFactory
) -> OwnData:
    make: Callable[[Beats, Path], OwnData] = request.param
    return make(beats, tmp_path_factory.mktemp(make.__name__))


trained_of: dict[str, Trained] = {}


def test_a_file_is_checked_and_trained_on(made: OwnData, home: Path, aepipe: Aepipe) -> None:
    config = home / "own.toml"
    settings, checked = advised(aepipe, made, config)
    others = () if made.name == SERVED_BEFORE else ("infra_validator.enabled=false",)
    asked = run_command(made.name, home, made.file.parent, (*settings, *QUICK, *others), "--json")
    result = aepipe("--config", config, *asked)
    (run,) = result.runs
    assert (run["status"], result.exit_code) == ("pushed", 0), run["reasons"]
    assert run["data"]["examples"] == checked["found"]["splits"]
    counts = run["data"]["labels"].values()
    labels = {name: sum(of[name] for of in counts) for name in ("normal", "abnormal")}
    assert labels == checked["found"]["labels"]
    assert run["metrics"]["roc_auc"] > 0.5
    trained_of[made.name] = Trained(made, settings, checked, run, home)


@pytest.fixture(scope="module")
def server(home: Path) -> Iterator[RunningServer]:
    """One server for all that was pushed."""
    with running_server(home / "serving") as running:
        yield running


def over_grpc(server: RunningServer, model: str, signals: np.ndarray) -> dict[str, np.ndarray]:
    asked = predict_pb2.PredictRequest()
    asked.model_spec.name = model
    asked.inputs["signal"].CopyFrom(tf.make_tensor_proto(signals))
    with server.channel() as channel:
        answer = prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict(asked)
    return {name: tf.make_ndarray(value) for name, value in answer.outputs.items()}


@pytest.mark.parametrize("name", [make.__name__ for make in OWN_DATA])
def test_the_server_and_predict_agree(
    name: str, server: RunningServer, tmp_path: Path, aepipe: Aepipe
) -> None:
    trained = trained_of.get(name)
    if trained is None:
        pytest.skip("no model of this file was pushed")
    scores = tmp_path / "scores.csv"
    file = trained.own.file
    result = aepipe("predict", trained.model, file, "--out", scores, "--home", trained.home)
    assert result.exit_code == 0, result.err
    table = pd.read_csv(scores)
    if trained.data.series:
        _compare_points(table, trained, server)
        return
    blocks = list(read_signals(str(file), trained.data))
    values = np.concatenate([block.rows.values for block in blocks])
    assert len(table) == len(values) == trained.checked["found"]["examples"]
    asked = values[:ASKED]
    for answer in (server.predict(asked, trained.model), over_grpc(server, trained.model, asked)):
        np.testing.assert_allclose(answer["error"], table["error"][:ASKED], rtol=1e-5)
        assert answer["is_anomaly"].astype(bool).tolist() == table["is_anomaly"][:ASKED].tolist()


def _compare_points(table: pd.DataFrame, trained: Trained, server: RunningServer) -> None:
    """A sample's score is the mean of the server's errors of the windows that cover it."""
    blocks = list(read_series(str(trained.own.file), trained.data, to_score=True))
    windows = np.concatenate([block.windows.values for block in blocks])
    starts = np.concatenate([block.windows.numbers for block in blocks]) - 1
    over_rest = server.predict(windows[:ASKED], trained.model)["error"]
    errors = over_grpc(server, trained.model, windows)["error"]
    np.testing.assert_allclose(over_rest, errors[:ASKED], rtol=1e-5)
    totals, counts = np.zeros(len(table)), np.zeros(len(table))
    for start, error in zip(starts.tolist(), errors.tolist(), strict=True):
        totals[start : start + trained.data.length] += error
        counts[start : start + trained.data.length] += 1
    covered = counts > 0
    assert table["windows"].tolist() == counts.tolist()
    np.testing.assert_allclose(
        table["score"][covered], totals[covered] / counts[covered], rtol=1e-5
    )
    assert table["score"][~covered].isna().all()
