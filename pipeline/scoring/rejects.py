"""The file that rejected rows go to, as a former prediction left it."""

from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems

from data.formats.rows import REJECT_COLUMNS
from pipeline_config import UserInputError

HEADER = ",".join(REJECT_COLUMNS)


def require_rejects(path: str | None) -> None:
    """Checks that a file may be replaced, or removed if no row is rejected this time.

    Args:
        path: Where rejected rows would go; None for nowhere.

    Raises:
        UserInputError: There is a file that does not begin like one of rejected rows.
    """
    if path is None or not FileSystems.exists(path):
        return
    with FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED) as file:
        start = file.read(len(HEADER) + 1)
    if start and start.rstrip(b"\r\n") != HEADER.encode():
        raise UserInputError(
            f"{path}: rows that cannot be scored would go there, but there is a file of something "
            "else: name another one with --rejects"
        )
