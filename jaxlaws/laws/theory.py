"""What theory says of exponents: four regimes of data and size, and the spectrum of a kernel."""

from collections.abc import Callable
from functools import partial
from typing import Annotated

import jax
import jax.numpy as jnp
from jax import Array

from jaxlaws._law import Parameter, Variable, law
from jaxlaws._support import positive
from jaxlaws.quantities import Amplitude

SOURCE = "bahri2021"

Amount = Annotated[Array, Variable("examples, or units of width")]
Above = Annotated[Array, Variable("nats", name="excess")]


@law(source=SOURCE)
def variance_limited(D: Amount, *, c: Amplitude) -> Above:
    r"""Loss above its limit when the other resource is scarce and D is plentiful.

    $$L(D) - L_\infty = c / D$$

    The same for width in place of D at fixed data; parameters grow like width squared, so it is
    c / sqrt(P) in them, and c / P for linear or random features. The exponent is 1 whatever the
    data [bahri2021].
    """
    return c / D


def excess_ratio(D_factor: Array, exponent: Array | float = 1.0) -> Array:
    """Excess loss with so many times the data or width over the excess before."""
    return D_factor**-exponent


def excess_ratio_in_params(P_factor: Array, width_power: Array | float = 2.0) -> Array:
    """The same with so many times the parameters, which grow like width to a power."""
    return P_factor ** (-1 / width_power)


@law(source=SOURCE)
def resolution_limited(
    D: Annotated[Array, Variable("examples or parameters")],
    *,
    c: Amplitude,
    a: Annotated[Array, Parameter("", positive, (0.03, 1.5))],
) -> Above:
    r"""Loss when D resolves the data's manifold ever finer and the other resource is plentiful.

    $$L(D) = c D^{-a}, \quad a \ge 4 / d$$

    D examples or parameters; d is the manifold's dimension, and 4 / d goes with a smooth target, a
    piecewise linear fit and squared error or cross-entropy. Added label noise and joined classes
    leave a alone, noise on the inputs and other targets move it [bahri2021].
    """
    return c * D**-a


def least_exponent(manifold_dimension: Array) -> Array:
    """Least exponent of `resolution_limited` on a manifold: 4 / d [bahri2021]."""
    return 4 / manifold_dimension


def effective_dimension(alpha: Array) -> Array:
    """Dimension of the manifold that goes with an exponent: 4 / alpha [bahri2021]."""
    return 4 / alpha


def loglog_slope(x: Array, y: Array) -> Array:
    """(n - 1,) slopes of ln y on ln x between neighbours; -1 is the variance-limited regime."""
    return jnp.diff(jnp.log(y)) / jnp.diff(jnp.log(x))


def kernel_exponent(spectrum_exponent: Array) -> Array:
    r"""Exponent of the loss in data and in parameters of a kernel with a power-law spectrum.

    $$\lambda_i \propto i^{-(1 + a)} \Rightarrow \alpha_D = \alpha_P = a$$

    spectrum_exponent is 1 + a; the loss is the same function of data at infinite size as of size
    at infinite data [bahri2021].
    """
    return spectrum_exponent - 1


def spectrum_exponent(eigenvalues: Array) -> Array:
    """Exponent 1 + a of (n,) falling eigenvalues, by least squares of their logs on that of i."""
    i = jnp.log(jnp.arange(1.0, eigenvalues.shape[0] + 1))
    i -= jnp.mean(i)
    return -jnp.sum(i * jnp.log(eigenvalues)) / jnp.sum(i**2)


@partial(jax.jit, static_argnames=("D", "P", "modes"))
def random_feature_loss(key: Array, D: int, P: int, a: Array, modes: int) -> Array:
    """Squared error of P random features fitted to D examples without a ridge, one experiment.

    The inputs have `modes` Gaussian modes of variance i^-(1 + a), the features are random sums of
    them and the target another; the error is exact over inputs. With P >> D it falls like D^-a,
    with D >> P like P^-a [bahri2021].
    """
    for_inputs, for_features, for_target = jax.random.split(key, 3)
    deviation = jnp.arange(1.0, modes + 1) ** (-(1 + a) / 2)
    x = jax.random.normal(for_inputs, (D, modes)) * deviation[None, :]
    features = jax.random.normal(for_features, (modes, P)) / jnp.sqrt(modes * 1.0)
    target = jax.random.normal(for_target, (modes,))
    weights = jnp.linalg.lstsq(x @ features, x @ target)[0]
    return jnp.sum((deviation * (target - features @ weights)) ** 2)


QUANTITIES: dict[str, dict[str, Callable[..., Array]]] = {
    "variance_limited": {
        "excess_ratio": excess_ratio,
        "excess_ratio_in_P": excess_ratio_in_params,
        "slopes": loglog_slope,
    },
    "resolution_limited": {
        "alpha_lower_bound": least_exponent,
        "d_eff": effective_dimension,
        "slopes": loglog_slope,
    },
    "kernel_spectrum_exponent": {
        "alpha_D": kernel_exponent,
        "alpha_P": kernel_exponent,
        "spectrum_exponent": spectrum_exponent,
        "loss_simulated": random_feature_loss,
    },
}
