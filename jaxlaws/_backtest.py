"""backtest: every law refitted without the largest runs, cut after cut, and how far it missed."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import jax
import numpy as np
import pandas as pd
from jax import Array

from jaxlaws._compare import common_space, extents, same_target
from jaxlaws._coordinates import coordinates
from jaxlaws._discrepancy import Discrepancy, discrepancy
from jaxlaws._errors import InputError
from jaxlaws._fit import check_settings, check_space
from jaxlaws._law import Law
from jaxlaws._objective import Huber, Objective
from jaxlaws._risk import build
from jaxlaws._rolling import refitted
from jaxlaws._runs import Runs, Stack
from jaxlaws._solver import CONVERGED, NOT_FINITE, STATUS, Newton, Solution

KEPT = 0.5  # a cut keeps at least this share of the runs, where that leaves enough cuts
FEWEST = 3  # cuts without which a law's errors say nothing about how they grow
SAME = 1e-6  # sizes whose logs differ by less are one size


@dataclass(frozen=True, eq=False)
class Backtest:
    """How far laws missed the largest runs of a table when refitted without them.

    Attributes:
        laws: The laws, axis (law,).
        runs: The runs (n,).
        size: Names of the inputs whose product says how large a run is.
        objective: What was minimised.
        space: Space of the residuals.
        cuts: (c,) the largest size that a cut keeps in the sample.
        weight: (c, n) weights of the runs at a cut, zero for those held out.
        distance: (c, n) log of a held-out run's size over its cut's; NaN in the sample.
        error: (law, c, n) predicted minus measured in the space of residuals, at held-out runs;
            NaN in the sample, and where the refit is no certified minimum.
        expected: (law, c, n) standard deviation that noise and uncertain parameters explain.
        noise: (law, c) standard deviation of a single run's noise, from the sample's residuals.
        value: (law, c) objective of every refit, summed over runs.
        status: (law, c) the solver's status of every refit; zero is converged.
        failed: (law, c) whether a refit is no certified minimum or predicts no number.
        refused: (law,) why a law could not be refitted; empty for those that could.
        prior: (law,) how much each law is believed before this table's errors are seen: alike, or
            as other tables have it, see `jl.pool`.
    """

    laws: tuple[Law, ...]
    runs: Runs
    size: tuple[str, ...]
    objective: Objective
    space: str
    cuts: np.ndarray
    weight: np.ndarray
    distance: np.ndarray
    error: np.ndarray
    expected: np.ndarray
    noise: np.ndarray
    value: np.ndarray
    status: np.ndarray
    failed: np.ndarray
    refused: tuple[str, ...]
    prior: np.ndarray

    @cached_property
    def discrepancies(self) -> tuple[Discrepancy | None, ...]:
        """(law,) what the errors say about each law's own error; None for a law without any."""
        return tuple(
            self._weighed(i, ~bad) if self._usable(i) else None for i, bad in enumerate(self.failed)
        )

    @cached_property
    def weights(self) -> np.ndarray:
        r"""(law,) weights for `jl.average`, summing to one: $w \propto \pi\, p(\text{errors})$.

        The prior times the probability of the errors of all cuts under noise, uncertain parameters
        and discrepancy, each cut counting as one observation: the rolling held-out log score. Cuts
        at which a law failed are left out for all; a law that failed at more than half of them has
        no weight.

        Raises:
            InputError: There is no cut at which all laws that could be refitted were.
        """
        share = self._shares
        if np.isnan(share).any():
            bad = [i for i in range(len(self.laws)) if self.refused[i] or self.failed[i].any()]
            why = "; ".join(f"{self.laws[i].name}: {self._why(i)}" for i in bad)
            raise InputError(
                f"{self.runs.name}: there is no cut at which every law has a certified refit, so "
                f"that no weights can be given ({why}); leave out a law that fails, fix one of its "
                "parameters, or, where it is out of steps, give more: "
                "backtest(..., solver=jl.Newton(max_steps=5000))."
            )
        return share

    @cached_property
    def _shares(self) -> np.ndarray:
        """(law,) the weights; NaN where no cut is common to the laws that could be refitted."""
        score = self.score + np.log(self.prior)
        share = np.exp(score - score.max())
        return np.asarray(share / share.sum())

    @cached_property
    def score(self) -> np.ndarray:
        """(law,) log probability of the errors at the cuts common to all laws that were refitted.

        -inf for a law that was not, or at too few cuts; NaN for all where no cut is common.
        """
        usable = [i for i in range(len(self.laws)) if self._usable(i)]
        common = ~self.failed[usable].any(axis=0)
        if not usable or not common.any():
            return np.full(len(self.laws), np.nan)
        score = np.full(len(self.laws), -np.inf)
        for i in usable:
            score[i] = self._weighed(i, common).evidence
        return score

    def of(self, law: Law) -> Discrepancy:
        """The discrepancy of one law.

        Raises:
            InputError: The law was not backtested, or could not be refitted.
        """
        if law not in self.laws:
            known = ", ".join(one.name for one in self.laws)
            raise InputError(f"This backtest is of {known}, not of {law.name}; backtest it too.")
        i = self.laws.index(law)
        found = self.discrepancies[i]
        if found is None:
            raise InputError(f"{law.name} could not be backtested: {self._why(i)}.")
        return found

    def tested(self, law: Law) -> bool:
        """Whether a law could be refitted at half the cuts or more, so that `of` has an answer."""
        return law in self.laws and self._usable(self.laws.index(law))

    def beyond(self, points: dict[str, np.ndarray]) -> np.ndarray:
        """(m,) distance of points from the runs: log of size over the largest, or below the least.

        Raises:
            InputError: An input that says how large a run is is missing.
        """
        if missing := [name for name in self.size if name not in points]:
            raise InputError(
                f"This backtest measures distance by {' x '.join(self.size)}; the law has no input "
                f"{missing[0]}, so ask for another size in jl.backtest."
            )
        at = sum(np.log(points[name]) for name in self.size)
        seen = _log_size(self.runs, self.size)[self.runs.weight > 0]
        return np.maximum(0.0, np.maximum(at - seen.max(), seen.min() - at))

    def frame(self) -> pd.DataFrame:
        """One row per law, cut and held-out run: size kept, row, distance, error, expected."""
        law, cut, run = np.nonzero(np.isfinite(self.error))
        return pd.DataFrame(
            dict(
                law=[self.laws[i].name for i in law],
                cut=self.cuts[cut],
                row=[self.runs.rows[i] for i in run],
                distance=self.distance[cut, run],
                error=self.error[law, cut, run],
                expected=self.expected[law, cut, run],
            )
        )

    def summary(self) -> pd.DataFrame:
        """One row per law: cuts, failed refits, errors, what explains them, weight.

        rmse and bias are of the errors, explained the root mean square of what noise and
        parameters explain; discrepancy is the typical extra error at the farthest distance.
        """
        far = np.array([np.nanmax(self.distance)])
        rows = []
        for i, (found, weight) in enumerate(zip(self.discrepancies, self._shares, strict=True)):
            here = np.isfinite(self.error[i])
            error, known = self.error[i][here], self.expected[i][here]
            row: dict[str, Any] = dict(law=self.laws[i].name, weight=weight)
            row |= dict(refits=len(self.cuts), failed=int(self.failed[i].sum()))
            if found is not None:
                row |= dict(
                    rmse=math.sqrt(np.mean(error**2)),
                    bias=float(np.mean(error)),
                    explained=math.sqrt(np.mean(known**2)),
                    discrepancy=float(found.typical(far)[0]),
                    exponent=found.exponent[0],
                )
            rows.append(row)
        return pd.DataFrame(rows).set_index("law")

    def words(self, law: Law) -> str:
        """What the backtest of a law adds to an interval, in words."""
        good = int((~self.failed[self.laws.index(law)]).sum())
        return (
            f"how far the law missed larger runs in {good} refits without them (up to "
            f"{math.exp(np.nanmax(self.distance)):.3g} times the largest {' x '.join(self.size)} "
            "kept)"
        )

    def __repr__(self) -> str:
        held = np.isfinite(self.distance).sum(axis=1)
        head = (
            f"Backtest on {self.runs.name}: {len(self.cuts)} cuts hold out {held.max()} to "
            f"{held.min()} of the runs, those with the largest {' x '.join(self.size)}, up to "
            f"{math.exp(np.nanmax(self.distance)):.3g} times beyond the rest\n"
            f"  errors of {self.space} {self.laws[0].target.name}: rmse and bias of what was "
            "predicted; explained by noise and parameters; discrepancy beyond that at the "
            "farthest distance"
        )
        lines = self.summary().to_string(float_format="{:.4g}".format, na_rep="").split("\n")
        notes = [
            f"note: {self.laws[i].name} has no weight: {self._why(i)}."
            for i in range(len(self.laws))
            if not self._usable(i)
        ]
        return "\n".join([head, *("  " + line for line in [*lines, *notes])])

    def _usable(self, law: int) -> bool:
        return not self.refused[law] and bool(np.mean(self.failed[law]) <= 0.5)

    def _why(self, law: int) -> str:
        if self.refused[law]:
            return self.refused[law]
        bad = self.failed[law]
        counts = [
            f"{int(np.sum(self.status[law] == code))} {word}"
            for code, word in STATUS.items()
            if code != CONVERGED and np.any(self.status[law] == code)
        ]
        told = f" ({', '.join(counts)})" if counts else ""
        return f"{int(bad.sum())} of {len(self.cuts)} refits are no certified minima{told}"

    def _weighed(self, law: int, cuts: np.ndarray) -> Discrepancy:
        here = np.isfinite(self.error[law]) & cuts[:, None]
        cut, _ = np.nonzero(here)
        return discrepancy(
            self.error[law][here],
            self.noise[law][cut],
            self.expected[law][here],
            self.distance[here],
            cut,
        )


def backtest(
    laws: Law | Sequence[Law],
    runs: Runs | Stack,
    *,
    size: Sequence[str] | None = None,
    cuts: int = 8,
    objective: Objective | None = None,
    space: str | None = None,
    starts: int = 32,
    key: Array | None = None,
    solver: Newton | None = None,
) -> Any:
    r"""Hold out the largest runs at cuts that roll outwards, and refit every law without them.

    A cut keeps the runs up to a size and predicts all larger ones. Every law is refitted at all
    cuts in one compiled solve from many starts. A held-out error e at distance d, the log of size
    over the largest size kept, is set against what is explained,

    $$s^2 = \sigma^2 \left(1 + j^\top (J^\top W J + \sigma^2 I)^{-1} j\right)$$

    with sigma^2 the residual variance in the sample, J the slopes of residuals by z there and j
    that of the held-out run; I is the prior of z, which keeps what the runs leave open within what
    the literature finds. What is left is the law's own error, see `Discrepancy`.

    Args:
        laws: The laws; all must predict the same quantity.
        runs: The runs, or a `Runs.stack` of several tables, refitted in one call.
        size: Inputs whose product says how large a run is; None takes the positive inputs that all
            laws share, or the first input.
        cuts: At most so many cuts, spread evenly over the sizes that leave half the runs and more
            runs than parameters.
        objective: What to minimise; Huber(1e-3) when None.
        space: Space of the residuals; None takes what the laws' targets ask for, "natural" where
            they differ.
        starts: Starts of every refit.
        key: Seeds the starts; None is a fixed seed.
        solver: Solver settings.

    Returns:
        A `Backtest`, or a tuple of them for a stack.

    Raises:
        InputError: The laws predict different quantities, the runs do not fit a law, no input says
            how large a run is, or no law has more runs than parameters at three cuts.

    >>> import jaxlaws as jl
    >>> runs = jl.datasets.runs("simulated_chinchilla")
    >>> found = backtest([jl.laws.chinchilla, jl.laws.kaplan_n], runs, cuts=4, starts=8)
    >>> found.error.shape, found.weights.argmax()
    ((2, 4, 81), np.int64(0))
    """
    laws = (laws,) if isinstance(laws, Law) else tuple(laws)
    same_target(laws)
    objective, solver = objective or Huber(), solver or Newton()
    check_settings(objective, solver)
    space = space or common_space(laws)
    if cuts < FEWEST:
        raise InputError(f"A backtest takes at least {FEWEST} cuts; got {cuts}.")
    tables = runs.tables if isinstance(runs, Stack) else (runs,)
    plans = [_plan(laws, table, size, cuts) for table in tables]
    longest = max(len(table) for table in tables)
    for i, law in enumerate(laws):
        own = [plan for plan in plans if not plan.refused[i]]
        if not own:
            continue
        checked = [plan.runs.checked(law) for plan in own]
        for table in checked:
            check_space(table, space)
        with jax.enable_x64(True):
            padded = tuple(table.padded(longest) for table in checked)
            problem = build(law, padded, objective, space, "float64")
        ends = refitted(problem, solver, [plan.weight for plan in own], starts, key)
        for plan, end in zip(own, ends, strict=True):
            _put(plan, i, *end)
    found = tuple(replace(plan, objective=objective, space=space) for plan in plans)
    return found if isinstance(runs, Stack) else found[0]


def _plan(laws: Sequence[Law], runs: Runs, size: Sequence[str] | None, cuts: int) -> Backtest:
    """A backtest whose cuts are made and whose numbers are still to come."""
    names = _size(laws, runs, size)
    p = np.array([coordinates(law).size for law in laws])
    live = runs.weight > 0
    log_size = _log_size(runs, names)
    ends = np.sort(log_size[live])
    ends = ends[np.append(np.diff(ends) > SAME, False)]  # the last run of each size, save one
    kept = (log_size[None, :] <= ends[:, None]) & live[None, :]
    count = kept.sum(axis=1)
    enough = np.array([(count > k).sum() >= FEWEST for k in p])
    if not enough.any():
        i = int(p.argmin())
        raise InputError(
            f"{runs.name}: {laws[i].name} has {p[i]} parameters and only "
            f"{int((count > p[i]).sum())} cuts leave more runs than that (at least {FEWEST} must, "
            f"of {int(live.sum())} runs of {len(ends) + 1} sizes); add runs of other sizes, or "
            "hold parameters fixed."
        )
    able = count > p[enough].max()
    half = able & (count >= KEPT * live.sum())
    if half.sum() < FEWEST:
        half = able & (np.arange(len(count)) >= np.flatnonzero(able)[-FEWEST])
    chosen = np.flatnonzero(half)
    chosen = chosen[np.unique(np.linspace(0, len(chosen) - 1, cuts).round().astype(int))]
    distance = np.where(live & ~kept, log_size[None, :] - ends[:, None], np.nan)[chosen]
    c, n = distance.shape
    return Backtest(
        laws=tuple(laws),
        runs=runs,
        size=names,
        objective=Huber(),
        space="",
        cuts=np.exp(ends[chosen]),
        weight=np.where(kept, runs.weight, 0.0)[chosen],
        distance=distance,
        error=np.full((len(laws), c, n), np.nan),
        expected=np.full((len(laws), c, n), np.nan),
        noise=np.full((len(laws), c), np.nan),
        value=np.full((len(laws), c), np.nan),
        status=np.full((len(laws), c), NOT_FINITE),
        failed=np.ones((len(laws), c), bool),
        refused=tuple(
            ""
            if fine
            else f"it has {k} parameters, and fewer than {FEWEST} cuts of "
            f"{int(live.sum())} runs leave more runs than that"
            for fine, k in zip(enough, p, strict=True)
        ),
        prior=np.full(len(laws), 1 / len(laws)),
    )


def _size(laws: Sequence[Law], runs: Runs, size: Sequence[str] | None) -> tuple[str, ...]:
    if size is None:
        return tuple(extents(laws, runs))
    for name in size:
        if name not in runs.inputs or runs.inputs[name].ndim > 1 or (runs.inputs[name] <= 0).any():
            raise InputError(
                f"{runs.name}: size names positive inputs, one number per run each; {name!r} is "
                f"none (there are {', '.join(runs.inputs)})."
            )
    return tuple(size)


def _log_size(runs: Runs, names: Sequence[str]) -> np.ndarray:
    return np.sum([np.log(runs.inputs[name]) for name in names], axis=0)


def _put(
    plan: Backtest,
    law: int,
    best: Solution,
    error: np.ndarray,
    noise: np.ndarray,
    known: np.ndarray,
) -> None:
    """Write one law's refits at every cut into a plan."""
    n = len(plan.runs)
    held = np.isfinite(plan.distance)
    broken = (held & ~np.isfinite(error[:, :n] ** 2 + known[:, :n] ** 2)).any(axis=1)
    plan.failed[law] = broken | (best.status != CONVERGED)
    plan.value[law] = best.value
    plan.status[law] = best.status
    plan.noise[law] = noise
    here = held & ~plan.failed[law][:, None]
    plan.error[law] = np.where(here, error[:, :n], np.nan)
    plan.expected[law] = np.where(here, known[:, :n], np.nan)
