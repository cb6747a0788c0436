"""What a reader makes of a file, put together for a test."""

from pathlib import Path

import numpy as np
import pytest

from data.formats.example_file import find_example_file
from data.formats.rows import Block, accepted
from data.formats.signal_file import read_signals
from pipeline_config import SignalData, UserInputError

SMALL = 300
"""Bytes a block: several blocks even of a small file."""


def read(path: Path, data: SignalData, block_bytes: int = SMALL) -> Block:
    """Reads a file to train on, as one block."""
    return _together([*accepted(read_signals(str(path), data, block_bytes))])


def score(
    path: Path, data: SignalData, first: int = 0, stop: int | None = None, block_bytes: int = SMALL
) -> Block:
    """Reads a file to score, or some rows of it, as one block."""
    found = find_example_file(str(path), data, scoring=True)
    assert found is not None
    return _together([*found.read(first, stop, block_bytes)])


def refusal(path: Path, data: SignalData) -> str:
    """Returns why a file is not trained on: one line, with the file's name without its folder."""
    with pytest.raises(UserInputError) as raised:
        read(path, data)
    message = str(raised.value)
    assert "\n" not in message
    return message.replace(f"{path.parent}/", "")


def _together(blocks: list[Block]) -> Block:
    rows = [block.rows for block in blocks]
    classes = [part.classes for part in rows if part.classes is not None]
    assert len(classes) in (0, len(rows))
    joined = type(rows[0])(
        np.concatenate([part.numbers for part in rows]),
        np.concatenate([part.values for part in rows]),
        np.concatenate([part.labels for part in rows]),
        np.concatenate(classes) if classes else None,
    )
    assert joined.values.dtype == np.float32
    rejected = tuple(row for block in blocks for row in block.rejected)
    return Block(blocks[0].path, joined, rejected)
