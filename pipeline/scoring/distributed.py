"""Scoring on Beam's workers: each reads ranges of the file and writes a part of the output."""

import contextlib
import dataclasses
import functools
import itertools
import math
import secrets
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

import apache_beam as beam
from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import GoogleCloudOptions, PipelineOptions

from components.scorer import ScoreFn
from data.formats.csv_rows import CsvLayout, parse_block
from data.formats.idx_file import IdxHeader, find_images, read_images
from data.formats.line_blocks import MAX_LINE_BYTES, LineBlock, read_line_blocks
from data.formats.raw_file import BLOCK_BYTES, unzipped
from data.formats.rows import Block
from pipeline.scoring.engine import ServedModel, score_blocks
from pipeline.scoring.outputs import OpenFile, rejects_writer, scores_writer, table_schema
from pipeline.scoring.request import STANDARD_INPUT, PredictRequest, is_remote
from pipeline.scoring.result_folder import (
    FOUND_FILE,
    finish_parts,
    found_json,
    publish_rejects,
    read_found,
    result_folder,
)
from pipeline.scoring.source import Source, open_file, read_layout
from pipeline.scoring.summary import RunningSummary, Summary
from pipeline_config import UserInputError

RANGE_BYTES = 32 << 20


@dataclasses.dataclass(frozen=True)
class FileRange:
    """A part of a file.

    Attributes:
        index: Its place among the ranges of the file.
        start: First byte of a CSV, or first item, from 0, of an IDX file.
        stop: The byte or item after the last; None for the rest, whatever its length.
        first_line: Number of the first line of a CSV that begins in it.
    """

    index: int
    start: int
    stop: int | None
    first_line: int = 1


@dataclasses.dataclass(frozen=True)
class _Work:
    """What is the same for all ranges of a file."""

    request: PredictRequest
    source: Source
    columns: CsvLayout | IdxHeader
    ranges: int
    folder: str


class _Part(NamedTuple):
    """What became of some ranges: a summary of their rows, and the files that hold them."""

    summary: RunningSummary
    files: list[str]


def score_distributed(
    request: PredictRequest,
    model_directory: str,
    model: ServedModel,
    source: Source,
    beam_args: Sequence[str],
    range_bytes: int = RANGE_BYTES,
) -> Summary:
    """Scores a file on Beam's workers and writes a folder of files, one a range, in file order.

    Args:
        request: What was asked for.
        model_directory: The version's folder, where every worker finds it.
        model: The same, loaded.
        source: The file, where every worker finds it.
        beam_args: Beam's options, with the runner among them.
        range_bytes: Bytes that a worker reads in one go.

    Raises:
        UserInputError: The file is standard input, torn or damaged, or no row of it can be scored;
            nothing is written under the names that were asked for. A worker's own is raised by
            Beam as text in another error.
    """
    if request.file == STANDARD_INPUT:
        raise UserInputError("standard input has no ranges for workers to read: name a file")
    if not is_remote(source.path):
        source = dataclasses.replace(source, path=str(Path(source.path).absolute()))
    options = PipelineOptions(list(beam_args))
    scratch = options.view_as(GoogleCloudOptions).temp_location
    columns: CsvLayout | IdxHeader
    if source.kind == "idx":
        columns = find_images(source.path, model.shape)
        ranges = cut(source, columns.shape[0], math.prod(model.shape), range_bytes)
    else:
        columns = read_layout(source, model.shape)
        ranges = cut(source, source.bytes or 0, 1, range_bytes)
    with result_folder(request.output, scratch) as folder:
        work = _Work(request, source, columns, len(ranges), folder)
        load = functools.partial(ServedModel, model_directory)
        with beam.Pipeline(options=options) as pipeline:
            # Without the reshuffle, Beam fuses the list with its readers and one worker reads all.
            parts = pipeline | "Ranges" >> beam.Create(ranges) | "Spread" >> beam.Reshuffle()
            if source.kind == "csv":
                parts = parts | "NumberLines" >> _NumberLines(source)
            _ = (
                parts
                | "Score" >> beam.ParDo(ScoreFn(load, functools.partial(_score_range, work)))
                | "Summarise" >> beam.CombineGlobally(_merged)
                | "AsJson" >> beam.Map(lambda part: found_json(*part))
                | "Write" >> beam.io.WriteToText(f"{folder}/{FOUND_FILE}", shard_name_template="")
            )
        summary, files = read_found(folder)
        summary.require_examples(source.path)
        finish_parts(folder, summary, files)
        publish_rejects(folder, request.rejects_path)
    return summary


def cut(source: Source, units: int, unit_bytes: int, range_bytes: int) -> list[FileRange]:
    """Returns ranges of about `range_bytes` that cover a file.

    Args:
        source: The file. Gzip data has no middle to start from, so it is one range.
        units: How many bytes, or items, there are.
        unit_bytes: Bytes of one of them.
        range_bytes: Bytes of a range.
    """
    if source.is_gzip:
        return [FileRange(0, 0, None)]
    step = max(1, range_bytes // unit_bytes)
    starts = range(0, max(units, 1), step)
    ends = [*starts[1:], None]
    return [
        FileRange(index, start, end)
        for index, (start, end) in enumerate(zip(starts, ends, strict=True))
    ]


def count_lines(source: Source, part: FileRange) -> int:
    """Returns how many lines of a CSV begin within a range, that is not the file's last."""
    begins_before = int(part.start == 0)
    first = max(part.start - 1, 0)
    left = (part.stop or 0) - 1 - first
    with open_file(source.path) as file:
        file.seek(first)
        count = begins_before
        while left > 0 and (data := file.read(min(left, BLOCK_BYTES))):
            count += data.count(b"\n")
            left -= len(data)
    return count


def read_lines(source: Source, part: FileRange) -> Iterator[LineBlock]:
    """Yields the lines of a CSV that begin within a range.

    Raises:
        UserInputError: See `read_line_blocks`.
    """
    with open_file(source.path) as file:
        if source.is_gzip:
            with unzipped(file, source.path) as lines:
                yield from read_line_blocks(lines, source.path)
            return
        if part.start:
            file.seek(part.start - 1)
            file.readline(MAX_LINE_BYTES)
        lines = cast(BinaryIO, _LinesUntil(file, part.stop))
        yield from read_line_blocks(lines, source.path, first_line=part.first_line)


class _LinesUntil:
    """Reads on from where a file stands, until the end of the line that reaches `stop`."""

    def __init__(self, file: BinaryIO, stop: int | None) -> None:
        self._file = file
        self._position = file.tell()
        self._stop = stop

    def read(self, size: int) -> bytes:
        if self._stop is None:
            return self._file.read(size)
        left = self._stop - self._position
        if left <= 0:
            return b""
        data = self._file.read(min(size, left))
        if len(data) == left and not data.endswith(b"\n"):
            data += self._file.readline(MAX_LINE_BYTES + 1)
        self._position += len(data)
        return data


class _NumberLines(beam.PTransform):
    """Sets `first_line` of ranges: known only once the lines of all ranges before are counted."""

    def __init__(self, source: Source) -> None:
        super().__init__()
        self._source = source

    def expand(self, ranges: beam.PCollection[FileRange]) -> beam.PCollection[FileRange]:
        first_lines = (
            ranges
            | "NotTheLast" >> beam.Filter(lambda part: part.stop is not None)
            | "CountLines"
            >> beam.Map(lambda part, file: (part.index, count_lines(file, part)), self._source)
            | "AllCounts" >> beam.combiners.ToList()
            | "FirstLines" >> beam.Map(_first_lines)
        )
        return ranges | "Number" >> beam.Map(
            lambda part, first: dataclasses.replace(part, first_line=first[part.index]),
            beam.pvalue.AsSingleton(first_lines),
        )


def _first_lines(counts: list[tuple[int, int]]) -> list[int]:
    return [*itertools.accumulate((lines for _, lines in sorted(counts)), initial=1)]


def _score_range(work: _Work, model: ServedModel, part: FileRange) -> _Part:
    """Scores a range; a retried one writes other files, and only those of one attempt count."""
    request, place = work.request, f"{part.index:05d}-of-{work.ranges:05d}"
    files: list[str] = []

    def new_file(name: str) -> OpenFile:
        @contextlib.contextmanager
        def open_new() -> Iterator[BinaryIO]:
            files.append(f"{name}.{secrets.token_hex(4)}")
            path = f"{work.folder}/{files[-1]}"
            with FileSystems.create(path, compression_type=CompressionTypes.UNCOMPRESSED) as file:
                yield file

        return open_new

    schema = table_schema(model, request.kind, reconstruction=request.reconstruction)
    scores = new_file(f"part-{place}.{request.kind}") if request.output else None
    with (
        scores_writer(scores, request.kind, schema) as write,
        rejects_writer(new_file(f"_rejects-{place}.csv")) as reject,
    ):
        blocks = _read_range(work, part)
        summary = score_blocks(blocks, model, request.batch_size, write, reject)
    return _Part(summary, files)


def _read_range(work: _Work, part: FileRange) -> Iterator[Block]:
    if isinstance(work.columns, IdxHeader):
        for block in read_images(work.columns, first=part.start, stop=part.stop):
            yield Block(block.path, block.rows.as_float32())
    else:
        for lines in read_lines(work.source, part):
            yield parse_block(lines, work.columns, work.source.path)


def _merged(parts: Iterable[_Part]) -> _Part:
    parts = list(parts)
    files = itertools.chain.from_iterable(part.files for part in parts)
    return _Part(RunningSummary.merged(part.summary for part in parts), sorted(files))
