"""How often do the intervals hold the truth? Coverage of every bootstrap on simulated tables.

Tables of runs are simulated from the Chinchilla law with known constants on an IsoFLOP design; each
is fitted and resampled, and the intervals are compared with the constants and with the law at ten
times the largest budget. A nominal 95 % interval should hold the truth in 95 % of the tables; the
standard error of each share printed is sqrt(p (1 - p) / replications), 0.7 points at 1000.

    python -m benchmarks.coverage --replications 1000 --runs 60 240

All tables of a setting have one design, so that a refit of any table is one more task of the same
compiled problem, with another target: resamplers, solver and intervals are the library's own, and
`tests/test_calibration.py` checks that a table alone gives the same through `jl.bootstrap`.
"""

import argparse
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from scipy.stats import t as student

import jaxlaws as jl
from jaxlaws._interval import interval
from jaxlaws._resample import Sample
from jaxlaws._risk import minimise
from jaxlaws._solver import CONVERGED, Solution
from jaxlaws.datasets import simulate

TRUTH = dict(E=simulate.E, A=simulate.A, B=simulate.B, alpha=simulate.ALPHA, beta=simulate.BETA)
LARGEST = 3e21  # the largest budget of the design [FLOP]
FAR = 10 * LARGEST  # where the prediction is asked for
PREDICTED = "L(10x)"
DESIGNS = {30: (5, 6), 60: (6, 10), 120: (8, 15), 240: (12, 20)}  # runs -> budgets x sizes
NOISES = {"normal": None, "t5": 5}
OBJECTIVES = {"squared": jl.Squared(), "huber": jl.Huber(1e-3), "huber 1e-2": jl.Huber(1e-2)}
METHODS = {
    "pairs": jl.Pairs(),
    "bayesian": jl.Bayesian(),
    "residual": jl.Residual(),
    "wild": jl.Wild(),
    "parametric": jl.Parametric(),
}
# "t" is for comparison: the draws give a standard error, Student's distribution the interval.
KINDS = ("percentile", "basic", "bca", "t")
STARTS = 8  # of each table's own fit
CHUNK = 8  # tables whose resamples are refitted in one call


@dataclass(frozen=True)
class Setting:
    """One kind of table and one way to fit it."""

    runs: int = 60
    noise: str = "normal"
    sd: float = 0.004
    objective: str = "squared"


def design(runs: int) -> tuple[np.ndarray, np.ndarray]:
    """Parameters (n,) and tokens (n,) of an IsoFLOP sweep: sizes around the optimum per budget."""
    budgets, sizes = DESIGNS[runs]
    C = np.repeat(np.geomspace(6e18, LARGEST, budgets), sizes)
    best = np.array([simulate.optimal_params(c) for c in C])
    N = best * np.tile(np.geomspace(0.15, 6.0, sizes), budgets)
    return N, C / (6 * N)


def losses(setting: Setting, replications: int, seed: int) -> np.ndarray:
    """Simulated losses (replication, n); row i depends on the seed and i alone."""
    N, D = design(setting.runs)
    law = TRUTH["E"] + TRUTH["A"] * N ** -TRUTH["alpha"] + TRUTH["B"] * D ** -TRUTH["beta"]
    tail = NOISES[setting.noise]
    out = np.empty((replications, len(N)))
    for i in range(replications):
        rng = np.random.default_rng([seed, i])
        if tail is None:
            noise = rng.standard_normal(len(N))
        else:
            noise = rng.standard_t(tail, len(N)) * ((tail - 2) / tail) ** 0.5
        out[i] = law * np.exp(setting.sd * noise)
    return out


def table(setting: Setting, loss: np.ndarray) -> jl.Runs:
    """One simulated table as runs."""
    N, D = design(setting.runs)
    return jl.Runs.from_arrays(loss, N=N, D=D, name="simulated")


def quantities(params: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Name -> (..., draw): the parameters, and the law far outside the data."""
    own = {k: np.asarray(v, float) for k, v in params.items()}
    N = simulate.optimal_params(FAR)
    D = FAR / (6 * N)
    far = own["E"] + own["A"] * N ** -own["alpha"] + own["B"] * D ** -own["beta"]
    return {**own, PREDICTED: far}


class Refits:
    """Every table and every resample of a setting as tasks of one compiled problem."""

    def __init__(self, setting: Setting, loss: np.ndarray) -> None:
        """Fit every table (replication, n)."""
        self.objective = OBJECTIVES[setting.objective]
        first = jl.fit(
            jl.laws.chinchilla, table(setting, loss[0]), objective=self.objective, starts=16
        )
        self.problem, self.solver = first.problem, first.solver
        layout, frame = self.problem.layout, self.problem.frame()
        self.to_params = jax.jit(jax.vmap(lambda z: layout.to_params(z, frame)))
        self.target = np.log(loss)
        self.weight = np.ones_like(loss)
        tables = len(loss)
        starts = layout.alive(layout.random_starts(0, STARTS))
        starts[0] = first.solution.z[0]
        found = self.solve(
            np.tile(starts, (tables, 1)), np.repeat(np.arange(tables), STARTS), self.measured
        )
        value = found.value.reshape(tables, STARTS)
        best = np.argmin(value, axis=1) + STARTS * np.arange(tables)
        self.solution: Solution = jax.tree.map(lambda leaf: leaf[best], found)
        self.point = quantities(self.to_params(jnp.asarray(self.solution.z)))
        fitted = np.log(
            np.asarray(
                jl.laws.chinchilla(
                    *(x[None] for x in design(setting.runs)),
                    **{k: self.point[k][:, None] for k in TRUTH},
                )
            )
        )
        spare = float(setting.runs - len(TRUTH))
        group = np.zeros(setting.runs, int)
        self.samples = [
            Sample(np.ones(setting.runs), y, f, group, spare)
            for y, f in zip(self.target, fitted, strict=True)
        ]

    def measured(self, ids: np.ndarray) -> tuple[Any, Any, Any]:
        """The tables themselves."""
        return self.weight[ids], self.target[ids], np.zeros(len(ids), int)

    def solve(self, starts: np.ndarray, rows: np.ndarray, resample: Any) -> Solution:
        """Minimise from each start, as it is and (where the objective is narrow) annealed."""
        go = partial(minimise, self.problem, self.solver, starts, rows, resample)
        widen = self.objective.widening(float(np.std(self.target[0])))
        plain = go()
        if widen == 1.0:
            return plain
        wide = go(widen=widen)
        lower = wide.value < plain.value
        return jax.tree.map(
            lambda a, b: np.where(lower.reshape(-1, *[1] * (a.ndim - 1)), a, b), wide, plain
        )

    def resampled(
        self, tables: np.ndarray, draw: Any, draws: int
    ) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Refit ``draws`` resamples of each table: name -> (table, draw), converged (same)."""
        ids = np.arange(draws)
        parts = [draw(i, ids, self.samples[i]) for i in tables]
        weight = np.concatenate([np.asarray(w) for w, _ in parts])
        target = np.concatenate(
            [
                np.asarray(y if y is not None else np.tile(self.target[i], (draws, 1)))
                for i, (_, y) in zip(tables, parts, strict=True)
            ]
        )
        found = self.solve(
            np.repeat(self.solution.z[tables], draws, axis=0),
            np.arange(len(weight)),
            lambda rows: (weight[rows], target[rows], np.zeros(len(rows), int)),
        )
        shape = (len(tables), draws)
        values = quantities(self.to_params(jnp.asarray(found.z)))
        good = found.status.reshape(shape) == CONVERGED
        return {k: v.reshape(shape) for k, v in values.items()}, good


def judge(
    values: Mapping[str, np.ndarray],
    good: np.ndarray,
    point: Mapping[str, float],
    jack: Mapping[str, np.ndarray],
    prob: float,
    spare: int,
) -> list[dict[str, Any]]:
    """Whether each interval of one table holds the truth."""
    truth = {k: float(v) for k, v in quantities(TRUTH).items()}
    withheld = bool(np.mean(~good) > 0.03)
    rows = []
    for kind in KINDS:
        for name, true in truth.items():
            draws, at = values[name][good], float(point[name])
            if kind == "t":
                half = np.std(draws, ddof=1) * student.ppf((1 + prob) / 2, spare)
                low, high = at - half, at + half
            else:
                low, high = interval(draws, prob, kind, at, jack[name])
            rows.append(
                dict(
                    interval=kind,
                    quantity=name,
                    below=high < true,
                    above=low > true,
                    width=high - low,
                    error=at - true,
                    withheld=withheld,
                )
            )
    return rows


def study(
    setting: Setting,
    *,
    replications: int = 100,
    draws: int = 500,
    methods: Sequence[str] = ("pairs", "bayesian", "residual", "wild"),
    prob: float = 0.95,
    seed: int = 20240416,
) -> pd.DataFrame:
    """One row per table, method, interval and quantity: on which side the truth was missed."""
    key = jax.random.key(seed)
    refits = Refits(setting, losses(setting, replications, seed))
    spare = setting.runs - len(TRUTH)
    leave_out = jl.Jackknife()
    rows: list[dict[str, Any]] = []
    for begin in range(0, replications, CHUNK):
        tables = np.arange(begin, min(begin + CHUNK, replications))
        jack, _ = refits.resampled(
            tables, lambda i, ids, sample: leave_out.draw(key, ids, sample), setting.runs
        )
        for name in methods:
            values, good = refits.resampled(
                tables,
                lambda i, ids, sample, made=METHODS[name]: made.draw(
                    jax.random.fold_in(key, i), ids, sample
                ),
                draws,
            )
            for j, i in enumerate(tables):
                rows += [
                    dict(table=i, method=name, **row)
                    for row in judge(
                        {k: v[j] for k, v in values.items()},
                        good[j],
                        {k: v[i] for k, v in refits.point.items()},
                        {k: v[j] for k, v in jack.items()},
                        prob,
                        spare,
                    )
                ]
    return pd.DataFrame(rows).assign(**vars(setting))


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """Coverage [%] per setting, method and interval, one column per quantity.

    Tables whose intervals are withheld give none, so they do not count; `withheld` is their share.
    """
    keys = ["runs", "noise", "sd", "objective", "method", "interval"]
    given = rows[~rows.withheld].assign(holds=lambda f: 100.0 * ~(f.below | f.above))
    order = [*TRUTH, PREDICTED]
    out = given.pivot_table(index=keys, columns="quantity", values="holds", sort=False)[order]
    out["withheld"] = 100 * rows.groupby(keys, sort=False)["withheld"].mean()
    return out


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the study and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--replications", type=int, default=1000)
    parser.add_argument("--runs", type=int, nargs="+", default=[60, 240], choices=list(DESIGNS))
    parser.add_argument("--draws", type=int, default=500)
    parser.add_argument("--noise", nargs="+", default=["normal", "t5"], choices=list(NOISES))
    parser.add_argument("--sd", type=float, nargs="+", default=[0.004])
    parser.add_argument("--objectives", nargs="+", default=["squared", "huber"])
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--prob", type=float, default=0.95)
    parser.add_argument("--seed", type=int, default=20240416)
    parser.add_argument("--out", default="", help="CSV file for one row per table and interval")
    given = parser.parse_args(arguments)
    jax.config.update("jax_enable_x64", True)
    settings = [
        Setting(runs, noise, sd, objective)
        for runs in given.runs
        for noise in given.noise
        for sd in given.sd
        for objective in given.objectives
    ]
    error = 100 * (given.prob * (1 - given.prob) / given.replications) ** 0.5
    print(
        f"coverage [%] of {given.prob:.0%} intervals, {given.replications} tables, "
        f"{given.draws} draws, standard error {error:.1f}",
        flush=True,
    )
    found = []
    for setting in settings:
        begin = time.perf_counter()
        found.append(
            study(
                setting,
                replications=given.replications,
                draws=given.draws,
                methods=given.methods,
                prob=given.prob,
                seed=given.seed,
            )
        )
        print(f"\n{setting}: {time.perf_counter() - begin:.0f} s")
        print(summary(found[-1]).droplevel([0, 1, 2, 3]).round(1).to_string(), flush=True)
        if given.out:
            pd.concat(found).to_csv(given.out, index=False)


if __name__ == "__main__":
    main()
