"""Pipelines in this process, from raw data to an outcome: for `aepipe run` and `aepipe tune`."""

import contextlib
import dataclasses
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.text import Text

from data.choice import RunData
from pipeline.beam_profiles import beam_arguments, require_reachable
from pipeline.home import Home, new_run_id
from pipeline.metadata_file import require_usable
from pipeline.prune import prune_after_run
from pipeline.run.begin import begin_run, read_data, unchanged_outcome
from pipeline.run.end import end_run, notify, record_failure
from pipeline.run.failures import home_fault
from pipeline.run.history import close_killed
from pipeline.run.log import logs_to_file
from pipeline.run.outcome import RunOutcome
from pipeline.run.record import RunRecord, bug, open_record
from pipeline.run.webhook import post_outcome
from pipeline.settings import configured
from pipeline.terminal import (
    plain_console,
    print_data,
    print_header,
    print_notice,
    print_outcome,
    print_stage,
    print_stage_started,
)
from pipeline_config import PIPELINES, PipelineConfig, UserInputError


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


Work = Callable[[RunRecord, PipelineConfig, RunRequest, RunData | None, Console], None]
"""What a run does: given are its record, its pipeline, what was asked for, the data if they were
looked for already, and where the lines for a person go."""


def run_pipelines(request: RunRequest, human_output: TextIO) -> list[RunOutcome]:
    """Runs the named pipelines one after another; a refused one does not stop the next.

    Args:
        request: What to run.
        human_output: Where the lines for a person go, standard output or standard error.

    Raises:
        UserInputError: A setting or an option of Beam is unknown or wrong; nothing was run.
    """
    configs = configured(request.names, request.settings)
    require_reachable(request.home, beam_arguments(request.beam_profile, request.beam_args))
    return [run_and_notify(config, request, human_output, run_stages) for config in configs]


def run_and_notify(
    config: PipelineConfig, request: RunRequest, human_output: TextIO, work: Work
) -> RunOutcome:
    """Runs a pipeline and notifies the webhook of a bad end, also of a bug."""
    home = Home(request.home.absolute())
    begun = RunOutcome(config.name, new_run_id(config.name), "failed")
    try:
        outcome = _run(config, request, home, begun.run_id, human_output, work)
    except Exception as error:
        user_error = str(error) if isinstance(error, UserInputError) else None
        line = user_error or home_fault(error, home.root, (home.runs, home.push_root))
        outcome = dataclasses.replace(begun, reasons=[line or bug(error)])
        if line is None:
            post_outcome(outcome, config.schedule)
            raise
    printed = len(outcome.notices)
    outcome = notify(outcome, config.schedule, home)
    for notice in outcome.notices[printed:]:
        print_notice(plain_console(human_output), notice)
    return outcome


def _run(
    config: PipelineConfig,
    request: RunRequest,
    home: Home,
    run_id: str,
    human_output: TextIO,
    work: Work,
) -> RunOutcome:
    home.prepare(config)
    console = plain_console(human_output)
    with home.lock(config.name):
        require_usable(home, config.name, writing=True)
        start = time.monotonic()
        read = None
        if request.if_new_data:
            # What is wrong with the data, the run itself reports, in its folder.
            with contextlib.suppress(UserInputError):
                read = read_data(config, home, request.data_dir)
        if read and (unchanged := unchanged_outcome(read, home)):
            seconds = {"total": round(time.monotonic() - start, 3)}
            unchanged = dataclasses.replace(unchanged, seconds=seconds)
            print_header(console, config)
            print_outcome(console, unchanged)
            return unchanged
        with open_record(home, config.name, run_id) as record:
            close_killed(home)
            _run_logged(record, config, request, read, human_output, work)
        if failure := prune_after_run(record.outcome, config, home):
            print_notice(console, failure)
            record.add_notice(failure)
        return record.outcome


def _run_logged(
    record: RunRecord,
    config: PipelineConfig,
    request: RunRequest,
    read: RunData | None,
    human_output: TextIO,
    work: Work,
) -> None:
    start = time.monotonic()
    with logs_to_file(record.log, verbose=request.verbose, shown=human_output) as shown:
        console = plain_console(shown)
        print_header(console, config)
        try:
            work(record, config, request, read, console)
        except Exception as error:
            record_failure(record, "run", error)
        outcome = end_run(record, config, total_seconds=time.monotonic() - start)
        if outcome.status != "failed":
            print_outcome(console, outcome)


def run_stages(
    record: RunRecord,
    config: PipelineConfig,
    request: RunRequest,
    read: RunData | None,
    console: Console,
    last: str | None = None,
) -> None:
    """Runs the stages of a pipeline, or takes them from the cache, up to the stage `last`."""
    read = read or read_data(config, record.home, request.data_dir)
    _print_data(console, read)
    stages = begin_run(
        record,
        read,
        beam_args=beam_arguments(request.beam_profile, request.beam_args),
        cache=request.cache,
        rerun_from=request.rerun_from,
    )
    from pipeline.run.stage import run_stage

    for stage in stages[: stages.index(last) + 1 if last else None]:
        print_stage_started(console, stage)
        run_stage(record, stage)
        _print_stage(console, record, stage)


def _print_data(console: Console, read: RunData) -> None:
    for notice in read.notices:
        print_notice(console, notice)
    print_data(console, read.facts)
    if "tensorflow" not in sys.modules:
        console.print(Text("  loading TensorFlow and TFX …", "dim"))


def _print_stage(console: Console, record: RunRecord, stage: str) -> None:
    outcome = record.outcome
    print_stage(console, stage, outcome.seconds[stage], cached=stage in outcome.cached)
    if stage == "ExampleGen":
        from pipeline.run.collect import ingestion_notices

        for notice in ingestion_notices(record.home, outcome.pipeline, outcome.run_id):
            print_notice(console, notice)
    if stage == "DataGate" and PIPELINES[outcome.pipeline].is_detector:
        from pipeline.run.collect import class_counts

        # Before training: labels that are the wrong way round are seen here.
        counts, notices = class_counts(record.home, outcome.pipeline, outcome.run_id)
        console.print(f"  {counts}", soft_wrap=True)
        for notice in notices:
            print_notice(console, notice)
