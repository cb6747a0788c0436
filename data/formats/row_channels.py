"""How many channels the rows of a text file have."""

from data.formats.channels import pick_channels
from pipeline_config import SignalData


def channels_in_rows(data: SignalData, values: int) -> int:
    """Returns how many channels the rows of a text file have.

    Args:
        data: The settings; without `data.channel` a row has `data.channels` channels.
        values: In a row: samples of all channels, a label or none, and dropped columns.
    """
    wanted = [int(channel) for channel in data.channel if channel.isdecimal()]
    if not wanted:
        return data.channels
    least = max(wanted) + 1
    for others in range(len(data.drop) + 2):
        found, rest = divmod(values - others, data.length)
        if not rest and found >= least:
            return found
    return least


def picked_channels(data: SignalData, in_file: int, path: str) -> tuple[int, ...]:
    """Returns the channels to read, from 0; empty for all of them.

    Raises:
        UserInputError: See `pick_channels`; channels of rows have no names.
    """
    return tuple(pick_channels([""] * in_file, data, path)) if data.channel else ()
