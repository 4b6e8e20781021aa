"""What more or repeated data buy: fine-tuning by ability, and the price of repetition."""

from collections.abc import Callable
from typing import Annotated, Any

import jax.numpy as jnp
from jax import Array

from jaxlaws._law import Constants, Parameter, Variable, law
from jaxlaws._support import positive, real
from jaxlaws.quantities import Amplitude, Epochs, Examples, Exponent, UniqueTokens

Score = Annotated[Array, Variable("points", real, space="natural", name="y")]
Points = Annotated[Array, Parameter("points", real, (0.0, 80.0))]
LossIncrease = Annotated[Array, Variable("nats/token", name="Delta_L")]


@law(source="dong2023")
def sft_data_composition(
    n: Examples,
    *,
    u: Annotated[Array, Parameter("points", real, (-30.0, 60.0))],
    v: Annotated[Array, Parameter("points", positive, (0.3, 10.0))],
) -> Score:
    r"""Score of an ability that grows with the logarithm of its fine-tuning examples.

    $$y = u + v \ln n$$

    Mathematics and code behave so. The paper prints no form: this is a reading of its curves
    [dong2023].
    """
    return u + v * jnp.log(n)


@law(source="dong2023")
def sft_alignment(
    n: Examples,
    *,
    y_0: Points,
    y_inf: Points,
    n_s: Annotated[Array, Parameter("examples", positive, (50.0, 2e4))],
) -> Score:
    r"""Score of an ability that a few fine-tuning examples bring out and more do not improve.

    $$y = y_\infty - (y_\infty - y_0)\, e^{-n / n_s}$$

    General alignment behaves so, with n_s near 1000. The paper prints no form: this is a reading of
    its curves [dong2023].
    """
    return y_inf + (y_0 - y_inf) * jnp.exp(-n / n_s)


def conflict(*, y: Array, n_other: Array, w: Array) -> Array:
    """Score with examples of another ability mixed in: y + w ln n_other.

    w is positive when data are few and negative when they are many [dong2023].
    """
    return y + w * jnp.log(n_other)


@law(
    source="xue2023, muennighoff2023",
    constants={
        "muennighoff2023": Constants(
            dict(B=1487.716093782861, beta=0.3526596, R_D_star=15.387756),
            "verified",
            "Constants of muennighoff; that its data term gives this increase is our reading.",
        )
    },
)
def token_crisis_repeat(
    U: UniqueTokens,
    R: Annotated[Array, Variable("repeats")],
    *,
    B: Amplitude,
    beta: Exponent,
    R_D_star: Epochs,
) -> LossIncrease:
    r"""Loss that U tokens repeated R more times have above as many fresh ones.

    $$\Delta L = B\,(D'^{-\beta} - T^{-\beta}), \quad T = U (1 + R), \quad
      D' = U + U R_D^* (1 - e^{-R/R_D^*})$$

    At fixed size and tokens. It falls with U; that it grows with the size, as is observed, is not
    in the formula, nor that dropout mends part of it [xue2023; muennighoff2023, eq. 5].
    """
    log_worth = jnp.log1p(-R_D_star * jnp.expm1(-R / R_D_star)) - jnp.log1p(R)
    return B * (U * (1 + R)) ** -beta * jnp.expm1(-beta * log_worth)


QUANTITIES: dict[str, dict[str, Callable[..., Any]]] = {
    "sft_data_composition": {"y_with_conflict": conflict}
}
