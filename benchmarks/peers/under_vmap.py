"""What the JAX contenders share: the objective in jax.numpy, and refits in chunks under vmap."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from common import DELTA, Points

jax.config.update("jax_enable_x64", True)


def residual(points: Points) -> Callable[[jax.Array], jax.Array]:
    """A function q (5,) -> (n,): logarithm of the predicted loss minus that of the measured one."""
    n, d, y = (jnp.log(jnp.asarray(v)) for v in (points.N, points.D, points.L))

    def at(q: jax.Array) -> jax.Array:
        a, b, e, alpha, beta = q
        terms = jnp.stack([a - alpha * n, b - beta * d, jnp.broadcast_to(e, n.shape)])
        return jax.nn.logsumexp(terms, axis=0) - y

    return at


def loss(points: Points) -> Callable[[jax.Array, jax.Array], jax.Array]:
    """(q (5,), counts (n,)) -> () the weighted sum of Huber's function."""
    misfit = residual(points)

    def at(q: jax.Array, counts: jax.Array) -> jax.Array:
        r = jnp.abs(misfit(q))
        return jnp.sum(counts * jnp.where(r <= DELTA, 0.5 * r**2, DELTA * (r - 0.5 * DELTA)))

    return at


def in_chunks(
    solve: Callable[[jax.Array, jax.Array], jax.Array], points: Points, chunk: int
) -> Callable[[int], np.ndarray]:
    """jit(vmap(solve)) over chunks of resamples; solve takes counts (n,) and a start (5,)."""
    batch = jax.jit(jax.vmap(solve))

    def run(refits: int) -> np.ndarray:
        ends = [slice(i, min(i + chunk, refits)) for i in range(0, refits, chunk)]
        parts = [batch(jnp.asarray(points.counts[s]), jnp.asarray(points.starts[s])) for s in ends]
        return np.concatenate([np.asarray(part) for part in parts])

    return run
