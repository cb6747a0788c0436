"""Which windows of long series are trained on, held out of the training and kept for eval.

Windows may overlap, and samples beside each other are alike. So a split is by blocks of time or by
whole files, never by drawing windows: a model would be judged on samples that it has seen.
"""

import dataclasses
import hashlib
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from data.series.samples import Channel
from data.series.series_file import count_samples, series_columns
from data.splits import EVAL_PARTS, held_out_draw
from pipeline_config import CALIBRATION_SPLIT, SPLITS, SignalData, UserInputError


@dataclasses.dataclass(frozen=True)
class Share:
    """Which windows of one file belong to which split; the others belong to none.

    Attributes:
        train_end: Windows are trained on that end at this sample or before.
        eval_start: Windows are kept for eval that start at this sample or behind it.
        held_out: Windows are held out that lie from the first of these samples to before the last.
    """

    train_end: int
    eval_start: int
    held_out: tuple[int, int] = (0, 0)

    def mask(self, split: str, starts: npt.NDArray[np.int64], length: int) -> npt.NDArray[np.bool_]:
        """Returns bool [n]: which windows belong to a split.

        Args:
            split: One of `data.splits`.
            starts: int64 [n]; index of each window's first sample in the file.
            length: Samples a window.
        """
        if split == SPLITS[0]:
            return starts + length <= self.train_end
        if split == CALIBRATION_SPLIT:
            first, end = self.held_out
            return (starts >= first) & (starts + length <= end)
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
        UserInputError: Two files have different channels, or `data.split` is "file" and there are
            too few.
    """
    first, *others = sorted(files)
    for other in others:
        _require_same_channels(first, other)
    samples = {file.path: file.samples for file in files}
    if data.split_by == "file":
        names = {path: path.removeprefix(f"{base}/") for path in samples}
        return split_by_file(samples, names, data.held_out)
    return split_by_time(samples, data.length, data.held_out)


def split_by_time(
    samples: Mapping[str, int], length: int, held_out: float = 0.0
) -> dict[str, Share]:
    """Keeps the last fifth of each file for eval, with a gap of one window before it.

    The last part of what is before the gap is held out, with a gap of one window before it too.

    Each file has its own eval part, so that a file stays where it is while a window of spans
    rolls on, and whether files follow each other in time does not matter.

    Args:
        samples: How many samples each file has.
        length: Samples a window.
        held_out: Share of what is before the first gap that is held out.

    >>> split_by_time({"a.csv": 1000}, length=50)
    {'a.csv': Share(train_end=750, eval_start=800, held_out=(0, 0))}
    >>> split_by_time({"a.csv": 1000}, length=50, held_out=0.2)
    {'a.csv': Share(train_end=550, eval_start=800, held_out=(600, 750))}
    """
    shares = {}
    for path, count in samples.items():
        eval_start = count - count // EVAL_PARTS
        end = eval_start - length
        shares[path] = Share(end, eval_start)
        if held_out:
            first = end - int(max(end, 0) * held_out)
            shares[path] = Share(first - length, eval_start, (first, end))
    return shares


def split_by_file(
    samples: Mapping[str, int], names: Mapping[str, str], held_out: float = 0.0
) -> dict[str, Share]:
    """Keeps about one file of five for eval, chosen by a hash of its name; at least one.

    Of the others, some are held out in the same way if `held_out` is not 0.

    Args:
        samples: How many samples each file has.
        names: Name of each file below the data folder, so that a copy of it is split alike.
        held_out: Share of the files to train on that is held out.

    Raises:
        UserInputError: There are too few for a file in each split.
    """
    if len(samples) < 2:
        (path,) = samples
        raise UserInputError(
            f"{path}: the only file, but data.split=file keeps whole files for eval: "
            "give more files, or --set data.split=time"
        )
    kept = _chosen({path: names[path] for path in samples})
    shares = {
        path: Share(-1, 0) if path in kept else Share(count, count)
        for path, count in samples.items()
    }
    if held_out:
        others = {path: names[path] for path in samples if path not in kept}
        if len(others) < 2:
            raise UserInputError(
                f"{min(others)}: the only file to train on, as data.split=file keeps {len(kept)} "
                f"for eval, but data.held_out={held_out:g} holds out another: give more files, or "
                "--set data.split=time"
            )
        shares |= {
            path: Share(-1, samples[path], (0, samples[path]))
            for path in _held_out(others, held_out)
        }
    return shares


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
    where = {
        "train": "a file before its eval part",
        CALIBRATION_SPLIT: f"the part of a file that data.held_out={data.held_out:g} holds out",
        "eval": "the last fifth of a file",
    }[split]
    if split == "train" and data.held_out:
        where = f"a file before the part that data.held_out={data.held_out:g} holds out"
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


def _held_out(names: Mapping[str, str], share: float) -> Collection[str]:
    draws = {path: held_out_draw(name) for path, name in names.items()}
    in_order = sorted(draws, key=lambda path: (draws[path], path))
    drawn = [path for path in in_order if draws[path] < share]
    return drawn[: len(names) - 1] or in_order[:1]


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
