"""The field's standard objective, Huber's score of log residuals, and its grid of starts."""

from collections.abc import Callable
from itertools import product
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from jaxlaws.laws.downstream import loss_to_accuracy


def huber(*, r: Array, delta: Any = 1e-3) -> Array:
    r"""Huber's score: $r^2/2$ up to delta, $\delta(|r| - \delta/2)$ beyond [hoffmann2022]."""
    size = jnp.abs(r)
    return jnp.where(size <= delta, 0.5 * size**2, delta * (size - 0.5 * delta))


def huber_of_logs(*, predicted: ArrayLike, observed: ArrayLike, delta: Any = 1e-3) -> Array:
    """Sum over runs (n,) of Huber's score of log residuals [hoffmann2022, eq. 3].

    A sum, not a mean: with the mean a solver's default tolerance stops it early, which is why the
    printed intervals of the third approach are too narrow [besiroglu2024].
    """
    return jnp.sum(huber(r=jnp.log(predicted) - jnp.log(observed), delta=delta))


def log_loss(
    *, N: Array, D: Array, a: Array, b: Array, e: Array, alpha: Array, beta: Array
) -> Array:
    """Log of chinchilla's loss from logs of its amplitudes [hoffmann2022, eq. 3]."""
    terms = jnp.broadcast_arrays(a - alpha * jnp.log(N), b - beta * jnp.log(D), e)
    return jax.nn.logsumexp(jnp.stack(terms), axis=0)


def published_starts() -> dict[str, np.ndarray]:
    """The grid of 4500 starts by parameter (start,), for ``fit(starts=...)`` [hoffmann2022].

    >>> len(published_starts()["alpha"])
    4500
    """
    exponents, logs = np.linspace(0.0, 2.0, 5), np.arange(0.0, 30.0, 5.0)
    grid = np.array([*product(logs, logs, np.linspace(-1.0, 1.0, 5), exponents, exponents)])
    a, b, e, alpha, beta = grid.T
    return dict(A=np.exp(a), B=np.exp(b), E=np.exp(e), alpha=alpha, beta=beta)


def task_accuracy(*, L: Array, p: Array, k: Array, x0: Array, q: Array) -> Array:
    """Accuracy by step 2, from a loss in bits per byte [bhagia2024]."""
    return loss_to_accuracy(L, p=p, k=k, x0=x0, q=q)


def task_loss_of_compute(*, C: Array, A: Array, alpha: Array, E: Array) -> Array:
    """Bits per byte of a task from compute alone: A C^-alpha + E [bhagia2024]."""
    return A * C**-alpha + E


QUANTITIES: dict[str, dict[str, Callable[..., Any]]] = {
    "huber": {"value": huber},
    "huber_lse": {"objective": huber_of_logs, "log_L": log_loss, "starts": published_starts},
    "olmo_ladder": {"accuracy": task_accuracy, "task_bpb_of_compute": task_loss_of_compute},
}
