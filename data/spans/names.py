"""Which files of a folder belong to which span, by TFX's placeholders in a file pattern.

`{SPAN}` is a number and `{YYYY}`, `{MM}`, `{DD}` together a date, whose span number is TFX's: days
since 1970-01-01. `{VERSION}` counts deliveries of one span; the newest counts. `{SPAN:2}` is a
number of two digits. Nothing heavy is imported here: a run with no new data ends before TFX loads.
"""

import dataclasses
import datetime
import re
from collections.abc import Iterable

from pipeline_config import UserInputError

_PLACEHOLDER = re.compile(r"\{(?P<name>SPAN|VERSION|YYYY|MM|DD)(?::(?P<width>\d+))?\}")
_TOKEN = re.compile(
    _PLACEHOLDER.pattern + r"|(?P<choice>\{[^{}/]*,[^{}/]*\})|(?P<set>\[[!^]?[^\]][^\]]*\])|.",
    re.DOTALL,
)
_ESCAPED_IN_SET = str.maketrans({mark: f"\\{mark}" for mark in "\\[^&~|"})
_DATE = ("YYYY", "MM", "DD")
_DIGITS = {"YYYY": 4, "MM": 2, "DD": 2}
EPOCH = datetime.date(1970, 1, 1)
"""TFX numbers the spans of dates from here."""


@dataclasses.dataclass(frozen=True, order=True)
class Span:
    """One delivery of data.

    Attributes:
        number: TFX's span number.
        version: TFX's version; None if the pattern has no `{VERSION}`.
        name: What a person calls it: the number, or the date as `2024-05-31`.
        values: Digits that stand for each placeholder, such as `(("SPAN", "02"),)`.
    """

    number: int
    version: int | None
    name: str
    values: tuple[tuple[str, str], ...]

    def fill(self, pattern: str) -> str:
        """Returns the pattern with this span's digits in place of the placeholders."""
        values = dict(self.values)
        return _PLACEHOLDER.sub(lambda found: values[found["name"]], pattern)


def has_spans(pattern: str) -> bool:
    """Whether a pattern has `{SPAN}` or a date."""
    return any(found["name"] != "VERSION" for found in _PLACEHOLDER.finditer(pattern))


def as_glob(pattern: str) -> str:
    """Returns a TFX input pattern with `*` for `{SPAN}`, `{VERSION:2}`, `{YYYY}` and the like."""
    return _PLACEHOLDER.sub("*", pattern)


def files_by_span(pattern: str, names: Iterable[str]) -> dict[Span, list[str]]:
    """Returns the files of each span, in its newest version alone.

    Args:
        pattern: With placeholders.
        names: Paths, relative to where the pattern starts. One that does not match, such as
            `span-4.partial/ecg.csv` for `span-{SPAN}/*.csv`, belongs to no span.

    Returns:
        Span -> its names in the order given; by number, ascending.

    Raises:
        UserInputError: The pattern repeats a placeholder, names half a date, or has a version
            without a span; or a span's number has leading zeros that the pattern does not have.
    """
    expression = re.compile(_as_regex(pattern))
    found: dict[int, tuple[Span, list[str]]] = {}
    for name in names:
        match = expression.fullmatch(name)
        span = _span(match.groupdict()) if match else None
        if span is None:
            continue
        _require_plain_numbers(pattern, span)
        known, of_span = found.setdefault(span.number, (span, []))
        if known.version == span.version:
            of_span.append(name)
        elif (span.version or 0) > (known.version or 0):
            found[span.number] = (span, [name])
    return dict(found[number] for number in sorted(found))


def _span(values: dict[str, str]) -> Span | None:
    version = int(values["VERSION"]) if "VERSION" in values else None
    if "SPAN" in values:
        number, name = int(values["SPAN"]), str(int(values["SPAN"]))
    else:
        try:
            date = datetime.date(*(int(values[part]) for part in _DATE))
        except ValueError:
            return None
        number, name = (date - EPOCH).days, date.isoformat()
    return Span(number, version, name, tuple(sorted(values.items())))


def _require_plain_numbers(pattern: str, span: Span) -> None:
    """TFX writes a number without leading zeros if the pattern gives no width."""
    for name, digits in span.values:
        if f"{{{name}}}" in pattern and name not in _DIGITS and digits != str(int(digits)):
            raise UserInputError(
                f"{span.fill(pattern)}: the number has leading zeros: "
                f"write {{{name}:{len(digits)}}} in the pattern {pattern}, or name them alike"
            )


def _as_regex(pattern: str) -> str:
    names = [found["name"] for found in _PLACEHOLDER.finditer(pattern)]
    dates = [name for name in names if name in _DATE]
    if len(names) != len(set(names)) or ("SPAN" in names and dates) or len(dates) not in (0, 3):
        raise UserInputError(
            f"{pattern}: expected one {{SPAN}}, or one each of {{YYYY}}, {{MM}} and {{DD}}"
        )
    if names == ["VERSION"]:
        raise UserInputError(f"{pattern}: {{VERSION}} needs {{SPAN}} or a date beside it")
    *folders, last = map(part_regex, pattern.split("/"))
    return "/".join([*folders, f"(?i:{last})"])


def part_regex(part: str) -> str:
    """Returns the regular expression for one part, between two `/`, of a file pattern.

    Placeholders are named groups of digits. A set `[…]` that has no end means itself.
    """
    return "".join(map(_token_regex, _TOKEN.finditer(part)))


def _token_regex(token: re.Match[str]) -> str:
    if name := token["name"]:
        width = token["width"] or _DIGITS.get(name)
        return f"(?P<{name}>[0-9]{{{width}}})" if width else f"(?P<{name}>[0-9]+)"
    if token["choice"]:
        return "(?:" + "|".join(map(part_regex, token["choice"][1:-1].split(","))) + ")"
    if members := token["set"]:
        negated = "^" if members[1] in "!^" else ""
        content = members[1 + len(negated) : -1]
        return f"[{negated}{content.translate(_ESCAPED_IN_SET)}]"
    return {"*": "[^/]*", "?": "[^/]"}.get(token[0]) or re.escape(token[0])
