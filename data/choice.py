"""Which data a run reads: all files of a folder, or a window of the spans in it."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from data.facts import DataFacts, SpanFacts
from data.sources import DataSource
from data.spans.digests import FileDigests, copies_between_spans, files_sha256, refuse_copies
from data.spans.files import patterns_of, splits_of
from data.spans.folder import DataFolder, with_span_folders
from data.spans.names import has_spans
from data.spans.window import ReadSpan, ReadWindow
from pipeline_config import PipelineConfig, UserInputError


class PastRun(Protocol):
    """What counts of an earlier run; see `pipeline.run.outcome.RunOutcome`."""

    @property
    def pipeline(self) -> str:
        """Name of the pipeline."""

    @property
    def run_id(self) -> str:
        """Name of the run."""

    @property
    def status(self) -> str:
        """How it ended."""

    @property
    def data(self) -> DataFacts | None:
        """Which data it read."""

    @property
    def reasons(self) -> Sequence[str]:
        """A sentence for each reason of a refusal or failure."""


@dataclasses.dataclass(frozen=True)
class RunData:
    """What a run reads.

    Attributes:
        config: The pipeline, with file patterns as they count in this folder.
        facts: Folder, checksum, number and size of the files, and spans.
        files: The files themselves; their fingerprint is of their contents.
        notices: What a reader has to know of it.
    """

    config: PipelineConfig
    facts: DataFacts
    files: ReadWindow
    notices: tuple[str, ...] = ()


def choose_data(
    config: PipelineConfig,
    source: DataSource,
    past: Sequence[PastRun],
    digests: FileDigests | None = None,
) -> RunData:
    """Chooses the files to read and digests exactly these.

    Args:
        config: The pipeline.
        source: Where its files lie.
        past: Runs of the same output folder, newest first, of which some refused a span.
        digests: Those of files that were read before.

    Raises:
        UserInputError: The folder's spans are not named alike, or one lacks a file; a file cannot
            be read, or is a copy of another.
    """
    data = with_span_folders(config.data, source.directory)
    config = dataclasses.replace(config, data=data)
    folder = DataFolder(str(source.directory), splits_of(data))
    if not folder.span_numbers and any(has_spans(pattern) for pattern in patterns_of(data)):
        raise UserInputError(
            f"{source.directory}: no file's name gives a span number for {patterns_of(data)[0]!r}; "
            "name spans by digits"
        )
    digested = _DigestedFolder(source.directory, digests or FileDigests())
    refused = _refused(config, folder, digested, past) if data.skip_refused else {}
    window = folder.newest_window(
        data.window, compare_spans=config.gate.compares_spans, left_out=refused
    )
    for span in window.spans:
        digested.refuse_copies(span)
    facts = digested.facts(source, window)
    files = dataclasses.replace(window, fingerprint=digested.sha256(window.all_spans))
    notices = _notices(folder, window, data.window, refused)
    if window.has_spans:
        notices += digested.copies_between(window.spans)
    return RunData(config, facts, files, tuple(notices))


def _notices(
    folder: DataFolder, window: ReadWindow, size: int, refused: Mapping[int, tuple[str, PastRun]]
) -> list[str]:
    notices = [
        f"span {name} is left out: run {run.run_id} refused it; "
        "to read it all the same: --set data.skip_refused=false"
        for name, run in refused.values()
    ]
    if len(window.spans) < size and window.has_spans:
        named = ", ".join(span.name for span in window.spans)
        notices.append(f"data.window={size}, but only {len(window.spans)} to read: span {named}")
    elif len(window.spans) < size:
        notices.append(f"data.window={size}, but there are no spans in {folder.base}")
    return notices


@dataclasses.dataclass(frozen=True)
class _DigestedFolder:
    """A data folder whose files are each read once."""

    directory: Path
    digests: FileDigests

    def paths(self, spans: Iterable[ReadSpan]) -> list[Path]:
        return [self.directory / name for span in spans for name in span.names]

    def sha256(self, spans: Iterable[ReadSpan]) -> str:
        return files_sha256(self.paths(spans), self.digests)

    def facts(self, source: DataSource, window: ReadWindow) -> DataFacts:
        paths = self.paths(window.spans)
        return DataFacts(
            source=source.source,
            directory=str(source.directory),
            sha256=self.sha256(window.spans),
            files=len(paths),
            bytes=sum(path.stat().st_size for path in paths),
            spans=[self._span_facts(span) for span in window.spans] if window.has_spans else [],
            previous_span=self._span_facts(window.previous) if window.previous else None,
        )

    def _span_facts(self, span: ReadSpan) -> SpanFacts:
        return SpanFacts(span.number, span.name, span.version, self.sha256([span]))

    def refuse_copies(self, span: ReadSpan) -> None:
        for names in span.files.values():
            refuse_copies([self.directory / name for name in names], self.digests)

    def copies_between(self, spans: Sequence[ReadSpan]) -> list[str]:
        return copies_between_spans([self.paths([span]) for span in spans], self.digests)


def _refused(
    config: PipelineConfig,
    folder: DataFolder,
    digested: _DigestedFolder,
    past: Sequence[PastRun],
) -> dict[int, tuple[str, PastRun]]:
    """Returns name and run of each earlier span that was refused when it was the newest.

    The last run on it counts, and only if the span's files are the same since: what a gate
    stopped must not become what the next span is compared with or trained on.
    """
    last_run: dict[int, PastRun] = {}
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


def _is_refusal(run: PastRun, span: ReadSpan, digested: _DigestedFolder) -> bool:
    assert run.data is not None, "it has spans"
    if run.data.spans[-1].sha256 != digested.sha256([span]):
        return False
    # A failed run counts if it blames one of the span's files, not if a disk was full.
    paths = digested.paths([span])
    return run.status == "data_refused" or any(str(path) in run.reasons[0] for path in paths)
