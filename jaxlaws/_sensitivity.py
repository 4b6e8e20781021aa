"""sensitivity: the same question under every defensible choice, side by side."""

import dataclasses
import itertools
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jax import Array

from jaxlaws._errors import InputError
from jaxlaws._fit import Fit, fit
from jaxlaws._implicit import argmin
from jaxlaws._law import Law
from jaxlaws._objective import SPACES, Huber, Objective, Squared
from jaxlaws._runs import Runs
from jaxlaws._solver import STATUS, Newton

FEWEST = 1e3  # the smallest number of parameters, or of tokens, that is thought of as a model
PER_TOKEN = 6.0  # FLOP per parameter and token, as in C = 6 N D
OBJECTIVES: tuple[Objective, ...] = (Huber(), Huber(1e-2), Squared())
ANSWERS = ["value", "prediction", "N_opt", "D_opt", "tokens_per_parameter", "a"]


@dataclass(frozen=True, eq=False)
class Sensitivity:
    """The answers under every choice; prints as a table.

    Attributes:
        rows: (choice,) table, one row per law, objective, space and number of runs left out.
        C: FLOP of the compute optimum.
        at: Where the prediction is made.
        quantity: What is predicted.
        runs: What the table of runs is called.
    """

    rows: pd.DataFrame
    C: float
    at: Mapping[str, float]
    quantity: str
    runs: str

    def frame(self) -> pd.DataFrame:
        """The table.

        Returns:
            Columns `law`, `objective`, `space`, `dropped`; the parameters; `value`, the objective;
            `prediction`; `N_opt`, `D_opt`, `tokens_per_parameter` and `a`, the exponent of N_opt in
            C; `status`; `note`. Numbers of a fit that did not converge are left out, and so are
            those that a law does not define.
        """
        return self.rows.copy()

    def __repr__(self) -> str:
        shown = self.rows.drop(columns="note").dropna(axis=1, how="all")
        refused = ~shown["status"].isin(STATUS.values())
        shown.loc[refused, "status"] = "refused"
        point = ", ".join(f"{k} {v:.3g}" for k, v in self.at.items() if np.ndim(v) == 0)
        lines = [
            f"{self.runs}: {len(self.rows)} choices; {self.quantity} at {point}; optimum of "
            f"{self.C:.3g} FLOP",
            *shown.to_string(index=False, float_format="{:.4g}".format, na_rep="").split("\n"),
        ]
        for column, words in (
            ("prediction", f"{self.quantity} is predicted"),
            ("tokens_per_parameter", "tokens per parameter are"),
            ("a", "the exponent of N_opt in C is"),
        ):
            found = self.rows[column].dropna()
            if len(found) > 1:
                lines.append(f"{words} {found.min():.4g} to {found.max():.4g}")
        notes = self.rows["note"].where(~refused, self.rows["status"])
        lines += [f"note: row {i}: {note}" for i, note in notes[notes != ""].items()]
        return "\n  ".join(lines)


def sensitivity(
    laws: Law | Sequence[Law],
    runs: Runs,
    *,
    objectives: Sequence[Objective] | None = None,
    spaces: Sequence[str] | None = None,
    drop: Sequence[int] = (0,),
    C: float = 5.88e23,
    at: Mapping[str, float] | None = None,
    starts: int = 64,
    key: Array | None = None,
    solver: Newton | None = None,
) -> Sensitivity:
    r"""Refit under every combination of law, objective, space of residuals and runs left out.

    The spread over the rows is an uncertainty that no interval of a single row contains. The
    compute optimum is found on the law itself,

    $$N_{opt}(C) = \arg\min_N L(N, C / 6N), \quad a = d \log N_{opt} / d \log C$$

    (for chinchilla $a = \beta / (\alpha + \beta)$), for laws with inputs N and D; their other
    inputs are held where the prediction is made.

    Args:
        laws: The laws.
        runs: The runs.
        objectives: Objectives; None takes Huber(1e-3), Huber(1e-2) and Squared().
        spaces: Spaces of the residuals; None takes the law's own and "natural".
        drop: How many runs to leave out: those with the largest target. The rule does not look at
            any fit, so that the same runs are missing in every row; it is the one by which the five
            largest losses were left out of the Chinchilla replication.
        C: FLOP for which the optimum is asked; the default is Chinchilla's own.
        at: Inputs at which to predict; None takes those of the run with the largest first input.
        starts: Starts of every fit.
        key: Seeds the starts; None is a fixed seed.
        solver: Solver settings.

    Raises:
        InputError: Nothing is left to choose from, an input of `at` is missing, or a number of runs
            to leave out is not possible.

    >>> import jaxlaws as jl
    >>> runs = jl.datasets.runs("simulated_chinchilla")
    >>> found = sensitivity(
    ...     jl.laws.chinchilla, runs, objectives=[jl.Huber()], spaces=["log"], starts=8
    ... )
    >>> found.frame()["tokens_per_parameter"].round(0).to_list()
    [18.0]
    """
    laws = (laws,) if isinstance(laws, Law) else tuple(laws)
    objectives = tuple(objectives or OBJECTIVES)
    _check(laws, runs, spaces, drop, C)
    wanted = {name for law in laws for name in law.inputs}
    at = {k: v for k, v in (at or _largest(laws[0], runs)).items() if k in wanted}
    for law in laws:
        if missing := [name for name in law.inputs if name not in at and name in runs.inputs]:
            raise InputError(f"{law.name} predicts from {missing[0]} too: name it in `at`.")
    order = np.argsort(np.where(runs.weight > 0, runs.target, -np.inf), kind="stable")[::-1]
    rows = []
    with warnings.catch_warnings(record=True) as heard:  # every refit would say the same
        warnings.simplefilter("always")
        for law in laws:
            asked = tuple(spaces or dict.fromkeys((law.target.space, "natural")))
            for objective, space, count in itertools.product(objectives, asked, drop):
                # Runs left out keep their place with weight zero, so that nothing is recompiled.
                out = np.isin(np.arange(len(runs)), order[:count])
                table = replace(runs, weight=np.where(out, 0.0, runs.weight))
                row = dict(law=law.name, objective=_written(objective), space=space, dropped=count)
                try:
                    found = fit(
                        law,
                        table,
                        objective=objective,
                        space=space,
                        starts=starts,
                        key=key,
                        solver=solver,
                    )
                    rows.append(row | _answers(found, at, C))
                except InputError as error:
                    rows.append(row | dict(status=str(error), note=""))
    for message, category in dict.fromkeys((str(w.message), w.category) for w in heard):
        warnings.warn(message, category, stacklevel=2)
    choice = ["law", "objective", "space", "dropped"]
    known = dict.fromkeys([*choice, *ANSWERS, "status", "note"])
    names = [name for name in dict.fromkeys(itertools.chain(*rows)) if name not in known]
    frame = pd.DataFrame(rows, columns=[*choice, *names, *ANSWERS, "status", "note"])
    return Sensitivity(frame, C, at, laws[0].target.name, runs.name)


def _answers(found: Fit, at: Mapping[str, Any], C: float) -> dict[str, Any]:
    """What one fit says; nothing but the reason where it did not converge."""
    if not found.converged:
        return dict(status=found.status, note="")
    law = found.law
    out: dict[str, Any] = {str(k): v for k, v in found.frame()["estimate"].items()}
    out["value"] = found.value
    with jax.enable_x64(True):
        given = {name: jnp.asarray(at[name], float) for name in law.inputs if name in at}
        if len(given) == len(law.inputs):
            out["prediction"] = float(law.scalar({**given, **found.params}))
            if {"N", "D"} <= set(given):
                N, a = map(float, _optimum(law, found.params, given, jnp.asarray(C, float)))
                D = C / PER_TOKEN / N
                out |= dict(N_opt=N, D_opt=D, tokens_per_parameter=D / N, a=a)
    notes = [f"dead term {name}" for name in found.dead] + list(found.at_bound)
    count = len(found.solution.value)
    if found.agreeing < count / 2:
        notes.append(f"{found.agreeing} of {count} starts agree")
    return out | dict(status=found.status, note="; ".join(notes))


@partial(jax.jit, static_argnums=0)
def _optimum(
    law: Law, params: Mapping[str, Array], at: Mapping[str, Array], C: Array
) -> tuple[Array, Array]:
    """N_opt at C, and the exponent with which it grows there; NaN where no optimum lies inside."""

    def log_best(log_pairs: Array) -> Array:  # log of N D
        def loss(log_n: Array) -> Array:
            sizes = dict(N=jnp.exp(log_n), D=jnp.exp(log_pairs - log_n))
            return law.scalar({**at, **params, **sizes})

        return argmin(loss, jnp.log(FEWEST), log_pairs - jnp.log(FEWEST))

    best, exponent = jax.value_and_grad(log_best)(jnp.log(C / PER_TOKEN))
    return jnp.exp(best), exponent


def _largest(law: Law, runs: Runs) -> dict[str, Any]:
    first = next(iter(law.inputs))
    if first not in runs.inputs or runs.inputs[first].ndim != 1:
        raise InputError(f"{runs.name}: say where to predict, e.g. at=dict({first}=...).")
    i = int(np.argmax(np.where(runs.weight > 0, runs.inputs[first], -np.inf)))
    return {name: values[i] for name, values in runs.inputs.items()}


def _written(objective: Objective) -> str:
    """An objective with its first number and those that are not the default: Huber(0.001)."""
    fields = dataclasses.fields(objective)  # type: ignore[arg-type]
    values = [(f, getattr(objective, f.name)) for f in fields]
    shown = [f"{v:.3g}" for i, (f, v) in enumerate(values) if i == 0 or v != f.default]
    return f"{objective.label}({', '.join(shown)})"


def _check(
    laws: Sequence[Law],
    runs: Runs,
    spaces: Sequence[str] | None,
    drop: Sequence[int],
    C: float,
) -> None:
    if not laws or not all(isinstance(law, Law) for law in laws):
        raise InputError(f"sensitivity takes laws first, e.g. jl.laws.chinchilla; got {laws!r}.")
    for law in laws:
        if law.target.name != laws[0].target.name:
            raise InputError(
                f"{laws[0].name} predicts {laws[0].target.name} and {law.name} {law.target.name}; "
                "one table holds predictions of the same quantity."
            )
    n = int((runs.weight > 0).sum())
    for count in drop:
        if not 0 <= count < n:
            raise InputError(f"drop takes numbers of runs from 0 to {n - 1}; got {count}.")
    if not math.isfinite(C) or C / PER_TOKEN <= FEWEST**2:
        raise InputError(f"C is compute in FLOP, e.g. 5.88e23; got {C}.")
    for space in spaces or ():
        if space not in SPACES:
            raise InputError(f"spaces are among {', '.join(SPACES)}; got {space!r}.")
    if not len(drop):
        raise InputError("drop needs at least one number; (0,) leaves nothing out.")
