"""The search of a fit: where it starts, and a look around the lowest ends."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxlaws._coordinates import FARTHEST_START, Coordinates, Frame
from jaxlaws._errors import InputError
from jaxlaws._risk import Problem, minimise
from jaxlaws._solver import CONVERGED, Newton, Solution

# Relative difference in the objective below which two minima are one.
AGREE = {"float64": 1e-6, "float32": 2e-4}
EXACT = 1e-12  # relative difference in the objective of two certified ends of one minimum
NEARLY = 1.5  # minima up to this multiple of the lowest are kept as starts of refits
MOST = 8  # at most so many of them
TINY = 1e-12  # values this close to zero are all exact fits
NARROWEST = 1e3  # a search never begins with an objective so much narrower than the residuals
AROUND = 0.5  # spread in z of the restarts around a minimum
NEIGHBOURS = 6  # restarts around each of the lowest minima
LOOKS = 4  # at most so many looks around
HELD = (np.inf, 30.0, 1.0)  # annealing of what is left to search with coordinates held at bounds


def widening(problem: Problem, data: int = 0) -> float:
    """The factor by which the objective sees the spread of a data set's targets as quadratic."""
    live = problem.weight[data] > 0
    return problem.shared.objective.widening(float(np.std(problem.target[data][live])))


def search(
    problem: Problem, solver: Newton, starts: int | Mapping[str, Any], key: Array | None
) -> list[Solution]:
    """Minimise from every start, then around the lowest ends where there are several.

    Half of our own starts follow the objective from nearly least squares down to its own width,
    half minimise it as it is; a start given by hand does both and keeps the lower end.

    Args:
        problem: The problem.
        solver: Settings of the solver.
        starts: How many starts, or parameter -> (start,).
        key: Seeds the starts; None is a fixed seed.

    Returns:
        For each data set every start's end, leading axis (start,), lowest first.

    Raises:
        InputError: The starts are none.
    """
    tables = len(problem.target)
    solve = partial(minimise, problem, solver, table=lambda ids: (problem.weight[ids], None, ids))
    seed = 0 if key is None else int(jax.random.randint(key, (), 0, 2**31 - 1))
    if isinstance(starts, Mapping):
        given = [_given_starts(problem, starts, g) for g in range(tables)]
    else:
        given = [problem.layout.random_starts(seed, max(2, _count(starts)))] * tables
    count = len(given[0])
    z = problem.layout.alive(np.concatenate(given))
    data = np.repeat(np.arange(tables), count)
    widest = np.array([widening(problem, g) for g in range(tables)])
    wide = widest[data]
    # A narrow objective can have minima that the wide one leads away from, but one far narrower
    # than the residuals has corners everywhere and lets nothing through.
    narrow = np.maximum(1.0, wide / NARROWEST)
    if isinstance(starts, Mapping):
        found = solve(z, data, widen=wide)
        take_lower(found, solve(z, data, widen=narrow), np.arange(len(z)), 0.0)
    else:
        found = solve(z, data, widen=np.where(np.arange(len(z)) % count % 2 == 1, narrow, wide))
    ends = [jax.tree.map(lambda leaf, g=g: leaf[data == g], found) for g in range(tables)]
    _look_around(problem, solve, ends, widest, seed)
    ends = [lowest_first(own) for own in ends]
    best = jax.tree.map(lambda *leaves: np.stack([leaf[0] for leaf in leaves]), *ends)
    hold_at_bounds(problem, solve, best, widest)
    for g, own in enumerate(ends):
        for leaf, new in zip(own, best, strict=True):
            leaf[0] = new[g]
    return ends


def rescue(
    solve: Callable[..., Solution], best: Solution, widest: np.ndarray, annealing: Sequence[float]
) -> None:
    """Go on with refits (r,) that are no minima yet, in place.

    Few runs and a narrow objective make a valley with corners that bends away from every step; a
    wider objective goes along it, and going on from there ends it.
    """
    for widen in annealing:
        lost = np.flatnonzero(best.status != CONVERGED)
        if not len(lost):
            return
        again = solve(best.z[lost], lost, widen=np.minimum(widen, widest[lost]))
        take_lower(best, again, lost, AGREE[best.z.dtype.name])


def hold_at_bounds(
    problem: Problem, solve: Callable[..., Solution], best: Solution, widest: np.ndarray
) -> None:
    """Go on with ends (r,) that are no minima but left the range of all starts, in place.

    The infimum of A N^-alpha - E may lie at alpha = 0, where A and E are infinite: the valley that
    leads there bends away from every step. Held at its bound, such a coordinate leaves a minimum in
    the others, which is certified once it is free, if it does not come back.
    """
    far = (np.abs(best.z) > FARTHEST_START) & ~problem.layout.is_term()
    lost = np.flatnonzero((best.status != CONVERGED) & far.any(axis=1))
    if not len(lost):
        return
    z, far, sides = best.z[lost], far[lost], problem.layout.bounds(problem.dtype)
    lower, upper = (np.where(far, np.where(z < 0, *sides), side) for side in sides)
    for widen in HELD:
        wide = np.minimum(widen, widest[lost])
        z = solve(z, lost, widen=wide, lower=lower, upper=upper).z
    take_lower(best, solve(z, lost), lost, AGREE[problem.dtype])


def distinct(solution: Solution, agree: float) -> np.ndarray:
    """(k,) which ends, sorted by value, are distinct low minima, lowest first."""
    kept = [0]
    for i, value in enumerate(solution.value):
        if not value <= NEARLY * solution.value[0] + TINY or len(kept) == MOST:
            break
        if value > solution.value[kept[-1]] * (1 + agree):
            kept.append(i)
    return np.array(kept)


def _look_around(
    problem: Problem, solve: Any, ends: list[Solution], widest: np.ndarray, seed: int
) -> None:
    """Restart near the distinct low minima, in place, until nothing lower turns up.

    Where there are several minima, the lowest may have a basin that few starts fall into.
    """
    rng = np.random.default_rng(seed)
    agree = AGREE[problem.dtype]
    open_ = list(range(len(ends)))
    for _ in range(LOOKS):
        tasks = []
        for g in open_:
            order = _order(ends[g])
            low = order[distinct(jax.tree.map(lambda leaf, o=order: leaf[o], ends[g]), agree)]
            if len(low) > 1:
                tasks.append((g, np.repeat(low, NEIGHBOURS)))
        if not tasks:
            return
        near = np.concatenate([ends[g].z[low] for g, low in tasks])
        data = np.concatenate([np.full(len(low), g) for g, low in tasks])
        full = widest[data]
        wide = np.where(np.arange(len(near)) % 2 == 1, np.minimum(full, 30.0), full)
        again = solve(near + AROUND * rng.standard_normal(near.shape), data, widen=wide)
        open_ = []
        for g, low in tasks:
            own = jax.tree.map(lambda leaf, mine=data == g: leaf[mine], again)
            if take_lower(ends[g], own, low, agree).any():
                open_.append(g)


def take_lower(ends: Solution, again: Solution, owner: np.ndarray, agree: float) -> np.ndarray:
    """Put the ends (t,) of `again` in place of their owners' where they are lower or certified.

    Returns:
        (r,) whose value is lower than before by more than `agree`.
    """
    lower = np.zeros(len(ends.value), bool)
    for t in np.argsort(-again.value):  # the lowest is written last
        i = owner[t]
        gain = again.value[t] < ends.value[i] * (1 - agree) - TINY
        level = again.value[t] <= ends.value[i] * (1 + agree) + TINY
        certain = again.status[t] == CONVERGED
        rescued = certain and ends.status[i] != CONVERGED
        # The same minimum reached a last bit more exactly is no reason: the bits are the device's.
        other = certain and again.value[t] < ends.value[i] * (1 - EXACT)
        if gain or (level and (rescued or other)):
            lower[i] |= gain
            for leaf, new in zip(ends, again, strict=True):
                leaf[i] = new[t]
    return lower


def _order(solution: Solution) -> np.ndarray:
    """Order of the ends: by value, but a converged one before an equal one that is not."""
    value = np.where(np.isfinite(solution.value), solution.value, np.inf)
    order = np.lexsort((solution.status, value))
    near = value[order] <= value[order[0]] * (1 + 1e-9) + 1e-15
    first = np.flatnonzero(near & (solution.status[order] == CONVERGED))[:1]
    return np.concatenate([order[first], np.delete(order, first)])


def lowest_first(solution: Solution) -> Solution:
    order = _order(solution)
    return jax.tree.map(lambda leaf: leaf[order], solution)


def _count(starts: object) -> int:
    if not isinstance(starts, int) or starts < 1:
        raise InputError(
            f"starts must be a number of starts, 1 or more, or parameter -> values; got {starts!r}."
        )
    return starts


def _given_starts(problem: Problem, starts: Mapping[str, Any], data: int) -> np.ndarray:
    law = problem.law
    if set(starts) != set(law.params):
        raise InputError(
            f"starts must name every parameter of {law.name} ({', '.join(law.params)}); "
            f"got {', '.join(starts)}."
        )
    values, lengths = {}, {}
    for name in law.params:
        value = np.asarray(starts[name], float)
        size = law.params[name].size
        if value.shape[1:] != tuple(size) or value.ndim == 0:
            shape = ", ".join(["start", *map(str, size)])
            raise InputError(f"starts: {name} must have shape ({shape}); got {value.shape}.")
        if not np.isfinite(value).all():
            i = int(np.argmax(~np.isfinite(value.reshape(len(value), -1)).all(axis=1)))
            raise InputError(f"starts: {name} is {value[i]} in start {i}; it must be finite.")
        lengths[name] = len(value)
        values[name] = np.maximum(value, 1e-12) if law.params[name].support.lower == 0 else value
    if len(set(lengths.values())) > 1:
        counts = ", ".join(f"{k} {v}" for k, v in lengths.items())
        raise InputError(f"starts must have one value of every parameter per start; got {counts}.")
    return np.asarray(_from_params(problem.layout, problem.frame(data), values))


@partial(jax.jit, static_argnums=0)
def _from_params(layout: Coordinates, frame: Frame, values: Mapping[str, Array]) -> Array:
    return jax.vmap(lambda one: layout.from_params(one, frame))(jax.tree.map(jnp.asarray, values))
