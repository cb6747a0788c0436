"""What the files of a run hold, found by reading them once as the run would."""

import array
import collections
import dataclasses
import functools
import math
from typing import Any

import numpy as np
import numpy.typing as npt

from data.choice import RunData
from data.formats.file_facts import FileFacts, file_facts
from data.formats.rows import Block, Rows
from data.run_blocks import read_blocks
from data.series.findings import Findings
from data.spans.files import splits_of
from data.splits import (
    EVAL_PARTS,
    example_id,
    is_eval,
    is_eval_image,
    is_held_out,
    tutorial_eval_mask,
)
from data.variety import Variety, joint_variety, require_variety, variety_of
from pipeline_config import (
    ABNORMAL_LABEL,
    CALIBRATION_SPLIT,
    NORMAL_LABEL,
    SPLITS,
    UNLABELLED,
    ImageData,
    SignalData,
    UserInputError,
)

MOST_REJECTED_SHOWN = 3
"""Rejected rows of a file whose sentences are kept."""

MOST_ROWS_COMPARED = 1_000_000
"""Rows that are compared with each other; a digest of each is kept."""

LABEL_NAMES = {NORMAL_LABEL: "normal", ABNORMAL_LABEL: "abnormal", UNLABELLED: "unlabelled"}


@dataclasses.dataclass
class FileSurvey:
    """What one file holds.

    Attributes:
        facts: What it is.
        rows: Rows that are examples.
        rejected: Rows that are none.
        sentences: What is wrong with the first of these, with their place.
    """

    facts: FileFacts
    rows: int = 0
    rejected: int = 0
    sentences: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Survey:
    """What the rows of a run hold, added up block by block in constant memory.

    Attributes:
        data: What the settings say of the files.
        files: What each file holds, by its path, as far as it was read.
        classes: Rows of each class by the class's own name; of images, by its number.
        labels: Rows of each label by split; by "" if the split of a row is not known.
        least: float [channels]; the least value of each channel; None before any row.
        greatest: float [channels]; the greatest.
        series: What was found in long series.
        constant: Rows whose samples are all the same number, channel by channel.
    """

    data: SignalData | ImageData
    files: dict[str, FileSurvey] = dataclasses.field(default_factory=dict)
    classes: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    labels: dict[str, collections.Counter[int]] = dataclasses.field(default_factory=dict)
    least: npt.NDArray[np.float64] | None = None
    greatest: npt.NDArray[np.float64] | None = None
    series: Findings = dataclasses.field(default_factory=Findings)
    constant: int = 0
    _variety: Variety | None = None
    _held_out: dict[tuple[str, int], list[bool]] = dataclasses.field(default_factory=dict)
    _digests: "array.array[int]" = dataclasses.field(
        default_factory=functools.partial(array.array, "Q")
    )

    @property
    def rows(self) -> int:
        """Rows that are examples."""
        return sum(file.rows for file in self.files.values())

    @property
    def rejected(self) -> int:
        """Rows that are none."""
        return sum(file.rejected for file in self.files.values())

    @property
    def copies(self) -> int:
        """Rows with the samples and the label of another row; of the first million alone."""
        return len(self._digests) - len(np.unique(np.frombuffer(self._digests, np.uint64)))

    @property
    def splits(self) -> dict[str, int]:
        """Rows of each split, as far as that is decided by their content or file."""
        if self._is_tutorial:
            return self._tutorial_splits()
        return {name: self.labels[name].total() for name in self.data.splits if name in self.labels}

    @property
    def _is_tutorial(self) -> bool:
        return isinstance(self.data, SignalData) and self.data.split_by == "tutorial"

    def _tutorial_splits(self) -> dict[str, int]:
        kept = math.ceil(self.rows / EVAL_PARTS)
        counts = dict(zip(SPLITS, (self.rows - kept, kept), strict=True))
        if self.data.held_out:
            # In the order of files and rows, by which the rows to keep are drawn.
            flags = [flag for _, of_block in sorted(self._held_out.items()) for flag in of_block]
            out = int(np.count_nonzero(~tutorial_eval_mask(self.rows) & np.array(flags, bool)))
            counts |= {SPLITS[0]: counts[SPLITS[0]] - out, CALIBRATION_SPLIT: out}
        return {name: counts[name] for name in self.data.splits}

    @property
    def labels_by_split(self) -> dict[str, dict[str, int]]:
        """Rows of each split that are normal, abnormal and, if there are any, unlabelled."""
        return {
            split: {
                name: counts[label]
                for label, name in LABEL_NAMES.items()
                if counts[label] or label != UNLABELLED
            }
            for split, counts in self.labels.items()
        }

    @property
    def label_counts(self) -> dict[str, int]:
        """Rows that are normal, abnormal and unlabelled, as far as there are any."""
        counts: collections.Counter[str] = collections.Counter()
        for of_split in self.labels_by_split.values():
            counts.update(of_split)
        return {name: rows for name, rows in counts.items() if rows}

    def as_dict(self) -> dict[str, Any]:
        """Returns what was found as plain JSON values."""
        least, greatest = (
            [] if ends is None else [float(end) for end in ends]
            for ends in (self.least, self.greatest)
        )
        return {
            "files": [
                {"path": path, **dataclasses.asdict(file)} for path, file in self.files.items()
            ],
            "examples": self.rows,
            "rejected": self.rejected,
            "shape": list(self.data.shape),
            "classes": dict(self.classes),
            "labels": self.label_counts if self.data.marks_normal else {},
            "least": least,
            "greatest": greatest,
            "constant": self.constant,
            "copies": self.copies,
            "splits": self.splits,
            "series": self._series(),
        }

    def _series(self) -> dict[str, Any] | None:
        if not isinstance(self.data, SignalData) or not self.data.series:
            return None
        found = self.series
        return {
            "samples": found.samples,
            "step": found.step,
            "channels": list(found.channels),
            "gaps": found.gaps,
            "interpolated": found.filled,
            "left_out": found.cut,
        }

    def read(self, read: RunData) -> list[str]:
        """Reads all files of a run, and returns the sentences by which it would refuse them.

        A rejected row stops a run and not the survey; a file that cannot be read further does.
        """
        refusals: list[str] = []
        try:
            for split, block in read_blocks(read, self.series):
                refusals += self._rejected(block)[: 1 - len(refusals)]
                if len(block.rows):
                    self._add(split, block)
            if isinstance(self.data, SignalData) and self._variety is not None:
                pattern = f"{read.facts.directory}/{splits_of(self.data)['all']}"
                require_variety(self._variety, self.data, pattern)
        except UserInputError as error:
            refusals.append(str(error))
        return refusals

    def _rejected(self, block: Block) -> list[str]:
        """Counts the rows of a block, and returns a sentence for each rejected one."""
        file = self._file(block.path)
        file.rows += len(block.rows)
        file.rejected += len(block.rejected)
        sentences = [rejected.located() for rejected in block.rejected]
        file.sentences += sentences[: MOST_REJECTED_SHOWN - len(file.sentences)]
        return [f"{block.path}, {sentence}" for sentence in sentences]

    def _file(self, path: str) -> FileSurvey:
        if path not in self.files:
            self.files[path] = FileSurvey(file_facts(path, self.data))
        return self.files[path]

    def _add(self, split: str, block: Block) -> None:
        rows = block.rows
        values = rows.values.reshape(len(rows), -1, getattr(self.data, "channels", 1))
        least, greatest = values.min(axis=(0, 1)), values.max(axis=(0, 1))
        self.least = least if self.least is None else np.minimum(self.least, least)
        self.greatest = greatest if self.greatest is None else np.maximum(self.greatest, greatest)
        self.constant += int((values == values[:, :1]).all(axis=(1, 2)).sum())
        names, counts = np.unique(self._classes_of(rows), return_counts=True)
        self.classes.update(dict(zip(names.tolist(), counts.tolist(), strict=True)))
        self._add_labels(split, block)
        if isinstance(self.data, SignalData):
            variety = variety_of(rows)
            self._variety = (
                variety if self._variety is None else joint_variety([self._variety, variety])
            )

    def _classes_of(self, rows: Rows) -> npt.NDArray[np.str_]:
        if rows.classes is not None:
            return rows.classes
        is_signal = isinstance(self.data, SignalData)
        return np.full(len(rows), "") if is_signal else rows.labels.astype(np.str_)

    def _add_labels(self, split: str, block: Block) -> None:
        rows = block.rows
        is_drawn = self.data.held_out and not getattr(self.data, "series", False)
        held_out = []
        for content, label in zip(rows.values, rows.labels.tolist(), strict=True):
            name = example_id(content.tobytes(), label)
            chosen = split or self._split_of(name)
            if is_drawn:
                held_out.append(is_held_out(name, self.data.held_out))
                if chosen == SPLITS[0] and held_out[-1]:
                    chosen = CALIBRATION_SPLIT
            self.labels.setdefault(chosen, collections.Counter())[label] += 1
            if len(self._digests) < MOST_ROWS_COMPARED:
                self._digests.append(int(name[:16], 16))

        if self._is_tutorial and held_out:
            self._held_out[block.path, int(rows.numbers[0])] = held_out

    def _split_of(self, name: str) -> str:
        """Returns the split of a row by its content; "" if that does not decide."""
        if isinstance(self.data, ImageData):
            return SPLITS[is_eval_image(name)]
        return SPLITS[is_eval(name)] if self.data.split_by == "hash" else ""
