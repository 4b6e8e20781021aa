"""Diagnostics beside the loss: units of text, collapse, diversity, randomness of tokens."""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array


def bits_per_byte(*, L_nats_per_token: Array, tokens: Array, bytes: Array) -> Array:
    """Loss in bits per byte of text, which tokenisers share: L tokens / (bytes ln 2).

    >>> round(float(bits_per_byte(L_nats_per_token=2.0, tokens=100, bytes=430)), 4)
    0.671
    """
    return L_nats_per_token * tokens / bytes / math.log(2.0)


def nats_per_byte(*, L_nats_per_token: Array, tokens: Array, bytes: Array) -> Array:
    """Loss in nats per byte of text."""
    return L_nats_per_token * tokens / bytes


def word_perplexity(*, L_nats_per_token: Array, tokens: Array, words: Array) -> Array:
    """Perplexity per reference unit of text: exp of the whole loss over the number of units."""
    return jnp.exp(L_nats_per_token * tokens / words)


def byte_log_probability(*, log_P: Array) -> Array:
    """Log probability of a byte string, from those (m,) of its cover encodings [phan2024].

    A cover encoding is a valid tokenisation whose bytes begin with the string and whose last token
    reaches its end.
    """
    return jax.nn.logsumexp(jnp.asarray(log_P, float))


def perplexity(*, val_loss: Array) -> Array:
    """Perplexity of a loss in nats per token."""
    return jnp.exp(val_loss)


def etf_cosine(*, C: Array) -> Array:
    """Cosine between class means that are as far apart as they can be: -1/(C - 1) [wu2024]."""
    return -1.0 / (C - 1)


def _upper(pairs: Array) -> Array:
    """Entries (m,) above the diagonal of a table of pairs (C, C)."""
    i, j = jnp.triu_indices(len(pairs), 1)
    return pairs[i, j]


def _squares(x: Array) -> Array:
    """Squared distances (C, C) between points (C, d)."""
    return jnp.sum((x[:, None] - x[None]) ** 2, axis=-1)


def _centred(mu: Array) -> Array:
    """Class means (C, d) about their mean."""
    mu = jnp.asarray(mu, float)
    return mu - mu.mean(axis=0, keepdims=True)


def _unit(x: Array) -> Array:
    """Rows (C, d) of length one."""
    return x / jnp.linalg.norm(x, axis=-1, keepdims=True)


def within_class_variability(*, mu: Array, v: Array) -> Array:
    r"""Class-distance normalised variance, averaged over pairs; zero in full collapse.

    $$\frac{v_c + v_{c'}}{2 \lVert \mu_c - \mu_{c'} \rVert^2}$$

    for class means (C, d) and within-class variances (C,) [wu2024].
    """
    mu, v = jnp.asarray(mu, float), jnp.asarray(v, float)
    return jnp.mean(_upper(v[:, None] + v[None]) / (2 * _upper(_squares(mu))))


def equinormness(*, mu: Array) -> Array:
    """Variation of the log norms of class means (C, d): standard deviation over mean [wu2024]."""
    norms = jnp.log(jnp.linalg.norm(_centred(mu), axis=-1))
    return norms.std() / norms.mean()


def equiangularity(*, mu: Array) -> Array:
    """Standard deviation of the cosines between class means (C, d) [wu2024]."""
    rows = _unit(_centred(mu))
    return _upper(rows @ rows.T).std()


def uniformity(*, mu: Array) -> Array:
    """Variation of the log inverse distances between directions of class means [wu2024]."""
    kernels = -0.5 * jnp.log(_upper(_squares(_unit(_centred(mu)))))
    return kernels.std() / kernels.mean()


def self_duality(*, mu: Array, w: Array) -> Array:
    """Mean cosine between classifier rows (C, d) and class means (C, d) [wu2024]."""
    return jnp.sum(_unit(jnp.asarray(w, float)) * _unit(_centred(mu)), axis=-1).mean()


def nearest_mean_agreement(*, h: Array, mu: Array, choice: Array) -> Array:
    """Share of tokens (n, d) whose nearest class mean is the model's choice (n,) [wu2024]."""
    gaps = jnp.sum((jnp.asarray(h, float)[:, None] - jnp.asarray(mu, float)[None]) ** 2, axis=-1)
    return jnp.mean(jnp.argmin(gaps, axis=1) == jnp.asarray(choice))


def diversity(*, Z: Array) -> Array:
    r"""Distance of features (n, d) to equal rows: $\min_x \lVert Z - 1 x^T \rVert_F$ [wang2023]."""
    square = jnp.sum(_centred(Z) ** 2)
    return jnp.where(square > 0, jnp.sqrt(jnp.where(square > 0, square, 1.0)), 0.0)


def diversity_bound(
    *, d_M: Array, H: Array, s: Array, upsilon: Array, lambda_max: Array, shortcuts: Any = 0.0
) -> Array:
    r"""Bound on the diversity after self-attention: $\sqrt{\lambda_{max}} H s \upsilon\, d_M$.

    H heads, s and upsilon the norms of the weights, lambda_max of the attention's deviation from
    the mean, and the Lipschitz constants of augmented shortcuts added. Exponential in depth, not a
    law of size; recalled, constants uncertain [wang2023].
    """
    return (jnp.sqrt(lambda_max) * H * s * upsilon + shortcuts) * d_M


def divergence_from_uniform(*, p: Array) -> Array:
    r"""Randomness of tokens of shares p (V,), in nats: $KL(p, u) = \ln V - H(p)$ [liu2024].

    Near zero for image codes, large for text.
    """
    p = jnp.asarray(p, float)
    return jnp.log(len(p)) - jnp.sum(jax.scipy.special.entr(p))


QUANTITIES: dict[str, dict[str, Callable[..., Any]]] = {
    "byte_level_loss_units": {
        "bits_per_byte": bits_per_byte,
        "nats_per_byte": nats_per_byte,
        "perplexity_per_word": word_perplexity,
        "log_P": byte_log_probability,
    },
    "linguistic_collapse_metrics": {
        "perplexity": perplexity,
        "etf_cosine": etf_cosine,
        "CDNV": within_class_variability,
        "equinormness": equinormness,
        "equiangularity": equiangularity,
        "uniformity": uniformity,
        "self_duality": self_duality,
        "NCC": nearest_mean_agreement,
    },
    "pangu_pi_feature_diversity": {"d_M": diversity, "d_M_bound": diversity_bound},
    "uniformity_kl": {"KL_nats": divergence_from_uniform},
}
