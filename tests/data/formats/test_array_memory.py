"""A file of a hundred times the rows takes no more memory to read."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import wfdb

LENGTH = 64
ROWS = 2_000
LARGE = 100 * ROWS
"""51 MB as float32."""

MEBI = 1 << 20

# A mapped file's own pages are not counted: the system takes them back if it needs memory.
PEAKS = """
import json, re, sys
from pathlib import Path
from data.formats.signal_file import read_signals
from pipeline_config import SignalData

def kilobytes(what):
    return int(re.search(what + r":\\s+(\\d+)", Path("/proc/self/status").read_text())[1])

found = {}
for name, small, large, settings in json.load(sys.stdin):
    data = SignalData(**settings)
    # What is loaded on the first call is not the file's.
    rows = [sum(len(block.rows) for block in read_signals(small, data))]
    before, peak, read = kilobytes("RssAnon"), 0, 0
    for block in read_signals(large, data):
        read += len(block.rows)
        peak = max(peak, kilobytes("RssAnon"))
    found[name] = {"rows": [*rows, read], "growth": (peak - before) << 10}
print(json.dumps(found))
"""


def _signals(rows: int) -> Any:
    """Rows that differ, and yet compress quickly."""
    return (np.arange(rows)[:, None] % 97 + np.arange(LENGTH)).astype(np.float32)


def _parquet(path: Path, columns: Callable[[Any], dict[str, Any]], rows: int) -> None:
    """Writes one row group, the hardest to read in parts; a page of each column is held."""
    table = pa.table(columns(_signals(rows)))
    pq.write_table(table, path, row_group_size=rows, use_dictionary=False, data_page_size=1 << 14)


def _record(path: Path, rows: int) -> None:
    signal = _signals(rows).reshape(-1, 1).astype(float)
    wfdb.wrsamp(
        path.stem,
        fs=250,
        units=["mV"],
        sig_name=["ECG"],
        p_signal=signal,
        fmt=["16"],
        adc_gain=[100.0],
        baseline=[0],
        write_dir=str(path.parent),
    )
    at = np.arange(LENGTH, LENGTH * (rows - 1), LENGTH * 20)
    wfdb.wrann(path.stem, "atr", at, np.full(len(at), "N"), write_dir=str(path.parent))


def _lists(signals: Any) -> dict[str, Any]:
    return {"signal": pa.FixedSizeListArray.from_arrays(pa.array(signals.ravel()), LENGTH)}


NONE = {"label": "none"}
FILES: dict[str, tuple[str, Callable[[Path, int], object], dict[str, Any]]] = {
    "npy": ("npy", lambda path, rows: np.save(path, _signals(rows)), NONE),
    "npy_in_fortran_order": (
        "npy",
        lambda path, rows: np.save(path, np.asfortranarray(_signals(rows))),
        NONE,
    ),
    "npz": (
        "npz",
        lambda path, rows: np.savez(path, x=_signals(rows), y=np.arange(rows) % 2),
        {},
    ),
    "npz_compressed": (
        "npz",
        lambda path, rows: np.savez_compressed(path, x=_signals(rows), y=np.arange(rows) % 2),
        {},
    ),
    "parquet_lists": ("parquet", lambda path, rows: _parquet(path, _lists, rows), NONE),
    "parquet_columns": (
        "parquet",
        lambda path, rows: _parquet(path, lambda x: {f"t{i}": c for i, c in enumerate(x.T)}, rows),
        NONE,
    ),
    "wfdb_windows": ("hea", _record, NONE),
    "wfdb_beats": ("hea", _record, {"before": 24, "after": 40}),
}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Rows and growth of the memory by format, of one process."""
    folder = tmp_path_factory.mktemp("memory")
    cases = []
    for name, (suffix, write, settings) in FILES.items():
        pair = [folder / f"{name}_{size}.{suffix}" for size in ("small", "large")]
        for path, rows in zip(pair, (ROWS, LARGE), strict=True):
            write(path, rows)
        cases.append((name, *map(str, pair), {"length": LENGTH, **settings}))
    result = subprocess.run(
        [sys.executable, "-c", PEAKS], input=json.dumps(cases), capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    peaks: dict[str, Any] = json.loads(result.stdout)
    return peaks


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("name", FILES)
def test_memory_does_not_grow_with_the_file(found: dict[str, Any], name: str) -> None:
    small, large = found[name]["rows"]
    assert large > 90 * small
    assert found[name]["growth"] < 16 * MEBI
