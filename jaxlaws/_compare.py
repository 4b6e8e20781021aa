"""compare: several laws on the same runs, the best extrapolation first."""

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from jax import Array

from jaxlaws._errors import InputError, InputWarning
from jaxlaws._fit import FLAT, Fit, fit
from jaxlaws._law import Law
from jaxlaws._objective import Huber, Objective
from jaxlaws._profile import log_likelihood
from jaxlaws._runs import Runs
from jaxlaws._solver import Newton

LARGEST = 0.2  # share of the runs that are held out where nothing else is asked for

COLUMNS = (
    "test_rmsle test_bias worst fit_value p aicc delta_aicc weight starts_agree status note"
).split()


def compare(
    laws: Law | Sequence[Law],
    runs: Runs,
    *,
    test: Any = None,
    objective: Objective | None = None,
    space: str | None = None,
    starts: int = 64,
    key: Array | None = None,
    solver: Newton | None = None,
) -> pd.DataFrame:
    r"""Fit several laws to the same runs and order them by how well they extrapolate.

    Every law is fitted twice: to the runs that are not held out, which gives the columns about the
    test, and to all runs, which gives the information criterion.

    Args:
        laws: The laws; all must predict the same quantity.
        runs: The runs, with the inputs of every law.
        test: (n,) mask of the runs to hold out. None holds out the largest fifth: by the product of
            the positive inputs that all laws share, or by the first input of the first law.
        objective: What to minimise; Huber(1e-3) when None.
        space: Space of the residuals; None takes what the laws' targets ask for, "natural" where
            they differ.
        starts: Starts of every fit.
        key: Seeds the starts; None is a fixed seed.
        solver: Solver settings.

    Returns:
        One row per law, indexed by name, best extrapolation first; `attrs` holds held_out (in
        words), test (the mask), space, objective and starts. A law that cannot be fitted keeps its
        row, with the reason in `status`; numbers of a fit that did not converge are left out.

        - test_rmsle: root mean square of predicted minus measured over held-out runs, in the space
          of residuals (relative error, where that is the logarithm).
        - test_bias: mean of the same; above zero the law predicts too high a value.
        - worst: the largest of them in size, with its sign.
        - fit_value: objective over the runs that were fitted for the test.
        - p: number of parameters.
        - aicc: corrected Akaike criterion over all runs,
          $-2\ell + 2k + 2k(k+1)/(n-k-1)$ with k = p + 1 and $\ell$ the likelihood that belongs to
          the objective, at its best scale.
        - delta_aicc: aicc above the lowest one.
        - weight: Akaike weight, $e^{-\Delta/2}$ scaled to sum to one.
        - starts_agree: share of the starts that reach the lowest minimum of the test's fit.
        - status: "converged", or what went wrong.
        - note: dead terms, parameters at a bound, directions that are not identified.

    Raises:
        InputError: The laws predict different quantities, none is given, or the mask has the wrong
            shape, or holds out nothing or everything.

    >>> import jaxlaws as jl
    >>> runs = jl.datasets.runs("simulated_chinchilla")
    >>> table = compare([jl.laws.kaplan_n, jl.laws.chinchilla], runs, starts=8)
    >>> list(table.index), table.attrs["held_out"]
    (['chinchilla', 'kaplan_n'], '17 of 81 runs, those with the largest N')
    """
    laws = (laws,) if isinstance(laws, Law) else tuple(laws)
    same_target(laws)
    objective = objective or Huber()
    space = space or common_space(laws)
    held, said = _held_out(laws, runs, test)
    live = runs.weight > 0
    settings: dict[str, Any] = dict(
        objective=objective, space=space, starts=starts, key=key, solver=solver
    )
    # Held-out runs keep their place with weight zero: both fits then share one compiled solve.
    train = replace(runs, weight=np.where(held, 0.0, runs.weight))
    with warnings.catch_warnings(record=True) as heard:  # every law would say the same
        warnings.simplefilter("always")
        rows = [_row(law, train, runs, held & live, settings) for law in laws]
    for message, category in dict.fromkeys((str(w.message), w.category) for w in heard):
        warnings.warn(message, category, stacklevel=2)
    table = pd.DataFrame(rows, columns=COLUMNS, index=pd.Index([x.name for x in laws], name="law"))
    table["delta_aicc"] = table["aicc"] - table["aicc"].min()
    weight = np.exp(-table["delta_aicc"] / 2)
    table["weight"] = weight / weight.sum()
    table = table.sort_values(["test_rmsle", "aicc"], kind="stable")
    table.attrs.update(
        held_out=said, test=held, space=space, objective=objective.label, starts=starts
    )
    return table


def _row(
    law: Law, train: Runs, runs: Runs, held: np.ndarray, settings: Mapping[str, Any]
) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(COLUMNS, math.nan)
    fits: dict[str, Fit] = {}
    failed: dict[str, str] = {}  # reason -> which fits, so that a reason is given once
    for label, table in (("", train), ("all runs", runs)):
        try:
            with warnings.catch_warnings():
                if not label:  # heard again from all runs
                    warnings.simplefilter("ignore", InputWarning)
                found = fit(law, table, **settings)
            if found.converged:
                fits[label] = found
            else:
                failed.setdefault(found.status, label)
        except InputError as refusal:
            failed.setdefault(str(refusal), label)
    status = "; ".join(f"{label}: {why}" if label else why for why, label in failed.items())
    row |= dict(p=_size(law), status=status or "converged")
    notes = [note for found in fits.values() for note in _notes(found)]
    if "" in fits:
        found = fits[""]
        # The fit's residual is measured minus fitted and holds every run, the held-out ones too.
        error, weight = -found.residual[held], runs.weight[held]
        row |= dict(fit_value=found.value, starts_agree=found.agreeing / len(found.solution.value))
        if np.isfinite(error).all():
            row |= dict(
                test_rmsle=math.sqrt(np.average(error**2, weights=weight)),
                test_bias=float(np.average(error, weights=weight)),
                worst=float(error[np.argmax(np.abs(error))]),
            )
        else:
            notes.append("no finite prediction for a held-out run")
    if "all runs" in fits:
        row["aicc"] = _aicc(fits["all runs"])
        if math.isnan(row["aicc"]):
            notes.append("too few runs for aicc")
    return row | dict(note="; ".join(dict.fromkeys(notes)))


def _aicc(found: Fit) -> float:
    n = int((found.runs.weight > 0).sum())
    k = _size(found.law) + 1
    if n <= k + 1:
        return math.nan
    best = log_likelihood(found.objective, -found.residual, found.runs.weight)
    return -2 * best + 2 * k + 2 * k * (k + 1) / (n - k - 1)


def _notes(found: Fit) -> list[str]:
    out = [f"dead term {name}" for name in found.dead] + list(found.at_bound)
    if found.condition > FLAT:
        out.append("not identified")
    return out


def _size(law: Law) -> int:
    return sum(int(np.prod(p.size)) for p in law.params.values())


def same_target(laws: Sequence[Law]) -> None:
    if not laws:
        raise InputError("compare needs at least one law, e.g. [jl.laws.chinchilla].")
    for law in laws:
        if not isinstance(law, Law):
            raise InputError(f"compare takes laws, got {type(law).__name__}; is @jl.law missing?")
    first = laws[0].target
    for law in laws[1:]:
        if (law.target.name, law.target.unit) != (first.name, first.unit):
            raise InputError(
                f"{laws[0].name} predicts {first.name} [{first.unit}] and {law.name} "
                f"{law.target.name} [{law.target.unit}]; compare laws of the same quantity."
            )


def common_space(laws: Sequence[Law]) -> str:
    """The space that the targets of laws ask for, "natural" where they differ."""
    asked = {law.target.space for law in laws}
    return asked.pop() if len(asked) == 1 else "natural"


def _held_out(laws: Sequence[Law], runs: Runs, test: Any) -> tuple[np.ndarray, str]:
    """The mask (n,) of held-out runs, and in words how it came about."""
    live = runs.weight > 0
    n = int(live.sum())
    if test is not None:
        held = np.asarray(test)
        if held.shape != (len(runs),) or held.dtype != bool:
            raise InputError(
                f"{runs.name}: test is a mask with one True or False per run, shape "
                f"({len(runs)},); got {held.dtype} of shape {held.shape}."
            )
        said = f"{int((held & live).sum())} of {n} runs, as given"
    else:
        names = extents(laws, runs)
        size = np.prod([runs.inputs[name] for name in names], axis=0)
        cut = np.quantile(size[live], 1 - LARGEST)
        # Runs of one size belong together: a repeat of a held-out run is no training run.
        held = size >= cut if np.mean(size[live] >= cut) <= 0.5 else size > cut
        said = f"{int((held & live).sum())} of {n} runs, those with the largest {' x '.join(names)}"
    if not (held & live).any() or not (~held & live).any():
        raise InputError(
            f"{runs.name}: test holds out {said.split(',')[0]}; at least one, and not all of them."
        )
    return held, said


def extents(laws: Sequence[Law], runs: Runs) -> list[str]:
    """The inputs whose product says how large a run is."""
    shared = [
        name
        for name, variable in laws[0].inputs.items()
        if all(name in law.inputs for law in laws)
        and variable.support.name == "positive"
        and not variable.size
        and name in runs.inputs
    ]
    first = next(iter(laws[0].inputs))
    if not shared and (first not in runs.inputs or runs.inputs[first].ndim != 1):
        raise InputError(
            f"{runs.name}: there is no input that says how large a run is; name the runs to hold "
            "out, e.g. test=runs.target < 2.5."
        )
    return shared or [first]
