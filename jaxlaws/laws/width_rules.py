"""Rules for growing a network: what width, depth and resolution do to rates, decay and cost."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

DECAY_POWER = 0.5  # power of width in the decay of matrices [fan2025]
RATE_POWER = 1.0  # power p of width in the fall of their learning rate
SPECTRUM_POWER = 0.75  # power q of width in their top singular value
FAST = 0.8  # share alpha of growth that goes to width [dollar2021]


def rate_factor(*, d: ArrayLike, d0: ArrayLike, p: ArrayLike = RATE_POWER) -> Array:
    """Learning rate of a matrix at width d over the one at the proxy's d0: (d / d0)^-p [fan2025].

    That of vectors does not change.
    """
    return (jnp.asarray(d, float) / d0) ** -jnp.asarray(p, float)


def decay_factor(*, d: ArrayLike, d0: ArrayLike, wd_exp: ArrayLike = DECAY_POWER) -> Array:
    """AdamW's weight decay of a matrix at width d over the proxy's: (d / d0)^wd_exp [fan2025].

    Vectors have none. 1/2, as in the abstract, keeps the top singular value the same at every
    width (`decay_power`); copies of the abstract that lost its root signs print 1.
    """
    return (jnp.asarray(d, float) / d0) ** wd_exp


def decay_power(*, p: ArrayLike = RATE_POWER, q: ArrayLike = SPECTRUM_POWER) -> Array:
    """Power of width in the decay that keeps `top_singular_value` constant: 2 q - p [fan2025]."""
    return 2 * jnp.asarray(q, float) - p


def top_singular_value(
    *, eta: ArrayLike, lam: ArrayLike, d: ArrayLike, q: ArrayLike = SPECTRUM_POWER
) -> Array:
    """Top singular value of a matrix in the steady state, up to a factor: sqrt(eta/lam) d^q.

    eta is the learning rate, lam the decay; the shape of the spectrum does not depend on them, so
    equal top values across widths are the test of the rule [fan2025].
    """
    return jnp.sqrt(jnp.asarray(eta, float) / lam) * jnp.asarray(d, float) ** q


def depth_factor(*, s: ArrayLike, alpha: ArrayLike = FAST) -> Array:
    """Depth of a network grown to s times the FLOP: s^((1 - alpha) / 2) [dollar2021].

    alpha = 1 grows width alone, 1/3 all three alike, 0 no width.
    """
    return jnp.asarray(s, float) ** ((1 - jnp.asarray(alpha, float)) / 2)


def width_factor(*, s: ArrayLike, alpha: ArrayLike = FAST) -> Array:
    """Width of a network grown to s times the FLOP: s^(alpha / 2) [dollar2021]."""
    return jnp.asarray(s, float) ** (jnp.asarray(alpha, float) / 2)


def resolution_factor(*, s: ArrayLike, alpha: ArrayLike = FAST) -> Array:
    """Resolution of a network grown to s times the FLOP: s^((1 - alpha) / 4) [dollar2021]."""
    return jnp.asarray(s, float) ** ((1 - jnp.asarray(alpha, float)) / 4)


def flops_factor(*, s: ArrayLike, alpha: ArrayLike = FAST) -> Array:
    """FLOP by the cost model depth x width^2 x resolution^2: s for every alpha [dollar2021]."""
    d, w = depth_factor(s=s, alpha=alpha), width_factor(s=s, alpha=alpha)
    return d * w**2 * resolution_factor(s=s, alpha=alpha) ** 2


def params_factor(*, s: ArrayLike, alpha: ArrayLike = FAST) -> Array:
    """Parameters by the cost model depth x width^2: s^((1 + alpha) / 2) [dollar2021]."""
    return depth_factor(s=s, alpha=alpha) * width_factor(s=s, alpha=alpha) ** 2


def activation_exponent(*, alpha: ArrayLike = FAST) -> Array:
    """Power of s in the activations depth x width x resolution^2: 1 - alpha / 2 [dollar2021].

    The run time of an accelerator bound by memory follows them; the abstract at hand prints O(s)
    for O(sqrt(s)).
    """
    return 1 - jnp.asarray(alpha, float) / 2


QUANTITIES: dict[str, dict[str, Callable[..., Any]]] = {
    "wd_width_rule": {
        "eta_factor": rate_factor,
        "lambda_factor": decay_factor,
        "wd_exp": decay_power,
        "sigma_max": top_singular_value,
    },
    "fast_compound": {
        "d": depth_factor,
        "w": width_factor,
        "r": resolution_factor,
        "flops_factor": flops_factor,
        "params_factor": params_factor,
        "activation_exponent": activation_exponent,
    },
}
