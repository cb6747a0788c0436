"""What `aepipe data check` advises is true: a file is read right by following it."""

import shlex

import numpy as np
import pytest

from data.formats.labels import LabelRule
from data.formats.signal_file import read_signals
from data.series.series_file import read_series
from pipeline.settings import configured
from tests.conftest import Aepipe
from tests.odd_files import ODD_FILES

ROUNDS = 3


def advised(verdict: str) -> list[str]:
    """Returns the arguments that the last line of a check advises."""
    return shlex.split(verdict.partition(" accept it with ")[2])


@pytest.mark.parametrize("name", ODD_FILES)
def test_a_file_is_read_right_by_following_the_advice(aepipe: Aepipe, tmp_path, name):
    file = ODD_FILES[name]
    file.write(tmp_path / name)
    arguments: list[str] = []
    result = aepipe("data", "check", "anomaly", "--data-dir", tmp_path)
    rounds = 0
    while result.exit_code:
        assert result.exit_code == 2
        rounds += 1
        assert rounds <= ROUNDS, result.out
        arguments += advised(result.out.splitlines()[-1])
        result = aepipe("data", "check", "anomaly", "--data-dir", tmp_path, *arguments)
    assert result.out.splitlines()[-1] == "a run would accept this data"
    (config,) = configured(["anomaly"], arguments[1::2])
    path = str(tmp_path / name)
    if file.is_series:
        samples = [block.samples for block in read_series(path, config.data)]
        values = np.concatenate([piece.values for piece in samples])
        found = np.concatenate([piece.classes for piece in samples])
        labels = LabelRule.from_data(config.data).labels_of(found)
    else:
        blocks = list(read_signals(path, config.data))
        assert not any(block.rejected for block in blocks)
        values = np.concatenate([block.rows.values for block in blocks])
        labels = np.concatenate([block.rows.labels for block in blocks])
    np.testing.assert_array_equal(
        values.reshape(len(values), -1), file.values.reshape(len(file.values), -1)
    )
    np.testing.assert_array_equal(labels, file.labels)
