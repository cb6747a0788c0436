"""A schedule as Kubeflow Pipelines wants it: cron with seconds."""

import re
from collections.abc import Mapping

from pipeline_config import UserInputError

_MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
_DAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]

_FIELDS: tuple[tuple[str, int, int, Mapping[str, int]], ...] = (
    ("second", 0, 59, {}),
    ("minute", 0, 59, {}),
    ("hour", 0, 23, {}),
    ("day of the month", 1, 31, {}),
    ("month", 1, 12, {name: number for number, name in enumerate(_MONTHS, 1)}),
    ("day of the week", 0, 6, {name: number for number, name in enumerate(_DAYS)}),
)
"""Name, least, greatest and names of values, in the order of an expression."""

_PART = re.compile(r"(?P<first>\*|\?|\w+)(?:-(?P<last>\w+))?(?:/(?P<step>\d+))?")
_DESCRIPTOR = re.compile(r"@(yearly|annually|monthly|weekly|daily|midnight|hourly|every \d+[smh])")


def kubeflow_cron(expression: str) -> str:
    """Returns a cron expression with a field for the seconds, which the server expects first.

    Args:
        expression: Five fields as in a crontab, six as the server has them, or a word such as
            `@daily`.

    Raises:
        UserInputError: A field is malformed or out of its range; the message names it.
    """
    text = " ".join(expression.split())
    if _DESCRIPTOR.fullmatch(text):
        return text
    fields = text.split(" ")
    if len(fields) == len(_FIELDS) - 1:
        fields = ["0", *fields]
    if len(fields) != len(_FIELDS):
        raise UserInputError(
            f"--cron {expression!r}: {len(fields)} fields; expected minute, hour, day of the "
            "month, month, day of the week, and if wanted the second before them"
        )
    for value, (name, least, greatest, names) in zip(fields, _FIELDS, strict=True):
        if not all(_is_valid(part, least, greatest, names) for part in value.split(",")):
            also = f", or {next(iter(names))} to {list(names)[-1]}" if names else ""
            raise UserInputError(
                f"--cron {expression!r}: {name} {value!r}: expected {least} to {greatest}{also}, "
                "with * - / and , as in a crontab"
            )
    return " ".join(fields)


def _is_valid(part: str, least: int, greatest: int, names: Mapping[str, int]) -> bool:
    found = _PART.fullmatch(part)
    if found is None or (found["step"] is not None and int(found["step"]) < 1):
        return False
    if found["first"] in ("*", "?"):
        return found["last"] is None
    ends = [_number(end, names) for end in (found["first"], found["last"]) if end is not None]
    if any(end is None or not least <= end <= greatest for end in ends):
        return False
    return ends == sorted(ends, key=lambda end: end or 0)


def _number(text: str, names: Mapping[str, int]) -> int | None:
    if text.isascii() and text.isdigit():
        return int(text)
    return names.get(text.upper())
