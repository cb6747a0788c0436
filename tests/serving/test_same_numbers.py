"""A file that is scored and a server that is asked give the same numbers."""

import csv
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import Aepipe
from tests.serving.conftest import MODEL, RunningServer
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
    result = aepipe("predict", MODEL, rows, "--out", scores, *options)
    assert result.exit_code == 0, result.err
    with scores.open() as file:
        scored = list(csv.DictReader(file))
    found = np.array([row["error"] for row in scored], np.float32)
    one_by_one = np.concatenate([server.predict(given[n : n + 1])["error"] for n in range(20)])
    if batch_size == 1:
        np.testing.assert_array_equal(found, one_by_one)
    np.testing.assert_allclose(found, server.predict(given)["error"], atol=1e-6)
    assert [row["is_anomaly"].lower() == "true" for row in scored] == list(one_by_one > 1.0)
