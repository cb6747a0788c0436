"""Files of another format that a folder holds instead of the ones that are read by default."""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence

from data.spans.files import FileSystem, matching_names, splits_of
from data.spans.names import files_by_span, has_spans
from pipeline_config import ImageData, SignalData, UserInputError

_GZIPPED_TEXT = (".tsv", ".txt", ".data", ".ts", ".arff")
_AS_THEY_ARE = (".npy", ".npz", ".parquet", ".hea")

_PICTURE = "*.{png,jpg,jpeg}"
_EVAL = "{test,eval,val}"

Splits = Mapping[str, str]
"""File pattern by input split of an ExampleGen; see `data.spans.files.splits_of`."""

Listed = Callable[[str], Sequence[str]]
"""Returns the names that a pattern matches in one folder."""


def listing(base: str, files: FileSystem) -> Listed:
    """Returns `matching_names` of a folder that looks only once for each pattern."""
    return functools.cache(lambda pattern: tuple(matching_names(base, pattern, files)))


def _both(pattern: str) -> Splits:
    return {"train": pattern, "eval": pattern}


_SIGNALS: Mapping[str, tuple[Splits, ...]] = {
    **{suffix: ({"all": f"*{suffix}{{,.gz}}"},) for suffix in _GZIPPED_TEXT},
    **{suffix: ({"all": f"*{suffix}"},) for suffix in _AS_THEY_ARE},
}
_IMAGES: Mapping[str, tuple[Splits, ...]] = {
    ".npz": (_both("*.npz"),),
    ".csv": (
        {"train": "*train*.csv{,.gz}", "eval": f"*{_EVAL}*.csv{{,.gz}}"},
        _both("*.csv{,.gz}"),
    ),
    "picture": (
        {"train": f"train/*/{_PICTURE}", "eval": f"{_EVAL}/*/{_PICTURE}"},
        _both(f"*/{_PICTURE}"),
    ),
}
"""Patterns by format; of several, the first that matches for each split counts."""

_SPLIT_FOLDERS = frozenset({"train", "test", "eval", "val"})


@dataclasses.dataclass(frozen=True)
class FoundSplits:
    """What is read of a folder.

    Attributes:
        splits: File pattern by input split, as it counts in this folder.
        notice: One line that the user must see if these are not the patterns of the config.
    """

    splits: Splits
    notice: str | None = None


def find_splits(base: str, splits: Splits, listed: Listed) -> FoundSplits:
    """Returns the patterns of a config, or those of the one other format that a folder holds.

    Only if nothing matches the default patterns is another format looked for, in span folders too.

    Args:
        base: The folder, or a remote prefix.
        splits: The config's patterns; those in span folders have the folder in front.
        listed: From `listing` of the folder.

    Raises:
        UserInputError: A folder cannot be read, or there are files of several other formats.
    """
    defaults = _defaults(splits)
    if defaults is None:
        return FoundSplits(splits)
    folder = next(iter(splits.values())).removesuffix(next(iter(defaults.values())))
    if {split: folder + pattern for split, pattern in defaults.items()} != dict(splits):
        return FoundSplits(splits)
    if any(_has_files(listed, pattern) for pattern in splits.values()):
        return FoundSplits(splits)
    formats = _SIGNALS if "all" in splits else _IMAGES
    found = {
        name: patterns
        for name, variants in formats.items()
        if (patterns := _first_matching(folder, variants, listed))
    }
    if formats is _IMAGES and found.keys() <= {"picture"}:
        _require_class_folders(base, folder, listed)
    if not found:
        return FoundSplits(splits)
    read_by_default = " and ".join(repr(pattern) for pattern in defaults.values())
    if len(found) > 1:
        named = " and ".join([", ".join(list(found)[:-1]), list(found)[-1]])
        raise UserInputError(
            f"{base}: no file matches {read_by_default}, but there are {named} files: choose one "
            f"format, such as {_as_settings(next(iter(found.values())))}"
        )
    ((name, patterns),) = found.items()
    return FoundSplits(
        {split: folder + pattern for split, pattern in patterns.items()},
        f"{base}: no file matches {read_by_default}, so the {name} files are read"
        f"{_split_by_content(patterns)}, as with {_as_settings(patterns)}",
    )


def _defaults(splits: Splits) -> Splits | None:
    """Returns the default patterns of the data that have these input splits."""
    for data in (SignalData(), ImageData()):
        defaults = splits_of(data)
        if defaults.keys() == splits.keys():
            return defaults
    return None


def _first_matching(folder: str, variants: tuple[Splits, ...], listed: Listed) -> Splits | None:
    for patterns in variants:
        if all(_has_files(listed, folder + pattern) for pattern in patterns.values()):
            return patterns
    return None


def _has_files(listed: Listed, pattern: str) -> bool:
    names = listed(pattern)
    return bool(files_by_span(pattern, names) if has_spans(pattern) else names)


def _as_settings(patterns: Splits) -> str:
    settings = {"all": "data.pattern", "train": "data.train_pattern", "eval": "data.eval_pattern"}
    return " ".join(f"--set '{settings[split]}={patterns[split]}'" for split in patterns)


def _split_by_content(patterns: Splits) -> str:
    is_one_set = patterns in (_both(f"*/{_PICTURE}"), _both("*.csv{,.gz}"))
    return ", split 80/20 by their content" if is_one_set else ""


def _require_class_folders(base: str, folder: str, listed: Listed) -> None:
    """Raises UserInputError if pictures lie elsewhere than in one sub-folder a class."""
    loose = [*listed(folder + _PICTURE)]
    for name in listed(f"{folder}*/{_PICTURE}"):
        if name.split("/")[-2] in _SPLIT_FOLDERS:
            loose.append(name)
    if loose:
        raise UserInputError(
            f"{base}/{loose[0]}: the picture lies in no folder of a class: put each class into a "
            f"folder of its own, such as {folder}CLASS/1.png, or {folder}train/CLASS/1.png and "
            f"{folder}test/CLASS/1.png"
        )
    train = listed(f"{folder}train/*/{_PICTURE}")
    held_out = listed(f"{folder}{_EVAL}/*/{_PICTURE}")
    if bool(train) != bool(held_out):
        there = (train or held_out)[0].split("/")[-3]
        raise UserInputError(
            f"{base}/{folder}{there}: there is no folder {'test' if train else 'train'} with "
            "pictures beside it: add one, or put the folders of the classes one level higher, to "
            "split them 80/20"
        )
