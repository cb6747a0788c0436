"""Scoring as a Beam pipeline: ranges of the file are read, scored and written side by side."""

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
from apache_beam.ml.inference.base import KeyedModelHandler, PredictionResult, RunInference
from apache_beam.options.pipeline_options import GoogleCloudOptions, PipelineOptions

from data.formats.rows import REJECT_COLUMNS, Rejected, Rows, no_labels
from pipeline.scoring.file_ranges import RANGE_BYTES
from pipeline.scoring.paths import is_remote
from pipeline.scoring.range_rows import REJECTED, ROWS, ReadRanges
from pipeline.scoring.request import STANDARD_INPUT, Format, PredictRequest
from pipeline.scoring.request import output_format as format_of
from pipeline.scoring.scoring import Scored, without_unscorable
from pipeline.scoring.served_model import Outputs, ServedModel
from pipeline.scoring.served_model_handler import ServedModelHandler
from pipeline.scoring.shards import (
    REJECTS_FILE,
    SHARD,
    SUMMARY_FILE,
    publish_rejects,
    read_summary,
    result_folder,
    summary_json,
)
from pipeline.scoring.source import Source
from pipeline.scoring.streaming import require_examples
from pipeline.scoring.summary import REJECTS_SHOWN, Summary, SummaryFn
from pipeline.scoring.table import as_table, csv_header, csv_lines, table_schema
from pipeline_config import UserInputError

_ROWS_A_TABLE = 8_192
"""A Parquet row group, and what a worker holds before it writes."""


def score_distributed(
    request: PredictRequest,
    model_directory: str,
    model: ServedModel,
    source: Source,
    beam_args: Sequence[str],
    range_bytes: int = RANGE_BYTES,
) -> Summary:
    """Scores a file on Beam's workers and writes a folder of files.

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
    read = ReadRanges(source, model.shape, range_bytes)
    with result_folder(request.output, scratch) as folder:
        with beam.Pipeline(options=options) as pipeline:
            rows = pipeline | "ReadRanges" >> read
            scored = rows[ROWS] | "Score" >> _Score(model_directory, request.batch_size)
            rejected = (rows[REJECTED], scored[REJECTED]) | "AllRejected" >> beam.Flatten()
            if request.output:
                kind = format_of(request.output)
                schema = table_schema(model, kind, reconstruction=request.reconstruction)
                _ = scored[ROWS] | "WriteScores" >> _WriteScores(folder, kind, schema)
            _ = rejected | "WriteRejects" >> _WriteRejects(folder)
            _ = (scored[ROWS], rejected) | "Summarise" >> _Summarise(folder)
        summary = require_examples(read_summary(folder), source)
        publish_rejects(folder, request.rejects_path, summary.rejected)
    return summary


class _Score(beam.PTransform):
    """Blocks of `Rows` -> `Scored` under the name `ROWS`, and `Rejected`."""

    def __init__(self, model_directory: str, batch_size: int) -> None:
        super().__init__()
        self._handler = KeyedModelHandler(ServedModelHandler(model_directory, batch_size))

    def expand(self, rows: beam.PCollection[Rows]) -> Any:
        return (
            rows
            | "Examples" >> beam.FlatMap(_examples)
            | "RunInference" >> RunInference(self._handler)
            | "Tables" >> beam.BatchElements(_ROWS_A_TABLE, _ROWS_A_TABLE)
            | "Scored" >> beam.FlatMap(_scored).with_outputs(REJECTED, main=ROWS)
        )


class _WriteScores(beam.PTransform):
    """`Scored` -> files `part-...` in a folder."""

    def __init__(self, folder: str, kind: Format, schema: pa.Schema) -> None:
        super().__init__()
        self._prefix = f"{folder}/{SHARD}"
        self._kind = kind
        self._schema = schema

    def expand(self, scored: beam.PCollection[Scored]) -> Any:
        tables = scored | "AsTable" >> beam.Map(_table, self._schema)
        if self._kind == "parquet":
            return tables | beam.io.WriteToParquetBatched(
                self._prefix, self._schema, file_name_suffix=".parquet"
            )
        return (
            tables
            | "AsLines" >> beam.FlatMap(csv_lines)
            | beam.io.WriteToText(
                self._prefix, file_name_suffix=".csv", header=csv_header(self._schema)
            )
        )


class _WriteRejects(beam.PTransform):
    """`Rejected` -> one CSV in a folder."""

    def __init__(self, folder: str) -> None:
        super().__init__()
        self._path = f"{folder}/{REJECTS_FILE}"

    def expand(self, rejected: beam.PCollection[Rejected]) -> Any:
        return (
            rejected
            | "AsLine" >> beam.Map(Rejected.as_csv_line)
            | beam.io.WriteToText(
                self._path, shard_name_template="", header=",".join(REJECT_COLUMNS)
            )
        )


class _Summarise(beam.PTransform):
    """`Scored` and `Rejected` -> a summary as JSON in a folder."""

    def __init__(self, folder: str) -> None:
        super().__init__()
        self._path = f"{folder}/{SUMMARY_FILE}"

    def expand(self, collections: Any) -> Any:
        scored, rejected = collections
        count = rejected | "CountRejected" >> beam.combiners.Count.Globally()
        first = rejected | "FirstRejected" >> beam.combiners.Top.Smallest(REJECTS_SHOWN)
        return (
            scored
            | "Outputs" >> beam.Map(_outputs)
            | "Combine" >> beam.CombineGlobally(SummaryFn())
            | "WithRejected"
            >> beam.Map(_complete, beam.pvalue.AsSingleton(count), beam.pvalue.AsSingleton(first))
            | "AsJson" >> beam.Map(summary_json)
            | beam.io.WriteToText(self._path, shard_name_template="")
        )


def _examples(rows: Rows) -> Iterator[tuple[int, np.ndarray]]:
    return zip(rows.numbers.tolist(), rows.values, strict=True)


def _scored(results: Sequence[tuple[int, PredictionResult]]) -> Iterator[Any]:
    numbers = np.array([number for number, _ in results], np.int64)
    values = np.stack([result.example for _, result in results])
    rows = Rows(numbers, values, no_labels(len(numbers)))
    names = results[0][1].inference
    outputs = {name: np.stack([result.inference[name] for _, result in results]) for name in names}
    scored = without_unscorable(rows, outputs)
    for rejected in scored.rejected:
        yield beam.pvalue.TaggedOutput(REJECTED, rejected)
    if len(scored.rows):
        yield scored


def _table(scored: Scored, schema: pa.Schema) -> pa.Table:
    return as_table(scored.rows, scored.outputs, schema)


def _outputs(scored: Scored) -> Outputs:
    return scored.outputs


def _complete(summary: Summary, rejected: int, first: list[Rejected]) -> Summary:
    return dataclasses.replace(summary, rejected=rejected, first_rejects=first)
