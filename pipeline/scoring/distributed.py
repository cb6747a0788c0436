"""Scoring on Beam's workers: each reads ranges of the file and writes a part of the output."""

import dataclasses
import functools
import itertools
from collections.abc import Sequence
from pathlib import Path

import apache_beam as beam
from apache_beam.options.pipeline_options import GoogleCloudOptions, PipelineOptions

from components.scorer import ScoreFn
from data.formats.csv_layout import CsvLayout
from data.formats.example_file import ExampleFile
from pipeline.scoring.engine import ServedModel, Summary, score_blocks
from pipeline.scoring.outputs import result_files
from pipeline.scoring.request import STANDARD_INPUT, PredictRequest, is_remote
from pipeline.scoring.result_folder import (
    finish_folder,
    new_part,
    result_folder,
    save_summary,
)
from pipeline.scoring.source import (
    FileRange,
    Notify,
    Source,
    count_lines,
    cut,
    find_columns,
    read_range,
)
from pipeline_config import UserInputError

RANGE_BYTES = 32 << 20


def score_distributed(
    request: PredictRequest,
    model: ServedModel,
    source: Source,
    beam_args: Sequence[str],
    range_bytes: int = RANGE_BYTES,
    notify: Notify = lambda _: None,
) -> Summary:
    """Scores a file on Beam's workers and writes a folder of files, one a range, in file order.

    Args:
        request: What was asked for.
        model: The version that scores, in a folder where every worker finds it.
        source: The file, where every worker finds it.
        beam_args: Beam's options, with the runner among them.
        range_bytes: Bytes that a worker reads in one go.
        notify: Is called with what a person should know of rows that are left out.

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
    columns = find_columns(source, model.data)
    if not isinstance(columns, CsvLayout) and columns.notice:
        notify(columns.notice)
    ranges = cut(source, columns, range_bytes)
    with result_folder(request.output, scratch) as folder:
        load = functools.partial(ServedModel, model.directory)
        score = functools.partial(_score_range, request, source, columns, len(ranges), folder)
        with beam.Pipeline(options=options) as pipeline:
            # Without the reshuffle, Beam fuses the list with its readers and one worker reads all.
            parts = pipeline | "Ranges" >> beam.Create(ranges) | "Spread" >> beam.Reshuffle()
            if source.kind == "csv":
                parts = _number_lines(parts, source)
            _ = (
                parts
                | "Score" >> beam.ParDo(ScoreFn(load, score))
                | "Summarise" >> beam.CombineGlobally(Summary.merged)
                | "SaveSummary" >> beam.Map(save_summary, folder)
            )
        return finish_folder(folder, source.path, request.rejects_path)


def _number_lines(
    ranges: beam.PCollection[FileRange], source: Source
) -> beam.PCollection[FileRange]:
    """Sets `first_line`: known only once the lines of all ranges before are counted."""
    first_lines = (
        ranges
        | "NotTheLast" >> beam.Filter(lambda part: part.stop is not None)
        | "CountLines" >> beam.Map(lambda part: (part.index, count_lines(source, part)))
        | "AllCounts" >> beam.combiners.ToList()
        | "FirstLines" >> beam.Map(_first_lines)
    )
    return ranges | "NumberLines" >> beam.Map(
        lambda part, first: dataclasses.replace(part, first_line=first[part.index]),
        beam.pvalue.AsSingleton(first_lines),
    )


def _first_lines(counts: list[tuple[int, int]]) -> list[int]:
    return [*itertools.accumulate((lines for _, lines in sorted(counts)), initial=1)]


def _score_range(
    request: PredictRequest,
    source: Source,
    columns: CsvLayout | ExampleFile,
    ranges: int,
    folder: str,
    model: ServedModel,
    part: FileRange,
) -> Summary:
    place = f"{part.index:05d}-of-{ranges:05d}"
    scores = new_part(folder, f"part-{place}.{request.kind}") if request.output else None
    rejects = new_part(folder, f"_rejects-{place}.csv")
    with result_files(request, model, scores, rejects) as (write, reject):
        blocks = read_range(source, columns, part)
        return score_blocks(blocks, model, request.batch_size, write, reject)
