"""The vectorised model against the paper's own three equations, integrated one beat at a time."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from data.ecg_model import (
    RESPIRATION_HZ,
    RESPIRATION_Z,
    THETA,
    A,
    B,
    Beats,
    integrate,
    tachogram,
)


def paper_beats(rr: np.ndarray, breath: np.ndarray) -> Beats:
    count = len(rr)
    return Beats(*(np.tile(values, (count, 1)) for values in (THETA, A, B)), rr, rr, breath)


def by_the_paper(rr: float, breath: float, points: int) -> np.ndarray:
    """Equations (1) and (2) in x, y, z, after 15 beats in which the start is forgotten."""
    omega = 2 * np.pi / rr
    settled = 15 * rr

    def motion(t: float, state: np.ndarray) -> list[float]:
        x, y, z = state
        alpha = 1 - np.hypot(x, y)
        away = (np.arctan2(y, x) - THETA + np.pi) % (2 * np.pi) - np.pi
        respiration = 2 * np.pi * RESPIRATION_HZ * (t - settled) + breath
        baseline = RESPIRATION_Z * np.sin(respiration)
        dz = -np.sum(A * away * np.exp(-(away**2) / (2 * B**2))) - (z - baseline)
        return [alpha * x - omega * y, alpha * y + omega * x, dz]

    times = settled + np.arange(points) * rr / points
    start = [-1.0, 0.0, 0.04]
    solution = solve_ivp(
        motion, (0, times[-1]), start, t_eval=times, rtol=1e-8, atol=1e-10, max_step=0.01
    )
    return solution.y[2]


@pytest.mark.parametrize(("rr", "breath"), [(1.0, 0.0), (0.7, 2.0)])
def test_a_beat_is_the_papers_limit_cycle(rr, breath):
    ours = integrate(paper_beats(np.array([rr]), np.array([breath])), 140)[0]
    paper = by_the_paper(rr, breath, 140)
    assert np.ptp(paper) > 0.03
    np.testing.assert_allclose(ours, paper, atol=2e-5)


@pytest.mark.parametrize("points", [2, 7, 140, 1000])
def test_the_number_of_points_only_samples_the_same_beat(points):
    beats = paper_beats(np.array([1.0]), np.array([0.3]))
    fine = integrate(beats, 14_000)[0]
    np.testing.assert_allclose(
        integrate(beats, points)[0], fine[:: 14_000 // points][:points], atol=2e-4
    )


def test_the_r_peak_divides_the_window_as_the_intervals_do():
    beats = paper_beats(np.full(1, 1.0), np.zeros(1))
    early = Beats(beats.theta, beats.a, beats.b, np.array([0.6]), np.array([1.4]), beats.breath)
    assert abs(integrate(beats, 200)[0].argmax() - 100) <= 3
    assert abs(integrate(early, 200)[0].argmax() - 60) <= 3


def test_tachogram_has_the_two_peaks_of_heart_rate_variability():
    rr = tachogram(4096, np.random.default_rng(0), mean_s=1.0, deviation_s=0.03)
    assert rr.shape == (4096,)
    assert rr.mean() == pytest.approx(1.0, abs=1e-9)
    assert rr.std() == pytest.approx(0.03)
    power = np.abs(np.fft.rfft(rr - 1)) ** 2
    frequency = np.fft.rfftfreq(4096)
    low = power[np.abs(frequency - 0.1) < 0.05].sum()
    high = power[np.abs(frequency - 0.25) < 0.05].sum()
    assert (low + high) / power.sum() > 0.999
    assert high / low == pytest.approx(2, rel=0.05)


def test_tachogram_of_a_single_beat():
    assert 0.8 < tachogram(1, np.random.default_rng(0))[0] < 1.2
