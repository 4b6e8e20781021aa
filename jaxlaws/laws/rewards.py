"""Training objectives beside the likelihood: rewards for length, losses of nested models."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from jax import Array


def length_reward(*, lengths: Array, correct: Array, index: Any = None) -> Array:
    r"""Reward for the lengths (k,) of k answers to one problem.

    $$\lambda_i = \frac12 - \frac{n_i - n_{min}}{n_{max} - n_{min}}$$

    for a correct answer, min(0, lambda) for a wrong one, 0 for all when the lengths are equal
    [kimi2025].

    Args:
        lengths: (k,) tokens.
        correct: (k,) or () whether the answers are right.
        index: The answer asked for, or None for all.
    """
    n = jnp.asarray(lengths, float)
    span = n.max() - n.min()
    lam = jnp.where(span > 0, 0.5 - (n - n.min()) / jnp.where(span > 0, span, 1.0), 0.0)
    reward = jnp.where(correct, lam, jnp.minimum(lam, 0.0))
    return reward if index is None else reward[index]


def mirror_descent_loss(*, reward: Array, log_ratio: Array, tau: Array) -> Array:
    r"""Surrogate loss of relative-entropy policy optimisation over k answers (k,).

    $$\frac1k \sum_i \left(r_i - \bar r - \tau \ln \frac{\pi_\theta}{\pi_i}\right)^2$$

    The mean reward stands for tau log Z, its limit for large tau [kimi2025].
    """
    r = jnp.asarray(reward, float)
    return jnp.mean((r - r.mean() - tau * jnp.asarray(log_ratio, float)) ** 2)


def nested_loss(*, losses: Array, divergences: Any = 0.0) -> Array:
    """Mean loss over a fixed list (m,) of truncated models, with their divergences if given.

    The models are pairs of layers and dimensions from small to full; the divergence of each from
    the full model's scores is recalled, not read [zhuang2024].
    """
    return jnp.mean(jnp.asarray(losses, float) + jnp.asarray(divergences, float))


QUANTITIES: dict[str, dict[str, Callable[..., Any]]] = {
    "kimi_length_reward": {"reward": length_reward, "surrogate_loss": mirror_descent_loss},
    "starbucks_nested_loss": {"loss": nested_loss},
}
