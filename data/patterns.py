"""Which files of a folder a config reads."""

import re

from pipeline_config import ImageData, SignalData

_PLACEHOLDER = re.compile(r"\{(?:SPAN|VERSION|YYYY|MM|DD)(?::\d+)?\}")


def patterns_of(data: SignalData | ImageData) -> tuple[str, ...]:
    """Returns a config's file patterns; each must match at least one file."""
    if isinstance(data, ImageData):
        return (data.train_pattern, data.eval_pattern)
    return (data.pattern,)


def as_glob(pattern: str) -> str:
    """Returns a TFX input pattern with `*` for `{SPAN}`, `{VERSION:2}`, `{YYYY}` and the like."""
    return _PLACEHOLDER.sub("*", pattern)
