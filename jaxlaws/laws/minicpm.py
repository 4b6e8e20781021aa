"""MiniCPM: loss of decayed checkpoints, the data that go with a model, and the batch for a loss."""

from collections.abc import Callable
from typing import Annotated, Any

import jax.numpy as jnp
from jax import Array

from jaxlaws._law import Constants, Parameter, Variable, law
from jaxlaws._support import positive
from jaxlaws.laws.optimal import balance
from jaxlaws.quantities import Amplitude, CrossEntropy, Entropy, Exponent, Loss, Params, Tokens

BatchTokens = Annotated[Array, Variable("tokens", typical=(1.0, 1e12), name="B_tokens")]
BILLIONS = 1e18  # FLOP over 6 when parameters and tokens are both counted in billions


@law(source="hu2024")
def minicpm_data_model_law(
    N: Params,
    D: Tokens,
    *,
    C_N: Amplitude,
    C_D: Amplitude,
    alpha: Exponent,
    beta: Exponent,
    L0: Entropy,
) -> Loss:
    r"""Loss of N non-embedding parameters whose learning rate was decayed after D tokens.

    $$L(N, D) = C_N N^{-\alpha} + C_D D^{-\beta} + L_0$$

    Chinchilla's form in nats per byte. Of the constants the paper prints the averages
    alpha = 0.29, beta = 0.23 over evaluation sets, and K^2 = 0.01, eta = -0.10 of `data_per_size`;
    the two exponents give eta = -0.115 [hu2024].
    """
    return C_N * N**-alpha + C_D * D**-beta + L0


@law(
    source="hu2024",
    constants={"hu2024": Constants(dict(k=1.21e9, p=6.24), "verified")},
)
def minicpm_batch_from_loss(
    L: CrossEntropy,
    *,
    k: Annotated[Array, Parameter("tokens", positive, (1e7, 1e11))],
    p: Annotated[Array, Parameter("", positive, (2.0, 12.0))],
) -> BatchTokens:
    r"""Best batch in tokens at loss L on C4.

    $$B(L) = k\, L^{-p}$$

    Vertices of parabolas in log batch, from 9 M, 30 M and 170 M parameters. Another paper restates
    k as 2e18, in another unit [hu2024].
    """
    return k * L**-p


def size_data_constant(*, C_N: Array, C_D: Array, alpha: Array, beta: Array) -> Array:
    r"""$K^2$ of `data_per_size`, $(\alpha C_N / \beta C_D)^{2/(\alpha+\beta)}$ [hu2024]."""
    return balance(A=C_N, B=C_D, alpha=alpha, beta=beta) ** 2


def size_data_exponent(*, alpha: Array, beta: Array) -> Array:
    r"""Exponent eta of `data_per_size`: $(\beta - \alpha)/(\alpha + \beta)$ [hu2024]."""
    return (beta - alpha) / (alpha + beta)


def data_per_size(*, C: Array, K2: Array, eta: Array, unit: str = "N and D in billions") -> Array:
    r"""Tokens per parameter at the optimum: $D/N = K^{-2} (C/6)^{-\eta}$ [hu2024].

    K has the unit in which N and D are counted. The printed K^2 = 0.01, eta = -0.10 belong to
    billions, 130 to 210 tokens per parameter at 1e20 to 1e22 FLOP; the same numbers with plain
    counts would give 1e4.

    Args:
        C: FLOP.
        K2: The constant K^2.
        eta: The exponent.
        unit: Whether N and D are counted "in billions" or plainly.
    """
    scale = BILLIONS if "billion" in unit else 1.0
    return jnp.exp(-eta * (jnp.log(C / 6) - jnp.log(scale))) / K2


QUANTITIES: dict[str, dict[str, Callable[..., Any]]] = {
    "minicpm_data_model_law": {
        "D_over_N": data_per_size,
        "K2": size_data_constant,
        "eta": size_data_exponent,
    },
}
