"""A file system of its own scheme, as workers on other machines share one: `shelf://...`.

Like an object store it has no folders that could be renamed.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from apache_beam.io.filesystem import FileMetadata
from apache_beam.io.localfilesystem import LocalFileSystem

SCHEME = "shelf"


class ShelfFileSystem(LocalFileSystem):
    """Keeps `shelf://PATH` in the local file PATH, an absolute path without its first slash."""

    @classmethod
    def scheme(cls) -> str:
        return SCHEME

    def join(self, basepath: str, *paths: str) -> str:
        return "/".join([basepath.rstrip("/"), *paths])

    def split(self, path: str) -> tuple[str, str]:
        head, _, tail = path.rpartition("/")
        return head, tail

    def mkdirs(self, path: str) -> None:
        super().mkdirs(_local(path))

    def rename(self, sources: list[str], destinations: list[str]) -> None:
        if any(Path(_local(source)).is_dir() for source in sources):
            raise OSError("there are no folders here")
        super().rename([*map(_local, sources)], [*map(_local, destinations)])

    def copy(self, sources: list[str], destinations: list[str]) -> None:
        super().copy([*map(_local, sources)], [*map(_local, destinations)])

    def delete(self, paths: list[str]) -> None:
        # The inherited one would look its paths up by this class's own `_list`.
        LocalFileSystem(None).delete([*map(_local, paths)])

    def exists(self, path: str) -> bool:
        return bool(super().exists(_local(path)))

    def create(self, path: str, *options: Any, **named: Any) -> BinaryIO:
        return super().create(_local(path), *options, **named)

    def open(self, path: str, *options: Any, **named: Any) -> BinaryIO:
        return super().open(_local(path), *options, **named)

    def _list(self, path: str) -> Iterator[Any]:
        for found in super()._list(_local(path)):
            yield FileMetadata(f"{SCHEME}:/{found.path}", found.size_in_bytes)


def on_shelf(path: Path) -> str:
    return f"{SCHEME}:/{path}"


def _local(path: str) -> str:
    return path.removeprefix(f"{SCHEME}:/")
