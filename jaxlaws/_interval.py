"""Intervals from draws, and whether one may be given."""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from jaxlaws._errors import InputError

LEAN = 0.1  # share of its standard error by which an answer may depend on what is left open


@dataclass(frozen=True, eq=False)
class Answers:
    """What draws say about something at points or budgets (m,).

    Attributes:
        estimate: Name -> (m,) at the estimate.
        values: Name -> (draw, m) at every good draw.
        slopes: Name -> (k, m) change along each direction that the runs leave open, per unit of z,
            which is a standard deviation of what the literature finds.
        errors: Name -> (m,) standard error from all that they do not leave open.
    """

    estimate: dict[str, np.ndarray]
    values: dict[str, np.ndarray]
    slopes: dict[str, np.ndarray]
    errors: dict[str, np.ndarray]

    def leaning(self, name: str) -> np.ndarray:
        """(m,) whether an answer depends on what the runs leave open."""
        if len(self.values[name]) < 2:  # no draws, and no interval anyway
            return np.zeros(self.estimate[name].shape, bool)
        return (np.abs(self.slopes[name]) > LEAN * self.errors[name][None]).any(axis=0)


def interval(
    values: np.ndarray, prob: float, kind: str, estimate: float, jack: np.ndarray | None = None
) -> tuple[float, float]:
    """Central interval of draws (draw,) around an estimate.

    Args:
        values: (draw,) draws.
        prob: Probability.
        kind: "percentile", "basic" or "bca".
        estimate: The estimate.
        jack: (unit,) leave-one-out estimates, for "bca".
    """
    tail = np.array([(1 - prob) / 2, (1 + prob) / 2])
    if kind == "percentile":
        low, high = np.quantile(values, tail)
    elif kind == "basic":
        high, low = 2 * estimate - np.quantile(values, tail)
    elif kind == "bca" and jack is not None:
        below = np.clip(np.mean(values < estimate), 1 / len(values), 1 - 1 / len(values))
        normal = NormalDist()
        bias = normal.inv_cdf(below)
        spread = jack.mean() - jack
        skew = np.sum(spread**3) / (6 * np.maximum(np.sum(spread**2) ** 1.5, 1e-300))
        z = bias + np.array([normal.inv_cdf(p) for p in tail])
        ends = [normal.cdf(at) for at in bias + z / (1 - skew * z)]
        low, high = np.quantile(values, ends)
    else:
        raise InputError(f'kind must be "percentile", "basic" or "bca"; got {kind!r}.')
    return float(low), float(high)


def check_prob(prob: float) -> None:
    """Refuse a probability that is not between 0 and 1.

    Raises:
        InputError: It is not.
    """
    if not 0 < prob < 1:
        raise InputError(f"prob must lie between 0 and 1, e.g. 0.9; got {prob}.")
