"""Which files of a folder a config reads."""

from pipeline_config import ImageData, SignalData


def patterns_of(data: SignalData | ImageData) -> tuple[str, ...]:
    """Returns a config's file patterns; each must match at least one file."""
    if isinstance(data, ImageData):
        return (data.train_pattern, data.eval_pattern)
    return (data.pattern,)
