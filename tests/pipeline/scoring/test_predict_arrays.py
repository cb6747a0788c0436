"""Arrays, Parquet and WFDB records are scored as a CSV with the same numbers is."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import wfdb

from pipeline_config import SignalData
from tests.pipeline.scoring.conftest import Predict, Predicted, mistake
from tests.pipeline.scoring.tiny_served import (
    LENGTH,
    as_lines,
    make_signals,
    read_scores,
    write_csv,
)

SIGNALS = make_signals(700)
Signals = npt.NDArray[np.float32]


def _npy(path: Path, signals: Signals) -> None:
    np.save(path.with_suffix(".npy"), signals)


def _npz(path: Path, signals: Signals) -> None:
    np.savez_compressed(path.with_suffix(".npz"), x=signals, y=np.zeros(len(signals)))


def _parquet(path: Path, signals: Signals) -> None:
    pd.DataFrame({"signal": [*signals], "label": 1}).to_parquet(path.with_suffix(".parquet"))


FORMATS: dict[str, Callable[[Path, Signals], None]] = {
    "npy": _npy,
    "npz": _npz,
    "parquet": _parquet,
}


@pytest.mark.parametrize("suffix", FORMATS)
def test_the_same_numbers_give_the_same_scores(
    tmp_path: Path, predicted: Predicted, suffix: str
) -> None:
    text = write_csv(tmp_path / "beats.csv", as_lines(SIGNALS))
    FORMATS[suffix](tmp_path / "beats", SIGNALS)
    expected = predicted("anomaly", text, "-o", tmp_path / "text.parquet")
    found = predicted("anomaly", tmp_path / f"beats.{suffix}", "-o", tmp_path / "array.parquet")
    assert found["examples"] == expected["examples"] == 700
    assert found["anomalies"] == expected["anomalies"]
    assert found["error_quantiles"] == expected["error_quantiles"]
    scores = [read_scores(tmp_path / f"{name}.parquet") for name in ("text", "array")]
    pd.testing.assert_frame_equal(*scores)


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_row_that_is_no_example_does_not_stop_the_others(
    tmp_path: Path, predicted: Predicted, suffix: str
) -> None:
    signals = SIGNALS.copy()
    signals[3, 4] = np.nan
    FORMATS[suffix](tmp_path / "beats", signals)
    found = predicted("anomaly", tmp_path / f"beats.{suffix}", "-o", tmp_path / "scores.csv")
    assert (found["examples"], found["rejected"]) == (699, 1)
    (rejected,) = found["first_rejects"]
    assert rejected["row"] == 4
    assert rejected["reason"].startswith("sample 5: 'nan' is a missing value")
    (kept,) = pd.read_csv(found["rejects"])["text"]
    assert kept.split(",")[4] == "nan"


def test_a_record_is_scored_window_by_window(tmp_path: Path, predicted: Predicted) -> None:
    wfdb.wrsamp(
        "r",
        fs=100,
        units=["mV"],
        sig_name=["ECG"],
        p_signal=SIGNALS.reshape(-1, 1).astype(float),
        fmt=["16"],
        write_dir=str(tmp_path),
    )
    found = predicted("anomaly", tmp_path / "r.hea", "-o", tmp_path / "scores.parquet")
    assert found["examples"] == 700
    rows = read_scores(tmp_path / "scores.parquet")["row"]
    assert rows.tolist() == [1 + LENGTH * place for place in range(700)]


def test_a_file_is_read_as_the_run_read_its_own(
    tmp_path: Path, predicted: Predicted, read_so: Callable[[SignalData], Path]
) -> None:
    models = read_so(SignalData(length=LENGTH, arrays=("beats", "kinds")))
    np.savez(tmp_path / "a.npz", other=SIGNALS[:5], beats=SIGNALS)
    assert predicted("anomaly", tmp_path / "a.npz", models_dir=models)["examples"] == 700


def test_beats_are_cut_as_the_run_cut_its_own(
    tmp_path: Path, predict: Predict, read_so: Callable[[SignalData], Path]
) -> None:
    models = read_so(SignalData(length=LENGTH, before=4, after=LENGTH - 4))
    signal = SIGNALS.reshape(-1, 1).astype(float)
    wfdb.wrsamp(
        "r",
        fs=100,
        units=["mV"],
        sig_name=["ECG"],
        p_signal=signal,
        fmt=["16"],
        write_dir=str(tmp_path),
    )
    wfdb.wrann("r", "atr", np.array([2, 50, 99]), np.array(["N", "V", "+"]), write_dir=tmp_path)
    result = predict("anomaly", tmp_path / "r.hea", "--json", models_dir=models)
    assert json.loads(result.out)["examples"] == 1
    (notice,) = [line for line in result.err.splitlines() if line.startswith("notice: ")]
    assert "r.hea: 1 beat of 2 left out" in notice


def test_columns_are_left_out_of_what_has_columns(
    tmp_path: Path, predict: Predict, predicted: Predicted
) -> None:
    table = pd.DataFrame({"id": range(700), "signal": [*SIGNALS]})
    table.to_parquet(tmp_path / "a.parquet")
    found = predicted("anomaly", tmp_path / "a.parquet", "--drop-column", "0")
    assert found["examples"] == 700
    _npy(tmp_path / "a", SIGNALS)
    line = mistake(predict("anomaly", tmp_path / "a.npy", "--drop-column", "0"))
    assert line.endswith("a.npy: a NumPy array has no columns: take --drop-column away")


MISTAKES: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "length": ("a.npy", lambda path: np.save(path, SIGNALS[:, :9]), "each row has 9 samples, but "),
    "channels": (
        "a.npy",
        lambda path: np.save(path, SIGNALS.reshape(-1, LENGTH, 2)),
        "each row has 12 samples of 2 channels, but the model takes 12 samples: name the model",
    ),
    "objects": (
        "a.npy",
        lambda path: np.save(path, np.array([[1], [1, 2]], dtype=object)),
        "the array holds Python objects",
    ),
    "name": ("a.npz", lambda path: np.savez(path, a=SIGNALS, b=SIGNALS), "but a, b: save the"),
    "torn": ("a.npz", lambda path: path.write_bytes(b"PK\3\4" + bytes(22) + b"\5\0\0\0x.npy"), "."),
    "no_record": ("a.hea", lambda path: path.write_text("a,b\n"), "the header of a WFDB record"),
}


@pytest.mark.parametrize(("name", "write", "expected"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_one_line(
    tmp_path: Path,
    predict: Predict,
    name: str,
    write: Callable[[Path], object],
    expected: str,
) -> None:
    write(tmp_path / name)
    line = mistake(predict("anomaly", tmp_path / name))
    assert line.startswith(f"{tmp_path / name}")
    assert expected in line
    assert "--set" not in line


def test_a_model_of_images_takes_no_signals(tmp_path: Path, predict: Predict) -> None:
    _npy(tmp_path / "a", SIGNALS)
    line = mistake(predict("basic", tmp_path / "a.npy"))
    assert line.endswith("a NumPy array, but the model takes images: give an IDX file")
