"""`aepipe predict` writes how rare an error is, and with `--contribution` where it lies."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from tests.pipeline.scoring.conftest import Predict, Predicted, mistake
from tests.pipeline.scoring.tiny_series import (
    MODEL,
    PumpDetector,
    expected_scores,
    expected_shares,
    make_series,
    push_series_model,
    write_series,
)
from tests.pipeline.scoring.tiny_served import (
    LENGTH,
    ExplainingDetector,
    as_lines,
    called_directly,
    make_signals,
    push,
    read_scores,
    write_csv,
)

NORMAL_ERRORS = np.linspace(0.3, 1.5, 40, dtype=np.float32)
SHARES = [f"contribution_{index}" for index in range(LENGTH)]


@pytest.fixture(scope="module")
def explaining(tmp_path_factory: pytest.TempPathFactory) -> Path:
    models = tmp_path_factory.mktemp("explaining")
    push(ExplainingDetector(NORMAL_ERRORS), models, "ecg_anomaly_detector", 7)
    push_series_model(models, PumpDetector(explains=True), name=MODEL)
    push_series_model(models, PumpDetector(1, explains=True), name="single", channels=1)
    return models


@pytest.mark.parametrize("where", [[], ["--beam-arg=--runner=FnApiRunner"]], ids=["here", "beam"])
@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_rows_have_the_models_own_p_value_and_contribution(
    tmp_path: Path, explaining: Path, predicted: Predicted, suffix: str, where: list[str]
) -> None:
    signals = make_signals(60)
    file = write_csv(tmp_path / "ecg.csv", as_lines(signals))
    output = tmp_path / f"scores.{suffix}"

    predicted(
        *("anomaly", file, "-o", output, "--batch-size", "1", "--contribution", *where),
        models_dir=explaining,
    )

    scores = read_scores(output)
    expected = called_directly(explaining / "ecg_anomaly_detector" / "7", signals, batch_size=1)
    columns = ["row", "error", "threshold", "is_anomaly", "p_value"]
    shares = SHARES if suffix == "csv" else ["contribution"]
    assert scores.columns.tolist() == [*columns, *shares]
    np.testing.assert_array_equal(scores["p_value"].to_numpy(np.float32), expected["p_value"])
    assert scores["p_value"].nunique() > 10
    found = scores[SHARES] if suffix == "csv" else np.stack(scores["contribution"].tolist())
    np.testing.assert_array_equal(np.asarray(found, np.float32), expected["contribution"])


def test_a_row_has_its_reconstruction_before_its_contribution(
    tmp_path: Path, explaining: Path, predicted: Predicted
) -> None:
    file = write_csv(tmp_path / "ecg.csv", as_lines(make_signals(5)))
    output = tmp_path / "scores.csv"

    predicted(
        *("anomaly", file, "-o", output, "--contribution", "--reconstruction"),
        models_dir=explaining,
    )

    names = [f"reconstruction_{index}" for index in range(LENGTH)]
    assert read_scores(output).columns.tolist()[5:] == [*names, *SHARES]


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize("step", [8, 3, 1])
@pytest.mark.parametrize("batch_size", ["1", "512"])
def test_a_samples_contribution_is_its_mean_share_of_its_windows(
    tmp_path: Path,
    explaining: Path,
    predicted: Predicted,
    suffix: str,
    step: int,
    batch_size: str,
) -> None:
    values = make_series(61)
    file, output = write_series(tmp_path / "pump.csv", values), tmp_path / f"scores.{suffix}"
    options = ("--step", str(step), "--batch-size", batch_size, "--contribution")

    predicted(MODEL, file, "-o", output, *options, models_dir=explaining)

    scores = pd.read_csv(output) if suffix == "csv" else pd.read_parquet(output)
    shares = ["contribution_flow", "contribution_pressure"]
    columns = ["time", "score", "is_anomaly", "p_value", "windows"]
    assert scores.columns.tolist() == [*columns, *shares]
    np.testing.assert_allclose(scores[shares], expected_shares(values, step), rtol=1e-4)
    score, _ = expected_scores(values, step)
    np.testing.assert_allclose(scores["score"], score, rtol=1e-5)
    np.testing.assert_allclose(scores["p_value"], _ranks(score), rtol=1e-6)
    if step == 8:
        of_windows = scores[shares][:48].to_numpy().reshape(6, -1).sum(axis=1)
        np.testing.assert_allclose(of_windows, 1, rtol=1e-4)


def test_the_contribution_of_one_channel_is_one_column(
    tmp_path: Path, explaining: Path, predicted: Predicted
) -> None:
    values = make_series(20)[:, :1]
    values[11] = 9
    file, output = write_series(tmp_path / "pump.csv", values), tmp_path / "scores.csv"

    predicted("single", file, "-o", output, "--contribution", models_dir=explaining)

    scores = pd.read_csv(output)
    assert scores.columns[-1] == "contribution"
    assert scores["contribution"].idxmax() == 11
    np.testing.assert_allclose(scores["contribution"], expected_shares(values, 8)[:, 0], rtol=1e-4)


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ("anomaly", "it was pushed before models returned it: push it anew"),
        ("basic", "only a detector returns it"),
    ],
)
def test_a_model_that_returns_no_contribution_is_refused_in_one_line(
    tmp_path: Path, predict: Predict, model: str, reason: str
) -> None:
    file = write_csv(tmp_path / "ecg.csv", as_lines(make_signals(5)))

    line = mistake(predict(model, file, "-o", tmp_path / "scores.csv", "--contribution"))

    assert line.startswith("--contribution: ")
    assert reason in line
    assert not (tmp_path / "scores.csv").exists()


def _ranks(score: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    normal = np.linspace(0.1, 2, 9, dtype=np.float32)
    return (1 + (normal >= np.float32(score)[:, None]).sum(axis=1)) / (len(normal) + 1)
