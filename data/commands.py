"""What `aepipe data fetch`, `status` and `sample` do; printing is the command line's part."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from data.catalog import CATALOG, SourceFile, files_for, verify
from data.download import Patience, download
from data.sample import write_sample
from data.sources import DATA_VARIABLE, RAW_FOLDER, folder_in
from pipeline_config import PipelineConfig, UserInputError


@dataclasses.dataclass(frozen=True)
class FetchedFile:
    """One file of the tutorial in the cache: downloaded now, or there before and still right."""

    file: str
    path: Path
    bytes: int
    downloaded: bool
    note: str | None


@dataclasses.dataclass(frozen=True)
class FileStatus:
    """One file of the tutorial, as it is; `verified` is None if it is absent."""

    file: str
    path: Path
    present: bool
    bytes: int
    verified: bool | None
    note: str | None


@dataclasses.dataclass(frozen=True)
class WrittenSample:
    """The built-in sample of one pipeline, with the size in bytes of each file."""

    pipeline: str
    directory: Path
    files: dict[str, int]


def fetch(
    pipelines: Iterable[PipelineConfig],
    cache_dir: Path,
    *,
    catalog: Sequence[SourceFile] = CATALOG,
    patience: Patience | None = None,
) -> list[FetchedFile]:
    """Downloads what is missing or damaged of the pipelines' files, each once.

    Raises:
        NoNetworkError: No connection could be made.
        DownloadError: The server did not deliver.
        UserInputError: A pipeline's config has another shape or other patterns than the tutorial's.
    """
    wanted: dict[str, SourceFile] = {}
    for config in pipelines:
        files = files_for(config.data, catalog)
        if not files:
            raise UserInputError(
                f"nothing to fetch for {config.name!r}: the tutorial has no data of shape "
                f"{config.data.shape} with these file patterns; use --data-dir"
            )
        wanted.update({str(file.path): file for file in files})
    raw = cache_dir / RAW_FOLDER
    return [_fetch(file, raw, patience) for file in wanted.values()]


def status(
    cache_dir: Path,
    environ: Mapping[str, str],
    *,
    catalog: Sequence[SourceFile] = CATALOG,
) -> list[FileStatus]:
    """Looks at the tutorial's files in the folder `AEPIPE_DATA` names, else in the cache."""
    given = environ.get(DATA_VARIABLE)
    if not given:
        raw = cache_dir / RAW_FOLDER
        return [_status(file, raw / file.path) for file in catalog]
    root = Path(given).expanduser()
    return [_status(file, folder_in(root, file.folder) / file.name) for file in catalog]


def sample(pipelines: Iterable[PipelineConfig], out_dir: Path) -> list[WrittenSample]:
    """Writes the sample of each pipeline to `out_dir`, which then serves as a data directory.

    Raises:
        UserInputError: `out_dir` cannot be written or holds other data.
    """
    return [
        WrittenSample(config.name, out_dir / config.data.folder, write_sample(config, out_dir))
        for config in pipelines
    ]


def _fetch(file: SourceFile, raw: Path, patience: Patience | None) -> FetchedFile:
    path = raw / file.path
    if path.is_file():
        verdict = verify(file, path)
        if verdict.genuine:
            return FetchedFile(str(file.path), path, path.stat().st_size, False, verdict.note)
    note = download(file, raw, patience=patience)
    return FetchedFile(str(file.path), path, path.stat().st_size, True, note)


def _status(file: SourceFile, path: Path) -> FileStatus:
    if not path.is_file():
        return FileStatus(str(file.path), path, False, 0, None, None)
    verdict = verify(file, path)
    size = path.stat().st_size
    return FileStatus(str(file.path), path, True, size, verdict.genuine, verdict.note)
