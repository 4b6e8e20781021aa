"""Refits: every resample minimised, and restarted from elsewhere as long as that pays."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxlaws._fit import AGREE, Fit
from jaxlaws._risk import Row, grow, minimise, objective_of
from jaxlaws._solver import CONVERGED, Solution

PROBE = 128  # refits that are tried from other starts before all of them are
POOL = 48  # ends of other refits that a refit may be restarted from
ROUNDS = 4  # at most so many rounds of restarts


def refit(
    fit: Fit,
    ids: np.ndarray,
    table: Callable[[np.ndarray], tuple[Any, Any, Any]],
    progress: Callable[[int, int], None] | None = None,
) -> Solution:
    """Minimise every resample, restarting from elsewhere as long as that pays.

    Args:
        fit: The fit whose minima are the first starts.
        ids: (r,) numbers of the resamples.
        table: Numbers -> weight, target, data set, as `minimise` takes it.
        progress: Called with (done, total).
    """
    problem, solver = fit.problem, fit.solver
    solve = partial(minimise, problem, solver, table=table)
    total = len(ids)
    best = solve(np.tile(fit.minima[0], (total, 1)), ids, progress=progress)
    probe = np.linspace(0, total - 1, min(total, PROBE)).astype(int)
    for round_ in range(ROUNDS):
        pool = _pool(fit, best, round_)
        where = probe if round_ == 0 else np.arange(total)
        tries = 3 if round_ == 0 else 2
        starts, owner = _promising(fit, pool, best, ids, where, table, tries)
        if not len(starts):
            break
        again = solve(starts, ids[owner])
        better = np.zeros(total, bool)
        for t in np.argsort(-again.value):  # the lowest is written last
            i = owner[t]
            gain = again.value[t] < best.value[i] * (1 - AGREE) - 1e-12
            rescued = best.status[i] != CONVERGED and again.status[t] == CONVERGED
            level = again.value[t] <= best.value[i] * (1 + AGREE) + 1e-12
            if gain or (rescued and level):
                better[i] |= gain
                for leaf, new in zip(best, again, strict=True):
                    leaf[i] = new[t]
        if better[where].mean() <= 1e-3:
            break
    return best


def _pool(fit: Fit, best: Solution, round_: int) -> np.ndarray:
    """(k, p) starts worth trying: the fit's minima and ends of refits all over the sample."""
    rng = np.random.default_rng(round_)
    pick = rng.choice(len(best.value), min(POOL, len(best.value)), replace=False)
    return np.concatenate([fit.minima, best.z[pick]])


def _promising(
    fit: Fit,
    pool: np.ndarray,
    best: Solution,
    ids: np.ndarray,
    where: np.ndarray,
    table: Callable[[np.ndarray], tuple[Any, Any, Any]],
    tries: int,
) -> tuple[np.ndarray, np.ndarray]:
    """For each resample the members of the pool with the lowest risk on it; and whose they are."""
    problem = fit.problem
    starts, owner = [], []
    block = 256
    dtype = np.dtype(problem.dtype)
    with jax.enable_x64(problem.dtype == "float64"):
        for begin in range(0, len(where), block):
            part = where[begin : begin + block]
            weight, target, data = table(grow(ids[part], block))
            if target is None:
                target = problem.target[data]
            row = Row(
                jnp.asarray(weight, dtype),
                jnp.asarray(target, dtype),
                jnp.asarray(data, jnp.int32),
            )
            values = _risks(
                objective_of(problem.law, problem.space),
                jnp.asarray(pool, dtype),
                problem.shared,
                row,
            )
            values = np.nan_to_num(np.asarray(values)[: len(part)], nan=np.inf)
            order = np.argsort(values, axis=1)[:, :tries]
            starts.append(pool[order].reshape(-1, pool.shape[1]))
            owner.append(np.repeat(part, order.shape[1]))
    return np.concatenate(starts), np.concatenate(owner)


@partial(jax.jit, static_argnames="risk")
def _risks(risk: Callable[..., Array], pool: Array, shared: Any, rows: Row) -> Array:
    """(r, k) risk of every member of the pool (k, p) on every resample."""
    one = jnp.ones((), pool.dtype)
    each = jax.vmap(lambda z, row: risk(z, one, shared, row), in_axes=(0, None))
    return jax.lax.map(lambda row: each(pool, row), rows)
