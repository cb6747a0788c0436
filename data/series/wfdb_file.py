"""WFDB records as a series. Annotations mark beats, not samples, so they are no labels of one."""

from collections.abc import Iterator

import numpy as np

from data.formats.columns import Column
from data.formats.content import BLOCK_BYTES
from data.formats.wfdb_record import read_wfdb_header
from data.series.cells import to_samples
from data.series.columns import FIRST_ROWS, SeriesColumns
from data.series.samples import Samples
from pipeline_config import SignalData, UserInputError


class WfdbFile:
    """The signals of a record, in physical units; an invalid sample is a missing one.

    Args:
        path: The record's header, on this machine.
        data: `label` counts.
        block_bytes: Bytes of samples read at a time.

    Raises:
        UserInputError: The record is damaged, or labels are asked for.
    """

    def __init__(self, path: str, data: SignalData, block_bytes: int = BLOCK_BYTES) -> None:
        if data.is_labelled:
            raise UserInputError(
                f"{path}: the samples of a WFDB record have no labels: --set data.label=none, or "
                "cut its annotated beats with data.before and data.after in place of data.series"
            )
        self._record = read_wfdb_header(path)
        self._block_bytes = block_bytes

    def columns(self) -> list[Column]:
        """Returns the channels, with their first values as text."""
        places = range(len(self._record.channels))
        first = self._record.read(0, min(FIRST_ROWS, self.count()), list(places))
        return [
            Column(place, name.strip().lower() or None, [str(value) for value in values])
            for place, (name, values) in enumerate(
                zip(self._record.channels, first.T.tolist(), strict=True)
            )
        ]

    def count(self) -> int:
        """Returns how many samples of each channel the record has."""
        return self._record.samples

    def read(self, columns: SeriesColumns) -> Iterator[Samples]:
        """Yields the samples.

        Raises:
            UserInputError: A file of samples is not there or damaged.
        """
        size = max(1, self._block_bytes // (4 * len(columns.channels)))
        for start in range(0, self.count(), size):
            stop = min(start + size, self.count())
            # The library returns channels in their own order, whatever is asked for.
            wanted = sorted(set(columns.channels))
            found = self._record.read(start, stop, wanted)
            values = found[:, [wanted.index(place) for place in columns.channels]]
            rows = np.arange(start + 1, stop + 1, dtype=np.int64)
            yield to_samples(self._record.path, columns, start, rows, values, None, None)
