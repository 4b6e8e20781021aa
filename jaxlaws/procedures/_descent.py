"""Adam with a falling rate and early stopping, for the small networks that some papers fit."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

DECAY = (0.9, 0.999)  # Adam's, of the mean and of the mean square
SMALL = 1e-8
FACTOR, WAIT = 0.95, 20  # the rate falls by this factor when the objective has not for so long


def descend(
    objective: Callable[[Any], tuple[Array, Array]],
    start: Any,
    *,
    rate: Array | float,
    steps: int,
    patience: int,
    tolerance: float = 1e-5,
    project: Callable[[Any], Any] = lambda params: params,
) -> tuple[Any, Array, Array]:
    """Parameters at the least watched value along Adam's way, that value, and the steps taken.

    The way ends when the watched value has not fallen by the tolerance for `patience` steps. It
    can be batched: lanes that have ended wait for the others.

    Args:
        objective: Parameters to (what is minimised, what is watched), for instance the error on
            the runs of training and on those held out.
        start: Parameters, any pytree of arrays.
        rate: Adam's rate at the beginning.
        steps: Most steps.
        patience: Steps without progress that end the way.
        tolerance: Progress that counts.
        project: Applied to the parameters after each step.
    """

    def step(state: Any) -> Any:
        params, mean, square, best, least, stale, lowest, flat, rate, count = state
        (value, watched), slope = jax.value_and_grad(objective, has_aux=True)(params)
        better = watched < least - tolerance
        best = jax.tree.map(lambda new, old: jnp.where(better, new, old), params, best)
        least, stale = jnp.where(better, watched, least), jnp.where(better, 0, stale + 1)
        flat = jnp.where(value < lowest, 0, flat + 1)
        rate = jnp.where(flat > WAIT, rate * FACTOR, rate)
        t = (count + 1).astype(rate.dtype)
        b1, b2 = DECAY
        mean = jax.tree.map(lambda m, g: b1 * m + (1 - b1) * g, mean, slope)
        square = jax.tree.map(lambda v, g: b2 * v + (1 - b2) * g**2, square, slope)
        params = jax.tree.map(
            lambda p, m, v: p - rate * m / (1 - b1**t) / (jnp.sqrt(v / (1 - b2**t)) + SMALL),
            params,
            mean,
            square,
        )
        flat = jnp.where(flat > WAIT, 0, flat)
        lowest = jnp.minimum(value, lowest)
        return project(params), mean, square, best, least, stale, lowest, flat, rate, count + 1

    def going(state: Any) -> Array:
        return (state[5] < patience) & (state[-1] < steps)

    none, zero = jax.tree.map(jnp.zeros_like, start), jnp.asarray(0)
    value, watched = objective(start)
    rate = jnp.asarray(rate, value.dtype)
    begin = (start, none, none, start, watched, zero, value, zero, rate, zero)
    end = jax.lax.while_loop(going, step, begin)
    return end[3], end[4], end[-1]
