"""Span folders in a data directory."""

from pathlib import Path

import pytest

from data.spans.files import splits_of
from data.spans.folder import DataFolder, with_span_folders
from pipeline_config import ImageData, SignalData, UserInputError


def folder_with(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    return root


def folder_of(root: Path, data: SignalData | ImageData) -> DataFolder:
    return DataFolder(str(root), splits_of(data))


@pytest.mark.parametrize(
    ("names", "pattern", "numbers"),
    [
        (
            ["span-1/a.csv", "span-2/a.csv", "span-10/a.csv.gz"],
            "span-{SPAN}/*.csv{,.gz}",
            [1, 2, 10],
        ),
        (
            ["span-01/a.csv", "span-02/a.csv", "span-10/a.csv"],
            "span-{SPAN:2}/*.csv{,.gz}",
            [1, 2, 10],
        ),
        (["span-1970-01-05/a.csv"], "span-{YYYY}-{MM}-{DD}/*.csv{,.gz}", [4]),
        (["span-1/a.csv", "span-2.partial/a.csv", "spans.txt"], "span-{SPAN}/*.csv{,.gz}", [1]),
        (["span-1/a.csv", "span-2/readme.txt"], "span-{SPAN}/*.csv{,.gz}", [1]),
        (["a.csv", "spanner/b.csv"], "*.csv{,.gz}", []),
    ],
)
def test_span_folders_are_found_by_themselves(
    tmp_path: Path, names: list[str], pattern: str, numbers: list[int]
) -> None:
    found = with_span_folders(SignalData(), folder_with(tmp_path, *names))
    assert isinstance(found, SignalData)
    assert found.pattern == pattern
    assert folder_of(tmp_path, found).span_numbers == numbers


def test_a_pattern_that_names_spans_stays(tmp_path: Path) -> None:
    folder_with(tmp_path, "span-1/a.csv", "day-3/b.csv")
    data = SignalData(pattern="day-{SPAN}/*.csv")
    assert with_span_folders(data, tmp_path) == data
    assert folder_of(tmp_path, data).span_numbers == [3]


def test_both_patterns_of_images_look_into_the_folders(tmp_path: Path) -> None:
    data = with_span_folders(ImageData(), folder_with(tmp_path, "span-7/train-x-ubyte"))
    assert isinstance(data, ImageData)
    assert (data.train_pattern, data.eval_pattern) == (
        "span-{SPAN}/train-*-ubyte{,.gz}",
        "span-{SPAN}/t10k-*-ubyte{,.gz}",
    )


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["span-1/a.csv", "old.csv"], "old.csv: there are span folders beside it"),
        (["span-1/a.csv", "span-2024-01-01/a.csv"], "all by number or all by date"),
        (["span-1/a.csv", "span-02/a.csv"], "span-1 and span-02"),
    ],
)
def test_folders_that_leave_a_doubt_are_refused(
    tmp_path: Path, names: list[str], message: str
) -> None:
    with pytest.raises(UserInputError, match=message):
        with_span_folders(SignalData(), folder_with(tmp_path, *names))


def test_only_the_newest_version_of_a_span_counts(tmp_path: Path) -> None:
    folder_with(tmp_path, "span-1/v9/a.csv", "span-1/v10/b.csv", "span-1/v10/c.csv")
    data = SignalData(pattern="span-{SPAN}/v{VERSION}/*.csv")
    found = folder_of(tmp_path, data).span(1)
    assert found.names == ["span-1/v10/b.csv", "span-1/v10/c.csv"]
    assert found.version == 10


def test_a_span_that_lacks_a_file_says_which(tmp_path: Path) -> None:
    folder_with(tmp_path, "span-1/train-x-ubyte", "span-1/t10k-x-ubyte", "span-2/train-x-ubyte")
    data = with_span_folders(ImageData(), tmp_path)
    assert len(folder_of(tmp_path, data).span(1).names) == 2
    with pytest.raises(UserInputError, match=r"span-2.*: span 2 has no such file"):
        folder_of(tmp_path, data).span(2)
