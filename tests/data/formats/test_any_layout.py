"""However a small table is laid out, its samples are read as they are, or it is refused."""

import csv
import io
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from data.formats.rows import accepted
from data.formats.signal_file import read_signals
from pipeline.scoring.source import find_source, read_source
from pipeline_config import SignalData, UserInputError

LENGTH = 6
INDEXES = (
    "none",
    "none",
    "counts",
    "counts_from_1",
    "floats",
    "shuffled",
    "seconds",
    "text",
    "day",
)
EXAMPLES: dict[str, Any] = {
    "max_examples": int(os.environ.get("AEPIPE_EXAMPLES", "150")),
    "deadline": None,
    # Each example writes the same file anew.
    "suppress_health_check": [HealthCheck.function_scoped_fixture],
}
HEADERS = ("none", "names", "pandas", "from_1", "mixed", "times", "unnamed_labels")


@st.composite
def tables(draw: st.DrawFn) -> dict[str, Any]:
    """The parts of a table and how they are laid out."""
    rows = draw(st.integers(3, 40))
    length = draw(st.sampled_from([LENGTH, LENGTH, LENGTH, LENGTH - 1, LENGTH + 1]))
    seed = draw(st.integers(0, 2**32 - 1))
    generator = np.random.default_rng(seed)
    scale = draw(st.sampled_from([0.3, 3, 300]))
    samples = generator.normal(size=(rows, length)) * scale
    rounding = draw(st.sampled_from([8, 3, 0]))
    labels = generator.permutation(np.arange(rows) % 2)
    if draw(st.booleans()):
        labels = np.sort(labels)
    if rounding == 0:
        # Whole numbers as an analogue-to-digital converter gives them; its zero is in mid-range.
        samples = samples.round() + 512
    # Whole numbers among a few, or among those of a range as wide, may be anything.
    indexes = [
        name for name in INDEXES if name != "shuffled" or rounding or (rows >= 20 and scale <= 3)
    ]
    return {
        "samples": samples.round(rounding),
        "labels": labels,
        "label": draw(st.sampled_from(["last", "last", "first", "none"])),
        "index": draw(st.sampled_from(indexes)),
        "header": draw(st.sampled_from(HEADERS)),
        "trailing": draw(st.sampled_from([False, False, False, True])),
        "separator": draw(st.sampled_from([",", ",", ",", ";", "\t", " "])),
        "quoting": draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])),
        "line_end": draw(st.sampled_from(["\n", "\r\n"])),
        "whole_as_float": draw(st.booleans()),
        "blank_line": draw(st.booleans()),
        "generator": generator,
    }


def _index(table: dict[str, Any], rows: int) -> list[str]:
    count = np.arange(rows)
    shuffled = table["generator"].permutation(10 * rows)[:rows]
    return {
        "counts": [str(number) for number in count],
        "counts_from_1": [str(number + 1) for number in count],
        "floats": [f"{number:.18e}" for number in count],
        "shuffled": [str(number) for number in shuffled],
        "seconds": [f"{number * 0.008:.3f}" for number in count],
        "text": [f"beat-{number}" for number in count],
        "day": [f"2024-01-{1 + number % 28:02}" for number in count],
    }[table["index"]]


def _header(table: dict[str, Any], columns: Sequence[str]) -> list[str] | None:
    samples = [place for place, column in enumerate(columns) if column == "sample"]
    names = ["" if column == "index" else column for column in columns]
    if table["header"] == "none":
        return None
    if table["header"] in ("pandas", "from_1"):
        start = int(table["header"] == "from_1")
        counted = [name for name in names if name]
        return [
            *([""] * (len(names) - len(counted))),
            *map(str, range(start, start + len(counted))),
        ]
    for step, place in enumerate(samples):
        names[place] = f"t{step}" if table["header"] != "times" else f"{step * 0.25:.2f}"
    if table["header"] == "mixed":
        for step, place in enumerate(samples):
            names[place] = str(step)
    if table["header"] == "unnamed_labels":
        names = [name if name != "label" else "t_last" for name in names]
    return names


def _save(table: dict[str, Any]) -> str:
    rows = len(table["samples"])
    cells = [[repr(float(value)) for value in row] for row in table["samples"]]
    if not table["whole_as_float"]:
        cells = [[cell.removesuffix(".0") for cell in row] for row in cells]
    labels = [
        f"{value:.1f}" if table["whole_as_float"] else str(value) for value in table["labels"]
    ]
    columns = ["sample"] * table["samples"].shape[1]
    if table["label"] == "first":
        columns = ["label", *columns]
        cells = [[label, *row] for label, row in zip(labels, cells, strict=True)]
    elif table["label"] == "last":
        columns = [*columns, "label"]
        cells = [[*row, label] for label, row in zip(labels, cells, strict=True)]
    if table["index"] != "none":
        columns = ["index", *columns]
        cells = [[number, *row] for number, row in zip(_index(table, rows), cells, strict=True)]
    if table["trailing"]:
        cells = [[*row, ""] for row in cells]
    header = _header(table, columns)
    if header and table["trailing"]:
        header = [*header, ""]
    text = io.StringIO()
    writer = csv.writer(
        text,
        delimiter=table["separator"],
        quoting=table["quoting"],
        lineterminator=table["line_end"],
    )
    writer.writerows(([header] if header else []) + cells[:2])
    if table["blank_line"]:
        text.write(table["line_end"])
    writer.writerows(cells[2:])
    return text.getvalue()


def _is_plain(table: dict[str, Any], *, labelled: Sequence[str]) -> bool:
    """Whether the table is what is documented, so that it has to be read."""
    # A line of times without a name may as well be a row.
    may_be_a_row = table["header"] == "times" and table["label"] == "none"
    return (
        table["samples"].shape[1] == LENGTH
        and table["index"] == "none"
        and table["label"] in labelled
        # Blanks at the end of a line are between no cells.
        and not (table["trailing"] and (table["separator"] != " " or table["quoting"]))
        and not may_be_a_row
    )


def _read(reader: Callable[[str], Iterable[Any]], file: Path) -> list[Any] | str:
    """The blocks, or the line that a user gets to read."""
    try:
        return list(reader(str(file)))
    except UserInputError as error:
        return str(error)


@settings(**EXAMPLES)
@given(table=tables())
def test_scoring_reads_the_true_samples_or_refuses(tmp_path: Path, table: dict[str, Any]) -> None:
    file = tmp_path / "any.csv"
    file.write_text(_save(table), newline="")
    plain = _is_plain(table, labelled=("last", "none"))
    data = SignalData(length=LENGTH)

    blocks = _read(lambda path: read_source(find_source(path), data, lambda _: None), file)

    if isinstance(blocks, str):
        assert blocks.startswith(f"{file}: ")
        assert not plain, blocks
        return
    values = np.concatenate([block.rows.values for block in blocks])
    if plain:
        assert not any(block.rejected for block in blocks)
        np.testing.assert_array_equal(values, table["samples"].astype(np.float32))
    else:
        assert len(values) == 0, "something else than samples was scored"


@settings(**EXAMPLES)
@given(table=tables())
def test_training_reads_the_true_samples_and_labels_or_refuses(
    tmp_path: Path, table: dict[str, Any]
) -> None:
    file = tmp_path / "any.csv"
    file.write_text(_save(table), newline="")
    plain = _is_plain(table, labelled=("last",))

    blocks = _read(lambda path: accepted(read_signals(path, SignalData(length=LENGTH))), file)

    if isinstance(blocks, str):
        assert blocks.startswith(str(file))
        assert not plain, blocks
        return
    assert plain, "something else than samples and a label was read"
    signals = np.concatenate([block.rows.values for block in blocks])
    labels = np.concatenate([block.rows.labels for block in blocks])
    np.testing.assert_array_equal(signals, table["samples"].astype(np.float32))
    np.testing.assert_array_equal(labels, table["labels"])
