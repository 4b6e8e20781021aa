"""How capabilities move together as models grow: couplings, critical sizes, a frontier's line.

One author's preprint: exploratory [amin2026].
"""

from collections.abc import Callable
from typing import Annotated, Any

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from jaxlaws._law import Constants, Parameter, Variable, law
from jaxlaws._support import positive, real
from jaxlaws.quantities import Params

SOURCE = "amin2026"
# Critical sizes read family by family; Phi and Qwen3 have none.
CRITICAL_SIZES = {
    "opt": 0.12e9,
    "cerebras": 1.3e9,
    "gpt_neo": 1.3e9,
    "bloom": 1.7e9,
    "pythia": 3.5e9,
    "falcon": 7.0e9,
}

Coupling = Annotated[Array, Variable("score per score", real, space="natural", name="g12")]
Percent = Annotated[Array, Variable("score in percent", real, space="natural", name="B2")]


@law(
    source=SOURCE,
    constants={
        SOURCE: Constants(
            dict(g0=0.7426, Nc=10 ** (7.1848 / 0.7426)),
            "verified",
            "A line of slope 0.7426 and intercept -7.1848; Nc has the bootstrap median 4.41e9 and "
            "interval 1.37e9 to 9.56e10, a parabola gives 3.49e9 (2.92e9 to 1.34e10).",
        )
    },
)
def coupling_log(
    N: Params,
    *,
    g0: Annotated[Array, Parameter("", real, (-0.5, 1.5))],
    Nc: Annotated[Array, Parameter("parameters", positive, (1e8, 5e10))],
) -> Coupling:
    r"""Change of one score per change of another between neighbouring sizes near N parameters.

    $$g_{12}(N) = g_0 \log_{10}(N / N_c)$$

    TruthfulQA per HellaSwag: truth falls as ability grows below the critical size Nc and rises
    above. The logarithm is decimal; `CRITICAL_SIZES` has Nc by family [amin2026].
    """
    return g0 * (jnp.log10(N) - jnp.log10(Nc))


def critical_size(*, slope: ArrayLike, intercept: ArrayLike) -> Array:
    """Nc from a line of g12 on log10 N: 10^(-intercept / slope) [amin2026]."""
    return 10.0 ** (-jnp.asarray(intercept, float) / slope)


def coupling_of_scores(*, B1: Array, B2: Array) -> Array:
    """(n - 1,) change of B2 per change of B1 between neighbouring sizes (n,) [amin2026]."""
    return jnp.diff(B2) / jnp.diff(B1)


def score_rates(*, B: Array, c: Array, d: Array) -> Array:
    r"""Slopes of the scores B (k,) in log10 N.

    $$\frac{dB_i}{d \log_{10} N} = \sum_j c_{ij} B_j + \sum_{j \le l} d_{ijl} B_j B_l$$

    Args:
        B: (k,) scores.
        c: (k, k) linear couplings.
        d: (k, k, k) quadratic ones; entries with j > l are not read.
    """
    pairs = jnp.triu(jnp.outer(B, B))
    return c @ B + jnp.sum(d * pairs[None], axis=(1, 2))


def scores(*, B: Array, c: Array, d: Array, span: ArrayLike, steps: int = 64) -> Array:
    """Scores (k,) after `span` decades of size, from B (k,), by Runge-Kutta steps [amin2026].

    The fitted coefficients are in the author's data files and were not transcribed.
    """
    h = jnp.asarray(span, float) / steps

    def step(y: Array, _: None) -> tuple[Array, None]:
        k1 = score_rates(B=y, c=c, d=d)
        k2 = score_rates(B=y + h / 2 * k1, c=c, d=d)
        k3 = score_rates(B=y + h / 2 * k2, c=c, d=d)
        k4 = score_rates(B=y + h * k3, c=c, d=d)
        return y + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4), None

    return jax.lax.scan(step, jnp.asarray(B, float), None, steps)[0]


def fixed_coupling(*, a: ArrayLike, b: ArrayLike) -> Array:
    """Coupling at which dg / dlog10 N = a g + b vanishes: -b / a, 0.53 for OPT [amin2026]."""
    return -jnp.asarray(b, float) / a


def coupling_path(*, g: ArrayLike, span: ArrayLike, a: ArrayLike, b: ArrayLike) -> Array:
    """Coupling after `span` decades of size, from g: the exact solution, for a = 0 too."""
    g, span, a, b = (jnp.asarray(v, float) for v in (g, span, a, b))
    t = a * span
    flat = jnp.abs(t) < 1e-6
    safe = jnp.where(flat, 1.0, t)
    grown = jnp.where(flat, 1 + t / 2, jnp.expm1(safe) / safe)
    return g * jnp.exp(t) + b * span * grown


@law(
    source=SOURCE,
    constants={SOURCE: Constants(dict(b0=46.4, b1=0.513), "verified", "Correlation 0.72.")},
)
def h_field(
    B1: Annotated[Array, Variable("score in percent", real)],
    *,
    b0: Annotated[Array, Parameter("", real, (0.0, 80.0))],
    b1: Annotated[Array, Parameter("", real, (-0.2, 1.5))],
) -> Percent:
    r"""Line of one score on another over frontier models; h is a model's distance from it.

    $$B_2(B_1) = b_1 B_1 + b_0, \quad h = B_2 - (b_1 B_1 + b_0)$$

    GPQA on SWE-bench, in percent [amin2026].
    """
    return b1 * B1 + b0


def residual(*, B1: ArrayLike, B2: ArrayLike, b0: ArrayLike, b1: ArrayLike) -> Array:
    """Distance h of a model from the line `h_field` [amin2026]."""
    return jnp.asarray(B2, float) - h_field(B1, b0=b0, b1=b1)


QUANTITIES: dict[str, dict[str, Callable[..., Any]]] = {
    "coupling_log": {"Nc": critical_size, "g12_of_scores": coupling_of_scores},
    "coupling_ode": {
        "rate": score_rates,
        "scores": scores,
        "g_star": fixed_coupling,
        "g": coupling_path,
    },
    "h_field": {"h": residual},
}
