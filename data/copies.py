"""Files of equal content, whose rows would count twice."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from data.checksum import FileDigests
from pipeline_config import UserInputError


def refuse_copies(paths: Iterable[Path], digests: FileDigests) -> None:
    """Checks that no two files of one data set have the same content.

    The name that is shorter is taken for the original's, as a copy is called `ecg (1).csv` or
    `ecg copy.csv`. Files without content are left to their reader.

    Raises:
        UserInputError: Two files have, or one cannot be read.
    """
    for _, copies in _by_content(paths, digests):
        original, copy = sorted(copies, key=lambda path: (len(path.name), str(path)))[:2]
        raise UserInputError(f"{copy} is a copy of {original}: remove one of the two")


def copies_between_spans(spans: Sequence[Iterable[Path]], digests: FileDigests) -> list[str]:
    """Returns a notice for the files of one span that are in another span too, if there are any.

    A delivery may be the same as the one before, so this is no mistake by itself.
    """
    paths = [path for span in spans for path in span]
    copies = [copies for _, copies in _by_content(paths, digests)]
    if not copies:
        return []
    first, second, *_ = copies[0]
    more = f", and {len(copies) - 1} more such files" if len(copies) > 1 else ""
    return [f"{second} has the content of {first}: its rows count twice{more}"]


def _by_content(paths: Iterable[Path], digests: FileDigests) -> Iterable[tuple[str, list[Path]]]:
    by_digest: dict[str, list[Path]] = defaultdict(list)
    for path in paths:
        if path.stat().st_size:
            by_digest[digests.sha256(path)].append(path)
    return [(digest, same) for digest, same in by_digest.items() if len(same) > 1]
