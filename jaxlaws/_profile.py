"""Profiles: the lowest objective at pinned values of one coordinate, everything else refitted."""

import math
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxlaws._fit import Fit
from jaxlaws._objective import Objective
from jaxlaws._risk import minimise
from jaxlaws._search import AGREE, widening
from jaxlaws._solver import CONVERGED, STALLED, Solution

NARROWEST = 1e-3  # first step of a profile's grid away from the minimum, in z
POINTS = 32  # pinned values on either side of the minimum
MINIMA = 3  # minima of the fit from which every pinned value is started
SPREAD = 4  # starts from elsewhere, annealed, for every pinned value; a power of two for Sobol
ROUNDS = 6  # at most so many passes in which pinned values start at their neighbours' ends
GOOD_ENOUGH = 1e-3  # gain still expected at a pinned minimum that counts: a tenth of what is judged


@dataclass(frozen=True, eq=False)
class Profile:
    """The lowest objective at pinned values of one coordinate.

    Attributes:
        label: A parameter, or "A at the centre" for the size of A's term at the centre of the runs.
        unit: Unit of the values.
        estimate: Its value at the fit.
        ends: Lower and upper end of where it may lie.
        z: (k,) pinned coordinates, increasing, from one end of the search to the other.
        value: (k,) the same in natural units.
        objective: (k,) lowest objective at each, in the objective's own units.
    """

    label: str
    unit: str
    estimate: float
    ends: tuple[float, float]
    z: np.ndarray
    value: np.ndarray
    objective: np.ndarray

    def span(self, most: float) -> tuple[float, float]:
        """The outermost z whose objective is at most a number; infinite where none is worse."""
        inside = np.flatnonzero(self.objective <= most)
        return self._edge(inside[0], -1, most), self._edge(inside[-1], 1, most)

    def within(self, most: float) -> tuple[float, float]:
        """The same in natural units; an end of where the value may lie where none is worse."""
        low, high = (float(np.interp(z, self.z, self.value)) for z in self.span(most))
        open_low, open_high = np.isinf(self.span(most))
        return self.ends[0] if open_low else low, self.ends[1] if open_high else high

    def _edge(self, i: int, step: int, most: float) -> float:
        j = i + step
        if not 0 <= j < len(self.z):
            return step * math.inf
        # Near a minimum the objective is a parabola, so its square root is straight in z.
        low = float(self.objective.min())
        near, far, at = (math.sqrt(max(v - low, 0.0)) for v in (*self.objective[[i, j]], most))
        return float(self.z[i] + (self.z[j] - self.z[i]) * (at - near) / (far - near))


def profiles(fit: Fit, key: Array | None = None) -> tuple[Profile, ...]:
    """One profile for every coordinate of a fit, all solved together.

    Args:
        fit: The fit.
        key: Seeds the starts from elsewhere; None is a fixed seed.
    """
    layout, dtype = fit.problem.layout, fit.problem.dtype
    at = np.asarray(fit.solution.z[0], float)
    grids = [_grid(*ends) for ends in zip(at, *layout.bounds(dtype), strict=True)]
    owner = np.repeat(np.arange(layout.size), [len(grid) for grid in grids])
    found = pinned(fit, owner, np.concatenate(grids), key)
    with jax.enable_x64(dtype == "float64"):
        natural = _natural(fit, np.concatenate([at[None], found.z]))
    out = []
    for j, (label, unit, ends, values) in enumerate(natural):
        mine = np.flatnonzero((owner == j) & np.isfinite(found.value))
        z, value = np.asarray(found.z)[mine, j], np.asarray(found.value)[mine]
        objective = value * float(fit.problem.shared.scale[0])
        out.append(Profile(label, unit, float(values[0]), ends, z, values[mine + 1], objective))
    return tuple(out)


def pinned(fit: Fit, coordinate: Any, at: Any, key: Array | None = None) -> Solution:
    """Minimise the risk with one coordinate held, for many coordinates and values at once.

    Args:
        fit: The fit; its minima are the first starts.
        coordinate: (t,) which coordinate of z each task holds.
        at: (t,) where, in z.
        key: Seeds the starts from elsewhere; None is a fixed seed.

    Returns:
        The lowest end of every task, leading axis (t,); its value is infinite where no start ended
        at a minimum.
    """
    problem, layout, total = fit.problem, fit.problem.layout, len(at)
    held = (np.arange(total), np.asarray(coordinate))
    lower, upper = (np.tile(side, (total, 1)) for side in layout.bounds(problem.dtype))
    lower[held] = upper[held] = at

    def solve(starts: np.ndarray, widen: np.ndarray) -> Solution:
        """From starts (s, t, p) with widening (s,), the best end of each task."""
        s = len(starts)
        ends = minimise(
            problem,
            fit.solver,
            starts.reshape(s * total, -1),
            np.zeros(s * total, int),
            lambda ids: (problem.weight[ids], None, ids),
            widen=np.repeat(widen, total),
            lower=np.tile(lower, (s, 1)),
            upper=np.tile(upper, (s, 1)),
        )
        # A lane that ran out of steps may still be annealing: its value is of another objective.
        stopped = (ends.status == STALLED) & (ends.decrement <= GOOD_ENOUGH)
        valid = (ends.status == CONVERGED) | stopped
        value = np.where(valid, ends.value, np.inf).reshape(s, total)
        pick = np.argmin(value, axis=0) * total + np.arange(total)
        best = jax.tree.map(lambda leaf: leaf[pick], ends)
        return best._replace(value=value.min(axis=0))

    seed = 0 if key is None else int(jax.random.randint(key, (), 0, 2**31 - 1))
    elsewhere = layout.alive(layout.random_starts(seed, SPREAD))
    near = fit.minima[:MINIMA]
    starts = np.concatenate([near, near[:1], elsewhere])
    widen = np.full(len(starts), widening(problem))
    widen[: len(near)] = 1.0
    best = solve(np.repeat(starts[:, None], total, axis=1), widen)
    order = np.lexsort((at, held[1]))
    for _ in range(ROUNDS):
        sides = []
        for step in (1, -1):
            side = np.roll(order, step)
            same = held[1][side] == held[1][order]
            z = np.empty_like(best.z)
            z[order] = best.z[np.where(same, side, order)]
            sides.append(z)
        again = solve(np.stack(sides), np.ones(2))
        better = again.value < best.value * (1 - AGREE[problem.dtype]) - 1e-12
        best = jax.tree.map(
            lambda new, old, better=better: np.where(
                better.reshape((-1,) + (1,) * (new.ndim - 1)), new, old
            ),
            again,
            best,
        )
        if not better.any():
            break
    return best


def log_likelihood(objective: Objective, residual: Any, weight: Any) -> float:
    r"""Log likelihood of residuals under an objective's own density, at the scale that suits best.

    $$\max_s \sum_i w_i \log p(r_i; s)$$

    Args:
        objective: The objective.
        residual: (n,) residuals.
        weight: (n,) weights.

    >>> import jaxlaws as jl
    >>> round(log_likelihood(jl.Squared(), [1.0, -1.0], [1.0, 1.0]), 4)
    -2.8379
    """
    from scipy import optimize

    spread = math.sqrt(np.average(np.square(residual), weights=weight))
    if spread == 0:
        return math.inf
    with jax.enable_x64(True):
        r, w = jnp.asarray(residual, float), jnp.asarray(weight, float)
        # The scale is a mean absolute residual or a variance over delta: far from the spread.
        ends = (math.log(spread) - 14, math.log(spread) + 14)
        found = optimize.minimize_scalar(
            lambda u: -float(_total_density(objective, r, w, u)),
            bounds=ends,
            options=dict(xatol=1e-9),
        )
    return -float(found.fun)


@jax.jit
def _total_density(objective: Any, residual: Array, weight: Array, log_scale: Array) -> Array:
    return jnp.sum(weight * objective.log_density(residual, jnp.exp(log_scale)))


def likelihood_limit(fit: Fit, lowest: float, prob: float) -> float:
    r"""The objective at the ends of a profile interval.

    The values v with $2 (\ell_{max} - \ell(v)) \le \chi^2_1(p)$, where the scale is profiled out.
    At any scale the log density is a straight line in the score, so the likelihood depends on the
    residuals through the objective alone, and the two can be exchanged. A scale that belongs to the
    objective (Student's t) is taken as given.

    Args:
        fit: The fit.
        lowest: The lowest objective.
        prob: Probability of the interval.
    """
    from scipy import optimize, stats

    drop = float(stats.chi2.ppf(prob, 1)) / 2
    if hasattr(fit.objective, "scale"):
        return lowest + drop * float(fit.objective.scale) ** 2
    n = float(np.sum(fit.runs.weight))
    typical = math.sqrt(np.average(np.square(fit.residual), weights=fit.runs.weight))
    if typical == 0 or lowest == 0:
        return lowest
    with jax.enable_x64(True):
        score = float(fit.objective.score(jnp.asarray(typical)))

    def height(value: float) -> float:
        many = value / score  # so many residuals of the typical size have this total
        return log_likelihood(fit.objective, [0.0, typical], [n - many, many])

    top = height(lowest)
    rise = optimize.brentq(
        lambda x: top - height(lowest * math.exp(x)) - drop, 0.0, 10 * drop / n, xtol=1e-9
    )
    return lowest * math.exp(float(rise))


def _grid(at: float, low: float, high: float) -> np.ndarray:
    """Pinned values from one end of the search to the other, dense around a minimum."""
    sides = [
        at + sign * np.geomspace(min(NARROWEST, room), room, POINTS)
        for sign, room in ((-1, at - low), (1, high - at))
        if room > 1e-6
    ]
    return np.unique(np.concatenate([[at], *sides]))


def _natural(fit: Fit, z: np.ndarray) -> list[tuple[str, str, tuple[float, float], np.ndarray]]:
    """For every coordinate its label, unit, ends and values (t,) in natural units at z (t, p)."""
    law, layout, frame = fit.law, fit.problem.layout, fit.problem.frame()
    back = jax.jit(jax.vmap(partial(layout.to_params, frame=frame)))(jnp.asarray(z))
    size = np.exp(z + float(frame.level))
    out = []
    for name, where in layout.slices.items():
        schema = law.params[name]
        values = np.asarray(back[name], float).reshape(len(z), -1)
        for j in range(where.start, where.stop):
            label, unit, column = layout.names()[j], schema.unit, values[:, j - where.start]
            # The size of a term is its parameter, up to a factor, where no other one enters it.
            if name in layout.terms and np.ptp(np.log(column) - z[:, j]) > 1e-6:
                label, unit, column = f"{label} at the centre", law.target.unit, size[:, j]
            out.append((label, unit, (schema.support.lower, schema.support.upper), column))
    return out
