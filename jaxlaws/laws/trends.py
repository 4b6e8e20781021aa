"""Scores that follow a logarithm or a power of one scale, where trends cross, bend or jump."""

import re
from collections.abc import Callable
from typing import Annotated, Any

import jax
import jax.numpy as jnp
from jax import Array

from jaxlaws._law import Constants, Parameter, Variable, law
from jaxlaws._support import positive, real, unit
from jaxlaws.quantities import Params, Scale, Share

Hours = Annotated[Array, Variable("hours", typical=(1e-2, 1e8))]
LogPerplexity = Annotated[
    Array, Variable("nats/byte or word", real, space="natural", name="ln_ppl")
]
Percent = Annotated[Array, Variable("percent", real, space="natural", name="percent")]
Tifa = Annotated[Array, Variable("TIFA score", unit, space="natural", name="S")]
Frequency = Annotated[Array, Variable("share of tokens", unit, space="natural", name="f")]
LogScale = Annotated[Array, Variable("log10 FLOP or log10 parameters", real)]
Score = Annotated[Array, Variable("score", real, space="natural", name="score")]


@law(source="stanic2023")
def languini_trend(
    h: Hours,
    *,
    c: Annotated[Array, Parameter("", positive, (1.0, 8.0))],
    k: Annotated[Array, Parameter("", positive, (5e-3, 0.5))],
) -> LogPerplexity:
    r"""Log perplexity of an architecture against the hours it was trained.

    $$\ln \mathrm{PPL} = c - k \ln h$$

    Perplexity per unit of text that does not depend on the vocabulary. No coefficients were
    recovered, and the form is recalled [stanic2023].
    """
    return c - k * jnp.log(h)


def crossing(*, c1: Array, k1: Array, c2: Array, k2: Array) -> Array:
    """Hours at which two trends meet: ln h = (c1 - c2) / (k1 - k2) [stanic2023]."""
    return jnp.exp((c1 - c2) / (k1 - k2))


@law(
    source="chowdhery2022",
    constants={
        "chowdhery2022": Constants(
            dict(u=-2.73086735, v=0.18992777),
            "unverified",
            "The line through two recalled points, 1.6 % at 8e9 and 2.4 % at 540e9 parameters.",
        )
    },
)
def palm_memorization(
    N: Params,
    *,
    u: Annotated[Array, Parameter("percent", typical=(-10.0, 10.0))],
    v: Annotated[Array, Parameter("percent", positive, (0.02, 2.0))],
) -> Percent:
    r"""Percent of training spans of 50 tokens that a model reproduces exactly.

    $$y = u + v \ln N$$

    Spans seen often are reproduced far more often [chowdhery2022, sec. 8].
    """
    return u + v * jnp.log(N)


def memorised_percent(*, N_billions: Array, through: str = "1.6 at 8B, 2.4 at 540B") -> Array:
    """Percent memorised on the line in ln N through two points, given in words."""
    (y1, n1), (y2, n2) = re.findall(r"([\d.]+) at ([\d.]+)B", through)
    low, high = jnp.log(float(n1)), jnp.log(float(n2))
    return float(y1) + (float(y2) - float(y1)) * (jnp.log(N_billions) - low) / (high - low)


def discontinuity(*, logN: Array, acc: Array) -> Array:
    """Score at the largest scale less what a line through the others predicts there.

    The scales (n,) rise. In points, +10 counts as strong and +5 as notable [chowdhery2022, sec. 6].

    >>> float(discontinuity(logN=[0.0, 1.0, 2.0], acc=[10.0, 15.0, 40.0]))
    20.0
    """
    x, y = jnp.asarray(logN, float), jnp.asarray(acc, float)
    return y[-1] - y[:-1].mean() - slope(x=x[:-1], y=y[:-1]) * (x[-1] - x[:-1].mean())


def slope(*, x: Array, y: Array) -> Array:
    """Least-squares slope of scores (n,) on scales (n,)."""
    away = x - jnp.mean(x)
    return jnp.sum(away * y) / jnp.sum(away**2)


# TIFA from 0.7 to 0.9: amplitudes carry the level, exponents are small.
Level = Annotated[Array, Parameter("", positive, (0.2, 1.0))]
Rise = Annotated[Array, Parameter("", positive, (5e-3, 0.3))]


@law(
    source="li2024",
    constants={
        "li2024_compute": Constants(dict(k=0.47, p=0.02), "verified", "x in GFLOP."),
        "li2024_size": Constants(
            dict(k=0.77, p=0.11),
            "verified",
            "x in billions of parameters; with the millions of the text the score exceeds 1.",
        ),
        "li2024_data": Constants(dict(k=0.64, p=0.03), "verified", "x in millions of pairs."),
    },
)
def t2i_diffusion_power(x: Scale, *, k: Level, p: Rise) -> Tifa:
    r"""Alignment of text-to-image diffusion models on the Pareto frontier.

    $$S(x) = \min(1, k\, x^{p})$$

    x is compute in GFLOP, size in billions of parameters or data in millions of image-noun pairs,
    three sets of constants [li2024].
    """
    return jnp.minimum(1.0, k * x**p)


def tifa(
    *,
    k: Array,
    p: Array,
    C_GFLOPs: Any = None,
    N_billions: Any = None,
    D_millions_of_image_noun_pairs: Any = None,
) -> Array:
    """`t2i_diffusion_power` with the input named after its unit."""
    given = (C_GFLOPs, N_billions, D_millions_of_image_noun_pairs)
    return t2i_diffusion_power.fn(next(x for x in given if x is not None), k=k, p=p)


@law(source="zhang2024")
def fs_gen_parameter_ratio(
    ratio: Annotated[Array, Variable("large over small parameters")],
    *,
    k: Annotated[Array, Parameter("", positive, (5e-3, 0.5))],
    p: Annotated[Array, Parameter("", positive, (0.02, 1.0))],
) -> Frequency:
    r"""Share of tokens at which a large model must step in for a small one.

    $$f = \min(1, k\,(N_L / N_S)^{p})$$

    Below 0.2 in most settings. A power law in the ratio is the paper's statement; constants were
    not recovered and the layout is recalled [zhang2024].
    """
    return jnp.minimum(1.0, k * ratio**p)


@law(source="mckenzie2023")
def distractor_mixture(
    x: LogScale,
    *,
    k: Annotated[Array, Parameter("1/decade", positive, (0.3, 10.0))],
    x_true: Annotated[Array, Parameter("decades", typical=(18.0, 26.0), like="x")],
    w: Share,
    k_distractor: Annotated[Array, Parameter("1/decade", positive, (0.3, 10.0))],
    x_distractor: Annotated[Array, Parameter("decades", typical=(18.0, 26.0), like="x")],
) -> Score:
    r"""Score of a task with a tempting wrong reading that smaller models learn first: U-shaped.

    $$y = \sigma(k (x - x_t)) - w\,\sigma(k_d (x - x_d))$$

    x is the base-10 logarithm of compute or size; the score falls where x_d < x_t. The form is
    derived from the explanation in words [mckenzie2023].
    """
    return jax.nn.sigmoid(k * (x - x_true)) - w * jax.nn.sigmoid(k_distractor * (x - x_distractor))


TRENDS = ("flat", "standard", "inverse", "U", "inverted-U")


def end_slopes(*, x: Array, score: Array) -> Array:
    """Slopes (2,) over the lower and the upper half of the scales (n,), which rise."""
    x, score = jnp.asarray(x, float), jnp.asarray(score, float)
    half = (len(x) + 1) // 2
    return jnp.stack([slope(x=x[:half], y=score[:half]), slope(x=x[-half:], y=score[-half:])])


def trend(*, x: Array, score: Array, flat: Any = 0.0) -> Array:
    """Number in `TRENDS` of a task's trend, from the signs of its first and last slopes.

    Slopes up to `flat` count as none, and the other one decides [mckenzie2023].

    Args:
        x: (n,) rising log10 FLOP or log10 parameters.
        score: (n,) scores, larger is better.
        flat: Least slope that counts.
    """
    s = end_slopes(x=x, score=score)
    first, last = jnp.where(jnp.abs(s) > flat, jnp.sign(s), 0.0)
    up, down = (first + last > 0), (first + last < 0)
    bent = jnp.where((first < 0) & (last > 0), 3, jnp.where((first > 0) & (last < 0), 4, 0))
    return jnp.where(up, 1, jnp.where(down, 2, bent))


def slope_left(*, c0: Array) -> Array:
    """Log-log slope of a curve with one break far left of it: -c0 [caballero2022]."""
    return -c0


def slope_right(*, c0: Array, c1: Array) -> Array:
    """Log-log slope of a curve with one break far right of it: -(c0 + c1) [caballero2022]."""
    return -(c0 + c1)


QUANTITIES: dict[str, dict[str, Callable[..., Any]]] = {
    "languini_trend": {"h_star": crossing},
    "palm_memorization": {"percent": memorised_percent},
    "discontinuity_score": {"score": discontinuity},
    "t2i_diffusion_power": {"S": tifa},
    "inverse_scaling_trend": {
        "label": trend,
        "end_slopes": end_slopes,
        "log_log_slope_left": slope_left,
        "log_log_slopes": slope_right,
    },
}
