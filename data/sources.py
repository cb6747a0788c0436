"""Which data a pipeline runs on: given, downloaded, or the built-in sample."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from data.catalog import CATALOG, SourceFile, files_for
from data.download import NoNetworkError, Patience, download
from data.sample import write_sample
from data.spans.files import LOCAL, literal_pattern, patterns_of, splits_of
from data.spans.folder import DataFolder, with_patterns, with_span_folders
from pipeline_config import ImageData, PipelineConfig, SignalData, UserInputError

DATA_VARIABLE = "AEPIPE_DATA"
"""Environment variable: a data directory, if `--data-dir` names none."""

OFFLINE_VARIABLE = "AEPIPE_OFFLINE"
"""Environment variable: anything but empty or 0 means that the network is not tried."""

RAW_FOLDER = "raw"
SAMPLE_FOLDER = "sample"


@dataclasses.dataclass(frozen=True)
class DataSource:
    """Where a pipeline's files lie.

    Attributes:
        directory: The folder that the pipeline's file patterns count from; absolute.
        source: Where they came from.
        notice: One line that the user must see, or None.
        file: Name of the one file in it that is read; None to go by the file patterns.
    """

    directory: Path
    source: Literal["given", "downloaded", "sample"]
    notice: str | None = None
    file: str | None = None

    def patterns_in(self, data: SignalData | ImageData) -> SignalData | ImageData:
        """Returns a config's data with file patterns that look into span folders, or at the file.

        Raises:
            UserInputError: See `with_span_folders`.
        """
        if self.file is None:
            return with_span_folders(data, self.directory)
        pattern = literal_pattern(self.file)
        return with_patterns(data, dict.fromkeys(splits_of(data), pattern))


def resolve(
    config: PipelineConfig,
    *,
    data_dir: Path | None,
    environ: Mapping[str, str],
    cache_dir: Path,
    fetch: bool = True,
    catalog: Sequence[SourceFile] = CATALOG,
    patience: Patience | None = None,
) -> DataSource:
    """Finds a pipeline's data; the first of these that there is.

    1. `data_dir`, 2. the folder that `AEPIPE_DATA` names: neither ever gives way to what follows;
    3. what was fetched before into `cache_dir / "raw"`; 4. a download to there; 5. if there is
    no network, or none is to be tried, the sample, written to `cache_dir / "sample"`.

    Args:
        config: The pipeline; only its own files are looked for and downloaded.
        data_dir: The user's folder, with the files in it or in its sub-folder
            `config.data.folder`; or one file, which alone is read.
        environ: Environment variables.
        cache_dir: Where downloads and samples are kept.
        fetch: Whether the network may be tried.
        catalog: What can be downloaded.
        patience: Tries and time limits of a download.

    Raises:
        UserInputError: What was given is missing or a folder without matching files, or nothing was
            given for a config whose shape or patterns are not the tutorial's.
        DownloadError: The server was reached but did not deliver.
    """
    variable = environ.get(DATA_VARIABLE)
    if data_dir is not None:
        return _given(config, data_dir)
    if variable:
        return _given(config, Path(variable))
    files = files_for(config.data, catalog)
    raw = (cache_dir / RAW_FOLDER).absolute()
    missing = [file for file in files if not (raw / file.path).is_file()]
    if files and not missing:
        return DataSource(raw / config.data.folder, "downloaded")
    if not fetch or is_offline(environ):
        return _sample(config, cache_dir, "the network was not tried")
    if not files:
        raise UserInputError(f"no data given for {_wanted(config)}: use --data-dir")
    try:
        notes = [download(file, raw, patience=patience) for file in missing]
    except NoNetworkError as error:
        # "no connection to URL"; what the system said of it is of no use to a reader of reports.
        return _sample(config, cache_dir, str(error).partition(": ")[0])
    notice = "; ".join(note for note in notes if note)
    return DataSource(raw / config.data.folder, "downloaded", notice or None)


def is_offline(environ: Mapping[str, str]) -> bool:
    """Whether `AEPIPE_OFFLINE` forbids the network."""
    return environ.get(OFFLINE_VARIABLE, "") not in ("", "0")


def folder_in(data_dir: Path, folder: str) -> Path:
    """Returns the sub-folder of a data directory that is a pipeline's, or the directory itself."""
    inner = data_dir / folder
    return inner if inner.is_dir() else data_dir


def _given(config: PipelineConfig, data_dir: Path) -> DataSource:
    root = data_dir.expanduser().absolute()
    if not root.exists():
        raise UserInputError(f"{root}: no such folder; name one with the files of {config.name!r}")
    whole = (".npz", ".csv", ".csv.gz")
    is_part = isinstance(config.data, ImageData) and not root.name.lower().endswith(whole)
    if not root.is_dir() and is_part:
        raise UserInputError(
            f"{root}: a file, not a folder; name the folder that holds it, or one .npz or .csv file"
        )
    if not root.is_dir():
        return DataSource(root.parent, "given", file=root.name)
    source = DataSource(folder_in(root, config.data.folder), "given")
    folder = DataFolder(str(source.directory), splits_of(source.patterns_in(config.data)))
    if folder.unmatched is not None:
        raise UserInputError(
            f"{folder.base}: no file matches {folder.unmatched!r}, {_content(source.directory)}; "
            f"put the files of {config.name!r} there, or name another folder with --data-dir"
        )
    return source


def _content(directory: Path, shown: int = 5) -> str:
    names = sorted(LOCAL.names(str(directory)))
    if not names:
        return "the folder is empty"
    # A name may hold line ends.
    listed = ", ".join(repr(name)[1:-1] for name in names[:shown])
    return f"it holds {listed}" + (f" and {len(names) - shown} more" if len(names) > shown else "")


def _sample(config: PipelineConfig, cache_dir: Path, reason: str) -> DataSource:
    directory = (cache_dir / SAMPLE_FOLDER).absolute()
    write_sample(config, directory)
    notice = (
        f"NOT REAL DATA: {config.name!r} runs on the built-in sample ({reason}); "
        f"for real data use --data-dir or {DATA_VARIABLE}"
    )
    return DataSource(directory / config.data.folder, "sample", notice)


def _wanted(config: PipelineConfig) -> str:
    """What about a config differs from the tutorial's data, in the words of its settings."""
    data = config.data
    if not any(file.folder == data.folder for file in CATALOG):
        return f"{config.name!r} ({data.folder})"
    if not any((file.folder, file.shape) == (data.folder, data.shape) for file in CATALOG):
        if isinstance(data, ImageData):
            return "images of {} x {}".format(*data.shape)
        of_channels = f" of {data.channels} channels" if data.channels > 1 else ""
        return f"length {data.length}{of_channels}"
    return "the patterns " + ", ".join(repr(pattern) for pattern in patterns_of(data))
