"""`aepipe run`: one pipeline after another, from raw data to an outcome."""

import contextlib
import dataclasses
import logging
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from rich.console import Console

from data.checksum import files_sha256, matching_files
from data.patterns import patterns_of
from data.sources import DataSource, resolve
from pipeline import failures
from pipeline.home import DATA_CACHE, Home, new_run_id, unwritable
from pipeline.log_capture import logs_to_file
from pipeline.outcome import DataFacts, RunOutcome, Status, write_outcome
from pipeline.settings import configured
from pipeline.terminal import TerminalListener, print_header, print_notice, print_outcome
from pipeline_config import PipelineConfig, UserInputError

LOG_FILE = "log.txt"

LOCAL_BEAM_ARGS = ("--runner=FnApiRunner", "--sdk_container_image=none")
"""In this process. Beam's default, DirectRunner, first tries to download a runner of its own.

Unless told how workers get their packages, TFX builds a source archive of itself for each Beam
stage, 5 s each and left behind in the temporary folder. Workers in this process need none; naming
an image, which nothing here starts, is how TFX is told so.
"""


@dataclasses.dataclass(frozen=True)
class RunRequest:
    """What the command line asked for.

    Attributes:
        names: Pipelines, in order.
        home: Output folder.
        data_dir: Folder of raw data, or None to look for it.
        settings: `section.name=value` each.
        cache: Whether TFX may take a stage's result from an earlier run.
        rerun_from: Stage that runs again with all that follows it.
        beam_args: Options for Beam's pipelines.
        verbose: Show the log on the terminal.
    """

    names: tuple[str, ...]
    home: Path
    data_dir: Path | None = None
    settings: tuple[str, ...] = ()
    cache: bool = True
    rerun_from: str | None = None
    beam_args: tuple[str, ...] = ()
    verbose: bool = False


def run_pipelines(request: RunRequest, human_output: TextIO) -> list[RunOutcome]:
    """Runs the named pipelines one after another; a refused one does not stop the next.

    Args:
        request: What to run.
        human_output: Where the lines for a person go, standard output or standard error.

    Returns:
        One outcome a pipeline.

    Raises:
        UserInputError: A setting is unknown or wrong; nothing was run.
    """
    configs = configured(request.names, request.settings)
    return [_run_one(config, request, human_output) for config in configs]


def _run_one(config: PipelineConfig, request: RunRequest, human_output: TextIO) -> RunOutcome:
    run_id = new_run_id(config.name)
    home = Home(request.home.absolute())
    try:
        home.prepare(config)
        with home.lock(config.name):
            return _run_locked(config, request, home, run_id, human_output)
    except UserInputError as error:
        return _failed(config, run_id, str(error))


def _run_locked(
    config: PipelineConfig, request: RunRequest, home: Home, run_id: str, human_output: TextIO
) -> RunOutcome:
    directory = home.runs / run_id
    log = directory / LOG_FILE
    for_people = "output" if human_output is sys.stdout else "error"
    with logs_to_file(log, verbose=request.verbose) as streams:
        console = Console(file=getattr(streams, for_people))
        print_header(console, config)
        outcome = dataclasses.replace(
            _run_and_classify(config, request, home, run_id, console), log=str(log)
        )
        if outcome.status != "failed":
            outcome = _with_report(outcome, config, home)
            print_outcome(console, outcome)
    # Where the disk is full, that is the failure, and it has been told.
    tolerated = (
        contextlib.suppress(OSError) if outcome.status == "failed" else contextlib.nullcontext()
    )
    with tolerated:
        write_outcome(outcome, directory)
    return outcome


def _with_report(outcome: RunOutcome, config: PipelineConfig, home: Home) -> RunOutcome:
    """Writes the HTML report; one that fails is told of, but is not worth a whole run."""
    from pipeline.lineage import open_store
    from pipeline.report.page import write_report

    try:
        store = open_store(str(home.metadata_path(config.name)))
        report = write_report(outcome, config, store, home.runs / outcome.run_id)
    except Exception:
        logging.exception("no report of run %s", outcome.run_id)
        notice = f"no report could be written: see {outcome.log}"
        return dataclasses.replace(outcome, notices=[*outcome.notices, notice])
    return dataclasses.replace(outcome, report=str(report))


def _run_and_classify(
    config: PipelineConfig, request: RunRequest, home: Home, run_id: str, console: Console
) -> RunOutcome:
    """Runs a pipeline; a user's mistake and a refusal become outcomes, a bug is raised."""
    facts: DataFacts | None = None
    listener = TerminalListener(console)
    start = time.monotonic()
    try:
        source = resolve(
            config, data_dir=request.data_dir, environ=os.environ, cache_dir=DATA_CACHE
        )
        facts = _facts(config, source)
        if source.notice:
            print_notice(console, source.notice)
        console.print(f"  data: {source.source}, {source.directory}", soft_wrap=True)
        outcome = _execute(config, request, home, run_id, facts, listener, console)
        notices = [source.notice, *outcome.notices] if source.notice else outcome.notices
        return dataclasses.replace(outcome, notices=notices)
    except Exception as error:
        status, reason = _classify(error, home)
        seconds = listener.seconds | {"total": round(time.monotonic() - start, 3)}
        return RunOutcome(
            pipeline=config.name,
            run_id=run_id,
            status=status,
            data=facts,
            reasons=[reason],
            seconds=seconds,
            cached=listener.cached,
        )


def _classify(error: Exception, home: Home) -> tuple[Status, str]:
    """Returns status and reason of a refusal or a user's mistake; raises a bug again."""
    if refusal := failures.gate_refusal(error):
        return "data_refused", refusal
    if mistake := failures.user_mistake(error):
        return "failed", mistake
    if disk := failures.full_disk(error):
        return "failed", unwritable(home.root, disk)
    raise error


def _failed(config: PipelineConfig, run_id: str, reason: str) -> RunOutcome:
    return RunOutcome(pipeline=config.name, run_id=run_id, status="failed", reasons=[reason])


def _execute(
    config: PipelineConfig,
    request: RunRequest,
    home: Home,
    run_id: str,
    facts: DataFacts,
    listener: TerminalListener,
    console: Console,
) -> RunOutcome:
    if "tensorflow" not in sys.modules:
        console.print("  [dim]loading TensorFlow and TFX …[/]")
    # The models are Keras 3 on TensorFlow, whatever a user's own Keras settings say.
    os.environ["KERAS_BACKEND"] = "tensorflow"
    from pipeline.build import build_pipeline
    from pipeline.collect import collect_outcome, mark_abandoned
    from pipeline.runners.local import ObservedLocalDagRunner

    start = time.monotonic()
    metadata_path = home.metadata_path(config.name)
    mark_abandoned(metadata_path)
    tfx_pipeline = build_pipeline(
        config,
        data_directory=facts.directory,
        data_sha256=facts.sha256,
        home=home,
        beam_args=beam_arguments(request.beam_args),
        cache=request.cache,
    )
    ObservedLocalDagRunner(
        run_id=run_id,
        connection=tfx_pipeline.metadata_connection_config,
        listener=listener,
        rerun_from=request.rerun_from,
    ).run(tfx_pipeline)
    seconds = listener.seconds | {"total": round(time.monotonic() - start, 3)}
    return collect_outcome(config, home, run_id, facts, seconds=seconds, cached=listener.cached)


def beam_arguments(extra: Sequence[str]) -> list[str]:
    """Returns Beam's options: in this process, unless `extra` names another runner."""
    if any(argument.startswith("--runner") for argument in extra):
        return list(extra)
    return [*LOCAL_BEAM_ARGS, *extra]


def _facts(config: PipelineConfig, source: DataSource) -> DataFacts:
    files = matching_files(source.directory, patterns_of(config.data))
    return DataFacts(
        source=source.source, directory=str(source.directory), sha256=files_sha256(files)
    )
