"""A file that is scored and a server that is asked give the same numbers."""

import csv
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import Aepipe
from tests.pipeline.scoring.tiny_series import (
    LENGTH,
    make_series,
    push_series_model,
    write_series,
)
from tests.serving.conftest import MODEL, RunningServer, eventually
from tests.serving.tiny_detector import signals


@pytest.mark.parametrize("batch_size", [1, 64])
def test_predict_and_the_server(
    server: RunningServer, aepipe: Aepipe, tmp_path: Path, batch_size: int
) -> None:
    given = signals(20)
    rows = tmp_path / "rows.csv"
    rows.write_text("".join(",".join(map(str, row)) + "\n" for row in given.tolist()))
    scores = tmp_path / "scores.csv"
    options = ("--batch-size", str(batch_size), "--models-dir", server.models_dir)
    result = aepipe("predict", MODEL, rows, "--out", scores, "--contribution", *options)
    assert result.exit_code == 0, result.err
    with scores.open() as file:
        scored = list(csv.DictReader(file))
    if batch_size == 1:
        _check_explanations(server, scored, given)
    found = np.array([row["error"] for row in scored], np.float32)
    one_by_one = np.concatenate([server.predict(given[n : n + 1])["error"] for n in range(20)])
    if batch_size == 1:
        np.testing.assert_array_equal(found, one_by_one)
    np.testing.assert_allclose(found, server.predict(given)["error"], atol=1e-6)
    assert [row["is_anomaly"].lower() == "true" for row in scored] == list(one_by_one > 1.0)


def _check_explanations(
    server: RunningServer, scored: list[dict[str, str]], given: np.ndarray
) -> None:
    for number, row in enumerate(scored):
        answered = server.predict(given[number : number + 1])
        assert np.float32(row["p_value"]) == answered["p_value"][0]
        shares = np.array([row[f"contribution_{n}"] for n in range(given.shape[1])], np.float32)
        np.testing.assert_array_equal(shares, answered["contribution"][0])


@pytest.mark.parametrize("step", [LENGTH, 3])
def test_predict_on_a_series_and_the_server_asked_about_its_windows(
    changing_server: RunningServer, aepipe: Aepipe, tmp_path: Path, step: int
) -> None:
    model = f"series_{step}"
    push_series_model(changing_server.models_dir, name=model, step=step)
    eventually(lambda: changing_server.states(model) == {1: "AVAILABLE"})
    values = make_series(40)
    file, scores = write_series(tmp_path / "pump.csv", values), tmp_path / "scores.csv"
    options = ("--batch-size", "1", "--models-dir", changing_server.models_dir)

    result = aepipe("predict", model, file, "--out", scores, *options)

    assert result.exit_code == 0, result.err
    with scores.open() as content:
        found = [float(row["score"]) for row in csv.DictReader(content)]
    starts = list(range(0, 40 - LENGTH + 1, step))
    if starts[-1] + LENGTH < 40:
        starts.append(40 - LENGTH)
    asked = [values[start : start + LENGTH] for start in starts]
    answered = [changing_server.predict(one[np.newaxis], model)["error"][0] for one in asked]
    for sample, score in enumerate(found):
        covering = [
            error
            for start, error in zip(starts, answered, strict=True)
            if start <= sample < start + LENGTH
        ]
        assert np.float32(score) == np.float32(np.mean(covering, dtype=np.float64))
