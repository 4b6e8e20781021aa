"""Architectures compared by their lines in log-log: slopes, crossings and ranks."""

from collections.abc import Callable

import jax.numpy as jnp
from jax import Array


def lines(x: Array, y: Array, group: Array, groups: int, shared: bool = False) -> Array:
    """Least squares lines ln y = ln k + alpha ln x of several architectures at once [tay2022].

    Args:
        x: (n,) FLOP, parameters or upstream scores.
        y: (n,) scores.
        group: (n,) number of the architecture of each row.
        groups: How many there are.
        shared: One exponent for all.

    Returns:
        (groups, 2): k and alpha.
    """
    u, v = jnp.log(x), jnp.log(y)
    member = (jnp.asarray(group)[:, None] == jnp.arange(groups)) * 1.0
    count = member.sum(axis=0)
    mean_u, mean_v = u @ member / count, v @ member / count
    du, dv = u[:, None] - mean_u, v[:, None] - mean_v
    across, square = jnp.sum(member * du * dv, axis=0), jnp.sum(member * du**2, axis=0)
    alpha = jnp.where(shared, across.sum() / square.sum(), across / square)
    return jnp.stack([jnp.exp(mean_v - alpha * mean_u), alpha], axis=-1)


def crossing(k1: Array, alpha1: Array, k2: Array, alpha2: Array) -> Array:
    """Where two lines y = k x^alpha meet: (k1 / k2)^(1 / (alpha2 - alpha1))."""
    return jnp.exp((jnp.log(k1) - jnp.log(k2)) / (alpha2 - alpha1))


def ranks(x: Array, k: Array, alpha: Array) -> Array:
    """Rank of each architecture (groups,) at scale x by its line, 0 for the highest score."""
    return jnp.argsort(jnp.argsort(-(jnp.log(k) + alpha * jnp.log(x))))


QUANTITIES: dict[str, dict[str, Callable[..., Array]]] = {
    "tay_inductive_bias": {"lines": lines, "crossing": crossing, "ranks": ranks},
}
