"""The output folder, which holds artifacts, metadata, runs and served models."""

import contextlib
import dataclasses
import datetime
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from pipeline_config import PipelineConfig, UserInputError

DATA_CACHE = Path(__file__).resolve().parent.parent / "data"
"""Folder below which downloads (`raw/`) and the built-in sample (`sample/`) are kept."""


_SECONDS_TO_END = 3.0
"""How long the lock of a killed run may stay: until the system has taken its memory back."""


@dataclasses.dataclass(frozen=True)
class Home:
    """Paths below one output folder."""

    root: Path

    @property
    def push_root(self) -> Path:
        """The push directory: what a server reads."""
        return self.root / "serving"

    @property
    def folders(self) -> tuple[Path, ...]:
        """All folders in it: nothing else may write there."""
        artifacts = self.root / "artifacts"
        return (self.push_root, artifacts, self.metadata, self.runs, self.schemas, self.tuning)

    @property
    def metadata(self) -> Path:
        """MLMD's SQLite files, one a pipeline, and the locks of pipelines that run."""
        return self.root / "metadata"

    @property
    def schemas(self) -> Path:
        """Curated schemas with the sizes of a config."""
        return self.root / "schemas"

    @property
    def runs(self) -> Path:
        """One folder a run: its log, its outcome, its report."""
        return self.root / "runs"

    @property
    def tuning(self) -> Path:
        """The studies of `aepipe tune`, one file a pipeline."""
        return self.root / "tuning"

    @property
    def stage_graphs(self) -> Path:
        """Graphs of compiled pipelines, for a scheduler."""
        return self.root / "stage-graphs"

    @property
    def set_aside(self) -> Path:
        """What `aepipe doctor --repair` took out of use."""
        return self.root / "set-aside"

    def metadata_path(self, pipeline: str) -> Path:
        """MLMD's SQLite file of one pipeline."""
        return self.metadata / f"{pipeline}.sqlite"

    def artifacts(self, pipeline: str) -> Path:
        """TFX's pipeline root of one pipeline."""
        return self.root / "artifacts" / pipeline

    def prepare(self, config: PipelineConfig) -> None:
        """Makes the folders of one pipeline and checks that they can be written.

        Raises:
            UserInputError: The folder cannot be made or written, its disk is full, or its path
                reads as a pattern.
        """
        require_literal(str(self.root), "name another output folder with --home")
        folders = (
            self.metadata,
            self.artifacts(config.name),
            self.push_root / config.pusher.model_name,
            self.runs,
            self.schemas,
        )
        try:
            for folder in folders:
                folder.mkdir(parents=True, exist_ok=True)
                _check_writable(folder)
        except OSError as error:
            raise UserInputError(unwritable(self.root, error)) from error

    def unwritable_folder(self) -> str | None:
        """Returns the first folder that is there and cannot be written, in one line, or None."""
        for folder in (self.root, *self.folders):
            try:
                if os.path.lexists(folder):
                    _check_writable(folder)
            except OSError as error:
                return unwritable(folder, error)
        return None

    @contextlib.contextmanager
    def lock(self, *pipelines: str) -> Iterator[None]:
        """Holds the one right to run each pipeline in this folder; the system frees it on a kill.

        Raises:
            UserInputError: Another process holds it.
        """
        import filelock

        with contextlib.ExitStack() as held:
            for pipeline in pipelines:
                path = self.metadata_path(pipeline).with_suffix(".lock")
                try:
                    held.enter_context(filelock.FileLock(path, timeout=_SECONDS_TO_END))
                except filelock.Timeout as error:
                    raise UserInputError(
                        f"pipeline {pipeline} is already running in {self.root}; "
                        "wait for it to end, or use another --home"
                    ) from error
            yield


def size_of(folder: Path) -> int:
    """Returns the bytes of all files below a folder, of which a run may remove some meanwhile."""
    size = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                size += Path(parent, name).lstat().st_size
    return size


def require_literal(path: str, advice: str) -> None:
    """Checks that Beam and TensorFlow find a path itself, not other paths that it matches.

    Both take a path to write to for a pattern, without a way to quote it, and remove what matches:
    with `run [1]` that is the files of `run 1`.

    Args:
        path: The path, on any file system.
        advice: What the user can do.

    Raises:
        UserInputError: The path reads as a pattern.
    """
    if found := sorted(set(path) & set("[]*?\\")):
        raise UserInputError(
            f"{path}: {' '.join(found)} in a path stands for other characters, so files of other "
            f"folders would be overwritten: {advice}"
        )


def new_run_id(pipeline: str) -> str:
    """Returns a run's name: pipeline, UTC time to the second, four random characters."""
    now = datetime.datetime.now(datetime.UTC)
    return f"{pipeline}-{now:%Y%m%dT%H%M%S}-{secrets.token_hex(2)}"


def unwritable(
    folder: Path, error: OSError, kind: str = "the output folder", option: str = "--home"
) -> str:
    """Returns the one line that says why a folder cannot be written to, and what to do."""
    reason = os.strerror(error.errno) if error.errno else str(error)
    return (
        f"cannot write to {kind} {folder}: {reason.lower()}; "
        f"free or allow the space, or name another folder with {option}"
    )


def _check_writable(folder: Path) -> None:
    probe = folder / f".probe-{secrets.token_hex(4)}"
    try:
        # A page, not a byte: a full disk still takes a file's name.
        probe.write_bytes(bytes(4096))
    finally:
        probe.unlink(missing_ok=True)
