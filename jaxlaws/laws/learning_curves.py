"""Learning curves: error, size and uncertainty against data, with what follows from the curves."""

from collections.abc import Callable
from typing import Annotated, Any

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from jaxlaws._law import Parameter, Variable, law
from jaxlaws._support import negative, positive
from jaxlaws.laws.broken import bnsl

HESTNESS = "hestness2017"
# Exponents without the rest of the fit, recalled: task -> beta_g of `hestness_error`.
ERROR_EXPONENTS = {
    "word_lm_lstm": -0.066,
    "word_lm_rhn": -0.07,
    "char_lm": -0.094,
    "nmt": -0.128,
    "nmt_single_model": -0.36,
    "imagenet_top1": -0.309,
    "imagenet_top5": -0.488,
    "speech_attention": -0.299,
    "speech_ds2": -0.296,
}
# The same for beta_p of `hestness_size`; word models spread over 0.69 to 0.78.
SIZE_EXPONENTS = {"word_lm": 0.69, "char_lm": 0.92, "imagenet": 0.57}
# Released curve of four-digit addition; the first 14 points are those of the fit [caballero2022].
ADDITION_X = (160, 192, 256, 320, 384, 448, 480, 512, 544, 576, 608, 640, 672, 736, 800, 864, 928)
# fmt: off
ADDITION_Y = (
    2.13809046, 2.11813418, 2.08955508, 2.06988398, 2.05404987, 2.03837089, 2.02814281, 2.00496872,
    1.95576149, 1.86313841, 1.70891537, 1.50637664, 1.29754721, 0.96559684, 0.75856477, 0.64768338,
    0.55695445,
)
# fmt: on
FITTED = 14

Amount = Annotated[Array, Variable("examples")]
Error = Annotated[Array, Variable("error rate or nats", name="eps")]
Size = Annotated[Array, Variable("parameters", name="s")]
Uncertainty = Annotated[Array, Variable("nats", name="U")]
Height = Annotated[Array, Parameter("", positive, (0.1, 1e3))]
Floor = Annotated[Array, Parameter("", positive, (1e-3, 3.0))]
Decay = Annotated[Array, Parameter("", negative, (-0.5, -0.05))]

WITHOUT_LAW: tuple[tuple[str, str], ...] = (
    (
        "Transcending Scaling Laws with 0.1% Extra Compute (UL2R), 2210.11399",
        "Curves that are shifted, by half the compute at 540e9 parameters, without a form: "
        "compare two fits at equal loss.",
    ),
    (
        "Dissecting Bit-Level Scaling Laws in Vision Generative Models, 2501.06218",
        "Plots against the total bits of the weights and no closed form; power_const fits them.",
    ),
)


@law(source=HESTNESS)
def hestness_error(m: Amount, *, alpha: Height, beta_g: Decay, gamma: Floor) -> Error:
    r"""Generalisation error of the best model for m training examples.

    $$\epsilon(m) = \alpha m^{\beta_g} + \gamma$$

    gamma is what no data removes; beta_g in [-0.5, 0). The published exponents are in
    `ERROR_EXPONENTS`, recalled, and come without alpha and gamma [hestness2017].
    """
    return alpha * m**beta_g + gamma


@law(source=HESTNESS)
def hestness_size(
    m: Amount,
    *,
    alpha_s: Annotated[Array, Parameter("", positive, (1e-3, 1e6))],
    beta_p: Annotated[Array, Parameter("", positive, (0.5, 0.95))],
) -> Size:
    r"""Size of the best model for m training examples: it grows more slowly than the data.

    $$s(m) = \alpha_s m^{\beta_p}$$

    beta_p in [0.5, 1); `SIZE_EXPONENTS` has recalled values [hestness2017].
    """
    return alpha_s * m**beta_p


@law(source=HESTNESS)
def three_regions(
    m: Amount,
    *,
    plateau: Annotated[Array, Parameter("", positive, (0.1, 10.0))],
    alpha: Height,
    beta_g: Decay,
    gamma: Floor,
) -> Error:
    r"""Error from a best guess at few examples, through a power, to the irreducible floor.

    $$\epsilon(m) = \gamma + \left(\frac{1}{p} + \frac{1}{\alpha m^{\beta_g}}\right)^{-1}$$

    p, the plateau, is the height of the best guess above the floor gamma. The paper draws the
    three regions; joining them by a harmonic sum is this library's choice [hestness2017].
    """
    excess = alpha * m**beta_g
    return gamma + excess / (1 + excess / plateau)


def error_ratio(*, m_factor: ArrayLike, beta_g: ArrayLike) -> Array:
    """Reducible error at so many times the data over the one before [hestness2017]."""
    return jnp.asarray(m_factor, float) ** beta_g


def size_ratio(*, m_factor: ArrayLike, beta_p: ArrayLike) -> Array:
    """Size of the best model at so many times the data over the one before [hestness2017]."""
    return jnp.asarray(m_factor, float) ** beta_p


def data_needed(*, eps: ArrayLike, alpha: ArrayLike, beta_g: ArrayLike, gamma: ArrayLike) -> Array:
    """Examples that bring the error down to eps; NaN below the floor [hestness2017]."""
    return ((jnp.asarray(eps, float) - gamma) / alpha) ** (1 / jnp.asarray(beta_g, float))


@law(source="rosso2025")
def uncertainty_power(
    N: Annotated[Array, Variable("examples or parameters")],
    *,
    a: Annotated[Array, Parameter("", positive, (1e-3, 1e4))],
    g: Annotated[Array, Parameter("", positive, (0.05, 1.5))],
) -> Uncertainty:
    r"""Predictive uncertainty against N examples or parameters.

    $$U(N) = a N^{-g}$$

    One fit per method and kind of uncertainty (`uncertainties`). The epistemic part of an
    identifiable parametric model has g = 1; no fitted a and g were recovered [rosso2025].
    """
    return a * N**-g


def uncertainty_ratio(*, N_factor: ArrayLike, g: ArrayLike) -> Array:
    """Uncertainty at so many times the N over the one before."""
    return jnp.asarray(N_factor, float) ** -jnp.asarray(g, float)


def uncertainties(*, p: Array) -> tuple[Array, Array, Array]:
    """Total, aleatoric and epistemic uncertainty in nats from an ensemble's class probabilities.

    Entropy of the mean, mean of the entropies, and their difference [rosso2025].

    Args:
        p: (members, ..., classes) probabilities.
    """

    def entropy(q: Array) -> Array:
        return -jnp.sum(q * jnp.log(jnp.where(q == 0, 1.0, q)), axis=-1)

    total, aleatoric = entropy(jnp.mean(p, axis=0)), jnp.mean(entropy(p), axis=0)
    return total, aleatoric, total - aleatoric


def broken_curve(
    *, x: ArrayLike, a: ArrayLike, b: ArrayLike, c0: ArrayLike, breaks: ArrayLike
) -> Array:
    """`bnsl` with its breaks as triples (n, 3) of c, d, f; an empty list for none."""
    rows = jnp.reshape(jnp.asarray(breaks, float), (-1, 3))
    c, d, f = rows.T
    return bnsl(len(rows))(jnp.asarray(x, float), a=a, b=b, c0=c0, c=c, d=d, f=f)


def broken_slope(*, between_breaks: tuple[int, int], c0: ArrayLike, breaks: ArrayLike) -> Array:
    """Slope of ln(y - a) in ln x far between break i and the next, (i, i + 1) counted from 1."""
    c = jnp.reshape(jnp.asarray(breaks, float), (-1, 3))[:, 0]
    return -(jnp.asarray(c0, float) + jnp.sum(c[: between_breaks[0]]))


def rmsle(*, y: ArrayLike, y_hat: ArrayLike) -> Array:
    """Root mean square of the log residuals, the error that a curve is reported with."""
    return jnp.sqrt(jnp.mean((jnp.log(y) - jnp.log(y_hat)) ** 2))


def msle(*, y: ArrayLike, y_hat: ArrayLike) -> Array:
    """Mean square of the residuals of ln(1 + y), which the released code minimises."""
    return jnp.mean((jnp.log1p(y) - jnp.log1p(y_hat)) ** 2)


def rmsle_train(*, a: Any, b: Any, c0: Any, breaks: Any) -> Array:
    """`rmsle` on the 14 points of the curve of addition that are fitted [caballero2022]."""
    curve = broken_curve(x=jnp.asarray(ADDITION_X[:FITTED]), a=a, b=b, c0=c0, breaks=breaks)
    return rmsle(y=jnp.asarray(ADDITION_Y[:FITTED]), y_hat=curve)


def rmsle_extrapolation(*, a: Any, b: Any, c0: Any, breaks: Any) -> Array:
    """`rmsle` on the three points of the curve of addition that are held out [caballero2022]."""
    curve = broken_curve(x=jnp.asarray(ADDITION_X[FITTED:]), a=a, b=b, c0=c0, breaks=breaks)
    return rmsle(y=jnp.asarray(ADDITION_Y[FITTED:]), y_hat=curve)


QUANTITIES: dict[str, dict[str, Callable[..., Any]]] = {
    "hestness_error": {"reducible_error_ratio": error_ratio, "m": data_needed},
    "hestness_size": {"size_ratio": size_ratio},
    "uncertainty_power": {"ratio": uncertainty_ratio, "decomposition": uncertainties},
    "bnsl": {
        "y": broken_curve,
        "slope_of_y_minus_a": broken_slope,
        "rmsle": rmsle,
        "msle": msle,
        "rmsle_train": rmsle_train,
        "rmsle_extrapolation": rmsle_extrapolation,
    },
}
