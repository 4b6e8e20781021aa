"""Refits: every resample minimised, and restarted from elsewhere as long as that pays."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxlaws._coordinates import coordinates
from jaxlaws._law import Law
from jaxlaws._risk import Problem, Shared, grow, minimise, residuals
from jaxlaws._search import AGREE, MOST, hold_at_bounds, rescue, take_lower, widening
from jaxlaws._solver import Newton, Solution

PROBE = 128  # refits that are restarted before all of them, where the fit has a single minimum
POOL = 64  # ends of other refits that a refit may be restarted from
BLOCK = 256  # refits whose risks are looked up in one compiled call
ROUNDS = 32  # at most so many rounds of restarts
QUIET = 2  # rounds in a row without gain that end the restarts of all refits
ENOUGH = 5e-4  # a round that lowers no more than this share of the refits is without gain
AGAIN = (30.0, 300.0)  # annealing of the restarts from a refit's own end, round by round
RESCUES = (30.0, 1.0, 1000.0, 1.0)  # annealing of the tries to end refits that are no minima


def refit(
    problem: Problem,
    solver: Newton,
    minima: Sequence[np.ndarray],
    data: np.ndarray,
    table: Callable[[np.ndarray], tuple[Any, Any, Any]],
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Solution, np.ndarray]:
    """Minimise every resample, restarting from elsewhere as long as that pays.

    Every refit starts at the lowest minimum of its data set's fit. Where the fit's own starts found
    no other minimum, a probe of the refits is restarted, and all are only if that finds lower
    minima; where they did, all are restarted until two rounds in a row find nothing. A round
    restarts a refit from its own end through a widened objective, from the end of the refit of the
    same data set that suits it best, and afresh.

    Args:
        problem: The problem, of one data set or several.
        solver: Settings of the solver.
        minima: For each data set the (k, p) low minima of its fit, lowest first.
        data: (r,) the data set of each refit.
        table: Numbers of refits -> weight, target, data set, as `minimise` takes it.
        progress: Called with (done, total).

    Returns:
        The lowest end of every refit, and for each data set the share of its refits that the last
        round still lowered.
    """
    solve = partial(minimise, problem, solver, table=table)
    best = solve(np.stack([m[0] for m in minima])[data], np.arange(len(data)), progress=progress)
    widest = np.array([widening(problem, g) for g in range(len(minima))])
    rescue(solve, best, widest[data], RESCUES)
    mine = [np.flatnonzero(data == g) for g in range(len(minima))]
    probing = [len(own) == 1 for own in minima]
    quiet, gain = [0] * len(minima), np.zeros(len(minima))
    going = [g for g in range(len(minima)) if len(mine[g])]
    for number in range(ROUNDS):
        where = {
            g: mine[g][np.linspace(0, len(mine[g]) - 1, min(len(mine[g]), PROBE)).astype(int)]
            if probing[g]
            else mine[g]
            for g in going
        }
        parts = [
            _elsewhere(problem, best, minima[g], mine[g], where[g], widest[g], table, number)
            for g in going
        ]
        starts, wide, owner = (np.concatenate(part) for part in zip(*parts, strict=True))
        again = solve(starts, owner, widen=wide)
        better = take_lower(best, again, owner, AGREE[problem.dtype])
        for g in tuple(going):
            gain[g] = better[where[g]].mean()
            quiet[g] = quiet[g] + 1 if gain[g] <= ENOUGH else 0
            if quiet[g] == (1 if probing[g] else QUIET):
                going.remove(g)
            probing[g] = False
        if not going:
            break
    rescue(solve, best, widest[data], RESCUES)
    hold_at_bounds(problem, solve, best, widest[data])
    return best, gain


def _elsewhere(
    problem: Problem,
    best: Solution,
    minima: np.ndarray,
    mine: np.ndarray,
    where: np.ndarray,
    full: float,
    table: Callable[[np.ndarray], tuple[Any, Any, Any]],
    number: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For the refits `where` of one data set: starts (t, p), their annealing (t,), owners (t,)."""
    ends = np.random.default_rng(number).choice(len(mine), min(POOL, len(mine)), False)
    own = best.z[where]
    pool = np.concatenate([minima, best.z[mine[ends]]])
    other = _promising(problem, grow(pool, POOL + MOST), where, table)
    layout = problem.layout
    fresh = layout.alive(layout.random_starts(number + 1, len(where)))
    again = AGAIN[number % len(AGAIN)]
    wide = np.repeat([min(again, full), 1.0, full], len(where))
    return np.concatenate([own, other, fresh]), wide, np.tile(where, 3)


def _promising(
    problem: Problem,
    pool: np.ndarray,
    where: np.ndarray,
    table: Callable[[np.ndarray], tuple[Any, Any, Any]],
) -> np.ndarray:
    """For each refit of one data set the member (p,) of the pool (k, p) of the lowest risk."""
    found = []
    dtype = np.dtype(problem.dtype)
    with jax.enable_x64(problem.dtype == "float64"):
        for begin in range(0, len(where), BLOCK):
            part = where[begin : begin + BLOCK]
            weight, target, data = table(grow(part, BLOCK))
            if target is None:
                target = problem.target[data]
            values = _risks(
                problem.law,
                problem.space,
                jnp.asarray(pool, dtype),
                problem.shared,
                jnp.asarray(weight, dtype),
                jnp.asarray(target, dtype),
                jnp.asarray(data[0], jnp.int32),
            )
            values = np.nan_to_num(np.asarray(values)[: len(part)], nan=np.inf)
            found.append(pool[values.argmin(axis=1)])
    return np.concatenate(found)


@partial(jax.jit, static_argnames=("law", "space"))
def _risks(
    law: Law, space: str, pool: Array, shared: Shared, weight: Array, target: Array, data: Array
) -> Array:
    """(r, k) risk of every member of the pool (k, p) on every resample of one data set.

    Resamples differ in weights and targets alone, so that the law is asked once per member.
    """
    layout = coordinates(law)
    frame, inputs = jax.tree.map(lambda leaf: leaf[data], (shared.frame, shared.inputs))
    nothing = jnp.zeros(target.shape[1], pool.dtype)
    fitted = jax.vmap(lambda z: residuals(law, space, layout.to_params(z, frame), inputs, nothing))(
        pool
    )

    def one(row: tuple[Array, Array]) -> Array:
        weight, target = row
        r = jnp.where(weight[None, :] > 0, fitted - target[None, :], 0.0)
        return jnp.sum(weight[None, :] * shared.objective.score(r), axis=1)

    return jax.lax.map(one, (weight, target))
