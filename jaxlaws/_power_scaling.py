"""power_scaled: a posterior whose prior or likelihood is raised to a power, without sampling it."""

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from jaxlaws._draws import Draws
from jaxlaws._fit import labelled
from jaxlaws._loo import log_likelihood
from jaxlaws._prior import log_priors
from jaxlaws._psis import smoothed

POWERS = (0.8, 1.0, 1.25)  # far enough to be seen, near enough for the weights [kallioinen2024]


def power_scaled(draws: Draws, prob: float = 0.9) -> pd.DataFrame:
    r"""Estimates and intervals under priors, and likelihoods, of other strength [kallioinen2024].

    $$p_a(\theta | y) \propto p(\theta)^{a}\, p(y | \theta), \quad
      p(\theta)\, p(y | \theta)^{a}$$

    by Pareto-smoothed weights on the draws.

    Args:
        draws: The posterior.
        prob: Probability of the intervals.

    Returns:
        One row per what is raised ("prior" or "likelihood"), power and parameter: the median, low,
        high, and k-hat of the weights, above 0.7 of which the row is not to be trusted.

    Raises:
        InputError: The draws are no posterior.
    """
    parts = {
        "prior": np.sum(list(log_priors(draws).values()), axis=0),
        "likelihood": log_likelihood(draws).sum(axis=1),
    }
    tail = [0.5, (1 - prob) / 2, (1 + prob) / 2]
    columns = {
        label: np.asarray(values, float).reshape(len(draws), -1)[:, i]
        for name, values in draws.params.items()
        for i, (label, _) in enumerate(labelled(name, values[0]))
    }
    _, sampling = draws.sampled()
    columns["noise"] = sampling.scale
    rows = []
    for part, log in parts.items():
        for power in POWERS:
            with jax.enable_x64(True):
                found = smoothed(jnp.asarray((power - 1) * log))
                weight, khat = np.exp(np.asarray(found[0])), float(found[1])
            for label, values in columns.items():
                order = np.argsort(values)
                at = np.cumsum(weight[order]) - weight[order] / 2
                ends = np.interp(tail, at, values[order])
                rows.append((part, power, label, *ends, 0.0 if power == 1 else khat))
    names = ["raised", "power", "parameter", "median", "low", "high", "khat"]
    return pd.DataFrame(rows, columns=names)
