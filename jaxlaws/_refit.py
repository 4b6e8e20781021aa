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
TRIES = 2  # members of the pool that each refit is restarted from in a round
ROUNDS = 5  # at most so many rounds of restarts
RESCUES = (30.0, 1.0, 1000.0, 1.0)  # annealing of the tries to end refits that are no minima
ENOUGH = 1e-3  # restarts stop when they improve no more than this share of the refits
TINY = 1e-12  # values this close to zero are all exact fits


def refit(
    fit: Fit,
    ids: np.ndarray,
    table: Callable[[np.ndarray], tuple[Any, Any, Any]],
    progress: Callable[[int, int], None] | None = None,
) -> Solution:
    """Minimise every resample, restarting from elsewhere as long as that pays.

    Every refit starts at the fit's lowest minimum. Then a probe of them is restarted from the ends
    of other refits, from ends of the fit's own starts, and afresh; where that finds lower minima,
    all are restarted, round by round.

    Args:
        fit: The fit whose minima are the first starts.
        ids: (r,) numbers of the resamples.
        table: Numbers -> weight, target, data set, as `minimise` takes it.
        progress: Called with (done, total).
    """
    solve = partial(minimise, fit.problem, fit.solver, table=table)
    total = len(ids)
    best = solve(np.tile(fit.minima[0], (total, 1)), ids, progress=progress)
    _rescue(fit, best, ids, solve)
    probe = np.linspace(0, total - 1, min(total, PROBE)).astype(int)
    for round_ in range(ROUNDS):
        where = probe if round_ == 0 else np.arange(total)
        starts, wide, owner = _elsewhere(fit, best, ids, where, table, round_)
        better = _improve(fit, best, solve(starts, ids[owner], widen=wide), owner)
        if better[where].mean() <= ENOUGH:
            break
    _rescue(fit, best, ids, solve)
    return best


def _rescue(fit: Fit, best: Solution, ids: np.ndarray, solve: Callable[..., Solution]) -> None:
    """Go on with the refits that are no minima yet, in place.

    Few runs and a narrow objective make a valley with corners that bends away from every step; a
    wider objective goes along it, and going on from there ends it.
    """
    for widen in RESCUES:
        lost = np.flatnonzero(best.status != CONVERGED)
        if not len(lost):
            return
        again = solve(best.z[lost], ids[lost], widen=min(widen, _widening(fit)))
        _improve(fit, best, again, lost)


def _improve(fit: Fit, best: Solution, again: Solution, owner: np.ndarray) -> np.ndarray:
    """Take the better of two ends for each resample, in place; (r,) which have a lower value."""
    agree = AGREE[fit.problem.dtype]
    better = np.zeros(len(best.value), bool)
    for t in np.argsort(-again.value):  # the lowest is written last
        i = owner[t]
        gain = again.value[t] < best.value[i] * (1 - agree) - TINY
        level = again.value[t] <= best.value[i] * (1 + agree) + TINY
        rescued = best.status[i] != CONVERGED and again.status[t] == CONVERGED
        if gain or (rescued and level):
            better[i] |= gain
            for leaf, new in zip(best, again, strict=True):
                leaf[i] = new[t]
    return better


def _widening(fit: Fit) -> float:
    return fit.objective.widening(float(np.std(fit.problem.target[0])))


def _elsewhere(
    fit: Fit,
    best: Solution,
    ids: np.ndarray,
    where: np.ndarray,
    table: Callable[[np.ndarray], tuple[Any, Any, Any]],
    round_: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Starts (t, p), their annealing (t,), and the resample (t,) that each is for."""
    rng = np.random.default_rng(round_)
    ends = best.z[rng.choice(len(best.value), min(POOL, len(best.value)), replace=False)]
    pool = np.concatenate([fit.minima, ends])
    chosen, owner = _promising(fit, pool, ids, where, table)
    wide = np.ones(len(chosen))
    own = fit.solution.z[rng.integers(len(fit.solution.z), size=len(where))]
    layout = fit.problem.layout
    fresh = layout.alive(layout.random_starts(round_ + 1, len(where)))
    return (
        np.concatenate([chosen, own, fresh]),
        np.concatenate([wide, np.ones(len(where)), np.full(len(where), _widening(fit))]),
        np.concatenate([owner, where, where]),
    )


def _promising(
    fit: Fit,
    pool: np.ndarray,
    ids: np.ndarray,
    where: np.ndarray,
    table: Callable[[np.ndarray], tuple[Any, Any, Any]],
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
            order = np.argsort(values, axis=1)[:, :TRIES]
            starts.append(pool[order].reshape(-1, pool.shape[1]))
            owner.append(np.repeat(part, order.shape[1]))
    return np.concatenate(starts), np.concatenate(owner)


@partial(jax.jit, static_argnames="risk")
def _risks(risk: Callable[..., Array], pool: Array, shared: Any, rows: Row) -> Array:
    """(r, k) risk of every member of the pool (k, p) on every resample."""
    one = jnp.ones((), pool.dtype)
    each = jax.vmap(lambda z, row: risk(z, one, shared, row), in_axes=(0, None))
    return jax.lax.map(lambda row: each(pool, row), rows)
