"""Download of one file: tried again, verified, and put in place by a rename."""

import dataclasses
import os
from pathlib import Path

import filelock
import requests
from requests.adapters import HTTPAdapter
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from urllib3.util import Retry

from data.catalog import SourceFile, verify
from pipeline_config import UserInputError
from serving.push_directory.durable_files import publish

PARTIAL_FOLDER = ".partial"
"""Where unfinished downloads lie, below the data directory: no file pattern matches there."""

_CHUNK_BYTES = 1 << 16


class DownloadError(UserInputError):
    """A file could not be had from its server, or is not what it should be."""


class NoNetworkError(DownloadError):
    """No connection to the server could be made."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Patience:
    """How long to go on trying.

    Attributes:
        tries: Requests for one file.
        pause_s: Seconds before the third try, twice as many before the fourth, and so on.
        connect_s: Seconds for a connection to be made.
        read_s: Seconds without a byte.
    """

    tries: int = 3
    pause_s: float = 1.0
    connect_s: float = 5.0
    read_s: float = 15.0


def download(
    source: SourceFile, directory: Path, *, patience: Patience | None = None
) -> str | None:
    """Downloads one file to `directory / source.path`, replacing what is there.

    Two processes that want the same file take turns.

    Returns:
        A warning for the user if the file differs from the catalog but can be used.

    Raises:
        NoNetworkError: The server's name is not known, it refuses or does not answer.
        DownloadError: The server has no such file or keeps failing, or the content is wrong.
        UserInputError: The folder cannot be written, or its disk is full.
    """
    part = directory / PARTIAL_FOLDER / f"{source.folder}-{source.name}.part"
    target = directory / source.path
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(part.with_suffix(".lock")):
            try:
                _transfer(source, part, patience or Patience())
                verdict = verify(source, part)
                if not verdict.genuine:
                    raise DownloadError(f"{source.url}: discarded: {verdict.note}")
                target.parent.mkdir(parents=True, exist_ok=True)
                publish(part, target)
            except DownloadError:
                part.unlink(missing_ok=True)
                raise
    except OSError as error:
        reason = os.strerror(error.errno).lower() if error.errno else str(error)
        raise UserInputError(
            f"{error.filename or directory}: cannot keep downloads there: {reason}; allow it, or "
            f"put your own files elsewhere and name them with --data-dir or AEPIPE_DATA"
        ) from error
    return verdict.note


def _transfer(source: SourceFile, part: Path, patience: Patience) -> None:
    retry = Retry(
        patience.tries - 1,
        backoff_factor=patience.pause_s / 2,
        status_forcelist=(408, 429, 500, 502, 503, 504),
        raise_on_status=False,
        # A server may ask for hours.
        respect_retry_after_header=False,
    )
    with requests.Session() as session:
        for scheme in ("http://", "https://"):
            session.mount(scheme, HTTPAdapter(max_retries=retry))
        # `Retry` ends when the headers have come.
        for _ in range(patience.tries):
            try:
                with _request(session, source.url, patience) as response:
                    _save(response, source, part)
                return
            except requests.RequestException as error:
                problem = _one_line(error)
    raise DownloadError(
        f"{source.url}: the connection broke off: {problem} ({patience.tries} tries); "
        "try again later"
    )


def _request(session: requests.Session, url: str, patience: Patience) -> requests.Response:
    try:
        response = session.get(
            url,
            # A body that is compressed on the way has another digest.
            headers={"Accept-Encoding": "identity"},
            timeout=(patience.connect_s, patience.read_s),
            stream=True,
        )
    except (requests.ConnectionError, requests.Timeout) as error:
        raise NoNetworkError(f"no connection to {url}: {_one_line(error)}") from error
    except requests.RequestException as error:
        raise DownloadError(f"{url}: {_one_line(error)}") from error
    if not response.ok:
        response.close()
        raise DownloadError(
            f"{url}: the server answered {response.status_code} {response.reason}; "
            "try again later, or use --data-dir or AEPIPE_DATA"
        )
    return response


def _save(response: requests.Response, source: SourceFile, part: Path) -> None:
    """Writes the body to `part`, with a progress bar if stderr is a terminal."""
    console = Console(stderr=True)
    console.quiet = not console.is_terminal
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    total = int(response.headers.get("Content-Length", source.size))
    with (
        part.open("wb") as file,
        Progress(*columns, console=console, transient=True) as progress,
    ):
        task = progress.add_task(source.name, total=total)
        for chunk in response.iter_content(_CHUNK_BYTES):
            file.write(chunk)
            progress.advance(task, len(chunk))


def _one_line(error: BaseException) -> str:
    """Returns the innermost cause, without the objects that urllib3 prints around it."""
    inner = getattr(error, "reason", None) or next(iter(error.args), None)
    if isinstance(inner, BaseException):
        return _one_line(inner)
    text = " ".join(str(error).split())
    return text.split(">: ")[-1] or type(error).__name__
