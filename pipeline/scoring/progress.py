"""How far a file is read, on standard error."""

import contextlib
from collections.abc import Iterator

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from pipeline.scoring.source import Advance, Source


@contextlib.contextmanager
def progress_bar(source: Source, *, wanted: bool) -> Iterator[Advance]:
    """Yields what moves the bar; there is none if standard error is no terminal."""
    console = Console(stderr=True)
    if not (wanted and console.is_terminal):
        # A disabled bar of rich's still ends with an empty line.
        yield lambda read: None
        return
    columns = (
        TextColumn("  scoring"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("scoring", total=source.bytes)
        yield lambda read: progress.update(task, completed=read)
