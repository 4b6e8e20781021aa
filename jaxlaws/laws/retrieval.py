"""Retrieval: what a datastore costs beside pretraining."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from jaxlaws.laws.pretraining import chinchilla

WITHOUT_LAW: tuple[tuple[str, str], ...] = (
    (
        "Scaling Retrieval-Based Language Models with a Trillion-Token Datastore, 2407.12854",
        "Fronts over size, pretraining and datastore without a form in the datastore; its "
        "accounting is retrieval_flops.",
    ),
)


def training_cost(
    *, N_LM: ArrayLike, D_pretrain: ArrayLike, N_retriever: ArrayLike, D_datastore: ArrayLike
) -> Array:
    r"""FLOP to pretrain a language model and to embed its datastore.

    $$C = 6 N_{LM} D_{pretrain} + 2 N_{retriever} D_{datastore}$$

    The datastore is read once by the retriever; search at inference is not counted [shao2024].
    """
    trained = 6 * jnp.asarray(N_LM, float) * D_pretrain
    return trained + 2 * jnp.asarray(N_retriever, float) * D_datastore


def loss_with_datastore(
    *, N: Array, D: Array, D_datastore: Array, g: Array, **constants: Array
) -> Array:
    """Chinchilla's loss less g for each decade of datastore tokens: a proposal, not the paper's.

    For comparing fronts; without a datastore it is `chinchilla` with the same constants.
    """
    return chinchilla(N, D, **constants) - g * jnp.log1p(D_datastore) / jnp.log(10.0)


QUANTITIES: dict[str, dict[str, Callable[..., Any]]] = {
    "retrieval_flops": {"FLOPs": training_cost, "L_proposed": loss_with_datastore},
}
