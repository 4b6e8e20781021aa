"""Optimal transport between samples: how far a mixture of sources is from what it is meant for."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

ROUNDS = 2000  # most Sinkhorn rounds
CLOSE = 1e-9  # change of the potentials, as a share of epsilon, at which the rounds end


def squared_distances(x: Array, y: Array) -> Array:
    """Squared Euclidean distances (n, m) between samples x (n, d) and y (m, d)."""
    return jnp.sum((x[:, None, :] - y[None, :, :]) ** 2, axis=-1)


def potentials(cost: Array, a: Array, b: Array, epsilon: ArrayLike) -> tuple[Array, Array]:
    r"""Dual potentials f (n,) and g (m,) of entropic transport, by Sinkhorn's rounds in logs.

    $$f_i = -\epsilon \ln \sum_j b_j e^{(g_j - C_{ij})/\epsilon}, \quad
      g_j = -\epsilon \ln \sum_i a_i e^{(f_i - C_{ij})/\epsilon}$$

    The rounds end when they change nothing, or at `ROUNDS`: the smaller epsilon beside the costs,
    the more they need. Samples may have no weight. The derivative of the transport cost with
    respect to a sample's weight is its potential [kang2023; the scheme is the usual one].

    Args:
        cost: (n, m) cost of moving a unit.
        a: (n,) weights, sum 1.
        b: (m,) weights, sum 1.
        epsilon: Entropy's weight, in units of the cost.
    """
    cost, a, b = jax.lax.stop_gradient((cost, a, b))
    log_a, log_b, width = jnp.log(a), jnp.log(b), jnp.asarray(epsilon, cost.dtype)

    def soft(against: Array, log_weight: Array, costs: Array) -> Array:
        return -width * jax.nn.logsumexp((against - costs) / width + log_weight, axis=-1)

    def sweep(state: tuple[Array, Array, Array, Array]) -> tuple[Array, Array, Array, Array]:
        f, g, _, count = state
        new = soft(g[None, :], log_b[None, :], cost)
        g = soft(new[None, :], log_a[None, :], cost.T)
        return new, g, jnp.max(jnp.abs(new - f)), count + 1

    def open_still(state: tuple[Array, Array, Array, Array]) -> Array:
        return (state[2] > CLOSE * width) & (state[3] < ROUNDS)

    begin = (jnp.zeros_like(a), jnp.zeros_like(b), jnp.full_like(a[0], jnp.inf), jnp.asarray(0))
    f, g, _, _ = jax.lax.while_loop(open_still, sweep, begin)
    return f, g


def transport_cost(cost: Array, a: Array, b: Array, epsilon: ArrayLike) -> Array:
    r"""Entropic cost of moving weights a (n,) to b (m,).

    $$\mathrm{OT}_\epsilon = \min_P \langle P, C \rangle + \epsilon\,\mathrm{KL}(P\,\|\,a b^\top)$$

    The dual value, so that first derivatives with respect to weights and costs are exact without
    going through the rounds; second ones are not [kang2023].

    >>> x = jnp.array([[0.0], [1.0]])
    >>> half = jnp.array([0.5, 0.5])
    >>> round(float(transport_cost(squared_distances(x, x + 2), half, half, 0.01)), 2)
    4.01
    """
    f, g = potentials(cost, a, b, epsilon)
    plan = a[:, None] * b[None, :] * jnp.exp((f[:, None] + g[None, :] - cost) / epsilon)
    return jnp.sum(f * a) + jnp.sum(g * b) - epsilon * (jnp.sum(plan) - jnp.sum(a) * jnp.sum(b))


def distance(
    x: Array, a: Array, y: Array, b: Array, epsilon: ArrayLike, labels: Array | None = None
) -> Array:
    r"""Debiased transport cost between weighted samples, zero for equal ones.

    $$S_\epsilon(a, b) = \mathrm{OT}_\epsilon(a, b)
      - \tfrac12 \mathrm{OT}_\epsilon(a, a) - \tfrac12 \mathrm{OT}_\epsilon(b, b)$$

    Args:
        x: (n, d) samples of the training sources.
        a: (n,) their weights, for instance `sample_weights`.
        y: (m, d) samples of the validation set.
        b: (m,) their weights.
        epsilon: Entropy's weight, in squared units of the samples.
        labels: (n + m, n + m) further cost between samples, from `label_costs`; None without.
    """
    both = jnp.concatenate([x, y])
    cost = squared_distances(both, both) + (0.0 if labels is None else labels)
    n = len(x)
    across = transport_cost(cost[:n, n:], a, b, epsilon)
    own = transport_cost(cost[:n, :n], a, a, epsilon) + transport_cost(cost[n:, n:], b, b, epsilon)
    return across - own / 2


def label_costs(x: Array, label: Array, classes: int, epsilon: ArrayLike) -> Array:
    """Cost between the labels of samples (n, n): the transport between what bears each label.

    A sample's label stands for the distribution of the samples that share it [kang2023].

    Args:
        x: (n, d) samples of training and validation together.
        label: (n,) numbers below classes.
        classes: How many there are; each must occur.
        epsilon: Entropy's weight.
    """
    member = jax.nn.one_hot(label, classes, axis=0, dtype=x.dtype)
    weight = member / jnp.sum(member, axis=1, keepdims=True)
    cost = squared_distances(x, x)

    def between(a: Array, b: Array) -> Array:
        return transport_cost(cost, a, b, epsilon)

    table = jax.vmap(jax.vmap(between, (None, 0)), (0, None))(weight, weight)
    own = jnp.diagonal(table)
    return (table - (own[:, None] + own[None, :]) / 2)[label][:, label]


def sample_weights(p: Array, source: Array) -> Array:
    """Weights (n,) of samples whose sources (n,) have shares p (k,) of the mixture."""
    member = source[:, None] == jnp.arange(len(p))[None, :]
    count = jnp.sum(member, axis=0).astype(p.dtype)
    return (p / count)[source]


def sample_values(f: Array) -> Array:
    r"""What more of each sample (n,) does to the transport cost, from its potentials f (n,).

    $$v_i = f_i - \frac{1}{n - 1} \sum_{j \ne i} f_j$$

    The potential, calibrated so that the weights still sum to 1; samples of negative value bring
    the mixture nearer to the validation set, and are the ones to select [kang2023].
    """
    return f - (jnp.sum(f) - f) / (len(f) - 1)


QUANTITIES: dict[str, dict[str, Callable[..., Any]]] = {
    "ot_stage1": {
        "OT": transport_cost,
        "OT_debiased": distance,
        "label_costs": label_costs,
        "sample_weights": sample_weights,
        "sample_values": sample_values,
    },
}
