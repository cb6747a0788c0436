"""A data folder's file system: this machine's, or one that TFX reaches."""

from tfx.dsl.io import fileio

from data.files import LOCAL, FileSystem


class RemoteFiles:
    """A store that TFX reaches by a prefix such as `gs://`, where there are only files."""

    def names(self, folder: str) -> list[str]:
        """Returns what a folder holds; nothing if there is no such folder."""
        if not fileio.isdir(folder):
            return []
        # An object store ends the names of folders with a slash.
        return [str(name).rstrip("/") for name in fileio.listdir(folder)]

    def is_folder(self, path: str) -> bool:
        """Whether a path leads to a folder."""
        return bool(fileio.isdir(path))

    def require_file(self, path: str) -> None:
        """Does nothing: what is listed and no folder is a file."""

    def size_and_time(self, path: str) -> tuple[int, int]:
        """Returns a file's bytes, and when it was changed in nanoseconds since 1970."""
        found = fileio.stat(path)
        return int(found.length), int(found.mtime_nsec)


def file_system(path: str) -> FileSystem:
    """Returns the file system that a path lies on."""
    return RemoteFiles() if "://" in path else LOCAL
