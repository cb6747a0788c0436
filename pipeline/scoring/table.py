"""Scored rows as Arrow tables: the columns of every output, whatever wrote it."""

import io
import math
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from pyarrow import csv

from data.formats.rows import Rows
from pipeline.scoring.request import Format
from pipeline.scoring.served_model import (
    ERROR,
    IS_ANOMALY,
    RECONSTRUCTION,
    THRESHOLD,
    Outputs,
    ServedModel,
)


def table_schema(model: ServedModel, kind: Format, *, reconstruction: bool) -> pa.Schema:
    """Returns the columns of an output.

    `row` int64, `error` float32, for detectors `threshold` float32 and `is_anomaly` bool. A
    reconstruction is one list of float32 in Parquet; in CSV, which has no lists, it is the
    columns `reconstruction_0`, `reconstruction_1`, ... An image's is row by row.
    """
    fields = [("row", pa.int64()), (ERROR, pa.float32())]
    if model.is_detector:
        fields += [(THRESHOLD, pa.float32()), (IS_ANOMALY, pa.bool_())]
    size = math.prod(model.shape) if reconstruction else 0
    if reconstruction and kind == "parquet":
        fields.append((RECONSTRUCTION, pa.list_(pa.float32())))
    else:
        fields += [(f"{RECONSTRUCTION}_{index}", pa.float32()) for index in range(size)]
    return pa.schema(fields)


def as_table(rows: Rows, outputs: Outputs, schema: pa.Schema) -> pa.Table:
    """Returns the scores of some rows.

    Args:
        rows: What was scored.
        outputs: The model's, in the same order.
        schema: From `table_schema`.
    """
    columns = []
    reconstruction = outputs[RECONSTRUCTION]
    flat = reconstruction.reshape(len(rows), math.prod(reconstruction.shape[1:]))
    for field in schema:
        if field.name == "row":
            columns.append(pa.array(rows.numbers))
        elif field.name == RECONSTRUCTION:
            offsets = np.arange(len(rows) + 1, dtype=np.int32) * flat.shape[1]
            columns.append(pa.ListArray.from_arrays(offsets, pa.array(flat.ravel())))
        elif field.name in outputs:
            columns.append(pa.array(outputs[field.name]))
        else:
            index = int(field.name.removeprefix(f"{RECONSTRUCTION}_"))
            columns.append(pa.array(flat[:, index]))
    return pa.Table.from_arrays(columns, schema=schema)


def csv_header(schema: pa.Schema) -> str:
    """Returns the columns' names as a CSV line, without a line end."""
    return ",".join(schema.names)


def csv_lines(table: pa.Table) -> Iterator[str]:
    """Yields a line a row, without line ends; a number's text reads back to the same float32."""
    text = io.BytesIO()
    csv.write_csv(table, text, csv.WriteOptions(include_header=False))
    yield from text.getvalue().decode().splitlines()
