"""How often do the intervals hold the truth? Coverage of every bootstrap on simulated tables.

Tables of runs are simulated from the Chinchilla law with known constants on an IsoFLOP design, each
is fitted and resampled by the public functions, and the intervals are compared with the constants
and with the law at ten times the largest budget. A nominal 95 % interval should hold the truth in
95 % of the tables; the error of each share printed here is sqrt(p (1 - p) / replications), 0.7
percentage points at 1000.

    python -m benchmarks.coverage --replications 1000 --runs 60 240

The tables of one setting have one shape, so that all their fits share one compiled program.
"""

import argparse
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
import pandas as pd

import jaxlaws as jl
from jaxlaws._draws import Draws, _jackknife, interval
from jaxlaws.datasets import simulate

TRUTH = dict(
    E=simulate.E, A=simulate.A, B=simulate.B, alpha=simulate.ALPHA, beta=simulate.BETA
)
LARGEST = 3e21  # the largest budget of the design [FLOP]
FAR = 10 * LARGEST  # where the prediction is asked for
DESIGNS = {30: (5, 6), 60: (6, 10), 120: (8, 15), 240: (12, 20)}  # runs -> budgets x sizes
NOISES = {"normal": None, "t5": 5}
OBJECTIVES = {"squared": jl.Squared(), "huber": jl.Huber(1e-3)}
RESAMPLERS = {
    "pairs": jl.Pairs(),
    "bayesian": jl.Bayesian(),
    "residual": jl.Residual(),
    "wild": jl.Wild(),
    "parametric": jl.Parametric(),
}
KINDS = ("percentile", "basic", "bca")
PREDICTED = "L(10x)"
CHUNK = 16  # tables fitted in one call


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


def tables(setting: Setting, replications: int, seed: int) -> Iterator[jl.Runs]:
    """Simulated tables; number i depends on the seed and i alone."""
    N, D = design(setting.runs)
    law = np.asarray(jl.laws.chinchilla(N, D, **TRUTH), float)
    tail = NOISES[setting.noise]
    for i in range(replications):
        rng = np.random.default_rng([seed, i])
        if tail is None:
            noise = rng.standard_normal(len(N))
        else:
            noise = rng.standard_t(tail, len(N)) * ((tail - 2) / tail) ** 0.5
        yield jl.Runs.from_arrays(law * np.exp(setting.sd * noise), N=N, D=D, name=f"table {i}")


def far_point() -> dict[str, float]:
    """The compute-optimal run at ten times the largest budget."""
    N = simulate.optimal_params(FAR)
    return dict(N=N, D=FAR / (6 * N))


def quantities(params: Any) -> dict[str, np.ndarray]:
    """Name -> (draw,): the parameters, and the law far outside the data."""
    own = {k: np.asarray(v, float) for k, v in params.items()}
    at = far_point()
    far = own["E"] + own["A"] * at["N"] ** -own["alpha"] + own["B"] * at["D"] ** -own["beta"]
    return {**own, PREDICTED: far}


def judge(draws: Draws, method: str, prob: float, jack: Any) -> list[dict[str, Any]]:
    """Whether each interval of one table holds the truth."""
    truth = {k: float(v) for k, v in quantities(TRUTH).items()}
    values = quantities(draws.select())
    point = quantities(draws.point)
    reason = bool(draws.withheld())
    rows = []
    for kind in KINDS:
        for name, true in truth.items():
            low, high = interval(values[name], prob, kind, float(point[name]), jack[name])
            rows.append(
                dict(
                    method=method,
                    interval=kind,
                    quantity=name,
                    below=high < true,
                    above=low > true,
                    width=high - low,
                    withheld=reason,
                    error=float(point[name]) - true,
                )
            )
    return rows


def study(
    setting: Setting,
    *,
    replications: int = 100,
    draws: int = 500,
    resamplers: Sequence[str] = ("pairs", "bayesian", "residual", "wild"),
    prob: float = 0.95,
    seed: int = 20240416,
    starts: int = 16,
) -> pd.DataFrame:
    """One row per table, method, interval and quantity: on which side the truth was missed."""
    made = list(tables(setting, replications, seed))
    rows: list[dict[str, Any]] = []
    for begin in range(0, replications, CHUNK):
        part = made[begin : begin + CHUNK]
        filled = part + part[:1] * (CHUNK - len(part))  # one compiled shape
        fits = jl.fit(
            jl.laws.chinchilla,
            jl.Runs.stack(filled),
            objective=OBJECTIVES[setting.objective],
            starts=starts,
        )
        for i, fit in enumerate(fits[: len(part)], start=begin):
            key = jax.random.fold_in(jax.random.key(seed), i)
            jack = None
            for name in resamplers:
                made_draws = jl.bootstrap(fit, RESAMPLERS[name], draws=draws, key=key)
                if jack is None:
                    jack = quantities(_jackknife(made_draws))
                rows += [dict(table=i, **row) for row in judge(made_draws, name, prob, jack)]
    return pd.DataFrame(rows).assign(**vars(setting))


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """Coverage [%] per setting, method and interval, one column per quantity.

    Tables whose intervals are withheld give none, so they do not count; `withheld` is their share.
    """
    keys = ["runs", "noise", "sd", "objective", "method", "interval"]
    given = rows[~rows.withheld].assign(holds=lambda f: 100.0 * ~(f.below | f.above))
    order = [*TRUTH, PREDICTED]
    table = given.pivot_table(index=keys, columns="quantity", values="holds", sort=False)[order]
    table["withheld"] = 100 * rows.groupby(keys, sort=False)["withheld"].mean()
    return table


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the study and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--replications", type=int, default=1000)
    parser.add_argument("--runs", type=int, nargs="+", default=[60, 240], choices=list(DESIGNS))
    parser.add_argument("--draws", type=int, default=500)
    parser.add_argument("--noise", nargs="+", default=["normal", "t5"], choices=list(NOISES))
    parser.add_argument("--sd", type=float, nargs="+", default=[0.004])
    parser.add_argument("--objectives", nargs="+", default=list(OBJECTIVES))
    parser.add_argument("--methods", nargs="+", default=["pairs", "bayesian", "residual", "wild"])
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
    found = []
    print(f"coverage [%] of {given.prob:.0%} intervals, {given.replications} tables, "
          f"{given.draws} draws, standard error "
          f"{100 * (given.prob * (1 - given.prob) / given.replications) ** 0.5:.1f}", flush=True)
    for setting in settings:
        begin = time.perf_counter()
        found.append(
            study(
                setting,
                replications=given.replications,
                draws=given.draws,
                resamplers=given.methods,
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
