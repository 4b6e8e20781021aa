"""Batch size: how large it may be, what it costs, and what it does to the learning rate."""

from collections.abc import Callable
from typing import Annotated, Any

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from jaxlaws._law import Parameter, Variable, law
from jaxlaws._support import positive
from jaxlaws.quantities import Tokens

TOLERANCE = 0.01  # nats a branch may lose and still count as no worse [merrill2025]
GAIN = 0.1  # least relative gain for which a configuration is changed [sakip2026]
CALIBRATION = 2.0  # noise scale over tr(Sigma) / |G|^2 [sakip2026]

CriticalBatch = Annotated[Array, Variable("tokens", name="CBS")]
Throughput = Annotated[Array, Variable("tokens/s", name="goodput")]
Gap = Annotated[Array, Variable("", name="gap_bound")]
Weight = Annotated[Array, Parameter("", positive, (0.01, 100.0))]


def critical_batch(
    *, k: ArrayLike, L_k: ArrayLike, B: ArrayLike, eps: ArrayLike = TOLERANCE
) -> Array:
    r"""Critical batch size at a checkpoint, from branches trained with k times its batch B.

    $$B^* = B \max\{k : L_k \le \min_{j < k} L_j + \epsilon\}$$

    The largest factor that passes, also after one that fails: a scan that stops at the first
    failure returns less when losses are noisy [merrill2025].

    Args:
        k: (b,) factors tried, increasing.
        L_k: (b,) smoothed losses at the ends of the branches.
        B: Batch at the checkpoint; the answer has its unit.
        eps: Rise of the loss that counts as none.
    """
    k, L = jnp.asarray(k, float), jnp.asarray(L_k, float)
    best_before = jnp.concatenate([jnp.full((1,), jnp.inf, L.dtype), jax.lax.cummin(L)[:-1]])
    return jnp.asarray(B) * jnp.max(jnp.where(best_before + eps >= L, k, 0.0))


def branch_rate(*, k: ArrayLike, eta: ArrayLike, power: ArrayLike = 0.5) -> Array:
    """Learning rate of a branch with k times the batch: eta k^power, 1/2 for Adam, 1 for SGD."""
    return jnp.asarray(eta, float) * jnp.asarray(k, float) ** power


def smooth(*, L: ArrayLike, weight: ArrayLike = 0.5) -> Array:
    """(n,) exponential moving average of losses; weight is what a new loss counts [merrill2025]."""
    losses = jnp.asarray(L, float)

    def step(before: Array, loss: Array) -> tuple[Array, Array]:
        after = before + weight * (loss - before)
        return after, after

    return jax.lax.scan(step, losses[0], losses)[1]


@law(source="merrill2025")
def cbs_growth(
    t: Tokens,
    *,
    a: Annotated[Array, Parameter("tokens", positive, (0.1, 1e4))],
    c: Annotated[Array, Parameter("", positive, (0.1, 1.0))],
) -> CriticalBatch:
    r"""Critical batch size after t tokens of training, while it still grows.

    $$B^*(t) = a\, t^{c}$$

    For models of 1e9 and 7e9 parameters it starts near 0 and levels off at 4096 documents of 4096
    tokens; the form does not describe the plateau. c = 1/2 is the paper's example; no fitted a is
    published [merrill2025].
    """
    return a * t**c


def best_single_batch(*, T: ArrayLike, c: ArrayLike, a: ArrayLike = 1.0) -> Array:
    """Best constant batch of a run of length T, the mean of a t^c: a T^c / (c+1) [merrill2025]."""
    a, T, c = (jnp.asarray(v, float) for v in (a, T, c))
    return a * T**c / (c + 1)


def steps_saved(
    *, tokens_B: ArrayLike, batch_documents: ArrayLike, reference_batch: ArrayLike
) -> Array:
    """Share of the steps that a staged batch saves against a constant one on the same tokens.

    Args:
        tokens_B: (s,) tokens of each stage, in any unit.
        batch_documents: (s,) batch of each stage.
        reference_batch: Batch of the other run, in the same unit.
    """
    tokens = jnp.asarray(tokens_B, float)
    return 1 - jnp.sum(tokens / jnp.asarray(batch_documents)) * reference_batch / jnp.sum(tokens)


def next_stage(*, CBS: ArrayLike, B: ArrayLike, eta: ArrayLike) -> tuple[Array, Array]:
    """Batch and learning rate of the next stage: 2 B and sqrt(2) eta once CBS > 2 B [merrill2025].

    At 1e9 parameters the doublings from 1024 documents fell on 168e9 and 503e9 tokens.
    """
    grow = jnp.asarray(CBS) > 2 * jnp.asarray(B)
    return jnp.where(grow, 2, 1) * B, jnp.where(grow, 2**0.5, 1.0) * eta


@law(source="sakip2026, mccandlish2018")
def goodput(
    T: Annotated[Array, Variable("tokens/s")],
    Bg: Annotated[Array, Variable("tokens")],
    *,
    B_noise: Annotated[Array, Parameter("tokens", positive, (1e4, 1e8))],
) -> Throughput:
    r"""Useful throughput of T tokens per second at a global batch Bg.

    $$G(T, B_g) = \frac{T}{1 + B_g / B_{noise}}$$

    T is measured for each configuration; Bg and B_noise are in one unit. The product is the
    paper's, this form of the efficiency is recalled [sakip2026].
    """
    return T / (1 + Bg / B_noise)


def goodput_lr_aware(*, T: ArrayLike, Bg: ArrayLike, B_noise: ArrayLike) -> Array:
    """Goodput times sqrt(Bg), as Adam's learning rate grows; comparable at one unit [sakip2026]."""
    return goodput(T, Bg, B_noise=B_noise) * jnp.sqrt(jnp.asarray(Bg, float))


def best_configuration(
    *, T: Array, Bg: Array, B_noise: ArrayLike, current: ArrayLike, gain: ArrayLike = GAIN
) -> Array:
    """Index of the configuration to train with next: the best, if it gains enough [sakip2026].

    Args:
        T: (c,) tokens per second of each configuration.
        Bg: (c,) their global batches.
        B_noise: Noise scale now.
        current: Index of the one in use.
        gain: Least relative gain for a change.
    """
    value = goodput_lr_aware(T=T, Bg=Bg, B_noise=B_noise)
    best = jnp.argmax(value)
    return jnp.where(value[best] >= (1 + gain) * value[current], best, current)


def noise_of_gradients(*, trace: Array, G2: Array, c: Array | float = CALIBRATION) -> Array:
    """Noise scale c tr(Sigma) / |G|^2; its error moves the chosen batch by the root [sakip2026]."""
    return c * trace / G2


@law(source="pham2021")
def contrastive_gap(
    n: Annotated[Array, Variable("pairs")],
    B: Annotated[Array, Variable("pairs")],
    *,
    c1: Weight,
    c2: Weight,
) -> Gap:
    r"""Bound on the generalisation gap of contrastive training, up to logarithms.

    $$G(n, B) = c_1 n^{-1/2} + c_2 B^{-1/2}$$

    n pairs in the data, B in a batch: a larger batch is part of the sample. That it falls with B
    is the paper's, the square roots are recalled [pham2021].
    """
    return c1 * n**-0.5 + c2 * B**-0.5


def gap_ratio(
    *, B_factor: ArrayLike, c1: ArrayLike, c2: ArrayLike, n: Any = jnp.inf, B: Any = 1.0
) -> Array:
    """Bound at so many times the batch over the bound at B; the limit of endless data if no n."""
    wider = jnp.asarray(B_factor, float) * B
    return contrastive_gap(n, wider, c1=c1, c2=c2) / contrastive_gap(n, B, c1=c1, c2=c2)


QUANTITIES: dict[str, dict[str, Callable[..., Any]]] = {
    "cbs_branch": {"CBS": critical_batch, "eta": branch_rate, "L_smooth": smooth},
    "cbs_growth": {"best_single_batch": best_single_batch},
    "batch_warmup": {"share_of_steps_saved": steps_saved, "next_stage": next_stage},
    "goodput": {
        "goodput_lr_aware": goodput_lr_aware,
        "best": best_configuration,
        "B_noise": noise_of_gradients,
    },
    "contrastive_gap": {"ratio": gap_ratio},
}
