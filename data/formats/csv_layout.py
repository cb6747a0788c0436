"""What the columns of a text file are."""

import dataclasses
import functools
import math

import numpy as np
import numpy.typing as npt

from data.formats.content import line_text
from data.formats.labels import LabelRule
from data.formats.separators import COMMA, Separator


@dataclasses.dataclass(frozen=True)
class CsvLayout:
    """What the columns of a file are.

    Attributes:
        shape: Shape of one example.
        separator: What is between the cells.
        label: Place of the label's column, from 0; None if there is none.
        labels: Numbers that a label may be; None for any whole number. Text always may.
        rule: Which classes are normal; None if labels are passed over.
        header_row: Number of the last line above the rows: the one that names the columns, or
            `@data`; 0 for none.
        header: That line, which is no row if it comes again.
        dropped: Columns that are left out, from 0, ascending.
        channels: Channels in the file, if they are not those of `shape`.
        picked: Those of them that are kept, from 0, in this order; all if empty.
        dimensions: Of a .ts file, whose channels come one after the other; 0 for other files,
            in which all channels of a sample come before the next sample.
        comment: What a line begins with that is no row.
    """

    shape: tuple[int, ...]
    separator: Separator = COMMA
    label: int | None = None
    labels: frozenset[float] | None = None
    rule: LabelRule | None = None
    header_row: int = 0
    header: bytes = b""
    dropped: tuple[int, ...] = ()
    channels: int = 0
    picked: tuple[int, ...] = ()
    dimensions: int = 0
    comment: bytes = b""

    @functools.cached_property
    def length(self) -> int:
        """Values of one example in a row, of all the channels that are in the file."""
        return self.shape[0] * self.channels if self.channels else math.prod(self.shape)

    @functools.cached_property
    def columns(self) -> int:
        """Cells a row."""
        return self.length + (self.label is not None) + len(self.dropped)

    @functools.cached_property
    def places(self) -> list[int]:
        """Columns of the values, from 0."""
        return [
            place
            for place in range(self.columns)
            if place != self.label and place not in self.dropped
        ]

    def examples(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
        """Returns float32 [n, *shape] of float64 [n, length] as they are in the file."""
        # float64 first, and rounded to float32 from there, as the tutorial's pandas does.
        found = values.astype(np.float32)
        if not self.channels and self.dimensions < 2:
            return found.reshape(-1, *self.shape)
        channels = self.channels or self.shape[1]
        if self.dimensions:
            found = found.reshape(-1, channels, self.shape[0]).transpose(0, 2, 1)
        found = found.reshape(-1, self.shape[0], channels)
        found = found[:, :, list(self.picked)] if self.picked else found
        return np.ascontiguousarray(found).reshape(-1, *self.shape)

    def text(self, line: bytes) -> str:
        """Returns a line as text whose cells are between separators.

        Raises:
            ValueError: It is no text, or a .ts file's row does not have the file's dimensions.
        """
        text = line_text(line)
        if not self.dimensions:
            return text
        return _without_colons(text, self.dimensions, has_class=self.columns > self.length)


def _without_colons(line: str, dimensions: int, *, has_class: bool) -> str:
    """Returns a row of a .ts file with commas only.

    Raises:
        ValueError: Its dimensions are not as many, or not all of one length.
    """
    parts = line.split(":")
    if len(parts) != dimensions + has_class:
        expected = f"{dimensions} dimension{'s' if dimensions > 1 else ''}"
        raise ValueError(
            f"{len(parts)} parts between colons, expected {expected}"
            f"{' and a class' if has_class else ''}: correct the row or take it out"
        )
    lengths = sorted({part.count(",") + 1 for part in parts[:dimensions]})
    if len(lengths) > 1:
        raise ValueError(
            f"dimensions of {lengths[0]} and of {lengths[-1]} values: all of a row have the same "
            "number: correct the row or take it out"
        )
    return ",".join(parts)
