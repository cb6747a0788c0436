"""What a prediction writes: scores as CSV or Parquet, and a CSV of the rows it rejected."""

import contextlib
import math
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems

from data.formats.rows import REJECT_COLUMNS, Rejected, Rows
from pipeline.scoring.engine import (
    CONTRIBUTION,
    ERROR,
    IS_ANOMALY,
    P_VALUE,
    Outputs,
    ServedModel,
    WriteReject,
    WriteScores,
)
from pipeline.scoring.request import PredictRequest, is_remote
from pipeline.scoring.tables import table_writer
from pipeline_config import UserInputError
from serving.push_directory.durable_files import hidden_file

NewFile = AbstractContextManager[BinaryIO]
"""Opens a file to write when it is entered; it takes its name if the block ends well."""

REJECTS_HEADER = ",".join(REJECT_COLUMNS)

_THRESHOLD = "threshold"
_RECONSTRUCTION = "reconstruction"
_BY_VALUE = (_RECONSTRUCTION, CONTRIBUTION)


def require_writable(request: PredictRequest) -> None:
    """Checks that the files that were asked for can be written, or replaced if they are there.

    Raises:
        UserInputError: One cannot; or there is a file in the place of rejected rows that does not
            begin like one of them, so that it must not be replaced or removed.
    """
    _require_writable(request.output, request.on_beam, folder_allowed=request.on_beam)
    _require_writable(request.events, request.on_beam, folder_allowed=False)
    path = request.rejects_path
    _require_writable(path, request.on_beam, folder_allowed=False)
    if path is None or not FileSystems.exists(path):
        return
    with FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED) as file:
        start = file.read(len(REJECTS_HEADER) + 1)
    if start and start.rstrip(b"\r\n") != REJECTS_HEADER.encode():
        raise UserInputError(
            f"{path}: rows that cannot be scored would go there, but there is a file of something "
            "else: name another one with --rejects"
        )


@contextlib.contextmanager
def new_file(path: str) -> Iterator[BinaryIO]:
    """Yields a file to write, that takes its name if the block ends well."""
    with hidden_file(Path(path)) as hidden, hidden.open("wb") as file:
        yield file


@contextlib.contextmanager
def result_files(
    request: PredictRequest, model: ServedModel, scores: NewFile | None, rejects: NewFile | None
) -> Iterator[tuple[WriteScores, WriteReject]]:
    """Yields what writes the scores of some rows, and what writes a rejected row.

    The scores' columns are `row` int64, `error` float32, for detectors `threshold` float32,
    `is_anomaly` bool and `p_value` float32 (not of a model that was pushed before it was returned),
    and `reconstruction` and `contribution` if they were asked for: in Parquet one list of float32
    each, in CSV, which has no lists, `reconstruction_0`, `reconstruction_1`, ... An image's is row
    by row. A number's text in a CSV reads back to the same float32.

    Args:
        request: Decides on format and columns.
        model: The version that scores.
        scores: None if nobody asked for the file.
        rejects: Is opened at the first rejected row; None if nobody asked for the file.
    """
    with _scores_file(request, model, scores) as write, rejects_file(rejects) as reject:
        yield write, reject


@contextlib.contextmanager
def _scores_file(
    request: PredictRequest, model: ServedModel, new_file: NewFile | None
) -> Iterator[WriteScores]:
    if new_file is None:
        yield lambda rows, outputs: None
        return
    schema = _schema(request, model)
    with new_file as file, table_writer(file, request.kind, schema) as write:
        yield lambda rows, outputs: write(_as_table(rows, outputs, schema))


@contextlib.contextmanager
def rejects_file(new_file: NewFile | None) -> Iterator[WriteReject]:
    """Yields what writes a rejected row into a file that is opened at the first of them."""
    if new_file is None:
        yield lambda rejected: None
        return
    with contextlib.ExitStack() as stack:
        file: BinaryIO | None = None

        def write(rejected: Rejected) -> None:
            nonlocal file
            if file is None:
                file = stack.enter_context(new_file)
                file.write(f"{REJECTS_HEADER}\n".encode())
            file.write(f"{rejected.as_csv_line()}\n".encode())

        yield write


def _schema(request: PredictRequest, model: ServedModel) -> pa.Schema:
    fields = [("row", pa.int64()), (ERROR, pa.float32())]
    if model.is_detector:
        fields += [(_THRESHOLD, pa.float32()), (IS_ANOMALY, pa.bool_())]
    if model.has_p_value:
        fields.append((P_VALUE, pa.float32()))
    wanted = {_RECONSTRUCTION: request.reconstruction, CONTRIBUTION: request.contribution}
    for name in (name for name in _BY_VALUE if wanted[name]):
        if request.kind == "parquet":
            fields.append((name, pa.list_(pa.float32())))
        else:
            size = math.prod(model.shape)
            fields += [(f"{name}_{index}", pa.float32()) for index in range(size)]
    return pa.schema(fields)


def _as_table(rows: Rows, outputs: Outputs, schema: pa.Schema) -> pa.Table:
    flat = {
        name: outputs[name].reshape(len(rows), math.prod(outputs[name].shape[1:]))
        for name in _BY_VALUE
        if name in outputs
    }

    def column(name: str) -> pa.Array:
        if name == "row":
            return pa.array(rows.numbers)
        if name in flat:
            offsets = np.arange(len(rows) + 1, dtype=np.int32) * flat[name].shape[1]
            return pa.ListArray.from_arrays(offsets, pa.array(flat[name].ravel()))
        if name in outputs:
            return pa.array(outputs[name])
        by_value, _, index = name.rpartition("_")
        return pa.array(flat[by_value][:, int(index)])

    return pa.Table.from_arrays([column(name) for name in schema.names], schema=schema)


def _require_writable(path: str | None, on_beam: bool, *, folder_allowed: bool) -> None:
    if path is None or (on_beam and is_remote(path)):
        return
    if is_remote(path):
        raise UserInputError(f"{path}: Beam writes there, so add a --beam-profile")
    target = Path(path).resolve()
    if target.is_dir() and not folder_allowed:
        raise UserInputError(f"{path}: this is a folder: name a file")
    if target.exists() and not (target.is_file() or target.is_dir()):
        raise UserInputError(f"{path}: a device or pipe is not written to: name a file")
    parent = target.parent
    if not parent.is_dir():
        raise UserInputError(f"{path}: there is no folder {parent}: make it, or name another file")
    if not os.access(parent, os.W_OK):
        raise UserInputError(f"{path}: the folder {parent} cannot be written to: name another file")
