"""Each mistake in a pair of IDX files gives one line that names the file and the remedy."""

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from data.formats.idx_file import find_pair, read_images
from pipeline_config import UserInputError

IMAGES = "train-images-idx3-ubyte.gz"
LABELS = "train-labels-idx1-ubyte.gz"

Change = Callable[[bytes], bytes]


def _recompressed(change: Change) -> Change:
    return lambda data: gzip.compress(change(gzip.decompress(data)))


def _sized(*shape: int) -> Change:
    """The file as it would be with another shape, its bytes in proportion."""

    def change(data: bytes) -> bytes:
        header = b"".join(size.to_bytes(4, "big") for size in (2048 + len(shape), *shape))
        return gzip.compress(header + bytes(int(np.prod(shape))))

    return change


BAD_FILES: dict[str, tuple[str, Change, str]] = {
    "empty": (IMAGES, lambda _: b"", "the file is empty"),
    "empty_gzip": (LABELS, lambda _: gzip.compress(b""), "the file is empty"),
    "wrong_magic": (
        IMAGES,
        _recompressed(lambda data: b"\0\0\x0d\3" + data[4:]),
        "wrong magic number 3331: give an IDX file of images (2051) or labels (2049)",
    ),
    "text": (LABELS, lambda _: b"1,2,3\n", "wrong magic number"),
    "three_bytes": (LABELS, lambda _: b"\0\0\x08", "wrong magic number 8"),
    "cut_header": (IMAGES, _recompressed(lambda data: data[:11]), "ends within its header"),
    "truncated_gzip": (IMAGES, lambda data: data[:-30], "gzip data is damaged or ends early"),
    "gzip_without_its_checksum": (IMAGES, lambda data: data[:-8], "gzip data is damaged or ends"),
    "wrong_checksum": (
        LABELS,
        lambda data: data[:-8] + b"\1\2\3\4" + data[-4:],
        "gzip data is damaged or ends early",
    ),
    "damaged_gzip": (LABELS, lambda _: b"\x1f\x8b" + b"nonsense", "gzip data is damaged"),
    "truncated_images": (
        IMAGES,
        _recompressed(lambda data: data[:-7]),
        "the file ends after 18 of 20 items",
    ),
    "truncated_labels": (
        LABELS,
        _recompressed(lambda data: data[:-1]),
        "the file ends after 19 of 20 items",
    ),
    "too_many_bytes": (
        IMAGES,
        _recompressed(lambda data: data + b"\0"),
        "there are more bytes than the 20 items",
    ),
    "more_labels": (LABELS, _sized(21), "21 labels for 20 images in"),
    "fewer_labels": (LABELS, _sized(19), "19 labels for 20 images in"),
    "other_size": (
        IMAGES,
        _sized(20, 3, 2),
        "images are 3 x 2 pixels, but data.height=2 and data.width=3: "
        "set data.height=3 and data.width=2",
    ),
    "no_images": (IMAGES, _sized(0, 2, 3), "the file holds 0 images"),
}


@pytest.mark.parametrize(("name", "change", "expected"), BAD_FILES.values(), ids=BAD_FILES)
def test_bad_file_is_named_with_remedy(
    tmp_path: Path,
    write_splits: Callable[[Path], None],
    name: str,
    change: Change,
    expected: str,
) -> None:
    write_splits(tmp_path)
    file = tmp_path / name
    file.write_bytes(change(file.read_bytes()))

    with pytest.raises(UserInputError) as raised:
        list(read_images(*find_pair([f"{tmp_path}/{IMAGES}", f"{tmp_path}/{LABELS}"], (2, 3))))

    assert str(raised.value).startswith(f"{file}: ")
    assert expected in str(raised.value)


def test_damage_behind_the_header_reaches_the_user(
    tmp_path: Path, write_splits: Callable[[Path], None], image_fault: Callable[..., str]
) -> None:
    write_splits(tmp_path)
    file = tmp_path / IMAGES
    file.write_bytes(file.read_bytes()[:-8])

    assert image_fault(tmp_path).startswith(f"{file}: the gzip data is damaged or ends early")


@pytest.mark.parametrize(
    ("missing", "noun"), [(LABELS, "labels (magic number 2049)"), (IMAGES, "images (magic")]
)
def test_half_a_pair(
    tmp_path: Path,
    write_splits: Callable[[Path], None],
    image_fault: Callable[..., str],
    missing: str,
    noun: str,
) -> None:
    write_splits(tmp_path)
    (tmp_path / missing).unlink()

    assert f"there is no file of {noun}" in image_fault(tmp_path)


def test_no_file_matches(
    tmp_path: Path, write_splits: Callable[[Path], None], image_fault: Callable[..., str]
) -> None:
    write_splits(tmp_path)

    line = image_fault(tmp_path, eval_pattern="test-*")

    assert line.startswith(f"{tmp_path}/test-*: no file matches")


@pytest.mark.parametrize("name", [LABELS, IMAGES])
def test_same_file_plain_and_compressed(
    tmp_path: Path,
    write_splits: Callable[[Path], None],
    image_fault: Callable[..., str],
    name: str,
) -> None:
    write_splits(tmp_path)
    plain = tmp_path / name.removesuffix(".gz")
    plain.write_bytes(gzip.decompress((tmp_path / name).read_bytes()))

    line = image_fault(tmp_path)

    assert line.startswith(f"{plain}: {name} beside it holds")
    assert line.endswith("remove one of the two")
