"""A progress bar for a training."""

from typing import Any

import keras

from trainer.progress_bar import progress_bar


class TrainingProgress(keras.callbacks.Callback):
    """Shows the epoch, loss and val_loss on a `progress_bar`."""

    def __init__(self, description: str, epochs: int) -> None:
        super().__init__()
        self._progress = progress_bar()
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
