"""Places of a posterior, reached from its prior by letting the runs speak little by little."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxlaws._density import Known, Model
from jaxlaws._mixture import (
    Mixture,
    around,
    at_modes,
    highest_power,
    joined,
    placed,
    seen,
    towards,
)

PARTICLES = 1024
SWEEPS = 4  # after each rise of the runs' weight: a jump and a move of every particle in each
STEPS = 3  # of the mixture towards the particles, after each rise
KEPT = 0.5  # share of the particles that count after a rise
RISE = 0.02  # a rise is at least this share of the weight before
MODES = 0.25  # share of the jumps that go to modes
SMALL = 0.05  # weight of the runs below which modes are no wider
IMPOSSIBLE = -1e30  # log density where there is none


class _Cloud(NamedTuple):
    """Particles: place (draw, d), log density of the prior (draw,), what the runs add (draw,)."""

    place: Array
    prior: Array
    gain: Array


def annealed(model: Model, modes: Array, key: Array, known: Known) -> tuple[Array, Mixture]:
    """Places (draw, d) of about equal weight, and a mixture around them and around modes (k, d).

    Annealed sequential Monte Carlo [delmoral2006]. It begins with the default priors, and so at
    every corner of them: a term that may have vanished, an exponent that no run tells. A particle
    jumps to places of the mixture, which follows the particles, and moves by differences of two
    others [terbraak2006], in one view after the other.
    """
    d, number = model.size, known.target.dtype
    frame = partial(model.prior_frame, known=known)
    views, every = jnp.asarray(model.views), jnp.ones(d, bool)
    first, start, key = jax.random.split(key, 3)

    def cloud(place: Array) -> _Cloud:
        def one(place: Array) -> tuple[Array, Array]:
            prior = -0.5 * jnp.sum(seen(place, every, *frame(place)) ** 2)
            return prior, model.log_density(place, known) - prior

        prior, gain = jax.vmap(one)(place)
        return _Cloud(place, prior, jnp.where(jnp.isfinite(gain), gain, IMPOSSIBLE))

    def drawn(normal: Array) -> Array:
        # The frame of a term needs the places of the others.
        return placed(normal, every, lambda _: frame(placed(normal, every, frame)))

    def jumps(place: Array, mixture: Mixture, key: Array) -> tuple[Array, Array]:
        """Places of the mixture, and the log ratio of their proposals."""
        there = mixture.sample(key, PARTICLES, frame)
        return there, mixture.log_density(place, frame) - mixture.log_density(there, frame)

    def moves(place: Array, others: Array, view: Array, key: Array) -> tuple[Array, Array]:
        """Places away by a share of the difference of two others, which is symmetric."""
        own = seen(place, view[None], *jax.vmap(frame)(place))
        ends = seen(others, view[None], *jax.vmap(frame)(others))
        *pair, far, share = jax.random.uniform(key, (4, PARTICLES), number)
        a, b = (jnp.floor(PARTICLES * one).astype(jnp.int32) for one in pair)
        stride = jnp.where(far < 0.1, 1.0, 2.38 / np.sqrt(2 * d) * jnp.exp2(-5 * share**2))
        own += stride[:, None] * (ends[a] - ends[b])
        return jax.vmap(lambda own: placed(own, view, frame))(own), jnp.zeros_like(far)

    def risen(state: Any) -> Any:
        now, mixture, power, key = state
        even, own, key = jax.random.split(key, 3)

        rest = 1 - power
        rise = highest_power(now.gain, KEPT, rest, 40)
        rise = jnp.maximum(jnp.maximum(rise, RISE * power), 1e-12)
        last = rise >= rest
        rise = jnp.where(last, rest, rise)
        weight = jax.nn.softmax(rise * now.gain)
        power = jnp.where(last, 1.0, power + rise)
        thin = jnp.sqrt(jnp.maximum(power, SMALL))
        tempered = spots._replace(root=spots.root / thin, inverse=spots.inverse * thin)
        mixture = jax.lax.fori_loop(
            0, STEPS, lambda _, some: towards(some, now.place, weight, frame), mixture
        )
        at = jnp.arange(PARTICLES, dtype=weight.dtype) + jax.random.uniform(even, (), number)
        kept = jnp.searchsorted(jnp.cumsum(weight), at / PARTICLES)
        now = jax.tree.map(lambda leaf: leaf[jnp.clip(kept, 0, PARTICLES - 1)], now)

        offered, others = joined(mixture, tempered, MODES), now.place

        def step(i: Array, here: _Cloud) -> _Cloud:
            way, luck = jax.random.split(jax.random.fold_in(own, i))
            place, extra = jax.lax.cond(
                i % 2 == 0,
                lambda: jumps(here.place, offered, way),
                lambda: moves(here.place, others, views[i // 2 % len(views)], way),
            )
            there = cloud(place)
            rise = there.prior - here.prior + power * (there.gain - here.gain) + extra
            taken = jnp.log(jax.random.uniform(luck, (PARTICLES,), number)) < rise

            def pick(a: Array, b: Array) -> Array:
                return jnp.where(taken.reshape(-1, *[1] * (a.ndim - 1)), a, b)

            return jax.tree.map(pick, there, here)

        return jax.lax.fori_loop(0, 2 * SWEEPS, step, now), mixture, power, key

    now = cloud(jax.vmap(drawn)(jax.random.normal(first, (PARTICLES, d), number)))
    mixture, spots = around(model, now.place, start, known), at_modes(model, modes, known)
    state = now, mixture, jnp.zeros((), number), key
    now, mixture, *_ = jax.lax.while_loop(lambda state: state[2] < 1, risen, state)
    return now.place, joined(mixture, spots, MODES)
