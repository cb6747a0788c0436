"""`aepipe run`: one pipeline after another, from raw data to an outcome."""

import contextlib
import dataclasses
import logging
import os
import sys
import time
from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.text import Text

from data.choice import RunData, choose_data
from data.sources import DataSource, resolve
from data.spans.digests import FileDigests
from pipeline.beam_profiles import beam_arguments, require_reachable
from pipeline.environment import home_fault
from pipeline.home import DATA_CACHE, Home, new_run_id, unwritable
from pipeline.metadata_file import find_fault, held_by_another, require_usable
from pipeline.prune import prune_after_run
from pipeline.run import failures
from pipeline.run.begin import inputs_sha256, standing_result
from pipeline.run.history import past_runs
from pipeline.run.log import logs_to_file
from pipeline.run.outcome import RunOutcome, Status, write_outcome
from pipeline.run.record import open_record, pushed_outcome, settle_records
from pipeline.run.webhook import post_outcome
from pipeline.settings import configured
from pipeline.terminal import (
    TerminalListener,
    plain_console,
    print_data,
    print_header,
    print_notice,
    print_outcome,
)
from pipeline_config import PipelineConfig, UserInputError

LOG_FILE = "log.txt"


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
        beam_profile: Where Beam's pipelines run; one of `beam_profiles.PROFILES`.
        beam_args: Options for Beam's pipelines, beside the profile's.
        if_new_data: Run nothing if neither data, settings nor code have changed since the last
            run that came to a verdict.
        verbose: Show the log on the terminal.
    """

    names: tuple[str, ...]
    home: Path
    data_dir: Path | None = None
    settings: tuple[str, ...] = ()
    cache: bool = True
    rerun_from: str | None = None
    beam_profile: str = "local"
    beam_args: tuple[str, ...] = ()
    if_new_data: bool = False
    verbose: bool = False


def run_pipelines(request: RunRequest, human_output: TextIO) -> list[RunOutcome]:
    """Runs the named pipelines one after another; a refused one does not stop the next.

    Args:
        request: What to run.
        human_output: Where the lines for a person go, standard output or standard error.

    Returns:
        One outcome a pipeline.

    Raises:
        UserInputError: A setting or an option of Beam is unknown or wrong; nothing was run.
    """
    configs = configured(request.names, request.settings)
    require_reachable(request.home, beam_arguments(request.beam_profile, request.beam_args))
    return [_run_one(config, request, human_output) for config in configs]


def _run_one(config: PipelineConfig, request: RunRequest, human_output: TextIO) -> RunOutcome:
    """Runs a pipeline and notifies the webhook of a bad end, also of a bug."""
    run_id = new_run_id(config.name)
    try:
        outcome = _run_at_home(config, request, run_id, human_output)
    except Exception as error:
        post_outcome(_failed(config, run_id, _bug(error)), config.schedule)
        raise
    untold = post_outcome(outcome, config.schedule)
    if untold is None:
        return outcome
    print_notice(plain_console(human_output), untold)
    outcome = dataclasses.replace(outcome, notices=[*outcome.notices, untold])
    if outcome.log:
        with contextlib.suppress(OSError):
            write_outcome(outcome, Path(outcome.log).parent)
    return outcome


def _run_at_home(
    config: PipelineConfig, request: RunRequest, run_id: str, human_output: TextIO
) -> RunOutcome:
    home = Home(request.home.absolute())
    try:
        home.prepare(config)
        with home.lock(config.name):
            require_usable(home, config.name, writing=True)
            digests = FileDigests()
            standing = (
                standing_outcome(config, request, home, digests) if request.if_new_data else None
            )
            if standing:
                console = plain_console(human_output)
                print_header(console, config)
                print_outcome(console, standing)
                return standing
            outcome = _run_locked(config, request, home, run_id, human_output, digests)
            untidy = prune_after_run(outcome, config, home)
            if untidy is None:
                return outcome
            print_notice(plain_console(human_output), untidy)
            return dataclasses.replace(outcome, notices=[*outcome.notices, untidy])
    except UserInputError as error:
        return _failed(config, run_id, str(error))
    except Exception as error:
        if line := home_fault(error, home.root, (home.runs, home.push_root)):
            return _failed(config, run_id, line)
        raise


def standing_outcome(
    config: PipelineConfig, request: RunRequest, home: Home, digests: FileDigests | None = None
) -> RunOutcome | None:
    """Returns the outcome of a run with no new data, or None if there is something to run.

    Args:
        config: The pipeline.
        request: What was asked for.
        home: Output folder.
        digests: Takes the digests of the files, for the run that may follow.
    """
    start = time.monotonic()
    try:
        read = read_data(config, request, home, digests)
    except UserInputError:
        # The run itself reports it, in its folder.
        return None
    last = standing_result(read.config, inputs_sha256(read.config, read.facts), past_runs(home))
    if last is None:
        return None
    ended = f"{last.status}: {last.reasons[0]}" if last.reasons else last.status
    return dataclasses.replace(
        last,
        status="no new data",
        reasons=[f"nothing has changed since run {last.run_id}, which ended with {ended}"],
        notices=[],
        seconds={"total": round(time.monotonic() - start, 3)},
        cached=[],
    )


def _run_locked(
    config: PipelineConfig,
    request: RunRequest,
    home: Home,
    run_id: str,
    human_output: TextIO,
    digests: FileDigests,
) -> RunOutcome:
    log = home.runs / run_id / LOG_FILE
    opened = RunOutcome(pipeline=config.name, run_id=run_id, status="interrupted", log=str(log))
    with open_record(home, opened, config.schedule) as directory:
        settle_records(home.runs, home.push_root)
        try:
            outcome = _run_logged(config, request, home, run_id, log, human_output, digests)
        except Exception as error:
            outcome = dataclasses.replace(opened, status="failed", reasons=[_bug(error)])
            with contextlib.suppress(OSError):
                write_outcome(pushed_outcome(outcome, home.push_root) or outcome, directory)
            raise
        try:
            write_outcome(outcome, directory)
        except OSError as error:
            # If the run failed, this is what of, and it has been reported.
            if outcome.status != "failed":
                notice = f"no record of the run could be written: {unwritable(home.root, error)}"
                print_notice(plain_console(human_output), notice)
                return dataclasses.replace(outcome, notices=[*outcome.notices, notice])
        return outcome


def _run_logged(
    config: PipelineConfig,
    request: RunRequest,
    home: Home,
    run_id: str,
    log: Path,
    human_output: TextIO,
    digests: FileDigests,
) -> RunOutcome:
    for_people = "output" if human_output is sys.stdout else "error"
    with logs_to_file(log, verbose=request.verbose) as streams:
        console = plain_console(getattr(streams, for_people))
        print_header(console, config)
        outcome = dataclasses.replace(
            _run_and_classify(config, request, home, run_id, console, digests), log=str(log)
        )
        if outcome.status != "failed":
            outcome = with_report(outcome, config, home)
            print_outcome(console, outcome)
    return outcome


def with_report(outcome: RunOutcome, config: PipelineConfig, home: Home) -> RunOutcome:
    """Writes the HTML report; one that fails is reported, but is not worth a whole run."""
    from pipeline.report.page import write_report
    from pipeline.run.lineage import open_store

    try:
        store = open_store(str(home.metadata_path(config.name)))
        report = write_report(outcome, config, store, home.runs / outcome.run_id)
    except Exception:
        logging.exception("no report of run %s", outcome.run_id)
        notice = f"no report could be written: see {outcome.log}"
        return dataclasses.replace(outcome, notices=[*outcome.notices, notice])
    return dataclasses.replace(outcome, report=str(report))


def _run_and_classify(
    config: PipelineConfig,
    request: RunRequest,
    home: Home,
    run_id: str,
    console: Console,
    digests: FileDigests,
) -> RunOutcome:
    """Runs a pipeline; a user's mistake and a refusal become outcomes, a bug is raised."""
    read: RunData | None = None
    inputs: str | None = None
    listener = TerminalListener(console)
    start = time.monotonic()
    try:
        source = _resolve(config, request)
        read = _choose(config, source, home, digests)
        inputs = inputs_sha256(read.config, read.facts)
        if source.notice:
            print_notice(console, source.notice)
        print_data(console, read.facts)
        outcome = _execute(read, request, home, run_id, listener, console)
    except Exception as error:
        status, reason = classify(error, home, config.name, run_id)
        seconds = listener.seconds | {"total": round(time.monotonic() - start, 3)}
        outcome = RunOutcome(
            pipeline=config.name,
            run_id=run_id,
            status=status,
            data=read.facts if read else None,
            reasons=[reason],
            seconds=seconds,
            cached=listener.cached,
        )
        outcome = pushed_outcome(outcome, home.push_root) or outcome
    notices = [*(read.notices if read else ()), *outcome.notices]
    return dataclasses.replace(outcome, notices=notices, inputs_sha256=inputs)


def read_data(
    config: PipelineConfig, request: RunRequest, home: Home, digests: FileDigests | None = None
) -> RunData:
    """Finds a pipeline's data and chooses what of it to read.

    Raises:
        UserInputError: There is none, or not as it should be.
        DownloadError: The server of the tutorial's data was reached but did not deliver.
    """
    return _choose(config, _resolve(config, request), home, digests)


def _resolve(config: PipelineConfig, request: RunRequest) -> DataSource:
    return resolve(config, data_dir=request.data_dir, environ=os.environ, cache_dir=DATA_CACHE)


def _choose(
    config: PipelineConfig, source: DataSource, home: Home, digests: FileDigests | None
) -> RunData:
    read = choose_data(config, source, past_runs(home), digests)
    if source.notice:
        return dataclasses.replace(read, notices=(source.notice, *read.notices))
    return read


def classify(
    error: Exception, home: Home, pipeline: str, run_id: str | None = None
) -> tuple[Status, str]:
    """Returns status and reason of a refusal or a user's mistake; raises a bug again."""
    if refusal := failures.gate_refusal(error):
        return "data_refused", refusal
    if mistake := failures.user_mistake(error):
        return "failed", mistake
    # MLMD has no one error for a file that was damaged or lost while it was open: of a deleted one
    # it says that it is read-only.
    own = (home.runs / run_id,) if run_id else ()
    begun = (*own, home.metadata_path(pipeline).parent, home.artifacts(pipeline))
    if all(folder.exists() for folder in (home.root, *begun)):
        fault = find_fault(home, pipeline)
        if fault is not None and fault.repairable:
            return "failed", fault.line
    else:
        fault = None
    if line := home_fault(error, home.root, (*begun, home.push_root)):
        return "failed", line
    if failures.held_database(error):
        return "failed", held_by_another(home.metadata_path(pipeline)).line
    if fault is not None:
        return "failed", fault.line
    raise error


def _bug(error: Exception) -> str:
    return f"a bug in aepipe: {type(error).__name__}: {error}"


def _failed(config: PipelineConfig, run_id: str, reason: str) -> RunOutcome:
    return RunOutcome(pipeline=config.name, run_id=run_id, status="failed", reasons=[reason])


def _execute(
    read: RunData,
    request: RunRequest,
    home: Home,
    run_id: str,
    listener: TerminalListener,
    console: Console,
) -> RunOutcome:
    if "tensorflow" not in sys.modules:
        console.print(Text("  loading TensorFlow and TFX …", "dim"))
    # The models are Keras 3 on TensorFlow, whatever a user's own Keras settings say.
    os.environ["KERAS_BACKEND"] = "tensorflow"
    from pipeline.build import build_pipeline
    from pipeline.run.cached_outputs import mark_incomplete
    from pipeline.run.collect import class_counts, collect_outcome, mark_abandoned
    from pipeline.run.stage import ObservedLocalDagRunner

    start = time.monotonic()
    config, facts = read.config, read.facts
    metadata_path = home.metadata_path(config.name)
    mark_abandoned(metadata_path)
    mark_incomplete(metadata_path)
    tfx_pipeline = build_pipeline(
        config,
        data_directory=facts.directory,
        data_sha256=facts.sha256,
        home=home,
        beam_args=beam_arguments(request.beam_profile, request.beam_args),
        cache=request.cache,
        files=read.files,
    )
    if config.is_detector:
        # Before training: labels that are the wrong way round are seen here.
        listener.after["DataGate"] = lambda: class_counts(config, home, run_id)
    ObservedLocalDagRunner(
        run_id=run_id,
        connection=tfx_pipeline.metadata_connection_config,
        listener=listener,
        rerun_from=request.rerun_from,
    ).run(tfx_pipeline)
    seconds = listener.seconds | {"total": round(time.monotonic() - start, 3)}
    return collect_outcome(config, home, run_id, facts, seconds=seconds, cached=listener.cached)
