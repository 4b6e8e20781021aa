"""Progress with time: what algorithms are worth in compute, and how long tasks can be."""

import math
from collections.abc import Callable
from typing import Annotated

import jax
import jax.numpy as jnp
from jax import Array

from jaxlaws._law import Parameter, Variable, law
from jaxlaws._support import negative, positive, real
from jaxlaws.quantities import Accuracy, Amplitude, Exponent, Loss, Params, Tokens

DOUBLING_MONTHS = 8.4  # of effective compute, 95 % interval 4.5 to 14.3 [ho2024]
DOUBLING_DAYS = 212.0  # of the horizon, 2019 to early 2025 [kwa2025]
YEAR = 365.0  # days
STEPS = 30  # Newton steps of a logistic regression of two numbers

Years = Annotated[Array, Variable("years since a reference", real)]
Minutes = Annotated[Array, Variable("minutes of a human", typical=(1e-3, 1e6))]
Speed = Annotated[Array, Parameter("1/year", positive, (0.05, 2.0))]


@law(source="ho2024")
def ho_algorithmic_progress(
    N: Params,
    D: Tokens,
    year: Years,
    *,
    A: Amplitude,
    alpha: Exponent,
    B: Amplitude,
    beta: Exponent,
    a_prime: Speed,
    b_prime: Speed,
) -> Loss:
    r"""Loss of models of different years, whose algorithms stretch parameters and tokens.

    $$L = A \left(N e^{a' (Y - Y_0)}\right)^{-\alpha} + B \left(D e^{b' (Y - Y_0)}\right)^{-\beta}$$

    The input year is Y - Y0; no floor is fitted. Only the doubling time of effective compute is
    published in the catalogue, 8.4 months (4.5 to 14.3) [ho2024].
    """
    size = jnp.log(N) + a_prime * year
    data = jnp.log(D) + b_prime * year
    return A * jnp.exp(-alpha * size) + B * jnp.exp(-beta * data)


def compute_factor(months: Array, doubling_months: Array | float = DOUBLING_MONTHS) -> Array:
    """Factor by which algorithms raise effective compute in so many months [ho2024]."""
    return jnp.exp2(months / doubling_months)


def size_factor(years: Array, a_prime: Array) -> Array:
    """Effective over actual parameters after so many years: exp(a' years) [ho2024]."""
    return jnp.exp(a_prime * years)


def data_factor(years: Array, b_prime: Array) -> Array:
    """Effective over actual tokens after so many years: exp(b' years) [ho2024]."""
    return jnp.exp(b_prime * years)


def doubling_time(a_prime: Array, b_prime: Array) -> Array:
    """Months in which effective compute, parameters times tokens, doubles [ho2024]."""
    return 12 * math.log(2) / (a_prime + b_prime)


@law(source="kwa2025")
def metr_time_horizon(
    t_human: Minutes,
    *,
    w: Annotated[Array, Parameter("1/doubling", negative, (-2.0, -0.2))],
    v: Annotated[Array, Parameter("", real, (-4.0, 8.0))],
) -> Accuracy:
    r"""Probability that a model completes a task that takes a human t minutes.

    $$P = \sigma(w \log_2 t + v)$$

    One pair (w, v) per model; base-2 logarithm [kwa2025].
    """
    return jax.nn.sigmoid(w * jnp.log2(t_human) + v)


def horizon(p: Array, w: Array, v: Array) -> Array:
    """Minutes of the task that succeeds with probability p: 2^((logit p - v) / w) [kwa2025]."""
    return jnp.exp2((jnp.log(p) - jnp.log1p(-p) - v) / w)


def horizon_doubling(r: Array) -> Array:
    """Days in which the horizon doubles, from the slope r of its logarithm per day [kwa2025]."""
    return math.log(2) / r


def yearly_factor(doubling_days: Array | float = DOUBLING_DAYS) -> Array:
    """Factor by which the horizon grows in a year, 3.30 at 212 days [kwa2025]."""
    return jnp.exp2(YEAR / jnp.asarray(doubling_days))


def diversity_weights(family_size: Array) -> Array:
    """Weights (tasks,) from the number of tasks in each one's family: 1/sqrt, sum 1 [kwa2025]."""
    weight = jnp.asarray(family_size, float) ** -0.5
    return weight / jnp.sum(weight)


def success_fit(minutes: Array, success: Array, weight: Array, inverse_penalty: Array) -> Array:
    """(w, v) of one model: weighted logistic regression with a ridge on w alone [kwa2025].

    Minimises w^2 / 2 + inverse_penalty times the weighted sum of cross-entropies; scores between
    0 and 1 count as shares of success.

    Args:
        minutes: (tasks,) human minutes.
        success: (tasks,) scores in [0, 1].
        weight: (tasks,) weights.
        inverse_penalty: () as scikit-learn's C.
    """
    x = jnp.log2(minutes)

    def objective(both: Array) -> Array:
        score = both[0] * x + both[1]
        entropy = jax.nn.softplus(score) - success * score
        return both[0] ** 2 / 2 + inverse_penalty * jnp.sum(weight * entropy)

    def newton(_: int, both: Array) -> Array:
        slope, bend = jax.grad(objective)(both), jax.hessian(objective)(both)
        step = jnp.linalg.solve(bend, slope)
        halves = both[None, :] - step[None, :] * 0.5 ** jnp.arange(20.0)[:, None]
        return halves[jnp.argmin(jax.vmap(objective)(halves))]

    return jax.lax.fori_loop(0, STEPS, newton, jnp.zeros(2, x.dtype))


def trend(days: Array, horizon_minutes: Array) -> Array:
    """(r, s) of ln horizon = r date + s over (models,) frontier models, least squares."""
    x, y = jnp.asarray(days, float), jnp.log(jnp.asarray(horizon_minutes))
    r = jnp.sum((x - x.mean()) * (y - y.mean())) / jnp.sum((x - x.mean()) ** 2)
    return jnp.stack([r, y.mean() - r * x.mean()])


QUANTITIES: dict[str, dict[str, Callable[..., Array]]] = {
    "ho_algorithmic_progress": {
        "effective_compute_factor": compute_factor,
        "N_eff_factor": size_factor,
        "D_eff_factor": data_factor,
        "doubling_months": doubling_time,
    },
    "metr_time_horizon": {
        "horizon_minutes": horizon,
        "doubling_days": horizon_doubling,
        "factor_per_year": yearly_factor,
        "weights": diversity_weights,
        "w_v": success_fit,
        "r_s": trend,
    },
}
