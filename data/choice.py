"""Which data a run reads: all files of a folder, or a window of the spans in it."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from data.facts import DataFacts, SpanFacts
from data.sources import DataSource
from data.spans.digests import FileDigests
from data.spans.files import PICTURE_SUFFIXES, patterns_of, splits_of
from data.spans.folder import DataFolder, with_patterns
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
) -> RunData:
    """Chooses the files to read and digests exactly these.

    Args:
        config: The pipeline.
        source: Where its files lie.
        past: Runs of the same output folder, newest first, of which some refused a span.

    Raises:
        UserInputError: The folder's spans are not named alike, or one lacks a file; a file cannot
            be read, or is a copy of another.
    """
    folder = DataFolder(str(source.directory), splits_of(source.patterns_in(config.data)))
    data = with_patterns(config.data, folder.splits)
    config = dataclasses.replace(config, data=data)
    if not folder.span_numbers and any(has_spans(pattern) for pattern in patterns_of(data)):
        raise UserInputError(
            f"{source.directory}: no file's name gives a span number for {patterns_of(data)[0]!r}; "
            "name spans by digits"
        )
    digests = FileDigests()
    refused = _refused(config, folder, digests, past) if data.skip_refused else {}
    window = folder.newest_window(
        data.window, compare_spans=config.gate.compares_spans, left_out=refused
    )
    for span in window.spans:
        for names in span.files.values():
            # Two equal pictures are as two equal rows of a file.
            tables = [name for name in names if not name.lower().endswith(PICTURE_SUFFIXES)]
            digests.refuse_copies(Path(folder.base, name) for name in tables)
    facts = _facts(source, folder, window, digests)
    fingerprint = digests.of_files(_paths(folder, window.all_spans))
    notices = folder.notices + _notices(folder, window, data.window, refused)
    if window.has_spans:
        notices += digests.copies_between_spans(_paths(folder, window.spans))
    files = dataclasses.replace(window, fingerprint=fingerprint)
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


def _paths(folder: DataFolder, spans: Iterable[ReadSpan]) -> list[Path]:
    return [Path(folder.base, name) for span in spans for name in span.names]


def _facts(
    source: DataSource, folder: DataFolder, window: ReadWindow, digests: FileDigests
) -> DataFacts:
    def facts_of(span: ReadSpan) -> SpanFacts:
        sha256 = digests.of_files(_paths(folder, [span]))
        return SpanFacts(span.number, span.name, span.version, sha256)

    paths = _paths(folder, window.spans)
    return DataFacts(
        source=source.source,
        directory=str(source.directory),
        sha256=digests.of_files(paths),
        files=len(paths),
        bytes=sum(path.stat().st_size for path in paths),
        spans=[facts_of(span) for span in window.spans] if window.has_spans else [],
        previous_span=facts_of(window.previous) if window.previous else None,
    )


def _refused(
    config: PipelineConfig, folder: DataFolder, digests: FileDigests, past: Sequence[PastRun]
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
        if _is_refusal(run_of_span, _paths(folder, [span]), digests):
            refused[number] = (span.name, run_of_span)
    return refused


def _is_refusal(run: PastRun, paths: Sequence[Path], digests: FileDigests) -> bool:
    assert run.data is not None, "it has spans"
    if run.data.spans[-1].sha256 != digests.of_files(paths):
        return False
    # A failed run counts if it blames one of the span's files, not if a disk was full.
    return run.status == "data_refused" or any(str(path) in run.reasons[0] for path in paths)
