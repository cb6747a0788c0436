"""The built-in sample as a folder: written once, whole, and never over other files."""

import dataclasses
import gzip
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data.sample import EVAL_FILES, MARKER, TRAIN_FILES, write_sample
from pipeline_config import ANOMALY, BASIC, DENOISE, PipelineConfig, UserInputError


def changed(config: PipelineConfig, **values: Any) -> PipelineConfig:
    return dataclasses.replace(config, data=dataclasses.replace(config.data, **values))


SIGNALS = changed(ANOMALY, sample_rows=80)
IMAGES = changed(BASIC, sample_train=60, sample_eval=20)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize(
    ("config", "names"),
    [(SIGNALS, ["ecg.csv"]), (IMAGES, [*EVAL_FILES, *TRAIN_FILES])],
    ids=["signal", "image"],
)
def test_folder_holds_the_files_and_the_marker_only(tmp_path, config, names):
    write_sample(config, tmp_path)
    folder = tmp_path / config.data.folder
    assert sorted(path.name for path in folder.iterdir()) == [MARKER, *names]


def test_sizes_and_shapes_come_from_the_config(tmp_path):
    write_sample(changed(SIGNALS, sample_rows=70, length=33), tmp_path)
    assert np.loadtxt(tmp_path / "ecg" / "ecg.csv", delimiter=",").shape == (70, 34)
    write_sample(changed(IMAGES, height=10, width=12), tmp_path)
    for (images, labels), count in ((TRAIN_FILES, 60), (EVAL_FILES, 20)):
        folder = tmp_path / "fashion_mnist"
        assert len(gzip.decompress((folder / images).read_bytes())) == 16 + count * 120
        assert len(gzip.decompress((folder / labels).read_bytes())) == 8 + count


@pytest.mark.parametrize("config", [SIGNALS, IMAGES], ids=["signal", "image"])
def test_same_seed_same_bytes(tmp_path, config):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_sample(config, tmp_path / name, seed=seed)
    a, b, c = (contents(tmp_path / name / config.data.folder) for name in "abc")
    assert a == b
    assert a != c


def test_train_and_eval_images_differ(tmp_path):
    write_sample(changed(IMAGES, sample_train=20, sample_eval=20), tmp_path)
    found = contents(tmp_path / "fashion_mnist")
    assert found[TRAIN_FILES[0]] != found[EVAL_FILES[0]]


def times(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}


def test_a_sample_of_the_same_settings_is_left_as_it_is(tmp_path):
    write_sample(IMAGES, tmp_path)
    before = times(tmp_path / "fashion_mnist")
    write_sample(changed(DENOISE, sample_train=60, sample_eval=20), tmp_path)
    assert times(tmp_path / "fashion_mnist") == before


@pytest.mark.parametrize("damage", ["settings", "truncated", "removed", "no marker content"])
def test_a_sample_that_is_another_or_damaged_is_written_anew(tmp_path, damage):
    write_sample(SIGNALS, tmp_path)
    path = tmp_path / "ecg" / "ecg.csv"
    whole = path.read_bytes()
    if damage == "settings":
        write_sample(changed(SIGNALS, sample_rows=90), tmp_path)
        assert path.read_bytes() != whole
    elif damage == "truncated":
        os.truncate(path, 100)
    elif damage == "removed":
        path.unlink()
    else:
        marker = tmp_path / "ecg" / MARKER
        marker.write_text(json.dumps({**json.loads(marker.read_text()), "settings": {}}))
    write_sample(SIGNALS, tmp_path)
    assert path.read_bytes() == whole


def test_other_files_are_never_overwritten_or_mixed_in(tmp_path):
    own = tmp_path / "ecg" / "ecg.csv"
    own.parent.mkdir()
    own.write_text("mine")
    with pytest.raises(UserInputError, match=r"ecg\.csv is no sample of aepipe's"):
        write_sample(SIGNALS, tmp_path)
    assert own.read_text() == "mine"
    own.rename(own.with_name("other.csv"))
    with pytest.raises(UserInputError, match=r"other\.csv is no sample of aepipe's"):
        write_sample(SIGNALS, tmp_path)


def test_a_file_where_the_folder_should_be(tmp_path):
    (tmp_path / "ecg").write_text("a file")
    with pytest.raises(UserInputError, match="cannot write the sample"):
        write_sample(SIGNALS, tmp_path)


def test_patterns_that_the_sample_does_not_match(tmp_path):
    config = changed(SIGNALS, pattern="span-{SPAN}/*.csv")
    with pytest.raises(UserInputError, match="no data given for the pattern"):
        write_sample(config, tmp_path)


def test_nothing_half_written_is_left_behind(tmp_path, monkeypatch):
    def full(*arguments: object, **settings: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("data.sample.sample_digits.write_idx", full)
    with pytest.raises(OSError, match="No space left"):
        write_sample(IMAGES, tmp_path)
    assert list((tmp_path / "fashion_mnist").iterdir()) == []
