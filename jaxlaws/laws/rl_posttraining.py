"""Reinforcement learning after pretraining: error of a reasoning task against size and amount.

Logarithms of this paper are decimal. X is training compute in FLOP or data in samples, each with
constants of its own [tan2025].
"""

from collections.abc import Callable
from typing import Annotated, Any

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from jaxlaws._law import Constants, Parameter, Variable, law
from jaxlaws._support import positive, real
from jaxlaws.quantities import Params

SOURCE = "tan2025"
DIGITISED = "Read off a figure. inter: over models; intra: over the run of one model."
SAVED = "Released fit on data of instruct models of 1.5e9 to 72e9; N0 is at its bound, 5e8."

Amount = Annotated[Array, Variable("FLOP or samples")]
TestError = Annotated[Array, Variable("error rate", name="L")]
Slope = Annotated[Array, Variable("", name="k")]
Steepest = Annotated[Array, Parameter("", positive, (0.05, 0.5))]
Middle = Annotated[Array, Parameter("parameters", positive, (2e9, 1e11))]


@law(
    source=SOURCE,
    constants={
        f"{SOURCE}_{amount}_{kind}": Constants(dict(Kmax=K, N0=N0), "reported", DIGITISED)
        for amount, kind, K, N0 in (
            ("compute", "base_inter", 0.151, 17.2e9),
            ("compute", "base_intra", 0.135, 13.1e9),
            ("compute", "instruct_inter", 0.144, 28.2e9),
            ("compute", "instruct_intra", 0.128, 17.3e9),
            ("data", "base_inter", 0.163, 16.9e9),
            ("data", "base_intra", 0.135, 11.5e9),
            ("data", "instruct_inter", 0.149, 27.2e9),
            ("data", "instruct_intra", 0.134, 17.2e9),
        )
    },
)
def rl_post_slope(N: Params, *, Kmax: Steepest, N0: Middle) -> Slope:
    r"""How fast a model of N parameters learns: the fall of log10 error per decade of X.

    $$k(N) = \frac{K_{max}}{1 + N_0 / N}$$

    It saturates at Kmax; N0 has half of it. The k of `rl_post_loglinear` [tan2025].
    """
    return Kmax / (1 + N0 / N)


@law(source=SOURCE)
def rl_post_loglinear(
    N: Params,
    X: Amount,
    *,
    Kmax: Steepest,
    N0: Middle,
    E: Annotated[Array, Parameter("", real, (-1.0, 4.0))],
) -> TestError:
    r"""Test error of a model of N parameters after an amount X of reinforcement learning.

    $$\log_{10} L(N, X) = -\frac{K_{max}}{1 + N_0 / N} \log_{10} X + E$$

    L = 1 - pass@1. E is free for each model, ``per_group("E", groups=...)``, and not printed; Kmax
    and N0 are published as `rl_post_slope`. Repeating data up to 25 times changes nothing, 100
    times harms; the form is not bounded by 1 at small X [tan2025].
    """
    return 10.0 ** (E - Kmax / (1 + N0 / N) * jnp.log10(X))


@law(
    source=SOURCE,
    constants={
        f"{SOURCE}_{size}": Constants(
            dict(N0=5.0e8, beta=1.08917, alpha=0.198114, B0=B0, C0=C0), "reported", SAVED
        )
        for size, B0, C0 in (
            ("1.5b", 134654.5, 412176.1),
            ("3b", 41373.3, 142838.4),
            ("7b", 4782.96, 27170.3),
            ("14b", 1634.66, 19153.5),
            ("32b", 337.99, 4333.0),
            ("72b", 341.33, 4928.6),
        )
    },
)
def rl_post_nested(
    N: Params,
    X: Amount,
    *,
    N0: Annotated[Array, Parameter("parameters", positive, (1e8, 1e11))],
    beta: Annotated[Array, Parameter("", positive, (0.3, 3.0))],
    alpha: Annotated[Array, Parameter("", positive, (0.05, 0.6))],
    B0: Annotated[Array, Parameter("", positive, (1e2, 1e6))],
    C0: Annotated[Array, Parameter("", positive, (1e3, 1e6))],
) -> TestError:
    r"""Test error by the released code's other form, with a limit for endless training.

    $$L(N, X) = \left[(N_0 / N)^{\beta} + \frac{B_0}{X + C_0}\right]^{\alpha}$$

    N0, beta and alpha are common, B0 and C0 a pair for each size N, in the unit of X (samples),
    ``per_group("B0", "C0", groups=6)``: 17 numbers, so no forecast for a new size [tan2025].
    """
    return ((N0 / N) ** beta + B0 / (X + C0)) ** alpha


def slope(*, N_billions: ArrayLike, Kmax: ArrayLike, N0_billions: ArrayLike) -> Array:
    """`rl_post_slope` with sizes in 1e9 parameters."""
    return rl_post_slope(1e9 * N_billions, Kmax=Kmax, N0=1e9 * N0_billions)


def error(
    *,
    N_billions: ArrayLike,
    X: ArrayLike,
    Kmax: ArrayLike,
    N0_billions: ArrayLike,
    E_log10: ArrayLike,
) -> Array:
    """`rl_post_loglinear` with sizes in 1e9 parameters."""
    N, N0 = 1e9 * N_billions, 1e9 * N0_billions
    return rl_post_loglinear(N, X, Kmax=Kmax, N0=N0, E=E_log10)


def nested_error(
    *,
    N_billions: ArrayLike,
    X_data: ArrayLike,
    N0_billions: ArrayLike,
    beta: ArrayLike,
    alpha: ArrayLike,
    B0: ArrayLike,
    C0: ArrayLike,
) -> Array:
    """`rl_post_nested` with sizes in 1e9 parameters."""
    N, N0 = 1e9 * N_billions, 1e9 * N0_billions
    return rl_post_nested(N, X_data, N0=N0, beta=beta, alpha=alpha, B0=B0, C0=C0)


QUANTITIES: dict[str, dict[str, Callable[..., Any]]] = {
    "rl_post_loglinear": {"k": slope, "L": error},
    "rl_post_nested": {"L": nested_error},
}
