"""Mixtures of experts: loss of size, data and how the experts are cut."""

from collections.abc import Callable
from typing import Annotated, Any

import jax.numpy as jnp
from jax import Array

from jaxlaws._implicit import argmin
from jaxlaws._law import Constants, Parameter, Variable, law
from jaxlaws._support import above, interval, negative, positive
from jaxlaws.quantities import Exponent, Loss, Params, Tokens

GRANULARITIES = (0.0, 14.0)  # log of the finest cut looked at, exp(14) = 1.2e6
ROUTING = 14  # FLOP per layer, unit of width, expansion and granularity [krajewski2024]
DENSE = dict(a=16.3, alpha=0.126, b=26.7, beta=0.127, c=0.47)  # dense models of krajewski2024
# abnar2025
ABNAR = dict(a=16612.50, alpha=0.5962, b=5455.67, beta=0.3954, c=0.4598, lam=-0.1666) | dict(
    d=17.26, delta=0.1603, gamma=0.1595, e=0.94
)
# ludziejewski2025
LUDZIEJEWSKI = dict(a=35.91, d1=0.2285, alpha=0.1889, g1=0.0098, b=35.98) | dict(
    d2=0.5529, beta=0.1775, g2=0.0259, c=1.3637
)

Experts = Annotated[Array, Variable("experts", above(1.0), typical=(1.0, 1e5))]
Granularity = Annotated[Array, Variable("expert cuts", typical=(0.1, 1e4))]
Sparsity = Annotated[Array, Variable("inactive share", interval(0.0, 1.0))]
Decline = Annotated[Array, Parameter("", negative, (-0.2, -0.03))]
Coupling = Annotated[Array, Parameter("", positive, (0.003, 0.05))]
Height = Annotated[Array, Parameter("", positive, (5.0, 1e5))]
Base = Annotated[Array, Parameter("nats/token", positive, (0.2, 2.5))]


def _clark(a: float, b: float, c: float, d: float, E_start: float, E_max: float) -> Constants:
    return Constants(
        dict(a=a, b=b, c=c, d=d, E_start=E_start, E_max=E_max),
        "reported",
        "130 B tokens. c has one significant digit, so the printed constants do not give the "
        "printed cutoffs (937e9, 85e9 and 83e9 for S-BASE, RL-R and HASH); refit first. E_start "
        "and E_max are weakly identified.",
    )


def saturated_experts(E: Array, E_start: Array, E_max: Array) -> Array:
    r"""Effective number of experts: E_start at E = 1, E_max for infinitely many.

    $$\frac{1}{\hat E} = \frac{1}{E - 1 + (1/E_{start} - 1/E_{max})^{-1}} + \frac{1}{E_{max}}$$

    [clark2022]
    """
    gap = 1 / E_start - 1 / E_max
    return 1 / (gap / (1 + (E - 1) * gap) + 1 / E_max)


@law(
    source="clark2022",
    constants={
        "clark2022_sbase": _clark(-0.082, -0.108, 0.009, 1.104, 1.847, 314.478),
        "clark2022_rlr": _clark(-0.083, -0.126, 0.012, 1.111, 1.880, 469.982),
        "clark2022_hash": _clark(-0.087, -0.136, 0.012, 1.157, 4.175, 477.741),
    },
)
def clark_routed(
    N: Params,
    E: Experts,
    *,
    a: Decline,
    b: Annotated[Array, Parameter("", negative, (-0.3, -0.04))],
    c: Coupling,
    d: Annotated[Array, Parameter("", positive, (0.7, 1.7))],
    E_start: Annotated[Array, Parameter("experts", above(1.0), (1.2, 8.0))],
    E_max: Annotated[Array, Parameter("experts", above(1.0), (80.0, 2000.0))],
) -> Loss:
    r"""Loss of a dense model of N parameters given E experts at the same cost per token.

    $$\log_{10} L = a \log_{10} N + b \log_{10} \hat E + c \log_{10} N \log_{10} \hat E + d$$

    Base-10 logarithms; E-hat is `saturated_experts`, 1 < E_start < E_max [clark2022].
    """
    n, e = jnp.log10(N), jnp.log10(saturated_experts(E, E_start, E_max))
    return jnp.exp(jnp.log(10.0) * (a * n + b * e + c * n * e + d))


def effective_params(
    N: Array, E: Array, a: Array, b: Array, c: Array, E_start: Array, E_max: Array
) -> Array:
    """Parameters of the model with one expert that has the same loss [clark2022]."""
    n, e = jnp.log10(N), jnp.log10(saturated_experts(E, E_start, E_max))
    e1 = jnp.log10(E_start)
    return 10 ** ((a * n + b * e + c * n * e - b * e1) / (a + c * e1))


def cutoff_params(b: Array, c: Array) -> Array:
    """Parameters beyond which routing no longer helps: 10^(-b / c) [clark2022]."""
    return 10.0 ** (-b / c)


@law(
    source="krajewski2024",
    constants={
        "krajewski2024": Constants(
            dict(a=18.1, alpha=0.115, b=30.8, beta=0.147, g=2.1, gamma=0.58, c=0.47),
            "reported",
            "64 times as many parameters in experts as active ones; 129 M to 3.7 B active.",
        )
    },
)
def krajewski_finegrained_moe(
    N: Params,
    D: Tokens,
    G: Granularity,
    *,
    a: Height,
    alpha: Exponent,
    b: Height,
    beta: Exponent,
    g: Annotated[Array, Parameter("", positive, (0.3, 15.0))],
    gamma: Annotated[Array, Parameter("", positive, (0.2, 1.6))],
    c: Base,
) -> Loss:
    r"""Loss of N active parameters whose experts are cut G times finer than the dense layer.

    $$L = c + \left(\frac{g}{G^{\gamma}} + a\right) N^{-\alpha} + b D^{-\beta}$$

    N counts active non-embedding parameters, G >= 1. Without the cost of routing the best G is
    infinite (`best_granularity` prices it) [krajewski2024].
    """
    return c + (g * G**-gamma + a) * N**-alpha + b * D**-beta


def dense_loss(
    N: Array, D: Array, a: Array, alpha: Array, b: Array, beta: Array, c: Array
) -> Array:
    """Loss of a dense model by the same paper; its constants are `DENSE` [krajewski2024]."""
    return c + a * N**-alpha + b * D**-beta


def token_cost(N: Array, G: Array, n_layer: Array, d_model: Array, E: Array) -> Array:
    """FLOP per token: 6 N, and the routing's 14 n_layer d_model E G [krajewski2024, recalled]."""
    return 6 * N + ROUTING * n_layer * d_model * E * G


def best_granularity(
    N: Array,
    C: Array,
    n_layer: Array,
    d_model: Array,
    E: Array,
    b: Array,
    alpha: Array,
    beta: Array,
    g: Array,
    gamma: Array,
) -> Array:
    """G at the least loss of N parameters and C FLOP in all, by `token_cost`; one case at a time.

    NaN where coarse experts are best already.
    """

    def loss(u: Array) -> Array:
        tokens = C / token_cost(N, jnp.exp(u), n_layer, d_model, E)
        return g * jnp.exp(-gamma * u) * N**-alpha + b * tokens**-beta

    low, high = (jnp.full_like(jnp.asarray(N) * 1.0, end) for end in GRANULARITIES)
    return jnp.exp(argmin(loss, low, high))


@law(
    source="abnar2025",
    constants={
        "abnar2025": Constants(
            ABNAR, "reported", "R2 0.99 in range, 0.68 at the held-out sparsity 0.98."
        )
    },
)
def abnar_moe_sparsity(
    N: Params,
    D: Tokens,
    S: Sparsity,
    *,
    a: Height,
    alpha: Exponent,
    b: Height,
    beta: Exponent,
    c: Annotated[Array, Parameter("", positive, (0.05, 3.0))],
    lam: Annotated[Array, Parameter("", negative, (-0.8, -0.03))],
    d: Annotated[Array, Parameter("", positive, (2.0, 200.0))],
    delta: Exponent,
    gamma: Exponent,
    e: Base,
) -> Loss:
    r"""Loss of N parameters in all, of whose experts the share S is inactive for a token.

    $$L = a N^{-\alpha} + b D^{-\beta} + c (1-S)^{-\lambda} + d (1-S)^{-\delta} N^{-\gamma} + e$$

    S = (E - K)/E for K of E experts. lambda is negative: that term falls as S grows
    [abnar2025].
    """
    active = jnp.log1p(-S)
    return (
        a * N**-alpha
        + b * D**-beta
        + c * jnp.exp(-lam * active)
        + d * jnp.exp(-delta * active - gamma * jnp.log(N))
        + e
    )


def inactive_share(E: Array, K: Array) -> Array:
    """Sparsity of a layer that uses K of E experts: (E - K) / E [abnar2025]."""
    return (E - K) / E


@law(
    source="ludziejewski2025",
    constants={
        "ludziejewski2025": Constants(
            LUDZIEJEWSKI,
            "reported",
            "The layout of the signs is derived: the loss must fall as experts are added.",
        )
    },
)
def joint_moe_memory(
    N_act: Params,
    D: Tokens,
    E_hat: Experts,
    *,
    a: Height,
    d1: Exponent,
    alpha: Exponent,
    g1: Coupling,
    b: Height,
    d2: Exponent,
    beta: Exponent,
    g2: Coupling,
    c: Base,
) -> Loss:
    r"""Loss of N_act active parameters with E-hat effective experts on D tokens.

    $$L = a \hat E^{-\delta_1} N^{-\alpha + \gamma_1 \ln \hat E}
      + b \hat E^{\delta_2} D^{-\beta - \gamma_2 \ln \hat E} + c$$

    E-hat as in `saturated_experts`; natural logarithms [ludziejewski2025].
    """
    e, n, t = jnp.log(E_hat), jnp.log(N_act), jnp.log(D)
    size = jnp.log(a) - d1 * e - (alpha - g1 * e) * n
    data = jnp.log(b) + d2 * e - (beta + g2 * e) * t
    return jnp.exp(size) + jnp.exp(data) + c


def learning_rate(
    N_act_nonemb: Array,
    E: Array,
    c: Array | float = 8.39,
    p_N: Array | float = -0.81,
    p_E: Array | float = -0.25,
) -> Array:
    """Peak learning rate: exp(c + p_N ln N + p_E ln E), N non-embedding [ludziejewski2025]."""
    return jnp.exp(c + p_N * jnp.log(N_act_nonemb) + p_E * jnp.log(E))


QUANTITIES: dict[str, dict[str, Callable[..., Any]]] = {
    "clark_routed": {
        "E_hat": saturated_experts,
        "N_effective": effective_params,
        "N_cutoff": cutoff_params,
    },
    "krajewski_finegrained_moe": {
        "L_dense": dense_loss,
        "FLOPs_per_token": token_cost,
        "G_opt": best_granularity,
    },
    "abnar_moe_sparsity": {"S": inactive_share},
    "joint_moe_memory": {"E_hat": saturated_experts, "LR": learning_rate},
}
