"""Minima over shares that sum to one, differentiable through the solution."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array

ROUNDS = 400  # steps of the exponentiated gradient; Newton's method finishes what they begin
POLISH = 6  # Newton steps on the shares that are left
GONE = 1e-6  # share below which a domain is left out, if the loss rises with it
SHRINK, GROW = 0.5, 1.5  # of the rate, after a step that raised the loss, or lowered it


def best_shares(fn: Callable[[Array], Array], start: Array) -> Array:
    r"""The shares at which a smooth function is least, from a start inside the simplex.

    The exponentiated gradient $p_i \propto p_i e^{-\eta\,\partial_i f}$, its rate adapted so that
    f never rises, finds the minimum and the domains that get nothing; Newton steps on the others,
    $\sum_i p_i = 1$ held, then make it exact and carry first and second derivatives with respect
    to all that the function closes over. A minimum of a function that is not convex is one near
    the start.

    Args:
        fn: Scalar function of shares (k,).
        start: (k,) positive shares that sum to 1.

    Returns:
        (k,) shares; exactly zero where a domain gets nothing.

    >>> best_shares(lambda p: jnp.sum((p - jnp.array([0.7, 0.5, -1.0])) ** 2), jnp.ones(3) / 3)
    Array([0.6, 0.4, 0. ], dtype=float32)
    """

    def descend(_: int, state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        u, value, rate = state
        slope = jax.grad(fn)(jax.nn.softmax(u))
        tried = jax.nn.log_softmax(u - rate * (slope - slope.mean()))
        found = fn(jax.nn.softmax(tried))
        lower = found <= value
        rate = rate * jnp.where(lower, GROW, SHRINK)
        return jnp.where(lower, tried, u), jnp.where(lower, found, value), rate

    begin = (jnp.log(start), fn(start), jnp.ones_like(start[0]))
    p = jax.nn.softmax(jax.lax.fori_loop(0, ROUNDS, descend, begin)[0])
    kept = p > GONE
    p = jnp.where(kept, p, 0.0)
    p = jax.lax.fori_loop(0, POLISH, lambda _, p: p + _newton(fn, p, kept), p / jnp.sum(p))
    p = jax.lax.stop_gradient(p)
    for _ in range(2):  # beside the solution each step makes one more order of derivatives exact
        p = p + _newton(fn, p, kept)
    return p


def _newton(fn: Callable[[Array], Array], p: Array, kept: Array) -> Array:
    """(k,) Newton's step of the shares that are kept, cut where it would use up a share."""
    k = len(p)
    both = kept[:, None] & kept[None, :]
    one = jnp.where(kept, jnp.ones_like(p), 0.0)[:, None]
    bend = jnp.where(both, jax.hessian(fn)(p), jnp.diag(1 - one[:, 0]))
    system = jnp.block([[bend, one], [one.T, jnp.zeros((1, 1), p.dtype)]])
    pull = jnp.append(-jnp.where(kept, jax.grad(fn)(p), 0.0), 0.0)
    step = jnp.linalg.solve(system, pull)[:k]
    room = jnp.where(step < 0, -0.9 * p / jnp.where(step < 0, step, -1.0), jnp.inf)
    return step * jnp.minimum(1.0, jax.lax.stop_gradient(jnp.min(room)))
