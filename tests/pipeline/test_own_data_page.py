"""The table of docs/own-data.md: each row's settings read a file of its kind."""

import re
from pathlib import Path

import pytest

from tests.conftest import Aepipe
from tests.odd_files import ODD_FILES

PAGE = (Path(__file__).parents[2] / "docs" / "own-data.md").read_text()
ROWS = dict(re.findall(r"^\| ([^|]+) \| `(--set [^`]+)` \|$", PAGE, re.MULTILINE))

FILES = {
    "CSV of another length": "other_length.csv",
    "Kaggle's MIT-BIH file: the class last, 0 = normal, 1 to 4": "mitbih_train.csv",
    "the UCR archive's `.tsv`: the class first, 1 to 5": "ucr_TRAIN.tsv",
    "CSV without labels": "unlabelled.csv",
    "CSV with labels in some rows, other cells empty": "some_labels.csv",
    "CSV with labels that are words": "text_labels.csv",
    "CSV with a header, an id, and the label in a column of a name": "named.csv",
    "CSV with the row's number in front": "indexed.csv",
    "NumPy's `.npy`, [rows, samples], without labels": "alone.npy",
    "NumPy's `.npz`, `x` [rows, samples, channels] and `y`": "two_channels.npz",
    "NumPy's `.npz` with arrays of other names": "other_names.npz",
    "Parquet with a column of lists": "lists.parquet",
    "a WFDB record with annotations of beats": "record.hea",
    "a sensor's log: times, a column a channel, a state": "plant.csv",
}


def test_every_row_of_the_table_is_tried():
    assert ROWS.keys() == FILES.keys()


@pytest.mark.parametrize("what", FILES)
def test_a_row_of_the_table_reads_its_file(aepipe: Aepipe, tmp_path, what):
    name = FILES[what]
    ODD_FILES[name].write(tmp_path / name)
    # A few rows cannot keep a small false-alarm rate.
    few = ("--set", "evaluator.false_alarm_rate=0.5")
    result = aepipe("data", "check", "detector", "--data-dir", tmp_path, *ROWS[what].split(), *few)
    assert result.exit_code == 0, result.out
    assert "refused" not in result.out
