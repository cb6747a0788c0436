"""Rows of samples that come as an array: as float32, without the rows that hold no number."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from data.formats.csv_rows import values_as_text
from data.formats.rows import Rejected
from pipeline_config import SignalData

_MISSING = "is a missing value: fill it in or take the row out"
_TOO_LARGE = "is not a finite float32: correct it or take the row out"


def as_float32(values: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Returns numbers of any type as float32, those that are too large for it as infinity."""
    with np.errstate(over="ignore", invalid="ignore"):
        return values.astype(np.float32)


def finite_rows(
    values: npt.NDArray[np.float32],
    numbers: npt.NDArray[np.int64],
    channels: Sequence[str] = (),
    firsts: npt.NDArray[np.int64] | None = None,
) -> tuple[npt.NDArray[np.bool_], list[Rejected]]:
    """Returns which rows hold finite samples alone, and why the others are rejected.

    Args:
        values: [n, length] or [n, length, channels].
        numbers: Of the rows in their file, [n].
        channels: Names of the channels; by default they are counted from 1.
        firsts: Number of each row's first sample, [n]; 1 by default, in each row.
    """
    is_finite = np.isfinite(values)
    if is_finite.all():
        return np.ones(len(values), np.bool_), []
    good = np.asarray(is_finite.reshape(len(values), -1).all(axis=1))
    rejected = []
    for index in np.flatnonzero(~good):
        place = tuple(np.argwhere(~is_finite[index])[0].tolist())
        sample = _sample(1 if firsts is None else int(firsts[index]), place, channels)
        value = values[index][place]
        reason = _MISSING if math.isnan(value) else _TOO_LARGE
        text = values_as_text(values[index])
        rejected.append(Rejected(int(numbers[index]), f"{sample}: '{value}' {reason}", text))
    return good, rejected


def shape_fault(found: tuple[int, ...], data: SignalData, *, scoring: bool) -> str | None:
    """Returns what is wrong with the shape of each example of a file, as the end of a sentence.

    Args:
        found: (length,) or (length, channels).
        data: What is configured, or the model's.
        scoring: Whether a model is given, which no setting changes.

    Returns:
        Such as "each row has 187 samples, but data.length=140: --set data.length=187"; None if the
        shape is the configured one.
    """
    length, channels = (*found, 1)[:2]
    if (length, channels) == (data.length, data.channels):
        return None
    several = channels > 1 or data.channels > 1
    rows = f"each row has {_counted(length, channels if several else 1)}"
    if scoring:
        wanted = _counted(data.length, data.channels if several else 1)
        return f"{rows}, but the model takes {wanted}: name the model that goes with this file"
    configured = f"data.length={data.length}"
    if several:
        configured += f" and data.channels={data.channels}"
    if length < 2:
        return f"{rows}, but {configured}: give 2 or more samples a row"
    if (channels, length) == (data.length, data.channels):
        return (
            f"{rows}, but {configured}: swap the two dimensions (numpy.moveaxis(x, 1, 2)), as "
            "samples come before channels"
        )
    remedy = [f"--set data.length={length}"] if length != data.length else []
    if channels != data.channels:
        remedy.append(f"--set data.channels={channels}")
    return f"{rows}, but {configured}: {' '.join(remedy)}"


def _counted(length: int, channels: int) -> str:
    samples = f"{length} {'sample' if length == 1 else 'samples'}"
    return samples if channels == 1 else f"{samples} of {channels} channels"


def _sample(first: int, place: tuple[int, ...], channels: Sequence[str]) -> str:
    sample, channel = (*place, 0)[:2]
    number = f"sample {first + sample}"
    if channels:
        return f"{number} of channel {channels[channel]}"
    return number if len(place) == 1 else f"{number} of channel {channel + 1}"
