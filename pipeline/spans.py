"""Which data a run reads: all files of a folder, or a window of the spans in it."""

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path

from data.checksum import FileDigests, files_sha256
from data.copies import copies_between_spans, refuse_copies
from data.patterns import patterns_of, splits_of
from data.sources import DataSource
from data.spans import DataFolder, with_span_folders
from data.window import ReadSpan, ReadWindow
from pipeline.run.outcome import DataFacts, RunOutcome, SpanFacts
from pipeline_config import PipelineConfig, UserInputError
from span_patterns import SpanWindow, has_spans, rolling_window, without_excluded


@dataclasses.dataclass(frozen=True)
class RunData:
    """What a run reads.

    Attributes:
        config: The pipeline, with file patterns as they count in this folder.
        facts: Folder, checksum, number and size of the files, and spans.
        files: The files themselves.
        window: The spans; None if the folder has none.
        excluded: Spans that are left out.
        notices: What a reader has to know of it.
    """

    config: PipelineConfig
    facts: DataFacts
    files: ReadWindow
    window: SpanWindow | None = None
    excluded: frozenset[int] = frozenset()
    notices: tuple[str, ...] = ()


def choose_data(
    config: PipelineConfig,
    source: DataSource,
    past: Sequence[RunOutcome],
    digests: FileDigests | None = None,
) -> RunData:
    """Chooses the files to read and digests exactly these.

    Args:
        config: The pipeline.
        source: Where its files lie.
        past: Runs of the same output folder, newest first; the source of what was refused.
        digests: Those of files that were read before.

    Raises:
        UserInputError: The folder's spans are not named alike, or one lacks a file; a file cannot
            be read, or is a copy of another.
    """
    data = with_span_folders(config.data, source.directory)
    config = dataclasses.replace(config, data=data)
    folder = DataFolder(str(source.directory), splits_of(data))
    digested = _DigestedFolder(source.directory, digests or FileDigests())
    if folder.span_numbers:
        return _choose_window(config, source, folder, digested, past)
    patterns = patterns_of(data)
    if any(has_spans(pattern) for pattern in patterns):
        raise UserInputError(
            f"{source.directory}: no file's name gives a span number for {patterns[0]!r}; "
            "name spans by digits"
        )
    everything = folder.everything()
    digested.refuse_copies(everything)
    facts = digested.facts(source, [everything])
    notice = f"data.window={data.window}, but there are no spans in {source.directory}"
    return RunData(
        config,
        facts,
        ReadWindow((everything,), None, facts.sha256),
        notices=(notice,) if data.window > 1 else (),
    )


def _choose_window(
    config: PipelineConfig,
    source: DataSource,
    folder: DataFolder,
    digested: "_DigestedFolder",
    past: Sequence[RunOutcome],
) -> RunData:
    data, numbers = config.data, folder.span_numbers
    refused = _refused(config, folder, digested, past) if data.skip_refused else {}
    window = rolling_window(without_excluded(numbers, refused), data.window)
    assert window is not None, "there is a span"
    spans = [folder.span(number) for number in window.spans]
    previous = (
        folder.span(window.previous)
        if window.previous is not None and config.gate.compares_spans
        else None
    )
    for span in spans:
        digested.refuse_copies(span)
    facts = dataclasses.replace(
        digested.facts(source, spans),
        spans=[digested.facts_of(span) for span in spans],
        previous_span=digested.facts_of(previous) if previous else None,
    )
    notices = [
        f"span {name} is left out: run {run.run_id} refused it; "
        "to read it all the same: --set data.skip_refused=false"
        for name, run in refused.values()
    ]
    if len(spans) < data.window:
        named = ", ".join(span.name for span in spans)
        notices.append(f"data.window={data.window}, but only {len(spans)} to read: span {named}")
    notices += digested.copies_between(spans)
    fingerprint = digested.sha256([*spans, *([previous] if previous else [])])
    files = ReadWindow(tuple(spans), previous, fingerprint)
    return RunData(config, facts, files, window, frozenset(refused), tuple(notices))


@dataclasses.dataclass(frozen=True)
class _DigestedFolder:
    """A data folder whose files are each read once."""

    directory: Path
    digests: FileDigests

    def paths(self, spans: Iterable[ReadSpan]) -> list[Path]:
        return [self.directory / name for span in spans for name in span.names]

    def sha256(self, spans: Iterable[ReadSpan]) -> str:
        return files_sha256(self.paths(spans), self.digests)

    def facts_of(self, span: ReadSpan) -> SpanFacts:
        return SpanFacts(span.number, span.name, span.version, self.sha256([span]))

    def facts(self, source: DataSource, spans: Sequence[ReadSpan]) -> DataFacts:
        paths = self.paths(spans)
        return DataFacts(
            source=source.source,
            directory=str(source.directory),
            sha256=files_sha256(paths, self.digests),
            files=len(paths),
            bytes=sum(path.stat().st_size for path in paths),
        )

    def refuse_copies(self, span: ReadSpan) -> None:
        for names in span.files.values():
            refuse_copies([self.directory / name for name in names], self.digests)

    def copies_between(self, spans: Sequence[ReadSpan]) -> list[str]:
        return copies_between_spans([self.paths([span]) for span in spans], self.digests)


def _refused(
    config: PipelineConfig,
    folder: DataFolder,
    digested: _DigestedFolder,
    past: Sequence[RunOutcome],
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
    for number in folder.span_numbers[:-1]:
        run_of_span = last_run.get(number)
        if run_of_span is None or run_of_span.status not in ("data_refused", "failed"):
            continue
        span = folder.span(number)
        if _is_refusal(run_of_span, span, digested):
            refused[number] = (span.name, run_of_span)
    return refused


def _is_refusal(run: RunOutcome, span: ReadSpan, digested: _DigestedFolder) -> bool:
    assert run.data is not None, "it has spans"
    if run.data.spans[-1].sha256 != digested.sha256([span]):
        return False
    # A failed run counts if it blames one of the span's files, not if a disk was full.
    paths = digested.paths([span])
    return run.status == "data_refused" or any(str(path) in run.reasons[0] for path in paths)
