"""Published constants, and refits, judged on the runs that a paper released."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import pandas as pd
from jax import Array

from jaxlaws import datasets
from jaxlaws._fit import fit
from jaxlaws._objective import Squared
from jaxlaws.laws.experts import clark_routed
from jaxlaws.laws.parallel import parscale
from jaxlaws.laws.standard_fit import huber_of_logs
from jaxlaws.laws.vision import frontier, power_line
from jaxlaws.laws.vocabulary import vocab_parametric, vocab_parametric_in

OPENAI = "CLIP-WIT"  # training set of OpenAI's three models
TASKS = {
    "imagenet": ("imagenet1k", "acc1"),
    "robustness": ("imagenet_robustness", "acc1"),
    "coco": ("mscoco_captions", "image_retrieval_recall@5"),
    "flickr": ("flickr30k", "image_retrieval_recall@5"),
}


def routed_rmse(*, router: str = "S-Base", data: str = "routed_language_models") -> float:
    """Root mean square of log10 residuals at the least squares fit of a router's released runs.

    One expert per token, half the layers routed, more than one expert, last step. Minima with
    E_start close to E_max exist besides.
    """
    chosen = f"router_type == '{router}' and k == 1 and routing_frequency == 0.5"
    runs = datasets.runs(data, where=f"{chosen} and num_experts > 1")
    found: Any = fit(clark_routed, runs, objective=Squared(), starts=16)
    residual = jnp.log10(clark_routed(**runs.inputs, **found.params)) - jnp.log10(runs.target)
    return float(jnp.sqrt(jnp.mean(residual**2)))


def huber_sum(
    *, E: Array, A: Array, alpha: Array, k: Array, data: str = "parscale_pile", delta: Any = 1e-3
) -> Array:
    """Sum of Huber scores of log residuals on the 24 runs of a published fit.

    Args:
        E: Loss of an infinite model.
        A: Parameters.
        alpha: Exponent.
        k: Worth of a stream.
        data: "parscale_pile" or "parscale_stack_python" of `jaxlaws.datasets`.
        delta: Residual where the score turns linear.
    """
    runs = datasets.load(data)
    N, P = (jnp.asarray(runs[c].to_numpy(float)) for c in ("params_N_nonemb", "P"))
    predicted = parscale(N, P, E=E, A=A, alpha=alpha, k=k)
    return huber_of_logs(predicted=predicted, observed=runs["loss"].to_numpy(float), delta=delta)


def _published(task: str, models: int, data: str) -> tuple[float, float]:
    """The line of a task: OpenAI's 3 models, or the frontier of the 29 others."""
    name, score = TASKS[task]
    table: Any = datasets.load(data, "zeroshot_results")
    table = table[(table.downstream_dataset == name) & table[score].notna()]
    theirs = table.upstream_dataset == OPENAI
    table = table[theirs if models == int(theirs.sum()) else ~theirs]
    C, error = table.gmacs_total.to_numpy(float), 1 - table[score].to_numpy(float)
    return power_line(C, error) if models == int(theirs.sum()) else power_line(*frontier(C, error))


def published_exponent(
    *, task: str, models: int = 29, data: str = "openclip_reproducible"
) -> float:
    """Alpha of a task from the released table: 29 OpenCLIP models, or OpenAI's 3."""
    return _published(task, models, data)[0]


def published_height(*, task: str, models: int = 29, data: str = "openclip_reproducible") -> float:
    """Beta of a task from the released table: 29 OpenCLIP models, or OpenAI's 3."""
    return _published(task, models, data)[1]


def _compared(data: str, filter: str, v_unit: str) -> tuple[Array, Array]:
    """Measured and predicted L_u of the released runs, with the published constants."""
    frame: pd.DataFrame = datasets.load(data).rename(columns=COLUMNS).query(filter)
    inputs = (jnp.asarray(frame[name].to_numpy(float)) for name in ("N_nv", "V", "d", "H"))
    predicted = vocab_parametric_in(v_unit)(*inputs, **vocab_parametric.published())
    return jnp.asarray(frame["L_u"].to_numpy(float)), predicted


COLUMNS = {
    "params_nonvocab_Nnv": "N_nv",
    "vocab_size_V": "V",
    "embed_dim_d": "d",
    "train_characters_H": "H",
    "flops_C": "F",
    "loss_unigram_normalised": "L_u",
}


def rmse(data: str, filter: str, v_unit: str = "thousands") -> Array:
    """Root mean squared error of the published constants on the released runs."""
    measured, predicted = _compared(data, filter, v_unit)
    return jnp.sqrt(jnp.mean((measured - predicted) ** 2))


def r2(data: str, filter: str, v_unit: str = "thousands") -> Array:
    """Share of the variance of the released runs that the published constants explain."""
    measured, predicted = _compared(data, filter, v_unit)
    return 1 - jnp.mean((measured - predicted) ** 2) / jnp.var(measured)


QUANTITIES: dict[str, dict[str, Callable[..., Any]]] = {
    "clark_routed": {"rmse_log10": routed_rmse},
    "parscale": {"huber_sum": huber_sum},
    "cherti_clip": {"alpha": published_exponent, "beta": published_height},
    "vocab_parametric": {"rmse": rmse, "r2": r2},
}
