"""Times of a series: how they are read, and where they leave a gap."""

import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from data.formats.columns import as_number
from data.series.findings import Findings
from data.series.samples import Samples, joined, stretches
from pipeline_config import UserInputError

_JUDGED = 1_000
"""Samples at a file's start whose median step is the usual one."""

_GAP = 1.5
_REGULAR = 0.1


def parse_times(cells: Sequence[str]) -> npt.NDArray[Any]:
    """Returns times as numbers on one axis.

    Args:
        cells: All numbers, or all ISO 8601 such as "2024-05-01 12:00:00.5+02:00"; a time without
            a zone is UTC.

    Returns:
        int64 or float64 [n]: the numbers, or nanoseconds since 1970.

    Raises:
        ValueError: A cell is neither.
    """
    import pandas as pd

    array = np.array(cells, dtype=str)
    for kind in (np.int64, np.float64):
        try:
            numbers = array.astype(kind)
        except (ValueError, OverflowError):
            continue
        if np.isfinite(numbers).all():
            return numbers
        raise ValueError("a time is not finite")
    times = pd.to_datetime(pd.Series(array), format="ISO8601", utc=True)
    if times.isna().any():
        raise ValueError("a time is missing")
    return times.to_numpy("datetime64[ns]").astype(np.int64)


def unreadable_times(stamps: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Returns whether each time cannot be read, or is of another kind than most, bool [n]."""
    if stamps.dtype.kind in "iu":
        return np.zeros(len(stamps), np.bool_)
    if stamps.dtype.kind in "Mf":
        return ~np.isfinite(stamps)
    import pandas as pd

    cells = pd.Series(stamps.astype(np.str_), dtype=object)
    numbers = pd.to_numeric(cells, errors="coerce").to_numpy(np.float64)
    unreadable = ~np.isfinite(numbers)
    if unreadable.mean() > 0.5:
        times = pd.to_datetime(cells, format="ISO8601", utc=True, errors="coerce")
        unreadable = times.isna().to_numpy()
    return unreadable


def split_at_gaps(blocks: Iterable[Samples], findings: Findings) -> Iterator[Samples]:
    """Yields samples in runs without a gap in time, each numbered.

    A gap is a step of more than 1.5 times the usual one, which is the median of the steps between
    the first 1,000 samples of the file. A series without times has none.

    Raises:
        UserInputError: Two samples have the same time, or time runs backwards.
    """
    blocks = iter(blocks)
    start: list[Samples] = []
    while sum(map(len, start)) < _JUDGED and (block := next(blocks, None)) is not None:
        start.append(block)
    if not start:
        return
    first = joined(start)
    if first.times is None:
        yield from itertools.chain([first], blocks)
        return
    steps = np.diff(first.times[:_JUDGED])[~_beside_broken(first[:_JUDGED])]
    usual = float(np.median(steps[steps > 0])) if (steps > 0).any() else 1.0
    findings.step = findings.step or _described(usual, first)
    run, last = 0, first[:0]
    for block in itertools.chain([first], blocks):
        pair = joined([last, block])
        assert pair.times is not None, "a file has times or none"
        steps = np.diff(pair.times)
        beside = _beside_broken(pair)
        if beside.any():
            steps = np.where(beside, usual, steps)
        _require_forwards(steps, pair)
        gaps = np.flatnonzero(steps > _GAP * usual)
        _note(steps, gaps, usual, pair, findings)
        edges = gaps + 1 - len(last)
        for part in stretches(block, edges.tolist()):
            # An edge at 0: the gap lies between two blocks.
            run += part.start - block.start in edges
            yield dataclasses.replace(part, run=run)
        last = block[len(block) - 1 :]


def _beside_broken(samples: Samples) -> npt.NDArray[np.bool_]:
    """Returns whether each step leads to or from a row whose time is not known, bool [n - 1]."""
    broken = samples.is_broken
    return broken[1:] | broken[:-1]


def _require_forwards(steps: npt.NDArray[Any], pair: Samples) -> None:
    wrong = np.flatnonzero(steps <= 0)
    if not len(wrong):
        return
    assert pair.stamps is not None, "it has times"
    at = int(wrong[0])
    row, before = pair.rows[at + 1], pair.rows[at]
    stamp, earlier = pair.stamps[at + 1], pair.stamps[at]
    advice = f"or count samples alone: {pair.without_times}"
    if steps[at] == 0:
        raise UserInputError(
            f"{pair.path}, row {row}: the time {stamp} is that of row {before}, {earlier}: "
            f"take one of the two rows out, {advice}"
        )
    raise UserInputError(
        f"{pair.path}, row {row}: time runs backwards, from {earlier} in row {before} to {stamp}: "
        f"sort the rows by time, give each recording a file of its own, {advice}"
    )


def _note(
    steps: npt.NDArray[Any],
    gaps: npt.NDArray[np.int64],
    usual: float,
    pair: Samples,
    findings: Findings,
) -> None:
    assert pair.stamps is not None, "it has times"
    findings.steps += len(steps)
    findings.gaps += len(gaps)
    odd = np.abs(steps - usual) > _REGULAR * usual
    findings.irregular += int(odd.sum()) - len(gaps)
    if len(gaps) and not findings.first_gap:
        at = int(gaps[0])
        findings.first_gap = (
            f"{pair.path}, row {pair.rows[at + 1]}, from {pair.stamps[at]} to {pair.stamps[at + 1]}"
        )


def _described(step: float, samples: Samples) -> str:
    """Returns a step of time in seconds, or in the file's own unit if its times are numbers."""
    assert samples.stamps is not None, "it has times"
    first = str(samples.stamps[0])
    has_dates = samples.stamps.dtype.kind == "M" or as_number(first) is None
    return f"{step / 1e9:g} s" if has_dates else f"{step:g}"
