"""Download of one file: resumed where it broke off, verified, and put in place by a rename."""

import dataclasses
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock
import requests
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from data.catalog import SourceFile
from data.verify import verify
from pipeline_config import UserInputError
from serving.push_directory.durable_files import publish

PARTIAL_FOLDER = ".partial"
"""Where unfinished downloads lie, below the data directory: no file pattern matches there."""

_CHUNK_BYTES = 1 << 16
_PASSING_STATUS = frozenset({408, 429, 500, 502, 503, 504})


class DownloadError(UserInputError):
    """A file could not be had from its server, or is not what it should be."""


class NoNetworkError(DownloadError):
    """No connection to the server could be made."""


class _BrokenOffError(Exception):
    """This try failed in a way that the next may not."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Patience:
    """How long to go on trying.

    Attributes:
        tries: Requests for one file.
        pause_s: Seconds before the second try; each later pause is twice the one before.
        connect_s: Seconds for a connection to be made.
        read_s: Seconds without a byte.
    """

    tries: int = 3
    pause_s: float = 0.5
    connect_s: float = 10.0
    read_s: float = 30.0


@dataclasses.dataclass(frozen=True)
class Downloaded:
    """A file that is now in place.

    Attributes:
        path: Where it lies.
        note: A warning for the user: the file differs from the catalog but can be used.
    """

    path: Path
    note: str | None


def download(
    source: SourceFile, directory: Path, *, patience: Patience | None = None
) -> Downloaded:
    """Downloads one file to `directory / source.path`, replacing what is there.

    What an interrupted download left is taken up again, by this process or a later one; two
    processes that want the same file take turns.

    Raises:
        NoNetworkError: The server's name is not known, it refuses or does not answer.
        DownloadError: The server has no such file or keeps failing, or the content is wrong.
        UserInputError: The folder cannot be written, or its disk is full.
    """
    patience = patience or Patience()
    part = directory / PARTIAL_FOLDER / f"{source.folder}-{source.name}.part"
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(part.with_suffix(".lock")):
            return _download(source, directory / source.path, part, patience)
    except (requests.RequestException, ConnectionError):
        # An OSError by type, but not one of the folder.
        raise
    except OSError as error:
        reason = os.strerror(error.errno).lower() if error.errno else str(error)
        raise UserInputError(
            f"{error.filename or directory}: cannot keep downloads there: {reason}; allow it, or "
            f"put your own files elsewhere and name them with --data-dir or AEPIPE_DATA"
        ) from error


def _download(source: SourceFile, target: Path, part: Path, patience: Patience) -> Downloaded:
    failure = DownloadError(f"{source.url}: no try was made")
    for attempt in range(patience.tries):
        if attempt:
            time.sleep(patience.pause_s * 2 ** (attempt - 1))
        try:
            from_start = _transfer(source, part, patience)
        except requests.Timeout as error:
            raise _no_network(source, error) from error
        except requests.ConnectionError as error:
            failure = _no_network(source, error)
            continue
        except requests.RequestException as error:
            raise DownloadError(f"{source.url}: {_one_line(error)}") from error
        except _BrokenOffError as error:
            failure = _in_vain(source, str(error), patience)
            continue
        verdict = verify(source, part)
        if verdict.genuine:
            target.parent.mkdir(parents=True, exist_ok=True)
            publish(part, target)
            return Downloaded(target, verdict.note)
        part.unlink()
        if from_start:
            raise DownloadError(f"{source.url}: discarded: {verdict.note}")
        # The rest may have been appended to a part of another file: start afresh.
        failure = _in_vain(source, f"discarded: {verdict.note}", patience)
    raise failure


def _transfer(source: SourceFile, part: Path, patience: Patience) -> bool:
    """Brings `part` up to the whole file; returns whether all of it came from this request.

    Raises:
        _BrokenOffError: The server failed for now or the body ended early; `part` keeps the rest.
        DownloadError: The server says that there is no such file.
        requests.RequestException: No response was had.
    """
    have = part.stat().st_size if part.exists() else 0
    if have == source.size:
        return False
    # "identity": a body that is compressed on the way has another length and another digest.
    headers = {"Accept-Encoding": "identity"}
    if 0 < have < source.size:
        headers["Range"] = f"bytes={have}-"
    timeout = (patience.connect_s, patience.read_s)
    with requests.get(source.url, headers=headers, timeout=timeout, stream=True) as response:
        have = _resumes_at(response, have, part)
        total = _total(response, have) or source.size
        try:
            with (
                part.open("ab" if have else "wb") as file,
                _bar(source.name, total, have) as advance,
            ):
                for chunk in response.iter_content(_CHUNK_BYTES):
                    file.write(chunk)
                    advance(len(chunk))
        except requests.RequestException as error:
            raise _BrokenOffError(f"the connection broke off: {_one_line(error)}") from error
    size = part.stat().st_size
    if size < total:
        raise _BrokenOffError(f"the connection broke off after {size} of {total} bytes")
    return have == 0


def _resumes_at(response: requests.Response, asked: int, part: Path) -> int:
    """Returns at which byte the body starts: 0 if the server ignores the range."""
    status = response.status_code
    if status == requests.codes.ok:
        return 0
    if status == requests.codes.partial_content:
        if response.headers.get("Content-Range", "").startswith(f"bytes {asked}-"):
            return asked
        part.unlink(missing_ok=True)
        raise _BrokenOffError("the server sent another range than the one asked for")
    if status == requests.codes.requested_range_not_satisfiable:
        part.unlink(missing_ok=True)
        raise _BrokenOffError("the server's file is shorter than what was had of it")
    problem = f"the server answered {status} {response.reason}"
    if status in _PASSING_STATUS:
        raise _BrokenOffError(problem)
    raise DownloadError(f"{response.url}: {problem}; use --data-dir or AEPIPE_DATA")


def _total(response: requests.Response, start: int) -> int | None:
    length = response.headers.get("Content-Length", "")
    return start + int(length) if length.isdigit() else None


@contextmanager
def _bar(name: str, total: int, done: int) -> Iterator[Callable[[int], None]]:
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda count: None
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(name, total=total, completed=done)
        yield lambda count: progress.advance(task, count)


def _in_vain(source: SourceFile, problem: str, patience: Patience) -> DownloadError:
    return DownloadError(f"{source.url}: {problem} ({patience.tries} tries); try again later")


def _no_network(source: SourceFile, error: Exception) -> NoNetworkError:
    return NoNetworkError(f"no connection to {source.url}: {_one_line(error)}")


def _one_line(error: Exception) -> str:
    """The innermost cause, without the layers of objects that urllib3 prints around it."""
    inner: BaseException = error
    while True:
        reason = getattr(inner, "reason", None)
        nested = reason if isinstance(reason, BaseException) else None
        if nested is None and inner.args and isinstance(inner.args[0], BaseException):
            nested = inner.args[0]
        if nested is None:
            break
        inner = nested
    text = " ".join(str(inner).split())
    return text.split(">: ")[-1] or type(error).__name__
