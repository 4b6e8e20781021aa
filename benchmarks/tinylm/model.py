"""The model: a decoder-only transformer over bytes, whose matrices are all of its parameters.

Normalisations have no gain and the output layer is the embedding, so that each parameter takes
part in one multiplication per byte and `jaxlaws.flops` counts the run exactly.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jax import Array

from jaxlaws import flops

CONTEXT = 128
VOCABULARY = 128  # the corpus is ASCII

Weights = dict[str, Array]


@dataclass(frozen=True)
class Shape:
    """Layers, width and attention heads."""

    layers: int
    width: int
    heads: int

    @property
    def params(self) -> int:
        """All parameters: 12 l d^2 in the layers and V d in the embedding."""
        return 12 * self.layers * self.width**2 + VOCABULARY * self.width

    def flops(self, tokens: float) -> float:
        """Training FLOP with attention [kaplan2020, sec. 2.1]."""
        return flops.attention(self.layers, self.width, CONTEXT)(self.params, tokens)


def initialise(shape: Shape, key: Array) -> Weights:
    """Return normal weights of variance 1 / fan-in; what writes to the stream is scaled down."""
    l, d = shape.layers, shape.width
    sizes = {
        "embedding": ((VOCABULARY, d), d**-0.5),
        "attend": ((l, d, 3 * d), d**-0.5),
        "mix": ((l, d, d), (2 * l * d) ** -0.5),
        "expand": ((l, d, 4 * d), d**-0.5),
        "contract": ((l, 4 * d, d), (2 * l * 4 * d) ** -0.5),
    }
    keys = jax.random.split(key, len(sizes))
    return {
        name: std * jax.random.normal(k, size, jnp.float32)
        for k, (name, (size, std)) in zip(keys, sizes.items(), strict=True)
    }


def losses(weights: Weights, blocks: Array, heads: int) -> Array:
    """Return the loss of every byte in nats, (block, CONTEXT), from (block, CONTEXT + 1) bytes."""
    tokens, targets = blocks[:, :-1].astype(jnp.int32), blocks[:, 1:].astype(jnp.int32)
    width = weights["embedding"].shape[1]
    # One-hot products: their gradient is a product too, where that of a look-up is a slow scatter.
    x = jax.nn.one_hot(tokens, VOCABULARY, dtype=jnp.float32) @ weights["embedding"] * width**0.5
    for layer in range(len(weights["attend"])):
        x = x + _attention(weights["attend"][layer], _norm(x), heads) @ weights["mix"][layer]
        hidden = jax.nn.relu(_norm(x) @ weights["expand"][layer])
        x = x + hidden**2 @ weights["contract"][layer]
    logits = _norm(x) @ weights["embedding"].T
    hit = (logits * jax.nn.one_hot(targets, VOCABULARY, dtype=jnp.float32)).sum(-1)
    return jax.nn.logsumexp(logits, axis=-1) - hit


def _norm(x: Array) -> Array:
    return x * jax.lax.rsqrt(jnp.mean(x**2, axis=-1, keepdims=True) + 1e-6)


def _attention(weight: Array, x: Array, heads: int) -> Array:
    """Return causal self-attention with rotary positions, (block, time, width)."""
    b, t, d = x.shape
    q, k, v = (x @ weight).reshape(b, t, 3, heads, d // heads).transpose(2, 0, 3, 1, 4)
    seen = jnp.tril(jnp.ones((1, 1, t, t), bool))
    score = _rotate(q) @ _rotate(k).swapaxes(-1, -2) * (d // heads) ** -0.5
    score = score + jnp.where(seen, jnp.float32(0.0), jnp.float32(-1e9))
    # Normalised after the product with the values: one division per feature, not per pair.
    share = jnp.exp(score - jax.lax.stop_gradient(score.max(-1, keepdims=True)))
    out = (share @ v) / share.sum(-1, keepdims=True)
    return out.transpose(0, 2, 1, 3).reshape(b, t, d)


def _rotate(x: Array) -> Array:
    """Turn pairs of coordinates of (block, head, time, feature) by angles that grow with time."""
    half = x.shape[-1] // 2
    pace = 10_000.0 ** (-jnp.arange(half, dtype=jnp.float32) / half)
    angle = jnp.arange(x.shape[-2], dtype=jnp.float32)[None, None, :, None] * pace[None, None, None]
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    one, two = x[..., :half], x[..., half:]
    return jnp.concatenate([one * cos - two * sin, one * sin + two * cos], axis=-1)
