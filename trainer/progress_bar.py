"""The bar of a training and of a search of many; without Keras, which takes seconds to import."""

import os
import sys

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


def progress_bar() -> Progress:
    """Returns a bar on stderr, whose tasks have a field `losses`.

    Nothing is shown if stderr is not a terminal or `AEPIPE_PROGRESS` is 0.
    """
    console = Console(file=sys.stderr)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[losses]}"),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal or os.environ.get("AEPIPE_PROGRESS") == "0",
        transient=True,
        # What others print meanwhile is theirs: a pipeline runner has its own log file.
        redirect_stdout=False,
        redirect_stderr=False,
    )
