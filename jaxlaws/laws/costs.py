"""What training and serving cost: FLOP by architecture, sparsity, hardware utilisation, pipelines.

The cost models that frontiers take are in `jaxlaws.flops`; here each has its name in the catalogue,
with everything by name.
"""

from collections.abc import Callable
from typing import Annotated, Any

import jax.numpy as jnp
from jax import Array

from jaxlaws import flops
from jaxlaws._law import Constants, Variable, law
from jaxlaws._support import interval, unit
from jaxlaws.quantities import Share

Sparsity = Annotated[Array, Variable("share of zeros", interval(0.0, 1.0))]
FlopRatio = Annotated[Array, Variable("share of the dense FLOP", unit, space="natural", name="r")]


def dense(*, N: Array, D: Array) -> Array:
    """Training FLOP of a dense model: 6 N D [kaplan2020, sec. 2.1]."""
    return flops.dense(N, D)


def nonembedding_size(*, n_layer: Array, d_model: Array, d_ff: Any = None) -> Array:
    """Parameters without embeddings: 2 d (2 d + d_ff) per layer, d_ff = 4 d [kaplan2020, tab. 1].

    >>> nonembedding_size(n_layer=24, d_model=2048)
    1207959552
    """
    return 2 * n_layer * d_model * (2 * d_model + (4 * d_model if d_ff is None else d_ff))


def by_steps(*, N_nonemb: Array, B: Array, S: Array) -> Array:
    """Training FLOP of S steps of B tokens: 6 N B S [kaplan2020, sec. 2.1]."""
    return flops.dense(N_nonemb, B * S)


def attention_per_token(*, N: Array, n_ctx: Any, d_model: Any, n_layer: Any) -> Array:
    """Training FLOP per token, attention counted: 6 N + 6 n_ctx d n_layer [kaplan2020, tab. 1]."""
    return flops.attention(n_layer, d_model, n_ctx)(N, jnp.ones(()))


def attention_forward(*, N: Array, n_ctx: Array, d_model: Array, n_layer: Array) -> Array:
    """Forward FLOP per token, a third of the training FLOP [kaplan2020, tab. 1]."""
    return attention_per_token(N=N, n_ctx=n_ctx, d_model=d_model, n_layer=n_layer) / 3


def by_operation(
    *,
    n_layer: Array,
    d_model: Array,
    n_heads: Array,
    d_ff: Array,
    n_ctx: Array,
    n_vocab: Array,
    d_key: Any = None,
    embeddings: bool = False,
) -> Array:
    """Training FLOP of one sequence of n_ctx tokens, operation by operation [hoffmann2022, app. F].

    Forward per layer: projections 6 n d h, scores and reduction 4 n^2 h, softmax 3 heads n^2,
    output 2 n h d, feed-forward 4 n d d_ff, with h = d_key heads; backward is twice forward. The
    text adds 2 n V d for embeddings and as much for logits, but the paper's own comparison with 6ND
    (ratios 1.03, 1.10, 1.08, 1.04, 1.03, 0.99) comes out only without: hence `embeddings=False`.

    >>> six = 6 * 73825280 * 2048
    >>> round(by_operation(n_layer=10, d_model=640, n_heads=10, d_ff=2560, n_ctx=2048,
    ...                    n_vocab=32000) / six, 3)
    1.025
    """
    inner = d_model if d_key is None else n_heads * d_key
    attention = 8 * n_ctx * d_model * inner + 4 * n_ctx**2 * inner + 3 * n_heads * n_ctx**2
    layers = n_layer * (attention + 4 * n_ctx * d_model * d_ff)
    return 3 * (layers + (4 * n_ctx * n_vocab * d_model if embeddings else 0))


def with_inference(*, N: Array, D_train: Array, D_inf: Any) -> Array:
    """FLOP of training on D_train and serving D_inf tokens: 6 N D + 2 N D_inf [sardana2024]."""
    return flops.inference(D_inf)(N, D_train)


def mixture_of_experts(*, N_active: Array, D: Array) -> Array:
    """Training FLOP of a sparse model: 6 N_active D."""
    return flops.dense(N_active, D)


def low_precision(*, N: Array, D: Array, P: Any) -> Array:
    """Training cost at P bits, in FLOP at 16 bits: 6 N D P / 16 [kumar2024]."""
    return flops.precision(P)(N, D)


@law(
    source="thangarasa2023",
    constants={
        "thangarasa2023": Constants(
            dict(f_s=0.80), "reported", "From the stated saving of 2.5x at S = 0.75 on GPT-3 XL."
        )
    },
)
def spdf_sparse_pretrain_flops(S: Sparsity, *, f_s: Share) -> FlopRatio:
    r"""FLOP of pretraining with a share S of masked weights, relative to dense.

    $$F(S) / F(0) = 1 - f_s S$$

    f_s is the share of the FLOP that is in masked matrices; attention scores, embeddings and logits
    stay dense. The form is derived; the paper has no law of accuracy [thangarasa2023].
    """
    return 1 - f_s * S


def masked_share(*, S: Array, saving: Array) -> Array:
    """Share f_s of the FLOP in masked matrices, from a saving (dense over sparse FLOP) at S."""
    return (1 - 1 / saving) / S


def peak_throughput(
    *, N: Array, L: Array, H: Array, Q: Array, T: Array, peak: Array, chips: Any = 1
) -> Array:
    """Tokens per second at full utilisation: P / (6 N + 12 L H Q T) [chowdhery2022, app. B].

    L layers, H heads of size Q, sequences of T tokens; peak is FLOP per second of one chip.
    """
    return chips * peak / (6 * N + 12 * L * H * Q * T)


def utilisation(*, tokens_per_s: Array, R: Array) -> Array:
    """Model FLOP utilisation: observed over peak tokens per second [chowdhery2022, app. B].

    Published: PaLM 540B 0.462, GPT-3 0.213, Gopher 0.325, Megatron-Turing 530B 0.302.
    """
    return tokens_per_s / R


def throughput(*, MFU: Array, R: Array) -> Array:
    """Tokens per second at a given utilisation."""
    return MFU * R


def bubble(*, p: Array, m: Array) -> Array:
    """Idle time of p pipeline stages on m micro-batches, over the ideal time [dash2023]."""
    return (p - 1) / m


def bubble_of_total(*, p: Array, m: Array) -> Array:
    """The same idle time as a share of the whole time: (p - 1) / (m + p - 1)."""
    return (p - 1) / (m + p - 1)


def model_states(*, N: Array, bytes_per_parameter: Any = 16) -> Array:
    """Bytes of weights, gradients and Adam's moments in mixed precision: 14 to 16 a parameter."""
    return bytes_per_parameter * N


def weak_efficiency(*, t_1: Array, t_n: Array) -> Array:
    """Efficiency with the work per device held fixed: t_1 / t_n."""
    return t_1 / t_n


def strong_efficiency(*, t_1: Array, t_n: Array, n: Array) -> Array:
    """Efficiency with the whole work held fixed on n times the devices: t_1 / (n t_n)."""
    return t_1 / t_n / n


def steps_in_budget(
    *, tokens_per_second: Array, hours: Array, batch: Array, sequence: Array
) -> Array:
    """Steps, to the nearest, that a class of compute in hours affords [stanic2023]."""
    return jnp.round(
        tokens_in_budget(tokens_per_second=tokens_per_second, hours=hours) / (batch * sequence)
    )


def tokens_in_budget(*, tokens_per_second: Array, hours: Array) -> Array:
    """Tokens that a class of compute affords; the classes are 6, 12, 24, 48, 96 h [stanic2023]."""
    return tokens_per_second * hours * 3600.0


QUANTITIES: dict[str, dict[str, Callable[..., Any]]] = {
    "cost_dense": {"FLOPs": dense},
    "cost_kaplan_nonemb": {"FLOPs": by_steps, "N_nonemb": nonembedding_size},
    "cost_attention": {
        "FLOPs_per_token_training": attention_per_token,
        "FLOPs_per_token_forward": attention_forward,
    },
    "cost_chinchilla_appf": {"FLOPs": by_operation},
    "cost_inference": {"FLOPs": with_inference},
    "cost_moe": {"FLOPs": mixture_of_experts},
    "cost_precision": {"FLOPs": low_precision},
    "spdf_sparse_pretrain_flops": {"f_s": masked_share},
    "palm_mfu": {
        "R_tokens_per_s": peak_throughput,
        "tokens_per_s": throughput,
        "MFU": utilisation,
    },
    "frontier_distributed_training": {
        "flops": dense,
        "bubble_fraction": bubble,
        "bubble_share_of_total": bubble_of_total,
        "bytes": model_states,
        "weak_efficiency": weak_efficiency,
        "strong_efficiency": strong_efficiency,
    },
    "languini_equal_compute": {"steps": steps_in_budget, "tokens": tokens_in_budget},
}
