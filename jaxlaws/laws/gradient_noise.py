"""What a batch's gradients say: tests for a larger batch, and the largest stable learning rate."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike


def _moments(gradients: ArrayLike, ddof: int) -> tuple[Array, Array, Array]:
    """(n, p) gradients, their mean (p,) and their variance by coordinate (p,)."""
    each = jnp.asarray(gradients, float)
    return each, jnp.mean(each, axis=0), jnp.var(each, axis=0, ddof=ddof)


def _at_least(b: ArrayLike, wanted: Array) -> Array:
    return jnp.maximum(b, jnp.ceil(wanted))


def norm_batch(
    *, per_sample_gradients: ArrayLike, b: ArrayLike, eta: ArrayLike, ddof: int = 1
) -> Array:
    r"""Next batch by the norm test: the noise of the mean gradient below a share of its length.

    $$b' = \max\left(b, \left\lceil
      \frac{\lVert \mathrm{Var}_i\, g_i \rVert_1}{\eta^2 \lVert g \rVert^2} \right\rceil\right)$$

    Rounded up, so that its derivative is zero. The paper does not state the variance's divisor;
    n - ddof is taken. The tests are recalled, the rate O(1/K) is the abstract's [lau2024].

    Args:
        per_sample_gradients: (n, p) gradients of the samples of a batch.
        b: Batch now, below which the next one never falls.
        eta: Share, in (0, 1).
        ddof: Subtracted from n in the divisor of the variance.
    """
    _, mean, variance = _moments(per_sample_gradients, ddof)
    return _at_least(b, jnp.sum(variance) / (jnp.asarray(eta) ** 2 * jnp.sum(mean**2)))


def coordinate_batch(
    *, per_sample_gradients: ArrayLike, b: ArrayLike, eta: ArrayLike, ddof: int = 1
) -> Array:
    """Next batch by the norm test in every coordinate, as AdaGrad scales them [lau2024]."""
    _, mean, variance = _moments(per_sample_gradients, ddof)
    return _at_least(b, jnp.max(variance / (jnp.asarray(eta) ** 2 * mean**2)))


def inner_product_batch(
    *,
    per_sample_gradients: ArrayLike,
    b: ArrayLike,
    theta: ArrayLike,
    nu: Any = None,
    ddof: int = 1,
) -> Array:
    r"""Next batch by the inner product test, augmented by the one of orthogonality if nu is given.

    $$b' = \max\left(b, \left\lceil \frac{\mathrm{Var}_i \langle g_i, g\rangle}
      {\theta^2 \lVert g \rVert^4} \right\rceil, \left\lceil \frac{\lVert \mathrm{Var}_i
      (g_i - \langle g_i, g\rangle g / \lVert g \rVert^2) \rVert_1}
      {\nu^2 \lVert g \rVert^2} \right\rceil\right)$$

    [lau2024; recalled]

    Args:
        per_sample_gradients: (n, p) gradients of the samples of a batch.
        b: Batch now.
        theta: Share of the variance along the mean, in (0, 1).
        nu: Share of the variance across it, positive.
        ddof: Subtracted from n in the divisor of the variance.
    """
    each, mean, _ = _moments(per_sample_gradients, ddof)
    square = jnp.sum(mean**2)
    along = each @ mean
    batch = _at_least(b, jnp.var(along, ddof=ddof) / (jnp.asarray(theta) ** 2 * square**2))
    if nu is None:
        return batch
    across = each - along[:, None] * mean[None, :] / square
    spread = jnp.sum(jnp.var(across, axis=0, ddof=ddof))
    return _at_least(batch, spread / (jnp.asarray(nu) ** 2 * square))


def top_eigenvalue(
    *, B: ArrayLike, N_data: ArrayLike, P: ArrayLike, lambda1: ArrayLike, sigma: ArrayLike
) -> Array:
    r"""Largest eigenvalue of a batch's Hessian, from the one of all data.

    $$\lambda_B = \lambda_1 + \frac{P \sigma^2}{b \lambda_1}
      \text{ if } \lambda_1 > \sqrt{P / b}\,\sigma, \text{ else } 2 \sqrt{P / b}\,\sigma,
      \quad \frac1b = \frac1B - \frac1{N_{data}}$$

    sigma^2 is the variance of an element of a sample's Hessian, P the number of parameters. Both
    branches and their slopes agree at the transition; the formula is recalled [granziol2020].
    """
    B, N_data, lambda1 = (jnp.asarray(v, float) for v in (B, N_data, lambda1))
    noise = jnp.asarray(P, float) * (1 / B - 1 / N_data) * jnp.asarray(sigma, float) ** 2
    spiked = lambda1**2 > noise
    return jnp.where(spiked, lambda1 + noise / lambda1, 2 * jnp.sqrt(jnp.where(spiked, 1.0, noise)))


def largest_rate(
    *, B: ArrayLike, N_data: ArrayLike, P: ArrayLike, lambda1: ArrayLike, sigma: ArrayLike
) -> Array:
    """Largest stable learning rate of SGD, 2 over `top_eigenvalue`: like B, then flat."""
    return 2 / top_eigenvalue(B=B, N_data=N_data, P=P, lambda1=lambda1, sigma=sigma)


def linear_ratio(*, B_factor: ArrayLike) -> Array:
    """Learning rate of SGD at so many times a small batch: in proportion [granziol2020]."""
    return jnp.asarray(B_factor, float)


def root_ratio(*, B_factor: ArrayLike) -> Array:
    """Learning rate of Adam at so many times the batch: its square root [granziol2020]."""
    return jnp.sqrt(jnp.asarray(B_factor, float))


def linear_rate(*, B: ArrayLike, lr0: ArrayLike, B0: ArrayLike) -> Array:
    """Learning rate of SGD at batch B from the one at B0: lr0 B / B0."""
    return jnp.asarray(lr0, float) * linear_ratio(B_factor=jnp.asarray(B, float) / B0)


def root_rate(*, B: ArrayLike, lr0: ArrayLike, B0: ArrayLike) -> Array:
    """Learning rate of Adam at batch B from the one at B0: lr0 sqrt(B / B0)."""
    return jnp.asarray(lr0, float) * root_ratio(B_factor=jnp.asarray(B, float) / B0)


QUANTITIES: dict[str, dict[str, Callable[..., Any]]] = {
    "norm_test": {"b_next": norm_batch, "b_next_coordinatewise": coordinate_batch},
    "inner_product_test": {"b_next": inner_product_batch},
    "rmt_lr_sgd": {
        "lambda_batch": top_eigenvalue,
        "lr_max": largest_rate,
        "lr_ratio": linear_ratio,
        "lr": linear_rate,
    },
    "rmt_lr_adam": {"lr_ratio": root_ratio, "lr": root_rate},
}
