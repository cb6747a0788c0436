"""Six files of signals in the formats that people have, made by the formats' own libraries.

The beats are those of the UCR archive if AEPIPE_DATA names a folder with them, else those of the
built-in sample.
"""

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import wfdb

from data.sample import write_sample
from pipeline_config import ANOMALY

ROWS = 500


@dataclasses.dataclass(frozen=True)
class OwnData:
    """A folder with one file.

    Attributes:
        name: Of the pipeline that is made of it.
        file: The file that is named to `aepipe predict`.
        settings: What `aepipe data check` cannot know: what a window of a series is to be.
    """

    name: str
    file: Path
    settings: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Beats:
    """values float64 [n, 140]; classes int64 [n], 1 = normal and 2 to 5, as in UCR's ECG5000."""

    values: np.ndarray
    classes: np.ndarray


def read_beats(folder: Path) -> Beats:
    """Returns `ROWS` beats.

    Args:
        folder: Where the built-in sample may be written.
    """
    real = Path(os.environ.get("AEPIPE_DATA", ""), "signals", "ECG5000_TRAIN.tsv")
    if real.is_file():
        table = np.loadtxt(real, delimiter="\t")
        return Beats(table[:, 1:], table[:, 0].astype(np.int64))
    write_sample(
        dataclasses.replace(ANOMALY, data=dataclasses.replace(ANOMALY.data, sample_rows=ROWS)),
        folder,
    )
    table = np.loadtxt(folder / "ecg" / "ecg.csv", delimiter=",")
    abnormal = 2 + np.arange(len(table)) % 4
    return Beats(table[:, :-1], np.where(table[:, -1] == 1, 1, abnormal))


def ucr(beats: Beats, folder: Path) -> OwnData:
    """The UCR archive's: tabs, the class first, 1 to 5."""
    file = folder / "beats_TRAIN.tsv"
    table = np.column_stack([beats.classes, beats.values])
    np.savetxt(file, table, fmt=["%d", *["%.7e"] * beats.values.shape[1]], delimiter="\t")
    return OwnData("ucr", file)


def kaggle(beats: Beats, folder: Path) -> OwnData:
    """As the MIT-BIH file on Kaggle: 187 samples from 0 to 1, padded, the class last, 0 normal."""
    values = beats.values - beats.values.min(axis=1, keepdims=True)
    values /= values.max(axis=1, keepdims=True)
    padded = np.pad(values, ((0, 0), (0, 47)))
    table = pd.DataFrame(np.column_stack([padded, beats.classes - 1.0]))
    file = folder / "mitbih_train.csv"
    table.to_csv(file, header=False, index=False, float_format="%.18e")
    return OwnData("kaggle", file)


def channels(beats: Beats, folder: Path) -> OwnData:
    """NumPy's archive of arrays, [rows, samples, channels], and labels beside them."""
    both = np.stack([beats.values, np.gradient(beats.values, axis=1)], axis=2)
    file = folder / "beats.npz"
    np.savez(file, x=both.astype(np.float32), y=np.where(beats.classes == 1, 1, 0))
    return OwnData("channels", file)


def parquet(beats: Beats, folder: Path) -> OwnData:
    """A column of lists, one of text labels."""
    names = np.where(beats.classes == 1, "sinus", "other")
    file = folder / "beats.parquet"
    table = {"signal": list(beats.values[:, :100].astype(np.float32)), "label": names}
    pq.write_table(pa.table(table), file)
    return OwnData("parquet", file)


def record(beats: Beats, folder: Path) -> OwnData:
    """A WFDB record, beats one after the other, with annotations of their peaks."""
    wfdb.wrsamp(
        "beats",
        fs=140,
        units=["mV"],
        sig_name=["II"],
        p_signal=beats.values.reshape(-1, 1),
        fmt=["16"],
        write_dir=str(folder),
    )
    length = beats.values.shape[1]
    places = np.arange(len(beats.values)) * length + length // 3
    symbols = ["N" if number == 1 else "V" for number in beats.classes.tolist()]
    wfdb.wrann("beats", "atr", places, symbols, write_dir=str(folder))
    return OwnData("record", folder / "beats.hea")


def plant(beats: Beats, folder: Path) -> OwnData:
    """A sensors' log: time stamps, two gaps, some empty cells, a state a sample."""
    del beats
    rng = np.random.default_rng(7)
    count = 12_000
    phase = np.arange(count) / 9
    flow, pressure = np.sin(phase), np.cos(phase) + 3
    leaks = (np.arange(count) % 1000) >= 900
    flow, pressure = np.where(leaks, 3 * flow, flow), np.where(leaks, pressure - 2, pressure)
    seconds = np.arange(count) + np.where(np.arange(count) > 4000, 90, 0)
    seconds = seconds + np.where(np.arange(count) > 9000, 600, 0)
    table = pd.DataFrame(
        {
            "timestamp": pd.Timestamp("2026-01-31") + pd.to_timedelta(seconds, unit="s"),
            "flow": (flow + rng.normal(0, 0.05, count)).round(4),
            "pressure": (pressure + rng.normal(0, 0.05, count)).round(4),
            "state": np.where(leaks, "leak", "ok"),
        }
    )
    table.loc[[500, 501, 7000], "flow"] = np.nan
    file = folder / "plant.csv"
    table.to_csv(file, index=False)
    return OwnData("plant", file, ("data.length=32", "data.step=8"))


OWN_DATA: tuple[Callable[[Beats, Path], OwnData], ...] = (
    ucr,
    kaggle,
    channels,
    parquet,
    record,
    plant,
)
