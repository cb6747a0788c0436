"""Which channels of a recording are read, by name or number."""

from collections.abc import Sequence

from pipeline_config import SignalData, UserInputError


def pick_channels(names: Sequence[str], data: SignalData, path: str) -> list[int]:
    """Returns the places of the channels to read, in the order of the settings.

    Args:
        names: Of the channels that there are.
        data: `channel` names or numbers them, from 0; if it is empty, the first `channels` are.
        path: The file, for messages.

    Raises:
        UserInputError: A channel is not there, or there are more or fewer than `channels`.
    """
    there = ", ".join(
        f"{place} {name!r}" if name else str(place) for place, name in enumerate(names)
    )
    if data.channel and len(data.channel) != data.channels:
        raise UserInputError(
            f"{path}: data.channel={','.join(data.channel)} names {len(data.channel)}, but "
            f"data.channels={data.channels}: --set data.channels={len(data.channel)}"
        )
    if data.channels > len(names):
        raise UserInputError(
            f"{path}: data.channels={data.channels}, but it has {len(names)} ({there}): "
            f"--set data.channels={len(names)}"
        )
    return [_place(wanted, names, there, path) for wanted in data.channel] or [
        *range(data.channels)
    ]


def _place(wanted: str, names: Sequence[str], there: str, path: str) -> int:
    places = [place for place, name in enumerate(names) if name == wanted]
    if not places and wanted.isdigit() and int(wanted) < len(names):
        return int(wanted)
    if len(places) == 1:
        return places[0]
    fault = "there is no such channel" if not places else "several channels have this name"
    raise UserInputError(
        f"{path}: data.channel={wanted}: {fault}: there are {there}: --set data.channel=NAME, or "
        "its number"
    )
