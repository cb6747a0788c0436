"""Which examples a training validates on."""

from types import SimpleNamespace
from typing import Any

import pytest

from pipeline_config import ANOMALY, BASIC, DENOISE, PipelineConfig, TrainerConfig, section_as_dict
from trainer import train
from trainer.input import SplitReader


def readers(
    monkeypatch: pytest.MonkeyPatch, config: PipelineConfig, trainer: TrainerConfig, **more: Any
) -> tuple[SplitReader, SplitReader]:
    """Returns what the Trainer would train and validate on."""
    seen: list[SplitReader] = []

    class StoppedError(Exception):
        pass

    def fit(
        settings: Any, training: SplitReader, validation: SplitReader, *_: Any, **__: Any
    ) -> Any:
        seen.extend((training, validation))
        raise StoppedError

    monkeypatch.setattr(train, "fit", fit)
    fn_args = SimpleNamespace(
        custom_config={
            "config": {
                "name": config.name,
                "model": config.model,
                "loss": config.loss,
                "detector": config.is_detector,
                "feature": config.data.feature,
                "shape": list(config.data.shape),
                "trainer": section_as_dict(trainer),
                **more,
            }
        },
        transform_graph_path="/none",
        train_files=["train"],
        eval_files=["other"],
        model_run_dir="/none",
        base_model=None,
    )
    with pytest.raises(StoppedError):
        train.run_fn(fn_args)  # type: ignore[arg-type]
    training, validation = seen
    return training, validation


@pytest.mark.parametrize("config", [ANOMALY, BASIC, DENOISE], ids=lambda config: config.name)
def test_validation_is_the_eval_split_unless_some_are_held_out(
    monkeypatch: pytest.MonkeyPatch, config: PipelineConfig
) -> None:
    training, validation = readers(monkeypatch, config, config.trainer)
    assert (validation.patterns, validation.labels, validation.part) == (["other"], None, "all")

    held_out = readers(monkeypatch, config, config.trainer, validates_on_held_out=True)
    assert held_out[0].patterns == training.patterns == ["train"]
    assert held_out[0].labels == training.labels
    assert held_out[1].patterns == ["other"]
    assert held_out[1].labels == ((1, -1) if config.is_detector else None)
