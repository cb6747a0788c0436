import io
import sys

import pytest

from trainer.progress import TrainingProgress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def run(progress: TrainingProgress) -> None:
    progress.set_params({"steps": 4})
    progress.on_train_begin()
    for epoch in range(2):
        progress.on_epoch_begin(epoch)
        progress.on_train_batch_end(1)
        progress.on_epoch_end(epoch, {"loss": 0.5, "val_loss": 0.25})
    progress.on_train_end()


@pytest.mark.parametrize(
    ("stream", "setting", "shown"),
    [(Terminal(), "1", True), (Terminal(), "0", False), (io.StringIO(), "1", False)],
)
def test_is_shown_on_a_terminal_unless_turned_off(
    stream: io.StringIO, setting: str, shown: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AEPIPE_PROGRESS", setting)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr(sys, "stderr", stream)

    run(TrainingProgress("basic: training", epochs=2))

    assert ("val_loss 0.2500" in stream.getvalue()) is shown
