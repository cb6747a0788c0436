"""What the columns of a Parquet file are: samples, a label, or left out."""

import dataclasses
import json
import shlex
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.types as kinds

from data.formats.columns import LABEL_NAMES
from pipeline_config import SignalData, UserInputError

_SHOWN = 10


@dataclasses.dataclass(frozen=True)
class Columns:
    """The columns that are read.

    Attributes:
        samples: Names of the columns that hold samples, in the order of the file.
        label: Name of the column of labels; None if there is none, or they are not read.
        depth: 0: each column is a sample of a row; 1: each cell is a list of the samples of one
            channel; 2: each cell is a list of samples, each a list of channels.
    """

    samples: tuple[str, ...]
    label: str | None
    depth: int


def find_columns(schema: pa.Schema, data: SignalData, path: str, *, scoring: bool) -> Columns:
    """Returns what the columns of a file are.

    An index that pandas has saved as a column is left out.

    Args:
        schema: The file's.
        data: What the file is said to hold.
        path: The file, for messages.
        scoring: Whether its rows are only scored, so that it may lack labels.

    Raises:
        UserInputError: A column that is set is not there, or one is neither samples nor label; the
            message names the setting that helps.
    """
    if len(set(schema.names)) < len(schema.names):
        twice = next(name for name in schema.names if schema.names.count(name) > 1)
        raise UserInputError(f"{path}: two columns are named {twice!r}: rename one of them")
    dropped = _dropped(schema, data, path, scoring=scoring)
    kept = [field for field in schema if field.name not in dropped]
    if not scoring:
        _require_named_label(kept, data, path)
    label = _find_label(kept, data, path, scoring=scoring)
    if label is not None and not scoring:
        _check_label(schema.field(label), path)
    samples = [field for field in kept if field.name != label]
    if not samples:
        raise UserInputError(f"{path}: there is no column of samples: it has {_named(schema)}")
    depths = {field.name: _depth(field.type) for field in samples}
    strange = [name for name, depth in depths.items() if depth is None]
    lists = [name for name, depth in depths.items() if depth]
    if odd := strange or (lists and [name for name in depths if name not in lists]):
        what = ", ".join(f"{name} ({schema.field(name).type})" for name in odd[:_SHOWN])
        raise UserInputError(
            f"{path}: these columns hold no samples: {what}: {_remedy(odd, data, scoring=scoring)}"
        )
    found = set(depths.values())
    if len(found) > 1:
        raise UserInputError(
            f"{path}: {', '.join(lists)} are lists of different depths: leave some out with "
            "--set data.drop=NAME,NAME"
        )
    (depth,) = found
    assert depth is not None, "such columns are odd"
    return Columns(tuple(depths), None if scoring else label, depth)


def _dropped(schema: pa.Schema, data: SignalData, path: str, *, scoring: bool) -> set[str]:
    found = set(_index_of_pandas(schema))
    for drop in data.drop:
        if drop in schema.names:
            found.add(drop)
        elif drop.isdigit() and int(drop) < len(schema.names):
            found.add(schema.names[int(drop)])
        elif not scoring:
            raise UserInputError(
                f"{path}: data.drop={drop}: there is no such column: it has {_named(schema)}"
            )
    return found


def _index_of_pandas(schema: pa.Schema) -> list[str]:
    about = json.loads((schema.metadata or {}).get(b"pandas", b"{}"))
    # An index that only counts is no column, but a description of its range.
    return [name for name in about.get("index_columns", []) if isinstance(name, str)]


def _find_label(
    fields: Sequence[pa.Field], data: SignalData, path: str, *, scoring: bool
) -> str | None:
    names = [field.name for field in fields]
    if not data.is_labelled or not names:
        return None
    if data.label not in ("first", "last"):
        if data.label in names:
            return data.label
        if scoring:
            return None
        raise UserInputError(
            f"{path}: there is no column {data.label!r} of labels: it has {_shown(names)}: "
            "--set data.label=NAME, or data.label=none"
        )
    field = fields[0] if data.label == "first" else fields[-1]
    lists = [field.name for field in fields if _depth(field.type)]
    if scoring:
        has_label = field.name not in lists if lists else len(fields) == data.length + 1
        return field.name if has_label else None
    if field.name in lists:
        others = [name for name in names if name not in lists]
        place = others[0] if len(others) == 1 else "NAME" if others else "none"
        raise UserInputError(
            f"{path}: data.label={data.label}, but the {data.label} column, {field.name}, holds "
            f"lists: --set data.label={place}"
        )
    return field.name


def _require_named_label(fields: Sequence[pa.Field], data: SignalData, path: str) -> None:
    """Checks that a column with the name of a label is the one that is read as such."""
    named = [field.name for field in fields if field.name.lower() in LABEL_NAMES]
    if data.label not in ("first", "last") or len(named) != 1:
        return
    (label,) = named
    if label != fields[0 if data.label == "first" else -1].name:
        raise UserInputError(
            f"{path}: data.label={data.label}, but the labels seem to be in column {label}: "
            f"--set data.label={label}"
        )


def _check_label(field: pa.Field, path: str) -> None:
    kind = field.type.value_type if kinds.is_dictionary(field.type) else field.type
    if not (_is_number(kind) or _is_text(kind) or kinds.is_null(kind)):
        raise UserInputError(
            f"{path}: the column of labels, {field.name}, holds {field.type}: give numbers or "
            "text, or name another one with --set data.label=NAME"
        )


def _is_text(kind: pa.DataType) -> bool:
    return kinds.is_string(kind) or kinds.is_large_string(kind)


def _is_number(kind: pa.DataType) -> bool:
    is_plain = kinds.is_integer(kind) or kinds.is_floating(kind) or kinds.is_boolean(kind)
    return is_plain or kinds.is_decimal(kind)


def _depth(kind: pa.DataType) -> int | None:
    """Returns how many lists deep numbers lie; None if there are none."""
    depth = 0
    while kinds.is_list(kind) or kinds.is_large_list(kind) or kinds.is_fixed_size_list(kind):
        kind, depth = kind.value_type, depth + 1
    return depth if depth <= 2 and _is_number(kind) else None


def _remedy(odd: Sequence[str], data: SignalData, *, scoring: bool) -> str:
    """Returns how to read a file in spite of columns that hold no samples."""
    if scoring:
        return "give a file without them, or leave them out with --drop-column N, counted from 0"
    drop = f"--set {shlex.quote('data.drop=' + ','.join([*data.drop, *odd]))}"
    if len(odd) > 1 or data.label in odd:
        return drop
    label = f"--set {shlex.quote(f'data.label={odd[0]}')}"
    if odd[0].lower() in LABEL_NAMES:
        return f"{label}, or {drop} leaves it out"
    return f"{drop}, or, if it is the label, {label}"


def _named(schema: pa.Schema) -> str:
    return _shown(schema.names)


def _shown(names: Sequence[Any]) -> str:
    return ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "") or "no columns"
