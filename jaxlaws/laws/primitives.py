"""Kernels without constants of their own: the curves that named laws are made of."""

from typing import Annotated

import jax.numpy as jnp
from jax import Array

from jaxlaws._law import Parameter, Variable, law
from jaxlaws._support import positive, unit
from jaxlaws.quantities import Exponent, Positive, Scale

# The scale x may be parameters, tokens, FLOP or examples and y an error, a loss or a score, so the
# ranges of heights and offsets are as wide as those of the named laws together.
Height = Annotated[Array, Parameter("", positive, (1e-2, 1e5))]
Floor = Annotated[Array, Parameter("", positive, (1e-2, 4.0))]
Shift = Annotated[Array, Parameter("", positive, (1.0, 1e10))]
Share = Annotated[Array, Variable("share", unit, space="natural", name="p")]


@law(source="hestness2017")
def power(x: Scale, *, a: Height, b: Exponent) -> Positive:
    r"""A power of the scale x: a straight line in log-log.

    $$y(x) = a\,x^{-b}$$

    a is the height at x = 1 and b the exponent, without a floor [hestness2017].
    """
    return a * x**-b


@law(source="hestness2017")
def power_const(x: Scale, *, E: Floor, a: Height, b: Exponent) -> Positive:
    r"""A power of the scale x above a floor, the workhorse of the literature.

    $$y(x) = E + a\,x^{-b}$$

    E is what no scale removes; a and b are height and exponent of the rest [hestness2017].
    """
    return E + a * x**-b


@law(source="nezhurina2025")
def power_shift(x: Scale, *, E: Floor, a: Height, b: Exponent, x0: Shift) -> Positive:
    r"""A power above a floor that levels off below a scale x0 instead of diverging at 0.

    $$y(x) = E + a\,(x + x_0)^{-b}$$

    For error rates of vision-language models x is the training compute in GFLOP, on the Pareto
    frontier; x0 >= 0 and E >= 0, and E = 0 is the paper's form without saturation at large scale.
    No fitted constants have been recovered [nezhurina2025].
    """
    return E + a * (x + x0) ** -b


@law(source="isik2024")
def log_law(
    x: Scale,
    *,
    A: Annotated[Array, Parameter("", positive, (1e-8, 1e3))],
    a: Annotated[Array, Parameter("", positive, (0.05, 2.0))],
    b: Annotated[Array, Parameter("", positive, (0.5, 4.0))],
) -> Positive:
    r"""A score that grows as a power of the logarithm of the scale x.

    $$f(x) = \left(\ln (A x^{a})\right)^{b}$$

    Defined where A x^a > 1; below it the score is its limit 0 [isik2024].
    """
    inner = jnp.log(A) + a * jnp.log(x)
    below = inner <= 0
    return jnp.where(below, 0.0, jnp.where(below, 1.0, inner) ** b)


@law(source="gadre2024")
def exp_decay(
    x: Scale,
    *,
    eps: Annotated[Array, Parameter("", positive, (0.3, 1.5))],
    k: Annotated[Array, Parameter("", positive, (0.3, 10.0))],
    g: Annotated[Array, Parameter("", positive, (0.2, 3.0))],
) -> Positive:
    r"""An approach to a ceiling eps at rate g.

    $$y(x) = \varepsilon - k e^{-g x}$$

    k is the gap at x = 0; with x a loss it is the error rate of `ppl_to_error` [gadre2024, eq. 5].
    """
    return eps - k * jnp.exp(-g * x)


@law(source="hu2023")
def exp_power(
    x: Scale,
    *,
    c: Annotated[Array, Parameter("", positive, (1.0, 1e4))],
    a: Annotated[Array, Parameter("", positive, (0.05, 1.0))],
) -> Share:
    r"""A chance of success whose negative logarithm is a power of the scale x.

    $$p(x) = \exp(-c\,x^{-a})$$

    ln(-ln p) is linear in ln x with slope -a and intercept ln c [hu2023].
    """
    return jnp.exp(-c * x**-a)
