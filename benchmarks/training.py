"""The Trainer stage beside the tutorial's own script: python benchmarks/training.py basic.

The peer is the tutorial's code on arrays in memory: the same layers (`trainer/models.py`), Adam,
`model.fit(x, x, epochs=..., shuffle=True)` and nothing else. The Trainer stage reads Transform's
records, trains as many epochs, and exports the model. Needs AEPIPE_DATA, or trains on the sample.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from data.sources import resolve
from pipeline.home import DATA_CACHE
from pipeline.runners.local import RunRequest, run_pipelines
from pipeline_config import PIPELINES, ImageData, PipelineConfig


def aepipe(name: str, epochs: int, directory: str) -> tuple[float, float]:
    """Returns the Trainer stage's seconds and the val_loss that the evaluator found."""
    with tempfile.TemporaryDirectory() as home:
        settings = (f"trainer.epochs={epochs}",)
        request = RunRequest((name,), Path(home), Path(directory), settings)
        (outcome,) = run_pipelines(request, sys.stderr)
    return outcome.seconds["Trainer"], outcome.metrics["val_loss"]


def arrays(config: PipelineConfig, directory: Path) -> tuple[np.ndarray, np.ndarray]:
    """Returns both splits' images, float32 [N, H, W] in 0..1."""
    from data.formats.idx_file import find_pair, read_images
    from data.spans.files import matching_files

    data = config.data
    assert isinstance(data, ImageData)
    splits = []
    for pattern in (data.train_pattern, data.eval_pattern):
        pair = find_pair([str(path) for path in matching_files(directory, [pattern])], data.shape)
        images = np.concatenate([block.rows.values for block in read_images(*pair)])
        splits.append(images.reshape(-1, *data.shape).astype("float32") / 255)
    return splits[0], splits[1]


def plain_keras(config: PipelineConfig, epochs: int, directory: Path) -> tuple[float, float]:
    """Returns the seconds of `fit` and its last val_loss."""
    import keras
    import tensorflow as tf

    from trainer.models import build_model

    train, validation = arrays(config, directory)
    given, given_validation = train, validation
    if config.transform.noise:
        given, given_validation = (
            tf.clip_by_value(x + config.transform.noise * tf.random.normal(x.shape), 0, 1)
            for x in (train, validation)
        )
    keras.utils.set_random_seed(config.trainer.seed)
    model = build_model(config.model, config.data.shape)
    model.compile(optimizer="adam", loss=config.loss)
    start = time.monotonic()
    history = model.fit(
        given,
        train,
        epochs=epochs,
        shuffle=True,
        validation_data=(given_validation, validation),
        verbose=0,
    )
    return time.monotonic() - start, history.history["val_loss"][-1]


def main() -> None:
    """Prints one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pipeline", choices=["basic", "denoise"])
    parser.add_argument("--epochs", type=int, default=5)
    arguments = parser.parse_args()
    config = PIPELINES[arguments.pipeline]
    source = resolve(config, data_dir=None, environ=os.environ, cache_dir=DATA_CACHE)
    ours, our_loss = aepipe(config.name, arguments.epochs, str(source.directory))
    peer, peer_loss = plain_keras(config, arguments.epochs, source.directory)
    result = {
        "pipeline": config.name,
        "data": source.source,
        "epochs": arguments.epochs,
        "seconds": {"trainer_stage": round(ours, 1), "plain_keras_fit": round(peer, 1)},
        "ratio": round(ours / peer, 2),
        "val_loss": {"trainer_stage": our_loss, "plain_keras_fit": peer_loss},
    }
    print(json.dumps(result, indent=2))


main()
