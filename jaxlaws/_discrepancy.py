"""Discrepancy: how far a law misses beyond its runs, as a spread that grows with distance."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

# An exponent of 1/2 is a law that drifts as a random walk, 1 one whose slope is wrong, 3/2 one
# whose slope drifts: all three lie within a standard deviation.
EXPONENT, EXPONENT_SD = 1.0, 0.5
EXPONENTS = np.linspace(0.0, 3.0, 31)
SPREADS = 81  # values of the spread that the errors are weighed at
SMALLEST = 1e-3  # a spread of this share of what is explained is no discrepancy


@dataclass(frozen=True, eq=False)
class Discrepancy:
    r"""What backtest errors say about a law's own error, beyond noise and parameters.

    A run at distance d misses by a normal error of variance

    $$s^2 + \tau^2 (d / d_0)^{2\gamma}$$

    where s is what noise and the uncertainty of parameters explain. A priori the exponent gamma is
    normal around 1 with standard deviation 1/2, and tau half-Cauchy with the median s as its scale:
    no law is true, and at d_0 its own error may well be as large as what is explained. Both are
    weighed on a grid, so that few cuts leave them uncertain and the tails heavy.

    Attributes:
        spread: (a,) values of tau, in the space of residuals.
        mass: (a, b) posterior probability of every tau and exponent.
        middle: d_0, the median distance of the errors; log of a ratio of sizes.
        evidence: Log probability of the errors under the law, noise and discrepancy weighed.
    """

    spread: np.ndarray
    mass: np.ndarray
    middle: float
    evidence: float

    def scales(self, distance: np.ndarray, draws: int, rng: np.random.Generator) -> np.ndarray:
        """(draw, m) standard deviations at distances (m,): one tau and exponent per draw."""
        a, b = np.divmod(rng.choice(self.mass.size, draws, p=np.ravel(self.mass)), len(EXPONENTS))
        return self._at(self.spread[a, None], EXPONENTS[b, None], distance[None, :])

    def typical(self, distance: np.ndarray) -> np.ndarray:
        """(m,) posterior median of the standard deviation at distances (m,)."""
        order = self._at(
            self.spread[:, None, None], EXPONENTS[None, :, None], np.asarray(distance, float)
        ).reshape(self.mass.size, -1)
        out = np.empty(order.shape[1])
        for i, column in enumerate(order.T):
            rank = np.argsort(column)
            below = np.cumsum(np.ravel(self.mass)[rank])
            out[i] = column[rank[int(np.argmax(below >= min(0.5, below[-1])))]]
        return out

    @cached_property
    def exponent(self) -> tuple[float, float]:
        """Posterior mean and standard deviation of the exponent."""
        share = self.mass.sum(axis=0)
        mean = float(share @ EXPONENTS)
        return mean, float(np.sqrt(share @ (EXPONENTS - mean) ** 2))

    def _at(self, spread: np.ndarray, exponent: np.ndarray, distance: np.ndarray) -> np.ndarray:
        return spread * np.where(distance > 0, (distance / self.middle) ** exponent, 0.0)


def discrepancy(
    error: np.ndarray,
    noise: np.ndarray,
    expected: np.ndarray,
    distance: np.ndarray,
    cut: np.ndarray,
) -> Discrepancy:
    """Weigh a law's backtest errors.

    Errors at like distances from one cut are averaged, within a factor of two: noise averages out,
    the error of parameters and of the law does not. One refit predicts all runs held out at a cut,
    so that a cut counts as one observation, shared by its averages.

    Args:
        error: (k,) predicted minus measured, in the space of residuals.
        noise: (k,) standard deviation of a single run's noise.
        expected: (k,) standard deviation that noise and uncertain parameters explain together.
        distance: (k,) above zero, log of size over the largest size in the sample.
        cut: (k,) which cut an error belongs to.
    """
    error, known, distance, cut = _averaged(error, noise, expected, distance, cut)
    _, own, count = np.unique(cut, return_inverse=True, return_counts=True)
    weight = 1.0 / count[own]
    middle = float(np.median(distance))
    size = float(np.max(np.abs(error)))
    scale = max(float(np.median(known)), SMALLEST * size, np.finfo(float).tiny)
    spread = np.geomspace(SMALLEST * scale, 1e3 * max(scale, size), SPREADS)
    log_prior = np.log(spread) - np.log1p((spread / scale) ** 2)  # half-Cauchy, per log tau
    log_prior -= np.logaddexp.reduce(log_prior)
    pull = -0.5 * ((EXPONENTS - EXPONENT) / EXPONENT_SD) ** 2
    pull -= np.logaddexp.reduce(pull)
    known = np.maximum(known, SMALLEST**2 * scale)
    fits = np.empty((len(spread), len(EXPONENTS)))
    for j, exponent in enumerate(EXPONENTS):
        variance = known**2 + spread[:, None] ** 2 * (distance / middle) ** (2 * exponent)
        fits[:, j] = -0.5 * (error**2 / variance + np.log(2 * np.pi * variance)) @ weight
    posterior = fits + log_prior[:, None] + pull[None, :]
    evidence = float(np.logaddexp.reduce(np.ravel(posterior)))
    mass = np.exp(posterior - evidence)
    return Discrepancy(spread, mass / mass.sum(), middle, evidence)


def _averaged(
    error: np.ndarray,
    noise: np.ndarray,
    expected: np.ndarray,
    distance: np.ndarray,
    cut: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Means (b,) over octaves of distance below each cut's farthest.

    Of errors, with what is explained of those means, of distances, and which cut.
    """
    _, own = np.unique(cut, return_inverse=True)
    farthest = np.zeros(own.max() + 1)
    np.maximum.at(farthest, own, distance)
    octave = np.floor(np.log2(farthest[own] / distance)).astype(int)
    _, at, count = np.unique(
        np.column_stack([own, octave]), axis=0, return_inverse=True, return_counts=True
    )
    at = np.ravel(at)

    def mean(values: np.ndarray) -> np.ndarray:
        return np.bincount(at, values) / count

    known = mean(noise**2) / count + mean(expected**2 - noise**2)
    return mean(error), np.sqrt(known), mean(distance), mean(cut)
