"""`aepipe predict` with a model of long series: a row a sample, and a table of events."""

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.pipeline.scoring.conftest import Predict, Predicted, mistake
from tests.pipeline.scoring.tiny_series import (
    LENGTH,
    MODEL,
    THRESHOLD,
    PumpDetector,
    expected_scores,
    make_series,
    push_series_model,
    write_series,
)
from tests.pipeline.scoring.tiny_served import TinyDetector, push


@pytest.fixture(scope="module")
def series_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    models = tmp_path_factory.mktemp("series")
    push_series_model(models)
    push_series_model(models, name="overlapping", step=3)
    push_series_model(models, name="filling", missing="interpolate", longest_gap=2)
    push_series_model(models, PumpDetector(1), name="single", channels=1)
    push_series_model(models, PumpDetector(is_detector=False), name="plain")
    push(TinyDetector(), models, "rows", 1)
    return models


@pytest.mark.parametrize("batch_size", ["1", "512"])
@pytest.mark.parametrize(
    ("model", "options", "step"),
    [
        (MODEL, [], LENGTH),
        ("overlapping", [], 3),
        ("overlapping", ["--step", "1"], 1),
        (MODEL, ["--step", "5"], 5),
    ],
)
def test_a_samples_score_is_the_mean_over_the_windows_that_cover_it(
    predicted: Predicted,
    series_models: Path,
    tmp_path: Path,
    model: str,
    options: list[str],
    step: int,
    batch_size: str,
) -> None:
    values = make_series(61)
    file = write_series(tmp_path / "pump.csv", values)
    out = tmp_path / "scores.csv"

    found = predicted(
        model, file, "-o", out, "--batch-size", batch_size, *options, models_dir=series_models
    )

    scores = pd.read_csv(out)
    assert list(scores) == ["time", "score", "is_anomaly", "windows"]
    score, windows = expected_scores(values, step)
    np.testing.assert_allclose(scores["score"], score, rtol=1e-5)
    np.testing.assert_array_equal(scores["windows"], windows)
    np.testing.assert_array_equal(scores["is_anomaly"], score > THRESHOLD)
    assert scores["time"].iloc[[0, -1]].tolist() == ["2026-01-01 00:00:00", "2026-01-01 00:01:00"]
    assert (found["points"], found["scored"], found["rejected"]) == (61, 61, 0)
    assert found["score_quantiles"]["max"] == pytest.approx(score.max(), rel=1e-5)


def test_the_times_are_the_files_own_text_and_not_in_quotes(
    predicted: Predicted, series_models: Path, tmp_path: Path
) -> None:
    file = write_series(tmp_path / "pump.csv", make_series(20))
    out = tmp_path / "scores.csv"

    predicted(MODEL, file, "-o", out, models_dir=series_models)

    assert out.read_text().splitlines()[1].startswith("2026-01-01 00:00:00,0.")


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_without_times_samples_are_counted(
    predicted: Predicted, series_models: Path, tmp_path: Path, suffix: str
) -> None:
    values = make_series(20)
    np.save(tmp_path / "pump.npy", values)
    out, events = tmp_path / f"scores.{suffix}", tmp_path / f"events.{suffix}"
    values[10:14] = 9
    np.save(tmp_path / "pump.npy", values)

    predicted(MODEL, tmp_path / "pump.npy", "-o", out, "--events", events, models_dir=series_models)

    read = pd.read_csv if suffix == "csv" else pd.read_parquet
    scores = read(out)
    assert list(scores) == ["sample", "score", "is_anomaly", "windows"]
    assert scores["sample"].tolist() == list(range(20))
    (event,) = read(events).to_dict("records")
    assert (event["start"], event["end"], event["samples"]) == (8, 19, 12)


def test_an_event_has_its_times_its_peak_and_the_channel_that_contributes_most(
    predicted: Predicted, series_models: Path, tmp_path: Path
) -> None:
    values = make_series(80) / 10
    values[16:24, 1] = 6
    values[48:64, 0] = 4
    file = write_series(tmp_path / "pump.csv", values)
    out = tmp_path / "events.csv"

    found = predicted(MODEL, file, "--events", out, models_dir=series_models)

    events = pd.read_csv(out)
    assert list(events) == ["start", "end", "samples", "peak_score", "channel"]
    assert events["channel"].tolist() == ["pressure", "flow"]
    assert events["samples"].tolist() == [8, 16]
    assert events["start"].tolist() == ["2026-01-01 00:00:16", "2026-01-01 00:00:48"]
    assert events["end"].tolist() == ["2026-01-01 00:00:23", "2026-01-01 00:01:03"]
    assert events["peak_score"].tolist() == pytest.approx([3, 2], rel=0.05)
    assert (found["events"], found["anomalies"], found["threshold"]) == (2, 24, 1.0)


def test_a_table_of_no_events_has_its_header(
    predicted: Predicted, series_models: Path, tmp_path: Path
) -> None:
    file = write_series(tmp_path / "pump.csv", make_series(20) / 10)
    out = tmp_path / "events.csv"

    found = predicted(MODEL, file, "--events", out, models_dir=series_models)

    assert out.read_text() == "start,end,samples,peak_score,channel\n"
    assert found["events"] == 0


def test_a_gap_in_time_is_spanned_by_no_window_and_no_event(
    predicted: Predicted, series_models: Path, tmp_path: Path
) -> None:
    values = np.full((24, 2), 5, np.float32)
    seconds = np.arange(24) + 600 * (np.arange(24) >= 11)
    file = write_series(tmp_path / "pump.csv", values, seconds=seconds)
    out, events = tmp_path / "scores.csv", tmp_path / "events.csv"

    found = predicted(MODEL, file, "-o", out, "--events", events, models_dir=series_models)

    # 11 and 13 samples: windows at 0 and 3, and at 11 and 16.
    overlaps = [1] * 3 + [2] * 5 + [1] * 3 + [1] * 5 + [2] * 3 + [1] * 5
    assert pd.read_csv(out)["windows"].tolist() == overlaps
    assert pd.read_csv(events)["samples"].tolist() == [11, 13]
    assert (found["gaps"], found["events"]) == (1, 2)


def test_a_run_that_is_too_short_for_a_window_has_no_scores(
    predicted: Predicted, series_models: Path, tmp_path: Path
) -> None:
    seconds = np.arange(20) + 600 * (np.arange(20) >= 15)
    file = write_series(tmp_path / "pump.csv", make_series(20), seconds=seconds)
    out = tmp_path / "scores.csv"

    found = predicted(MODEL, file, "-o", out, models_dir=series_models)

    scores = pd.read_csv(out)
    assert scores["score"].isna().tolist() == [False] * 15 + [True] * 5
    assert scores["is_anomaly"].isna().sum() == 5
    assert (found["points"], found["scored"]) == (20, 15)


BROKEN = {
    "text": ("nonsense", "column 2 ('flow'): 'nonsense' is not a number"),
    "missing": ("", "column 2 ('flow'): a missing value"),
    "large": ("1e60", "column 2 ('flow'): '1e+60' is not a finite float32"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_row_stops_no_other(
    predict: Predict, series_models: Path, tmp_path: Path, fault: str
) -> None:
    cell, reason = BROKEN[fault]
    values = make_series(40)
    file = write_series(tmp_path / "pump.csv", values)
    lines = file.read_text().splitlines()
    time, _, pressure = lines[20].split(",")
    lines[20] = f"{time},{cell},{pressure}"
    file.write_text("\n".join(lines))
    out = tmp_path / "scores.csv"

    result = predict(MODEL, file, "-o", out, "--strict", models_dir=series_models)

    assert result.exit_code == 3
    assert f"row 21: {reason}" in " ".join(result.out.split())
    scores = pd.read_csv(out)
    assert np.flatnonzero(scores["score"].isna()).tolist() == [19]
    first, _ = expected_scores(values[:19], LENGTH)
    second, _ = expected_scores(values[20:], LENGTH)
    np.testing.assert_allclose(scores["score"].drop(19), [*first, *second], rtol=1e-5)
    (reject,) = pd.read_csv(tmp_path / "scores.rejects.csv").to_dict("records")
    assert (reject["row"], reject["reason"].startswith(reason)) == (21, True)


@pytest.mark.parametrize("line", ["2026-01", "yesterday,1,2", "1,2,3,4,5", "\udcff"])
def test_a_torn_line_stops_no_other(
    predicted: Predicted, series_models: Path, tmp_path: Path, line: str
) -> None:
    file = write_series(tmp_path / "pump.csv", make_series(40))
    lines = file.read_text().splitlines()
    lines[20] = line
    file.write_bytes("\n".join(lines).encode(errors="surrogateescape"))
    out = tmp_path / "scores.csv"

    found = predicted(MODEL, file, "-o", out, models_dir=series_models)

    assert (found["points"], found["scored"], found["rejected"]) == (40, 39, 1)
    assert found["first_rejects"][0]["row"] == 21
    assert np.flatnonzero(pd.read_csv(out)["score"].isna()).tolist() == [19]


def test_missing_values_are_filled_in_as_in_the_run(
    predicted: Predicted, series_models: Path, tmp_path: Path
) -> None:
    values = make_series(60)
    values[10:12, 0] = (values[9, 0] + (values[12, 0] - values[9, 0]) * np.arange(1, 3) / 3)[:2]
    gappy = values.copy()
    gappy[10:12, 0] = np.nan
    gappy[40:45, 1] = np.nan
    file = write_series(tmp_path / "pump.csv", gappy)
    out = tmp_path / "scores.csv"

    found = predicted("filling", file, "-o", out, models_dir=series_models)

    scores = pd.read_csv(out)
    assert np.flatnonzero(scores["score"].isna()).tolist() == [40, 41, 42, 43, 44]
    np.testing.assert_allclose(scores["score"][:40], expected_scores(values[:40], 8)[0], rtol=1e-5)
    assert (found["interpolated"], found["rejected"]) == (2, 0)


def test_one_channel(predicted: Predicted, series_models: Path, tmp_path: Path) -> None:
    values = make_series(40)[:, :1]
    values[16:24] = 5
    file = write_series(tmp_path / "pump.csv", values)
    events = tmp_path / "events.csv"

    predicted("single", file, "--events", events, models_dir=series_models)

    (event,) = pd.read_csv(events).to_dict("records")
    assert (event["samples"], event["channel"]) == (8, "flow")


def test_a_model_without_a_threshold_scores_alone(
    predict: Predict, predicted: Predicted, series_models: Path, tmp_path: Path
) -> None:
    file = write_series(tmp_path / "pump.csv", make_series(20))
    out = tmp_path / "scores.csv"

    found = predicted("plain", file, "-o", out, models_dir=series_models)

    assert list(pd.read_csv(out)) == ["time", "score", "windows"]
    assert "anomalies" not in found
    result = predict("plain", file, "--events", tmp_path / "e.csv", models_dir=series_models)
    assert "model plain has no threshold" in mistake(result)


@dataclasses.dataclass(frozen=True)
class Mistake:
    options: list[str]
    message: str
    model: str = MODEL
    file: str = "pump.csv"


MISTAKES = {
    "events of rows": Mistake(
        ["--events", "e.csv"], "--events: model rows scores rows, each an example", "rows"
    ),
    "step of rows": Mistake(["--step", "2"], "--step: model rows scores rows", "rows"),
    "beam": Mistake(["--beam-profile", "local"], "in this process: take --beam-profile"),
    "reconstruction": Mistake(["--reconstruction"], "lies in several windows: take it away"),
    "step": Mistake(["--step", "9"], "--step 9: the windows have 8 samples"),
    "standard input": Mistake([], "does not come from standard input: name a file", file="-"),
    "no file": Mistake([], "nowhere.csv: no such file", file="nowhere.csv"),
    "short": Mistake([], "no 8 of its 5 samples follow each other", file="short.csv"),
    "channels": Mistake([], "--set data.channels=1", file="one.csv"),
    "format": Mistake(["--events", "e.txt"], "e.txt: the output's name must end with .csv"),
    "twice": Mistake(["--events", "pump.csv"], "pump.csv: named twice"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_is_one_line(
    predict: Predict,
    series_models: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    case: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    write_series(Path("pump.csv"), make_series(20))
    write_series(Path("short.csv"), make_series(5))
    write_series(Path("one.csv"), make_series(20)[:, :1])
    wrong = MISTAKES[case]

    result = predict(wrong.model, wrong.file, *wrong.options, models_dir=series_models)

    assert wrong.message in mistake(result)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.csv", "pump.csv", "short.csv"]


def test_the_summary_for_people(predict: Predict, series_models: Path, tmp_path: Path) -> None:
    values = make_series(40) / 10
    values[16:24] = 6
    file = write_series(tmp_path / "pump.csv", values)

    result = predict(MODEL, file, models_dir=series_models)

    assert result.exit_code == 0, result.err
    shown = " ".join(result.out.split())
    for text in ("points 40", "windows 5", "anomalies 8 (20.00%)", "events 1 above 1", "score max"):
        assert text in shown


@pytest.mark.parametrize("suffix", ["csv", "npy"])
def test_rows_of_several_channels_are_scored_one_by_one(
    predicted: Predicted, tmp_path: Path, suffix: str
) -> None:
    push_series_model(tmp_path / "models", name="beats", series=False)
    values = make_series(5 * LENGTH).reshape(5, LENGTH, 2)
    file, out = tmp_path / f"rows.{suffix}", tmp_path / "scores.parquet"
    if suffix == "csv":
        np.savetxt(file, values.reshape(5, -1), delimiter=",")
    else:
        np.save(file, values)

    predicted("beats", file, "-o", out, "--reconstruction", models_dir=tmp_path / "models")

    scores = pd.read_parquet(out)
    np.testing.assert_allclose(scores["error"], np.abs(values).mean(axis=(1, 2)), rtol=1e-5)
    assert {len(row) for row in scores["reconstruction"]} == {2 * LENGTH}
