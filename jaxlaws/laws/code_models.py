"""Code in many languages: loss of one, and of a mixture whose languages help each other."""

from collections.abc import Callable
from functools import lru_cache
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from jaxlaws._law import Law, Parameter, Variable, law
from jaxlaws._support import positive, simplex
from jaxlaws.quantities import Amplitude, Exponent, Loss, Params, Tokens

SOURCE = "yang2025"
# Irreducible losses without the rest of the fits, recalled; Python has the largest exponents,
# Rust the smallest.
FLOORS = {
    "C#": 0.288,
    "Java": 0.397,
    "Rust": 0.397,
    "Go": 0.414,
    "TypeScript": 0.419,
    "JavaScript": 0.449,
    "Python": 0.566,
}
# Gain of Java's loss, and of Python's by Java, in percent from training with another language.
SYNERGY = {
    ("Java", "C#"): 20.58,
    ("Java", "JavaScript"): 12.62,
    ("Java", "TypeScript"): 12.08,
    ("Python", "Java"): 1.36,
}

Floor = Annotated[Array, Parameter("nats/token", positive, (0.1, 1.0))]


@law(source=SOURCE)
def code_pl_chinchilla(
    N: Params, D: Tokens, *, A: Amplitude, B: Amplitude, aN: Exponent, aD: Exponent, Linf: Floor
) -> Loss:
    r"""Loss on one programming language of N parameters trained on D tokens of it.

    $$L(N, D) = A N^{-a_N} + B D^{-a_D} + L_\infty$$

    Every language has its own aN, aD and Linf; only an order of the Linf is known, recalled, see
    `FLOORS` [yang2025].
    """
    return A * N**-aN + B * D**-aD + Linf


def effective_tokens(*, D_all: ArrayLike, p: ArrayLike, gamma: ArrayLike, tau: ArrayLike) -> Array:
    r"""Tokens of a mixture with what its languages lend each other.

    $$D_x = D_{all} \left(1 + \gamma \sum_{i \ne j} p_i p_j \tau_{ij}\right)$$

    The sum is over ordered pairs: every pair counts twice [yang2025].

    Args:
        D_all: Tokens of all languages.
        p: (k,) their shares.
        gamma: Strength of transfer.
        tau: (k, k) transfer between languages; the diagonal is not read.
    """
    return _effective_tokens(*(jnp.asarray(v, float) for v in (D_all, p, gamma, tau)))


def _effective_tokens(D_all: Array, p: Array, gamma: Array, tau: Array) -> Array:
    between = tau * (1 - jnp.eye(tau.shape[-1], dtype=tau.dtype))
    return D_all * (1 + gamma * (p @ between @ p))


def mixture_loss(
    *,
    N: ArrayLike,
    D_all: ArrayLike,
    p: ArrayLike,
    A: ArrayLike,
    B: ArrayLike,
    gamma: ArrayLike,
    aN: ArrayLike,
    aD: ArrayLike,
    Linf: ArrayLike,
    tau: ArrayLike,
) -> Array:
    """`code_multilingual` at one run with everything given by name [yang2025]."""
    given = (N, D_all, p, A, B, gamma, aN, aD, Linf, tau)
    return _mixture_loss(*(jnp.asarray(v, float) for v in given))


def _mixture_loss(
    N: Array,
    D_all: Array,
    p: Array,
    A: Array,
    B: Array,
    gamma: Array,
    aN: Array,
    aD: Array,
    Linf: Array,
    tau: Array,
) -> Array:
    tokens = _effective_tokens(D_all, p, gamma, tau)
    return A * N ** -(p @ aN) + B * tokens ** -(p @ aD) + p @ Linf


@lru_cache(maxsize=32)  # one object per matrix, so that compiled code is found again
def code_multilingual(tau: tuple[tuple[float, ...], ...]) -> Law:
    """Loss of a mixture of languages with a measured matrix of transfer, as a tuple of rows.

    Raises:
        ValueError: The matrix is not square.

    >>> code_multilingual(((0.0, 0.4), (0.4, 0.0))).params["Linf"].size
    (2,)
    """
    matrix, size = np.asarray(tau, float), (len(tau),)
    if matrix.shape != size * 2:
        raise ValueError(f"code_multilingual takes a square matrix, got {matrix.shape}.")

    def fn(
        N: Params,
        D_all: Tokens,
        p: Annotated[Array, Variable("share", simplex, size=size)],
        *,
        A: Amplitude,
        B: Amplitude,
        gamma: Annotated[Array, Parameter("", positive, (0.01, 2.0))],
        aN: Annotated[Array, Parameter("", positive, (0.03, 1.5), size)],
        aD: Annotated[Array, Parameter("", positive, (0.03, 1.5), size)],
        Linf: Annotated[Array, Parameter("nats/token", positive, (0.1, 1.0), size)],
    ) -> Loss:
        r"""Loss of N parameters on D_all tokens of languages with shares p.

        $$L(N, D; p) = A N^{-\sum_k p_k a_{N,k}} + B D_x^{-\sum_k p_k a_{D,k}}
          + \sum_k p_k L_{\infty,k}$$

        D_x is `effective_tokens` of the measured tau; gamma is fitted. That the exponents are
        means with the shares as weights is recalled [yang2025].
        """
        tau = jnp.asarray(matrix, p.dtype)
        return _mixture_loss(N, D_all, p, A, B, gamma, aN, aD, Linf, tau)

    return law(fn, source=SOURCE, name=f"code_multilingual({len(tau)})")


def synergy(*, L_pair: ArrayLike, L_own: ArrayLike) -> Array:
    """Loss of language i trained with j, less that of i with as many tokens of i [yang2025].

    Negative is a gain.
    """
    return jnp.asarray(L_pair, float) - L_own


def best_shares(*, steps: int = 2000, **given: Any) -> Array:
    """Shares (k,) of least `mixture_loss`, by multiplicative steps from equal shares.

    The step is the exponentiated gradient on the simplex with unit rate, a descent for slopes of
    order one. The loss is that of the mixture itself, whose mean of floors draws the shares to the
    language with the least, a corner unless transfer is strong; the paper's allocation is for the
    mean over languages, each judged alone, which its formula does not give [yang2025].

    Args:
        steps: Number of steps.
        **given: All that `mixture_loss` takes except p.
    """
    slope = jax.grad(lambda p: mixture_loss(p=p, **given))
    start = jnp.zeros(np.shape(given["Linf"])[-1])

    def step(u: Array, _: None) -> tuple[Array, None]:
        return jax.nn.log_softmax(u - slope(jax.nn.softmax(u))), None

    return jax.nn.softmax(jax.lax.scan(step, start, None, steps)[0])


FAMILIES: dict[str, Callable[..., Law]] = {"code_multilingual": code_multilingual}

QUANTITIES: dict[str, dict[str, Callable[..., Any]]] = {
    "code_multilingual": {"L": mixture_loss, "D_x": effective_tokens, "p_opt": best_shares},
    "code_pl_chinchilla": {"synergy": synergy},
}
