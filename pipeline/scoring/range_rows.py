"""The rows of a file as a PCollection, read range by range on Beam's workers."""

import itertools
import math
from collections.abc import Iterator
from typing import Any

import apache_beam as beam

from data.formats.csv_rows import CsvLayout, parse_block
from data.formats.idx_file import IdxHeader, find_images, read_images
from pipeline.scoring.file_ranges import FileRange, count_lines, cut, read_lines
from pipeline.scoring.source import Source, read_layout

REJECTED = "rejected"
ROWS = "rows"


class ReadRanges(beam.PTransform):
    """Pipeline -> blocks of `Rows`, and `Rejected` rows under the name `REJECTED`.

    Args:
        source: The file, where every worker finds it.
        shape: Shape of one example.
        range_bytes: Bytes that a worker reads in one go.

    Raises:
        UserInputError: The file's start is not what the model takes.
    """

    def __init__(self, source: Source, shape: tuple[int, ...], range_bytes: int) -> None:
        super().__init__()
        self._source = source
        if source.kind == "idx":
            self._header = find_images(source.path, shape)
            units, unit_bytes = self._header.shape[0], math.prod(shape)
        else:
            self._layout = read_layout(source, shape)
            units, unit_bytes = source.bytes or 0, 1
        self._ranges = cut(source, units, unit_bytes, range_bytes)

    def expand(self, pipeline: beam.Pipeline) -> Any:
        """Returns the two collections in a dict, by name."""
        ranges = (
            pipeline
            | "Ranges" >> beam.Create(self._ranges)
            # Without this, Beam fuses the list with its readers and one worker reads all.
            | "SpreadRanges" >> beam.Reshuffle()
        )
        read = self._read_idx(ranges) if self._source.kind == "idx" else self._read_csv(ranges)
        rows = read[ROWS]
        if self._source.is_gzip:
            rows = rows | "SpreadRows" >> beam.Reshuffle()
        return {ROWS: rows, REJECTED: read[REJECTED]}

    def _read_idx(self, ranges: beam.PCollection[FileRange]) -> Any:
        return ranges | "ReadImages" >> beam.ParDo(_ReadImages(self._header)).with_outputs(
            REJECTED, main=ROWS
        )

    def _read_csv(self, ranges: beam.PCollection[FileRange]) -> Any:
        # A range's first row has a number only once all the ranges before it are counted.
        first_lines = (
            ranges
            | "NotTheLast" >> beam.Filter(lambda part: part.stop is not None)
            | "CountLines" >> beam.Map(lambda part, source: _counted(source, part), self._source)
            | "AllCounts" >> beam.combiners.ToList()
            | "FirstLines" >> beam.Map(_first_lines)
        )
        return ranges | "ReadLines" >> beam.ParDo(
            _ReadLines(self._source, self._layout), beam.pvalue.AsSingleton(first_lines)
        ).with_outputs(REJECTED, main=ROWS)


class _ReadImages(beam.DoFn):
    def __init__(self, header: IdxHeader) -> None:
        self._header = header

    def process(self, part: FileRange) -> Iterator[Any]:
        for block in read_images(self._header, first=part.start, stop=part.stop):
            yield block.rows.as_float32()


class _ReadLines(beam.DoFn):
    def __init__(self, source: Source, layout: CsvLayout) -> None:
        self._source = source
        self._layout = layout

    def process(self, part: FileRange, first_lines: list[int]) -> Iterator[Any]:
        for block in read_lines(self._source, part, first_lines[part.index]):
            parsed = parse_block(block, self._layout, self._source.path)
            for row in parsed.rejected:
                yield beam.pvalue.TaggedOutput(REJECTED, row)
            if len(parsed.rows):
                yield parsed.rows


def _counted(source: Source, part: FileRange) -> tuple[int, int]:
    return part.index, count_lines(source, part)


def _first_lines(counts: list[tuple[int, int]]) -> list[int]:
    """Returns the number of the first line of each range."""
    return [*itertools.accumulate((lines for _, lines in sorted(counts)), initial=1)]
