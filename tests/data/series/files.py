"""Writes small series, and reads windows back."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from data.series.findings import Findings
from data.series.series_file import read_series
from pipeline_config import SignalData


@dataclasses.dataclass(frozen=True)
class Cut:
    """The windows of a file."""

    numbers: list[int]
    values: npt.NDArray[np.float32]
    labels: list[int]
    classes: list[str]
    notices: list[str]
    samples: int


def settings(**changes: Any) -> SignalData:
    return SignalData(**{"series": True, "length": 4, "label": "none", **changes})


def cut(path: Path, block_bytes: int = 1 << 20, to_score: bool = False, **changes: Any) -> Cut:
    """Reads a file as a series; keyword arguments are `SignalData`'s."""
    data, findings = settings(**changes), Findings()
    blocks = list(
        read_series(str(path), data, to_score=to_score, findings=findings, block_bytes=block_bytes)
    )
    windows = [block.windows for block in blocks]
    classes = [rows.classes for rows in windows if rows.classes is not None]
    return Cut(
        [number for rows in windows for number in rows.numbers.tolist()],
        np.concatenate([rows.values for rows in windows]),
        [label for rows in windows for label in rows.labels.tolist()],
        [name for names in classes for name in names.tolist()],
        findings.notices(),
        sum(len(block.samples) for block in blocks),
    )


def log(folder: Path, lines: Sequence[str], name: str = "a.csv") -> Path:
    path = folder / name
    path.write_text("\n".join(lines) + "\n")
    return path


def clock(second: int) -> str:
    """A time of day, as ISO text."""
    return f"2026-01-01T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"
