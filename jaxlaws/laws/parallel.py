"""Parallel streams: loss against parameters and the number of streams that share them."""

from collections.abc import Callable
from typing import Annotated, Any

import jax.numpy as jnp
from jax import Array

from jaxlaws._law import Constants, Parameter, Variable, law
from jaxlaws._support import positive, unit
from jaxlaws.quantities import Entropy, Exponent, Loss, Params

SOURCE = "chen2025parscale"

Streams = Annotated[Array, Variable("streams", typical=(0.5, 1e3))]
# In parameters: the reducible loss is (A / N)^alpha, so A is far below N.
Size = Annotated[Array, Parameter("parameters", positive, (1e6, 1e10))]
TIED = "E, A and alpha trade off: the 4th digit is not identified, k is."

WITHOUT_LAW: tuple[tuple[str, str], ...] = (
    (
        "MARLIN: mixed-precision auto-regressive parallel inference, 2408.11743",
        "A kernel for 4-bit weights; up to 4 times faster for 16 to 32 streams by the roofline.",
    ),
)


@law(
    source=SOURCE,
    constants={
        f"{SOURCE}_pile": Constants(
            dict(E=1.288835, A=1.973011e8, alpha=0.196362, k=0.334419),
            "verified",
            f"The Pile, 42e9 tokens; A is printed as 0.1973011e9. {TIED}",
        ),
        f"{SOURCE}_stack_python": Constants(
            dict(E=0.69124, A=1.130640e7, alpha=0.189373, k=0.393454),
            "verified",
            f"Python of the Stack v2, 42e9 tokens; A is printed as 0.0113064e9. {TIED}",
        ),
    },
)
def parscale(
    N: Params,
    P: Streams,
    *,
    E: Entropy,
    A: Size,
    alpha: Exponent,
    k: Annotated[Array, Parameter("", positive, (0.1, 1.0))],
) -> Loss:
    r"""Loss of N parameters that P learned streams run through in parallel.

    $$L(N, P) = E + \left(\frac{A}{N (k \ln P + 1)}\right)^{\alpha}$$

    N counts non-embedding parameters, with the 0.2 % that each stream adds; k says what a stream
    is worth in parameters, P = 1 is a plain model [chen2025parscale, eq. 5].
    """
    return E + (A / (N * (k * jnp.log(P) + 1))) ** alpha


@law(source=SOURCE)
def parscale_rho(
    N: Params,
    P: Streams,
    *,
    E: Entropy,
    A: Size,
    alpha: Exponent,
    rho: Annotated[Array, Parameter("", unit, (0.3, 0.99))],
) -> Loss:
    r"""Loss of the mean of P streams of N parameters whose residuals have correlation rho.

    $$L(N, P) = E + \left(\frac{A}{N}\right)^{\alpha} \frac{(P - 1) \rho + 1}{P}$$

    The paper's A / (N P^(1/alpha) DIV) with DIV = ((P - 1) rho + 1)^(-1/alpha), multiplied out:
    independent residuals, rho = 0, divide the reducible loss by P; rho = 1 gains nothing. Theory;
    `parscale` replaces the last factor by one that is fitted [chen2025parscale, eq. 3 and 4].
    """
    return E + (A / N) ** alpha * ((P - 1) * rho + 1) / P


def size_ratio(*, P: Array, k: Array) -> Array:
    """Parameters of the plain model of the same loss, over those that P streams share."""
    return 1 + k * jnp.log(P)


QUANTITIES: dict[str, dict[str, Callable[..., Any]]] = {
    "parscale": {"N_equiv_over_N": size_ratio},
}
