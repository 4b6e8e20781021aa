"""What low precision costs: training in a float format, and quantising after training."""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Annotated

import jax.numpy as jnp
from jax import Array

from jaxlaws._law import Constants, Parameter, Variable, law
from jaxlaws._support import above, positive
from jaxlaws.laws.pretraining import kaplan_nd
from jaxlaws.quantities import Amplitude, Entropy, Exponent, Loss, Params, Tokens

COST = 6 / 16  # FLOP per parameter, token and bit: 6 N D at 16 bits [sun2025]
WIDEST = 64  # bits of the widest format looked at
PYTHIA = dict(aN=0.045, aD=0.399, Nc=4.74e19, Dc=7.63e10)  # kaplan_nd at 16 bits [ouyang2024]

Bits = Annotated[Array, Variable("bits")]
Increase = Annotated[Array, Variable("nats/token", name="dqLoss")]
Steepness = Annotated[Array, Parameter("", positive, (1.0, 8.0))]
Size = Annotated[Array, Parameter("", positive, (1e-7, 0.1))]


SUN = Constants(
    dict(
        n=69.2343,
        alpha=0.2368,
        d=68973.0621,
        beta=0.5162,
        eps=1.9061,
        gamma=11334.5197,
        delta=3.1926,
        nu=2.9543,
    ),
    "verified",
    "41M to 679M parameters, 10B to 100B tokens. Blocks along channels or tensors need an "
    "effective log2(B), whose constants are not known.",
)


@law(source="sun2025", constants={"sun2025": SUN})
def fp_quant(
    N: Params,
    D: Tokens,
    E: Bits,
    M: Bits,
    B: Annotated[Array, Variable("elements per scaling factor", above(1.0))],
    *,
    n: Annotated[Array, Parameter("", positive, (10.0, 1e3))],
    alpha: Exponent,
    d: Amplitude,
    beta: Exponent,
    eps: Entropy,
    gamma: Annotated[Array, Parameter("", positive, (1e2, 1e6))],
    delta: Steepness,
    nu: Steepness,
) -> Loss:
    r"""Loss of a model trained with matrix products in a float of E exponent and M mantissa bits.

    $$L = \frac{n}{N^\alpha} + \frac{d}{D^\beta} + \varepsilon + \frac{D^\beta}{N^\alpha}
      \frac{\log_2 B}{\gamma (E + 1/2)^\delta (M + 1/2)^\nu}$$

    B elements share a scaling factor; at B = 1 the last term vanishes. It grows with D: past
    `critical_tokens` more tokens hurt [sun2025, main law and table 2].
    """
    fineness = gamma * (E + 0.5) ** delta * (M + 0.5) ** nu
    return n * N**-alpha + d * D**-beta + eps + D**beta * N**-alpha * jnp.log2(B) / fineness


def critical_tokens(
    N: Array,
    E: Array,
    M: Array,
    B: Array,
    alpha: Array,
    d: Array,
    beta: Array,
    gamma: Array,
    delta: Array,
    nu: Array,
) -> Array:
    """Tokens at which `fp_quant` has its minimum over D; infinite at block size 1 [sun2025]."""
    fineness = gamma * (E + 0.5) ** delta * (M + 0.5) ** nu
    return (d * N**alpha * fineness / jnp.log2(B)) ** (1 / (2 * beta))


def exponent_bits(P: Array, delta: Array, nu: Array) -> Array:
    """Best exponent bits of a P-bit format as a real number: delta P / (delta + nu) - 1/2."""
    return delta * P / (delta + nu) - 0.5


def mantissa_bits(P: Array, delta: Array, nu: Array) -> Array:
    """Best mantissa bits of a P-bit format as a real number: nu P / (delta + nu) - 1/2."""
    return nu * P / (delta + nu) - 0.5


def whole_exponent_bits(P: Array, delta: Array, nu: Array) -> Array:
    """Best whole number of exponent bits; sign and mantissa take the other P - E bits."""
    E = jnp.arange(WIDEST * 1.0)
    M = P - 1 - E
    worth = delta * jnp.log(E + 0.5) + nu * jnp.log(jnp.maximum(M, 0) + 0.5)
    return E[jnp.argmax(jnp.where(M >= 0, worth, -jnp.inf))]


def optimum(
    C: Array,
    B: Array,
    n: Array,
    alpha: Array,
    d: Array,
    beta: Array,
    gamma: Array,
    delta: Array,
    nu: Array,
    k: Array | float = COST,
) -> tuple[Array, Array, Array]:
    r"""N, D and bits P with the least `fp_quant` loss under C = k P N D, at the best real split.

    With t1, t2, t3 the terms in N, D and precision, all powers of N and P once D is eliminated,
    the two conditions are t2 = t3 (beta + s) / beta and t1 = t3 (s - alpha) / alpha with
    s = delta + nu: linear in ln N and ln P. There is no optimum unless s > alpha and B > 1.
    """
    s = delta + nu
    split = delta * jnp.log(delta / s) + nu * jnp.log(nu / s)
    log_g = jnp.log(jnp.log2(B)) - jnp.log(gamma) - split
    budget = jnp.log(C) - jnp.log(k)
    # a ln N + b ln P = right_1;  beta ln N + c ln P = right_2
    right_1 = jnp.log1p(s / beta) - jnp.log(d) + log_g + 2 * beta * budget
    right_2 = jnp.log(s / alpha - 1) - jnp.log(n) + log_g + beta * budget
    a, b, c = alpha + 2 * beta, 2 * beta + s, beta + s
    determinant = a * c - b * beta
    log_N = (c * right_1 - b * right_2) / determinant
    log_P = (a * right_2 - beta * right_1) / determinant
    return jnp.exp(log_N), jnp.exp(budget - log_N - log_P), jnp.exp(log_P)


def _part(i: int) -> Callable[..., Array]:
    @wraps(optimum)
    def part(*args: Array, **kwargs: Array) -> Array:
        return optimum(*args, **kwargs)[i]

    return part


@law(
    source="ouyang2024",
    constants={
        "ouyang2024": Constants(
            dict(k=0.017, alpha=0.2261, beta=0.5251, gamma=5.4967),
            "verified",
            "GPTQ on Pythia, 2 to 4 bits. The paper's table 1 follows a law per bit width "
            "(`qid_per_bit`), not this one. Fits of one factor alone give alpha 0.2276, beta "
            "0.5316, gamma 5.4812.",
        )
    },
)
def qid(
    N: Params,
    D: Tokens,
    P: Bits,
    *,
    k: Size,
    alpha: Exponent,
    beta: Exponent,
    gamma: Steepness,
) -> Increase:
    r"""Loss added by quantising a trained model to P bits.

    $$\Delta_q L(N, D, P) = k \frac{D^\beta}{N^\alpha P^\gamma}$$

    Well-trained models lose more: N counts non-embedding parameters, D the tokens seen before
    quantisation [ouyang2024].
    """
    return k * D**beta * N**-alpha * P**-gamma


def tokens_to_increase(
    N: Array, P: Array, dqLoss: Array, k: Array, alpha: Array, beta: Array, gamma: Array
) -> Array:
    """Tokens after which quantising to P bits adds a given loss: `qid` solved for D."""
    return (dqLoss * N**alpha * P**gamma / k) ** (1 / beta)


def quantised_loss(
    N: Array,
    D: Array,
    P: Array,
    k: Array,
    alpha: Array,
    beta: Array,
    gamma: Array,
    base_16bit: Mapping[str, float] = PYTHIA,
) -> Array:
    """Loss after quantising to P bits: `kaplan_nd` at 16 bits plus `qid`."""
    whole = kaplan_nd(N, D, **base_16bit)
    return whole + qid.fn(N, D, P, k=k, alpha=alpha, beta=beta, gamma=gamma)


@law(
    source="ouyang2024",
    constants={
        "ouyang2024_4bit": Constants(
            dict(k=6.13249e-6, alpha=0.383503, beta=0.655059),
            "verified",
            "From table 1 by least squares in logs; the largest residual is 6e-6. Rounded to four "
            "digits they miss the row of 405B parameters by 0.2 %.",
        ),
        "ouyang2024_3bit": Constants(
            dict(k=1.170e-5, alpha=0.3547, beta=0.6728),
            "verified",
            "From table 1 by least squares in logs; the largest residual is 1.3e-4.",
        ),
        "ouyang2024_2bit": Constants(
            dict(k=4.115e-4, alpha=0.2239, beta=0.5195),
            "verified",
            "From table 1 by least squares in logs; the table's two digits leave residuals of 1 %.",
        ),
    },
)
def qid_per_bit(N: Params, D: Tokens, *, k: Size, alpha: Exponent, beta: Exponent) -> Increase:
    r"""Loss added by quantising a trained model to one given width in bits.

    $$\Delta_q L(N, D) = k_P \frac{D^{\beta_P}}{N^{\alpha_P}}$$

    One set of constants per width P: the law behind the paper's table of tokens [ouyang2024,
    table 1].
    """
    return k * D**beta * N**-alpha


def trillions_to_increase(N: Array, dqLoss: Array, k: Array, alpha: Array, beta: Array) -> Array:
    """Trillions of tokens after which quantising adds a given loss: `qid_per_bit` for D."""
    return (dqLoss * N**alpha / k) ** (1 / beta) / 1e12


QUANTITIES: dict[str, dict[str, Callable[..., Array]]] = {
    "fp_quant": {
        "D_crit": critical_tokens,
        "E_opt_real": exponent_bits,
        "M_opt_real": mantissa_bits,
        "E_integer_opt": whole_exponent_bits,
        "N_opt": _part(0),
        "D_opt": _part(1),
        "P_opt": _part(2),
    },
    "qid": {"D_for_dqLoss": tokens_to_increase, "L_quantised": quantised_loss},
    "qid_per_bit": {"D_for_dqLoss_trillions": trillions_to_increase},
}
