"""The tutorial's examples are recognised by what ExampleGen makes of its files."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from components.example_gen import images, signals
from components.threshold_evaluator.bounds import TUTORIAL_EXAMPLES
from components.threshold_evaluator.scores import Scores, examples_digest
from data.formats.idx_file import find_pair, read_images
from data.formats.signal_file import read_signals
from data.sample import write_sample
from pipeline_config import ANOMALY, BASIC, ID_FEATURE, ImageData, SignalData

DATA = os.environ.get("AEPIPE_DATA")
needs_data = pytest.mark.skipif(not DATA, reason="AEPIPE_DATA does not name the real files")


def digest(examples: Iterable[tf.train.Example]) -> str | None:
    ids = [one.features.feature[ID_FEATURE].bytes_list.value[0] for one in examples]
    halves = np.frombuffer(bytes.fromhex(b"".join(ids).decode()), ">u8").reshape(-1, 2)
    none = np.zeros(len(ids), np.float32)
    return examples_digest({"all": Scores(none, none, none, None, halves.astype(np.uint64))})


def beats(file: Path, data: SignalData) -> Iterator[tf.train.Example]:
    for block in read_signals(str(file), data):
        yield from signals.to_examples(block)


def pictures(folder: Path) -> Iterator[tf.train.Example]:
    for split in ("train", "t10k"):
        paths = sorted(str(path) for path in folder.glob(f"{split}-*"))
        for block in read_images(*find_pair(paths, ImageData().shape)):
            yield from images.to_examples(block)


def test_the_sample_stands_in_for_the_tutorials_files(tmp_path: Path) -> None:
    write_sample(ANOMALY, tmp_path)
    write_sample(BASIC, tmp_path)
    found = digest(beats(tmp_path / "ecg" / "ecg.csv", SignalData()))
    assert TUTORIAL_EXAMPLES[str(found)] == "the built-in sample of ecg.csv"
    found = digest(pictures(tmp_path / "fashion_mnist"))
    assert TUTORIAL_EXAMPLES[str(found)] == "the built-in sample of Fashion-MNIST"
    # Another reading of the labels is another task.
    turned = digest(beats(tmp_path / "ecg" / "ecg.csv", SignalData(normal=("0",))))
    assert turned not in TUTORIAL_EXAMPLES


@needs_data
def test_the_real_files_are_the_tutorials() -> None:
    found = digest(beats(Path(str(DATA), "ecg", "ecg.csv"), SignalData()))
    assert TUTORIAL_EXAMPLES[str(found)] == "ecg.csv"
    found = digest(pictures(Path(str(DATA), "fashion_mnist")))
    assert TUTORIAL_EXAMPLES[str(found)] == "Fashion-MNIST"
