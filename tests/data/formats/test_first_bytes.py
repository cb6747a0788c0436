"""Files of other formats, as their own programs write them, are named by their first bytes."""

import bz2
import gzip
import io
import json
import lzma
import pickle
import sqlite3
import struct
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data.formats.first_bytes import foreign_format, idx_content
from data.formats.idx_file import read_header
from data.formats.signal_file import read_signals
from pipeline_config import SignalData, UserInputError

ROWS = np.random.default_rng(0).normal(size=(30, 12)).round(6)
TEXT = pd.DataFrame(ROWS).to_csv(index=False, header=False)
FRAME = pd.DataFrame(ROWS, columns=[f"t{step}" for step in range(12)])


def _saved(save: Callable[[io.BytesIO], object]) -> bytes:
    file = io.BytesIO()
    save(file)
    return file.getvalue()


def _zip(name: str) -> bytes:
    def save(file: io.BytesIO) -> None:
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr(name, TEXT)

    return _saved(save)


def _tar(file: io.BytesIO) -> None:
    with tarfile.open(fileobj=file, mode="w") as archive:
        info = tarfile.TarInfo("ecg.csv")
        info.size = len(TEXT)
        archive.addfile(info, io.BytesIO(TEXT.encode()))


def _sqlite() -> bytes:
    with sqlite3.connect(":memory:") as database:
        database.execute("create table beats (a)")
        return database.serialize()


PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
FILES: dict[str, tuple[bytes, str]] = {
    "feather": (_saved(FRAME.to_feather), "an Arrow file: save its content"),
    "orc": (b"ORC\x1d\0\0\n\x06\x12\x04", "an ORC file"),
    "zip": (_zip("ecg.csv"), "a ZIP archive: unpack it"),
    "xlsx": (_zip("[Content_Types].xml"), "an Excel workbook"),
    "tar": (_saved(_tar), "a tar archive: unpack it"),
    "bz2": (bz2.compress(TEXT.encode()), "compressed with bzip2: unpack it"),
    "xz": (lzma.compress(TEXT.encode()), "compressed with xz: unpack it"),
    "zstd": (b"\x28\xb5\x2f\xfd\x04\x58", "compressed with Zstandard: unpack it"),
    "gzip_twice": (gzip.compress(TEXT.encode()), "compressed with gzip twice: unpack it once"),
    "hdf5": (b"\x89HDF\r\n\x1a\n\0\0", "an HDF5 file: save its content as CSV"),
    "matlab": (b"MATLAB 5.0 MAT-file, Platform: GLNXA64", "a MATLAB file"),
    "sqlite": (_sqlite(), "a SQLite database"),
    "png": (PNG, "a PNG image: basic and denoise read such pictures"),
    "jpeg": (b"\xff\xd8\xff\xe0\0\x10JFIF", "a JPEG image"),
    "wav": (b"RIFF\x24\0\0\0WAVEfmt ", "a WAV file"),
    "pickle": (pickle.dumps(ROWS), "a Python pickle"),
    "pickle_of_a_frame": (pickle.dumps(FRAME, protocol=2), "a Python pickle"),
    "tfrecord": (struct.pack("<QI", 40, 7) + b"\x0a\x26" + bytes(38), "a TFRecord file"),
    "json": (json.dumps(ROWS.tolist()).encode(), "JSON: save its content"),
    "json_lines": (b'{"signal": [1, 2]}\n', "JSON: save its content"),
    "dvc": (
        b"outs:\n- md5: 0b4fa1\n  size: 7877383\n  path: ecg.csv\n",
        "a DVC pointer, not the file itself: run dvc pull",
    ),
    "dvc_with_its_own_digest": (b"md5: ab\nwdir: ..\nouts:\n- md5: 0b4fa1\n", "a DVC pointer"),
    "git_lfs": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 7877383\n",
        "a Git LFS pointer, not the file itself: run git lfs pull",
    ),
    "git_annex": (b"/annex/objects/SHA256E-s7877383--00.csv\n", "a git-annex pointer"),
    "html": (b"\n<!DOCTYPE html>\n<html><head><title>404", "an HTML page: open the address"),
    "xml": (b'<?xml version="1.0"?><Error><Code>AccessDenied', "an XML document"),
    **{
        encoding: (TEXT.encode(encoding), f"{encoding[:6].upper()} text: save the file as CSV")
        for encoding in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be")
    },
    "utf-16-be_with_a_mark": (b"\xfe\xff" + TEXT.encode("utf-16-be"), "UTF-16 text"),
}


@pytest.mark.parametrize(("content", "expected"), FILES.values(), ids=FILES)
@pytest.mark.parametrize("compress", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_another_format_is_named(
    tmp_path: Path, content: bytes, expected: str, compress: Callable[[bytes], bytes]
) -> None:
    if compress is bytes and "twice" in expected:
        return
    file = tmp_path / "ecg.csv"
    file.write_bytes(compress(content))

    with pytest.raises(UserInputError) as as_csv:
        list(read_signals(str(file), SignalData(length=12)))
    with pytest.raises(UserInputError) as as_idx:
        read_header(str(file))

    assert str(as_csv.value).startswith(f"{file}: the file is {expected}")
    assert str(as_idx.value).startswith(f"{file}: the file is {expected.partition(':')[0]}")


OWN = {
    "csv": TEXT.encode(),
    "short": b"1,2\n",
    "one": b"1",
    "empty": b"",
    "bom": b"\xef\xbb\xbf1,2,3\n",
    "header": b"PAR1,ORC,BZh9,t4\n1,2,3,4\n",
    "json_like_header": b"[0],[1],[2],label\n",
    "umlauts": "Größe,Höhe\n1,2\n".encode(),
    "comment": b"# exported\n1,2,3\n",
    "idx": struct.pack(">4i", 2051, 10, 28, 28) + bytes(200),
    "labels": struct.pack(">2i", 2049, 10) + bytes(200),
}


@pytest.mark.parametrize("content", OWN.values(), ids=OWN)
def test_what_is_read_here_is_no_other_format(content: bytes) -> None:
    assert foreign_format(content) is None


IDX = {
    "float32": ((13, 20, 28, 28), "values are float32, 20 x 28 x 28, not bytes of 0 to 255"),
    "int32": ((12, 20), "values are int32, 20, not bytes of 0 to 255"),
    "int16": ((11, 20, 2, 2), "values are int16, 20 x 2 x 2, not bytes of 0 to 255"),
    "colours": (
        (8, 20, 28, 28, 3),
        "images of 3 dimensions (uint8, 20 x 28 x 28 x 3), not of grey pixels",
    ),
    "one_hot": ((8, 20, 10), "labels of 2 dimensions (uint8, 20 x 10), not one number each"),
}


@pytest.mark.parametrize(("header", "expected"), IDX.values(), ids=IDX)
def test_idx_of_another_type_is_named(
    tmp_path: Path, header: tuple[int, ...], expected: str
) -> None:
    kind, *shape = header
    file = tmp_path / "train-images"
    start = bytes([0, 0, kind, len(shape)])
    file.write_bytes(start + b"".join(size.to_bytes(4, "big") for size in shape) + bytes(100))

    with pytest.raises(UserInputError) as raised:
        read_header(str(file))

    assert str(raised.value).startswith(f"{file}: {expected}, wrong magic number ")
    assert "give an IDX file of images (2051) or labels (2049)" in str(raised.value)
    assert idx_content(file.read_bytes()) is not None


def test_images_given_as_csv_are_named(tmp_path: Path) -> None:
    file = tmp_path / "ecg.csv"
    file.write_bytes(OWN["idx"])
    with pytest.raises(UserInputError, match=r"an IDX file \(uint8, 10 x 28 x 28\), but CSV is"):
        list(read_signals(str(file), SignalData(length=12)))


def test_formats_need_no_tensorflow() -> None:
    code = (
        "import sys; import data.formats.csv_file, data.formats.idx_file;"
        "sys.exit(sorted({'tensorflow', 'tfx'} & set(sys.modules)) or None)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, "")
