"""What a prediction on a series writes: a row a sample, and a table of events."""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from data.series.findings import Findings
from pipeline.scoring.engine import CONTRIBUTION, IS_ANOMALY, P_VALUE, ServedModel
from pipeline.scoring.events import Event, moments_of
from pipeline.scoring.outputs import NewFile
from pipeline.scoring.points import Points
from pipeline.scoring.request import Format
from pipeline.scoring.tables import WriteTable, table_writer


@contextlib.contextmanager
def points_file(
    new: NewFile | None, kind: Format, model: ServedModel, findings: Findings
) -> Iterator[Callable[[Points], None]]:
    """Yields what writes points: one row a sample, in the order of the file.

    Columns: `time` as it is in the file, or `sample` int64 from 0 without times; `score` float32,
    empty if no window covers the sample; for detectors `is_anomaly` bool and `p_value` float32
    (not of a model that was pushed before it was returned), empty as the score is; `windows`
    int64; and if it was asked for `contribution` float32, the sample's mean share of the errors of
    its windows, or `contribution_CHANNEL` for each of several channels.

    Args:
        new: Opens the file; None if nobody asked for it.
        kind: Its format.
        model: The version that scores.
        findings: Of the series, with the names of its channels once there are points.
    """
    if new is None:
        yield lambda points: None
        return
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(new)
        write: WriteTable | None = None

        def write_points(points: Points) -> None:
            nonlocal write
            table = _points_table(points, model, findings.channels)
            if write is None:
                write = stack.enter_context(table_writer(file, kind, table.schema))
            write(table)

        yield write_points


def _points_table(points: Points, model: ServedModel, channels: Sequence[str]) -> pa.Table:
    moment = "sample" if points.samples.stamps is None else "time"
    uncovered = points.windows == 0
    columns = {
        moment: pa.array(moments_of(points)),
        "score": pa.array(points.score, mask=uncovered),
    }
    if model.is_detector:
        columns[IS_ANOMALY] = pa.array(points.above, mask=uncovered)
    if model.has_p_value:
        columns[P_VALUE] = pa.array(model.p_values(points.score), mask=uncovered)
    columns["windows"] = pa.array(points.windows)
    if points.contribution is not None:
        count = points.contribution.shape[1]
        names = [f"{CONTRIBUTION}_{name}" for name in channels] if count > 1 else [CONTRIBUTION]
        for name, shares in zip(names, points.contribution.T, strict=True):
            columns[name] = pa.array(shares, mask=uncovered)
    return pa.table(columns)


@contextlib.contextmanager
def events_file(new: NewFile | None, kind: Format) -> Iterator[Callable[[Iterable[Event]], int]]:
    """Yields what writes events and returns how many: one row each, with the fields of `Event`."""
    if new is None:
        yield lambda events: sum(1 for _ in events)
        return
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(new)
        write: WriteTable | None = None

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
