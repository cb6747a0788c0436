"""What `aepipe predict` was asked for."""

import dataclasses
from pathlib import Path
from typing import Literal

from pipeline_config import UserInputError

STANDARD_INPUT = "-"

Format = Literal["csv", "parquet"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class PredictRequest:
    """What the command line asked for.

    Attributes:
        model: Name of a model in the push directory, or of the pipeline that pushes it.
        file: CSV or IDX file on any file system that Beam knows, or "-" for standard input.
        models_dir: The push directory.
        version: Number or label of a version; None for the one that a server would serve.
        output: Where the scores go, or None for a summary alone.
        rejects: Where rows go that cannot be scored; None for a file beside `output`.
        reconstruction: Whether each row's reconstruction is written too.
        batch_size: Examples a call of the model.
        beam_profile: Where the Beam pipeline runs; None without `beam_args` scores in this
            process without Beam.
        beam_args: Options of Beam beside the profile's.
        drop_columns: Columns of a CSV to leave out, from 0.
        show_progress: Whether a terminal shows how far it is.
    """

    model: str
    file: str
    models_dir: Path
    version: str | None = None
    output: str | None = None
    rejects: str | None = None
    reconstruction: bool = False
    batch_size: int = 512
    beam_profile: str | None = None
    beam_args: tuple[str, ...] = ()
    drop_columns: tuple[int, ...] = ()
    show_progress: bool = False

    def __post_init__(self) -> None:
        named = [path for path in (self.file, self.output, self.rejects) if path is not None]
        resolved = [path if is_remote(path) else str(Path(path).resolve()) for path in named]
        for index, path in enumerate(resolved):
            if path in resolved[:index]:
                raise UserInputError(f"{named[index]}: named twice: write to another file")
        if self.output is not None:
            output_format(self.output)

    @property
    def on_beam(self) -> bool:
        """Whether Beam's workers score."""
        return self.beam_profile is not None or bool(self.beam_args)

    @property
    def rejects_path(self) -> str | None:
        """Where rejected rows go; None where nothing was named to write to."""
        if self.rejects is not None or self.output is None:
            return self.rejects
        return self.output.removesuffix("/").rpartition(".")[0] + ".rejects.csv"


def output_format(path: str) -> Format:
    """Returns the format that a path's suffix names.

    Raises:
        UserInputError: It names none.
    """
    if path.endswith(".csv"):
        return "csv"
    if path.endswith(".parquet"):
        return "parquet"
    raise UserInputError(f"{path}: the output's name must end with .csv or .parquet")


def is_remote(path: str) -> bool:
    """Tells whether a path lies on a file system of its own scheme, such as `gs://`."""
    return "://" in path
