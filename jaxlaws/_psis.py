"""Pareto-smoothed importance sampling: weights one may use, and how far to trust them."""

import math

import jax
import jax.numpy as jnp
from jax import Array

WEAK = 10.0  # runs' worth of prior on the tail's shape, towards one half
TINY = 1e-300  # what a weight is at least


def smoothed(log_weights: Array) -> tuple[Array, Array]:
    r"""Smooth the largest importance weights by the quantiles of a generalised Pareto tail.

    $$\tilde w_{(S-M+j)} = u + F^{-1}_{\hat k, \hat\sigma}\left(\frac{j - 1/2}{M}\right),
      \quad M = \lfloor \min(S/5, 3\sqrt S) \rfloor$$

    The tail's shape is estimated as in [zhang2009], and its k-hat says how far the weights can be
    trusted: below 0.7 their mean converges [vehtari2024, algorithm 1].

    Args:
        log_weights: (draw,) log weights, not normalised; minus infinity for none.

    Returns:
        (draw,) log weights that sum to one, and k-hat; infinite where there is no tail to see.
    """
    count = len(log_weights)
    tail = int(min(count / 5, 3 * math.sqrt(count)))
    order = jnp.argsort(log_weights)
    sorted_ = log_weights[order] - log_weights[order[-1]]
    cutoff = jnp.maximum(sorted_[count - tail - 1], math.log(TINY))
    above = jnp.exp(sorted_[count - tail :]) - jnp.exp(cutoff)
    shape, scale = pareto(above)
    at = (jnp.arange(tail, dtype=sorted_.dtype) + 0.5) / tail
    quantiles = scale * _expm1_over(-jnp.log1p(-at), shape) + jnp.exp(cutoff)
    # Where a quarter of the tail are repeats it is far from a Pareto distribution.
    fine = above[_quartile(tail)] > above[0]
    fine &= jnp.isfinite(shape) & jnp.isfinite(quantiles).all()
    new = jnp.where(fine, jnp.minimum(jnp.log(quantiles), 0.0), sorted_[count - tail :])
    sorted_ = sorted_.at[count - tail :].set(new)
    out = jnp.zeros_like(sorted_).at[order].set(sorted_)
    return out - jax.nn.logsumexp(out), jnp.where(fine, shape, jnp.inf)


def pareto(above: Array) -> tuple[Array, Array]:
    """Shape and scale of a generalised Pareto distribution from sorted exceedances (tail,).

    The empirical Bayes estimate of [zhang2009], with a weak prior that pulls the shape towards
    one half [vehtari2024, appendix G].
    """
    n = len(above)
    m = 30 + int(math.sqrt(n))
    quartile = above[_quartile(n)]
    b = 1 / above[-1] + (1 - jnp.sqrt(m / (jnp.arange(1, m + 1, dtype=above.dtype) - 0.5))) / (
        3 * quartile
    )
    k = jnp.mean(jnp.log1p(-b[:, None] * above[None]), axis=1)
    profile = n * (jnp.log(-b / k) - k - 1)
    b = jnp.sum(b * jax.nn.softmax(profile))
    k = jnp.mean(jnp.log1p(-b * above))
    return (n * k + WEAK / 2) / (n + WEAK), -k / b


def _quartile(n: int) -> int:
    return int(n / 4 + 0.5) - 1


def _expm1_over(x: Array, k: Array) -> Array:
    """(exp(k x) - 1) / k, which is x at k = 0."""
    safe = jnp.where(jnp.abs(k) < 1e-9, 1.0, k)
    return jnp.where(jnp.abs(k) < 1e-9, x, jnp.expm1(safe * x) / safe)
