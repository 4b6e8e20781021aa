"""Intervals from draws."""

import numpy as np

from jaxlaws._errors import InputError


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
    from scipy.stats import norm

    tail = np.array([(1 - prob) / 2, (1 + prob) / 2])
    if kind == "percentile":
        low, high = np.quantile(values, tail)
    elif kind == "basic":
        high, low = 2 * estimate - np.quantile(values, tail)
    elif kind == "bca" and jack is not None:
        below = np.clip(np.mean(values < estimate), 1 / len(values), 1 - 1 / len(values))
        bias = norm.ppf(below)
        spread = jack.mean() - jack
        skew = np.sum(spread**3) / (6 * np.maximum(np.sum(spread**2) ** 1.5, 1e-300))
        z = bias + norm.ppf(tail)
        low, high = np.quantile(values, norm.cdf(bias + z / (1 - skew * z)))
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
