"""Arrays and WFDB records through the ExampleGen."""

from pathlib import Path

import numpy as np
import wfdb

from components.example_gen.executor import NOTICES_PROPERTY
from pipeline_config import SignalData
from tests.components.example_gen.ingestion import execute, fault_of, read_splits

SIGNALS = np.random.default_rng(0).normal(size=(40, 6, 2)).astype(np.float32)


def test_an_archive_with_channels(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    np.savez(tmp_path / "data" / "a.npz", x=SIGNALS, y=np.arange(40) % 4)
    data = SignalData(length=6, channels=2, pattern="*.npz")

    splits = read_splits(execute(tmp_path, tmp_path / "data", data).uri)

    found = {example.value: example.label for split in splits.values() for example in split}
    expected = {
        tuple(signal.ravel().tolist()): int(row % 4 == 1) for row, signal in enumerate(SIGNALS)
    }
    assert found == expected


def test_records_and_the_beats_that_are_left_out(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    for name, at in (("r", [2, 50, 90, 118]), ("s", [20, 60, 70])):
        wfdb.wrsamp(
            name,
            fs=100,
            units=["mV"],
            sig_name=["ECG"],
            p_signal=SIGNALS.astype(float).reshape(-1, 4)[:, :1],
            fmt=["16"],
            write_dir=str(folder),
        )
        kinds = np.array(["N", "V", "N", "+"])[: len(at)]
        wfdb.wrann(name, "atr", np.array(at), kinds, write_dir=str(folder))
    data = SignalData(length=6, before=3, after=3, pattern="*.hea")

    examples = execute(tmp_path, folder, data)

    splits = read_splits(examples.uri)
    labels = [example.label for split in splits.values() for example in split]
    assert sorted(labels) == [0, 0, 1, 1, 1]
    assert examples.get_string_custom_property(NOTICES_PROPERTY) == (
        f"{folder}/r.hea: 1 beat of 3 left out, as 3 samples before or 3 after leave the record"
    )


def test_a_row_that_is_no_example_ends_the_run(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    signals = SIGNALS.copy()
    signals[3, 4, 1] = np.nan
    np.savez(tmp_path / "data" / "a.npz", x=signals, y=np.arange(40) % 4)
    data = SignalData(length=6, channels=2, pattern="*.npz")
    fault = fault_of(lambda: execute(tmp_path, tmp_path / "data", data))
    assert "a.npz, row 4, sample 5 of channel 2: 'nan' is a missing value" in fault
