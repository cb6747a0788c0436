"""WFDB records, as the `wfdb` package writes them, are cut into windows, or refused in one line."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import wfdb

from data.formats.example_file import left_out
from pipeline_config import SignalData
from tests.data.formats.readings import read, refusal, score

LENGTH = 20_000
SIGNAL = np.cumsum(np.random.default_rng(0).normal(size=(LENGTH, 2)), axis=0) * 0.01
AT = np.arange(50, LENGTH - 100, 100)
SYMBOLS = np.array(["N", "V", "+", "j"])[np.arange(len(AT)) % 4]
IS_BEAT = SYMBOLS != "+"
BLOCK = 10_000


def data(**settings: Any) -> SignalData:
    return SignalData(**{"length": 100, "before": 40, "after": 60, **settings})


WINDOWS = data(before=0, after=0, label="none")


@pytest.fixture
def record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A record of two channels with annotations; its header."""
    monkeypatch.chdir(tmp_path)
    write("r", SIGNAL)
    annotate(AT, SYMBOLS)
    return tmp_path / "r.hea"


def write(name: str, signal: Any, **more: Any) -> None:
    """Writes a record into the current folder, as the library does."""
    names = {"units": ["mV"] * 2, "sig_name": ["MLII", "V5"]}
    wfdb.wrsamp(name, fs=250, p_signal=signal, **{"fmt": ["16", "16"], **names, **more})


def annotate(at: Any, symbols: Any, annotator: str = "atr") -> None:
    wfdb.wrann("r", annotator, np.array(at), np.array(symbols))


def stored() -> Any:
    return wfdb.rdrecord("r").p_signal.astype(np.float32)


@pytest.mark.parametrize(
    ("settings", "places"),
    [
        ({}, [0]),
        ({"channel": ("V5",)}, [1]),
        ({"channel": ("1",)}, [1]),
        ({"channels": 2}, [0, 1]),
        ({"channels": 2, "channel": ("V5", "0")}, [1, 0]),
    ],
)
def test_beats_around_annotations(
    record: Path, settings: dict[str, Any], places: list[int]
) -> None:
    found = read(record, data(**settings), BLOCK).rows
    at = AT[IS_BEAT]
    windows = np.stack([stored()[place - 40 : place + 60, places] for place in at])
    assert np.array_equal(found.values, windows.reshape(found.values.shape))
    assert found.numbers.tolist() == (at - 39).tolist()
    assert found.classes is not None
    assert found.classes.tolist() == SYMBOLS[IS_BEAT].tolist()
    # By default AAMI's class N is normal: N, L, R, e and j.
    assert found.labels.tolist() == [0 if name == "V" else 1 for name in found.classes]


def test_which_beats_are_normal_is_set(record: Path) -> None:
    found = read(record, data(normal=("V",))).rows
    assert found.classes is not None
    assert found.labels.tolist() == [1 if name == "V" else 0 for name in found.classes]


@pytest.mark.parametrize(("step", "expected"), [(0, 200), (50, 399), (130, 154)])
def test_windows_one_after_the_other(record: Path, step: int, expected: int) -> None:
    settings = data(before=0, after=0, label="none", step=step, channels=2)
    found = read(record, settings, BLOCK).rows
    starts = np.arange(expected) * (step or 100)
    assert found.numbers.tolist() == (starts + 1).tolist()
    assert np.array_equal(found.values, np.stack([stored()[at : at + 100] for at in starts]))
    assert set(found.labels.tolist()) == {-1}


def test_beats_that_leave_the_record_are_counted(record: Path) -> None:
    assert left_out(str(record), data()) is None
    annotate([0, 39, 40, 19_940, 19_941, 19_999], ["N"] * 6)
    assert read(record, data()).rows.numbers.tolist() == [1, 19_901]
    message = left_out(str(record), data())
    assert message is not None
    assert message.endswith(
        "r.hea: 4 beats of 6 left out, as 40 samples before or 60 after leave the record"
    )


def test_another_annotator(record: Path) -> None:
    annotate([1000, 2000], ["N", "A"], "qrs")
    assert read(record, data(annotator="qrs")).rows.labels.tolist() == [1, 0]


@pytest.mark.parametrize("kind", ["212", "24", "32", "80", "516"])
def test_formats_of_samples(record: Path, kind: str) -> None:
    write("r", np.clip(SIGNAL, -0.5, 0.5), fmt=[kind] * 2, adc_gain=[200.0] * 2, baseline=[0] * 2)
    found = read(record, data(before=0, after=0, label="none", channels=2), BLOCK).rows
    assert np.array_equal(found.values.reshape(-1, 2), stored())


def test_a_record_of_segments_is_read_as_one(record: Path) -> None:
    write("s1", SIGNAL[:9_950])
    write("s2", SIGNAL[9_950:])
    Path("r.hea").write_text("r/2 2 250 20000\ns1 9950\ns2 10050\n")
    found = score(record, WINDOWS, block_bytes=BLOCK).rows
    assert len(found) == 200
    assert np.allclose(found.values.ravel(), SIGNAL[:, 0], atol=1e-3)


def test_between_segments_there_are_no_samples(record: Path) -> None:
    write("s1", SIGNAL[:9_950])
    write("s2", SIGNAL[9_950:, ::-1], sig_name=["V5", "MLII"])
    channels = "".join(f"~ 0 200/mV 16 0 0 0 0 {name}\n" for name in ("MLII", "V5"))
    Path("layout.hea").write_text(f"layout 2 250 0\n{channels}")
    Path("r.hea").write_text("r/4 2 250 20050\nlayout 0\ns1 9950\n~ 50\ns2 10050\n")
    found = score(record, WINDOWS, block_bytes=BLOCK)
    (rejected,) = found.rejected
    assert rejected.located().startswith("row 9901, sample 9951 of channel MLII: 'nan' is a")
    assert np.allclose(found.rows.values[:99].ravel(), SIGNAL[:9_900, 0], atol=1e-3)
    assert np.allclose(found.rows.values[99:].ravel(), SIGNAL[9_950:19_950, 0], atol=1e-3)


def test_invalid_samples_are_rejected_with_their_place(record: Path) -> None:
    signal = SIGNAL.copy()
    signal[5000:5003, 1] = np.nan
    write("r", signal)
    found = score(record, data(channels=2))
    (rejected,) = found.rejected
    assert rejected.located().startswith("row 4911, sample 5001 of channel V5: 'nan' is a missing")
    assert len(read(record, data()).rows) == len(AT[IS_BEAT])
    assert refusal(record, data(channels=2)).startswith("r.hea, row 4911, sample 5001 of")


def test_a_part_is_read_without_the_rest(record: Path) -> None:
    whole, part = score(record, data()).rows, score(record, data(), 11, 25).rows
    assert np.array_equal(part.values, whole.values[11:25])
    assert np.array_equal(part.numbers, whole.numbers[11:25])


SETTINGS: dict[str, tuple[SignalData, str]] = {
    "length": (
        data(length=140),
        "r.hea: a beat has data.before=40 and data.after=60 samples, but data.length=140: "
        "--set data.length=100",
    ),
    "no_such_channel": (
        data(channel=("V1",)),
        "r.hea: data.channel=V1: there is no such channel: there are 0 'MLII', 1 'V5': "
        "--set data.channel=NAME, or its number",
    ),
    "too_many_channels": (data(channels=3), "but it has 2 (0 'MLII', 1 'V5'): --set data.channels"),
    "more_names": (data(channel=("0", "1")), "names 2, but data.channels=1: --set data.channels=2"),
    "no_annotations": (
        data(annotator="qrs"),
        "r.hea: there is no r.qrs beside it: --set data.annotator=atr",
    ),
    "windows_with_labels": (
        data(before=0, after=0),
        "have no labels: cut beats around its annotations, such as --set data.before=33 "
        "--set data.after=67, or --set data.label=none",
    ),
    "longer_than_the_record": (
        data(before=0, after=0, label="none", length=30_000),
        "r.hea: the record has 20000 samples of each channel, fewer than data.length (30000)",
    ),
    "beats_longer_than_the_record": (
        data(before=20_000, after=60, length=20_060),
        "the window of each of its 149 beats leaves the record of 20000 samples",
    ),
    "drop": (data(drop=("0",)), "no columns to leave out: name the channels to read with data.ch"),
}


@pytest.mark.parametrize(("settings", "expected"), SETTINGS.values(), ids=SETTINGS)
def test_settings_that_do_not_go_with_a_record(
    record: Path, settings: SignalData, expected: str
) -> None:
    assert expected in refusal(record, settings)


def _replace(path: str, change: Callable[[bytes], bytes]) -> Callable[[], object]:
    return lambda: Path(path).write_bytes(change(Path(path).read_bytes()))


FAULTS: dict[str, tuple[Callable[[], object], str]] = {
    "annotation_outside": (
        lambda: annotate([100, 25_000], ["N", "V"]),
        "r.atr: the annotation 'V' at sample 25000 lies outside the record, which has 20000",
    ),
    "no_beat": (
        lambda: annotate([100, 200], ["+", "~"]),
        "r.atr: none of the annotations is a beat: it holds +, ~: name an annotator",
    ),
    "annotations_cut": (
        _replace("r.atr", lambda content: content[:-10]),
        "r.atr: the annotations are damaged or end early",
    ),
    "annotations_cut_in_two": (
        _replace("r.atr", lambda content: content[:-11]),
        "r.atr: the annotations are damaged or end early",
    ),
    "annotations_missing": (
        lambda: Path("r.atr").unlink(),
        "r.hea: there is no r.atr beside it: put it there, or cut windows without",
    ),
    "another_clock": (
        lambda: wfdb.wrann("r", "atr", np.array([100]), np.array(["N"]), fs=125),
        "r.atr: the annotations count 125 steps a second, the record 250 samples",
    ),
    "samples_cut": (
        _replace("r.dat", lambda content: content[:-1000]),
        "r.hea: samples 19711 to 19810 of 20000 cannot be read",
    ),
    "samples_missing": (
        lambda: Path("r.dat").unlink(),
        "r.hea: r.dat, which it names, is not beside it: put the record's files into one folder",
    ),
    "header_of_something_else": (
        lambda: Path("r.hea").write_text("t0,t1,label\n1,2,3\n"),
        "r.hea: the header of a WFDB record is damaged, or it is none",
    ),
    "header_empty": (
        lambda: Path("r.hea").write_text(""),
        "r.hea: the header of a WFDB record is damaged, or it is none",
    ),
    "header_without_a_length": (
        _replace("r.hea", lambda content: content.replace(b" 20000", b"", 1)),
        "r.hea: the header names no number of samples",
    ),
    "header_without_channels": (
        lambda: Path("r.hea").write_text("r 0 250 20000\n"),
        "r.hea: the record has no channels",
    ),
    "differences": (
        _replace("r.hea", lambda content: content.replace(b" 16 ", b" 8 ")),
        "r.hea: the samples are in format 8, differences",
    ),
    "segment_missing": (
        lambda: Path("r.hea").write_text("r/2 2 250 20000\ns1 9950\ns2 10050\n"),
        "r.hea: s1.hea, a segment of the record, is not beside it",
    ),
}


@pytest.mark.parametrize(("spoil", "expected"), FAULTS.values(), ids=FAULTS)
def test_a_record_that_is_spoilt_is_refused(
    record: Path, spoil: Callable[[], object], expected: str
) -> None:
    spoil()
    assert expected in refusal(record, data())


@pytest.mark.parametrize("suffix", ["dat", "atr"])
def test_a_part_of_a_record_leads_to_its_header(record: Path, suffix: str) -> None:
    part = record.with_suffix(f".{suffix}")
    assert refusal(part, data()) == (
        f"r.{suffix}: the file is a part of a WFDB record: give its header, r.hea"
    )


DATABASE = Path(os.environ.get("AEPIPE_DATA", "")) / "wfdb" / "100.hea"


@pytest.mark.skipif(not DATABASE.is_file(), reason="AEPIPE_DATA names no folder with wfdb/100")
def test_the_mit_bih_record_100() -> None:
    found = read(DATABASE, SignalData(length=280, before=100, after=180), 1 << 20).rows
    assert found.classes is not None
    names, counts = np.unique(found.classes, return_counts=True)
    # PhysioNet counts 2,239 N, 33 A and 1 V; the first and the last beat are too near the ends.
    assert dict(zip(names.tolist(), counts.tolist(), strict=True)) == {"A": 33, "N": 2237, "V": 1}
    assert found.labels.sum() == 2237
    assert found.values.shape == (2271, 280)
    # The R wave is at the annotation.
    assert (found.values[:, 95:110].max(axis=1) > 0.5).mean() > 0.99
