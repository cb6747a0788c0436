"""The numbers are those of the served model itself, whatever the file and the batch."""

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.pipeline.scoring.conftest import Predict, Predicted
from tests.pipeline.scoring.tiny_served import (
    LENGTH,
    NAMES,
    SHAPE,
    THRESHOLD,
    as_lines,
    called_directly,
    idx_bytes,
    make_signals,
    read_scores,
    write_csv,
)


def test_one_by_one_the_bits_are_the_servers(
    tmp_path: Path, models: Path, predicted: Predicted
) -> None:
    signals = make_signals(60)
    file = write_csv(tmp_path / "ecg.csv", as_lines(signals))
    output = tmp_path / "scores.parquet"

    predicted("anomaly", file, "-o", output, "--batch-size", "1", "--reconstruction")

    scores = read_scores(output)
    expected = called_directly(models / "ecg_anomaly_detector" / "7", signals, batch_size=1)
    assert scores["row"].tolist() == list(range(1, 61))
    for column in ("error", "threshold"):
        assert scores[column].to_numpy().tobytes() == expected[column].tobytes()
    assert scores["is_anomaly"].tolist() == expected["is_anomaly"].tolist()
    assert 0 < scores["is_anomaly"].sum() < 60
    reconstruction = np.stack(scores["reconstruction"].tolist())
    assert reconstruction.tobytes() == expected["reconstruction"].tobytes()


@pytest.mark.parametrize("batch_size", [512, 7])
def test_in_batches_the_numbers_are_the_servers(
    tmp_path: Path, models: Path, predicted: Predicted, batch_size: int
) -> None:
    signals = make_signals(1300)
    file = write_csv(tmp_path / "ecg.csv", as_lines(signals))
    output = tmp_path / "scores.csv"

    predicted("ecg_anomaly_detector", file, "-o", output, "--batch-size", str(batch_size))

    expected = called_directly(models / "ecg_anomaly_detector" / "7", signals, batch_size=1)
    scores = read_scores(output)
    np.testing.assert_allclose(scores["error"], expected["error"], atol=1e-6, rtol=0)
    assert scores.columns.tolist() == ["row", "error", "threshold", "is_anomaly"]


def test_csv_and_parquet_hold_the_same_bits(tmp_path: Path, predicted: Predicted) -> None:
    file = write_csv(tmp_path / "ecg.csv", as_lines(make_signals(700)))
    for name in ("scores.csv", "scores.parquet"):
        predicted("anomaly", file, "-o", tmp_path / name, "--reconstruction")
    text, binary = read_scores(tmp_path / "scores.csv"), read_scores(tmp_path / "scores.parquet")

    assert text["error"].to_numpy().tobytes() == binary["error"].to_numpy().tobytes()
    names = [f"reconstruction_{index}" for index in range(LENGTH)]
    assert text.columns.tolist() == ["row", "error", "threshold", "is_anomaly", *names]
    lists = np.stack(binary["reconstruction"].tolist())
    assert text[names].to_numpy(np.float32).tobytes() == lists.tobytes()


@pytest.mark.parametrize("label", ["1", "abnormal_beat", None])
@pytest.mark.parametrize("header", [True, False])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_label_and_a_header_change_no_number(
    tmp_path: Path, predicted: Predicted, label: str | None, header: bool, end: str
) -> None:
    signals = make_signals(40)
    plain = write_csv(tmp_path / "plain.csv", as_lines(signals))
    names = NAMES if label else NAMES.removesuffix(",label")
    lines = [*([names] if header else []), *as_lines(signals, label)]
    other = tmp_path / "other.csv"
    other.write_bytes("".join(line + end for line in lines).encode())

    expected = predicted("anomaly", plain, "-o", tmp_path / "plain.parquet")
    found = predicted("anomaly", other, "-o", tmp_path / "other.parquet")

    assert (found["examples"], found["rejected"]) == (40, 0)
    assert found["error_quantiles"] == expected["error_quantiles"]
    rows = read_scores(tmp_path / "other.parquet")["row"]
    assert rows.tolist() == [number + header for number in range(1, 41)]


def test_images_are_scored_and_their_pixels_are_the_models_shape(
    tmp_path: Path, models: Path, predicted: Predicted
) -> None:
    images = np.random.default_rng(1).integers(0, 256, (90, *SHAPE), dtype=np.uint8)
    file = tmp_path / "images-idx3-ubyte.gz"
    file.write_bytes(gzip.compress(idx_bytes(images)))
    output = tmp_path / "scores.parquet"

    found = predicted("basic", file, "-o", output, "--reconstruction", "--batch-size", "1")

    expected = called_directly(models / "basic_autoencoder" / "3", images.astype(np.float32), 1)
    scores = read_scores(output)
    assert scores.columns.tolist() == ["row", "error", "reconstruction"]
    assert scores["error"].to_numpy().tobytes() == expected["error"].tobytes()
    assert np.stack(scores["reconstruction"].tolist()).tobytes() == (
        expected["reconstruction"].tobytes()
    )
    assert found["examples"] == 90
    assert "anomalies" not in found


def test_images_in_a_csv_are_scored_too(tmp_path: Path, predicted: Predicted) -> None:
    images = np.random.default_rng(1).integers(0, 256, (30, *SHAPE), dtype=np.uint8)
    (tmp_path / "images.idx").write_bytes(idx_bytes(images))
    pixels = images.reshape(30, -1).astype(np.float32)
    write_csv(tmp_path / "images.csv", as_lines(pixels, label=None))

    from_csv = predicted("basic", tmp_path / "images.csv")
    assert (
        from_csv["error_quantiles"]
        == predicted("basic", tmp_path / "images.idx")["error_quantiles"]
    )


@pytest.mark.parametrize("compress", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_standard_input_is_a_file_too(
    tmp_path: Path,
    predicted: Predicted,
    piped: Callable[[bytes], None],
    compress: Callable[[bytes], bytes],
) -> None:
    file = write_csv(tmp_path / "ecg.csv", as_lines(make_signals(50)))
    expected = predicted("anomaly", file)

    piped(compress(file.read_bytes()))
    found = predicted("anomaly", "-")

    assert found["file"] == "-"
    assert found["error_quantiles"] == expected["error_quantiles"]


def test_what_is_reported_is_what_was_found(
    tmp_path: Path, models: Path, predicted: Predicted, predict: Predict
) -> None:
    signals = make_signals(2000)
    file = write_csv(tmp_path / "ecg.csv", as_lines(signals))
    expected = called_directly(models / "ecg_anomaly_detector" / "7", signals, batch_size=512)

    found = predicted("anomaly", file)

    anomalies = int(np.sum(expected["error"] > THRESHOLD))
    assert (found["model"], found["version"]) == ("ecg_anomaly_detector", 7)
    assert (found["examples"], found["rejected"], found["output"]) == (2000, 0, None)
    assert (found["anomalies"], found["anomaly_share"]) == (anomalies, anomalies / 2000)
    assert found["seconds"] > 0
    assert found["examples_per_second"] > 0
    shares = {"min": 0, "0.25": 0.25, "0.5": 0.5, "0.75": 0.75, "0.95": 0.95, "0.99": 0.99}
    assert list(found["error_quantiles"]) == [*shares, "max"]
    for name, share in (shares | {"max": 1}).items():
        below, above = np.quantile(expected["error"], [max(share - 1e-3, 0), min(share + 1e-3, 1)])
        assert below - 1e-6 <= found["error_quantiles"][name] <= above + 1e-6

    reported = predict("anomaly", file)
    assert reported.exit_code == 0
    assert f"{anomalies:,} ({anomalies / 2000:.2%})" in reported.out
    assert "-o FILE writes them" in reported.out
