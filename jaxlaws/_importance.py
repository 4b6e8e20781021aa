"""Modes of a posterior, and a mixture of Student's t that learns its shape by sampling it."""

from functools import lru_cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.scipy.linalg import solve_triangular
from jax.scipy.special import gammaln, logsumexp

from jaxlaws._density import Known, Model
from jaxlaws._risk import grow
from jaxlaws._solver import Tasks, solve

LANES = 64  # climbs at a time
STEPS = 200  # of a climb; where it ends need not be exact
FAR = 40.0  # no climb leaves this box
ROOM = 1e3  # a climb's value is one minus the gain in log density over this
FREEDOM = 4  # degrees of freedom of the members: their chi-square is minus two logs of a product
WIDEST = 2.0  # standard deviation in z beyond which the curvature at a mode is not believed
MEMBERS = 12  # of the mixture: enough to line a bent valley
BROADEST = 3.0  # the widest member begins so many times as wide as the curvature says
ROUNDS = 24  # rounds of learning
SAMPLES = 2048  # places looked at in a round
LEAST = 0.05  # share of the samples that must count in a round; else the weights are tempered
KEEP = 0.005  # no member's share falls below this


class Mixture(NamedTuple):
    """A mixture of multivariate t.

    share (k,), middle (k, d), root (k, d, d) of the scale and the inverse (k, d, d) of that root.
    """

    share: Array
    middle: Array
    root: Array
    inverse: Array

    def log_density(self, places: Array) -> Array:
        """(draw,) log density at places (draw, d)."""
        return logsumexp(self._members(places)[0], axis=1)

    def responsibility(self, places: Array) -> tuple[Array, Array]:
        """(draw, k) share of every member at places (draw, d), and squared distances to them."""
        logs, square = self._members(places)
        return jax.nn.softmax(logs, axis=1), square

    def _members(self, places: Array) -> tuple[Array, Array]:
        d = places.shape[-1]

        def one(share: Array, middle: Array, inverse: Array) -> tuple[Array, Array]:
            square = jnp.sum(((places - middle[None]) @ inverse.T) ** 2, axis=1)
            size = gammaln((FREEDOM + d) / 2) - gammaln(FREEDOM / 2)
            size += jnp.sum(jnp.log(jnp.diagonal(inverse))) - d / 2 * np.log(FREEDOM * np.pi)
            log = size - (FREEDOM + d) / 2 * jnp.log1p(square / FREEDOM)
            return jnp.log(share) + log, square

        logs, square = jax.vmap(one)(self.share, self.middle, self.inverse)
        return logs.T, square.T

    def sample(self, key: Array, count: int) -> Array:
        """(count, d) places."""
        pick, normal, tail = jax.random.split(key, 3)
        d = self.middle.shape[1]
        # Systematic: each member gives its share up to rounding.
        at = (jnp.arange(count, dtype=self.share.dtype) + jax.random.uniform(pick)) / count
        member = jnp.clip(jnp.searchsorted(jnp.cumsum(self.share), at), 0, len(self.share) - 1)
        chi = -2 * jnp.sum(jnp.log1p(-jax.random.uniform(tail, (2, count))), axis=0)
        stretch = jnp.sqrt(FREEDOM / chi)
        noise = jax.random.normal(normal, (count, d)) * stretch[:, None]
        return self.middle[member] + jnp.einsum("sij,sj->si", self.root[member], noise)


def mixed(share: Array, middle: Array, root: Array) -> Mixture:
    """The mixture of members with shares (k,), middles (k, d) and roots (k, d, d)."""
    one = jnp.eye(root.shape[-1], dtype=root.dtype)
    return Mixture(
        share, middle, root, jax.vmap(lambda root: solve_triangular(root, one, lower=True))(root)
    )


@lru_cache(maxsize=128)
def _descent(model: Model) -> Any:
    """What the solver minimises to find a mode."""

    def value(place: Array, widen: Array, shared: Known, row: tuple[Array, Array]) -> Array:
        level, data = row
        known = jax.tree.map(lambda leaf: leaf[data], shared)
        return 1 + (level - model.log_density(place, known)) / ROOM

    return value


@partial(jax.jit, static_argnums=0)
def _levels(model: Model, places: Array, data: Array, known: Known) -> Array:
    """(start,) log density at places (start, d) of their data sets."""

    def one(place: Array, data: Array) -> Array:
        return model.log_density(place, jax.tree.map(lambda leaf: leaf[data], known))

    return jax.vmap(one)(places, data)


def climb(
    model: Model, places: np.ndarray, data: np.ndarray, known: Known
) -> tuple[np.ndarray, np.ndarray]:
    """Go up from places (start, d) of data sets (start,) to modes (start, d) and their density."""
    total = len(places)
    length = 1 << (total - 1).bit_length()  # few compiled shapes
    places, data = grow(places, length), grow(data, length)
    starts = jnp.asarray(places)
    level = _levels(model, starts, jnp.asarray(data), known)
    far = jnp.full_like(starts, FAR)
    tasks = Tasks(
        start=starts,
        row=jnp.arange(len(starts), dtype=jnp.int32),
        widen=jnp.ones(len(starts), starts.dtype),
        lower=-far,
        upper=far,
    )
    table = (level, jnp.asarray(data, jnp.int32))
    count = jnp.asarray(total, jnp.int32)
    lanes = min(LANES, length)
    found = solve(_descent(model), tasks, count, known, table, lanes=lanes, max_steps=STEPS)
    heights = np.asarray(level + ROOM * (1 - found.value))
    return np.asarray(found.z)[:total], heights[:total]


def first(model: Model, modes: Array, density: Array, known: Known) -> Mixture:
    """The mixture of one data set that learning begins with.

    Args:
        model: The model.
        modes: (k, d) modes, repeated up to `MEMBERS`.
        density: (k,) log density there.
        known: The data set.
    """
    share = jax.nn.softmax(jnp.clip(density - jnp.max(density), -3.0))
    stretch = jnp.geomspace(1.0, BROADEST, len(modes))
    return mixed(
        share, modes, stretch[:, None, None] * jax.vmap(partial(curved, model, known=known))(modes)
    )


def curved(model: Model, mode: Array, known: Known) -> Array:
    """(d, d) root of the covariance that the curvature at a mode (d,) says.

    It is that of the Gauss-Newton precision: an objective's corners have no curvature of their own.
    """
    values, vectors = jnp.linalg.eigh(model.precision(mode, known))
    variance = 1 / jnp.maximum(values, WIDEST**-2)
    return jnp.linalg.cholesky((vectors * variance[None]) @ vectors.T)


def learn(model: Model, mixture: Mixture, key: Array, known: Known) -> Mixture:
    """The mixture after some rounds of sampling, weighing and moving towards what was found.

    Each round is one step of expectation and maximisation on the weighted sample, with weights
    tempered until a share of `LEAST` counts.
    """
    d = mixture.middle.shape[1]
    density = jax.vmap(lambda place: model.log_density(place, known))

    def step(mixture: Mixture, key: Array) -> tuple[Mixture, None]:
        places = mixture.sample(key, SAMPLES)
        log = density(places) - mixture.log_density(places)
        log = jnp.where(jnp.isfinite(log), log, -jnp.inf)
        weight = _tempered(log)
        member, square = mixture.responsibility(places)
        member = weight[:, None] * member
        share = jnp.sum(member, axis=0)
        pull = member * (FREEDOM + d) / (FREEDOM + square)
        total = jnp.sum(pull, axis=0) + 1e-12
        moved = jnp.einsum("sk,sd->kd", pull, places) / total[:, None]
        # A member that few samples speak for stays about where it was.
        seen = share**2 / (jnp.sum(member**2, axis=0) + 1e-30)
        trust = seen / (seen + 2 * d)
        middle = mixture.middle + trust[:, None] * (moved - mixture.middle)
        off = places[:, None, :] - middle[None]
        spread = jnp.einsum("sk,ski,skj->kij", pull, off, off) / (share + 1e-12)[:, None, None]
        before = mixture.root @ jnp.swapaxes(mixture.root, 1, 2)
        spread = before + trust[:, None, None] * (spread - before)
        spread += 1e-9 * jnp.trace(before, axis1=1, axis2=2)[:, None, None] * jnp.eye(d)[None]
        root = jnp.linalg.cholesky(spread)
        fine = jnp.isfinite(root).all(axis=(1, 2))
        share = jnp.maximum(share, KEEP)
        return mixed(
            share / jnp.sum(share),
            jnp.where(fine[:, None], middle, mixture.middle),
            jnp.where(fine[:, None, None], root, mixture.root),
        ), None

    return jax.lax.scan(step, mixture, jax.random.split(key, ROUNDS))[0]


def _tempered(log: Array) -> Array:
    """(draw,) normalised weights, flattened until enough of the draws count."""

    def weights(power: Array) -> Array:
        return jax.nn.softmax(power * log)

    def narrow(_: int, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = ends
        middle = (low + high) / 2
        enough = 1 / jnp.sum(weights(middle) ** 2) >= LEAST * len(log)
        return jnp.where(enough, middle, low), jnp.where(enough, high, middle)

    log = jnp.where(jnp.isfinite(log), log, jnp.min(jnp.where(jnp.isfinite(log), log, 0.0)) - 50.0)
    enough = 1 / jnp.sum(weights(jnp.ones(())) ** 2) >= LEAST * len(log)
    low = jax.lax.fori_loop(0, 12, narrow, (jnp.zeros(()), jnp.ones(())))[0]
    return weights(jnp.where(enough, 1.0, low))


@partial(jax.jit, static_argnums=(0, 5))
def sampled(
    model: Model, modes: Array, density: Array, keys: Array, known: Known, count: int
) -> tuple[Mixture, Array, Array]:
    """Learn the mixtures of many data sets and sample them.

    Args:
        model: The model.
        modes: (g, k, d) modes.
        density: (g, k) log density there.
        keys: (g,) random keys.
        known: The data sets, leading axis (g,).
        count: How many places are drawn of each.

    Returns:
        The learnt mixtures (g,), places (g, count, d), log weights (g, count).
    """

    def one(some: Any) -> tuple[Mixture, Array, Array]:
        modes, density, key, known = some
        early, late = jax.random.split(key)
        mixture = learn(model, first(model, modes, density, known), early, known)
        places = mixture.sample(late, count)
        log = jax.vmap(lambda place: model.log_density(place, known))(places)
        log -= mixture.log_density(places)
        return mixture, places, jnp.where(jnp.isfinite(log), log, -jnp.inf)

    return jax.lax.map(one, (modes, density, keys, known))
