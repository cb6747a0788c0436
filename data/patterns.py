"""Which files of a folder a config reads."""

from pipeline_config import ImageData, SignalData


def splits_of(data: SignalData | ImageData) -> dict[str, str]:
    """Returns a config's file patterns by the name of their input split at ExampleGen."""
    if isinstance(data, ImageData):
        return {"train": data.train_pattern, "eval": data.eval_pattern}
    return {"all": data.pattern}


def patterns_of(data: SignalData | ImageData) -> tuple[str, ...]:
    """Returns a config's file patterns; each must match at least one file."""
    return tuple(splits_of(data).values())
