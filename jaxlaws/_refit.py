"""Refits: every resample minimised, and restarted from elsewhere as long as that pays."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxlaws._fit import Fit
from jaxlaws._risk import Row, grow, minimise, objective_of
from jaxlaws._search import AGREE, take_lower, widening
from jaxlaws._solver import CONVERGED, Solution

PROBE = 128  # refits that are restarted before all of them, where the fit has a single minimum
POOL = 64  # ends of other refits that a refit may be restarted from
BLOCK = 256  # refits whose risks are looked up in one compiled call
ROUNDS = 32  # at most so many rounds of restarts
QUIET = 2  # rounds in a row without gain that end the restarts of all refits
ENOUGH = 5e-4  # a round that lowers no more than this share of the refits is without gain
AGAIN = (30.0, 300.0)  # annealing of the restarts from a refit's own end, round by round
RESCUES = (30.0, 1.0, 1000.0, 1.0)  # annealing of the tries to end refits that are no minima


def refit(
    fit: Fit,
    ids: np.ndarray,
    table: Callable[[np.ndarray], tuple[Any, Any, Any]],
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Solution, float]:
    """Minimise every resample, restarting from elsewhere as long as that pays.

    Every refit starts at the fit's lowest minimum. Where the fit's own starts found no other
    minimum, a probe of the refits is restarted, and all are only if that finds lower minima; where
    they did, all are restarted until two rounds in a row find nothing. A round restarts a refit
    from its own end through a widened objective, from the end of the refit that suits it best, and
    afresh.

    Args:
        fit: The fit whose minima are the first starts.
        ids: (r,) numbers of the resamples.
        table: Numbers -> weight, target, data set, as `minimise` takes it.
        progress: Called with (done, total).

    Returns:
        The lowest end of every refit, and the share of refits that the last round still lowered.
    """
    solve = partial(minimise, fit.problem, fit.solver, table=table)
    total = len(ids)
    best = solve(np.tile(fit.minima[0], (total, 1)), ids, progress=progress)
    _rescue(fit, best, ids, solve)
    probing = len(fit.minima) == 1
    where = np.linspace(0, total - 1, min(total, PROBE)).astype(int)
    quiet, gain = 0, 0.0
    for number in range(ROUNDS):
        where = where if probing else np.arange(total)
        starts, wide, owner = _elsewhere(fit, best, ids, where, table, number)
        again = solve(starts, ids[owner], widen=wide)
        better = take_lower(best, again, owner, AGREE[fit.problem.dtype])
        gain = float(better[where].mean())
        quiet = quiet + 1 if gain <= ENOUGH else 0
        if quiet == (1 if probing else QUIET):
            break
        probing = False
    _rescue(fit, best, ids, solve)
    return best, gain


def _rescue(fit: Fit, best: Solution, ids: np.ndarray, solve: Callable[..., Solution]) -> None:
    """Go on with the refits that are no minima yet, in place.

    Few runs and a narrow objective make a valley with corners that bends away from every step; a
    wider objective goes along it, and going on from there ends it.
    """
    for widen in RESCUES:
        lost = np.flatnonzero(best.status != CONVERGED)
        if not len(lost):
            return
        again = solve(best.z[lost], ids[lost], widen=min(widen, widening(fit.problem)))
        take_lower(best, again, lost, AGREE[fit.problem.dtype])


def _elsewhere(
    fit: Fit,
    best: Solution,
    ids: np.ndarray,
    where: np.ndarray,
    table: Callable[[np.ndarray], tuple[Any, Any, Any]],
    number: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Starts (t, p), their annealing (t,), and the refit (t,) that each is for."""
    ends = np.random.default_rng(number).choice(len(best.value), min(POOL, len(best.value)), False)
    own = best.z[where]
    other = _promising(fit, np.concatenate([fit.minima, best.z[ends]]), ids, where, table)
    layout = fit.problem.layout
    fresh = layout.alive(layout.random_starts(number + 1, len(where)))
    full = widening(fit.problem)
    again = AGAIN[number % len(AGAIN)]
    wide = np.repeat([min(again, full), 1.0, full], len(where))
    return np.concatenate([own, other, fresh]), wide, np.tile(where, 3)


def _promising(
    fit: Fit,
    pool: np.ndarray,
    ids: np.ndarray,
    where: np.ndarray,
    table: Callable[[np.ndarray], tuple[Any, Any, Any]],
) -> np.ndarray:
    """For each refit the member (p,) of the pool (k, p) with the lowest risk on its resample."""
    problem = fit.problem
    found = []
    dtype = np.dtype(problem.dtype)
    with jax.enable_x64(problem.dtype == "float64"):
        for begin in range(0, len(where), BLOCK):
            part = where[begin : begin + BLOCK]
            weight, target, data = table(grow(ids[part], BLOCK))
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
            found.append(pool[values.argmin(axis=1)])
    return np.concatenate(found)


@partial(jax.jit, static_argnames="risk")
def _risks(risk: Callable[..., Array], pool: Array, shared: Any, rows: Row) -> Array:
    """(r, k) risk of every member of the pool (k, p) on every resample."""
    one = jnp.ones((), pool.dtype)
    each = jax.vmap(lambda z, row: risk(z, one, shared, row), in_axes=(0, None))
    return jax.lax.map(lambda row: each(pool, row), rows)
