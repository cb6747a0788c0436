"""The sets of signals that `detection.py` measures: their files, lengths and normal classes."""

import dataclasses
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from components.conformal import least_held_out
from data.formats.labels import class_name
from data.splits import tutorial_eval_mask
from pipeline_config import ANOMALY, DETECTOR

TRAIN_SHARE = 0.8
"""Share of the rows in the training split, by default and in the tutorial."""

RATES = (DETECTOR.evaluator.false_alarm_rate, 0.05, 0.1, 0.2)
"""False-alarm rates, the default of `detector` first; the others are for sets of few rows."""

ROBUST = ("trainer.trim=0.2",)
"""How `detector` is trained on what may hold unlabelled anomalies; see docs/detection.md."""

TUTORIAL_SET = "ecg.csv"
"""Name of the tutorial's file among the sets."""


@dataclasses.dataclass(frozen=True)
class SignalSet:
    """Labelled signals, a row each.

    Attributes:
        name: What `--sets` and `--normal` call it.
        files: All of them, whose rows are joined and split anew.
        length: Samples of a row.
        normal: The class that is normal; all others are abnormal.
        classes: Class -> rows.
        settings: What the pipelines need to read it, beside length and normal class.
    """

    name: str
    files: tuple[Path, ...]
    length: int
    normal: str
    classes: Mapping[str, int]
    settings: tuple[str, ...]

    @property
    def false_alarm_rate(self) -> float:
        """What a conformal threshold promises: the least of `RATES` for which the rows suffice.

        By the rows that there should be, less a quarter: a hash chooses them.
        """
        held_out = 0.75 * self.classes[self.normal] * TRAIN_SHARE * DETECTOR.data.held_out
        return next((rate for rate in RATES if least_held_out(rate) <= held_out), RATES[-1])

    def run_settings(self) -> tuple[str, ...]:
        """Returns what follows `--set` in `aepipe run`."""
        return (
            f"data.length={self.length}",
            f"data.normal={self.normal}",
            f"evaluator.false_alarm_rate={self.false_alarm_rate}",
            *self.settings,
        )


def find_sets(folder: Path, normal: Mapping[str, str]) -> list[SignalSet]:
    """Returns the sets of a folder in the UCR archive's form, by name.

    `NAME_TRAIN.tsv` and `NAME_TEST.tsv`, or one file, are a set: tabs, the class first.

    Args:
        folder: Where they are.
        normal: Set -> its normal class; of any other set it is the most frequent one.

    Raises:
        ValueError: There is no such file, set or class.
    """
    files = defaultdict(list)
    for path in sorted(folder.glob("*.tsv")):
        files[re.sub("_(TRAIN|TEST)$", "", path.stem)].append(path)
    if not files:
        raise ValueError(f"{folder}: there is no file *.tsv")
    if unknown := normal.keys() - files.keys():
        raise ValueError(f"{folder}: there is no set {', '.join(sorted(unknown))}")
    return [read_set(name, paths, normal.get(name)) for name, paths in files.items()]


def read_set(name: str, files: Sequence[Path], normal: str | None = None) -> SignalSet:
    """Returns one set of files with tabs and the class first.

    Raises:
        ValueError: The set has no such class.
    """
    lines = [line for path in files for line in path.read_text().splitlines()]
    classes = Counter(class_name(line.split("\t", 1)[0]) for line in lines)
    normal = normal or most_frequent(classes)
    if normal not in classes:
        raise ValueError(f"{name}: there is no class {normal}, but {', '.join(sorted(classes))}")
    length = lines[0].count("\t")
    return SignalSet(name, tuple(files), length, normal, classes, ("data.label=first",))


def most_frequent(classes: Mapping[str, int]) -> str:
    """Returns the class with the most rows, the first by name of several."""
    return min(classes, key=lambda name: (-classes[name], name))


def tutorial_set(file: Path) -> SignalSet:
    """Returns the tutorial's own file with its own split: commas, the class last, 1 = normal."""
    classes = Counter(class_name(_label(line)) for line in file.read_text().splitlines())
    data = ANOMALY.data
    return SignalSet(
        TUTORIAL_SET, (file,), data.length, data.normal[0], classes, ("data.split=tutorial",)
    )


def contaminate(lines: Sequence[str], share: float, seed: int) -> list[str]:
    """Takes the labels of some abnormal rows of the tutorial's training split away.

    What has no label is presumed normal and trained on (`data.unlabelled=train`). The split goes
    by place, so that the eval rows, and their labels, stay.

    Args:
        lines: Of the tutorial's file.
        share: Of that split's abnormal rows, 0 to 1.
        seed: Which rows are drawn.
    """
    is_normal = np.array([class_name(_label(line)) in ANOMALY.data.normal for line in lines])
    (abnormal,) = np.nonzero(~is_normal & ~tutorial_eval_mask(len(lines)))
    count = round(share * len(abnormal))
    chosen = set(np.random.default_rng(seed).choice(abnormal, count, replace=False).tolist())
    return [
        line.removesuffix(_label(line)) if place in chosen else line
        for place, line in enumerate(lines)
    ]


def contaminated_set(tutorial: SignalSet, share: float, seed: int, folder: Path) -> SignalSet:
    """Writes the tutorial's file with labels taken away; see `contaminate`."""
    (file,) = tutorial.files
    changed = folder / f"unlabelled-{share:g}-{seed}" / file.name
    changed.parent.mkdir(parents=True, exist_ok=True)
    lines = contaminate(file.read_text().splitlines(), share, seed)
    changed.write_text("\n".join(lines) + "\n")
    return dataclasses.replace(tutorial, name=changed.parent.name, files=(changed,))


def robustly_trained(of_set: SignalSet) -> SignalSet:
    """Returns the set with the settings for training data that may hold anomalies."""
    return dataclasses.replace(
        of_set, name=f"{of_set.name}-robust", settings=(*of_set.settings, *ROBUST)
    )


def chosen_sets(sets: Sequence[SignalSet], names: Iterable[str] | None) -> list[SignalSet]:
    """Returns the sets of these names, or all of them.

    Raises:
        ValueError: There is no set of a name.
    """
    if names is None:
        return list(sets)
    by_name = {one.name: one for one in sets}
    if unknown := [name for name in names if name not in by_name]:
        raise ValueError(f"there is no set {', '.join(unknown)}, but {', '.join(by_name)}")
    return [by_name[name] for name in names]


def _label(line: str) -> str:
    return line.rpartition(",")[2]
