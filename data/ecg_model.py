"""The dynamical ECG model of McSharry et al. 2003 (ECGSYN), for many beats at once.

P. E. McSharry, G. D. Clifford, L. Tarassenko, L. A. Smith: "A dynamical model for generating
synthetic electrocardiogram signals", IEEE Trans. Biomed. Eng. 50(3):289-294, 2003.

A point runs round the unit circle once a beat; each of P, Q, R, S and T is a Gaussian event at a
fixed angle that pushes the third coordinate z, the ECG, up or down. Equation (1) of the paper:

    dz/dt = - sum_i a_i d_i exp(-d_i^2 / (2 b_i^2)) - (z - z0(t)),    d_i = theta - theta_i

The limit cycle x^2 + y^2 = 1 attracts every orbit, and on it the angle moves at 2 pi / RR, so only
z is left to integrate.
"""

import dataclasses

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

THETA = np.array([-np.pi / 3, -np.pi / 12, 0.0, np.pi / 12, np.pi / 2])
"""Angles of P, Q, R, S, T in radians: table I of the paper."""

A = np.array([1.2, -5.0, 30.0, -7.5, 0.75])
"""Strengths of P, Q, R, S, T in z per second and radian: table I."""

B = np.array([0.25, 0.1, 0.1, 0.1, 0.4])
"""Widths of P, Q, R, S, T in radians: table I."""

RESPIRATION_HZ = 0.25
"""Frequency f2 of the baseline's coupling to respiration: equation (2)."""

RESPIRATION_Z = 0.005
"""Amplitude of the baseline z0 in units of z: the paper's 0.15 mV before its scaling to mV."""

_MINIMUM_STEPS = 128


@dataclasses.dataclass(frozen=True)
class Beats:
    """Parameters of n beats; each beat may have any number k of Gaussian events.

    Attributes:
        theta: Angles of the events in radians, float64 [n, k]; R is at 0.
        a: Strengths of the events, float64 [n, k].
        b: Widths of the events in radians, float64 [n, k].
        rr_before: Time since the R peak before this beat's, in seconds, float64 [n].
        rr_after: Time to the R peak after this beat's, in seconds, float64 [n].
        breath: Phase of the respiration where the window starts, in radians, float64 [n].
    """

    theta: Floats
    a: Floats
    b: Floats
    rr_before: Floats
    rr_after: Floats
    breath: Floats

    @property
    def duration(self) -> Floats:
        """Seconds from halfway after the last R peak to halfway before the next, float64 [n]."""
        return (self.rr_before + self.rr_after) / 2


def integrate(beats: Beats, points: int) -> Floats:
    """Returns the ECG of each beat, sampled evenly over its duration.

    As in ECGSYN the RR interval is constant between two R peaks, so the angle moves at one speed
    before the R peak and at another after it, and each beat is stretched to the same number of
    points. z starts on its own limit cycle, i.e. where a beat like this one before it would have
    left it; equation (1) is linear in z, so the baseline's share is added in closed form.

    Args:
        beats: The parameters of n beats.
        points: Samples a beat.

    Returns:
        z, float64 [n, points], in the units of the differential equation (an R peak is near 0.04).
    """
    substeps = -(-_MINIMUM_STEPS // points)
    steps = substeps * points
    step_s = beats.duration / steps
    seconds = np.arange(2 * steps + 1)[:, None] * (step_s / 2)
    particular = _runge_kutta(_events(beats, seconds), step_s)
    # A cycle's end is its start: z(0) = particular(D) + z(0) exp(-D).
    start = particular[-1] / -np.expm1(-beats.duration)
    whole = slice(0, 2 * steps, 2 * substeps)
    z = particular[:-1:substeps] + start * np.exp(-seconds[whole])
    return (z + _baseline(beats, seconds[whole])).T


def _events(beats: Beats, seconds: Floats) -> Floats:
    """The sum in equation (1) at each time, [times, n]."""
    since_r = seconds - beats.rr_before / 2
    rr = np.where(since_r < 0, beats.rr_before, beats.rr_after)
    angle = 2 * np.pi * since_r / rr
    total = np.zeros_like(angle)
    for theta, a, b in zip(beats.theta.T, beats.a.T, beats.b.T, strict=True):
        away = np.mod(angle - theta + np.pi, 2 * np.pi) - np.pi
        total -= a * away * np.exp(-0.5 * (away / b) ** 2)
    return total


def _runge_kutta(forcing: Floats, step_s: Floats) -> Floats:
    """Integrates dz/dt = forcing - z from z = 0 by the classical fourth-order rule.

    `forcing` is [2 steps + 1, n]: its odd rows are the midpoints of the steps. Returns
    [steps + 1, n].
    """
    z = np.zeros((len(forcing) // 2 + 1, forcing.shape[1]))
    for step in range(len(z) - 1):
        first, middle, last = forcing[2 * step : 2 * step + 3]
        now = z[step]
        k1 = first - now
        k2 = middle - (now + step_s / 2 * k1)
        k3 = middle - (now + step_s / 2 * k2)
        k4 = last - (now + step_s * k3)
        z[step + 1] = now + step_s / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return z


def _baseline(beats: Beats, seconds: Floats) -> Floats:
    """The steady answer of dz/dt = z0(t) - z to the respiration z0, [times, n]."""
    omega = 2 * np.pi * RESPIRATION_HZ
    lag = np.arctan(omega)
    return RESPIRATION_Z * np.cos(lag) * np.sin(omega * seconds + beats.breath - lag)


def tachogram(
    beats: int, rng: np.random.Generator, *, mean_s: float = 1.0, deviation_s: float = 0.02
) -> Floats:
    """Returns RR intervals with the two peaks of heart rate variability in their spectrum.

    Section III of the paper: power at 0.1 Hz (Mayer waves) and at 0.25 Hz (respiration), each a
    Gaussian of 0.01 Hz, the second twice the first; random phases; an inverse Fourier transform;
    scaled to the mean and standard deviation that are asked for.

    Args:
        beats: How many intervals, at least 1.
        rng: Source of the random phases.
        mean_s: Mean interval in seconds; 1 s is the paper's 60 beats a minute.
        deviation_s: Standard deviation of the intervals in seconds.

    Returns:
        float64 [beats], seconds.
    """
    # A few beats resolve no spectrum, so they are cut from a longer record.
    length = max(beats, 512)
    frequency = np.fft.rfftfreq(length, d=mean_s)
    power = np.exp(-0.5 * ((frequency - 0.1) / 0.01) ** 2)
    power += 2 * np.exp(-0.5 * ((frequency - 0.25) / 0.01) ** 2)
    phases = rng.uniform(0, 2 * np.pi, len(frequency))
    wave = np.fft.irfft(np.sqrt(power) * np.exp(1j * phases), length)
    return (mean_s + deviation_s * wave / wave.std())[:beats]
