"""Pruned weights: loss of how many are left, before training and after it."""

from collections.abc import Callable
from typing import Annotated

import jax.numpy as jnp
from jax import Array

from jaxlaws._law import Constants, Parameter, Variable, law
from jaxlaws._support import interval, negative, positive
from jaxlaws.quantities import CrossEntropy, Exponent, Loss, Params, Tokens

NOTE = "Recalled, not seen in print; gives the printed table of gains to 0.3 %."

Zeros = Annotated[Array, Variable("share of weights that are zero", interval(0.0, 1.0))]
Pruned = Annotated[Array, Variable("share of parameters pruned", interval(0.0, 1.0))]
Height = Annotated[Array, Parameter("", positive, (3.0, 2000.0))]


@law(
    source="frantar2023",
    constants={
        "frantar2023_t5": Constants(
            dict(a_S=16.8, b_S=0.722, c_S=45.0, b_N=0.245, a_D=6.90e8, b_D=0.203, c=0.651),
            "unverified",
            NOTE,
        ),
        "frantar2023_vit": Constants(
            dict(a_S=294.0, b_S=0.821, c_S=468.0, b_N=0.392, a_D=2.37e8, b_D=0.890, c=4.517),
            "unverified",
            NOTE,
        ),
    },
)
def frantar_sparsity(
    S: Zeros,
    N: Params,
    D: Tokens,
    *,
    a_S: Height,
    b_S: Exponent,
    c_S: Height,
    b_N: Exponent,
    a_D: Annotated[Array, Parameter("tokens", positive, (1e7, 1e11))],
    b_D: Exponent,
    c: Annotated[Array, Parameter("nats/token", positive, (0.3, 6.0))],
) -> Loss:
    r"""Loss of a model with N non-zero parameters, a share S of whose weights is zero.

    $$L = \left(a_S (1-S)^{b_S} + c_S\right) N^{-b_N} + (a_D / D)^{b_D} + c$$

    N counts what is left; D counts tokens, or images for a vision model [frantar2023].
    """
    return (a_S * (1 - S) ** b_S + c_S) * N**-b_N + (a_D / D) ** b_D + c


def size_multiplier(S: Array, a_S: Array, b_S: Array, c_S: Array, b_N: Array) -> Array:
    """Dense parameters that one non-zero parameter is worth at sparsity S [frantar2023]."""
    return ((a_S * (1 - S) ** b_S + c_S) / (a_S + c_S)) ** (-1 / b_N)


@law(source="chen2024prune")
def p2_pruning_posttrain(
    N0: Params,
    D: Tokens,
    rho: Pruned,
    L0: CrossEntropy,
    *,
    gamma: Annotated[Array, Parameter("", negative, (-4.0, -0.2))],
    delta: Annotated[Array, Parameter("", positive, (0.01, 1.0))],
    N_C: Annotated[Array, Parameter("", positive, (1.0, 1e4))],
    alpha: Exponent,
    D_C: Annotated[Array, Parameter("", positive, (1.0, 1e5))],
    beta: Exponent,
    E: Annotated[Array, Parameter("", positive, (0.05, 5.0))],
) -> Loss:
    r"""Loss of a pruned model after D tokens of further training.

    $$L = L_0 + \rho^{-\gamma} N_0^{-\delta} \left(N_C N_0^{-\alpha} + D_C D^{-\beta} + E\right)$$

    N0 and L0 are parameters and loss before pruning, rho the share pruned; gamma < 0, so L goes
    to L0 as rho goes to 0 and stays above it however many tokens follow [chen2024prune].
    """
    rest = N_C * N0**-alpha + D_C * D**-beta + E
    return L0 + rho**-gamma * N0**-delta * rest


def slope_difference(D: Array, predicted: Array, observed: Array) -> Array:
    """Mean absolute difference of the slopes of two loss curves over (n,) token counts.

    The paper chooses between laws by it, on checkpoints that were held out [chen2024prune].
    """
    return jnp.mean(jnp.abs(jnp.diff(predicted - observed) / jnp.diff(D)))


QUANTITIES: dict[str, dict[str, Callable[..., Array]]] = {
    "frantar_sparsity": {"size_multiplier": size_multiplier},
    "p2_pruning_posttrain": {"slope_difference": slope_difference},
}
