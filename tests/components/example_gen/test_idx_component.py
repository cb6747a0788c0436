"""The component in a pipeline, with TFX's driver choosing the files."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from components.example_gen.component import example_gen
from components.example_gen.images import to_drift_examples
from data.formats.rows import Block, Rows
from pipeline_config import ImageData
from tests.components.example_gen.ingestion import read_splits, run_pipeline


def _block(images: np.ndarray, labels: np.ndarray) -> Block:
    numbers = np.arange(1, 1 + len(images))
    return Block("images", Rows(numbers, images, labels.astype(np.int64)))


def test_what_is_compared_between_spans_are_pixels_and_labels(
    pictures: tuple[np.ndarray, np.ndarray],
) -> None:
    images, labels = pictures
    examples = [example.features.feature for example in to_drift_examples(_block(images, labels))]
    assert [set(features) for features in examples] == [{"label", "pixels"}] * 30
    assert [features["label"].int64_list.value[0] for features in examples] == labels.tolist()
    of_first = list(examples[0]["pixels"].float_list.value)
    assert of_first == images[0].ravel().tolist(), "a small image is compared in full"


def test_a_large_image_is_compared_by_a_grid_of_its_pixels() -> None:
    image = np.arange(64 * 64, dtype=np.int64).reshape(1, 64, 64) % 64
    (example,) = to_drift_examples(_block(image.astype(np.uint8), np.zeros(1)))
    columns = np.reshape(example.features.feature["pixels"].float_list.value, (8, 8))
    assert columns.tolist() == [[4.0, 12.0, 20.0, 28.0, 36.0, 44.0, 52.0, 60.0]] * 8


def test_newest_span_is_ingested(tmp_path: Path, write_splits: Callable[[Path], None]) -> None:
    write_splits(tmp_path / "data" / "day-10")
    old = tmp_path / "data" / "day-9"
    old.mkdir()
    for file in (tmp_path / "data" / "day-10").iterdir():
        (old / file.name).write_bytes(b"must not be opened")
    data = ImageData(
        height=2,
        width=3,
        train_pattern="day-{SPAN}/train-*-ubyte*",
        eval_pattern="day-{SPAN}/t10k-*-ubyte*",
    )

    component = example_gen(str(tmp_path / "data"), data, fingerprint="a")
    artifact = run_pipeline(tmp_path, component)

    assert artifact.custom_properties["span"].int_value == 10
    assert json.loads(artifact.properties["split_names"].string_value) == ["train", "eval"]
    splits = read_splits(artifact.uri)
    assert (len(splits["train"]), len(splits["eval"])) == (20, 10)
