"""Archives of NumPy arrays (`.npz`): ZIP files with one `.npy` file an array."""

import contextlib
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from typing import BinaryIO, cast

from data.formats.content import open_file
from pipeline_config import UserInputError

_SUFFIX = ".npy"
_LOCAL_HEADER_BYTES = 30


def array_names(path: str) -> list[str]:
    """Returns the names of an archive's arrays, in its order.

    Raises:
        UserInputError: The archive is damaged, or is compressed once more.
    """
    with _open_archive(path) as (_, archive):
        names = [info.filename for info in archive.infolist() if not info.is_dir()]
    return [name.removesuffix(_SUFFIX) for name in names if name.endswith(_SUFFIX)]


def is_stored(path: str, names: Sequence[str]) -> bool:
    """Returns whether arrays lie in an archive as they are, so that they have a middle."""
    with _open_archive(path) as (_, archive):
        members = [archive.getinfo(name + _SUFFIX) for name in names]
    return all(member.compress_type == zipfile.ZIP_STORED for member in members)


@contextlib.contextmanager
def open_array(path: str, name: str, *, at_random: bool = False) -> Iterator[BinaryIO]:
    """Opens an array of an archive, in NumPy's format.

    Args:
        path: The archive, on any file system that Beam supports.
        name: The array's.
        at_random: Whether the file must seek at no cost, which it can only if it is stored as it
            is; its check sum is verified only without.

    Raises:
        UserInputError: The archive is damaged.
    """
    with _open_archive(path) as (file, archive):
        member = archive.getinfo(name + _SUFFIX)
        if not at_random:
            with archive.open(member) as content:
                yield cast(BinaryIO, content)
            return
        assert member.compress_type == zipfile.ZIP_STORED, "its bytes are those of the array"
        file.seek(member.header_offset)
        header = file.read(_LOCAL_HEADER_BYTES)
        names = int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
        start = member.header_offset + _LOCAL_HEADER_BYTES + names
        yield cast(BinaryIO, _Part(file, start, member.file_size))


class _Part:
    """A part of a file, as a file."""

    def __init__(self, file: BinaryIO, start: int, size: int) -> None:
        self._file = file
        self._start = start
        self._size = size
        self._place = 0

    def seek(self, place: int) -> int:
        self._place = place
        return place

    def tell(self) -> int:
        return self._place

    def read(self, size: int) -> bytes:
        self._file.seek(self._start + self._place)
        data = self._file.read(max(0, min(size, self._size - self._place)))
        self._place += len(data)
        return data


@contextlib.contextmanager
def _open_archive(path: str) -> Iterator[tuple[BinaryIO, zipfile.ZipFile]]:
    with open_file(path) as file:
        try:
            with zipfile.ZipFile(file) as archive:
                yield file, archive
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise UserInputError(
                f"{path}: the archive of NumPy arrays (.npz) is damaged or ends early: copy or "
                "download it again"
            ) from error
        except (NotImplementedError, RuntimeError) as error:
            # Only a compression or an encryption of another program's is refused so.
            raise UserInputError(
                f"{path}: the archive cannot be unpacked ({error}): save it with numpy.savez"
            ) from error
