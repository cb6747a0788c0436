"""A trial's training on what Transform wrote, and what it is judged by."""

import dataclasses
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import trainer.train
from pipeline.build import training_settings
from pipeline.tuning.training import TuningData, mean_error, train_trial
from pipeline.tuning.trials import DivergedError
from pipeline_config import ANOMALY, PipelineConfig, UserInputError
from tests.trainer.trainings import Transformed, arguments, transform
from trainer.autoencoder import Autoencoder
from trainer.models import build_model

LENGTH = 24


@pytest.fixture(scope="module")
def beats(tmp_path_factory: pytest.TempPathFactory) -> Transformed:
    """Waves, two thirds of them labelled normal; a calibration split, and no eval split to read."""
    generator = np.random.default_rng(3)
    phase = generator.uniform(0, 1, (300, 1))
    waves = (np.sin(np.linspace(0, 6, LENGTH) + phase)).astype(np.float32)
    data = transform(tmp_path_factory.mktemp("beats"), "signal", waves[:280], waves[280:], 0.0)
    (data.folder / "Split-eval").rename(data.folder / "Split-calibration")
    return data


def config_of(base: PipelineConfig, **trainer: float) -> PipelineConfig:
    return dataclasses.replace(
        base,
        data=dataclasses.replace(ANOMALY.data, length=LENGTH),
        trainer=dataclasses.replace(ANOMALY.trainer, batch_size=32, **trainer),  # type: ignore[arg-type]
    )


def data_of(config: PipelineConfig, data: Transformed) -> TuningData:
    return TuningData.of(config, str(data.folder / "graph"), str(data.folder))


def normal_rows(data: Transformed, split: str) -> set[bytes]:
    tensors = data.tensors(split)
    return {row.tobytes() for row in tensors["target"][tensors["label"] == 1]}


def test_each_epoch_is_judged_and_none_reads_the_eval_split(beats: Transformed) -> None:
    config = config_of(ANOMALY, epochs=3)
    judged: list[tuple[int, float]] = []

    error = train_trial(
        config, data_of(config, beats), lambda epoch, error: judged.append((epoch, error))
    )

    assert [epoch for epoch, _ in judged] == [1, 2, 3]
    assert judged[-1][1] == pytest.approx(error, rel=1e-6)
    assert 0 < error < judged[0][1]
    again = train_trial(config, data_of(config, beats), lambda *_: None)
    assert again == pytest.approx(error, rel=1e-6), "a trial depends on its settings alone"


def test_held_out_examples_are_normal_and_not_trained_on(beats: Transformed) -> None:
    config = config_of(ANOMALY, epochs=1)
    normal = normal_rows(beats, "train")

    data = data_of(config, beats)

    held_out = {row.tobytes() for _, clean in data.held_out_batches for row in clean.numpy()}
    trained = {row.tobytes() for _, clean in data.train.batches(64) for row in clean.numpy()}
    assert held_out
    assert held_out | trained == normal
    assert not held_out & trained
    assert data.described.startswith(f"{len(held_out)} normal examples of the training split")


def test_held_out_normals_are_the_calibration_split(beats: Transformed) -> None:
    config = config_of(ANOMALY, epochs=1)
    config = dataclasses.replace(config, data=dataclasses.replace(config.data, held_out=0.2))

    data = data_of(config, beats)

    for split, batches in (
        ("calibration", data.held_out_batches),
        ("train", data.train.batches(64)),
    ):
        labels = beats.tensors(split)["label"]
        assert sum(len(clean) for _, clean in batches) == (labels == 1).sum() > 0
    assert data.described.endswith(" normal examples of the calibration split")


@dataclasses.dataclass
class Fitted:
    """The examples that Keras was given, as bytes."""

    trained: set[bytes]
    watched: set[bytes]


@pytest.fixture
def fitted(monkeypatch: pytest.MonkeyPatch) -> list[Fitted]:
    """One entry a training."""
    found: list[Fitted] = []
    fit = keras.Model.fit

    def noting(model: keras.Model, batches: Any, *, validation_data: Any, **options: Any) -> Any:
        trained, watched = (
            {row.tobytes() for _, clean in dataset for row in clean.numpy()}
            for dataset in (batches, validation_data)
        )
        found.append(Fitted(trained, watched))
        return fit(model, batches, validation_data=validation_data, **options)

    monkeypatch.setattr(keras.Model, "fit", noting)
    return found


def run_training(config: PipelineConfig, data: Transformed, folder: Path) -> None:
    """Trains as a run does, and validates on the calibration split's files."""
    given = arguments(folder, data, config.model, config.loss) | {
        "custom_config": {"config": training_settings(config)},
        "eval_files": data.files("calibration"),
    }
    trainer.train.run_fn(types.SimpleNamespace(**given))  # type: ignore[arg-type]


@pytest.mark.parametrize("patience", [0, 2])
def test_a_trial_and_a_run_train_and_stop_by_the_same_examples(
    beats: Transformed, fitted: list[Fitted], tmp_path: Path, patience: int
) -> None:
    config = config_of(ANOMALY, epochs=2, early_stopping_patience=patience)
    config = dataclasses.replace(config, data=dataclasses.replace(config.data, held_out=0.2))
    normal = {split: normal_rows(beats, split) for split in ("train", "calibration")}

    train_trial(config, data_of(config, beats), lambda *_: None)
    run_training(config, beats, tmp_path / "training")

    trial, run = fitted
    assert trial == run
    if patience:
        # What a threshold is set on does not stop the training.
        assert run.trained | run.watched == normal["train"]
        assert run.watched
        assert not run.trained & run.watched
    else:
        assert run == Fitted(normal["train"], normal["calibration"])


def test_with_nothing_held_out_a_run_stops_by_the_eval_split(
    beats: Transformed, fitted: list[Fitted], tmp_path: Path
) -> None:
    config = config_of(ANOMALY, epochs=1, early_stopping_patience=2)

    run_training(config, beats, tmp_path / "training")

    (run,) = fitted
    validation = {row.tobytes() for row in beats.tensors("calibration")["target"]}
    assert run == Fitted(normal_rows(beats, "train"), validation)


def run_trial(config: PipelineConfig, data: Transformed, folder: Path) -> None:
    del folder
    train_trial(config, data_of(config, data), lambda *_: None)


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Transformed:
    """Four examples to train on, and as many held out."""
    waves = np.sin(np.linspace(0, 6, LENGTH)[None] + np.arange(8)[:, None]).astype(np.float32)
    data = transform(tmp_path_factory.mktemp("few"), "signal", waves[:4], waves[4:], 0.0)
    (data.folder / "Split-eval").rename(data.folder / "Split-calibration")
    return data


@pytest.mark.parametrize("train", [run_training, run_trial])
def test_too_few_examples_to_stop_early_by_are_one_line(
    few: Transformed,
    tmp_path: Path,
    train: Callable[[PipelineConfig, Transformed, Path], None],
) -> None:
    config = config_of(ANOMALY, epochs=2, early_stopping_patience=2)
    config = dataclasses.replace(config, data=dataclasses.replace(config.data, held_out=0.5))

    with pytest.raises(UserInputError) as refusal:
        train(config, few, tmp_path / "training")

    assert str(refusal.value) == (
        "trainer.early_stopping_patience=2 watches a tenth of the examples to train on, and they "
        "are too few to have one: give more rows, or --set trainer.early_stopping_patience=0"
    )


def test_the_objective_is_the_mean_error_of_an_example(beats: Transformed) -> None:
    data = data_of(config_of(ANOMALY), beats)
    keras.utils.set_random_seed(0)
    model = build_model("AnomalyDetector", (LENGTH,))
    clean = np.concatenate([batch.numpy() for _, batch in data.held_out_batches])
    off = model.predict(clean, verbose=0) - clean

    for loss, expected in (("mae", np.abs(off).mean()), ("mse", np.square(off).mean())):
        found = mean_error(model, data.held_out_batches, loss)  # type: ignore[arg-type]
        assert found == pytest.approx(float(expected), rel=1e-5)


def test_a_training_that_diverges_ends_with_a_reason(
    beats: Transformed, monkeypatch: pytest.MonkeyPatch
) -> None:
    def with_a_nan(name: str, shape: tuple[int, ...]) -> Autoencoder:
        model = build_model(name, shape)
        model.set_weights([weight * np.nan for weight in model.get_weights()])
        return model

    monkeypatch.setattr(trainer.train, "build_model", with_a_nan)
    config = config_of(ANOMALY, epochs=50)
    with pytest.raises(DivergedError, match=r"not a number after epoch 1$"):
        train_trial(config, data_of(config, beats), lambda *_: None)


def test_too_few_examples_are_one_line(tmp_path: Path, beats: Transformed) -> None:
    (tmp_path / "Split-train").mkdir()
    graph = str(beats.folder / "graph")
    with pytest.raises(UserInputError, match=r"no normal example of the training split.*more data"):
        TuningData.of(config_of(ANOMALY), graph, str(tmp_path))
