import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from trainings import Transformed

from trainer.input import Part, SplitReader


def ids_of(batches: tf.data.Dataset) -> list[bytes]:
    """Identifies examples by their clean values."""
    return [row.tobytes() for _, target in batches.as_numpy_iterator() for row in target]


def test_pairs_are_the_noisy_and_the_clean_example(pictures: Transformed) -> None:
    expected = pictures.tensors("eval")

    batches = list(SplitReader(pictures.files("eval"), pictures.output).batches(16))

    assert [len(given) for given, _ in batches] == [16, 16, 8]
    np.testing.assert_array_equal(np.concatenate([g for g, _ in batches]), expected["noisy"])
    np.testing.assert_array_equal(np.concatenate([t for _, t in batches]), expected["target"])


@pytest.mark.parametrize(("max_bytes", "sizes"), [(2**30, [12, 12, 12, 3]), (0, [12, 12, 12])])
def test_replicas_get_equal_parts_of_every_batch(
    max_bytes: int, sizes: list[int], beats: Transformed
) -> None:
    reader = SplitReader(beats.files("eval"), beats.output, max_in_memory_bytes=max_bytes)

    assert [len(target) for _, target in reader.batches(12, replicas=3)] == sizes


def test_without_noise_the_target_is_given(beats: Transformed) -> None:
    for given, target in SplitReader(beats.files("eval"), beats.output).batches(16):
        np.testing.assert_array_equal(given, target)


@pytest.mark.parametrize("max_bytes", [2**30, 0])
@pytest.mark.parametrize("labels", [(1,), (1, -1)])
def test_other_labels_are_left_out(
    beats: Transformed, labels: tuple[int, ...], max_bytes: int
) -> None:
    expected = beats.tensors("train")
    normal = {row.tobytes() for row in expected["target"][expected["label"] == 1]}

    reader = SplitReader(beats.files("train"), beats.output, labels, max_bytes)

    assert set(ids_of(reader.batches(7))) == normal
    assert 0 < len(normal) < len(expected["label"])


@pytest.mark.parametrize("max_bytes", [2**30, 0])
@pytest.mark.parametrize("labels", [None, (1,)])
def test_a_tenth_is_held_out_of_the_rest(
    beats: Transformed, labels: tuple[int, ...] | None, max_bytes: int
) -> None:
    def read(part: Part) -> set[bytes]:
        reader = SplitReader(beats.files("train"), beats.output, labels, max_bytes, part)
        return set(ids_of(reader.batches(7)))

    kept, held_out = read("kept"), read("held_out")

    assert kept | held_out == read("all")
    assert not kept & held_out
    assert 0.02 < len(held_out) / len(kept | held_out) < 0.25


def test_order_does_not_depend_on_the_files(beats: Transformed, tmp_path: Path) -> None:
    shards = sorted(tf.io.gfile.glob(beats.files("train")))
    for i, shard in enumerate(reversed(shards)):
        shutil.copy(shard, tmp_path / f"part-{i}.gz")

    original = SplitReader(beats.files("train"), beats.output).batches(8, shuffle_seed=1)
    renamed = SplitReader([str(tmp_path / "*")], beats.output).batches(8, shuffle_seed=1)

    assert ids_of(original) == ids_of(renamed)


@pytest.mark.parametrize("max_bytes", [2**30, 0])
def test_shuffles_anew_in_each_epoch_by_the_seed(beats: Transformed, max_bytes: int) -> None:
    reader = SplitReader(beats.files("train"), beats.output, max_in_memory_bytes=max_bytes)
    in_order = ids_of(reader.batches(8))

    batches = reader.batches(8, shuffle_seed=5)
    first, second = ids_of(batches), ids_of(batches)
    again = reader.batches(8, shuffle_seed=5)
    other = reader.batches(8, shuffle_seed=6)

    assert sorted(first) == sorted(second) == sorted(in_order)
    assert len({tuple(order) for order in (in_order, first, second, ids_of(other))}) == 4
    assert [ids_of(again), ids_of(again)] == [first, second]


def test_a_split_too_large_for_memory_has_the_same_examples(pictures: Transformed) -> None:
    in_memory = SplitReader(pictures.files("train"), pictures.output).batches(8)
    streamed = SplitReader(
        pictures.files("train"), pictures.output, max_in_memory_bytes=1000
    ).batches(8)

    assert sorted(ids_of(streamed)) == sorted(ids_of(in_memory))


def test_an_empty_split_is_reported(beats: Transformed, tmp_path: Path) -> None:
    tf.io.TFRecordWriter(str(tmp_path / "part.gz"), options="GZIP").close()

    with pytest.raises(ValueError, match="no example"):
        SplitReader([str(tmp_path / "*")], beats.output).batches(8)
