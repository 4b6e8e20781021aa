"""Roots and minima of one variable, differentiable to second order through the solution."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array

BISECTIONS = 60  # halvings of the bracket: enough for float64
POLISH = 2  # Newton steps kept in the derivative: each doubles the order that is exact


def root(fn: Callable[[Array], Array], lower: Array, upper: Array) -> Array:
    """The root of a function that changes sign once between two ends.

    Bisection finds it; Newton steps that stay in the graph then carry the derivatives: after one
    step first derivatives with respect to anything the function closes over are exact, after two
    also second and third ones.

    Args:
        fn: Scalar function of a scalar.
        lower: () lower end of the bracket.
        upper: () upper end.

    Returns:
        () the root; NaN where the ends have the same sign.
    """
    low, high = jnp.broadcast_arrays(jnp.asarray(lower) * 1.0, jnp.asarray(upper) * 1.0)
    low, high = jax.lax.stop_gradient((low, high))
    sign = jax.lax.stop_gradient(jnp.sign(fn(low)))
    bracketed = sign * jax.lax.stop_gradient(jnp.sign(fn(high))) <= 0

    def halve(_: int, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = ends
        middle = (low + high) / 2
        left = jnp.sign(fn(middle)) == sign
        return jnp.where(left, middle, low), jnp.where(left, high, middle)

    low, high = jax.lax.fori_loop(0, BISECTIONS, halve, (low, high))
    x = jax.lax.stop_gradient((low + high) / 2)
    for _ in range(POLISH):
        value, slope = jax.value_and_grad(fn)(x)
        x = x - jnp.where(slope == 0, 0.0, value / jnp.where(slope == 0, 1.0, slope))
    return jnp.where(bracketed, x, jnp.nan)


def argmin(fn: Callable[[Array], Array], lower: Array, upper: Array, points: int = 65) -> Array:
    """The lowest minimum of a smooth function between two ends: scan, then root of the derivative.

    Args:
        fn: Scalar function of a scalar.
        lower: () lower end.
        upper: () upper end.
        points: Points of the scan that brackets the minimum.

    Returns:
        () the minimiser; NaN where the lowest point of the scan is an end, that is, where the
        minimum is not inside.
    """
    low, high = jax.lax.stop_gradient((jnp.asarray(lower) * 1.0, jnp.asarray(upper) * 1.0))
    grid = low + (high - low) * jnp.linspace(0.0, 1.0, points)
    values = jax.lax.stop_gradient(jax.vmap(fn)(grid))
    best = jnp.clip(jnp.nanargmin(values), 1, points - 2)
    inside = jnp.nanargmin(values) == best
    x = root(jax.grad(fn), grid[best - 1], grid[best + 1])
    return jnp.where(inside, x, jnp.nan)
