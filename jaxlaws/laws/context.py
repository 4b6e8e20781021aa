"""Loss and the length of the context."""

from collections.abc import Callable
from typing import Annotated

import jax.numpy as jnp
from jax import Array

from jaxlaws._law import Constants, Parameter, Variable, law
from jaxlaws._support import positive
from jaxlaws.quantities import Loss

Context = Annotated[Array, Variable("tokens of context", typical=(1.0, 1e9))]


def _llama2(alpha: float, beta: float, gamma: float) -> Constants:
    return Constants(
        dict(alpha=alpha, beta=beta, gamma=gamma), "unverified", "Recalled, not seen in print."
    )


@law(
    source="xiong2023",
    constants={
        "xiong2023_7B": _llama2(25.4, 0.45, 1.56),
        "xiong2023_13B": _llama2(19.5, 0.48, 1.45),
        "xiong2023_34B": _llama2(17.7, 0.50, 1.41),
        "xiong2023_70B": _llama2(17.9, 0.51, 1.35),
    },
)
def context_length_power(
    c: Context,
    *,
    alpha: Annotated[Array, Parameter("tokens", positive, (5.0, 80.0))],
    beta: Annotated[Array, Parameter("", positive, (0.2, 1.0))],
    gamma: Annotated[Array, Parameter("nats/token", positive, (0.8, 2.5))],
) -> Loss:
    r"""Validation loss of a model that sees c tokens of context.

    $$L(c) = (\alpha / c)^{\beta} + \gamma$$

    Llama 2 continued to 32768 tokens of context [xiong2023].
    """
    return (alpha / c) ** beta + gamma


def doubling_ratio(beta: Array) -> Array:
    """Factor on the reducible loss when the context doubles: 2^-beta [xiong2023]."""
    return jnp.exp2(-jnp.asarray(beta))


def position_loss(t: Array, l_inf: Array, t0: Array, p: Array) -> Array:
    """Loss of the token at position t of a context: l_inf + (t0 / t)^p."""
    return l_inf + (t0 / t) ** p


def mean_position_loss(c: int, l_inf: Array, t0: Array, p: Array) -> Array:
    """Mean of `position_loss` over the first c positions; c is a plain integer."""
    return jnp.mean(position_loss(jnp.arange(1, int(c) + 1) * 1.0, l_inf, t0, p))


QUANTITIES: dict[str, dict[str, Callable[..., Array]]] = {
    "context_length_power": {
        "reducible_ratio_on_doubling": doubling_ratio,
        "l": position_loss,
        "L_mean": mean_position_loss,
    },
}
