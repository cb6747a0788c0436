"""File names in, spans out."""

import pytest

from pipeline_config import UserInputError
from span_patterns import SpanWindow, find_spans, rolling_window, without_excluded


@pytest.mark.parametrize(
    ("pattern", "names", "expected"),
    [
        (
            "span-{SPAN}/*.csv",
            ["span-9/a.csv", "span-10/a.csv", "span-10/b.csv", "span-2/a.txt"],
            {9: ("9", None), 10: ("10", None)},
        ),
        (
            "span-{SPAN:2}/*.csv",
            ["span-02/a.csv", "span-11/a.csv"],
            {2: ("2", None), 11: ("11", None)},
        ),
        (
            "span-{SPAN}/v{VERSION}/*.csv",
            ["span-3/v2/a.csv", "span-3/v11/a.csv", "span-1/v1/a.csv"],
            {1: ("1", 1), 3: ("3", 11)},
        ),
        (
            "{YYYY}-{MM}-{DD}/*",
            ["1970-01-02/x", "2024-02-29/x", "2023-02-29/x", "24-02-29/x"],
            {1: ("1970-01-02", None), 19782: ("2024-02-29", None)},
        ),
        ("{YYYY}{MM}{DD}.csv", ["19700111.csv"], {10: ("1970-01-11", None)}),
        ("span-{SPAN}/*.csv*", ["span-4.partial/a.csv", "span-x/a.csv", ".span-5/a.csv"], {}),
        ("s{SPAN}/[ab]?.csv", ["s1/a1.csv", "s2/c1.csv", "s3/b/1.csv"], {1: ("1", None)}),
        ("s+{SPAN}.(x)/*", ["s+7.(x)/a", "ss7.(x)/a"], {7: ("7", None)}),
    ],
)
def test_spans_of_names(
    pattern: str, names: list[str], expected: dict[int, tuple[str, int | None]]
) -> None:
    spans = find_spans(pattern, names)
    assert {number: (span.name, span.version) for number, span in spans.items()} == expected
    assert list(spans) == sorted(expected)


def test_a_span_fills_its_pattern_as_the_folder_is_named() -> None:
    pattern = "span-{SPAN:3}/v{VERSION}/*.csv"
    (span,) = find_spans(pattern, ["span-007/v12/a.csv"]).values()
    assert span.fill(pattern) == "span-007/v12/*.csv"


@pytest.mark.parametrize(
    ("pattern", "names", "message"),
    [
        ("{SPAN}/{SPAN}/*", [], "one {SPAN}"),
        ("{YYYY}-{MM}/*", [], "{DD}"),
        ("{SPAN}/{YYYY}-{MM}-{DD}", [], "one {SPAN}"),
        ("v{VERSION}/*", [], "needs {SPAN}"),
        ("span-{SPAN}/*", ["span-02/a"], "{SPAN:2}"),
    ],
)
def test_a_pattern_that_tfx_could_not_read_is_refused(
    pattern: str, names: list[str], message: str
) -> None:
    with pytest.raises(UserInputError) as error:
        find_spans(pattern, names)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("spans", "size", "window", "previous"),
    [
        ([5], 1, (5,), None),
        ([5], 3, (5,), None),
        ([1, 2, 3], 1, (3,), 2),
        ([1, 2, 3], 2, (2, 3), 2),
        ([1, 2, 7], 2, (2, 7), 2),
        ([1, 2, 7], 9, (1, 2, 7), 2),
    ],
)
def test_a_window_is_the_newest_spans_there_are(
    spans: list[int], size: int, window: tuple[int, ...], previous: int | None
) -> None:
    assert rolling_window(spans, size) == SpanWindow(window, previous)


def test_no_span_is_no_window() -> None:
    assert rolling_window([], 2) is None


def test_an_excluded_span_is_left_out_unless_it_is_the_newest() -> None:
    assert without_excluded([4, 1, 3], {1, 3}) == [4]
    assert without_excluded([4, 1, 3], {4}) == [1, 3, 4]
