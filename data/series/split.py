"""Which windows of long series are trained on and which are kept for eval.

Windows may overlap, and samples beside each other are alike. So a split is by blocks of time or by
whole files, never by drawing windows: a model would be judged on samples that it has seen.
"""

import dataclasses
import hashlib
from collections.abc import Collection, Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from data.series.samples import Channel
from data.series.series_file import count_samples, series_columns
from data.splits import EVAL_PARTS
from pipeline_config import SignalData, UserInputError


@dataclasses.dataclass(frozen=True)
class Share:
    """Which windows of one file belong to which split; the others belong to none.

    Attributes:
        train_end: Windows are trained on that end at this sample or before.
        eval_start: Windows are kept for eval that start at this sample or behind it.
    """

    train_end: int
    eval_start: int

    def mask(
        self, split: Literal["train", "eval"], starts: npt.NDArray[np.int64], length: int
    ) -> npt.NDArray[np.bool_]:
        """Returns bool [n]: which windows belong to a split.

        Args:
            split: Which.
            starts: int64 [n]; index of each window's first sample in the file.
            length: Samples a window.
        """
        if split == "train":
            return starts + length <= self.train_end
        return starts >= self.eval_start


class Survey(NamedTuple):
    """What a split needs of a file: how many samples it has, and what its channels are."""

    path: str
    samples: int
    channels: tuple[Channel, ...]


def survey(path: str, data: SignalData) -> Survey:
    """Looks at a file without reading its samples; the lines of a text are counted.

    Raises:
        UserInputError: The file is no such series, or is shorter than one window.
    """
    found = Survey(path, count_samples(path, data), series_columns(path, data).names)
    if found.samples < data.length:
        raise UserInputError(
            f"{path}: {found.samples} samples, fewer than one window of "
            f"data.length={data.length}: --set data.length=N with fewer, or take the file out"
        )
    return found


def shares_of(files: Sequence[Survey], data: SignalData, base: str) -> dict[str, Share]:
    """Returns the share of each file, by its path.

    Args:
        files: All that are read; one or more.
        data: How they are split.
        base: Folder that their names count from.

    Raises:
        UserInputError: Two files have different channels, or `data.split` is "file" and there is
            one alone.
    """
    first, *others = sorted(files)
    for other in others:
        _require_same_channels(first, other)
    samples = {file.path: file.samples for file in files}
    if data.split_by == "file":
        return split_by_file(samples, {path: path.removeprefix(f"{base}/") for path in samples})
    return split_by_time(samples, data.length)


def split_by_time(samples: Mapping[str, int], length: int) -> dict[str, Share]:
    """Keeps the last fifth of each file for eval, with a gap of one window before it.

    Each file has its own eval part, so that a file stays where it is while a window of spans
    rolls on, and whether files follow each other in time does not matter.

    Args:
        samples: How many samples each file has.
        length: Samples a window.

    >>> split_by_time({"a.csv": 1000}, length=50)
    {'a.csv': Share(train_end=750, eval_start=800)}
    """
    starts = {path: count - count // EVAL_PARTS for path, count in samples.items()}
    return {path: Share(start - length, start) for path, start in starts.items()}


def split_by_file(samples: Mapping[str, int], names: Mapping[str, str]) -> dict[str, Share]:
    """Keeps about one file of five for eval, chosen by a hash of its name; at least one.

    Args:
        samples: How many samples each file has.
        names: Name of each file below the data folder, so that a copy of it is split alike.

    Raises:
        UserInputError: There is one file alone.
    """
    if len(samples) < 2:
        (path,) = samples
        raise UserInputError(
            f"{path}: the only file, but data.split=file keeps whole files for eval: "
            "give more files, or --set data.split=time"
        )
    kept = _chosen({path: names[path] for path in samples})
    return {
        path: Share(-1, 0) if path in kept else Share(count, count)
        for path, count in samples.items()
    }


def require_windows(count: int, split: str, data: SignalData, base: str) -> None:
    """Checks that a split has a window.

    Args:
        count: Windows that it has.
        split: Its name.
        data: How files are split.
        base: Their folder, for the message.

    Raises:
        UserInputError: It has none.
    """
    if count:
        return
    size = f"data.length={data.length}"
    if data.split_by == "file":
        raise UserInputError(
            f"{base}: no window of {size} samples without a gap is left for {split} by "
            "data.split=file: give more or longer files, or --set data.length=N with fewer samples"
        )
    where = "the last fifth of a file" if split == "eval" else "a file before its eval part"
    raise UserInputError(
        f"{base}: no window is left for {split}: {where} has no {size} samples without a gap"
        f"{' (one window between the two parts is left out)' if split == 'train' else ''}: give "
        "longer files, --set data.length=N with fewer samples, or several files with "
        "--set data.split=file"
    )


def _require_same_channels(first: Survey, other: Survey) -> None:
    found, expected = (
        [channel.name or str(channel.column) for channel in file.channels]
        for file in (other, first)
    )
    # A file without a header only has places.
    is_named = all(channel.name for file in (first, other) for channel in file.channels)
    if is_named and found != expected:
        raise UserInputError(
            f"{other.path}: the channels are {', '.join(found)}, but in {first.path} "
            f"{', '.join(expected)}: give files with the same columns in the same order, or name "
            f"those to read: --set data.channel={','.join(expected)}"
        )


def _chosen(names: Mapping[str, str]) -> Collection[str]:
    digests = {
        path: int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest())
        for path, name in names.items()
    }
    in_order = sorted(digests, key=lambda path: (digests[path], path))
    drawn = {path for path in in_order if digests[path] % EVAL_PARTS == 0}
    if not drawn:
        return {in_order[0]}
    return drawn if len(drawn) < len(names) else drawn - {in_order[-1]}
