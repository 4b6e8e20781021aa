"""Modes of a posterior, and weighted places of it."""

from functools import lru_cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxlaws._annealing import annealed
from jaxlaws._density import Known, Model
from jaxlaws._mixture import Mixture, learn
from jaxlaws._psis import smoothed
from jaxlaws._risk import grow
from jaxlaws._solver import Tasks, solve

LANES = 64  # climbs at a time
STEPS = 200  # of a climb; where it ends need not be exact
FAR = 40.0  # no climb leaves this box
ROOM = 1e3  # a climb's value is one minus the gain in log density over this


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


reached = partial(jax.jit, static_argnums=0)(annealed)


@partial(jax.jit, static_argnums=(0, 5))
def learnt(
    model: Model, mixture: Mixture, places: Array, key: Array, known: Known, count: int
) -> tuple[Mixture, Array, Array, Array]:
    """Let a mixture learn, and sample it.

    Args:
        model: The model.
        mixture: The mixture to begin with.
        places: (draw, d) what is known of the posterior.
        key: Random key.
        known: The data set.
        count: How many places are drawn.

    Returns:
        The learnt mixture, its own places (count, d), their log weights (count,) smoothed, and the
        k-hat of these.
    """
    early, late = jax.random.split(key)
    mixture = learn(model, mixture, places, early, known)
    frame = partial(model.prior_frame, known=known)
    own = mixture.sample(late, count, frame)
    log = jax.vmap(lambda place: model.log_density(place, known))(own)
    log -= mixture.log_density(own, frame)
    return mixture, own, *smoothed(jnp.where(jnp.isfinite(log), log, -jnp.inf))
