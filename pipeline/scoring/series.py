"""Scoring a series: a score for each of its samples, and the intervals above the threshold."""

import contextlib
import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from data.formats.rows import Rejected
from data.series.findings import Findings
from data.series.series_file import read_series
from pipeline.scoring.engine import ERROR, IS_ANOMALY, RANK_ERROR, ServedModel, Summary
from pipeline.scoring.events import Event, EventFinder, moments_of
from pipeline.scoring.outputs import NewFile, new_file, rejects_file
from pipeline.scoring.points import Points, PointScorer
from pipeline.scoring.request import STANDARD_INPUT, Format, PredictRequest
from pipeline.scoring.source import require_file
from pipeline.scoring.tables import table_writer
from pipeline_config import ImageData, SignalData, UserInputError


@dataclasses.dataclass
class SeriesSummary(Summary):
    """A summary of points: `examples` are samples with a score, `anomalies` those above.

    Attributes:
        points: Samples of the file.
        windows: Windows that were scored.
        events: Intervals above the threshold.
        threshold: The model's; None if it has none.
        gaps: Gaps in time, which no window spans.
        interpolated: Missing values that were filled in.
    """

    points: int = 0
    windows: int = 0
    events: int = 0
    threshold: float | None = None
    gaps: int = 0
    interpolated: int = 0

    def as_dict(self, is_detector: bool) -> dict[str, Any]:
        """Returns counts and quantiles as plain JSON values."""
        found: dict[str, Any] = {"points": self.points, "scored": self.examples}
        if is_detector:
            found["threshold"] = self.threshold
            found["anomalies"] = self.anomalies
            found["anomaly_share"] = self.anomalies / self.examples
            found["events"] = self.events
        return found | {
            "windows": self.windows,
            "gaps": self.gaps,
            "interpolated": self.interpolated,
            "score_quantiles": self.quantiles,
            "quantile_rank_error": RANK_ERROR,
        }

    def add_points(self, points: Points) -> None:
        """Adds consecutive points; those that no window covers count as points alone."""
        self.points += len(points)
        scored = points.windows > 0
        if scored.any():
            self.add({ERROR: points.score[scored], IS_ANOMALY: points.above[scored]})

    def require_scores(self, file: str, length: int) -> None:
        """Checks that a sample was scored.

        Raises:
            UserInputError: None was; the message says why.
        """
        if self.examples:
            return
        if self.rejected:
            self.require_examples(file)
        raise UserInputError(
            f"{file}: no {length} of its {self.points:,} samples follow each other without a gap, "
            f"and the model scores windows of {length}: give a longer series"
        )


def series_to_score(
    request: PredictRequest, reading: SignalData | ImageData | None
) -> SignalData | None:
    """Returns how a file is read as a series; None if the model scores rows.

    Raises:
        UserInputError: What was asked for is not for a series, or for a series only.
    """
    if not isinstance(reading, SignalData) or not reading.series:
        for option, value in (("--events", request.events), ("--step", request.step)):
            if value is not None:
                raise UserInputError(
                    f"{option}: model {request.model} scores rows, each an example of its own; "
                    f"one that was trained with data.series=true scores a series: take {option} "
                    "away"
                )
        return None
    if request.on_beam:
        raise UserInputError(
            f"model {request.model} scores a series, which is read from its start to its end in "
            "this process: take --beam-profile and --beam-arg away"
        )
    if request.reconstruction:
        raise UserInputError(
            f"--reconstruction: model {request.model} scores a series, and each of its samples "
            "lies in several windows: take it away"
        )
    if request.file == STANDARD_INPUT:
        raise UserInputError(
            "a series is looked into before it is scored, so it does not come from standard input: "
            "name a file"
        )
    require_file(request.file)
    step = request.step or min(reading.step or reading.length, reading.length)
    if step > reading.length:
        raise UserInputError(
            f"--step {step}: the windows have {reading.length} samples, so there would be samples "
            f"between them: take 1 to {reading.length}"
        )
    drop = (*reading.drop, *map(str, request.drop_columns))
    return dataclasses.replace(reading, step=step, drop=drop)


def score_series(request: PredictRequest, data: SignalData, model: ServedModel) -> SeriesSummary:
    """Scores a series in this process and writes what was asked for, in constant memory.

    Args:
        request: What was asked for.
        data: How the file is read, from `series_to_score`.
        model: The version that scores.

    Raises:
        UserInputError: The file is damaged or no such series, no window of it can be scored, or
            events were asked for and the model has no threshold; nothing is written under the
            names that were asked for.
    """
    if request.events is not None and not model.is_detector:
        raise UserInputError(
            f"--events: model {request.model} has no threshold, so nothing is above it: take "
            "--events away"
        )
    summary, findings = SeriesSummary(), Findings()
    rejects = request.rejects_path
    with (
        rejects_file(_named(rejects)) as write_reject,
        _points_file(_named(request.output), request.kind, model) as write_points,
        _events_file(_named(request.events), request.events_kind) as write_events,
    ):

        def reject(rejected: Rejected) -> None:
            summary.reject(rejected)
            write_reject(rejected)

        scorer = PointScorer(model, request.batch_size, reject)
        blocks = read_series(request.file, data, to_score=True, findings=findings, reject=reject)
        finder: EventFinder | None = None
        for points in scorer.score(blocks):
            finder = finder or EventFinder(findings.channels)
            summary.add_points(points)
            write_points(points)
            summary.events += write_events(finder.add(points))
        if finder is not None:
            summary.events += write_events(finder.finish())
        summary.windows, summary.threshold = scorer.windows, scorer.threshold
        summary.gaps, summary.interpolated = findings.gaps, findings.filled
        summary.require_scores(request.file, data.length)
    if rejects is not None and not summary.rejected:
        # It would describe a former output.
        Path(rejects).unlink(missing_ok=True)
    return summary


def _named(path: str | None) -> NewFile | None:
    return None if path is None else new_file(path)


@contextlib.contextmanager
def _points_file(new: NewFile | None, kind: Format, model: ServedModel) -> Iterator[Any]:
    """Yields what writes points: one row a sample, in the order of the file.

    Columns: `time` as it is in the file, or `sample` int64 from 0 without times; `score` float32,
    empty if no window covers the sample; for detectors `is_anomaly` bool, empty as the score is;
    `windows` int64.
    """
    if new is None:
        yield lambda points: None
        return
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(new)
        write: Any = None

        def write_points(points: Points) -> None:
            nonlocal write
            table = _points_table(points, model.is_detector)
            if write is None:
                write = stack.enter_context(table_writer(file, kind, table.schema))
            write(table)

        yield write_points


def _points_table(points: Points, is_detector: bool) -> pa.Table:
    moment = "sample" if points.samples.stamps is None else "time"
    uncovered = points.windows == 0
    columns = {
        moment: pa.array(moments_of(points)),
        "score": pa.array(points.score, mask=uncovered),
    }
    if is_detector:
        columns[IS_ANOMALY] = pa.array(points.above, mask=uncovered)
    return pa.table({**columns, "windows": pa.array(points.windows)})


@contextlib.contextmanager
def _events_file(new: NewFile | None, kind: Format) -> Iterator[Any]:
    """Yields what writes events and returns how many: one row each, with the fields of `Event`."""
    if new is None:
        yield lambda events: sum(1 for _ in events)
        return
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(new)
        write: Any = None

        def write_events(events: Iterable[Event]) -> int:
            nonlocal write
            found = list(events)
            table = _events_table(found)
            if found:
                if write is None:
                    write = stack.enter_context(table_writer(file, kind, table.schema))
                write(table)
            return len(found)

        yield write_events
        if write is None:
            # A table of no events has its header all the same.
            stack.enter_context(table_writer(file, kind, _events_table([]).schema))


def _events_table(events: Sequence[Event]) -> pa.Table:
    def moments(values: Sequence[Any]) -> pa.Array:
        return pa.array(np.array(values)) if values else pa.array([], pa.string())

    return pa.table(
        {
            "start": moments([event.start for event in events]),
            "end": moments([event.end for event in events]),
            "samples": pa.array([event.samples for event in events], pa.int64()),
            "peak_score": pa.array([event.peak_score for event in events], pa.float32()),
            "channel": pa.array([event.channel for event in events], pa.string()),
        }
    )
