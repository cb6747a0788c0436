"""Each mistake is one line and exit code 2, and outputs stay as they were."""

import gzip
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.pipeline.scoring.conftest import COMMAND, Predict, mistake
from tests.pipeline.scoring.tiny_served import (
    NAMES,
    SHAPE,
    TinyDetector,
    as_lines,
    idx_bytes,
    label_versions,
    make_signals,
    push,
    write_csv,
)

GOOD = "".join(f"{line}\n" for line in as_lines(make_signals(2000))).encode()
IMAGES = idx_bytes(np.zeros((50, *SHAPE), np.uint8))
HEADER = NAMES.encode() + b"\n"
LABEL_FIRST = b"label," + HEADER.removesuffix(b",label\n") + b"\n" + GOOD

BAD_FILES = {
    "empty": ("anomaly", b"", "there are no rows in it"),
    "blank": ("anomaly", b"\n\n\n", "there are no rows in it"),
    "header_only": ("anomaly", HEADER, "there are no rows in it"),
    "nothing_good": ("anomaly", b"1,2\n3,4\n", "not one of its 2 rows can be scored; row 1: 2 "),
    "bars": ("anomaly", GOOD.replace(b",", b"|"), "cells are separated by '|': save it with"),
    "label_first": ("anomaly", LABEL_FIRST, "the label is column 1: leave it out, --drop-column 0"),
    "carriage_returns": ("anomaly", GOOD.replace(b"\n", b"\r"), "lines end with CR alone"),
    "utf_16": ("anomaly", GOOD.decode().encode("utf-16"), "the file is UTF-16 text: save"),
    "parquet": ("anomaly", b"PAR1\x15\0", "the Parquet file is damaged or ends early"),
    "float_idx": ("basic", b"\0\0\x0d\3" + IMAGES[4:], "values are float32, 50 x 4 x 5, not bytes"),
    "torn_gzip": ("anomaly", gzip.compress(GOOD)[:-2000], "the gzip data is damaged or ends early"),
    "damaged_gzip": ("anomaly", b"\x1f\x8b" + b"no" * 9, "the gzip data is damaged or ends early"),
    "torn_idx": ("basic", IMAGES[:-10], "the file ends after 49 of 50 items"),
    "long_idx": ("basic", IMAGES + b"\0", "there are more bytes than the 50 items"),
    "torn_idx_gzip": ("basic", gzip.compress(IMAGES)[:-9], "the gzip data is damaged or ends"),
    "labels": ("basic", b"\0\0\x08\x01\0\0\0\x01\0", "the file holds labels: give the one with"),
    "idx_header": ("basic", IMAGES[:9], "the file ends within its header"),
    "other_size": (
        "basic",
        idx_bytes(np.zeros((3, 28, 28), np.uint8)),
        "images are 28 x 28 pixels, but the model takes 4 x 5 values",
    ),
    "images_for_signals": ("anomaly", IMAGES, "but the model takes 12 values"),
}


@pytest.mark.parametrize("former", [True, False])
@pytest.mark.parametrize(("model", "content", "expected"), BAD_FILES.values(), ids=BAD_FILES)
def test_a_bad_file_is_one_line_and_writes_nothing(
    tmp_path: Path, predict: Predict, model: str, content: bytes, expected: str, former: bool
) -> None:
    file = tmp_path / "given"
    file.write_bytes(content)
    before = {"given": content}
    if former:
        before |= {"scores.csv": b"former scores", "scores.rejects.csv": b"row,reason,text\nformer"}
    for name, bytes_before in before.items():
        (tmp_path / name).write_bytes(bytes_before)

    line = mistake(predict(model, file, "-o", tmp_path / "scores.csv"))

    assert line.startswith(str(file))
    assert expected in line
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write_csv(tmp_path / "ecg.csv", as_lines(make_signals(3)))


def test_a_person_sees_that_line_and_nothing_of_tensorflow(models: Path) -> None:
    command = [*COMMAND, "anomaly", "-", "--models-dir", models]

    result = subprocess.run(command, input="1,2\n3,4\n", capture_output=True, text=True)

    assert (result.returncode, result.stdout) == (2, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith("aepipe: standard input: not one of its 2 rows can be scored")


def test_an_unknown_model_names_what_is_there(tmp_path: Path, file: Path, predict: Predict) -> None:
    assert "no model anomoly; did you mean anomaly?" in mistake(predict("anomoly", file))
    assert "there is basic_autoencoder, ecg_anomaly_detector" in mistake(predict("x", file))
    assert "no model denoise" in mistake(predict("denoise", file))
    assert "no model ../serving" in mistake(predict("../serving", file))
    empty = mistake(predict("anomaly", file, models_dir=tmp_path / "empty"))
    assert empty.startswith(f"{tmp_path}/empty: no model was pushed there")


def test_an_unknown_version_names_what_is_there(file: Path, predict: Predict) -> None:
    line = mistake(predict("anomaly", file, "--model-version", "8"))
    assert line.endswith("ecg_anomaly_detector: no version 8; there is 7")


def test_a_version_that_does_not_load_is_reported(
    tmp_path: Path, file: Path, predict: Predict
) -> None:
    directory = push(TinyDetector(), tmp_path / "serving", "mine", 1)
    (directory / "saved_model.pb").write_bytes(b"nonsense")
    line = mistake(predict("mine", file, models_dir=tmp_path / "serving"))
    assert line.startswith(f"{directory}: no model can be loaded: ")


def test_a_malformed_version_file_is_reported(tmp_path: Path, file: Path, predict: Predict) -> None:
    push(TinyDetector(), tmp_path / "serving", "mine", 1)
    label_versions(tmp_path / "serving", "mine", pinned="yesterday")
    line = mistake(predict("mine", file, models_dir=tmp_path / "serving"))
    assert "versions.json: 'yesterday' is not a version" in line


WRONG_PATHS: dict[str, tuple[Callable[[Path], list[str | Path]], str]] = {
    "suffix": (lambda tmp: [tmp / "ecg.csv", "-o", tmp / "a.txt"], "must end with .csv or"),
    "missing_file": (lambda tmp: [tmp / "none.csv"], "none.csv: no such file"),
    "folder_as_file": (lambda tmp: [tmp], "not a file; a pipe goes to standard input"),
    "missing_folder": (
        lambda tmp: [tmp / "ecg.csv", "-o", tmp / "none" / "a.csv"],
        "there is no folder",
    ),
    "missing_rejects_folder": (
        lambda tmp: [tmp / "ecg.csv", "--rejects", tmp / "none" / "a.csv"],
        "there is no folder",
    ),
    "over_the_input": (
        lambda tmp: [tmp / "ecg.csv", "-o", tmp / "." / "ecg.csv"],
        "named twice: write to another file",
    ),
    "twice": (
        lambda tmp: [tmp / "ecg.csv", "-o", tmp / "a.csv", "--rejects", tmp / "a.csv"],
        "named twice: write to another file",
    ),
    "output_is_a_folder": (
        lambda tmp: [tmp / "ecg.csv", "-o", tmp / "folder.csv"],
        "folder.csv: this is a folder: name a file",
    ),
}


@pytest.mark.parametrize(("arguments", "expected"), WRONG_PATHS.values(), ids=WRONG_PATHS)
def test_a_wrong_path_is_one_line(
    tmp_path: Path,
    file: Path,
    predict: Predict,
    arguments: Callable[[Path], list[str | Path]],
    expected: str,
) -> None:
    (tmp_path / "folder.csv").mkdir()
    content = file.read_bytes()
    assert expected in mistake(predict("anomaly", *arguments(tmp_path)))
    assert file.read_bytes() == content
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ecg.csv", "folder.csv"]
