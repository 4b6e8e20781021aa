"""loo: how well laws predict each run from all others, and the weights that follow."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jax import Array
from jax.scipy.special import logsumexp

from jaxlaws._density import Known, Model
from jaxlaws._draws import Draws
from jaxlaws._errors import InputError
from jaxlaws._psis import smoothed
from jaxlaws._sampling import KHAT

BLOCK = 64  # runs whose weights are smoothed at a time
ROUNDS = 2000  # steps of the climb to the stacking weights; each one gains
BOOTSTRAPS = 1000  # Bayesian bootstrap of the runs, for pseudo-BMA


def loo(posteriors: Draws | Sequence[Draws]) -> pd.DataFrame:
    r"""Expected log density of a new run, by leaving out one run at a time, for each posterior.

    $$\widehat{elpd} = \sum_i \log \sum_s \tilde w_{is}\, p(y_i | \theta_s),
      \quad w_{is} \propto 1 / p(y_i | \theta_s)$$

    with Pareto-smoothed weights [vehtari2017, eq. 10]. `stacking` maximises the log density of the
    mixture of the laws [yao2018, eq. 6]; `pseudo_bma` is the average of softmax(elpd) over
    Bayesian bootstraps of the runs [yao2018, section 3.4]. Both speak about runs like those at
    hand: for runs far beyond them, weigh by `backtest`.

    Args:
        posteriors: What `posterior` returned, for one or several laws on the same runs.

    Returns:
        One row per law: elpd, se, p_loo (effective number of parameters), bad (runs with k-hat
        above 0.7, where elpd may be off), stacking, pseudo_bma.

    Raises:
        InputError: Draws are no posterior, or belong to other runs or another space.
    """
    given = (posteriors,) if isinstance(posteriors, Draws) else tuple(posteriors)
    point: list[np.ndarray] = []
    bad, plain = [], []
    for draws in given:
        log = log_likelihood(draws)
        if log.shape[1] != (point[0].shape[0] if point else log.shape[1]) or (
            draws.space != given[0].space
        ):
            raise InputError(
                "loo compares posteriors of the same runs in the same space; "
                f"{draws.law.name} has {log.shape[1]} runs in {draws.space}."
            )
        with jax.enable_x64(True):
            parts = [
                _left_out(jnp.asarray(log[:, i : i + BLOCK].T))
                for i in range(0, log.shape[1], BLOCK)
            ]
        elpd, khat = (np.concatenate([np.asarray(part[j]) for part in parts]) for j in (0, 1))
        point.append(elpd)
        bad.append(int(np.sum(~(khat <= KHAT))))
        plain.append(float(np.sum(logsumexp(log, axis=0) - np.log(len(log)))))
    elpds = np.stack(point, axis=1)
    total = elpds.sum(axis=0)
    return pd.DataFrame(
        {
            "law": [draws.law.name for draws in given],
            "elpd": total,
            "se": np.sqrt(len(elpds) * elpds.var(axis=0, ddof=1)),
            "p_loo": np.array(plain) - total,
            "bad": bad,
            "stacking": stacking(elpds),
            "pseudo_bma": pseudo_bma(elpds),
        }
    ).set_index("law")


def log_likelihood(draws: Draws) -> np.ndarray:
    """(draw, n) log density of every run of weight at every draw of a posterior.

    Raises:
        InputError: The draws are no posterior, which alone has a noise to judge runs by.
    """
    fit, sampling = draws.sampled()
    with jax.enable_x64(fit.problem.dtype == "float64"):
        found = _per_run(sampling.model, jnp.asarray(sampling.places), sampling.known)
    live = np.asarray(sampling.known.weight) > 0
    return np.asarray(found, float)[:, live]


@partial(jax.jit, static_argnums=0)
def _per_run(model: Model, places: Array, known: Known) -> Array:
    return jax.vmap(lambda place: model.log_likelihood(place, known))(places)


@jax.jit
def _left_out(log: Array) -> tuple[Array, Array]:
    """Log density (n,) of runs left out, and k-hat (n,), from log densities (n, draw)."""

    def one(log: Array) -> tuple[Array, Array]:
        weight, khat = smoothed(-log)
        return logsumexp(weight + log), khat

    return jax.vmap(one)(log)


def stacking(elpds: np.ndarray) -> np.ndarray:
    """(k,) weights on the simplex that maximise the mixture's log density, from (n, k) of each.

    The steps are those of expectation and maximisation, which the concave objective lets end at
    its maximum.
    """
    density: np.ndarray = np.exp(elpds - elpds.max(axis=1, keepdims=True))
    weight: np.ndarray = np.full(elpds.shape[1], 1 / elpds.shape[1])
    for _ in range(ROUNDS):
        weight = weight * np.mean(density / (density @ weight)[:, None], axis=0)
    return weight


def pseudo_bma(elpds: np.ndarray) -> np.ndarray:
    """(k,) mean softmax of the summed log densities over Bayesian bootstraps of the runs."""
    n = len(elpds)
    share: Any = np.random.default_rng(0).dirichlet(np.ones(n), BOOTSTRAPS)
    total = n * share @ elpds
    weight = np.exp(total - total.max(axis=1, keepdims=True))
    return (weight / weight.sum(axis=1, keepdims=True)).mean(axis=0)
