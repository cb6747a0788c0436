import tomllib

import pytest

from pipeline.toml_lines import lines_of_keys

TEXT = '''# a comment, and a key in it: a = 1
top = 1

[heart]  # [not] = "a table"
base = "anomaly"
data.length = 187
data.normal = [
    "0",  # length = 3
    """
x = 1
""",
]
description = """
length = 4
[sensor]
"""
[heart.trainer]
epochs = 2
"a.b" = 1
["my sensor".data]
length = 9
inline = { one = 1, two = { three = 3 } }
[[many]]
key = 1
'''


@pytest.mark.parametrize(
    ("key", "line"),
    [
        (("top",), 2),
        (("heart",), 4),
        (("heart", "base"), 5),
        (("heart", "data"), 6),
        (("heart", "data", "length"), 6),
        (("heart", "data", "normal"), 7),
        (("heart", "description"), 13),
        (("heart", "trainer"), 17),
        (("heart", "trainer", "epochs"), 18),
        (("heart", "trainer", "a.b"), 19),
        (("my sensor",), 20),
        (("my sensor", "data", "length"), 21),
        (("my sensor", "data", "inline", "two", "three"), 22),
        (("many",), 23),
        (("many", "key"), 24),
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_each_key_has_the_line_it_begins_on(key: tuple[str, ...], line: int, newline: str) -> None:
    text = TEXT.replace("\n", newline)
    tomllib.loads(text)
    assert lines_of_keys(text)[key] == line


def test_a_separator_of_unicode_within_a_text_begins_no_line() -> None:
    assert lines_of_keys('a = "x\u2028y"\nb = 1')[("b",)] == 2
