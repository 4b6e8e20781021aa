"""Growing a trained small model into a large one by stacking its layers."""

import math
from collections.abc import Callable
from typing import Annotated, Any

import jax.numpy as jnp
from jax import Array

from jaxlaws import flops
from jaxlaws._law import Constants, Parameter, Variable, law
from jaxlaws._support import positive
from jaxlaws.quantities import FLOP, Exponent, Params

SmallTokens = Annotated[Array, Variable("tokens", typical=(1e3, 1e17), name="d_tokens")]


@law(
    source="du2024",
    constants={
        "du2024": Constants(
            dict(a=0.88, b=163.27, c=-5.74),
            "verified",
            "Read off budgets of 1e20 to 1e22 FLOP; a public note prints b times log10 C, which "
            "is absurd.",
        )
    },
)
def gstack_growth_timing(
    N: Params,
    C: FLOP,
    *,
    a: Exponent,
    b: Annotated[Array, Parameter("", positive, (30.0, 600.0))],
    c: Annotated[Array, Parameter("", typical=(-15.0, 5.0))],
) -> SmallTokens:
    r"""Tokens to train a small model on before its layers are stacked into N parameters.

    $$\log_{10} d = a \log_{10} N + \frac{b}{\log_{10} C} + c$$

    C is the FLOP of both trainings together, N the size after growth [du2024].
    """
    return jnp.exp(a * jnp.log(N) + math.log(10) * (b * math.log(10) / jnp.log(C) + c))


def layers_after_growth(*, base_layers: Array, g: Any = 4) -> Array:
    """Layers after stacking the base g times in order; g = 4 is best, 2 to 4 good [du2024]."""
    return g * base_layers


def speedup(*, T_scratch: Array, T_stack: Array) -> Array:
    """Tokens or FLOP saved at equal loss: T_scratch / T_stack - 1 [du2024]."""
    return T_scratch / T_stack - 1


def tokens_after_growth(*, C: Array, N: Array, d_tokens: Array, g: Any = 4) -> Array:
    """Tokens left for the grown model: C = 6 (N/g) d + 6 N D [du2024]."""
    return (C - flops.dense(N / g, d_tokens)) / (6 * N)


QUANTITIES: dict[str, dict[str, Callable[..., Any]]] = {
    "gstack_growth_timing": {
        "layers_after_growth": layers_after_growth,
        "speedup": speedup,
        "D_tokens": tokens_after_growth,
    },
}
