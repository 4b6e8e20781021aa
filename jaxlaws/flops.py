"""Cost models: what a run of N parameters on D tokens costs, in FLOP.

A cost model is a function ``cost(N, D)``; those with settings are made by a function. All are pure
and differentiable, so that an optimum under them is too.
"""

from collections.abc import Callable

from jax import Array

Cost = Callable[[Array, Array], Array]


def dense(N: Array, D: Array) -> Array:
    """Training cost of a dense model: 6 N D [kaplan2020, sec. 2.1].

    >>> dense(70e9, 1.4e12)
    5.88e+23
    """
    return 6.0 * N * D


def attention(layers: int, width: int, context: int) -> Cost:
    """Training cost with attention: (6 N + 6 n_ctx d_model n_layer) D [kaplan2020, sec. 2.1].

    >>> attention(layers=24, width=2048, context=2048)(1e9, 2e10)
    1.3207959552e+20
    """
    return lambda N, D: (6.0 * N + 6.0 * context * width * layers) * D


def embeddings(vocabulary: int, width: int) -> Cost:
    """Training cost of N non-embedding parameters and the output layer: 6 (N + V d) D."""
    return lambda N, D: 6.0 * (N + vocabulary * width) * D


def sparse(active: float) -> Cost:
    """Training cost of a sparse model with N parameters of which a share is active: 6 a N D."""
    return lambda N, D: 6.0 * active * N * D


def inference(D_inf: float) -> Cost:
    """Training and serving D_inf tokens: 6 N D + 2 N D_inf [sardana2024, eq. 2]."""
    return lambda N, D: 6.0 * N * D + 2.0 * N * D_inf


def precision(bits: float) -> Cost:
    """Training cost at P bits relative to 16: 6 N D P / 16 [kumar2024]."""
    return lambda N, D: 6.0 * N * D * bits / 16.0
