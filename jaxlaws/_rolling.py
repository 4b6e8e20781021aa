"""Refits of a law without the largest runs of a table, and how well they should predict those."""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxlaws._coordinates import coordinates
from jaxlaws._law import Law
from jaxlaws._risk import Problem, minimise, residuals
from jaxlaws._search import AGREE, NARROWEST, hold_at_bounds, rescue, take_lower, widening
from jaxlaws._solver import Newton, Solution

TINY = 1e-24  # variance of residuals below which a fit is exact
RESCUES = (30.0, 1.0)  # annealing of the tries to end refits that are no minima


def refitted(
    problem: Problem,
    solver: Newton,
    weights: Sequence[np.ndarray],
    starts: int,
    key: Array | None,
) -> Iterator[tuple[Solution, np.ndarray, np.ndarray, np.ndarray]]:
    """Refit a law to every table with every one of its weights, all in one compiled solve.

    Every refit begins at random starts, half annealed, half not; then at the lowest ends of the
    other refits of its table, and those that are no minima yet go on through a wider objective.

    Args:
        problem: The law and its tables (g, n).
        solver: Settings of the solver.
        weights: For each table (c, n) weights of its runs, zero for those held out.
        starts: Random starts of every refit.
        key: Seeds them; None is a fixed seed.

    Yields:
        For each table the lowest ends, leading axis (c,), with the objective summed over runs; the
        errors (c, n) of all runs, predicted minus measured; the noise (c,) of a single run; and
        the standard deviation (c, n) that noise and uncertain parameters explain together.
    """
    data = np.repeat(np.arange(len(weights)), [len(w) for w in weights])
    n = problem.runs
    weight = np.concatenate([np.pad(w, ((0, 0), (0, n - w.shape[1]))) for w in weights])
    solve = partial(minimise, problem, solver, table=lambda ids: (weight[ids], None, data[ids]))
    rows = np.arange(len(data))
    widest = np.array([widening(problem, g) for g in range(len(weights))])[data]

    seed = 0 if key is None else int(jax.random.randint(key, (), 0, 2**31 - 1))
    fresh = problem.layout.alive(problem.layout.random_starts(seed, max(2, starts)))
    owner = np.repeat(rows, len(fresh))
    wide = widest[owner]
    odd = np.arange(len(owner)) % len(fresh) % 2 == 1
    wide = np.where(odd, np.maximum(1.0, wide / NARROWEST), wide)
    found = solve(np.tile(fresh, (len(rows), 1)), owner, widen=wide)
    lead = np.where(np.isfinite(found.value), found.value, np.inf).reshape(len(rows), -1)
    lowest = rows * len(fresh) + lead.argmin(axis=1)
    best = jax.tree.map(lambda leaf: leaf[lowest], found)
    agree = AGREE[problem.dtype]
    take_lower(best, found, owner, agree)

    mine, other = np.nonzero((data[:, None] == data[None, :]) & (rows[:, None] != rows[None, :]))
    take_lower(best, solve(best.z[other], mine), mine, agree)
    rescue(solve, best, widest, RESCUES)
    hold_at_bounds(problem, solve, best, widest)

    with jax.enable_x64(True):
        judged = _judge(problem.law, problem.space)(
            jnp.asarray(best.z),
            jax.tree.map(lambda leaf: jnp.asarray(np.asarray(leaf)[data]), problem.shared.frame),
            jax.tree.map(lambda leaf: jnp.asarray(np.asarray(leaf)[data]), problem.shared.inputs),
            jnp.asarray(problem.target[data]),
            jnp.asarray(weight),
        )
    best = best._replace(value=best.value * np.asarray(problem.shared.scale)[data])
    error, noise, expected = (np.asarray(v) for v in judged)
    for g in range(len(weights)):
        own = data == g
        end = jax.tree.map(lambda leaf, own=own: leaf[own], best)
        yield end, error[own], noise[own], expected[own]


@lru_cache(maxsize=128)  # one compiled function per law and space
def _judge(law: Law, space: str) -> Callable[..., tuple[Array, Array, Array]]:
    """Samples (s, ...) -> errors (s, n), noise (s,), explained standard deviations (s, n)."""
    layout = coordinates(law)
    bounds = layout.bounds("float64")

    def one(sample: tuple[Array, Any, Any, Array, Array]) -> tuple[Array, Array, Array]:
        z, frame, inputs, target, weight = sample

        def misfit(z: Array) -> Array:
            return residuals(law, space, layout.to_params(z, frame), inputs, target)

        live = weight > 0
        error = misfit(z)
        free = (z > bounds[0] + 1e-6) & (z < bounds[1] - 1e-6)
        slopes = jnp.where(free[None, :], jax.jacfwd(misfit)(z), 0.0)
        inside = jnp.where(live[:, None], slopes, 0.0)
        spare = jnp.maximum(1.0, jnp.sum(jnp.where(live, 1.0, 0.0)) - layout.size)
        variance = jnp.sum(jnp.where(live, error, 0.0) ** 2) / spare
        known = inside.T @ (weight[:, None] * inside)
        precision = known / jnp.maximum(variance, TINY) + jnp.eye(layout.size)
        leverage = jnp.sum(slopes * jnp.linalg.solve(precision, slopes.T).T, axis=1)
        return error, jnp.sqrt(variance), jnp.sqrt(variance + leverage)

    return jax.jit(lambda *samples: jax.lax.map(one, samples))
