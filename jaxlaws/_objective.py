"""Objectives: a score per residual, its likelihood, and the scale of residuals.

An objective is a small value. Its widths are traced, so that one compiled solve serves every delta.
`widen` multiplies the width while a fit that comes from far away is annealed.
"""

import math
from dataclasses import dataclass
from typing import ClassVar, Protocol, dataclass_transform

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.scipy.special import log_ndtr

SPACES = ("log", "natural", "logit")
POOL = 64  # new runs drawn for every noise scale
NODES = 113  # of the integral over the precision of Student's t


class Objective(Protocol):
    """What a fit minimises: the sum over runs of weight times score."""

    label: ClassVar[str]

    def score(self, residual: Array, widen: Array | float = 1.0) -> Array:
        """The score of residuals, elementwise, zero at zero."""

    def log_density(self, residual: Array, scale: Array) -> Array:
        """Log density of the residual whose maximum likelihood is this objective's minimum."""

    def draw(self, key: Array, scale: Array) -> Array:
        """Residuals from that density, one for every scale."""

    def widening(self, spread: float) -> float:
        """The factor that makes residuals of this spread look quadratic."""


@dataclass_transform(frozen_default=True)
def _register[T](cls: type[T]) -> type[T]:
    return jax.tree_util.register_dataclass(dataclass(frozen=True)(cls))


@_register
class Huber:
    r"""Quadratic near zero, linear beyond delta: $r^2/2$ or $\delta(|r| - \delta/2)$.

    With delta = 1e-3 on log loss most residuals lie in the linear zone, so that the fit is close to
    one of least absolute deviations; a report prints the share.
    """

    delta: float = 1e-3
    label: ClassVar[str] = "Huber"

    def score(self, residual: Array, widen: Array | float = 1.0) -> Array:
        """Huber's score."""
        delta = self.delta * widen
        size = jnp.abs(residual)
        return jnp.where(size <= delta, 0.5 * residual**2, delta * (size - 0.5 * delta)) / widen

    def log_density(self, residual: Array, scale: Array) -> Array:
        """Density proportional to exp(-score(r) / (delta scale)), normalised."""
        # With u = r/delta and k = delta/scale the density is exp(-k huber_1(u)); both pieces of its
        # integral are elementary.
        k = self.delta / scale
        body = jnp.sqrt(2 * jnp.pi / k) * jax.scipy.special.erf(jnp.sqrt(k / 2))
        tails = 2 / k * jnp.exp(-k / 2)
        return -self.score(residual) / (self.delta * scale) - jnp.log(self.delta * (body + tails))

    def blurred(self, residual: Array, scale: Array, blur: Array) -> Array:
        """That of the residual plus a normal error of standard deviation blur."""
        # Three integrals: of the normal between -delta and delta, and of an exponential each side.
        spread = self.delta * scale
        total = spread + blur**2
        middle, width = residual * spread / total, blur * jnp.sqrt(spread / total)
        inside = 0.5 * jnp.log(spread / total) - 0.5 * residual**2 / total
        inside += _log_between((-self.delta - middle) / width, (self.delta - middle) / width)
        ratio = blur / scale

        def beyond(r: Array) -> Array:
            size = 0.5 * self.delta / scale - r / scale + 0.5 * ratio**2
            return size + log_ndtr((r - self.delta) / blur - ratio)

        whole = jnp.logaddexp(inside, jnp.logaddexp(beyond(residual), beyond(-residual)))
        return whole + self.log_density(jnp.zeros_like(residual), scale)

    def draw(self, key: Array, scale: Array) -> Array:
        """A normal cut off at delta, or an exponential beyond it."""
        part, near, far, side = jax.random.split(key, 4)
        k = self.delta / scale
        body = jnp.sqrt(2 * jnp.pi / k) * jax.scipy.special.erf(jnp.sqrt(k / 2))
        tails = 2 / k * jnp.exp(-k / 2)
        width = jnp.sqrt(self.delta * scale)
        inside = width * jax.random.truncated_normal(near, -self.delta / width, self.delta / width)
        outside = self.delta + scale * jax.random.exponential(far, scale.shape, scale.dtype)
        outside *= jnp.where(jax.random.bernoulli(side, 0.5, scale.shape), 1.0, -1.0)
        return jnp.where(jax.random.bernoulli(part, tails / (body + tails)), outside, inside)

    def widening(self, spread: float) -> float:
        """Delta grows to three spreads."""
        return max(1.0, 3 * spread / float(self.delta))

    def linear_share(self, residual: np.ndarray, weight: np.ndarray) -> float:
        """Weighted share of residuals beyond delta."""
        return float(np.average(np.abs(residual) > self.delta, weights=weight))


@_register
class Squared:
    r"""Least squares: $r^2$."""

    label: ClassVar[str] = "Squared"

    def score(self, residual: Array, widen: Array | float = 1.0) -> Array:
        """The square."""
        return residual**2

    def log_density(self, residual: Array, scale: Array) -> Array:
        """Normal density."""
        return -0.5 * (residual / scale) ** 2 - jnp.log(scale) - 0.5 * math.log(2 * math.pi)

    def blurred(self, residual: Array, scale: Array, blur: Array) -> Array:
        """That of the residual plus a normal error of standard deviation blur."""
        return self.log_density(residual, jnp.sqrt(scale**2 + blur**2))

    def draw(self, key: Array, scale: Array) -> Array:
        """Normal residuals."""
        return scale * jax.random.normal(key, scale.shape, scale.dtype)

    def widening(self, spread: float) -> float:
        """Already quadratic."""
        return 1.0


@_register
class LogCosh:
    r"""A smooth Huber: $\delta^2 \log\cosh(r/\delta)$."""

    delta: float = 1e-3
    label: ClassVar[str] = "LogCosh"

    def score(self, residual: Array, widen: Array | float = 1.0) -> Array:
        """Log-cosh, computed so that large residuals do not overflow."""
        delta = self.delta * widen
        size = jnp.abs(residual) / delta
        return delta**2 * (size + jax.nn.softplus(-2 * size) - math.log(2.0)) / widen

    def log_density(self, residual: Array, scale: Array) -> Array:
        """Density proportional to cosh(r/delta)^(-delta/scale)."""
        k = self.delta / scale
        half = jax.scipy.special.betaln(k / 2, k / 2) + (k - 1) * math.log(2.0)
        return -self.score(residual) / (self.delta * scale) - half - jnp.log(self.delta)

    def draw(self, key: Array, scale: Array) -> Array:
        """Half the logit of a beta variable, in units of delta."""
        one, other = jax.random.split(key)
        k = self.delta / scale / 2
        logs = jax.random.loggamma(one, k) - jax.random.loggamma(other, k)
        return 0.5 * self.delta * logs

    def widening(self, spread: float) -> float:
        """Delta grows to three spreads."""
        return max(1.0, 3 * spread / float(self.delta))


@_register
class StudentT:
    r"""Heavy tails: $\frac{\nu+1}{2} s^2 \log(1 + r^2 / \nu s^2)$ with a given scale s."""

    scale: float = 0.01
    nu: float = 4.0
    label: ClassVar[str] = "StudentT"

    def score(self, residual: Array, widen: Array | float = 1.0) -> Array:
        """Minus the log density up to a constant, times the squared scale."""
        s = self.scale * widen
        return (self.nu + 1) / 2 * s**2 * jnp.log1p((residual / s) ** 2 / self.nu) / widen

    def log_density(self, residual: Array, scale: Array) -> Array:
        """Student's density with nu degrees of freedom."""
        return jax.scipy.stats.t.logpdf(residual, self.nu, scale=scale)

    def blurred(self, residual: Array, scale: Array, blur: Array) -> Array:
        """That of the residual plus a normal error of standard deviation blur."""
        # Student's t is a normal whose precision is gamma: an integral over its logarithm.
        at = jnp.linspace(-24, 4, NODES, dtype=residual.dtype)
        log_precision = at * jnp.minimum(1.0, 3 / jnp.sqrt(self.nu))
        weight = jax.nn.log_softmax(self.nu / 2 * (log_precision - jnp.exp(log_precision)))

        def one(residual: Array, scale: Array, blur: Array) -> Array:
            wide = jnp.sqrt(scale**2 * jnp.exp(-log_precision) + blur**2)
            each = jax.scipy.stats.norm.logpdf(residual, scale=wide)
            return jax.nn.logsumexp(each + weight)

        return jnp.vectorize(one)(residual, scale, blur)

    def draw(self, key: Array, scale: Array) -> Array:
        """Student's t."""
        return scale * jax.random.t(key, self.nu, scale.shape, scale.dtype)

    def widening(self, spread: float) -> float:
        """The scale grows to three spreads."""
        return max(1.0, 3 * spread / float(self.scale))


@_register
class Quantile:
    r"""The tau-quantile of the target: $2(1 - \tau) r$ where the law is too high, $-2\tau r$ below.

    A share tau of the runs ends below the law; tau = 1/2 gives least absolute deviations. The
    corner is rounded over `width`, far below any residual that matters, so that second-order
    steps exist.
    """

    tau: float = 0.5
    width: float = 1e-6
    label: ClassVar[str] = "Quantile"

    def score(self, residual: Array, widen: Array | float = 1.0) -> Array:
        """The check function with a rounded corner."""
        width = self.width * widen
        size = jnp.abs(residual)
        round_ = jnp.where(size <= width, 0.5 * residual**2 / width, size - 0.5 * width)
        return 2 * jnp.where(residual > 0, 1 - self.tau, self.tau) * round_

    def log_density(self, residual: Array, scale: Array) -> Array:
        """Asymmetric Laplace density."""
        return -self.score(residual) / (2 * scale) + jnp.log(self.tau * (1 - self.tau) / scale)

    def draw(self, key: Array, scale: Array) -> Array:
        """An exponential on either side; the rounded corner is narrower than any residual."""
        side, far = jax.random.split(key)
        size = scale * jax.random.exponential(far, scale.shape, scale.dtype)
        above = jax.random.bernoulli(side, self.tau, scale.shape)
        return jnp.where(above, size / (1 - self.tau), -size / self.tau)

    def widening(self, spread: float) -> float:
        """The corner grows to three spreads."""
        return max(1.0, 3 * spread / float(self.width))


def _log_between(low: Array, high: Array) -> Array:
    """Log of the mass of a standard normal between two places."""
    right = low + high > 0  # where both are far out, the lower tail has the digits
    low, high = jnp.where(right, -high, low), jnp.where(right, -low, high)
    return log_ndtr(high) + jnp.log(-jnp.expm1(log_ndtr(low) - log_ndtr(high)))


def to_space(value: Array, space: str) -> Array:
    """Bring a predicted or measured quantity to the space in which residuals are taken."""
    if space == "log":
        return jnp.log(value)
    if space == "logit":
        return jnp.log(value) - jnp.log1p(-value)
    return value


def from_space(value: Array, space: str) -> Array:
    """The inverse of `to_space`."""
    if space == "log":
        return jnp.exp(value)
    return jax.nn.sigmoid(value) if space == "logit" else value


def new_noise(objective: Objective, scale: np.ndarray, key: Array) -> np.ndarray:
    """(draw, pool) what single runs add to a law, for noise scales (draw,)."""
    wide = np.broadcast_to(np.asarray(scale, float)[:, None], (len(scale), POOL))
    return new_residuals(objective, wide, key)


def new_residuals(objective: Objective, scale: np.ndarray, key: Array) -> np.ndarray:
    """What a single run adds to a law, one for every scale."""
    with jax.enable_x64(True):  # densities are of predicted minus measured
        return -np.asarray(_drawn(objective, key, jnp.asarray(scale, float)))


@jax.jit
def _drawn(objective: Objective, key: Array, scale: Array) -> Array:
    return objective.draw(key, scale)
