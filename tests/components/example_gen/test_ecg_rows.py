"""What a row becomes does not depend on how its file was saved."""

import gzip
import hashlib
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from data.formats.signal_file import read_signals
from pipeline_config import SignalData

Save = Callable[[list[str]], bytes]


def _text(rows: list[str], end: str = "\n") -> bytes:
    return "".join(row + end for row in rows).encode()


SAVED_AS: dict[str, Save] = {
    "no_last_line_end": lambda rows: _text(rows).rstrip(b"\n"),
    "header": lambda rows: b"a,b,c,label\n" + _text(rows),
    "quoted_header": lambda rows: b'"a, first","b","c","label"\n' + _text(rows),
    "pandas_header": lambda rows: b"0,1,2,3\n" + _text(rows),
    "numbered_header": lambda rows: b"0,1,2,label\n" + _text(rows),
    "crlf": lambda rows: _text(rows, "\r\n"),
    "bom": lambda rows: b"\xef\xbb\xbf" + _text(rows),
    "bom_header_crlf": lambda rows: b"\xef\xbb\xbf" + _text(["a,b,c,label", *rows], "\r\n"),
    "gzip": lambda rows: gzip.compress(_text(rows)),
    "gzip_in_two_members": lambda rows: (
        gzip.compress(_text(rows[:7])) + gzip.compress(_text(rows[7:]))
    ),
    "blank_lines": lambda rows: b"\n" + _text(rows, "\n\n"),
    "quoted_cells": lambda rows: _text([f'"{row}"'.replace(",", '","') for row in rows]),
    "spaces": lambda rows: _text([row.replace(",", ", ") for row in rows]),
    "integer_labels": lambda rows: _text([row.removesuffix(".0") for row in rows]),
}


@pytest.mark.parametrize("save", SAVED_AS.values(), ids=SAVED_AS)
def test_same_rows_however_saved(tmp_path: Path, rows: list[str], save: Save) -> None:
    file = tmp_path / "ecg.csv"
    file.write_bytes(save(rows))
    expected = np.array([row.split(",") for row in rows], dtype=np.float64)

    blocks = list(read_signals(str(file), SignalData(length=3)))

    signals = np.concatenate([block.rows.values for block in blocks])
    labels = np.concatenate([block.rows.labels for block in blocks])
    np.testing.assert_array_equal(signals, expected[:, :3].astype(np.float32))
    np.testing.assert_array_equal(labels, expected[:, 3])
    assert (signals.dtype, labels.dtype) == (np.float32, np.int64)


@pytest.mark.parametrize("compress", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize("block_bytes", [3, 40, 1000])
def test_same_rows_in_blocks_of_any_size(
    tmp_path: Path, rows: list[str], compress: Callable[[bytes], bytes], block_bytes: int
) -> None:
    file = tmp_path / "ecg.csv"
    file.write_bytes(compress(b"\xef\xbb\xbfa,b,c,label\r\n" + _text(rows, "\r\n")))
    (whole,) = read_signals(str(file), SignalData(length=3))

    blocks = list(read_signals(str(file), SignalData(length=3), block_bytes=block_bytes))

    np.testing.assert_array_equal(
        np.concatenate([b.rows.values for b in blocks]), whole.rows.values
    )
    np.testing.assert_array_equal(
        np.concatenate([b.rows.labels for b in blocks]), whole.rows.labels
    )
    numbers = np.concatenate([block.rows.numbers for block in blocks])
    np.testing.assert_array_equal(numbers, range(2, 2 + len(rows)))


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    file = tmp_path / "ecg.csv"
    file.write_text((",".join(["0.12345678"] * 140) + ",1\n") * 20_000)
    assert file.stat().st_size > 30_000_000

    tracemalloc.start()
    rows = sum(len(block.rows.labels) for block in read_signals(str(file), SignalData(length=140)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert rows == 20_000
    assert peak < 16 << 20


def test_examples(tmp_path: Path, ingest: Callable, rows: list[str]) -> None:
    (tmp_path / "b.csv").write_bytes(_text(rows[:10]))
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(_text(["a,b,c,label", *rows[10:]], "\r\n")))

    splits = ingest(tmp_path, length=3)

    beats = splits["train"] | splits["eval"]
    values = np.array([row.split(",") for row in rows], dtype=np.float32)
    assert {(*beat.value, beat.label) for beat in beats} == {tuple(row) for row in values.tolist()}
    for beat in beats:
        content = np.array(beat.value, "<f4").tobytes() + bytes([beat.label])
        assert beat.example_id == hashlib.blake2b(content, digest_size=16).hexdigest()


def test_only_the_files_that_match_are_read(
    tmp_path: Path, ingest: Callable, rows: list[str]
) -> None:
    folder = tmp_path / "data [2024] *"
    folder.mkdir()
    (folder / "ECG.CSV").write_text("\n".join(rows[:20]))
    (folder / "more.csv.gz").write_bytes(gzip.compress("\n".join(rows[20:]).encode()))
    for name in ("._ECG.CSV", ".ecg.csv", "ECG.CSV~", "ECG.CSV.bak", "ecg.csv.part"):
        (folder / name).write_text("must not be opened")
    (folder / "old.csv").mkdir()
    (tmp_path / "data 2").mkdir()
    (tmp_path / "data 2" / "ecg.csv").write_text("must not be opened")

    splits = ingest(folder, length=3)

    assert sum(map(len, splits.values())) == len(rows)
