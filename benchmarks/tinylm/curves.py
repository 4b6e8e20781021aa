"""The loss curves as runs of the laws over schedules."""

import jax
import numpy as np

import jaxlaws as jl
from benchmarks.tinylm import design
from benchmarks.tinylm.schedule import WARMUP, rates
from benchmarks.tinylm.train import Run
from jaxlaws import laws

STARTS = 16  # nearly all agree
STAIR = 40  # steps with one rate, a little more than one per cent of the longest run
KINDS = {"multi_power_law": laws.multi_power_law, "lr_annealing": laws.lr_annealing}


def plan() -> list[Run]:
    """Return the runs with curves, and one on the schedule of the forecast that is never trained.

    The curve of a law is the number of its run in this list.
    """
    runs = design.schedules()
    longest = max(runs, key=lambda one: one.steps)
    return [*runs, design.replace(longest, name="schedule-linear", schedule="linear")]


def law(kind: str) -> jl.Law:
    """Return a law over the schedules of the plan."""
    steps = max(one.steps for one in plan())
    rows = []
    for one in plan():
        pace = rates(one.schedule, one.rate, one.steps)
        if kind == "lr_annealing":  # the law enters warm-up at the peak rate
            warm = np.arange(one.steps) < WARMUP * one.steps
            pace = np.where(warm, one.rate, pace)
        # Steps beyond a run's end are never asked for.
        pace = np.pad(pace, (0, steps - one.steps), mode="edge")
        # The laws sum over changes of the rate: a staircase keeps the sums short.
        starts = np.arange(0, steps, STAIR)
        mean = np.add.reduceat(pace, starts) / np.diff([*starts, steps])
        rows.append(np.repeat(mean, STAIR)[:steps])
    return KINDS[kind](np.stack(rows))


def runs(where: str = "") -> jl.Runs:
    """Return the points of the curves, all or those of a query, without their steep start."""
    frame = jl.datasets.load("tinylm", "curves")
    number = {one.name: i for i, one in enumerate(plan())}
    frame = frame.assign(curve=frame["run"].map(number), at=frame["step"] - 1)
    # Warm-up ends at a twentieth; the laws say nothing of the fall right after it.
    frame = frame[frame["step"] > frame["step"].max() / 10]
    if where:
        frame = frame.query(where)
    return jl.Runs.from_frame(frame, curve="curve", step="at", target="loss", name="tinylm curves")


def ratio(kind: str = "multi_power_law") -> float:
    """Return the final loss under the linear schedule over that under a cosine, by a fitted law."""
    number = {one.name: i for i, one in enumerate(plan())}
    (linear,) = (one for one in plan() if one.name == "schedule-linear")
    (cosine,) = (one for one in plan() if one.schedule == "cosine" and one.steps == linear.steps)
    fitted = jl.fit(law(kind), runs(), starts=STARTS).bind()
    last = linear.steps - 1.0
    which = np.array([number[linear.name], number[cosine.name]], float)
    with jax.enable_x64(True):  # the law numbers its steps in 64 bits
        found = fitted(which, np.full(2, last))
    return float(found[0] / found[1])
