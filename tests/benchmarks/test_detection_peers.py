"""The detectors that `benchmarks/detection.py` compares with: what is unlike scores higher."""

import numpy as np
import pytest
from detection_peers import PEERS, peer_threshold


@pytest.mark.parametrize("name", PEERS)
def test_a_peer_ranks_what_is_unlike_its_training_above_what_is_like_it(name: str) -> None:
    rng = np.random.default_rng(0)
    phases = np.linspace(0, 6, 30)

    def beats(count: int) -> np.ndarray:
        scale = rng.normal(1, 0.1, (count, 1))
        return (scale * np.sin(phases) + rng.normal(0, 0.05, (count, 30))).astype(np.float32)

    score = PEERS[name](beats(60), 3)

    like, unlike = score(beats(20)), score(beats(20)[:, ::-1] + 0.5)
    assert like.shape == (20,)
    assert like.max() < unlike.min()


def test_a_peer_is_fitted_on_few_examples() -> None:
    few = np.random.default_rng(0).normal(size=(6, 12)).astype(np.float32)
    for name, fit in PEERS.items():
        assert np.isfinite(fit(few, 3)(few)).all(), name


@pytest.mark.parametrize(("rate", "threshold"), [(0.05, 19.0), (0.1, 18.0), (0.04, None)])
def test_a_peers_threshold_leaves_out_the_promised_share_of_ranks(
    rate: float, threshold: float | None
) -> None:
    held_out = np.arange(1.0, 20.0, dtype=np.float32)[::-1]
    assert peer_threshold(held_out, rate) == threshold
