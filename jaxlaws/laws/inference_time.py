"""Spending compute when a model answers: many samples, and a small model against a large one."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any

import jax.numpy as jnp
from jax import Array
from jax.scipy.special import gammaln

from jaxlaws._law import Constants, Parameter, Variable, law
from jaxlaws._support import negative, unit

Samples = Annotated[Array, Variable("samples", typical=(1.0, 1e9))]
Coverage = Annotated[Array, Variable("share of problems", unit, name="coverage")]


def _anchors(a: float, b: float, what: str) -> Constants:
    return Constants(dict(a=a, b=b), "reported", f"Solved from two rounded points of {what}.")


@law(
    source="brown2024, schaeffer2025",
    constants={
        "brown2024_swe_bench": _anchors(
            -1.83885107676, -0.209035460469, "DeepSeek-Coder-V2: 15.9 % at 1, 56 % at 250"
        ),
        "brown2024_codecontests": _anchors(
            -8.51719319142, -0.126999826216, "Gemma-2B: 0.02 % at 1, 7.1 % at 10000"
        ),
    },
)
def monkeys_coverage(
    k: Samples,
    *,
    a: Annotated[Array, Parameter("", negative, (-10.0, -0.3))],
    b: Annotated[Array, Parameter("", negative, (-0.8, -0.05))],
) -> Coverage:
    r"""Share of problems that at least one of k samples solves.

    $$c(k) = \exp(a k^b)$$

    a is the log of the coverage of one sample [brown2024]; the power comes from the density of
    success probabilities near zero, p^(-b - 1) [schaeffer2025].
    """
    return jnp.exp(a * k**b)


def coverage_height(anchors: Sequence[Any] | Array) -> Array:
    """A of the law through two points, rows of (samples, coverage)."""
    (k1, c1), _ = jnp.asarray(anchors) * 1.0
    return jnp.log(c1) * k1 ** -coverage_exponent(anchors)


def coverage_exponent(anchors: Sequence[Any] | Array) -> Array:
    """B of the law through two points, rows of (samples, coverage)."""
    (k1, c1), (k2, c2) = jnp.asarray(anchors) * 1.0
    return jnp.log(jnp.log(c2) / jnp.log(c1)) / jnp.log(k2 / k1)


def coverage_beta(k: Array, p_alpha: Array, p_beta: Array) -> Array:
    r"""Coverage if problems' success probabilities follow a Beta distribution.

    $$c(k) = 1 - \frac{B(\alpha, \beta + k)}{B(\alpha, \beta)}$$

    What is missing falls as $k^{-\alpha}$ for many samples [schaeffer2025].
    """
    log = gammaln(p_beta + k) - gammaln(p_alpha + p_beta + k)
    return -jnp.expm1(log - gammaln(p_beta) + gammaln(p_alpha + p_beta))


def pass_at_k(n: Array, c: Array, k: Array) -> Array:
    r"""Unbiased estimate that one of k samples is right, when c of n samples were.

    $$1 - \binom{n - c}{k} \Big/ \binom{n}{k}$$

    1 where fewer than k samples are wrong [chen2021]. In float32 good to about n times 1e-7.

    >>> round(float(pass_at_k(10, 3, 2)), 4)
    0.5333
    """
    n, c, k = (jnp.asarray(v) * 1.0 for v in (n, c, k))
    certain = n - c < k
    wrong = jnp.where(certain, n, n - c)
    log = gammaln(wrong + 1) - gammaln(wrong - k + 1) - gammaln(n + 1) + gammaln(n - k + 1)
    return jnp.where(certain, 1.0, -jnp.expm1(log))


def coverage_of_counts(n: Array, c: Array, k: Array) -> Array:
    """Mean of `pass_at_k` over problems (problems,) [brown2024]."""
    return jnp.mean(pass_at_k(n, c, k))


def matching_budget(M: Array, R: Array) -> Array:
    r"""Factor on a small model's inference that matches the FLOP of an M times larger one.

    $$k = M + \frac{3}{R} (M - 1)$$

    R = D_inf / D_pre, tokens served over tokens of pre-training; from 6 N D_pre + 2 N D_inf. The
    paper takes M = 14 and R = 0.16, 0.79 and 22 [snell2024; the formula recalled].
    """
    return M + 3 * (M - 1) / R


QUANTITIES: dict[str, dict[str, Callable[..., Array]]] = {
    "monkeys_coverage": {
        "a": coverage_height,
        "b": coverage_exponent,
        "coverage_beta": coverage_beta,
    },
    "pass_at_k": {"pass_at_k": pass_at_k, "coverage": coverage_of_counts},
    "snell_flops_match": {"k": matching_budget},
}
