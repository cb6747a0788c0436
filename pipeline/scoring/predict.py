"""`aepipe predict`: from a model's name and a file to scores and what they come to."""

import contextlib
import dataclasses
import functools
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from pipeline.beam_profiles import beam_arguments
from pipeline.run.failures import full_disk, full_temporary_folder, user_mistake
from pipeline.scoring.engine import ServedModel, Summary, read_reading, score_blocks
from pipeline.scoring.outputs import new_file, require_writable, result_files
from pipeline.scoring.request import PredictRequest
from pipeline.scoring.series import score_series, series_to_score
from pipeline.scoring.source import Advance, Source, find_source, read_source
from pipeline_config import UserInputError
from serving.push_directory.layout import find_model
from serving.push_directory.model_versions import read_versions


@dataclasses.dataclass(frozen=True)
class Prediction:
    """What a prediction came to.

    Attributes:
        request: What was asked for.
        model: The version that scored.
        summary: What was found.
        seconds: From the first byte read to the last row written.
    """

    request: PredictRequest
    model: ServedModel
    summary: Summary
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """Returns plain JSON values."""
        directory, summary = Path(self.model.directory), self.summary
        return {
            "model": directory.parent.name,
            "version": int(directory.name),
            "file": self.request.file,
            **summary.as_dict(self.model.is_detector),
            "rejected": summary.rejected,
            "first_rejects": [
                {"row": rejected.row, "reason": rejected.reason}
                for rejected in summary.first_rejects
            ],
            "output": self.request.output,
            "rejects": self.request.rejects_path if summary.rejected else None,
            "seconds": round(self.seconds, 3),
            "examples_per_second": round(summary.examples / self.seconds, 1),
        }


def predict(request: PredictRequest) -> Prediction:
    """Scores a file with the version that a server would serve.

    Raises:
        UserInputError: There is no such model, version or file; the file is torn, or no row of it
            can be scored; an output cannot be written. Outputs are as they were before.
    """
    versions = read_versions(find_model(request.models_dir, request.model))
    directory = str(versions.find(request.version))
    for number in versions.passed_over if request.version is None else ():
        damage = versions.damaged[number]
        _print_notice(f"{versions.folder.name}: {number} is passed over: {damage}")
    score = _scoring_of(request, Path(directory))
    require_writable(request)
    model = ServedModel(directory)
    if request.contribution:
        model.require_contribution()
    start = time.monotonic()
    try:
        summary = score(model)
    except Exception as error:
        if mistake := user_mistake(error):
            raise UserInputError(mistake) from error
        if full := full_temporary_folder(error):
            raise UserInputError(full) from error
        if disk := full_disk(error):
            target = request.output or request.rejects_path
            raise UserInputError(f"{target}: cannot be written: {disk.strerror}") from error
        raise
    return Prediction(request, model, summary, time.monotonic() - start)


def _scoring_of(request: PredictRequest, directory: Path) -> Callable[[ServedModel], Summary]:
    """Returns what scores the file with a version, of which nothing is loaded yet.

    Raises:
        UserInputError: There is no such file, or the version does not score as was asked.
    """
    series = series_to_score(request, read_reading(directory))
    if series is not None:
        return functools.partial(score_series, request, series)
    source = find_source(request.file, request.drop_columns)
    if not request.on_beam:
        return lambda model: score_streaming(request, model, source)
    from pipeline.scoring.distributed import score_distributed

    beam_args = beam_arguments(request.beam_profile or "local", request.beam_args)
    return lambda model: score_distributed(request, model, source, beam_args, notify=_print_notice)


def score_streaming(request: PredictRequest, model: ServedModel, source: Source) -> Summary:
    """Scores a file in this process, from its start to its end, and writes what was asked for.

    Raises:
        UserInputError: The file is torn or damaged, or no row of it can be scored; nothing is
            written under the names that were asked for.
    """
    output, rejects = request.output, request.rejects_path
    files = (new_file(path) if path else None for path in (output, rejects))
    with (
        _progress_bar(source, wanted=request.show_progress) as advance,
        result_files(request, model, *files) as (write, reject),
    ):
        blocks = read_source(source, model.data, advance, _print_notice)
        summary = score_blocks(blocks, model, request.batch_size, write, reject)
        summary.require_examples(source.path)
    if rejects is not None and not summary.rejected:
        # It would describe a former output.
        Path(rejects).unlink(missing_ok=True)
    return summary


def _print_notice(notice: str) -> None:
    click.echo(f"notice: {notice}", err=True)


@contextlib.contextmanager
def _progress_bar(source: Source, *, wanted: bool) -> Iterator[Advance]:
    """Yields what moves the bar; there is none if standard error is no terminal."""
    console = Console(stderr=True)
    if not (wanted and console.is_terminal):
        # A disabled bar of rich's still ends with an empty line.
        yield lambda read: None
        return
    columns = (
        TextColumn("  scoring"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("scoring", total=source.bytes)
        yield lambda read: progress.update(task, completed=read)
