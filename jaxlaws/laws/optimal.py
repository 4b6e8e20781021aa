"""Compute-optimal training in closed form: what follows from chinchilla and muennighoff.

Inputs and constants go by name. k is what a parameter and a token cost in FLOP: C = k N D, with
k = 6 unless another counting is asked for.
"""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from jax import Array

from jaxlaws._implicit import argmin
from jaxlaws.laws.data_limited import muennighoff, optimal_params

WINDOW = 14.0  # log N is searched this far to both sides of the square root of the budget


def balance(*, A: Array, B: Array, alpha: Array, beta: Array) -> Array:
    r"""The split of a budget: $G = (\alpha A / \beta B)^{1/(\alpha+\beta)}$ [hoffmann2022]."""
    return (alpha * A / (beta * B)) ** (1 / (alpha + beta))


def exponent_of_size(*, alpha: Array, beta: Array) -> Array:
    """Exponent a of N_opt in C: beta / (alpha + beta) [hoffmann2022, eq. 4].

    Also the share of the reducible loss at the optimum that the finite model causes.
    """
    return beta / (alpha + beta)


def exponent_of_data(*, alpha: Array, beta: Array) -> Array:
    """Exponent b of D_opt in C: alpha / (alpha + beta) [hoffmann2022, eq. 4]."""
    return alpha / (alpha + beta)


def exponent_of_loss(*, alpha: Array, beta: Array) -> Array:
    r"""Exponent of the reducible loss in C: $\gamma = \alpha\beta/(\alpha+\beta)$."""
    return alpha * beta / (alpha + beta)


def best_size(*, C: Array, A: Array, B: Array, alpha: Array, beta: Array, k: Any = 6.0) -> Array:
    r"""Compute-optimal parameters: $N_{opt} = G\,(C/k)^a$ [hoffmann2022, eq. 4]."""
    G = balance(A=A, B=B, alpha=alpha, beta=beta)
    return G * (C / k) ** exponent_of_size(alpha=alpha, beta=beta)


def best_data(*, C: Array, A: Array, B: Array, alpha: Array, beta: Array, k: Any = 6.0) -> Array:
    r"""Compute-optimal tokens: $D_{opt} = (C/k)^b / G$ [hoffmann2022, eq. 4]."""
    G = balance(A=A, B=B, alpha=alpha, beta=beta)
    return (C / k) ** exponent_of_data(alpha=alpha, beta=beta) / G


def best_ratio(*, C: Array, A: Array, B: Array, alpha: Array, beta: Array, k: Any = 6.0) -> Array:
    """Tokens per parameter at the optimum, D_opt / N_opt."""
    G = balance(A=A, B=B, alpha=alpha, beta=beta)
    return (C / k) ** ((alpha - beta) / (alpha + beta)) / G**2


def best_loss(
    *, C: Array, E: Array, A: Array, B: Array, alpha: Array, beta: Array, k: Any = 6.0
) -> Array:
    r"""Loss at the optimum: $E + (A G^{-\alpha} + B G^{\beta})(C/k)^{-\gamma}$."""
    return E + _reducible(A, B, alpha, beta) * (C / k) ** -exponent_of_loss(alpha=alpha, beta=beta)


def cheapest_compute(
    *, L: Array, E: Array, A: Array, B: Array, alpha: Array, beta: Array, k: Any = 6.0
) -> Array:
    """Least compute that reaches loss L, the inverse of `best_loss`; NaN at L below E."""
    log_ratio = jnp.log(_reducible(A, B, alpha, beta)) - jnp.log(L - E)
    return k * jnp.exp(log_ratio / exponent_of_loss(alpha=alpha, beta=beta))


def tokens_for_loss(
    *, L: Array, N: Array, E: Array, A: Array, B: Array, alpha: Array, beta: Array
) -> Array:
    """Tokens that take N parameters to loss L; NaN where no number of tokens does."""
    return jnp.exp((jnp.log(B) - jnp.log(L - E - A * N**-alpha)) / beta)


def least_size_factor(*, alpha: Array, beta: Array) -> Array:
    r"""Smallest N over N_opt that still reaches the loss: $(1 + \alpha/\beta)^{-1/\alpha}$."""
    return jnp.exp(-jnp.log1p(alpha / beta) / alpha)


def data_factor(*, k_N: Array, alpha: Array, beta: Array) -> Array:
    r"""D over D_opt that holds the loss of the optimum with k_N times its parameters.

    $$k_D = \left[1 - (k_N^{-\alpha} - 1)\,\beta/\alpha\right]^{-1/\beta}$$

    NaN below `least_size_factor`.
    """
    return jnp.exp(-jnp.log1p(-jnp.expm1(-alpha * jnp.log(k_N)) * beta / alpha) / beta)


def compute_overhead(*, k_N: Array, alpha: Array, beta: Array) -> Array:
    """Share of compute more than the optimum's, at its loss, with k_N times its parameters."""
    return k_N * data_factor(k_N=k_N, alpha=alpha, beta=beta) - 1


def worth_of_epochs(*, epochs: Array, R_D_star: Array) -> Array:
    """Fresh passes that epochs over the same tokens are worth [muennighoff2023, eq. 5].

    NaN below one epoch: those tokens are not all seen.

    >>> round(float(worth_of_epochs(epochs=4.0, R_D_star=15.387756)), 3)
    3.726
    """
    return jnp.where(epochs < 1, jnp.nan, 1 - R_D_star * jnp.expm1(-(epochs - 1) / R_D_star))


def loss_when_repeated(
    *,
    N: Array,
    U_D: Array,
    D: Array,
    alpha: Array,
    beta: Array,
    R_D_star: Array,
    R_N_star: Array,
    A: Array | None = None,
    B: Array | None = None,
    E: Array | None = None,
    lnA: Any = 0.0,
    lnB: Any = 0.0,
    lnE: Any = 0.0,
) -> Array:
    """`muennighoff` with A, B, E or, as the paper's code keeps them, their logarithms."""
    return muennighoff(
        N,
        D,
        U_D,
        E=jnp.exp(lnE) if E is None else E,
        A=jnp.exp(lnA) if A is None else A,
        B=jnp.exp(lnB) if B is None else B,
        alpha=alpha,
        beta=beta,
        R_D_star=R_D_star,
        R_N_star=R_N_star,
    )


def best_size_when_repeated(
    *,
    C: Array,
    U_D: Array,
    A: Array,
    B: Array,
    alpha: Array,
    beta: Array,
    R_D_star: Array,
    R_N_star: Array,
    k: Any = 6.0,
) -> Array:
    """N_opt(C) when only U_D tokens are unique, by a search in log N [muennighoff2023].

    One run: C and U_D are scalars.
    """
    constants = dict(A=A, B=B, alpha=alpha, beta=beta, R_D_star=R_D_star, R_N_star=R_N_star)

    def loss(u: Array) -> Array:
        return muennighoff.fn(jnp.exp(u), C / k * jnp.exp(-u), U_D, E=0.0, **constants)

    middle = 0.5 * jnp.log(C / k)
    return jnp.exp(argmin(loss, middle - WINDOW, middle + WINDOW))


def _reducible(A: Array, B: Array, alpha: Array, beta: Array) -> Array:
    """Reducible loss at the optimum of a budget C = k."""
    G = balance(A=A, B=B, alpha=alpha, beta=beta)
    return A * G**-alpha + B * G**beta


QUANTITIES: dict[str, dict[str, Callable[..., Any]]] = {
    "chinchilla": {
        "G": balance,
        "a_exponent_N": exponent_of_size,
        "b_exponent_D": exponent_of_data,
        "gamma_exponent_loss": exponent_of_loss,
        "N_opt": best_size,
        "D_opt": best_data,
        "D_over_N_opt": best_ratio,
        "L_opt": best_loss,
        "share_of_reducible_loss_from_N": exponent_of_size,
        "C_for_loss": cheapest_compute,
        "D_iso_loss": tokens_for_loss,
        "k_N_min": least_size_factor,
        "k_D": data_factor,
        "iso_loss_overhead": compute_overhead,
    },
    "muennighoff": {
        "L": loss_when_repeated,
        "D_eff_over_U": worth_of_epochs,
        "U_N": optimal_params,
        "N_opt": best_size_when_repeated,
    },
}
