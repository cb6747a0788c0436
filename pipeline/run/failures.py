"""Separates a user's mistake from a bug in an exception that crossed Beam, TFX or TensorFlow.

Beam re-raises what a worker raised as text in another exception, so the type is lost on the way
and the line is found by the name that stands before it.
"""

import errno
import re
from collections.abc import Iterator, Sequence

from pipeline.run.outcome import Status
from pipeline_config import GateRefusalError, UserInputError

_USER_LINE = re.compile(r"(?:UserInputError|SettingError): (?P<line>[^\n]+)")
_REFUSAL_LINE = re.compile(r"GateRefusalError: (?P<line>[^\n]+)")
_BEAM_SUFFIX = re.compile(r"\s*\[while running .*$")
_FULL_DISK = re.compile(r"No space left on device|database or disk is full|Disk quota exceeded")
_HELD_DATABASE = re.compile(r"Concurrent writes aborted|database is locked")
_READ_ONLY = re.compile(r"Read-only file system|attempt to write a readonly database")


def user_mistake(error: BaseException) -> str | None:
    """Returns the one line of a user's mistake behind `error`, or None if it is a bug."""
    for link in chain(error):
        if isinstance(link, UserInputError):
            return _clean(str(link))
    for link in chain(error):
        found = _USER_LINE.search(str(link))
        if found:
            return _clean(found["line"])
    return None


def full_disk(error: BaseException) -> OSError | None:
    """Returns the system's error if `error` comes from a full or read-only disk."""
    for link in chain(error):
        if isinstance(link, OSError) and link.errno in (errno.ENOSPC, errno.EROFS, errno.EDQUOT):
            return link
        if _FULL_DISK.search(str(link)):
            return OSError(errno.ENOSPC, "No space left on device")
        if _READ_ONLY.search(str(link)):
            return OSError(errno.EROFS, "Read-only file system")
    return None


def held_database(error: BaseException) -> bool:
    """Returns whether `error` is MLMD's, which waited in vain for another process."""
    return any(_HELD_DATABASE.search(str(link)) for link in chain(error))


def gate_refusal(error: BaseException) -> str | None:
    """Returns why the data gate refused, or None if `error` is something else."""
    for link in chain(error):
        if isinstance(link, GateRefusalError):
            return str(link)
    return None


def last_words(lines: Sequence[str]) -> tuple[Status, str]:
    """Returns status and reason of a failure by what its process printed, its traceback last.

    Args:
        lines: Of its standard error; at least the last of them.
    """
    text = "\n".join(lines)
    if refusals := _REFUSAL_LINE.findall(text):
        return "data_refused", refusals[-1].strip()
    if mistakes := _USER_LINE.findall(text):
        return "failed", _clean(mistakes[-1])
    spoken = [line.strip() for line in lines if line.strip()]
    return "failed", spoken[-1] if spoken else "it ended without a message"


def chain(error: BaseException) -> Iterator[BaseException]:
    """Yields an exception and those behind it."""
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        link = link.__cause__ or link.__context__


def _clean(line: str) -> str:
    return _BEAM_SUFFIX.sub("", line.splitlines()[0]).strip()
