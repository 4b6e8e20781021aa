"""From size to a task's score in two stages, and the density of capability that inverts it."""

import math
from collections.abc import Callable
from typing import Annotated, Any

import jax
import jax.numpy as jnp
from jax import Array

from jaxlaws._law import Parameter, Variable, law
from jaxlaws._support import negative, positive, real, unit
from jaxlaws.quantities import (
    FLOP,
    Accuracy,
    Amplitude,
    CrossEntropy,
    Exponent,
    Loss,
    Params,
    Tokens,
)

Midpoint = Annotated[Array, Parameter("nats/token", positive, (0.2, 5.0))]
Gain = Annotated[Array, Parameter("", unit, (0.2, 0.95))]
Floor = Annotated[Array, Parameter("", unit, (0.01, 0.6))]
Ceiling = Annotated[Array, Parameter("", unit, (0.5, 0.99))]
Days = Annotated[Array, Variable("days since the start of 2023", real)]
Density = Annotated[Array, Variable("equivalent parameters per parameter", name="rho_max")]
Normalised = Annotated[Array, Variable("nats/character", real, space="natural", name="NLL")]
MONTH = 30.4  # days

# Doubling times that are printed, in months; the line's other constant B is not.
DOUBLING_MONTHS = {
    "xiao2024": 3.3,  # A about 0.007 a day, R^2 about 0.93
    "journal version, 51 models": 3.5,  # second hand, as the next two
    "before ChatGPT": 4.8,
    "after ChatGPT": 3.2,
}


@law(source="xiao2024")
def densing_loss(
    N: Params, D: Tokens, *, a: Amplitude, alpha: Exponent, b: Amplitude, beta: Exponent
) -> Loss:
    r"""Loss of the right answer of a task, given its question.

    $$L(N, D) = a N^{-\alpha} + b D^{-\beta}$$

    There is no floor, because the loss is conditional; fitted to reference models of 5 M to 828 M
    parameters, each at 10 to 60 tokens per parameter [xiao2024].
    """
    return a * N**-alpha + b * D**-beta


@law(source="xiao2024")
def densing_performance(
    L: CrossEntropy,
    *,
    c: Gain,
    d: Floor,
    l: Midpoint,
    gamma: Annotated[Array, Parameter("", negative, (-30.0, -0.5))],
) -> Accuracy:
    r"""Score of a task against the loss of its right answers.

    $$S(L) = \frac{c}{1 + e^{-\gamma (L - l)}} + d$$

    gamma < 0: the score rises from d at large loss to d + c at none [xiao2024].
    """
    return c * jax.nn.sigmoid(gamma * (L - l)) + d


densing_capacity_density = densing_loss.then(
    densing_performance, name="densing_capacity_density", source="xiao2024"
)


@law(source="xiao2024")
def densing_growth(
    t: Days,
    *,
    A: Annotated[Array, Parameter("1/day", positive, (1e-3, 3e-2))],
    B: Annotated[Array, Parameter("", typical=(-4.0, 4.0))],
) -> Density:
    r"""Highest capability density of the models released so far.

    $$\ln \rho_{max}(t) = A t + B$$

    t in days since the start of 2023; the running maximum is fitted. A is about 0.007 a day, B is
    not printed; growth was 50 % faster after ChatGPT [xiao2024].
    """
    return jnp.exp(A * t + B)


def effective_size(
    *,
    S: Array,
    a: Array,
    alpha: Array,
    b: Array,
    beta: Array,
    c: Array,
    d: Array,
    l: Array,
    gamma: Array,
    D_0: Any = 1e12,
) -> Array:
    r"""Parameters of the reference model that scores S when trained on D_0 tokens.

    $$\hat L = l - \gamma^{-1} \ln\left(\frac{c}{S - d} - 1\right), \quad
      \hat N = \left(\frac{\hat L - b D_0^{-\beta}}{a}\right)^{-1/\alpha}$$

    NaN unless d < S < c + d and the loss is above what infinite parameters reach with D_0
    [xiao2024].
    """
    L_hat = l - (jnp.log(c + d - S) - jnp.log(S - d)) / gamma
    return jnp.exp((jnp.log(a) - jnp.log(L_hat - b * D_0**-beta)) / alpha)


def capacity_density(
    *,
    S: Array,
    N: Array,
    a: Array,
    alpha: Array,
    b: Array,
    beta: Array,
    c: Array,
    d: Array,
    l: Array,
    gamma: Array,
    D_0: Any = 1e12,
) -> Array:
    """Effective over actual parameters of a model that scores S; one for a reference model."""
    N_hat = effective_size(
        S=S, a=a, alpha=alpha, b=b, beta=beta, c=c, d=d, l=l, gamma=gamma, D_0=D_0
    )
    return N_hat / N


def parameter_saving(*, rho: Array) -> Array:
    """Share of the reference model's parameters saved at equal score: 1 - 1/rho."""
    return 1 - 1 / rho


def doubling_months(*, A: Array, days_per_month: Any = MONTH) -> Array:
    """Months in which the density doubles: ln 2 / A."""
    return math.log(2.0) / A / days_per_month


def joint_doubling(*, T_rho: Array, T_chip: Array) -> Array:
    """Doubling time of the effective size that a chip can run, where density and chips grow."""
    return 1 / (1 / T_rho + 1 / T_chip)


def price_factor(*, from_price: Array, to_price: Array) -> Array:
    """How much cheaper a fixed ability became."""
    return from_price / to_price


@law(source="llama2024")
def llama3_nll(
    C: FLOP,
    *,
    b0: Annotated[Array, Parameter("nats/character", positive, (0.5, 15.0))],
    b1: Annotated[Array, Parameter("nats/character", negative, (-0.5, -0.005))],
) -> Normalised:
    r"""Loss of the right answer per character against training compute.

    $$\mathrm{NLL}(C) = b_0 + b_1 \ln C$$

    Fitted to compute-optimal small models only; the logarithm is natural. No constants are printed
    [llama2024, sec. 3.2.1].
    """
    return b0 + b1 * jnp.log(C)


@law(source="llama2024")
def llama3_accuracy(
    NLL: Annotated[Array, Variable("nats/character", real)],
    *,
    floor: Floor,
    ceil: Ceiling,
    g0: Annotated[Array, Parameter("", typical=(-10.0, 5.0))],
    g1: Annotated[Array, Parameter("", positive, (0.5, 20.0))],
) -> Accuracy:
    r"""Accuracy of a task against the loss of its right answers.

    $$\mathrm{acc} = f + (c - f)\,\sigma(-(g_0 + g_1 \mathrm{NLL}))$$

    f is the floor, c the ceiling; older models enter this fit too. The paper plots the sigmoid
    without printing it, so the form is unverified [llama2024, sec. 3.2.1].
    """
    return floor + (ceil - floor) * jax.nn.sigmoid(-(g0 + g1 * NLL))


llama3_two_stage = llama3_nll.then(llama3_accuracy, name="llama3_two_stage", source="llama2024")


def task_accuracy(
    *,
    floor: Array,
    ceil: Array,
    g0: Array,
    g1: Array,
    NLL: Any = None,
    C: Any = None,
    b0: Any = None,
    b1: Any = None,
) -> Array:
    """Accuracy from the loss of the right answers, or from compute through that loss."""
    x = llama3_nll.fn(C, b0=b0, b1=b1) if NLL is None else NLL
    return llama3_accuracy.fn(x, floor=floor, ceil=ceil, g0=g0, g1=g1)


QUANTITIES: dict[str, dict[str, Callable[..., Any]]] = {
    "densing_capacity_density": {
        "N_hat": effective_size,
        "rho": capacity_density,
        "parameter_saving": parameter_saving,
    },
    "densing_growth": {
        "doubling_months": doubling_months,
        "doubling_months_of_30.4_days": doubling_months,
        "effective_size_doubling_months": joint_doubling,
        "price_factor": price_factor,
    },
    "llama3_two_stage": {"NLL": llama3_nll.fn, "accuracy": task_accuracy},
}
