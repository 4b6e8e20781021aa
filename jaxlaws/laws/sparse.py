"""Pruned weights: loss of how many are left, before training and after it."""

from collections.abc import Callable
from typing import Annotated

import jax.numpy as jnp
from jax import Array

from jaxlaws._implicit import root
from jaxlaws._law import Constants, Parameter, Variable, law
from jaxlaws._support import interval, negative, positive
from jaxlaws.quantities import CrossEntropy, Exponent, Loss, Params, Tokens

SPARSEST = 30.0  # -ln(1 - S) of the sparsest model looked at
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


def cost_multiplier(S: Array) -> Array:
    r"""Compute of training to sparsity S over that of a dense model with the same non-zero weights.

    $$c(S) = \frac{0.25 + 0.5 \int_0^1 (1 - S_t)\,dt}{1 - S} + 0.25 = \frac{1 - 5S/8}{1 - S}$$

    Weights are pruned between a quarter and three quarters of the run, to the share
    S_t = S (1 - (1 - t)^3) of them; 1 when dense, 1.375 at half [frantar2023, recalled].
    """
    return (1 - 0.625 * S) / (1 - S)


def contour_tokens(
    S: Array, N: Array, a_S: Array, b_S: Array, b_N: Array, a_D: Array, b_D: Array
) -> Array:
    r"""Tokens for which S is the best sparsity of N non-zero parameters: the contour of S.

    $$D_S(N) = a_D \left(\frac{3 b_D N^{b_N}}
      {8 a_S b_S (1 - S)^{b_S} (1 - 5S/8)}\right)^{1/b_D}$$

    The loss at fixed compute is level in S there; all contours are parallel to the line of the
    compute-optimal dense models, and rise with S [frantar2023; derived from `cost_multiplier`].
    """
    pull = jnp.log(a_S * b_S) + b_S * jnp.log1p(-S) + jnp.log1p(-0.625 * S)
    return a_D * jnp.exp((jnp.log(0.375 * b_D) + b_N * jnp.log(N) - pull) / b_D)


def optimal_sparsity(
    N: Array, C: Array, a_S: Array, b_S: Array, b_N: Array, a_D: Array, b_D: Array
) -> Array:
    """Sparsity of least loss for N non-zero parameters and C FLOP in all; one case at a time.

    Zero where C does not reach the contour of S = 0: a dense model is best [frantar2023].

    >>> known = dict(a_S=294.0, b_S=0.821, b_N=0.392, a_D=2.37e8, b_D=0.890)
    >>> round(float(optimal_sparsity(1e8, 1e18, **known)), 3)
    0.462
    """

    def beyond(u: Array) -> Array:
        S = -jnp.expm1(-u)
        tokens = C / (6 * N * cost_multiplier(S))
        return jnp.log(tokens) - jnp.log(contour_tokens(S, N, a_S, b_S, b_N, a_D, b_D))

    dense = jnp.zeros_like(jnp.asarray(N) * 1.0)
    u = root(beyond, dense, dense + SPARSEST)
    return jnp.where(beyond(dense) > 0, -jnp.expm1(-u), 0.0)


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
    "frantar_sparsity": {
        "size_multiplier": size_multiplier,
        "cost_multiplier": cost_multiplier,
        "D_contour": contour_tokens,
        "S_opt": optimal_sparsity,
    },
    "p2_pruning_posttrain": {"slope_difference": slope_difference},
}
