"""Gradient noise: how large a batch is worth its examples."""

from collections.abc import Callable
from typing import Annotated

import jax.numpy as jnp
from jax import Array

from jaxlaws._law import Parameter, Variable, law
from jaxlaws._support import positive

Batch = Annotated[Array, Variable("examples or tokens per step")]
Rate = Annotated[Array, Variable("learning rate", name="eps_opt")]


@law(source="mccandlish2018")
def noise_scale(
    B: Batch,
    *,
    eps_max: Annotated[Array, Parameter("", positive, (1e-4, 1.0))],
    B_noise: Annotated[Array, Parameter("", positive, (10.0, 1e7), like="B")],
) -> Rate:
    r"""Best step size of gradient descent at a batch of B.

    $$\epsilon_{opt}(B) = \frac{\epsilon_{max}}{1 + B_{noise} / B}$$

    B in examples or in tokens, as B_noise [mccandlish2018].
    """
    return eps_max / (1 + B_noise / B)


def gradient_square(B_small: Array, B_big: Array, g_small_sq: Array, g_big_sq: Array) -> Array:
    """Unbiased square of the true gradient from squared norms at two batches [mccandlish2018]."""
    return (B_big * g_big_sq - B_small * g_small_sq) / (B_big - B_small)


def covariance_trace(B_small: Array, B_big: Array, g_small_sq: Array, g_big_sq: Array) -> Array:
    """Unbiased trace of the covariance of one example's gradient [mccandlish2018]."""
    return (g_small_sq - g_big_sq) / (1 / B_small - 1 / B_big)


def simple_scale(B_small: Array, B_big: Array, g_small_sq: Array, g_big_sq: Array) -> Array:
    """Simple noise scale tr(Sigma) / |G|^2 from squared norms at two batches [mccandlish2018].

    Norms measured along training are averaged before this ratio is taken, not after it.
    """
    norms = (B_small, B_big, g_small_sq, g_big_sq)
    return covariance_trace(*norms) / gradient_square(*norms)


def exact_scale(G: Array, H: Array, Sigma: Array) -> Array:
    """Noise scale tr(H Sigma) / (G H G) of a gradient (p,), Hessian and covariance (p, p)."""
    return jnp.sum(H * Sigma.T) / (G @ H @ G)


def best_gain(B: Array, dL_max: Array, B_noise: Array) -> Array:
    """Loss gained by the best step at a batch: dL_max / (1 + B_noise / B) [mccandlish2018]."""
    return dL_max / (1 + B_noise / B)


def adam_rate(B: Array, eps_star: Array, B_star: Array, a: Array) -> Array:
    """Best step size of Adam: eps_star / (1 + B_star / B)^a, a from 0.5 to 1 [mccandlish2018]."""
    return eps_star / (1 + B_star / B) ** a


QUANTITIES: dict[str, dict[str, Callable[..., Array]]] = {
    "noise_scale": {
        "G2": gradient_square,
        "tr_Sigma": covariance_trace,
        "B_simple": simple_scale,
        "B_noise": exact_scale,
        "dL_opt": best_gain,
        "adam_eps": adam_rate,
    },
}
