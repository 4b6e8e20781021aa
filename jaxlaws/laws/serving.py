"""Training a model that will be served: the cheapest way to a quality, inference included."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from jaxlaws._implicit import root

MARGIN = 0.01  # logits


def reducible_of_size(*, N: Array, A: Array, alpha: Array, beta: Array) -> Array:
    r"""Reducible loss of N compute-optimal parameters: $A N^{-\alpha}(1+\alpha/\beta)$."""
    return A * N**-alpha * (1 + alpha / beta)


def optimal_share(
    *, reducible: Array, D_inf: Array, B: Array, alpha: Array, beta: Array, weight: Any = 1 / 3
) -> Array:
    r"""Logit of the share of the reducible loss that the finite model causes, at least cost.

    $$\frac{\alpha}{\beta}\,\frac{s}{1-s} = 1 + w\,\frac{D_{inf}}{D}, \quad
      D = \left(\frac{B}{(1-s)\,R}\right)^{1/\beta}$$

    R is the reducible loss to be reached; w is what a served token costs over a trained one, 1/3
    in FLOP. The right side falls with s, so the root is unique; D_inf = 0 gives chinchilla's
    optimum. One case at a time [sardana2024, eq. 2; the condition is derived].
    """
    start = jnp.log(beta / alpha)

    def more(u: Array) -> Array:
        log_tokens = (jnp.log(B) - jnp.log(reducible) + jax.nn.softplus(u)) / beta
        return jnp.log1p(weight * D_inf * jnp.exp(-log_tokens))

    # The margin keeps the signs at the ends apart where nothing is served, and in float32.
    return root(lambda u: u - start - more(u), start - MARGIN, start + more(start) + MARGIN)


def _share(
    quality_of_compute_optimal_N: Array,
    D_inf: Array,
    A: Array,
    B: Array,
    alpha: Array,
    beta: Array,
    weight: Any,
) -> tuple[Array, Array]:
    """Logit of the share at the optimum, and the log of the reducible loss."""
    R = reducible_of_size(N=quality_of_compute_optimal_N, A=A, alpha=alpha, beta=beta)
    constants = dict(B=B, alpha=alpha, beta=beta, weight=weight)
    return optimal_share(reducible=R, D_inf=D_inf, **constants), jnp.log(R)


def best_size(
    *,
    quality_of_compute_optimal_N: Array,
    D_inf: Array,
    A: Array,
    B: Array,
    alpha: Array,
    beta: Array,
    weight: Any = 1 / 3,
) -> Array:
    """Parameters that reach the quality of a compute-optimal model at least total cost.

    The cost is 6 N D + 2 N D_inf for D_inf tokens served [sardana2024, eq. 2].

    >>> constants = dict(A=406.4010175, B=410.7228269, alpha=0.33917084, beta=0.2849083)
    >>> N = best_size(quality_of_compute_optimal_N=7e9, D_inf=1e11, **constants)
    >>> round(float(N) / 1e9, 2)
    6.05
    """
    u, log_R = _share(quality_of_compute_optimal_N, D_inf, A, B, alpha, beta, weight)
    return jnp.exp((jnp.log(A) - log_R + jax.nn.softplus(-u)) / alpha)


def best_data(
    *,
    quality_of_compute_optimal_N: Array,
    D_inf: Array,
    A: Array,
    B: Array,
    alpha: Array,
    beta: Array,
    weight: Any = 1 / 3,
) -> Array:
    """Training tokens at `best_size` [sardana2024, eq. 2]."""
    u, log_R = _share(quality_of_compute_optimal_N, D_inf, A, B, alpha, beta, weight)
    return jnp.exp((jnp.log(B) - log_R + jax.nn.softplus(u)) / beta)


def data_ratio(
    *,
    quality_of_compute_optimal_N: Array,
    D_inf: Array,
    A: Array,
    B: Array,
    alpha: Array,
    beta: Array,
    weight: Any = 1 / 3,
) -> Array:
    """Training tokens at `best_size` over those of the compute-optimal model."""
    alone = jnp.log(beta * B / (alpha * A)) + alpha * jnp.log(quality_of_compute_optimal_N)
    u, log_R = _share(quality_of_compute_optimal_N, D_inf, A, B, alpha, beta, weight)
    return jnp.exp((jnp.log(B) - log_R + jax.nn.softplus(u) - alone) / beta)


def condition(
    *,
    quality_of_compute_optimal_N: Array,
    D_inf: Array,
    A: Array,
    B: Array,
    alpha: Array,
    beta: Array,
    weight: Any = 1 / 3,
) -> Array:
    r"""Ratio of the two marginal gains at the optimum, $\alpha A N^{-\alpha}/\beta B D^{-\beta}$.

    It equals 1 + D_inf / (3 D), and one without serving.
    """
    u, _ = _share(quality_of_compute_optimal_N, D_inf, A, B, alpha, beta, weight)
    return alpha / beta * jnp.exp(u)


def served_weight(
    *,
    price_training: Array,
    price_inference: Array,
    MFU_training: Array,
    MFU_input: Array,
    MFU_output: Array,
    share_output: Array,
) -> Array:
    """Money for a served token over a trained one, the `weight` of the functions above.

    A FLOP costs its price over the utilisation of the hardware; a share of the served tokens is
    generated, the rest is read [sardana2024].
    """
    served = (1 - share_output) / MFU_input + share_output / MFU_output
    return price_inference * served * MFU_training / (3 * price_training)


QUANTITIES: dict[str, dict[str, Callable[..., Any]]] = {
    "sardana_inference_aware": {
        "N_opt": best_size,
        "D_opt": best_data,
        "D_ratio_to_compute_optimal": data_ratio,
        "FOC_ratio": condition,
        "weight": served_weight,
    },
}
