"""Published fits of chinchilla's form repeated on their public data."""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Any, cast

import numpy as np
from jax import Array

from jaxlaws import datasets
from jaxlaws._fit import Fit, fit
from jaxlaws._objective import Huber
from jaxlaws._runs import Runs
from jaxlaws.laws.allocation import line
from jaxlaws.laws.pretraining import chinchilla
from jaxlaws.laws.standard_fit import huber_of_logs

LAST = 5  # evaluations that the ladder's loss of a run averages [bhagia2024]
PORIAN = {
    "kaplan_reproduction": ("base", "long", "kaplan", "kaplan"),
    "last_layer": ("base", "long", "kaplan", "standard"),
    "warmup": ("base", "short", "kaplan", "standard"),
    "cosine": ("base", "short", "chinchilla", "standard"),
    "tuned": ("tuned", "short", "const", "standard"),
    "tuned_kaplan_counting": ("tuned", "long", "const", "kaplan"),
}


def score_of_constants(
    *,
    E: Array,
    A: Array,
    B: Array,
    alpha: Array,
    beta: Array,
    data: str = "chinchilla_epoch",
    delta: Any = 1e-3,
) -> Array:
    """`huber_of_logs` of chinchilla at given constants on the rows of the published fit."""
    runs = _runs(data)
    predicted = chinchilla(
        runs.inputs["N"], runs.inputs["D"], E=E, A=A, B=B, alpha=alpha, beta=beta
    )
    return huber_of_logs(predicted=predicted, observed=runs.target, delta=delta)


def score_at_minimum(*, data: str = "chinchilla_epoch", delta: float = 1e-3) -> float:
    """The least `huber_of_logs` of chinchilla on the rows of the published fit."""
    return _fit(data, "", delta).value


def ladder_score_at_minimum(*, task: str, data: str = "olmo_ladder", delta: float = 1e-3) -> float:
    """The least `huber_of_logs` of step 1 on the 16 runs of the ladder [bhagia2024]."""
    return _fit(data, task, delta).value


def task_loss(
    *,
    N: Array,
    D: Array,
    A: Any = None,
    B: Any = None,
    alpha: Any = None,
    beta: Any = None,
    E: Any = None,
    data: str = "olmo_ladder",
    task: str = "hellaswag",
    delta: float = 1e-3,
) -> Array:
    """Bits per byte of a task's right answer by step 1 [bhagia2024].

    With constants given it is chinchilla's form; without them they are fitted to the 16 runs of
    the ladder, whose minimum has a flat valley: E is not identified.
    """
    if A is None:
        return chinchilla(N, D, **_fit(data, task, delta).params)
    return chinchilla(N, D, E=E, A=A, B=B, alpha=alpha, beta=beta)


def exponent_of_setting(*, setting: str, data: str = "RefinedWeb") -> float:
    """Exponent of N_opt in C, from the optima of a setting in `PORIAN` and their weights.

    Weighted least squares in logs reproduces the stored exponents to 6 digits [porian2024].
    """
    table = datasets.load("porian2024", "optimal_pairs")
    hparams, warmup, decay, count = PORIAN[setting]
    chosen = table[
        (table.dataset == {"RefinedWeb": "rw", "OpenWebText2": "owt2"}[data])
        & (table.hparams == hparams)
        & (table.warmup == warmup)
        & (table.decay == decay)
        & (table.param_count == count)
    ]
    columns = (chosen[c].to_numpy(float) for c in ("train_flops", "n_star", "log_n_star_std"))
    C, y, sigma = columns
    there = np.isfinite(y)
    return float(line(C=C[there], y=y[there], sigma=sigma[there])[1])


def _runs(data: str, task: str = "") -> Runs:
    """Rows of a published fit; the ladder's are made from a task's last evaluations."""
    if not task:
        return datasets.runs(data)
    table = datasets.load(data)
    table = table[table.chinchilla_multiple.isin(["1xC", "2xC", "5xC", "10xC"])]
    table = table[~table.run.str.contains("rerun")].sort_values("step")
    column = next(c for c in table.columns if c.startswith(f"bpb:{task}_"))
    last = table.groupby("run").tail(LAST).groupby("run")
    return Runs.from_arrays(
        last[column].mean().to_numpy(),
        N=last.params_N.last().to_numpy(),
        D=last.tokens_D.last().to_numpy(),
    )


@lru_cache(maxsize=16)
def _fit(data: str, task: str, delta: float) -> Fit:
    """Chinchilla's form at the minimum of `huber_of_logs`."""
    return fit(chinchilla, _runs(data, task), objective=replace(cast(Any, Huber()), delta=delta))


QUANTITIES: dict[str, dict[str, Callable[..., Any]]] = {
    "chinchilla": {"huber_sum": score_of_constants, "huber_sum_minimum": score_at_minimum},
    "olmo_ladder": {"huber_sum_minimum": ladder_score_at_minimum, "task_bpb": task_loss},
    "porian_accounting": {"a_exponent_N": exponent_of_setting},
}
