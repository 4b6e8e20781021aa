"""Powers measured away from text: time series and robots."""

import math
from collections.abc import Callable
from typing import Annotated

import jax.numpy as jnp
from jax import Array

from jaxlaws._law import Constants, Parameter, Variable, law
from jaxlaws._support import negative, positive, real
from jaxlaws.quantities import Scale

# Series -> x0, a of (x0 / x)^a for x parameters N, points D or compute C in PF-days; test data of
# the training set (ID), of long forecasts (LSF) and of Monash. Stored figures [yao2024].
TIME_SERIES = {
    "encoder_N_ID": (3.7e16, 0.029),
    "encoder_N_LSF": (1.4e31, 0.026),
    "encoder_N_Monash": (6.7e36, 0.023),
    "decoder_N_ID": (2.0e34, 0.015),
    "decoder_N_LSF": (2.9e47, 0.016),
    "decoder_N_Monash": (1.5e48, 0.017),
    "encoder_D_ID": (5.3e12, 0.094),
    "encoder_D_LSF": (9.6e30, 0.029),
    "encoder_D_Monash": (1.0e39, 0.023),
    "decoder_D_ID": (9.9e13, 0.090),
    "decoder_D_LSF": (1.1e44, 0.019),
    "decoder_D_Monash": (4.4e31, 0.030),
    "encoder_C_ID": (1.5e7, 0.024),
    "encoder_C_LSF": (3.9e26, 0.020),
    "encoder_C_Monash": (2.8e29, 0.020),
    "decoder_C_ID": (6.0e23, 0.014),
    "decoder_C_LSF": (1.9e33, 0.017),
    "decoder_C_Monash": (1.4e47, 0.013),
}

# Task and what x counts -> beta, alpha and the correlation of the logs [lin2024].
ROBOTS = {
    "pour_objects": (0.825, -0.703, -0.987),
    "pour_environments": (1.180, -0.844, -0.960),
    "pour_pairs": (1.068, -0.579, -0.980),
    "mouse_objects": (0.826, -0.697, -0.991),
    "mouse_environments": (0.827, -0.466, -0.966),
    "mouse_pairs": (1.263, -0.683, -0.942),
}


@law(
    source="yao2024",
    constants={
        f"yao2024_{series}": Constants(
            dict(log10_x0=math.log10(x0), a=a),
            "verified",
            "From figures of two digits: the first of each notebook is the encoder's, the second "
            "the decoder's.",
        )
        for series, (x0, a) in TIME_SERIES.items()
    },
)
def tsfm_power(
    x: Scale,
    *,
    log10_x0: Annotated[Array, Parameter("", real, (6.0, 49.0))],
    a: Annotated[Array, Parameter("", positive, (0.012, 0.1))],
) -> Annotated[Array, Variable("negative log-likelihood or MAPE", name="y")]:
    r"""Error of a time-series foundation model against its parameters, points or compute.

    $$y(x) = (x_0 / x)^{a} = 10^{a (\log_{10} x_0 - \log_{10} x)}$$

    In the logarithm of x0, because x0 reaches 1e48; compute x is in PF-days of 8.64e19 FLOP
    [yao2024].
    """
    return jnp.exp(a * (math.log(10.0) * log10_x0 - jnp.log(x)))


def series_error(
    x0: Array,
    a: Array,
    N: Array | None = None,
    D: Array | None = None,
    C: Array | None = None,
) -> Array:
    """`tsfm_power` at parameters N, points D or compute C in PF-days, whichever is given."""
    given = [x for x in (N, D, C) if x is not None]
    if len(given) != 1:
        raise TypeError(f"Give one of N, D and C, got {len(given)}.")
    return jnp.exp(a * (jnp.log(x0) - jnp.log(given[0])))


def series_compute(N: Array, steps: Array) -> Array:
    """PF-days of a run: 6 N times 128 series of 512 points a step [yao2024]."""
    return 6 * 128 * 512 * N * steps / 8.64e19


def log10_x0_of_line(intercept: Array, slope: Array) -> Array:
    """log10 x0 of a line log10 y = intercept + slope log10 x, with slope = -a [yao2024]."""
    return -intercept / slope


@law(
    source="lin2024",
    constants={
        f"lin2024_{series}": Constants(
            dict(beta=beta, alpha=alpha), "verified", f"Correlation of the logs {r}."
        )
        for series, (beta, alpha, r) in ROBOTS.items()
    },
)
def imitation_power(
    x: Annotated[Array, Variable("training objects, environments or pairs of both")],
    *,
    beta: Annotated[Array, Parameter("", positive, (0.5, 2.0))],
    alpha: Annotated[Array, Parameter("", negative, (-1.0, -0.3))],
) -> Annotated[Array, Variable("1 - normalised score", name="gap")]:
    r"""How far a robot's policy stays behind the best score, against the variety it was shown.

    $$\mathrm{gap}(x) = \beta x^{\alpha}$$

    x counts objects, environments or pairs of both in training. The number of demonstrations is no
    such x: its power is weak (correlations -0.62, -0.79) and saturates [lin2024].
    """
    return beta * x**alpha


QUANTITIES: dict[str, dict[str, Callable[..., Array]]] = {
    "tsfm_power": {"y": series_error, "C": series_compute, "log10_x0": log10_x0_of_line},
}
