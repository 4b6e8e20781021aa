"""Loss along training under learning-rate schedules: one table, two laws."""

from collections.abc import Iterator
from typing import Any

import numpy as np

import jaxlaws as jl
from benchmarks.refits.row import Row, explained, number, objective_at, predicted
from tests import certified

EXACT = "README, exact minimum"
EVERY = 4
METRICS = ("R2", "mean absolute error", "root mean squared error", "mean relative error")
METRICS += ("largest relative error",)


def _table(names: Any, warm_up: bool) -> np.ndarray:
    """Learning rates (curves, T); without warm-up its steps count at the peak rate."""
    rates = [certified.schedule(name) for name in names]
    longest = max(map(len, rates))
    table = np.array([np.pad(r, (0, longest - len(r)), mode="edge") for r in rates])
    if not warm_up:
        table[:, : certified.WARM_UP] = certified.PEAK
    return table


def _runs(size: str, split: str) -> tuple[list[str], jl.Runs]:
    curves = certified.loss_curves(size, split)
    return list(curves), jl.Runs.from_arrays(
        np.concatenate([rows["loss"] for rows in curves.values()]),
        curve=np.repeat(np.arange(len(curves)), [len(rows) for rows in curves.values()]),
        step=np.concatenate([rows["step"] for rows in curves.values()]),
        name=f"{size} {split}",
    )


def _metrics(law: jl.Law, params: Any, runs: jl.Runs) -> np.ndarray:
    """Means over curves of the five metrics."""
    fitted, found = predicted(law, params, runs), []
    for curve in np.unique(runs.inputs["curve"]):
        mine = runs.inputs["curve"] == curve
        y, off = runs.target[mine], np.abs(fitted[mine] - runs.target[mine])
        share = off / y
        root = np.sqrt(np.mean(off**2))
        found.append((explained(y, fitted[mine]), off.mean(), root, share.mean(), share.max()))
    return np.mean(found, axis=0)


def multi_power_law() -> Iterator[Row]:
    """Luo et al.: three training schedules, six held out; the annealing law on the same curves."""
    data = "multi_power_law"
    for size in ("25M", "400M"):
        (names, train), (others, test) = (_runs(size, split) for split in ("train", "test"))
        law = jl.laws.multi_power_law(_table(names, warm_up=True))
        apart = jl.laws.multi_power_law(_table(others, warm_up=True))
        theirs = law.published(f"luo2025_{size}")
        printed = certified.SCHEDULE_METRICS[size, "published"]
        ours = _metrics(apart, theirs, test)
        for name, value, got in zip(METRICS, printed, ours, strict=True):
            what = f"{name} of the test curves at the published constants, {size}"
            yield Row(data, law.name, what, str(value), "README", float(got))
        # All rows take minutes and 8 GB a lane; tests/test_certified.py descends on all of them.
        start: Any = theirs
        for every in (16, EVERY):
            part = train.where(np.arange(len(train)) % every == 0)
            one = {name: [number(value)] for name, value in start.items()}
            start = jl.fit(law, part, starts=one, solver=jl.Newton(lanes=1)).params
        at, ours = (objective_at(law, params, train) for params in (theirs, start))
        what = f"objective, {size}, {len(train)} rows, at the fit to every {EVERY}th"
        source = "the published constants"
        yield Row(data, law.name, what, "", source, ours, True, at)
        value = str(certified.SCHEDULE_OBJECTIVE[size][1])
        reason = "the minimum over all rows, ours is over a quarter of them"
        yield Row(data, law.name, what, value, EXACT, ours, finding=reason)
        for name, value, got in zip(METRICS, printed, _metrics(apart, start, test), strict=True):
            what = f"{name} of the test curves at that fit, {size}"
            reason = "the published fit stopped early, which regularises it"
            yield Row(data, law.name, what, str(value), "README", float(got), finding=reason)


def lr_annealing() -> Iterator[Row]:
    """Tissue et al.'s law on the curves of Luo et al., warm-up counted at the peak rate."""
    data = "multi_power_law"
    for size in ("25M", "400M"):
        names, train = _runs(size, "train")
        law = jl.laws.lr_annealing(_table(names, warm_up=False))
        fit = jl.fit(law, train)
        theirs = law.published(f"refit_{size}")
        at = objective_at(law, theirs, train)
        what = f"objective, {size}, {len(train)} rows of three curves"
        yield Row(data, "lr_annealing", what, "", "constants of the catalogue", fit.value, True, at)
        for name, value in theirs.items():
            what = f"{name}, {size}"
            got = number(fit.params[name])
            source = "constants of the catalogue"
            reason = "the stored refit stopped short: at its constants the objective is higher"
            yield Row(data, "lr_annealing", what, f"{value:.4f}", source, got, finding=reason)


REFITS = (multi_power_law, lr_annealing)
