"""Reward models that are optimised too far."""

from collections.abc import Callable
from typing import Annotated

import jax.numpy as jnp
from jax import Array

from jaxlaws._law import Parameter, Variable, law
from jaxlaws._support import positive, real

Distance = Annotated[Array, Variable("square root of nats")]
Gold = Annotated[Array, Variable("gold score gained", real, space="natural", name="R")]
WinRate = Annotated[Array, Variable("win rate gained", real, space="natural", name="win_rate")]
Gain = Annotated[Array, Parameter("", positive, (0.05, 5.0))]
Penalty = Annotated[Array, Parameter("", positive, (0.01, 2.0))]


def kl_best_of_n(n: Array) -> Array:
    r"""Nats between the best of n samples and one sample.

    $$\mathrm{KL}(n) = \ln n - \frac{n - 1}{n}$$

    An upper bound that is met where no two samples tie [gao2022].

    >>> float(kl_best_of_n(1))
    0.0
    """
    u = jnp.log(n)
    return u + jnp.expm1(-u)


@law(source="gao2022")
def overopt_bon(d: Distance, *, a: Gain, b: Penalty) -> Gold:
    r"""True reward gained by taking the best of n samples by a proxy reward model.

    $$R(d) = d\,(a - b d), \quad d = \sqrt{\mathrm{KL}}$$

    d is the distance from the first policy (`kl_best_of_n`), R the gold score minus its start. a
    and b run smoothly with the logarithm of the reward model's size; the coefficients are not
    published as a table [gao2022].
    """
    return d * (a - b * d)


def bon_peak(a: Array, b: Array) -> Array:
    """Distance at which best-of-n has its best true reward: a / (2 b) [gao2022]."""
    return a / (2 * b)


def bon_best(a: Array, b: Array) -> Array:
    """Best true reward of best-of-n: a^2 / (4 b) [gao2022]."""
    return a**2 / (4 * b)


def _rl(d: Array, a: Array, b: Array) -> Array:
    none = d == 0
    return jnp.where(none, 0.0, d * (a - b * jnp.log(jnp.where(none, 1.0, d))))


@law(source="gao2022")
def overopt_rl(d: Distance, *, a: Gain, b: Penalty) -> Gold:
    r"""True reward gained by reinforcement learning against a proxy reward model.

    $$R(d) = d\,(a - b \ln d), \quad d = \sqrt{\mathrm{KL}}$$

    R(0) = 0, where the slope is infinite: fit distances d > 0. a hardly depends on the reward
    model's size, b falls with it; the coefficients are not published as a table [gao2022].
    """
    return _rl(d, a, b)


def rl_peak(a: Array, b: Array) -> Array:
    """Distance at which reinforcement learning has its best true reward: exp(a / b - 1)."""
    return jnp.exp(a / b - 1)


def rl_best(a: Array, b: Array) -> Array:
    """Best true reward of reinforcement learning: b exp(a / b - 1) [gao2022]."""
    return b * jnp.exp(a / b - 1)


@law(source="rafailov2024")
def overopt_daa(d: Distance, *, a: Gain, b: Penalty) -> WinRate:
    r"""Win rate gained by direct alignment (DPO, IPO, SLiC) at a distance from the first policy.

    $$w(d) = d\,(a - b \ln d), \quad d = \sqrt{\mathrm{KL}}$$

    The form of `overopt_rl`, though no reward model is trained; about half the error of the form
    of `overopt_bon`. a and b are fitted over the penalty's weights, intermediate checkpoints
    included [rafailov2024].
    """
    return _rl(d, a, b)


QUANTITIES: dict[str, dict[str, Callable[..., Array]]] = {
    "kl_best_of_n": {"KL": kl_best_of_n},
    "overopt_bon": {"d_peak": bon_peak, "R_peak": bon_best},
    "overopt_rl": {"d_peak": rl_peak, "R_peak": rl_best},
    "overopt_daa": {"d_peak": rl_peak, "R_peak": rl_best},
}
