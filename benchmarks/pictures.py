"""The pipelines of pictures beside the tutorial's and a PCA: python benchmarks/pictures.py.

- `val_loss`: MSE of the eval split of `basic`, `basic_plus`, `denoise` and `denoise_plus`; beside
  the former a principal component analysis of as many components as these have latent values
  (scikit-learn), beside the latter the noisy input itself.
- `seconds_per_epoch`: the Trainer stage's seconds by its epochs, its reading and export included,
  one pipeline after the other on the same machine, and the ratios.
- `one_class`: roc_auc of a detector of pictures (docs/garments.toml) trained on one class, for
  each of `--classes`, and their mean. Commonly reported for one-class methods on Fashion-MNIST are
  means of 0.90 to 0.94, a range that is not verified here. I. Golan, R. El-Yaniv: Deep anomaly
  detection using geometric transformations. NeurIPS (2018), has this experiment, but no detector
  by reconstruction error in it: by its published code (experiments.py) it compares a classifier of
  transformations with, among others, a one-class SVM on an autoencoder's codes, whose parameters
  are those with the best AUC on the test images.

Each figure is of a whole run of its pipeline, with the mean and the standard deviation over
`--seeds`. Needs AEPIPE_DATA, or trains on the sample. Ten classes take about as long as ten runs
of `basic`: `--classes 0,9` measures two.
"""

import argparse
import dataclasses
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data.formats.image_file import find_images_to_train
from data.sources import resolve
from data.spans.files import matching_files
from pipeline.config_file import read_config_file
from pipeline.home import DATA_CACHE
from pipeline.run.outcome import RunOutcome
from pipeline.runners.local import RunRequest, run_pipelines
from pipeline_config import BASIC, PIPELINES, ImageData

LATENT = 64
GARMENTS = Path(__file__).parents[1] / "docs" / "garments.toml"
PAIRS = {"basic": "basic_plus", "denoise": "denoise_plus"}


def images(directory: Path) -> list[np.ndarray]:
    """Returns both splits' images, float32 [N, pixels] in 0..1."""
    data = BASIC.data
    assert isinstance(data, ImageData)
    splits = []
    for pattern in (data.train_pattern, data.eval_pattern):
        paths = [str(path) for path in matching_files(directory, [pattern])]
        blocks = [block for read in find_images_to_train(paths, data, {}) for block in read()]
        values = np.concatenate([block.rows.values for block in blocks])
        splits.append(values.reshape(len(values), -1).astype("float32") / 255)
    return splits


def pca_loss(directory: Path) -> float:
    """Returns the MSE of the eval images from their principal components."""
    from sklearn.decomposition import PCA

    train, evaluation = images(directory)
    pca = PCA(LATENT, random_state=0).fit(train)
    return float(np.mean((pca.inverse_transform(pca.transform(evaluation)) - evaluation) ** 2))


def run(name: str, directory: Path, seed: int, epochs: int | None) -> tuple[RunOutcome, float]:
    """Runs a pipeline; returns its outcome and the Trainer's seconds an epoch."""
    count = epochs or PIPELINES[name].trainer.epochs
    settings = (
        f"trainer.seed={seed}",
        f"trainer.epochs={count}",
        # What a figure is like is the benchmark's to say, and no server is needed for it.
        "infra_validator.enabled=false",
        "evaluator.upper_bounds.val_loss=none",
    )
    if PIPELINES[name].is_detector:
        settings = settings[:3]
    with tempfile.TemporaryDirectory() as home:
        request = RunRequest((name,), Path(home), directory, settings)
        (outcome,) = run_pipelines(request, sys.stderr)
    return outcome, outcome.seconds["Trainer"] / count


def spread(values: Sequence[float]) -> dict[str, float]:
    return {"mean": float(np.mean(values)), "std": float(np.std(values))}


def compared(directory: Path, seeds: int, epochs: int | None) -> dict[str, Any]:
    """Returns the losses and the seconds an epoch of the tutorial's and the plus models."""
    losses: dict[str, Any] = {}
    seconds: dict[str, Any] = {}
    for pair in PAIRS.items():
        for name in pair:
            runs = [run(name, directory, 42 + seed, epochs) for seed in range(seeds)]
            losses[name] = spread([outcome.metrics["val_loss"] for outcome, _ in runs])
            seconds[name] = spread([of_epoch for _, of_epoch in runs])
        losses["noisy_input"] = runs[0][0].metrics.get("noisy_mse")
        seconds[f"{pair[1]} / {pair[0]}"] = seconds[pair[1]]["mean"] / seconds[pair[0]]["mean"]
    return {"val_loss": losses, "seconds_per_epoch": seconds}


def one_class(directory: Path, classes: Sequence[str], epochs: int | None) -> dict[str, Any]:
    """Returns roc_auc of detectors that are trained on one class each."""
    detector = read_config_file(GARMENTS).pipelines["boots"].config
    found = {}
    for name in classes:
        data = dataclasses.replace(detector.data, normal=(name,))
        PIPELINES.use({**PIPELINES.built_in, "boots": dataclasses.replace(detector, data=data)})
        outcome, _ = run("boots", directory, 42, epochs)
        found[name] = outcome.metrics["roc_auc"]
    return {"roc_auc": found, "mean": float(np.mean(list(found.values())))}


def main() -> None:
    """Prints one JSON object."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--epochs", type=int, help="instead of each pipeline's own")
    parser.add_argument("--classes", default="0,1,2,3,4,5,6,7,8,9", help="'' for none")
    parser.add_argument("--only-classes", action="store_true")
    arguments = parser.parse_args()
    source = resolve(BASIC, data_dir=None, environ=os.environ, cache_dir=DATA_CACHE)
    directory = Path(source.directory)
    result: dict[str, Any] = {"data": source.source, "seeds": arguments.seeds}
    if not arguments.only_classes:
        result |= compared(directory, arguments.seeds, arguments.epochs)
        result["val_loss"][f"pca_{LATENT}"] = pca_loss(directory)
    if classes := [name for name in arguments.classes.split(",") if name]:
        result["one_class"] = one_class(directory, classes, arguments.epochs)
    print(json.dumps(result, indent=2))


main()
