"""The coordinate z in which everything is searched: standard normal over the typical ranges.

A parameter that enters the law linearly and is positive (E, A, B: the size of a term) is written as
the logarithm of its term at the centre of the data, relative to the target there. Then "each term
is about a third of the loss" is the same start whatever the exponents are, the exponents no longer
drag the amplitudes along, and float32 is enough. Every other parameter is its own standard
coordinate.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxlaws._law import NORMAL_90, Law, Parameter, Variable
from jaxlaws._runs import Runs

FARTHEST = 6.0  # bounds of an ordinary coordinate, in standard deviations of the typical range
FARTHEST_START = 3.0  # no start has an ordinary coordinate beyond
LARGEST_TERM = 9.0  # log of a term's largest size relative to the target
SMALLEST_TERM = {"float64": -27.6, "float32": -13.8}  # log 1e-12, log 1e-6: a term that is gone
DEAD_TERM = 1e-5  # share of the prediction below which a term has died
TRIES = 8  # places where a law is looked at for its linear terms
ALIVE = (-3.5, 0.0)  # where a start's terms are brought to life: 3 to 100 % of the target


class Frame(NamedTuple):
    """What of the coordinate depends on the data: leaves may carry a leading axis of data sets.

    centre {input: () or (k,)}, level () log size of the target, middle (p,) and width (p,) of each
    coordinate on the unconstrained line.
    """

    centre: Mapping[str, Any]
    level: Any
    middle: Any
    width: Any


@dataclass(frozen=True)
class Coordinates:
    """The layout of z for one law.

    Attributes:
        law: The law.
        terms: The positive parameters that enter linearly.
        bent: The terms whose size at the centre of the data depends on other parameters.
        slices: Parameter -> its place in z.
        size: p, the length of z.
    """

    law: Law
    terms: tuple[str, ...]
    bent: tuple[str, ...]
    slices: Mapping[str, slice]
    size: int

    __hash__ = object.__hash__

    def names(self) -> list[str]:
        """(p,) names of the coordinates, with a number where a parameter has several."""
        out = []
        for name, where in self.slices.items():
            k = where.stop - where.start
            out += [name] if not self.law.params[name].size else [f"{name}[{i}]" for i in range(k)]
        return out

    def is_term(self) -> np.ndarray:
        """(p,) whether a coordinate is the size of a term."""
        mask = np.zeros(self.size, bool)
        for name in self.terms:
            mask[self.slices[name]] = True
        return mask

    def frame(self, runs: Runs) -> Frame:
        """The data-dependent part for one table of runs."""
        live = runs.weight > 0
        centre = {}
        for name, variable in self.law.inputs.items():
            values = runs.inputs[name][live]
            if name in ("group", "curve"):
                centre[name] = values[0]
            elif variable.support.name == "positive":
                centre[name] = np.exp(np.mean(np.log(values), axis=0))
            else:
                centre[name] = np.mean(values, axis=0)
        if "curve" in centre:  # a step of another curve would not be on it
            centre = {k: runs.inputs[k][live][live.sum() // 2] for k in centre}
        middle, width = np.zeros(self.size), np.ones(self.size)
        for name, p in self.law.params.items():
            if name in self.terms:
                continue
            low, high = p.centre - NORMAL_90 * p.spread, p.centre + NORMAL_90 * p.spread
            if p.like:
                found = [p.support.unconstrain_number(v) for v in runs.inputs[p.like][live]]
                low, high = min(found), max(found)
                margin = 0.5 if p.support.name == "positive" else 0.1 * (high - low)
                low, high = low - margin, high + margin
            middle[self.slices[name]] = (low + high) / 2
            width[self.slices[name]] = (high - low) / (2 * NORMAL_90)
        level = np.log(np.mean(np.abs(runs.target[live])))
        return Frame(centre, level, middle, width)

    def to_params(self, z: Array, frame: Frame) -> dict[str, Array]:
        """Parameters from z (p,); scalar case."""
        values = self._others(z, frame)
        sizes = self._term_sizes(values, frame)
        for name in self.terms:
            log_term = _sized(z[self.slices[name]], self.law.params[name])
            values[name] = jnp.exp(log_term + frame.level - sizes[name])
        return {name: values[name] for name in self.law.params}

    def from_params(self, params: Mapping[str, Array], frame: Frame) -> Array:
        """Z (p,) from parameters; the inverse of `to_params`."""
        own = {k: jnp.asarray(v) for k, v in params.items() if k not in self.terms}
        sizes = self._term_sizes(own, frame)
        z = jnp.zeros(self.size, frame.middle.dtype)
        for name, where in self.slices.items():
            p = self.law.params[name]
            value = jnp.ravel(jnp.asarray(params[name], frame.middle.dtype))
            if name in self.terms:
                z = z.at[where].set(jnp.log(value) - frame.level + sizes[name])
            else:
                inside = p.support.unconstrain(value)
                z = z.at[where].set((inside - frame.middle[where]) / frame.width[where])
        return z

    def term_sizes(self, z: Array, frame: Frame) -> dict[str, Array]:
        """Log size of each term at the centre when its parameter is one, at z (p,)."""
        return self._term_sizes(self._others(z, frame), frame)

    def _others(self, z: Array, frame: Frame) -> dict[str, Array]:
        """The parameters that are no terms, from z (p,)."""
        unconstrained = frame.middle + frame.width * z
        return {
            name: self.law.params[name].support.constrain(
                _sized(unconstrained[where], self.law.params[name])
            )
            for name, where in self.slices.items()
            if name not in self.terms
        }

    def _term_sizes(self, own: Mapping[str, Array], frame: Frame) -> dict[str, Array]:
        """The same from the parameters that are no terms."""
        if not self.terms:
            return {}

        def at_centre(sizes: dict[str, Array], centre: Mapping[str, Any]) -> Array:
            full = {k: jnp.broadcast_to(v, self.law.params[k].size) for k, v in sizes.items()}
            return self.law.scalar({**centre, **own, **full})

        ones = {k: jnp.ones((), frame.middle.dtype) for k in self.terms}
        slopes = jax.grad(at_centre)(ones, frame.centre)
        names, groups = self.law.grouped
        if any(k in names for k in self.terms):
            # A term of every group has its size there, with that group's other parameters.
            each = jax.vmap(
                lambda group: jax.grad(at_centre)(ones, {**frame.centre, "group": group})
            )(jnp.arange(groups, dtype=frame.middle.dtype))
            slopes |= {k: each[k] for k in self.terms if k in names}
        # A term that vanishes at the centre (no annealing yet) is left in its own units.
        return {k: jnp.log(jnp.where(v == 0, 1.0, jnp.abs(v))) for k, v in slopes.items()}

    def bounds(self, dtype: str) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper bounds (p,) of the search."""
        term = self.is_term()
        lower = np.where(term, SMALLEST_TERM[dtype], -FARTHEST)
        return lower, np.where(term, LARGEST_TERM, FARTHEST)

    def alive(self, z: np.ndarray) -> np.ndarray:
        """Starts (start, p) with every term brought to a size that its gradient can feel."""
        term = self.is_term()
        return np.where(term, np.clip(z, *ALIVE), np.clip(z, -FARTHEST_START, FARTHEST_START))

    def random_starts(self, seed: int, count: int) -> np.ndarray:
        """(start, p) starts: the first from the middle of the typical ranges, the rest spread."""
        rng = np.random.default_rng(seed)
        strata = rng.permuted(np.tile(np.arange(count), (self.size, 1)), axis=1).T
        uniform = (strata + rng.random(strata.shape)) / count  # a Latin hypercube
        z = np.vectorize(NormalDist().inv_cdf)(0.02 + 0.96 * uniform)  # SciPy's import is slow
        term = self.is_term()
        low, high = ALIVE
        z = np.where(term, low + (high - low) * uniform, z)
        z[0] = np.where(term, -1.0, 0.0)
        return z


@lru_cache(maxsize=512)
def coordinates(law: Law) -> Coordinates:
    """The layout of z for a law; the linear parameters are found from the function itself."""
    slices, at = {}, 0
    for name, p in law.params.items():
        k = int(np.prod(p.size)) if p.size else 1
        slices[name] = slice(at, at + k)
        at += k
    return Coordinates(law, *_linear_terms(law), slices, at)


def _linear_terms(law: Law) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Positive parameters in which the law is affine, taken together, and which of them are bent.

    Second derivatives are looked at in a few places, relative to first ones; a parameter joins
    when it has an effect and they vanish with itself and with all that joined before. It is bent
    when its first derivative is not the same everywhere.
    """
    candidates = [k for k, p in law.params.items() if p.support.name == "positive" and not p.like]
    if not candidates:
        return (), ()
    rng = np.random.default_rng(0)
    inputs = {k: np.stack([_example(v, rng) for _ in range(TRIES)]) for k, v in law.inputs.items()}
    own = {k: rng.uniform(-1, 1, (TRIES, *p.size)) for k, p in law.params.items()}
    low = rng.uniform(-0.5, 0.5, (TRIES, len(candidates)))

    @jax.jit
    def looked(
        own: dict[str, Array], inputs: dict[str, Array], low: Array
    ) -> tuple[Array, Array, Array]:
        """Sizes, slopes and second derivatives by them, one try after the other."""

        def one(
            own: dict[str, Array], inputs: dict[str, Array], low: Array
        ) -> tuple[Array, Array, Array]:
            sizes = jnp.stack(
                [law.params[k].constrain(z) for k, z in zip(candidates, low, strict=True)]
            )
            rest = {
                k: p.support.constrain(p.support.unconstrain(inputs[p.like]) + own[k])
                if p.like
                else p.constrain(own[k])
                for k, p in law.params.items()
                if k not in candidates
            }

            def value(sizes: Array) -> Array:
                full = {
                    k: jnp.broadcast_to(s, law.params[k].size)
                    for k, s in zip(candidates, sizes, strict=True)
                }
                return law.scalar({**inputs, **rest, **full})

            return sizes, jax.grad(value)(sizes), jax.hessian(value)(sizes)

        return jax.vmap(one)(own, inputs, low)

    sizes, slopes, bends = (np.asarray(v) for v in looked(own, inputs, low))
    varies = np.ptp(slopes, axis=0) > 1e-9 * np.abs(slopes).max(axis=0)
    slopes, bends = np.abs(slopes) * sizes, np.abs(bends) * sizes[:, :, None] * sizes[:, None, :]
    with np.errstate(all="ignore"):  # no effect here, or an overflow: not affine, then
        found = bends / np.sqrt(slopes[:, :, None] * slopes[:, None, :])
    found = np.where(bends == 0, 0.0, np.where(np.isfinite(found), found, np.inf))
    worst, effect = found.max(axis=0), slopes.max(axis=0)
    chosen: list[int] = []
    for i in range(len(candidates)):
        if effect[i] > 0 and all(worst[i, j] < 1e-9 for j in [*chosen, i]):
            chosen.append(i)
    return tuple(candidates[i] for i in chosen), tuple(candidates[i] for i in chosen if varies[i])


def _example(variable: Variable, rng: np.random.Generator) -> np.ndarray:
    size = tuple(3 if k is None else k for k in variable.size)
    if variable.name in ("group", "curve"):
        return np.zeros(())
    if variable.support.name == "simplex":
        return rng.dirichlet(np.ones(size))
    if variable.support.name == "positive":
        low, high = variable.typical or (3.0, 50.0)
        return np.floor(np.exp(rng.uniform(np.log(low) + 1, np.log(high), size)))
    return rng.uniform(0.1, 0.9, size)


def _sized(values: Array, p: Parameter) -> Array:
    return values.reshape(p.size)
