"""What a file is by its first bytes, if it is neither a CSV nor an IDX file."""

import re
from typing import Literal

GZIP = b"\x1f\x8b"

NPY = b"\x93NUMPY"

ZIP = b"PK\x03\x04"

PARQUET = re.compile(rb"PAR1[^ -~]")
"""A name of a column may begin with these letters, but goes on with a character."""

START_BYTES = 1024
"""So many are enough for `foreign_format`."""

_SAVE = "save its content as CSV"
_IDX_TYPES = {8: "uint8", 9: "int8", 11: "int16", 12: "int32", 13: "float32", 14: "float64"}
_UNPACK = "unpack it, or compress it with gzip"
_REENCODE = "save the file as CSV (UTF-8)"
_AS_FILE = "give the file by its name, not through a pipe"
_PICTURES = "basic and denoise read such pictures, in a folder for each class"
_FETCH_AGAIN = "open the address in a browser to see what it answers, and download the file again"

_BEGINNINGS: tuple[tuple[bytes, str, str], ...] = (
    (GZIP, "compressed with gzip twice", "unpack it once"),
    (NPY, "a NumPy array (.npy)", _AS_FILE),
    (b"\xfd7zXZ\x00", "compressed with xz", _UNPACK),
    (b"\x28\xb5\x2f\xfd", "compressed with Zstandard", _UNPACK),
    (b"\x04\x22\x4d\x18", "compressed with LZ4", _UNPACK),
    (b"\x1f\x9d", "compressed with compress (.Z)", _UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", _UNPACK),
    (b"Rar!\x1a\x07", "a RAR archive", _UNPACK),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file", _SAVE),
    (b"CDF\x01", "a NetCDF file", _SAVE),
    (b"CDF\x02", "a NetCDF file", _SAVE),
    (b"MATLAB 5.0 MAT-file", "a MATLAB file", _SAVE),
    (b"ARROW1", "an Arrow file", _SAVE),
    (b"FEA1", "a Feather file", _SAVE),
    (b"Obj\x01", "an Avro file", _SAVE),
    (b"SQLite format 3\x00", "a SQLite database", _SAVE),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel or other Office file", _SAVE),
    (b"\x89PNG\r\n\x1a\n", "a PNG image", _PICTURES),
    (b"\xff\xd8\xff", "a JPEG image", _PICTURES),
    (b"GIF8", "a GIF image", "save it as PNG, which basic and denoise read"),
    (b"%PDF-", "a PDF document", _SAVE),
    (b"\xff\xfe\x00\x00", "UTF-32 text", _REENCODE),
    (b"\x00\x00\xfe\xff", "UTF-32 text", _REENCODE),
    (b"\xff\xfe", "UTF-16 text", _REENCODE),
    (b"\xfe\xff", "UTF-16 text", _REENCODE),
    (
        b"version https://git-lfs.github.com/spec/",
        "a Git LFS pointer, not the file itself",
        "run git lfs pull",
    ),
)
_PATTERNS: tuple[tuple[re.Pattern[bytes], str, str], ...] = (
    (
        PARQUET,
        "a Parquet file",
        _AS_FILE,
    ),
    (re.compile(rb"ORC[^ -~]"), "an ORC file", _SAVE),
    (re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P)"), "compressed with bzip2", _UNPACK),
    (
        re.compile(rb"(?:[a-z0-9_]+: [^\n]*\n)*outs:\s*\n\s*-"),
        "a DVC pointer, not the file itself",
        "run dvc pull and give the file that it names",
    ),
    (
        re.compile(rb"[./]*(?:\.git)?/annex/objects/"),
        "a git-annex pointer, not the file itself",
        "run git annex get",
    ),
    (re.compile(rb"\s*<(?:!doctype html|html)", re.I), "an HTML page", _FETCH_AGAIN),
    (re.compile(rb"\s*<\?xml"), "an XML document", _FETCH_AGAIN),
    (re.compile(rb"\s*(?:\{\s*[\"}]|\[\s*[\[{])"), "JSON", _SAVE),
    (re.compile(rb"RIFF....WAVE", re.S), "a WAV file", _SAVE),
    (re.compile(rb"\x80[\x02-\x05](?:[\x00-\x20]|[\x5d\x7d\x95c(\x8c])"), "a Python pickle", _SAVE),
)


def foreign_format(start: bytes) -> str | None:
    """Returns what a file is and what to do about it, as the end of a sentence.

    Args:
        start: The file's first bytes, `START_BYTES` of them or all there are; the first of its
            content if it is compressed with gzip.

    Returns:
        Such as "a Parquet file: save it as CSV ...", or None if the bytes may be a CSV, an IDX
        file or nothing that is known.
    """
    for beginning, name, remedy in _BEGINNINGS:
        if start.startswith(beginning):
            return f"{name}: {remedy}"
    if start.startswith(ZIP):
        return _zipped(start)
    if start[257:262] == b"ustar":
        return f"a tar archive: {_UNPACK}"
    for pattern, name, remedy in _PATTERNS:
        if pattern.match(start):
            return f"{name}: {remedy}"
    if encoding := _wide_text(start):
        return f"{encoding} text: {_REENCODE}"
    if _is_tfrecord(start):
        return f"a TFRecord file: {_SAVE}"
    return None


def array_format(start: bytes) -> Literal["npy", "npz", "parquet"] | None:
    """Returns which format of arrays a file has; None if another one.

    Args:
        start: See `foreign_format`.
    """
    if start.startswith(NPY):
        return "npy"
    if start.startswith(ZIP) and _first_member(start).endswith(b".npy"):
        return "npz"
    return "parquet" if PARQUET.match(start) else None


def _zipped(start: bytes) -> str:
    name = _first_member(start)
    if name.endswith(b".npy"):
        return f"an archive of NumPy arrays (.npz): {_AS_FILE}"
    if name.startswith((b"[Content_Types]", b"_rels/", b"xl/", b"docProps/")):
        return f"an Excel workbook or other Office file: {_SAVE}"
    return f"a ZIP archive: {_UNPACK}"


def _first_member(start: bytes) -> bytes:
    return start[30 : 30 + int.from_bytes(start[26:28], "little")]


def _wide_text(start: bytes) -> str | None:
    """Returns the encoding of text without a byte order mark in which a character has 2 or 4 bytes.

    Digits, commas and line feeds, and nothing else a CSV needs, leave the other bytes zero.
    """
    part = start[: len(start) // 4 * 4][:256]
    if len(part) < 8:
        return None
    zero = [not any(part[place::4]) for place in range(4)]
    text = [all(byte in _ASCII for byte in part[place::4]) for place in range(4)]
    for is_zero, encoding in (
        ((False, True, True, True), "UTF-32"),
        ((True, True, True, False), "UTF-32"),
        ((False, True, False, True), "UTF-16"),
        ((True, False, True, False), "UTF-16"),
    ):
        if all(zero[place] if is_zero[place] else text[place] for place in range(4)):
            return encoding
    return None


_ASCII = frozenset(b"\t\n\r" + bytes(range(0x20, 0x7F)))


def _is_tfrecord(start: bytes) -> bool:
    """A record is its length in 8 bytes, 4 bytes of check sum, and here a tf.Example."""
    length = int.from_bytes(start[:8], "little")
    return 0 < length < 1 << 28 and start[12:13] == b"\x0a" and len(start) > 12


def idx_content(start: bytes) -> str | None:
    """Returns what an IDX file says that it holds, such as "float32, 10000 x 28 x 28".

    Returns None if the bytes are no IDX header.
    """
    if len(start) < 4 or start[:2] != b"\0\0" or start[2] not in _IDX_TYPES or not start[3]:
        return None
    sizes = [start[place : place + 4] for place in range(4, 4 + 4 * start[3], 4)]
    shape = " x ".join(str(int.from_bytes(size, "big")) for size in sizes if len(size) == 4)
    return f"{_IDX_TYPES[start[2]]}, {shape}"
