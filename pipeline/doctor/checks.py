"""What `aepipe doctor` looks at, in order; nothing is changed, fetched or imported for it."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from data.catalog import CATALOG, files_for
from data.sources import DATA_VARIABLE, OFFLINE_VARIABLE, RAW_FOLDER, is_offline, resolve
from data.verify import verify
from pipeline.doctor.finding import Finding
from pipeline.doctor.installation import check_disk, check_versions, nearest_folder
from pipeline.history import killed_runs, past_runs
from pipeline.home import Home
from pipeline.metadata_file import find_fault
from pipeline_config import PipelineConfig, UserInputError
from serving.push_directory.model_versions import read_versions

_LOCK_WAIT_SECONDS = 2.0


def check(
    home: Home, configs: Sequence[PipelineConfig], environ: Mapping[str, str], cache_dir: Path
) -> Iterator[Finding]:
    """Yields what there is, and what is wrong.

    Args:
        home: Output folder.
        configs: The pipelines to look at.
        environ: Environment variables.
        cache_dir: Where downloads are kept.
    """
    yield from check_versions()
    yield from check_disk(home.root)
    for config in configs:
        yield _data(config, environ, cache_dir)
    yield _home(home)
    for config in configs:
        yield _metadata(home, config.name)
    for config in configs:
        yield _models(home.push_root / config.pusher.model_name)


def _data(config: PipelineConfig, environ: Mapping[str, str], cache_dir: Path) -> Finding:
    """Reports what a run would read. The data directory that is given never gives way to others."""
    if environ.get(DATA_VARIABLE):
        try:
            given = resolve(
                config, data_dir=None, environ=environ, cache_dir=cache_dir, fetch=False
            )
        except UserInputError as error:
            return Finding("data", config.name, False, f"{error} (now {DATA_VARIABLE} names it)")
        return Finding("data", config.name, True, f"given by {DATA_VARIABLE}: {given.directory}")
    raw = (cache_dir / RAW_FOLDER).absolute()
    files = files_for(config.data, CATALOG)
    there = [file for file in files if (raw / file.path).is_file()]
    for file in there:
        verdict = verify(file, raw / file.path)
        if not verdict.genuine:
            line = f"{raw / file.path}: {verdict.note}: fetch it again with `aepipe data fetch`"
            return Finding("data", config.name, False, line)
    if files and len(there) == len(files):
        return Finding("data", config.name, True, f"downloaded: {raw / config.data.folder}")
    if is_offline(environ):
        text = f"none is given and {OFFLINE_VARIABLE} is set: a run takes the built-in sample"
    else:
        text = "none is given or fetched yet: a run downloads it, or takes the built-in sample"
    return Finding("data", config.name, True, text)


def _home(home: Home) -> Finding:
    root = home.root
    if not root.exists():
        parent = nearest_folder(root)
        if parent.is_dir() and os.access(parent, os.W_OK | os.X_OK):
            return Finding("home", str(root), True, "there is none yet: the first run makes it")
        return Finding(
            "home", str(root), False, f"{parent}: cannot be written: name another --home"
        )
    fault = home.unwritable_folder()
    if fault is not None:
        return Finding("home", str(root), False, fault)
    runs = past_runs(home)
    interrupted = sum(outcome.status == "interrupted" for outcome in runs) + len(killed_runs(home))
    count = "1 run" if len(runs) == 1 else f"{len(runs)} runs"
    text = f"writable, {count}, {_megabytes(root):.0f} MB"
    if interrupted:
        text += f"; {interrupted} interrupted or killed: `aepipe runs prune` removes what they left"
    return Finding("home", str(root), True, text)


def _metadata(home: Home, pipeline: str) -> Finding:
    fault = find_fault(home, pipeline, wait_seconds=_LOCK_WAIT_SECONDS)
    if fault is not None:
        return Finding("metadata", pipeline, False, fault.line)
    path = home.metadata_path(pipeline)
    text = f"{path}, {path.stat().st_size / 1e6:.1f} MB" if path.exists() else "no run yet"
    return Finding("metadata", pipeline, True, text)


def _models(folder: Path) -> Finding:
    model = folder.name
    try:
        versions = read_versions(folder)
        served = versions.served if versions.numbers else None
    except UserInputError as error:
        return Finding("models", model, False, str(error))
    if served is None:
        return Finding("models", model, True, "no version yet")
    count = len(versions.numbers)
    line = f"{count} version{'' if count == 1 else 's'}, {served} is served"
    for number, fault in versions.faults.items():
        line = f"{line}; {folder}/{number} cannot be served: {fault}"
    return Finding("models", model, not versions.faults, line)


def _megabytes(root: Path) -> float:
    total = 0
    for folder, _, names in os.walk(root):
        for name in names:
            try:
                total += Path(folder, name).lstat().st_size
            except FileNotFoundError:
                # A run that is under way removes files.
                continue
    return total / 1e6
