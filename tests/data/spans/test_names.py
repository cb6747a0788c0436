"""File names in, spans out."""

import pytest

from data.spans.names import files_by_span
from pipeline_config import UserInputError


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
    spans = [*files_by_span(pattern, names)]
    assert {span.number: (span.name, span.version) for span in spans} == expected
    assert [span.number for span in spans] == sorted(expected)


def test_a_span_fills_its_pattern_as_the_folder_is_named() -> None:
    pattern = "span-{SPAN:3}/v{VERSION}/*.csv"
    (span,) = files_by_span(pattern, ["span-007/v12/a.csv"])
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
        files_by_span(pattern, names)
    assert message in str(error.value)
    assert "\n" not in str(error.value)
