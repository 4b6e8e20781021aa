"""Hoffmann's grid of 4500 starts: the global minimum, and how long each tool takes to find it."""

import itertools

import numpy as np

import jaxlaws as jl
from benchmarks.peers import OPTIMISTIX, SCIPY, Contender, Result, contend, small, worth
from benchmarks.peers.common import Points
from benchmarks.record import Goal, Section
from benchmarks.speed import BEST

ROUNDS = 2
AGREE = 1e-6  # relative: an end this close to the minimum has found it
FOUND = "jaxlaws, all starts"
DEFAULT = "jaxlaws, its own 128 starts"
NOTEBOOK = "scipy L-BFGS-B, finite differences (notebook)"
CONTENDERS = (
    Contender(DEFAULT, "jaxlaws_fit", refits=4500, calls=4),
    Contender(FOUND, "jaxlaws_grid", refits=4500, calls=3),
    Contender(
        "optimistix BFGS, vmap", "optimistix_bfgs", OPTIMISTIX, refits=1000, calls=2, rounds=1
    ),
    Contender(NOTEBOOK, "scipy_lbfgsb", SCIPY, refits=100, calls=2),
    Contender("scipy BFGS, gradient", "scipy_bfgs", SCIPY, refits=200, calls=2),
)


def starts() -> Points:
    """Epoch's points and the grid, in an order in which its beginning is a fair sample."""
    a = b = np.arange(0.0, 30.0, 5.0)
    e, alpha, beta = np.arange(-1.0, 1.5, 0.5), np.arange(0.0, 2.5, 0.5), np.arange(0.0, 2.5, 0.5)
    grid = np.array(list(itertools.product(a, b, e, alpha, beta)))
    runs = jl.datasets.runs("chinchilla_epoch")
    return Points(
        N=runs.inputs["N"],
        D=runs.inputs["D"],
        L=runs.target,
        counts=np.ones((len(grid), len(runs))),
        starts=np.random.default_rng(0).permutation(grid),
    )


def measure(smoke: bool = False) -> Section:
    """The table of the grid."""
    points = starts()
    if smoke:
        points = points._replace(counts=points.counts[:20], starts=points.starts[:20])
    scripts = ("jaxlaws_fit", "jaxlaws_grid", "scipy_bfgs", "scipy_lbfgsb")
    chosen = small(CONTENDERS, scripts) if smoke else CONTENDERS
    results = contend(chosen, {c.name: points for c in chosen}, rounds=1 if smoke else ROUNDS)
    return section(results, points)


def section(results: dict[str, Result], points: Points) -> Section:
    total = len(points.starts)
    rows = []
    for name, result in results.items():
        if result.error:
            rows.append({"contender": name, "failed": result.error})
            continue
        value = worth(result, points)
        own = name == DEFAULT  # its starts are not those given
        rows.append(
            {
                "contender": name,
                "starts timed": 128 if own else result.refits,
                "warm, s": min(result.warm) if own else result.seconds(total),
                "objective / lowest": float(np.nanmin(value) / BEST),
                "share at the minimum": float(np.mean(value <= BEST * (1 + AGREE))),
            }
        )
    seconds = {r["contender"]: r["warm, s"] for r in rows if "failed" not in r}
    lowest = {r["contender"]: r["objective / lowest"] for r in rows if "failed" not in r}
    goals = [
        Goal(
            f"{ours}: the global minimum in at most a hundredth of the time of {theirs}",
            f"{seconds[theirs] / seconds[ours]:.0f}x faster, objective / lowest {lowest[ours]:.9f}",
            seconds[theirs] >= 100 * seconds[ours] and lowest[ours] <= 1 + AGREE,
        )
        for ours in (FOUND, DEFAULT)
        for theirs in (NOTEBOOK, "scipy BFGS, gradient")
    ]
    return Section(title="Hoffmann's grid of starts", text=TEXT, rows=rows, goals=goals)


TEXT = """\
Epoch's points as they are, Huber(1e-3). The grid is a, b in 0, 5, ..., 25, e in -1, ..., 1, alpha
and beta in 0, ..., 2: 4500 starts in a random order, of which the slow tools get the first ones;
their times are scaled to 4500. Ours follows each given start twice, through a widened objective
and as it is. `share at the minimum`: ends within 1e-6 of the lowest objective."""
