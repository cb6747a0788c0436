"""What a file is, for a person who asks what a run would read."""

import dataclasses

from data.formats.csv_file import text_facts
from data.formats.example_file import example_format
from data.formats.image_file import image_kind
from pipeline_config import ImageData, SignalData


@dataclasses.dataclass(frozen=True)
class FileFacts:
    """What a file is.

    Attributes:
        format: "text", "arff", "ts", "npy", "npz", "parquet", "wfdb", "idx" or "pictures".
        separator: What is between the cells of a text; empty for another format.
        has_header: Whether a line of a text names its columns.
    """

    format: str
    separator: str = ""
    has_header: bool = False

    def __str__(self) -> str:
        if not self.separator:
            return self.format
        return f"{self.format}, {self.separator}, {'a' if self.has_header else 'no'} header"


def file_facts(path: str, data: SignalData | ImageData) -> FileFacts:
    """Returns what a file is.

    Args:
        path: A file on any file system that Beam supports.
        data: What the settings say of it.

    Raises:
        UserInputError: It is of no format that is read.
    """
    if isinstance(data, ImageData):
        return FileFacts(image_kind([path]))
    kind, _ = example_format(path)
    if kind is not None:
        return FileFacts(kind)
    return FileFacts(*text_facts(path, data.separator))
