"""Which data a run reads: all files of a folder, or a window of the spans in it."""

import dataclasses
from collections.abc import Sequence

from data.checksum import files_sha256, matching_files
from data.patterns import patterns_of
from data.sources import DataSource
from data.spans import SpanFiles, span_files, span_numbers, with_span_folders
from pipeline.outcome import DataFacts, RunOutcome, SpanFacts
from pipeline_config import PipelineConfig, UserInputError
from span_patterns import SpanWindow, has_spans, rolling_window, without_excluded


@dataclasses.dataclass(frozen=True)
class RunData:
    """What a run reads.

    Attributes:
        config: The pipeline, with file patterns as they count in this folder.
        facts: Folder, checksum and spans.
        window: The spans; None where the folder has none.
        excluded: Spans that are left out.
        notices: What a reader has to know of it.
    """

    config: PipelineConfig
    facts: DataFacts
    window: SpanWindow | None = None
    excluded: frozenset[int] = frozenset()
    notices: tuple[str, ...] = ()


def choose_data(config: PipelineConfig, source: DataSource, past: Sequence[RunOutcome]) -> RunData:
    """Chooses the files to read and digests exactly these.

    Args:
        config: The pipeline.
        source: Where its files lie.
        past: Runs of the same output folder, newest first; the source of what was refused.

    Raises:
        UserInputError: The folder's spans are not named alike, or one lacks a file.
    """
    data = with_span_folders(config.data, source.directory)
    config = dataclasses.replace(config, data=data)
    numbers = span_numbers(source.directory, data)
    if numbers:
        return _choose_window(config, source, numbers, past)
    patterns = patterns_of(data)
    if any(has_spans(pattern) for pattern in patterns):
        raise UserInputError(
            f"{source.directory}: no file's name gives a span number for {patterns[0]!r}; "
            "name spans by digits"
        )
    files = matching_files(source.directory, patterns)
    facts = DataFacts(source.source, str(source.directory), files_sha256(files))
    notice = f"data.window={data.window}, but there are no spans in {source.directory}"
    return RunData(config, facts, notices=(notice,) if data.window > 1 else ())


def _choose_window(
    config: PipelineConfig, source: DataSource, numbers: list[int], past: Sequence[RunOutcome]
) -> RunData:
    data = config.data
    refused = _refused(config, source, numbers[:-1], past) if data.skip_refused else {}
    window = rolling_window(without_excluded(numbers, refused), data.window)
    assert window is not None, "there is a span"
    spans = [span_files(source.directory, data, number) for number in window.spans]
    previous = (
        span_files(source.directory, data, window.previous)
        if window.previous is not None and config.gate.compares_spans
        else None
    )
    facts = DataFacts(
        source=source.source,
        directory=str(source.directory),
        sha256=files_sha256([file for span in spans for file in span.files]),
        spans=[_facts_of(span) for span in spans],
        previous_span=_facts_of(previous) if previous else None,
    )
    notices = [
        f"span {name} is left out: run {run.run_id} refused it; "
        "to read it all the same: --set data.skip_refused=false"
        for name, run in refused.values()
    ]
    if len(spans) < data.window:
        named = ", ".join(span.span.name for span in spans)
        notices.append(f"data.window={data.window}, but only {len(spans)} to read: span {named}")
    return RunData(config, facts, window, frozenset(refused), tuple(notices))


def _facts_of(found: SpanFiles) -> SpanFacts:
    span = found.span
    return SpanFacts(span.number, span.name, span.version, files_sha256(found.files))


def _refused(
    config: PipelineConfig, source: DataSource, numbers: list[int], past: Sequence[RunOutcome]
) -> dict[int, tuple[str, RunOutcome]]:
    """Returns name and run of each earlier span that was refused when it was the newest.

    The last run on it counts, and only if the span's files are the same since: what a gate
    stopped must not become what the next span is compared with or trained on.
    """
    last_run: dict[int, RunOutcome] = {}
    for run in past:
        if run.pipeline == config.name and run.data and run.data.spans:
            last_run.setdefault(run.data.spans[-1].number, run)
    refused = {}
    for number in numbers:
        run_of_span = last_run.get(number)
        if run_of_span is None or run_of_span.status not in ("data_refused", "failed"):
            continue
        found = span_files(source.directory, config.data, number)
        if _is_refusal(run_of_span, found):
            refused[number] = (found.span.name, run_of_span)
    return refused


def _is_refusal(run: RunOutcome, found: SpanFiles) -> bool:
    assert run.data is not None, "it has spans"
    if run.data.spans[-1].sha256 != files_sha256(found.files):
        return False
    # A failed run counts where it blames one of the span's files, not where a disk was full.
    return run.status == "data_refused" or any(str(file) in run.reasons[0] for file in found.files)
