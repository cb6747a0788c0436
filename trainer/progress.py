"""A progress bar for a training."""

import os
import sys
from typing import Any

import keras
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class TrainingProgress(keras.callbacks.Callback):
    """Shows the epoch, loss and val_loss on stderr.

    Nothing is shown if stderr is not a terminal or `AEPIPE_PROGRESS` is 0.
    """

    def __init__(self, description: str, epochs: int) -> None:
        super().__init__()
        console = Console(file=sys.stderr)
        self._progress = Progress(
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
        self._epochs = epochs
        self._description = description

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Draws the empty bar."""
        self._progress.start()
        self._task = self._progress.add_task(self._description, total=self._epochs, losses="")

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Moves the bar by a part of an epoch, if it is known how many steps there are."""
        steps = (self.params or {}).get("steps")
        if steps:
            self._progress.update(self._task, completed=self._epoch + (batch + 1) / steps)

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Notes which epoch it is."""
        self._epoch = epoch

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Shows the epoch's losses."""
        losses = "  ".join(f"{name} {value:.4f}" for name, value in (logs or {}).items())
        self._progress.update(self._task, completed=epoch + 1, losses=losses)

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Removes the bar."""
        # Rich ends even a disabled bar with an empty line.
        if not self._progress.disable:
            self._progress.stop()
