"""Loss of size and data whose terms are coupled: neither falls on its own."""

from collections.abc import Callable
from typing import Annotated

import jax.numpy as jnp
from jax import Array

from jaxlaws._law import Constants, Parameter, Variable, law
from jaxlaws._support import above, positive, real, unit
from jaxlaws.quantities import (
    Amplitude,
    BitsPerByte,
    Entropy,
    Exponent,
    Loss,
    Params,
    Tokens,
    UniqueTokens,
)

BUSBRIDGE = dict(E=1.220, A=3355.0, alpha=0.408, B=18186.0, beta=0.431)
RECALLED = "Recalled, not seen in print; the paper's 90 % intervals: E 1.190 to 1.247, {} 0.442 "

Coupling = Annotated[Array, Parameter("", positive, (0.2, 2.0))]
Examples = Annotated[Array, Variable("examples")]
Error = Annotated[Array, Variable("error rate", unit, name="err")]


@law(
    source="videau2026, busbridge2025",
    constants={
        "busbridge2025": Constants(
            BUSBRIDGE | dict(k=0.452), "unverified", RECALLED.format("k") + "to 0.461."
        )
    },
)
def coupled_additive(
    N: Params,
    D: Tokens,
    *,
    E: Entropy,
    A: Amplitude,
    alpha: Exponent,
    B: Amplitude,
    beta: Exponent,
    k: Coupling,
) -> Loss:
    r"""Chinchilla's two terms raised to one power together.

    $$L = E + \left(A N^{-\alpha} + B D^{-\beta}\right)^{k}$$

    k = 1 is chinchilla [videau2026; the same form as busbridge2025].
    """
    return E + jnp.exp(k * _log_sum(N, D, A, alpha, B, beta))


@law(
    source="busbridge2025",
    constants={
        "busbridge2025": Constants(
            BUSBRIDGE | dict(gamma=0.452), "unverified", RECALLED.format("gamma") + "to 0.461."
        )
    },
)
def busbridge_supervised(
    N: Params,
    D: Tokens,
    *,
    E: Entropy,
    A: Amplitude,
    alpha: Exponent,
    B: Amplitude,
    beta: Exponent,
    gamma: Coupling,
) -> Loss:
    r"""Loss of a model trained without a teacher, base of the law for students.

    $$L = E + \left(A N^{-\alpha} + B D^{-\beta}\right)^{\gamma}$$

    On C4, 143 M to 12.6 B parameters [busbridge2025].
    """
    return E + jnp.exp(gamma * _log_sum(N, D, A, alpha, B, beta))


def _log_sum(N: Array, D: Array, A: Array, alpha: Array, B: Array, beta: Array) -> Array:
    return jnp.logaddexp(jnp.log(A) - alpha * jnp.log(N), jnp.log(B) - beta * jnp.log(D))


@law(source="hoffmann2022, kaplan2020")
def nested_generalised(
    N: Params,
    D: Tokens,
    *,
    E: Entropy,
    A: Amplitude,
    alpha: Exponent,
    B: Amplitude,
    beta: Exponent,
    q: Annotated[Array, Parameter("", positive, (0.05, 1.5))],
) -> Loss:
    r"""One form that holds chinchilla, Kaplan's joint law and the greater of two terms.

    $$L = E + \left((A N^{-\alpha})^{1/q} + (B D^{-\beta})^{1/q}\right)^{q}$$

    q = 1 is hoffmann2022; E = 0 with q = beta is the joint law of kaplan2020; as q goes to 0 the
    greater term alone is left (derived).
    """
    size, data = jnp.log(A) - alpha * jnp.log(N), jnp.log(B) - beta * jnp.log(D)
    return E + jnp.exp(q * jnp.logaddexp(size / q, data / q))


# No constants are published. These ranges keep each exponential of order one from 1e7 to 1e12
# parameters: the floor and the weight of the data fall with N, their exponent too.
@law(source="li2025farseer")
def farseer(
    N: Params,
    D: Tokens,
    *,
    a1: Annotated[Array, Parameter("", real, (-0.3, 0.05))],
    a: Annotated[Array, Parameter("", real, (0.05, 0.2))],
    b1: Annotated[Array, Parameter("", real, (-1.0, 1.0))],
    a2: Annotated[Array, Parameter("", real, (20.0, 150.0))],
    b: Annotated[Array, Parameter("", real, (-0.15, -0.05))],
    b2: Annotated[Array, Parameter("", real, (-10.0, 2.0))],
    a3: Annotated[Array, Parameter("", real, (-0.1, 0.02))],
    g: Annotated[Array, Parameter("", real, (0.05, 0.25))],
    b3: Annotated[Array, Parameter("", real, (-1.5, 1.0))],
) -> BitsPerByte:
    r"""Loss whose exponent in the data depends on the size.

    $$L = e^{a_3 N^{\gamma} + b_3} + e^{a_2 N^{\beta} + b_2} D^{-e^{a_1 N^{\alpha} + b_1}}$$

    Nine parameters, alpha, beta and gamma written a, b and g; bits per character. The published
    constants are not recovered [li2025farseer].
    """
    n = jnp.log(N)
    # Beyond e^30 the second term is gone, and its slope would be 0 times infinity.
    exponent = jnp.exp(jnp.minimum(a1 * jnp.exp(a * n) + b1, 30.0))
    data = a2 * jnp.exp(b * n) + b2 - exponent * jnp.log(D)
    return jnp.exp(a3 * jnp.exp(g * n) + b3) + jnp.exp(data)


def data_exponent(N: Array, a1: Array, a: Array, b1: Array) -> Array:
    """Farseer's exponent of the data at N parameters: exp(a1 N^a + b1) [li2025farseer]."""
    return jnp.exp(a1 * N**a + b1)


def data_gain(
    N: Array,
    D: Array,
    factor: Array,
    a1: Array,
    a: Array,
    b1: Array,
    a2: Array,
    b: Array,
    b2: Array,
) -> Array:
    """Farseer's L(N, D) - L(N, factor D), free of the term in N alone [li2025farseer].

    The paper's fit starts from these differences, size by size.
    """
    exponent = data_exponent(N, a1, a, b1)
    log_term = a2 * N**b + b2 - exponent * jnp.log(D)
    return -jnp.exp(log_term) * jnp.expm1(-exponent * jnp.log(factor))


@law(source="rosenfeld2019")
def rosenfeld_envelope(
    n: Examples,
    m: Params,
    *,
    a: Amplitude,
    alpha: Exponent,
    b: Amplitude,
    beta: Exponent,
    c: Annotated[Array, Parameter("", positive, (1e-4, 1.0))],
    e0: Annotated[Array, Parameter("", positive, (0.3, 1.0))],
    eta: Annotated[Array, Parameter("", positive, (0.1, 50.0))],
) -> Error:
    r"""Error of m parameters on n examples, from chance e0 down to a floor.

    $$\epsilon = e_0 \left|\frac{e}{e - i \eta}\right|, \quad
      e = a n^{-\alpha} + b m^{-\beta} + c$$

    The modulus is e / sqrt(e^2 + eta^2). A common factor of a, b, c, eta changes nothing: fit
    with ``fix(eta=1.0)`` [rosenfeld2019].
    """
    e = a * n**-alpha + b * m**-beta + c
    return e0 * e / jnp.sqrt(e**2 + eta**2)


@law(source="constrained2026")
def practical_data_constrained(
    N: Params,
    T: Tokens,
    D: UniqueTokens,
    *,
    E: Entropy,
    L0: Annotated[Array, Parameter("nats/token", above(0.0), (6.0, 14.0))],
    a: Amplitude,
    alpha: Exponent,
    b: Amplitude,
    beta: Exponent,
    c: Annotated[Array, Parameter("", positive, (1e-4, 1e3))],
    gamma: Exponent,
    delta: Exponent,
) -> Loss:
    r"""Loss of N parameters trained on T tokens, D of them unique, between chance and a floor.

    $$L = E + (L_0 - E) \frac{h}{1 + h}, \quad
      h = a N^{-\alpha} + b T^{-\beta} + c N^{\gamma} D^{-\delta}$$

    L0 is the loss at chance; the last term is overfitting. NaN where T < D, as tokens that were
    not seen are none of the D [constrained2026].
    """
    h = a * N**-alpha + b * T**-beta + c * N**gamma * D**-delta
    return jnp.where(T < D, jnp.nan, E + (L0 - E) * h / (1 + h))


QUANTITIES: dict[str, dict[str, Callable[..., Array]]] = {
    "farseer": {"data_exponent": data_exponent, "data_gain": data_gain},
}
