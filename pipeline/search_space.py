"""A search space as a TOML file has it: a list of values, or the ends of a range.

search.trainer.batch_size = [16, 32, 64]
search.trainer.learning_rate = {low = 1e-4, high = 1e-2, log = true}
"""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.settings import typed_value
from pipeline_config import Choice, Range, SearchSpace, UserInputError

SEARCH = "search"
"""Key of a pipeline's table, and first part of what `aepipe config` calls a searched setting."""


def search_entries(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yields full name and value of each setting in a table `search`, nested or not."""
    for key, value in table.items():
        if isinstance(value, dict) and not value.keys() & {"low", "high", "log"}:
            yield from search_entries(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def space_of(setting: str, value: Any, kind: Any) -> Range | Choice:
    """Returns what may be tried for a setting.

    Args:
        setting: Its full name.
        value: What the file says.
        kind: The setting's type, as in `available_settings`.

    Raises:
        UserInputError: It is neither a list nor a range, or a value is of another type.
    """
    if isinstance(value, list):
        return Choice(tuple(typed_value(setting, item, kind) for item in value))
    is_range = isinstance(value, dict) and {"low", "high"} <= value.keys() <= {"low", "high", "log"}
    if not is_range or type(value.get("log", False)) is not bool:
        raise UserInputError(
            f"{SEARCH}.{setting}: expected a list of values, or a range such as "
            "{low = 1, high = 10, log = true}"
        )
    low, high = (typed_value(setting, value[end], kind) for end in ("low", "high"))
    return Range(low=low, high=high, log=value.get("log", False))


def search_as_values(search: SearchSpace) -> dict[str, Any]:
    """Returns a search space as JSON and TOML have it; the names begin with `SEARCH`."""
    return {
        f"{SEARCH}.{name}": list(space.values)
        if isinstance(space, Choice)
        else dataclasses.asdict(space)
        for name, space in search.items()
    }
