"""The verdict in the contract of TFX's InfraValidator, which its Pusher reads."""

from tfx.types.artifact import Artifact
from tfx.utils import io_utils

BLESSED_FILE = "INFRA_BLESSED"
NOT_BLESSED_FILE = "INFRA_NOT_BLESSED"
BLESSED_PROPERTY = "blessed"

LOG_FILE = "server.log"
"""Beside the verdict, what the server said; not there where none was started."""

REASON_PROPERTY = "reason"
"""Why not, in one line; not part of TFX's contract."""


def write_blessing(blessing: Artifact, fault: str | None) -> None:
    """Writes a verdict.

    Args:
        blessing: The artifact: an empty file named by the verdict, and custom properties.
        fault: Why the model is not to be pushed; None where it may.
    """
    file = BLESSED_FILE if fault is None else NOT_BLESSED_FILE
    io_utils.write_string_file(f"{blessing.uri}/{file}", "")
    blessing.set_int_custom_property(BLESSED_PROPERTY, int(fault is None))
    if fault is not None:
        blessing.set_string_custom_property(REASON_PROPERTY, fault)
