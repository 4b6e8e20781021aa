"""check: whether runs like those at hand are what a posterior would have made."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from jaxlaws._density import size_of
from jaxlaws._draws import Draws
from jaxlaws._replicas import replicas


def check(draws: Draws) -> pd.DataFrame:
    r"""Posterior predictive checks: statistics of the residuals, and of residuals that it draws.

    $$p = P(T(\tilde r) \ge T(r))$$

    over the draws, with residuals r of the runs and new ones at the same draw [gelman1996]. A p
    near 0 or 1 says that the law or the noise model misses something: `trend` that the law bends
    the wrong way with scale, `ends` that it misses the largest runs, `waves` that neighbours in
    scale err together, `spread` that the noise grows (or shrinks) with scale, `tail` that single
    runs lie too far out.

    Returns:
        One row per statistic: observed, the middle 90 % of what is drawn, and p.

    Raises:
        InputError: The draws are no posterior.
    """
    rows = []
    for name, (seen, drawn) in statistics(draws).items():
        low, high = np.quantile(drawn, [0.05, 0.95])
        p = float(np.mean(drawn > seen) + 0.5 * np.mean(drawn == seen))
        rows.append((name, float(np.median(seen)), low, high, p))
    columns = ["statistic", "observed", "low", "high", "p"]
    return pd.DataFrame(rows, columns=columns).set_index("statistic")


def statistics(draws: Draws) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Name -> (draw,) of the runs' residuals, in units of their scale, and of new ones.

    Raises:
        InputError: The draws are no posterior.
    """
    fit, _ = draws.sampled()
    size = size_of(fit, fit.runs.inputs)[fit.runs.weight > 0]
    order = np.argsort(size, kind="stable")
    own, new, scale = replicas(draws)
    own, new = (own / scale)[:, order], (new / scale)[:, order]
    return {name: (of(own, size[order]), of(new, size[order])) for name, of in STATISTICS.items()}


def _correlation(values: np.ndarray, size: np.ndarray) -> np.ndarray:
    off, along = values - values.mean(axis=1, keepdims=True), size - size.mean()
    return off @ along / np.maximum(np.linalg.norm(off, axis=1) * np.linalg.norm(along), 1e-300)


def _waves(values: np.ndarray, size: np.ndarray) -> np.ndarray:
    off = values - values.mean(axis=1, keepdims=True)
    return np.sum(off[:, 1:] * off[:, :-1], axis=1) / np.maximum(np.sum(off**2, axis=1), 1e-300)


def _ends(values: np.ndarray, size: np.ndarray) -> np.ndarray:
    last = max(1, len(size) // 10)
    return values[:, -last:].mean(axis=1)


STATISTICS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "sd": lambda values, size: values.std(axis=1),
    "tail": lambda values, size: np.abs(values).max(axis=1),
    "trend": _correlation,
    "ends": _ends,
    "spread": lambda values, size: _correlation(np.abs(values), size),
    "waves": _waves,
}
