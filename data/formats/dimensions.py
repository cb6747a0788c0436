"""Columns of a .ts file: the values of its dimensions, which are the channels, then the class."""

from data.formats.chosen_columns import ChosenColumns
from data.formats.preamble import Preamble
from data.formats.table import Start
from pipeline_config import SignalData, UserInputError


def training_dimensions(
    preamble: Preamble, start: Start, data: SignalData, path: str
) -> ChosenColumns:
    """Returns the class's place in the rows of a .ts file to train on, or leaves the class out.

    Args:
        preamble: What the file says of itself.
        start: Its first rows, with commas alone.
        data: The settings.
        path: The file, for messages.

    Raises:
        UserInputError: The file has another length, number of dimensions or no classes; the
            message ends with the setting that reads it.
    """
    if data.drop:
        raise UserInputError(
            f"{path}: data.drop={','.join(data.drop)}: a .ts file has no other columns than "
            "samples and the class: --set data.drop="
        )
    if data.label not in ("last", "none"):
        raise UserInputError(
            f"{path}: data.label={data.label}, but the class is last in a .ts file: "
            "--set data.label=last"
        )
    if data.is_labelled and not preamble.has_classes:
        raise UserInputError(f"{path}: the file has no classes: --set data.label=none")
    if not data.channel and preamble.dimensions != data.channels:
        count = preamble.dimensions
        one = f", or one of them with --set data.channel={count - 1}" if count > 1 else ""
        raise UserInputError(
            f"{path}: the file has {count} dimension{'s' if count > 1 else ''}, but "
            f"data.channels={data.channels}{one}: --set data.channels={count}"
        )
    values = start.usual_count - preamble.has_classes
    length, rest = divmod(values, preamble.dimensions)
    if start.usual_count and length != data.length and not rest:
        raise UserInputError(
            f"{path}: rows have {length} samples, but data.length={data.length}: "
            f"--set data.length={length}"
        )
    return class_columns(preamble, data)


def class_columns(preamble: Preamble, data: SignalData) -> ChosenColumns:
    """Returns the class's place, or that it is left out if there is no label by the settings."""
    place = data.length * preamble.dimensions
    if not preamble.has_classes:
        return ChosenColumns()
    return ChosenColumns(place, ()) if data.is_labelled else ChosenColumns(None, (place,))
