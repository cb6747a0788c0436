"""What `aepipe predict` was asked for."""

import dataclasses
import itertools
import os
import unicodedata
from pathlib import Path
from typing import Literal

from pipeline_config import UserInputError

STANDARD_INPUT = "-"

_REDIRECTED_INPUT = "/proc/self/fd/0"
"""Links to the file that a shell redirected to standard input."""

Format = Literal["csv", "parquet"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class PredictRequest:
    """What the command line asked for.

    Attributes:
        model: Name of a model in the push directory, or of the pipeline that pushes it.
        file: On any file system that Beam supports, or "-" for standard input.
        models_dir: The push directory; nothing is written there.
        kept_folders: More folders that nothing is written to.
        version: Number or label of a version; None for the one that a server would serve.
        output: Where the scores go, or None for a summary alone.
        rejects: Where rows go that cannot be scored; None for a file beside `output`.
        reconstruction: Whether each row's reconstruction is written too.
        contribution: Whether the contribution of each of its values to the error is written too.
        batch_size: Examples a call of the model.
        beam_profile: Where the Beam pipeline runs; None without `beam_args` scores in this
            process without Beam.
        beam_args: Options of Beam beside the profile's.
        drop_columns: Columns to leave out, from 0.
        events: Where the table of a series' events goes, or None.
        step: Samples from one window of a series to the next; None for that of the run.
        show_progress: Whether a terminal shows how far it is.

    Raises:
        UserInputError: Two of the paths are one file, or one lies within the other; a path to be
            written lies in a folder of models or runs, or has a name of no known format.
    """

    model: str
    file: str
    models_dir: Path
    kept_folders: tuple[Path, ...] = ()
    version: str | None = None
    output: str | None = None
    rejects: str | None = None
    reconstruction: bool = False
    contribution: bool = False
    batch_size: int = 512
    beam_profile: str | None = None
    beam_args: tuple[str, ...] = ()
    drop_columns: tuple[int, ...] = ()
    events: str | None = None
    step: int | None = None
    show_progress: bool = False

    def __post_init__(self) -> None:
        _ = self.kind, self.events_kind
        self._check_read_is_not_written()
        self._check_home_is_not_written()

    @property
    def kind(self) -> Format:
        """The output's format, by its suffix; "csv" if there is no output."""
        return _format_of(self.output)

    @property
    def events_kind(self) -> Format:
        """The same of the table of events."""
        return _format_of(self.events)

    @property
    def on_beam(self) -> bool:
        """Whether Beam's workers score."""
        return self.beam_profile is not None or bool(self.beam_args)

    @property
    def rejects_path(self) -> str | None:
        """Where rejected rows go; None if nothing was named to write to."""
        if self.rejects is not None or self.output is None:
            return self.rejects
        return self.output.rstrip("/").rpartition(".")[0] + ".rejects.csv"

    def _check_read_is_not_written(self) -> None:
        by_default = self.rejects is None
        paths = (self.file, self.output, self.events, self.rejects_path)
        named = [path for path in paths if path is not None]
        for first, second in itertools.combinations(named, 2):
            if not overlap(first, second):
                continue
            if by_default and second == self.rejects_path:
                names = {self.file: "the file to be scored", self.events: "the table of events"}
                what = names.get(first, "the output")
                raise UserInputError(
                    f"{second}: rows that cannot be scored go there by default, but it is {what}: "
                    "name another file with --rejects"
                )
            other = "" if first == second else f" (as {first})"
            raise UserInputError(f"{second}{other}: named twice: write to another file")

    def _check_home_is_not_written(self) -> None:
        for path in (self.output, self.events, self.rejects_path):
            for folder in (self.models_dir, *self.kept_folders):
                if path is not None and overlap(path, str(folder)):
                    raise UserInputError(
                        f"{path}: {folder} holds models and runs of aepipe: write to another place"
                    )


def _format_of(path: str | None) -> Format:
    if path is None or path.endswith(".csv"):
        return "csv"
    if path.endswith(".parquet"):
        return "parquet"
    raise UserInputError(f"{path}: the output's name must end with .csv or .parquet")


def is_remote(path: str) -> bool:
    """Returns whether a path lies on a file system of its own scheme, such as `gs://`."""
    return "://" in path


def overlap(one: str, other: str) -> bool:
    """Returns whether writing to one path could change what lies at the other.

    That is so if both are one file or folder, or if one lies below the other, however they are
    spelled: relative or not, with `..`, through links or as hard links. Names of files that do not
    exist yet are compared regardless of case, as some file systems take them for one. "-" is the
    file that a shell redirected to standard input.
    """
    if is_remote(one) or is_remote(other):
        first, second = f"{one.rstrip('/')}/", f"{other.rstrip('/')}/"
        return first.startswith(second) or second.startswith(first)
    first_path, second_path = (
        Path(os.path.realpath(_REDIRECTED_INPUT if path == STANDARD_INPUT else path))
        for path in (one, other)
    )
    pairs = itertools.chain(
        [(first_path, second_path)],
        ((first_path, above) for above in second_path.parents),
        ((above, second_path) for above in first_path.parents),
    )
    return any(_is_one(*pair) for pair in pairs)


def _is_one(one: Path, other: Path) -> bool:
    there = one.exists(), other.exists()
    if all(there):
        return one.samefile(other)
    if any(there):
        return False
    return _folded(one.name) == _folded(other.name) and _is_one(one.parent, other.parent)


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
