"""Loss when data are repeated."""

import jax.numpy as jnp
from jax import Array

from jaxlaws._law import Constants, law
from jaxlaws.quantities import (
    Amplitude,
    Entropy,
    Epochs,
    Exponent,
    Loss,
    Params,
    Tokens,
    UniqueTokens,
)


def optimal_params(U: Array, *, A: Array, B: Array, alpha: Array, beta: Array) -> Array:
    r"""Compute-optimal number of parameters for U unique tokens seen once.

    $$N_{opt}(U) = G\,(G U)^{\beta/\alpha}, \quad G = (\alpha A / \beta B)^{1/(\alpha+\beta)}$$

    The optimum of chinchilla under C = 6ND, solved for the N that goes with D = U
    [hoffmann2022, eq. 4; muennighoff2023, sec. 3.1].
    """
    return jnp.exp(_log_optimal_params(U, A, B, alpha, beta))


def _log_optimal_params(U: Array, A: Array, B: Array, alpha: Array, beta: Array) -> Array:
    G = (jnp.log(alpha * A) - jnp.log(beta * B)) / (alpha + beta)
    return G + beta / alpha * (G + jnp.log(U))


def effective(unique: Array, repeats: Array, half: Array) -> Array:
    r"""What repeated units are worth in fresh ones.

    $$U' = U + U R^* (1 - e^{-R/R^*})$$

    R repeats after the first pass decay with constant R*; in all they are worth R* passes
    [muennighoff2023, eq. 5].
    """
    return unique - unique * half * jnp.expm1(-repeats / half)


@law(
    source="muennighoff2023",
    constants={
        "muennighoff2023": Constants(
            dict(
                E=1.8691436784054858,
                A=520.8249516599187,
                B=1487.716093782861,
                alpha=0.3526596,
                beta=0.3526596,
                R_D_star=15.387756,
                R_N_star=5.309743,
            ),
            "verified",
            "R_D_star, R_N_star are a local minimum of the paper's objective; the global one is "
            "near 95, 1.7, and the runs do not identify R_D_star above about 8.",
        )
    },
)
def muennighoff(
    N: Params,
    D: Tokens,
    U_D: UniqueTokens,
    *,
    E: Entropy,
    A: Amplitude,
    B: Amplitude,
    alpha: Exponent,
    beta: Exponent,
    R_D_star: Epochs,
    R_N_star: Epochs,
) -> Loss:
    r"""Loss of N parameters trained on D tokens of which only U_D are unique.

    $$L = E + A / N'^{\alpha} + B / D'^{\beta}, \quad
      D' = U + U R_D^* (1 - e^{-R_D/R_D^*}), \quad
      N' = U_N + U_N R_N^* (1 - e^{-R_N/R_N^*})$$

    with U = min(U_D, D), R_D = D/U - 1, U_N = min(N, N_opt(U)), R_N = N/U_N - 1: repeated tokens
    and parameters beyond the optimum for U both lose their worth [muennighoff2023, eq. 5-7].
    """
    U = jnp.minimum(U_D, D)
    # In logs, because the optimum overflows where beta is many times alpha; beyond e^30 repeats
    # parameters are worth no more, and the slope would be 0 times infinity.
    excess = jnp.maximum(jnp.log(N) - _log_optimal_params(U, A, B, alpha, beta), 0.0)
    worth = effective(jnp.ones_like(N), jnp.expm1(jnp.minimum(excess, 30.0)), R_N_star)
    size = jnp.log(N) - excess + jnp.log(worth)
    D_eff = effective(U, D / U - 1, R_D_star)
    return E + A * jnp.exp(-alpha * size) + B * D_eff**-beta
