"""Files of signals as people have them: each is mended by settings alone."""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from pipeline_config import ABNORMAL_LABEL, NORMAL_LABEL, UNLABELLED

ROWS = 60


@dataclasses.dataclass(frozen=True)
class OddFile:
    """What a file holds.

    Attributes:
        name: The file's.
        write: Writes it.
        values: [rows, length] or [rows, length, channels]; of a series [samples, channels].
        labels: Of the rows or samples, by the convention of whoever wrote the file.
        is_series: Whether the file is one long series.
    """

    name: str
    write: Callable[[Path], None]
    values: np.ndarray
    labels: np.ndarray
    is_series: bool = False


def beats(rows: int = ROWS, length: int = 140, channels: int = 1, seed: int = 3) -> np.ndarray:
    """Returns signals in steps of 1/64, which float32 and text hold exactly."""
    rng = np.random.default_rng(seed)
    wave = np.sin(np.linspace(0, 6 * np.pi, length))[None, :, None]
    values = wave * rng.uniform(1, 2, (rows, 1, channels)) + rng.normal(0, 0.3, (rows, length, 1))
    return (np.round(64 * values) / 64).squeeze(2) if channels == 1 else np.round(64 * values) / 64


def classes(names: Sequence[str], rows: int = ROWS) -> list[str]:
    """Returns classes of rows, of which most are of the first."""
    return [names[0] if row % 5 < 3 else names[1 + row % (len(names) - 1)] for row in range(rows)]


def _labels(named: Sequence[str], normal: str) -> np.ndarray:
    return np.array(
        [
            UNLABELLED if not name else NORMAL_LABEL if name == normal else ABNORMAL_LABEL
            for name in named
        ]
    )


def _text(
    name: str,
    values: np.ndarray,
    named: Sequence[str] | None,
    *,
    normal: str = "1",
    separator: str = ",",
    first: bool = False,
    header: Sequence[str] | None = None,
    before: Callable[[int], list[str]] = lambda row: [],
) -> OddFile:
    def write(path: Path) -> None:
        lines = [separator.join(header)] if header else []
        for row, signal in enumerate(values.reshape(len(values), -1)):
            cells = list(map(repr, signal.tolist()))
            label = [] if named is None else [named[row]]
            cells = [*label, *cells] if first else [*cells, *label]
            lines.append(separator.join([*before(row), *cells]))
        path.write_text("\n".join(lines) + "\n")

    labels = np.full(len(values), UNLABELLED) if named is None else _labels(named, normal)
    return OddFile(name, write, values, labels)


def _saved(
    name: str,
    write: Callable[[Path], None],
    values: np.ndarray,
    named: Sequence[str] | None,
    normal: str = "1",
) -> OddFile:
    labels = np.full(len(values), UNLABELLED) if named is None else _labels(named, normal)
    return OddFile(name, write, values, labels)


def _write_parquet(path: Path, values: np.ndarray, named: Sequence[str]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {"beat": values.tolist(), "Label": list(named), "patient": ["p"] * len(named)}
    pq.write_table(pa.table(columns), path)


def _write_plant(path: Path, values: np.ndarray, named: Sequence[str]) -> None:
    lines = ["time,flow,pressure,state"]
    for place, (sample, name) in enumerate(zip(values.tolist(), named, strict=True)):
        # A gap of a minute after 1,500 samples, a second apart.
        second = place + 60 * (place >= 1500)
        moment = f"2026-01-01T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"
        lines.append(",".join([moment, *map(repr, sample), name]))
    path.write_text("\n".join(lines) + "\n")


def _write_record(path: Path, samples: np.ndarray, places: np.ndarray, named: list[str]) -> None:
    import wfdb

    wfdb.wrsamp(
        path.stem,
        fs=360,
        units=["mV"],
        sig_name=["MLII"],
        d_signal=(64 * samples[:, None]).astype(np.int64),
        fmt=["16"],
        adc_gain=[64],
        baseline=[0],
        write_dir=str(path.parent),
    )
    wfdb.wrann(path.stem, "atr", places, named, write_dir=str(path.parent))


def _record() -> OddFile:
    samples, places = beats(rows=1, length=60 * 200)[0], np.arange(100, 60 * 200, 200)
    named = classes(["N", "V", "A"])
    # What `aepipe data check` advises for beats of 140 samples: a third of them before the peak.
    values = np.stack([samples[place - 46 : place + 94] for place in places.tolist()])
    labels = _labels(named, "N")
    write = functools.partial(_write_record, samples=samples, places=places, named=named)
    return OddFile("record.hea", write, values, labels)


def _plant() -> OddFile:
    values = beats(rows=1, length=4000, channels=2)[0]
    named = ["leak" if place % 500 > 420 else "ok" for place in range(4000)]
    write = functools.partial(_write_plant, values=values, named=named)
    return OddFile("plant.csv", write, values, _labels(named, "ok"), is_series=True)


def _files() -> list[OddFile]:
    kaggle = ["0.0", "1.0", "2.0", "3.0", "4.0"]
    ucr = ["1", "2", "3", "4", "5"]
    binary = classes(["1", "0"])
    two = beats(channels=2)
    mitbih = np.abs(beats(length=187))
    mixed = [name if row % 2 else "" for row, name in enumerate(binary)]
    archive, alone = classes(ucr), beats(length=96)
    lists, kinds = beats(length=100), classes(["normal", "murmur"])
    return [
        _text("ucr_TRAIN.tsv", beats(length=150), classes(ucr), separator="\t", first=True),
        _text("mitbih_train.csv", mitbih, classes(kaggle), normal="0.0"),
        _text("unlabelled.csv", beats(), None),
        _text("other_length.csv", beats(length=96), binary),
        _text("indexed.csv", beats(), binary, before=lambda row: [str(row)]),
        _text("semicolons.csv", beats(length=64), binary, separator=";"),
        _text("some_labels.csv", beats(length=64), mixed),
        _text("text_labels.csv", beats(length=50), kinds, normal="normal"),
        _text(
            "named.csv",
            beats(length=30),
            binary,
            first=True,
            header=["id", "target", *(f"s{place}" for place in range(30))],
            before=lambda row: [f"rec-{row}"],
        ),
        _text("two_channels.csv", two, binary),
        _saved(
            "two_channels.npz",
            lambda path: np.savez(path, x=two.astype(np.float32), y=np.array(archive)),
            two,
            archive,
        ),
        _saved("alone.npy", lambda path: np.save(path, alone), alone, None),
        _saved(
            "other_names.npz",
            lambda path: np.savez(path, signals=alone, labels=np.array(binary, np.int64)),
            alone,
            binary,
        ),
        _saved(
            "lists.parquet", lambda path: _write_parquet(path, lists, kinds), lists, kinds, "normal"
        ),
        _record(),
        _plant(),
    ]


ODD_FILES = {file.name: file for file in _files()}
