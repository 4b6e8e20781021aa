"""Resampling: a resample is a weight vector, and only where it must be a new target.

Draw number i depends on the key and on i alone, so that the draws are the same whatever the block
size, the order or the number of devices.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxlaws._errors import InputError

LENGTHS = 64  # tables whose lengths differ by less share the compiled draw


class Sample(NamedTuple):
    """What a resampler may look at, in the space of residuals.

    weight (n,), target (n,), fitted (n,), group (n,) numbers, spare () degrees of freedom left.
    """

    weight: np.ndarray
    target: np.ndarray
    fitted: np.ndarray
    group: np.ndarray
    spare: float


class Resampler(Protocol):
    """A way to make resamples."""

    def draw(
        self, key: Array, ids: np.ndarray, sample: Sample
    ) -> tuple[Array | np.ndarray, Array | None]:
        """Weights (r, n) and targets (r, n), or None for the measured ones, of draws ids (r,)."""


@dataclass(frozen=True)
class Pairs:
    """Runs drawn with replacement, or whole groups of runs with ``by="group"``."""

    by: str | None = None

    def draw(self, key: Array, ids: np.ndarray, sample: Sample) -> tuple[np.ndarray, None]:
        """Counts of each run, times its own weight."""
        unit, count = _units(sample, self.by)
        return counts(key, ids, count)[:, unit] * sample.weight[None, :], None


@dataclass(frozen=True)
class Bayesian:
    """Dirichlet weights instead of counts: no run ever leaves, so small tables stay identified."""

    by: str | None = None

    def draw(self, key: Array, ids: np.ndarray, sample: Sample) -> tuple[Array, None]:
        """Dirichlet(1, ..., 1) weights scaled to sum to the number of units."""
        unit, count = _units(sample, self.by)
        raw = _each(lambda k: jax.random.exponential(k, (count,)), key, ids)
        share = raw / raw.mean(axis=1, keepdims=True)
        return share[:, unit] * jnp.asarray(sample.weight)[None, :], None


@dataclass(frozen=True)
class Residual:
    """Fitted values plus residuals drawn with replacement, inflated for the parameters spent."""

    def draw(self, key: Array, ids: np.ndarray, sample: Sample) -> tuple[Array, Array]:
        """The given weights, and new targets."""
        pool = inflated_residuals(sample)
        n = len(sample.target)
        index = _each(lambda k: jax.random.randint(k, (n,), 0, len(pool)), key, ids)
        return _same(sample.weight, ids), jnp.asarray(sample.fitted)[None, :] + jnp.asarray(pool)[
            index
        ]


@dataclass(frozen=True)
class Wild:
    """Each residual keeps its place and takes a random factor (Webb's six points).

    With ``by="group"`` all runs of a group take the same factor.
    """

    by: str | None = None

    def draw(self, key: Array, ids: np.ndarray, sample: Sample) -> tuple[Array, Array]:
        """The given weights, and new targets."""
        unit, count = _units(sample, self.by)
        webb = jnp.sqrt(jnp.array([1.5, 1.0, 0.5]))
        points = jnp.concatenate([-webb, webb])
        pick = _each(lambda k: jax.random.randint(k, (count,), 0, 6), key, ids)
        grow = np.sqrt((sample.weight > 0).sum() / sample.spare)
        noise = (sample.target - sample.fitted) * grow
        return _same(sample.weight, ids), jnp.asarray(sample.fitted)[None, :] + jnp.asarray(noise)[
            None, :
        ] * points[pick][:, unit]


@dataclass(frozen=True)
class Parametric:
    """Fitted values plus normal noise of the residuals' own standard deviation."""

    def draw(self, key: Array, ids: np.ndarray, sample: Sample) -> tuple[Array, Array]:
        """The given weights, and new targets."""
        n = len(sample.target)
        scale = noise_scale(sample)
        noise = _each(lambda k: jax.random.normal(k, (n,)), key, ids)
        return _same(sample.weight, ids), jnp.asarray(sample.fitted)[None, :] + scale * noise


@dataclass(frozen=True)
class Jackknife:
    """One run, or one group, left out at a time: as many draws as there are units."""

    by: str | None = None

    def draw(self, key: Array, ids: np.ndarray, sample: Sample) -> tuple[Array, None]:
        """Weights without unit i."""
        unit, _ = _units(sample, self.by)
        keep = unit[None, :] != np.asarray(ids)[:, None]
        return jnp.asarray(keep * sample.weight), None

    def count(self, sample: Sample) -> int:
        """The number of units."""
        return _units(sample, self.by)[1]


def inflated_residuals(sample: Sample) -> np.ndarray:
    """Residuals (live runs,) measured minus fitted, centred, and inflated by sqrt(n / (n - p))."""
    live = sample.weight > 0
    residual = (sample.target - sample.fitted)[live]
    return (residual - residual.mean()) * np.sqrt(live.sum() / sample.spare)


def noise_scale(sample: Sample) -> float:
    """Standard deviation of residuals with the spent parameters accounted for."""
    residual = (sample.target - sample.fitted)[sample.weight > 0]
    return float(np.sqrt(np.sum(residual**2) / sample.spare))


def _units(sample: Sample, by: str | None) -> tuple[np.ndarray, int]:
    """Which unit each run belongs to (n,), and their number; runs of zero weight belong to none."""
    if by not in (None, "group"):
        raise InputError(f'by must be None or "group", got {by!r}.')
    live = sample.weight > 0
    labels = np.arange(len(live)) if by is None else sample.group
    _, codes = np.unique(labels[live], return_inverse=True)
    unit = np.zeros(len(live), int)
    unit[live] = codes
    return unit, int(codes.max()) + 1


def counts(key: Array, ids: Array | np.ndarray, count: int) -> np.ndarray:
    """(r, count) how often each of `count` units is drawn in as many draws with replacement."""
    length = -(-count // LENGTHS) * LENGTHS
    index = np.asarray(_indices(key, jnp.asarray(ids), count, length))[:, :count]
    rows = np.arange(len(index))[:, None] * count  # counted here: a scatter is slow to compile
    return np.bincount(np.ravel(index + rows), minlength=index.size).reshape(index.shape)


@partial(jax.jit, static_argnames="length")
def _indices(key: Array, ids: Array, count: Array | int, length: int) -> Array:
    """(r, length) numbers below count; those before any place are the same for every length."""

    def one(i: Array) -> Array:
        return jax.random.randint(jax.random.fold_in(key, i), (length,), 0, count)

    return jax.vmap(one)(ids)


def _each(fn: Callable[[Array], Array], key: Array, ids: np.ndarray) -> Array:
    return jax.vmap(lambda i: fn(jax.random.fold_in(key, i)))(jnp.asarray(ids))


def _same(weight: np.ndarray, ids: np.ndarray) -> Array:
    return jnp.broadcast_to(jnp.asarray(weight), (len(ids), len(weight)))
