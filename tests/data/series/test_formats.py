"""The same series in each format, and memory that does not grow with it."""

import datetime
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
import wfdb

from data.series.series_file import count_samples, read_series
from pipeline_config import UserInputError
from tests.data.series.files import clock, cut, log, settings

COUNT = 10
FLOW = np.arange(COUNT) + 0.25
STATES = ["ok"] * 5 + ["leak"] * 5


def _text(folder: Path) -> Path:
    rows = [f"{clock(i)},{FLOW[i]},{STATES[i]}" for i in range(COUNT)]
    return log(folder, ["time,flow,state", *rows])


def _parquet(folder: Path, **columns: object) -> Path:
    table = {"time": pa.array([datetime.datetime.fromisoformat(clock(i)) for i in range(COUNT)])}
    path = folder / "a.parquet"
    pyarrow.parquet.write_table(
        pa.table({**table, "flow": FLOW, "state": STATES, **columns}), path, row_group_size=4
    )
    return path


def _npz(folder: Path, save: Callable[..., None] = np.savez) -> Path:
    save(folder / "a.npz", x=np.column_stack([1.7e9 + np.arange(COUNT), FLOW]), y=STATES)
    return folder / "a.npz"


def _npy(folder: Path) -> Path:
    states = np.array(STATES) == "ok"
    np.save(folder / "a.npy", np.column_stack([1.7e9 + np.arange(COUNT), FLOW, states]))
    return folder / "a.npy"


FILES: dict[str, Callable[[Path], Path]] = {
    "text": _text,
    "parquet": _parquet,
    "npz": _npz,
    "npz_compressed": lambda folder: _npz(folder, np.savez_compressed),
    "npy": _npy,
}


@pytest.mark.parametrize("write", FILES.values(), ids=FILES)
@pytest.mark.parametrize("block_bytes", [50, 1 << 20])
def test_each_format_gives_the_same_windows(
    tmp_path: Path, write: Callable[[Path], Path], block_bytes: int
) -> None:
    path = write(tmp_path)

    found = cut(path, block_bytes, label="last", normal=("ok", "1"), step=3)

    assert found.numbers == [1, 4, 7]
    assert found.values.tolist() == [FLOW[first : first + 4].tolist() for first in (0, 3, 6)]
    assert found.labels == [1, 0, 0]
    assert found.classes[-1] in ("leak", "0")
    assert found.samples == count_samples(str(path), settings()) == COUNT


@pytest.mark.parametrize("shape", [(9,), (9, 1), (9, 2)])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int16", ">f4", "bool"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_of_any_number(
    tmp_path: Path, shape: tuple[int, ...], dtype: str, order: str
) -> None:
    values = (np.arange(np.prod(shape)).reshape(shape) % 7).astype(dtype)
    np.save(tmp_path / "a.npy", np.asarray(values, order=order))  # type: ignore[call-overload]

    found = cut(tmp_path / "a.npy", channels=(*shape, 1)[1])

    assert found.values.shape == (2, 4, *([2] if shape[1:] == (2,) else []))
    assert found.values.ravel().tolist() == values[:8].astype(float).ravel().tolist()


@pytest.mark.parametrize("column", [[0.5, None, 1.5], [1, None, 2]])
def test_a_null_is_a_missing_sample(tmp_path: Path, column: list[float | None]) -> None:
    path = tmp_path / "a.parquet"
    pyarrow.parquet.write_table(pa.table({"flow": [*column, 3.0, 4.0]}), path)

    (window,) = cut(path, missing="interpolate").values

    assert window.tolist() == [column[0], 0.5 * (column[0] + column[2]), column[2], 3]


BAD: dict[str, tuple[Callable[[Path], Path], dict[str, object], str]] = {
    "windows": (
        lambda folder: _saved(folder, np.zeros((3, 4, 2))),
        {},
        "float64 [3, 4, 2] are windows that are cut already: --set data.series=false",
    ),
    "text_array": (lambda folder: _saved(folder, np.array(["a", "b"])), {}, "give an array of num"),
    "no_such_array": (
        _npz,
        {"arrays": ("signal",)},
        "there is no array 'signal', but x, y: --set data.arrays=NAME,NAME names the",
    ),
    "nan": (
        lambda folder: _saved(folder, np.array([1.0, np.nan, 2.0])),
        {},
        "row 2, column 1: a missing value: fill it in",
    ),
    "one_row_too_long": (
        lambda folder: _parquet(folder, flow=[1e39] * COUNT),
        {},
        "row 1, column 2 ('flow'): '1e+39' is not a finite float32",
    ),
    "lists": (
        lambda folder: _parquet(folder, flow=[[1.0, 2.0]] * COUNT),
        {},
        "column 'flow' holds list<element: double>, so each row is an example of its own: "
        "--set data.series=false",
    ),
    "truncated": (lambda folder: _shortened(_parquet(folder)), {}, "damaged or ends early"),
}


def _record(folder: Path) -> Path:
    wfdb.wrsamp(
        "r1",
        fs=100,
        units=["mV", "mV"],
        sig_name=["II", "V5"],
        p_signal=np.stack([np.arange(COUNT), -np.arange(COUNT)], axis=1).astype(float),
        fmt=["16", "16"],
        write_dir=str(folder),
    )
    return folder / "r1.hea"


@pytest.mark.parametrize(
    ("channel", "columns"), [((), [1, -1]), (("V5", "II"), [-1, 1]), (("1", "0"), [-1, 1])]
)
@pytest.mark.parametrize("block_bytes", [24, 1 << 20])
def test_a_wfdb_record(
    tmp_path: Path, channel: tuple[str, ...], columns: list[int], block_bytes: int
) -> None:
    found = cut(_record(tmp_path), block_bytes, channels=2, channel=channel)

    expected = [[[number * sign for sign in columns] for number in range(8)]]
    assert found.values.reshape(1, 8, 2) == pytest.approx(np.array(expected), abs=1e-3)


def test_annotations_of_beats_are_no_labels_of_samples(tmp_path: Path) -> None:
    with pytest.raises(UserInputError, match=r"--set data\.label=none, or cut its annotated beats"):
        cut(_record(tmp_path), channels=2, label="last")


def _saved(folder: Path, array: np.ndarray) -> Path:
    np.save(folder / "a.npy", array)
    return folder / "a.npy"


def _shortened(path: Path) -> Path:
    path.write_bytes(path.read_bytes()[:-20])
    return path


@pytest.mark.parametrize(("write", "changes", "expected"), BAD.values(), ids=BAD)
def test_files_that_hold_no_series(
    tmp_path: Path,
    write: Callable[[Path], Path],
    changes: dict[str, object],
    expected: str,
) -> None:
    path = write(tmp_path)

    with pytest.raises(UserInputError) as raised:
        cut(path, **{"channel": ("flow",) if path.suffix == ".parquet" else (), **changes})

    assert str(raised.value).startswith(str(path))
    assert expected in str(raised.value)


def _long(folder: Path, name: str, count: int) -> Path:
    path = folder / f"{count}.{name}"
    times, flow = 1_700_000_000 + np.arange(count), np.sin(np.arange(count))
    if name == "csv":
        with path.open("w") as file:
            file.write("time,flow\n")
            file.writelines(
                f"{time},{value:.6f}\n" for time, value in zip(times, flow, strict=True)
            )
    elif name == "npy":
        np.save(path, np.column_stack([times, flow]))
    else:
        table = pa.table({"time": times, "flow": flow})
        pyarrow.parquet.write_table(table, path, row_group_size=2_000, use_dictionary=False)
    return path


@pytest.mark.parametrize("name", ["csv", "npy", "parquet"])
def test_memory_does_not_grow_with_the_file(tmp_path: Path, name: str) -> None:
    def peak(path: Path) -> int:
        pool = pa.default_memory_pool()
        before, largest, windows = pool.bytes_allocated(), 0, 0
        tracemalloc.start()
        data = settings(length=50, step=10)
        for block in read_series(str(path), data, block_bytes=1 << 15):
            windows += len(block.windows)
            largest = max(largest, pool.bytes_allocated() - before)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert windows == (int(path.stem) - 50) // 10 + 1
        return most + largest

    few, many = (_long(tmp_path, name, count) for count in (2_000, 200_000))
    assert peak(many) < peak(few) + (1 << 20)
