"""How the counting of parameters moves the compute-optimal exponent: embeddings in or out."""

from collections.abc import Callable
from typing import Annotated, Any

import jax.numpy as jnp
from jax import Array

from jaxlaws._implicit import root
from jaxlaws._law import Constants, Parameter, law
from jaxlaws._support import positive
from jaxlaws.quantities import Amplitude, Entropy, Exponent, Loss, Params, Tokens

WINDOW = 25.0  # log N is searched this far to both sides of the square root of the budget
# Embeddings of a model of width d are V d; the cube root says that d grows like N^(1/3).
Embedding = Annotated[Array, Parameter("parameters^(2/3)", positive, (3e3, 3e5))]


def all_parameters(*, N_nonemb: Array, omega: Array) -> Array:
    r"""Parameters with embeddings: $N + \omega N^{1/3}$ [pearce2024]."""
    return N_nonemb + omega * jnp.cbrt(N_nonemb)


OMEGA = "omega is recalled, not read; the other constants are those of the law that is rewritten."


@law(
    source="pearce2024",
    constants={
        "pearce2024_besiroglu": Constants(
            dict(E=1.8172, A=482.01, B=2085.43, alpha=0.3478, beta=0.3658, omega=47491.0),
            "unverified",
            OMEGA,
        ),
        "pearce2024_hoffmann": Constants(
            dict(E=1.69, A=406.4, B=410.7, alpha=0.34, beta=0.28, omega=47491.0),
            "unverified",
            OMEGA,
        ),
    },
)
def pearce_song_reconciliation(
    N_nonemb: Params,
    D: Tokens,
    *,
    E: Entropy,
    A: Amplitude,
    B: Amplitude,
    alpha: Exponent,
    beta: Exponent,
    omega: Embedding,
) -> Loss:
    r"""Chinchilla's law seen by someone who counts parameters without embeddings.

    $$L(N, D) = E + A\,(N + \omega N^{1/3})^{-\alpha} + B D^{-\beta}$$

    Minimised under C = 6 N D with the same N it gives Kaplan's steep exponents at Kaplan's sizes:
    0.74 to 0.78 is a slope over a range, see `exponent_over_range` [pearce2024].
    """
    return E + A * all_parameters(N_nonemb=N_nonemb, omega=omega) ** -alpha + B * D**-beta


def log_tokens(
    *, N_nonemb: Array, A: Array, B: Array, alpha: Array, beta: Array, omega: Array
) -> Array:
    r"""Logarithm of the tokens with which N_nonemb is optimal under C = 6 N_nonemb D.

    $$\alpha A\, (N + \omega N^{1/3})^{-\alpha-1} (N + \tfrac{\omega}{3} N^{1/3})
      = \beta B D^{-\beta}$$
    """
    total = all_parameters(N_nonemb=N_nonemb, omega=omega)
    weighted = all_parameters(N_nonemb=N_nonemb, omega=omega / 3)
    gain = jnp.log(alpha * A) - (alpha + 1) * jnp.log(total) + jnp.log(weighted)
    return (jnp.log(beta * B) - gain) / beta


def local_exponent(*, N_nonemb: Array, alpha: Array, beta: Array, omega: Array) -> Array:
    r"""$d \ln N_{opt} / d \ln C$ where N_nonemb is optimal: not monotone in the size.

    It tends to beta/(alpha + beta) for large models [pearce2024].
    """
    w = omega * jnp.asarray(N_nonemb, float) ** (-2 / 3)
    slope = (alpha + 1) * (1 + w / 3) / (1 + w) - (1 + w / 9) / (1 + w / 3)
    return 1 / (1 + slope / beta)


def best_size(*, C: Array, A: Array, B: Array, alpha: Array, beta: Array, omega: Array) -> Array:
    """N_nonemb that minimises the loss under C = 6 N_nonemb D; one budget at a time."""
    constants = dict(A=A, B=B, alpha=alpha, beta=beta, omega=omega)

    def gap(u: Array) -> Array:
        return u + log_tokens(N_nonemb=jnp.exp(u), **constants) - jnp.log(C / 6)

    middle = 0.5 * jnp.log(C / 6)
    return jnp.exp(root(gap, middle - WINDOW, middle + WINDOW))


def exponent_over_range(
    *,
    smallest: Array,
    largest: Array,
    A: Array,
    B: Array,
    alpha: Array,
    beta: Array,
    omega: Array,
    points: int = 200,
) -> Array:
    """Slope of ln N_opt on ln C by least squares over log-spaced sizes, as the paper reports it.

    >>> constants = pearce_song_reconciliation.published()
    >>> del constants["E"]
    >>> round(float(exponent_over_range(smallest=768.0, largest=1.5e9, **constants)), 3)
    0.794
    """
    u = jnp.linspace(jnp.log(smallest), jnp.log(largest), points)
    constants = dict(A=A, B=B, alpha=alpha, beta=beta, omega=omega)
    x = u + log_tokens(N_nonemb=jnp.exp(u), **constants)
    away = x - x.mean()
    return jnp.sum(away * u) / jnp.sum(away**2)


QUANTITIES: dict[str, dict[str, Callable[..., Any]]] = {
    "pearce_song_reconciliation": {
        "N_total": all_parameters,
        "log_D_opt": log_tokens,
        "local_exponent": local_exponent,
        "N_opt": best_size,
        "exponent_over_range": exponent_over_range,
    },
}
