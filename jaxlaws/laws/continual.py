"""Continued pretraining on a mixture of general and domain text."""

from collections.abc import Callable
from typing import Annotated

import jax
import jax.numpy as jnp
from jax import Array

from jaxlaws._implicit import argmin, root
from jaxlaws._law import Parameter, Variable, law
from jaxlaws._support import positive, unit
from jaxlaws.quantities import Amplitude, Entropy, Exponent, Loss, Params, Tokens

LEAST = 1e-3  # share of a corpus below which none is proposed

Share = Annotated[Array, Variable("share of the corpus", unit)]
Mixing = Annotated[Array, Parameter("", positive, (0.05, 2.0))]
Small = Annotated[Array, Parameter("nats/token", positive, (1e-3, 2.0))]
Offset = Annotated[Array, Parameter("", positive, (1e-3, 0.3))]
Bend = Annotated[Array, Parameter("", positive, (0.05, 3.0))]


@law(source="que2024")
def d_cpt(
    N: Params,
    D: Tokens,
    r: Share,
    *,
    E: Entropy,
    A: Amplitude,
    alpha: Exponent,
    B: Amplitude,
    eta: Mixing,
    beta: Exponent,
    C: Small,
    gamma: Bend,
    eps: Offset,
) -> Loss:
    r"""Loss on one kind of text after continued pretraining with a share r of that kind.

    $$L(N, D, r) = E + \frac{A}{N^\alpha} + \frac{B r^\eta}{D^\beta}
      + \frac{C}{(r + \epsilon)^\gamma}$$

    Fitted twice, for the general text with its share and for the domain's with one minus that. A
    sensible fit falls in r (`slope_in_share`); at a fixed r it is `chinchilla`. The fitted
    coefficients of the domains could not be checked [que2024].
    """
    return E + A * N**-alpha + B * r**eta * D**-beta + C * (r + eps) ** -gamma


@law(source="que2024")
def d_cpt_cross(
    N: Params,
    D: Tokens,
    r: Share,
    K: Annotated[Array, Variable("domain learnable coefficient")],
    *,
    E: Entropy,
    A: Amplitude,
    alpha: Exponent,
    B: Amplitude,
    eta: Mixing,
    beta: Exponent,
    C: Small,
    gamma: Bend,
    eps: Offset,
    F: Small,
    mu: Mixing,
) -> Loss:
    r"""Loss across domains: `d_cpt` and a term in how hard a domain is to learn.

    $$L(N, D, r, K) = E + \frac{A}{N^\alpha} + \frac{B r^\eta}{D^\beta}
      + \frac{C}{(r + \epsilon)^\gamma} + \frac{F}{K^\mu}$$

    K = w1 / k1 + w2 k2 (`learnable`) is read off a few steps of training on the new domain; the
    rest is shared by all domains [que2024].
    """
    return (
        d_cpt.fn(N, D, r, E=E, A=A, alpha=alpha, B=B, eta=eta, beta=beta, C=C, gamma=gamma, eps=eps)
        + F * K**-mu
    )


def learnable(k1: Array, k2: Array, w1: Array, w2: Array) -> Array:
    """Domain learnable coefficient K from the first loss k1 and its early rate of decline k2."""
    return w1 / k1 + w2 * k2


def loss_limit(L_g0: Array, T: Array) -> Array:
    """Largest general loss allowed when it may rise by a share T: (1 + T) L_g0."""
    return (1 + T) * L_g0


def slope_in_share(
    D: Array, r: Array, B: Array, eta: Array, beta: Array, C: Array, gamma: Array, eps: Array
) -> Array:
    """Slope of `d_cpt` in r: negative over all r in a fit that makes sense, else it is none."""
    return jax.grad(lambda r: B * r**eta * D**-beta + C * (r + eps) ** -gamma)(r * 1.0)


def domain_share(
    L_limit: Array,
    N: Array,
    D: Array,
    E: Array,
    A: Array,
    alpha: Array,
    B: Array,
    eta: Array,
    beta: Array,
    C: Array,
    gamma: Array,
    eps: Array,
) -> Array:
    """Largest share of domain text at which the general loss stays below a limit: usage 1.

    The constants are those of the general loss; NaN where no share or every share meets the
    limit [que2024].
    """

    def gap(r: Array) -> Array:
        rest = B * r**eta * D**-beta + C * (r + eps) ** -gamma
        return E + A * N**-alpha + rest - L_limit

    one = jnp.ones_like(N * 1.0)
    return 1 - root(gap, LEAST * one, one)


def share_opt(
    D_d: Array, B: Array, eta: Array, beta: Array, C: Array, gamma: Array, eps: Array
) -> Array:
    """Share of domain text with the least domain loss when there are only D_d tokens: usage 2.

    The corpus then has D_d / r tokens; NaN where the optimum is at an end [que2024].
    """

    def loss(log_r: Array) -> Array:
        r = jnp.exp(log_r)
        return B * r**eta * (D_d / r) ** -beta + C * (r + eps) ** -gamma

    zero = jnp.zeros_like(D_d * 1.0)
    return jnp.exp(argmin(loss, zero + jnp.log(LEAST), zero))


def params_opt(
    C_flop: Array,
    r: Array,
    A: Array,
    alpha: Array,
    B: Array,
    eta: Array,
    beta: Array,
    k: Array | float = 6.0,
) -> Array:
    """Compute-optimal parameters at a fixed share r and C_flop = k N D: usage 3 [que2024]."""
    G = (alpha * A / (beta * B * r**eta)) ** (1 / (alpha + beta))
    return G * (C_flop / k) ** (beta / (alpha + beta))


QUANTITIES: dict[str, dict[str, Callable[..., Array]]] = {
    "d_cpt": {
        "L_g_limit": loss_limit,
        "r_d": domain_share,
        "r_opt": share_opt,
        "N_opt": params_opt,
        "dL_dr": slope_in_share,
    },
    "d_cpt_cross": {"K": learnable},
}
