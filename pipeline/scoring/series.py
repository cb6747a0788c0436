"""Scoring a series: a score for each of its samples, and the intervals above the threshold."""

import dataclasses
from pathlib import Path
from typing import Any

from data.formats.rows import Rejected
from data.series.findings import Findings
from data.series.series_file import read_series
from pipeline.scoring.engine import ERROR, IS_ANOMALY, RANK_ERROR, ServedModel, Summary
from pipeline.scoring.events import EventFinder
from pipeline.scoring.outputs import NewFile, new_file, rejects_file
from pipeline.scoring.points import Points, PointScorer
from pipeline.scoring.request import STANDARD_INPUT, PredictRequest
from pipeline.scoring.series_outputs import events_file, points_file
from pipeline.scoring.source import require_file
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
        points_file(_named(request.output), request.kind, model, findings) as write_points,
        events_file(_named(request.events), request.events_kind) as write_events,
    ):

        def reject(rejected: Rejected) -> None:
            summary.reject(rejected)
            write_reject(rejected)

        scorer = PointScorer(model, request.batch_size, reject, contribution=request.contribution)
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
