"""How many minimisations a core has in work at a time, down to all of them in lock-step."""

import time

import jax
import numpy as np

import jaxlaws as jl
from benchmarks.record import Section
from jaxlaws._risk import ROWS, minimise

LANES = (None, 8, 16, 32, 64, 256, ROWS)
RUNS, REPEATS = (240, 2000), 3
NOISE = 0.01
TRUTH = dict(E=1.8172, A=482.01, B=2085.43, alpha=0.3478, beta=0.3658)


def table(runs: int) -> jl.Runs:
    """Epoch's points, or simulated runs where another number is asked for."""
    epoch = jl.datasets.runs("chinchilla_epoch")
    if runs == len(epoch):
        return epoch
    rng = np.random.default_rng(0)
    N, D = np.exp(rng.uniform(np.log([[4e7], [8e8]]), np.log([[2e10], [6e11]]), (2, runs)))
    exact = np.asarray(jl.laws.chinchilla(N, D, **TRUTH))
    return jl.Runs.from_arrays(exact * np.exp(NOISE * rng.standard_normal(runs)), N=N, D=D)


def measure(smoke: bool = False) -> Section:
    """The table of lanes."""
    repeats = 1 if smoke else REPEATS
    rows = []
    for runs in RUNS[:1] if smoke else RUNS:
        fit = jl.fit(jl.laws.chinchilla, table(runs))
        draws = 16 if smoke else ROWS * RUNS[0] // runs
        with jax.enable_x64(True):
            weight = np.asarray(jl.Pairs().draw(jax.random.key(0), np.arange(draws), fit.sample)[0])
        fastest: dict[int | None, float] = {}
        for number in range(repeats + 1):
            for lanes in LANES[:2] if smoke else LANES:
                begin = time.perf_counter()
                found = minimise(
                    fit.problem,
                    jl.Newton(lanes=lanes and min(lanes, draws)),
                    np.tile(fit.minima[0], (draws, 1)),
                    np.arange(draws),
                    lambda ids, weight=weight: (weight[ids], None, np.zeros(len(ids), int)),
                )
                seconds = time.perf_counter() - begin
                if number:  # the first compiles
                    fastest[lanes] = min(fastest.get(lanes, np.inf), seconds)
        rows += [
            {
                "runs": runs,
                "refits": draws,
                "lanes": {None: "as chosen", ROWS: "all: lock-step"}.get(lanes, str(lanes)),
                "s": seconds,
                "to the chosen": seconds / fastest[None],
            }
            for lanes, seconds in fastest.items()
        ]
        rows[-1] |= {"mean steps": float(found.steps.mean()), "most steps": int(found.steps.max())}
    return Section(title="Lanes of the solver", text=TEXT, rows=rows)


TEXT = """\
Refits from the minimum of the runs as they are, without restarts, on all cores. A lane that has
finished takes the next task; in lock-step all begin together and the slowest ends them, as in
`jit(vmap(...))` of a loop."""
