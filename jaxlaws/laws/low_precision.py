"""Training and quantising at few bits: what weights, activations and cache are worth."""

from collections.abc import Callable
from typing import Annotated

import jax.numpy as jnp
from jax import Array

from jaxlaws._implicit import root
from jaxlaws._law import Parameter, Variable, law
from jaxlaws._support import positive
from jaxlaws.quantities import Amplitude, Entropy, Exponent, Loss, Params, Tokens

# What the paper prints of its constants; the base law's A, B, alpha, beta, E are not recovered.
GAMMAS = dict(gamma_w=2.6745, gamma_a=2.2102, gamma_kv=0.9578)
POST = dict(C_T=0.0598, gamma_D=0.5068, gamma_N=0.3439, gamma_post=0.5907)  # the last recalled
NARROWEST, WIDEST = 1e-3, 256.0  # bits between which the best precision is sought

Bits = Annotated[Array, Variable("bits", typical=(1.0, 64.0))]
Sensitivity = Annotated[Array, Parameter("bits", positive, (0.3, 6.0))]


def part_left(P: Array, gamma: Array) -> Array:
    """Share of the parameters' worth that P bits keep: 1 - exp(-P / gamma) [kumar2024]."""
    return -jnp.expm1(-P / gamma)


def weight_factor(P_w: Array, gamma_w: Array) -> Array:
    """Share of the parameters' worth that P_w bits of weights keep [kumar2024]."""
    return part_left(P_w, gamma_w)


def effective_share(
    P_w: Array, P_a: Array, P_kv: Array, gamma_w: Array, gamma_a: Array, gamma_kv: Array
) -> Array:
    """N_eff / N at given bits of weights, activations and cache [kumar2024]."""
    return part_left(P_w, gamma_w) * part_left(P_a, gamma_a) * part_left(P_kv, gamma_kv)


@law(source="kumar2024")
def kumar_precision(
    N: Params,
    D: Tokens,
    P_w: Bits,
    P_a: Bits,
    P_kv: Bits,
    *,
    A: Amplitude,
    alpha: Exponent,
    B: Amplitude,
    beta: Exponent,
    E: Entropy,
    gamma_w: Sensitivity,
    gamma_a: Sensitivity,
    gamma_kv: Sensitivity,
) -> Loss:
    r"""Loss of a model trained with few bits for weights, activations and key-value cache.

    $$L = A N_{eff}^{-\alpha} + B D^{-\beta} + E, \quad
      N_{eff} = N \prod_{x \in \{w, a, kv\}} \left(1 - e^{-P_x / \gamma_x}\right)$$

    Sensitivities are printed (`GAMMAS`), the base law's constants are not recovered; from 30 M to
    220 M parameters at 3 to 16 bits [kumar2024].
    """
    kept = effective_share(P_w, P_a, P_kv, gamma_w, gamma_a, gamma_kv)
    return A * (N * kept) ** -alpha + B * D**-beta + E


def quantised_increase(
    N: Array,
    D: Array,
    P_post: Array,
    C_T: Array,
    gamma_D: Array,
    gamma_N: Array,
    gamma_post: Array,
) -> Array:
    r"""Loss added by quantising a trained model to P_post bits.

    $$\delta = C_T D^{\gamma_D} N^{-\gamma_N} e^{-P_{post} / \gamma_{post}}$$

    [kumar2024; gamma_post recalled, not seen in print]
    """
    log = gamma_D * jnp.log(D) - gamma_N * jnp.log(N) - P_post / gamma_post
    return C_T * jnp.exp(log)


def unified_increase(
    N: Array,
    D: Array,
    P_w: Array,
    P_a: Array,
    P_kv: Array,
    P_post: Array,
    gamma_w: Array,
    gamma_a: Array,
    gamma_kv: Array,
    C_T: Array,
    gamma_D: Array,
    gamma_N: Array,
    gamma_post: Array,
    C_w: Array,
    C_a: Array,
    C_kv: Array,
) -> Array:
    """Loss added by quantising a model that was trained at few bits already [kumar2024].

    `quantised_increase` at N_eff times, for each part, 1 - exp(-C (P - P_post)).
    """
    kept = effective_share(P_w, P_a, P_kv, gamma_w, gamma_a, gamma_kv)
    gaps = ((C_w, P_w), (C_a, P_a), (C_kv, P_kv))
    spared = jnp.prod(jnp.stack([-jnp.expm1(-C * (P - P_post)) for C, P in gaps]), axis=0)
    post = quantised_increase(N * kept, D, P_post, C_T, gamma_D, gamma_N, gamma_post)
    return post * spared


def critical_tokens(
    N: Array,
    P_post: Array,
    B: Array,
    beta: Array,
    C_T: Array,
    gamma_D: Array,
    gamma_N: Array,
    gamma_post: Array,
) -> Array:
    """Tokens beyond which more training raises the quantised loss [kumar2024, derived]."""
    per_power = gamma_D * C_T * jnp.exp(-gamma_N * jnp.log(N) - P_post / gamma_post)
    return (beta * B / per_power) ** (1 / (beta + gamma_D))


def best_bits(gamma_w: Array, gamma_a: Array, gamma_kv: Array) -> Array:
    r"""Training precision at the least loss when compute goes as N D P; one case at a time.

    $$\sum_x \frac{P / \gamma_x}{e^{P / \gamma_x} - 1} = 1$$

    Compute has dropped out. The printed sensitivities give about 3.5 bits, not the 7 to 8 of the
    paper's headline, which goes with another parameterisation [kumar2024; derived].
    """

    def excess(P: Array) -> Array:
        ratios = jnp.stack([P / gamma_w, P / gamma_a, P / gamma_kv])
        # Written with exp(-x), which cannot overflow.
        return jnp.sum(ratios * jnp.exp(-ratios) / -jnp.expm1(-ratios)) - 1

    start = jnp.asarray(gamma_w) * 1.0
    return root(excess, jnp.full_like(start, NARROWEST), jnp.full_like(start, WIDEST))


QUANTITIES: dict[str, dict[str, Callable[..., Array]]] = {
    "kumar_precision": {
        "weight_factor": weight_factor,
        "N_eff_over_N": effective_share,
        "delta_PTQ": quantised_increase,
        "delta_unified": unified_increase,
        "D_crit": critical_tokens,
        "P_opt": best_bits,
    },
}
