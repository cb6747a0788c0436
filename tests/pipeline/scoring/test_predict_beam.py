"""On Beam's workers the same file gives the same numbers, rejects and summary."""

import dataclasses
import gzip
import io
import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data.formats.csv_layout import CsvLayout
from pipeline.scoring.distributed import score_distributed
from pipeline.scoring.engine import ServedModel
from pipeline.scoring.predict import score_streaming
from pipeline.scoring.request import PredictRequest
from pipeline.scoring.source import count_lines, cut, find_source, read_lines
from tests.pipeline.scoring.conftest import Predict, Predicted, mistake
from tests.pipeline.scoring.shelf import on_shelf
from tests.pipeline.scoring.tiny_served import (
    LENGTH,
    NAMES,
    SHAPE,
    as_lines,
    idx_bytes,
    make_signals,
    read_scores,
    write_csv,
)

IN_PROCESS = ["--runner=FnApiRunner", "--sdk_container_image=none"]


@pytest.fixture
def beats(tmp_path: Path) -> Path:
    """A header, 900 rows, and among them bad ones of each sort."""
    lines = [NAMES, *as_lines(make_signals(900))]
    for place, line in ((1, "1,2"), (200, ""), (500, "a,b"), (501, "3e38," * LENGTH + "1")):
        lines.insert(place, line)
    return write_csv(tmp_path / "ecg.csv", lines)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_beam_gives_the_numbers_of_this_process(
    tmp_path: Path, beats: Path, predicted: Predicted, suffix: str
) -> None:
    here, there = tmp_path / f"here.{suffix}", tmp_path / f"there.{suffix}"
    options = ["--batch-size", "1", "--reconstruction"]

    expected = predicted("anomaly", beats, "-o", here, *options)
    found = predicted("anomaly", beats, "-o", there, *options, "--beam-arg=--runner=FnApiRunner")

    one, many = read_scores(here), read_scores(there)
    assert many.columns.tolist() == one.columns.tolist()
    for column in ("row", "error", "threshold", "is_anomaly"):
        assert many[column].to_numpy().tobytes() == one[column].to_numpy().tobytes()
    own = ("output", "rejects", "seconds", "examples_per_second")
    assert {k: v for k, v in found.items() if k not in own} == {
        k: v for k, v in expected.items() if k not in own
    }
    assert (found["examples"], found["rejected"]) == (900, 3)
    rejects = [pd.read_csv(run["rejects"]).sort_values("row") for run in (expected, found)]
    assert rejects[0].to_dict("list") == rejects[1].to_dict("list")


def _content(kind: str, beats: Path) -> bytes:
    if kind == "csv":
        return beats.read_bytes()
    if kind == "idx":
        images = np.random.default_rng(1).integers(0, 256, (400, *SHAPE), dtype=np.uint8)
        return idx_bytes(images)
    signals, file = make_signals(400), io.BytesIO()
    signals[7, 3] = np.nan
    if kind == "npy":
        np.save(file, signals)
    elif kind == "npz":
        np.savez(file, x=signals)
    else:
        pq.write_table(pa.table({"signal": [*signals]}), file, row_group_size=90)
    return file.getvalue()


@pytest.mark.parametrize(
    ("kind", "compress"),
    [
        ("csv", bytes),
        ("csv", gzip.compress),
        ("idx", bytes),
        ("idx", gzip.compress),
        ("npy", bytes),
        ("npy", gzip.compress),
        ("npz", bytes),
        ("parquet", bytes),
    ],
)
def test_a_file_cut_into_ranges_gives_the_same_rows(
    tmp_path: Path, models: Path, beats: Path, kind: str, compress: Callable[[bytes], bytes]
) -> None:
    file = tmp_path / "given"
    file.write_bytes(compress(_content(kind, beats)))
    name = "basic_autoencoder/3" if kind == "idx" else "ecg_anomaly_detector/7"
    model, source = ServedModel(str(models / name)), find_source(str(file))
    here = PredictRequest(
        model="any", file=str(file), models_dir=models, output=str(tmp_path / "here.parquet")
    )
    there = dataclasses.replace(here, output=str(tmp_path / "there.parquet"))

    expected = score_streaming(here, model, source)
    found = score_distributed(there, model, source, IN_PROCESS, range_bytes=1000)

    one, many = pd.read_parquet(here.output), read_scores(Path(str(there.output)))
    assert many["row"].tolist() == one["row"].tolist()
    np.testing.assert_allclose(many["error"], one["error"], atol=1e-6, rtol=0)
    assert (found.examples, found.rejected) == (expected.examples, expected.rejected)
    assert found.first_rejects == expected.first_rejects
    assert found.anomalies == expected.anomalies


TEXTS = (
    b"",
    b"\n",
    b"a",
    b"a\n",
    b"\n\na\n",
    b"ab\ncd\n\nef",
    b"abcdefgh\ni\n",
    b"\xef\xbb\xbfa\nb\n",
)


@pytest.mark.parametrize("text", TEXTS)
def test_each_line_is_in_one_range_with_its_number(tmp_path: Path, text: bytes) -> None:
    file = tmp_path / "text"
    file.write_bytes(text)
    source = find_source(str(file))
    lines = text.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    expected = [(number, line) for number, line in enumerate(lines, start=1) if line]
    for range_bytes in range(1, len(text) + 2):
        ranges = cut(source, CsvLayout((1,)), range_bytes)
        counts = [count_lines(source, part) for part in ranges[:-1]]
        firsts = itertools.accumulate(counts, initial=1)
        found = [
            (number, line)
            for part, first in zip(ranges, firsts, strict=True)
            for block in read_lines(source, dataclasses.replace(part, first_line=first))
            for number, line in enumerate(block.data.split(b"\n"), start=block.first_line)
            if line
        ]
        assert found == expected, range_bytes


def test_a_summary_alone_needs_no_output(tmp_path: Path, beats: Path, predicted: Predicted) -> None:
    found = predicted("anomaly", beats, "--beam-profile", "local")
    assert (found["examples"], found["rejected"], found["output"]) == (900, 3, None)
    assert list(tmp_path.iterdir()) == [beats]


def test_a_former_output_is_replaced_whole(
    tmp_path: Path, beats: Path, predicted: Predicted
) -> None:
    output = tmp_path / "scores.csv"
    predicted("anomaly", beats, "-o", output, "--beam-profile", "local")
    assert (tmp_path / "scores.rejects.csv").exists()
    write_csv(beats, as_lines(make_signals(5)))
    predicted("anomaly", beats, "-o", output, "--beam-profile", "local")
    assert len(read_scores(output)) == 5
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ecg.csv", "scores.csv"]


def test_a_mistake_is_one_line_and_the_output_stays(
    tmp_path: Path, beats: Path, predict: Predict, predicted: Predicted
) -> None:
    output = tmp_path / "scores.csv"
    predicted("anomaly", beats, "-o", output, "--beam-profile", "local")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    def refused(file: str | Path, name: Path = output) -> str:
        return mistake(predict("anomaly", file, "-o", name, "--beam-profile", "local"))

    assert "name a file" in refused("-")
    torn, bad = tmp_path / "torn.csv.gz", tmp_path / "bad.csv"
    torn.write_bytes(gzip.compress(beats.read_bytes() * 20)[:-2000])
    assert "the gzip data is damaged or ends early" in refused(torn)
    bad.write_text("1,2\n3,4\n")
    assert "not one of its 2 rows can be scored; row 1: 2 values" in refused(bad)
    folder = tmp_path / "mine.csv"
    folder.mkdir()
    (folder / "thesis.txt").touch()
    assert "there is a folder with thesis.txt in it" in refused(beats, folder)
    for new in (torn, bad, folder / "thesis.txt"):
        new.unlink()
    folder.rmdir()
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_on_a_file_system_that_workers_share(
    tmp_path: Path, beats: Path, predict: Predict, predicted: Predicted
) -> None:
    output = tmp_path / "shared" / "scores.parquet"
    output.parent.mkdir()
    names = [on_shelf(beats), "-o", on_shelf(output)]

    found = predicted("anomaly", *names, "--beam-profile", "local")

    assert (found["examples"], found["rejected"]) == (900, 3)
    assert found["rejects"] == on_shelf(output.with_name("scores.rejects.csv"))
    assert len(pd.read_csv(output.with_name("scores.rejects.csv"))) == 3
    assert len(read_scores(output)) == 900

    beats.write_text("1,2\n")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert "not one of its 1 rows" in mistake(predict("anomaly", *names, "--beam-profile", "local"))
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before

    write_csv(beats, as_lines(make_signals(7)))
    predicted("anomaly", *names, "--beam-profile", "local")
    assert len(read_scores(output)) == 7
    assert [path.name for path in output.parent.iterdir()] == ["scores.parquet"]
    assert "add a --beam-profile" in mistake(predict("anomaly", *names))
