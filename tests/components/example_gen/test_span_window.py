"""Spans of CSV files go in; which rows of them come out, in which split."""

import json
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path

import pytest
import tensorflow as tf
from tfx.components.example_gen import utils
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils
from tfx.types.artifact import Artifact

from components.example_gen.input_files import WINDOW_PROPERTY, resolve_window
from data.spans.folder import DataFolder
from data.spans.names import files_by_span
from data.spans.window import ReadWindow
from pipeline_config import SignalData, UserInputError
from tests.components.example_gen.ingestion import exec_properties, execute

ROWS = 20


def write_span(folder: Path, first: int, label: int | None = None) -> None:
    """`first` up to `first` + 19 as the first sample, of both classes by default.

    They are no whole numbers and do not come in order: a column that counts is no signal.
    """
    folder.mkdir(parents=True)
    order = [7 * row % ROWS for row in range(ROWS)]
    rows = [f"{first + row}.25,0.5,-0.5,{row % 2 if label is None else label}.0" for row in order]
    (folder / "ecg.csv").write_text("\n".join(rows) + "\n")


def signals(pattern: str = "span-{SPAN}/*.csv", window: int = 1, split: str = "hash") -> SignalData:
    return SignalData(pattern=pattern, length=3, split=split, window=window)


@pytest.fixture
def ingest(tmp_path: Path) -> Callable[..., Artifact]:
    return partial(execute, tmp_path)


def rows_of(examples: Artifact, split: str) -> set[int]:
    files = sorted(map(str, Path(examples.uri, f"Split-{split}").iterdir()))
    return {
        int(tf.train.Example.FromString(record).features.feature["signal"].float_list.value[0])
        for record in tf.data.TFRecordDataset(files, "GZIP").as_numpy_iterator()
    }


@pytest.fixture
def spans(tmp_path: Path) -> Path:
    """Spans 1, 2, 9 and 10 of rows 100, 200, 900 and 1000 onwards."""
    for number in (1, 2, 9, 10):
        write_span(tmp_path / "data" / f"span-{number}", 100 * number)
    return tmp_path / "data"


def rows(*numbers: int) -> set[int]:
    return {100 * number + row for number in numbers for row in range(ROWS)}


@pytest.mark.parametrize(
    ("size", "left_out", "numbers", "previous"),
    [
        (1, (), [10], 9),
        (3, (), [2, 9, 10], 9),
        (7, (), [1, 2, 9, 10], 9),
        (2, [9], [2, 10], 2),
        (4, [1, 2], [9, 10], 9),
        (1, [10], [10], 9),
        (3, [1, 2, 9], [10], None),
    ],
)
def test_which_spans_make_a_window(
    spans: Path, size: int, left_out: Sequence[int], numbers: list[int], previous: int | None
) -> None:
    folder = DataFolder(str(spans), {"all": "span-{SPAN}/*.csv"})
    window = folder.newest_window(size, compare_spans=True, left_out=left_out)
    assert [span.number for span in window.spans] == numbers
    assert (window.previous.number if window.previous else None) == previous
    assert ReadWindow.from_json(window.to_json()) == window


@pytest.mark.parametrize("split", ["hash", "tutorial"])
def test_a_window_is_split_as_one_data_set(
    spans: Path, ingest: Callable[..., Artifact], split: str
) -> None:
    examples = ingest(spans, signals(window=2, split=split), compare_spans=True)
    train, held_out = rows_of(examples, "train"), rows_of(examples, "eval")
    assert train | held_out == rows(9, 10)
    assert not train & held_out
    assert all(train & rows(number) for number in (9, 10)), "both spans are trained on"
    assert rows_of(examples, "newest") == rows(10)
    assert rows_of(examples, "previous") == rows(9)
    assert examples.get_int_custom_property("span") == 10
    noted = ReadWindow.from_json(examples.get_string_custom_property(WINDOW_PROPERTY))
    assert [span.number for span in noted.spans] == [9, 10]


def test_an_example_stays_in_its_split_while_the_window_rolls(
    spans: Path, ingest: Callable[..., Artifact], tmp_path: Path
) -> None:
    newest = (spans / "span-10").rename(tmp_path / "not yet there")
    first = ingest(spans, signals(window=2))
    held_out = rows_of(first, "eval") & rows(9)
    newest.rename(spans / "span-10")
    second = ingest(spans, signals(window=2))
    assert held_out == rows_of(second, "eval") & rows(9) != set()


def test_nothing_is_compared_unless_asked(spans: Path, ingest: Callable[..., Artifact]) -> None:
    (spans / "span-9" / "ecg.csv").write_text("must not be opened")
    examples = ingest(spans, signals())
    assert artifact_utils.decode_split_names(examples.split_names) == ["train", "eval"]
    assert rows_of(examples, "train") | rows_of(examples, "eval") == rows(10)


def test_the_first_span_has_none_to_compare_with(
    tmp_path: Path, ingest: Callable[..., Artifact]
) -> None:
    write_span(tmp_path / "data" / "span-1", 100)
    examples = ingest(tmp_path / "data", signals(), compare_spans=True)
    assert artifact_utils.decode_split_names(examples.split_names) == ["train", "eval"]


def test_a_span_of_one_class_is_read_where_the_window_has_both(
    spans: Path, ingest: Callable[..., Artifact]
) -> None:
    write_span(spans / "span-11", 1100, label=1)
    examples = ingest(spans, signals(window=2), compare_spans=True)
    assert rows_of(examples, "newest") == rows(11)


def test_dates_and_versions(tmp_path: Path, ingest: Callable[..., Artifact]) -> None:
    data = tmp_path / "data"
    for first, place in enumerate(("2024-02-28/v1", "2024-03-01/v2", "2024-03-01/v10")):
        write_span(data / place, 100 * first)
    pattern = "{YYYY}-{MM}-{DD}/v{VERSION}/*.csv"
    examples = ingest(data, signals(pattern, window=2))
    assert rows_of(examples, "train") | rows_of(examples, "eval") == rows(0, 2)
    assert examples.get_int_custom_property("span") == utils.date_to_span_number(2024, 3, 1)


def test_a_changed_file_of_any_span_in_the_window_changes_the_fingerprint(spans: Path) -> None:
    def fingerprint() -> str:
        properties = exec_properties(spans, signals(window=2), compare_spans=True)
        return resolve_window(properties).fingerprint

    before = fingerprint()
    (spans / "span-2" / "ecg.csv").write_text("beyond the window\n")
    assert fingerprint() == before
    (spans / "span-9" / "ecg.csv").write_text("0,0,0,1\n")
    assert fingerprint() != before


def test_no_span_is_a_users_mistake(spans: Path) -> None:
    with pytest.raises(UserInputError, match="no file matches"):
        resolve_window(exec_properties(spans, signals("day-{SPAN}/*.csv")))


@pytest.mark.parametrize(
    ("pattern", "places"),
    [
        ("span-{SPAN}/*.csv", ["span-9", "span-10", "span-2"]),
        ("span-{SPAN:2}/*.csv", ["span-09", "span-10", "span-02"]),
        ("{SPAN}/{VERSION}/*.csv", ["3/1", "3/12", "2/99"]),
        ("span-{YYYY}-{MM}-{DD}/*.csv", ["span-2023-12-31", "span-2024-01-01"]),
        ("{YYYY}{MM}{DD}/v{VERSION:2}/*.csv", ["20240101/v02", "20240101/v11"]),
    ],
)
def test_the_newest_span_is_the_one_that_tfx_takes(
    tmp_path: Path, pattern: str, places: list[str]
) -> None:
    for place in places:
        write_span(tmp_path / place, 0)
    split = example_gen_pb2.Input.Split(name="all", pattern=pattern)
    _, number, version = utils.calculate_splits_fingerprint_span_and_version(str(tmp_path), [split])
    names = [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.csv")]
    *_, newest = files_by_span(pattern, names)
    assert (newest.number, newest.version) == (number, version)
    assert newest.fill(pattern) == split.pattern
    window = resolve_window(exec_properties(tmp_path, signals(pattern)))
    assert len(window.newest.files["all"]) == 1
    assert fnmatchcase(window.newest.files["all"][0], split.pattern)


def test_the_window_is_reported_in_plain_json(spans: Path) -> None:
    window = resolve_window(exec_properties(spans, signals()))
    assert json.loads(window.to_json())["spans"] == [
        {
            "number": 10,
            "name": "10",
            "version": None,
            "files": {"all": ["span-10/ecg.csv"]},
            "companions": [],
        }
    ]
