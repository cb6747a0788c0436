"""`aepipe predict`: from a model's name and a file to scores and what they come to."""

import contextlib
import dataclasses
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

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
from pipeline.scoring.engine import RANK_ERROR, ServedModel, Summary, score_blocks
from pipeline.scoring.outputs import require_writable, result_files
from pipeline.scoring.request import PredictRequest
from pipeline.scoring.source import Advance, Source, find_source, read_source
from pipeline_config import UserInputError
from serving.push_directory.durable_files import hidden_file
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
        found: dict[str, Any] = {"examples": summary.examples}
        if self.model.is_detector:
            found["anomalies"] = summary.anomalies
            found["anomaly_share"] = summary.anomalies / summary.examples
        return {
            "model": directory.parent.name,
            "version": int(directory.name),
            "file": self.request.file,
            **found,
            "error_quantiles": summary.quantiles,
            "quantile_rank_error": RANK_ERROR,
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
    source = find_source(request.file, request.drop_columns)
    require_writable(request)
    model = ServedModel(directory)
    start = time.monotonic()
    try:
        if request.on_beam:
            from pipeline.scoring.distributed import score_distributed

            beam_args = beam_arguments(request.beam_profile or "local", request.beam_args)
            summary = score_distributed(request, model, source, beam_args, notify=_print_notice)
        else:
            summary = score_streaming(request, model, source)
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


def score_streaming(request: PredictRequest, model: ServedModel, source: Source) -> Summary:
    """Scores a file in this process, from its start to its end, and writes what was asked for.

    Raises:
        UserInputError: The file is torn or damaged, or no row of it can be scored; nothing is
            written under the names that were asked for.
    """
    output, rejects = request.output, request.rejects_path
    files = (_new_file(path) if path else None for path in (output, rejects))
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
def _new_file(path: str) -> Iterator[BinaryIO]:
    with hidden_file(Path(path)) as hidden, hidden.open("wb") as file:
        yield file


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
