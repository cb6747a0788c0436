"""One option moves the scoring to other workers, and no number changes."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.pipeline.scoring.conftest import COMMAND, Predicted
from tests.pipeline.scoring.tiny_served import as_lines, make_signals, write_csv


@pytest.mark.slow
@pytest.mark.parametrize("profile", ["multicore", "flink"])
def test_other_workers_give_the_same_rows_from_several_ranges(
    tmp_path: Path,
    models: Path,
    predicted: Predicted,
    profile: str,
    request: pytest.FixtureRequest,
) -> None:
    if profile == "flink":
        request.getfixturevalue("flink_job_server")
    block = as_lines(make_signals(1000))
    # More than one range of `RANGE_BYTES`.
    file = write_csv(tmp_path / "ecg.csv", [*(block * 280), "a,bad,row"])
    here, there = tmp_path / "here.parquet", tmp_path / "there.parquet"
    expected = predicted("anomaly", file, "-o", here)

    # In a process of its own: these runners fork or stay up as long as theirs does.
    command = [*COMMAND, "anomaly", file, "-o", there, "--json"]
    result = subprocess.run(
        [*command, "--models-dir", models, "--beam-profile", profile],
        capture_output=True,
        text=True,
    )

    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    assert (found["examples"], found["rejected"]) == (280_000, 1)
    assert found["anomalies"] == expected["anomalies"]
    assert found["first_rejects"] == expected["first_rejects"]
    one, many = pd.read_parquet(here), pd.read_parquet(there).sort_values("row", ignore_index=True)
    assert many["row"].tolist() == one["row"].tolist()
    np.testing.assert_allclose(many["error"], one["error"], atol=1e-6, rtol=0)
