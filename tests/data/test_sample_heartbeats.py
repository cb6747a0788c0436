"""The synthetic heartbeats: layout of the file, and what a row looks like."""

import io
from pathlib import Path

import numpy as np
import pytest

from data.sample_heartbeats import ABNORMAL, NORMAL, NORMAL_SHARE, blocks, heartbeats, write_csv


def written(path: Path, rows: int = 500, length: int = 140, seed: int = 0) -> np.ndarray:
    write_csv(path, rows=rows, length=length, rng=np.random.default_rng(seed))
    return np.loadtxt(path, delimiter=",", ndmin=2)


@pytest.mark.parametrize(("rows", "length"), [(50, 140), (1000, 140), (60, 2), (60, 333)])
def test_file_has_the_tutorials_layout(tmp_path, rows, length):
    table = written(tmp_path / "ecg.csv", rows, length)
    assert table.shape == (rows, length + 1)
    assert set(table[:, -1]) == {0.0, 1.0}
    assert table[:, -1].mean() == pytest.approx(NORMAL_SHARE, abs=0.02)
    assert np.isfinite(table).all()


def test_text_has_no_header_and_the_tutorials_label(tmp_path):
    written(tmp_path / "ecg.csv", 50)
    lines = (tmp_path / "ecg.csv").read_bytes().split(b"\n")
    assert lines[0].endswith(b",1.0")
    assert lines[-2].endswith(b",0.0")
    assert lines[-1] == b""
    assert not any(b"\r" in line for line in lines)


def test_rows_are_sorted_by_class_inside_two_parts(tmp_path):
    labels = written(tmp_path / "ecg.csv", 1000, 20)[:, -1]
    changes = np.flatnonzero(np.diff(labels)) + 1
    assert changes.tolist() == [58, 100, 626]
    assert labels[0] == 1


def test_each_row_is_standardised(tmp_path):
    signals = written(tmp_path / "ecg.csv")[:, :-1]
    np.testing.assert_allclose(signals.mean(axis=1), 0, atol=1e-6)
    np.testing.assert_allclose(signals.std(axis=1), 1, atol=1e-6)


def test_no_row_occurs_twice(tmp_path):
    signals = written(tmp_path / "ecg.csv", 2000)[:, :-1]
    assert len(np.unique(signals, axis=0)) == 2000


def test_same_seed_same_bytes(tmp_path):
    for name, seed in (("a", 7), ("b", 7), ("c", 8)):
        written(tmp_path / name, 300, seed=seed)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert (tmp_path / "a").read_bytes() != (tmp_path / "c").read_bytes()


def test_a_large_sample_comes_in_blocks_of_one_size():
    sizes = []
    for signals, _labels in blocks(500_000, 140, np.random.default_rng(0)):
        sizes.append(signals.nbytes)
        if len(sizes) == 5:
            break
    assert max(sizes) < 8 << 20


def drawn(*kinds: str, rows: int = 1000) -> np.ndarray:
    both = NORMAL | ABNORMAL
    return heartbeats([both[kind] for kind in kinds], rows, 140, np.random.default_rng(0))


def test_normal_beats_are_alike_and_abnormal_ones_are_not_like_them():
    normal = drawn(*NORMAL)
    typical = np.median(normal, axis=0)

    def distance(beats: np.ndarray) -> np.ndarray:
        return np.abs(beats - typical).mean(axis=1)

    limit = distance(normal).mean() + 2 * distance(normal).std()
    assert (distance(normal) < limit).mean() > 0.9
    assert (distance(drawn(*ABNORMAL)) > limit).mean() > 0.6


@pytest.mark.parametrize("kind", [*NORMAL, *ABNORMAL])
def test_every_kind_can_be_drawn_alone(kind):
    assert np.isfinite(drawn(kind, rows=20)).all()


def test_a_normal_beat_has_the_papers_waves():
    beat = np.median(drawn("sinus rhythm"), axis=0)
    p, q, r, s, t = (
        (140 * (0.5 + np.array([-1 / 6, -1 / 24, 0, 1 / 24, 1 / 4]))).round().astype(int)
    )
    assert abs(beat.argmax() - r) <= 1
    assert beat[r] > beat[t] > beat[p] > 0 > beat[q] > beat[s]


def test_a_ventricular_beat_is_early_wide_and_has_no_p_wave():
    usual = np.median(drawn("sinus rhythm"), axis=0)
    early = np.median(drawn("premature ventricular contraction"), axis=0)
    assert early.argmax() < usual.argmax() - 10
    assert (early > early.max() / 2).sum() > 1.5 * (usual > usual.max() / 2).sum()
    assert usual[30:60].max() - usual[:20].mean() > 1
    assert early[: early.argmax() - 15].max() - early[:20].mean() < 0.2
    assert early[90:120].mean() < early[:20].mean()


def test_text_keeps_eight_digits(tmp_path):
    table = written(tmp_path / "ecg.csv", 50)
    signals = np.concatenate([block for block, _ in blocks(50, 140, np.random.default_rng(0))])
    np.testing.assert_allclose(table[:, :-1], signals, rtol=1e-7)
    assert io.StringIO((tmp_path / "ecg.csv").read_text()).readline().count(",") == 140
