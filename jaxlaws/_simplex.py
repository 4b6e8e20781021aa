"""Minima over shares that sum to one, differentiable through the solution."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array

ROUNDS = 400  # steps of the exponentiated gradient; Newton's method finishes what they begin
POLISH = 30  # Newton steps; one that leads out of the simplex takes a share down tenfold
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

    >>> p = best_shares(lambda p: jnp.sum((p - jnp.array([0.7, 0.5, -1.0])) ** 2), jnp.ones(3) / 3)
    >>> [round(float(share), 3) for share in p]
    [0.6, 0.4, 0.0]
    """
    p = downhill(fn, start)
    p = jax.lax.stop_gradient(jax.lax.fori_loop(0, POLISH, lambda _, p: _newton(fn, p), p))
    for _ in range(2):  # beside the solution each step makes one more order of derivatives exact
        p = _newton(fn, p)
    return p


def downhill(fn: Callable[[Array], Array], start: Array, rounds: int = ROUNDS) -> Array:
    """Shares (k,) after so many rounds of the exponentiated gradient alone, from start (k,).

    For a function whose second derivatives are not exact; a few digits.
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
    return jax.nn.softmax(jax.lax.fori_loop(0, rounds, descend, begin)[0])


def _newton(fn: Callable[[Array], Array], p: Array) -> Array:
    """Shares (k,) after Newton's step, cut where it would use up a share; the least are dropped."""
    k, kept = len(p), p > GONE
    p = jnp.where(kept, p, 0.0)
    p = p / jnp.sum(p)
    one = jnp.where(kept, jnp.ones_like(p), 0.0)[:, None]
    both = kept[:, None] & kept[None, :]
    bend = jnp.where(both, jax.hessian(fn)(p), jnp.diag(1 - one[:, 0]))
    system = jnp.block([[bend, one], [one.T, jnp.zeros((1, 1), p.dtype)]])
    pull = jnp.append(-jnp.where(kept, jax.grad(fn)(p), 0.0), 0.0)
    step = jnp.linalg.solve(system, pull)[:k]
    room = jnp.where(step < 0, -0.9 * p / jnp.where(step < 0, step, -1.0), jnp.inf)
    return p + step * jnp.minimum(1.0, jax.lax.stop_gradient(jnp.min(room)))
