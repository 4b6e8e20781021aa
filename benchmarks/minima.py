"""Does every refit of a bootstrap reach the lowest minimum of its own resample?

`python -m benchmarks.minima [-r RESAMPLES] [-s STARTS] [--misses] [problem ...]` refits published
tables as `jl.bootstrap` does, then minimises the same resamples from STARTS independent random
starts each, half of them annealed, and counts the refits that are as low as the best of both. The
tables are in the folder of JAXLAWS_DATA, or in `../shared/data` beside the repository.

A refit counts when its objective is at most `max((1 + 1e-6) best, 1e-6)`, in units of the objective
of the best constant: a resample of few distinct runs can be interpolated exactly, and there a ratio
of two roundings of zero means nothing. The column `exact` says for how many resamples that is so.
"""

import argparse
import os
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import jaxlaws as jl
from jaxlaws._risk import minimise
from jaxlaws._search import widening
from jaxlaws._solver import CONVERGED, OUT_OF_STEPS, STATUS

RELATIVE = 1e-6
EXACT = 1e-6  # of the null objective: below this a resample is interpolated
DEAD = np.log(1e-5)  # a term coordinate below this contributes nothing
WORK = 2048  # minimisations per call of the reference
KEY = 20251122
CURVES = (("bird_10", "ViT/S/16"), ("c_25", "BiT/101/3"), ("inet_10", "MiX/B/16"))

os.environ.setdefault("JAXLAWS_DATA", str(Path(__file__).resolve().parents[2] / "shared" / "data"))


class Problem(NamedTuple):
    """A table, a law, and how it is fitted."""

    law: jl.Law
    runs: jl.Runs
    settings: dict[str, Any]


class Outcome(NamedTuple):
    """What was measured on one problem; arrays have a leading axis of resamples.

    value (r,) and best (r,) in units of the null objective; z, best_z (r, p); status (r,);
    support (r,) distinct runs of the resample; fit_gap how far the fit itself is above the best
    of the same starts, relative.
    """

    value: np.ndarray
    best: np.ndarray
    z: np.ndarray
    best_z: np.ndarray
    status: np.ndarray
    support: np.ndarray
    fit: jl.Fit
    fit_gap: float
    seconds: tuple[float, float]

    @property
    def missed(self) -> np.ndarray:
        """(r,) whether a lower minimum than the refit's was found."""
        return self.value > np.maximum(self.best * (1 + RELATIVE), EXACT)


def epoch() -> Problem:
    return Problem(jl.laws.chinchilla, jl.datasets.runs("chinchilla_epoch"), {})


def olmo_c4() -> Problem:
    return Problem(jl.laws.chinchilla, ladder("c4_en_ce"), {})


def olmo_csqa() -> Problem:
    return Problem(jl.laws.chinchilla, ladder("bpb:csqa_val_rc_5shot_bpb"), {})


def ladder(column: str) -> jl.Runs:
    """The sixteen runs of the published fit, each with the mean of its last five evaluations."""
    table = jl.datasets.load("olmo_ladder", "ladder_runs_190m_to_1b")
    table = table[table["chinchilla_multiple"].isin(["1xC", "2xC", "5xC", "10xC"])]
    last = table.sort_values("step").groupby("run").tail(5).groupby("run")
    runs = last.agg({column: "mean", "params_N": "last", "tokens_D": "last"})
    return jl.Runs.from_frame(runs, N="params_N", D="tokens_D", target=column, name=column)


def porian() -> Problem:
    return Problem(jl.laws.chinchilla, jl.datasets.runs("porian2024", "isoflop_points"), {})


def gemstones() -> Problem:
    return Problem(jl.laws.chinchilla, jl.datasets.runs("gemstones_mcleish2025"), {})


def gadre_all() -> Problem:
    runs = jl.datasets.runs("overtraining_gadre2024", where="train_set == 'rpj'")
    return Problem(jl.laws.overtrain_loss, runs, {})


def gadre_five() -> Problem:
    runs = jl.datasets.runs("overtraining_gadre2024")
    return Problem(jl.laws.overtrain_loss, runs, dict(objective=jl.Squared(), space="natural"))


def vision(breaks: int, task: str, model: str, **settings: Any) -> Problem:
    table = jl.datasets.load("bnsl_benchmark_vision")
    mine = (table["task"] == task) & (table["model"] == model) & (table["is_training"] == 1)
    runs = jl.Runs.from_frame(table[mine], x="x", target="loss", name=f"{task} {model}")
    return Problem(jl.laws.bnsl(breaks), runs, settings)


def curves() -> Iterator[tuple[str, Callable[[], Problem]]]:
    for breaks in (1, 2):
        for task, model in CURVES:
            name = f"bnsl({breaks})/{task}/{model.replace('/', '-')}"
            yield name, lambda b=breaks, t=task, m=model: vision(b, t, m)
            yield (
                name + "/squared",
                lambda b=breaks, t=task, m=model: vision(b, t, m, objective=jl.Squared()),
            )


PROBLEMS: dict[str, Callable[[], Problem]] = {
    "epoch": epoch,
    "olmo_c4": olmo_c4,
    "olmo_csqa": olmo_csqa,
    "porian": porian,
    "gemstones_hot": gemstones,
    "gadre_all": gadre_all,
    "gadre_five": gadre_five,
    **dict(curves()),
}


def measure(problem: Problem, resamples: int, starts: int) -> Outcome:
    """Bootstrap a problem, and minimise the same resamples from independent starts."""
    key = jax.random.key(KEY)
    resampler = jl.Pairs()
    fit = jl.fit(problem.law, problem.runs, **problem.settings)
    clock = time.perf_counter()
    draws = jl.bootstrap(fit, resampler, draws=resamples, key=key)
    refit = time.perf_counter() - clock
    assert draws.solution is not None
    built, sample = fit.problem, fit.sample
    wide = widening(built)

    def table(ids: np.ndarray) -> tuple[Any, Any, Any]:
        # Number -1 is the table itself: the fit is judged like its refits.
        weight, _ = resampler.draw(key, np.maximum(ids, 0), sample)
        own = np.where((ids < 0)[:, None], sample.weight, np.asarray(weight))
        return own, None, np.zeros(len(ids), int)

    def search(ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The lowest value (r,) and its z (r, p) from fresh starts for every resample."""
        z = np.concatenate([built.layout.random_starts(KEY + 1 + int(i), starts) for i in ids])
        z = built.layout.alive(z)
        odd = np.arange(len(z)) % 2 == 1
        widen = np.where(odd, 1.0, wide)
        end = minimise(built, fit.solver, z, np.repeat(ids, starts), table, widen=widen)
        # An annealed search that ran out of steps holds the value of another objective.
        unfinished = (end.status == OUT_OF_STEPS) & (widen > 1)
        value = np.where(unfinished | ~np.isfinite(end.value), np.inf, end.value)
        low = value.reshape(len(ids), starts).argmin(axis=1) + np.arange(len(ids)) * starts
        return value[low], end.z[low]

    clock = time.perf_counter()
    per = max(1, WORK // starts)
    parts = [search(np.arange(i, min(i + per, resamples))) for i in range(0, resamples, per)]
    own, _ = search(np.array([-1]))
    seconds = (refit, time.perf_counter() - clock)
    value, z = draws.solution.value, draws.solution.z
    other = np.concatenate([v for v, _ in parts])
    with jax.enable_x64(True):
        support = (np.asarray(resampler.draw(key, np.arange(resamples), sample)[0]) > 0).sum(1)
    # From the residuals: what a solver that gave up hands in may be another objective's value.
    with jax.enable_x64(True):
        scores = np.asarray(fit.objective.score(jnp.asarray(fit.residual * -1.0)))
    found = float(np.sum(fit.runs.weight * scores)) / float(built.shared.scale[0])
    return Outcome(
        value=value,
        best=np.minimum(value, other),
        z=z,
        best_z=np.where((other < value)[:, None], np.concatenate([w for _, w in parts]), z),
        status=draws.status,
        support=support,
        fit=fit,
        fit_gap=found / min(found, float(own[0])) - 1,
        seconds=seconds,
    )


def row(name: str, out: Outcome) -> str:
    """One line of the table."""
    counts = [int(np.sum(out.status == code)) for code in STATUS]
    bad = (out.status == CONVERGED) & out.missed
    return (
        f"{name:34s} {1 - out.missed.mean():8.2%} {int(out.missed.sum()):5d} {int(bad.sum()):8d} "
        f"{int(np.sum(out.best < EXACT)):6d} {out.fit_gap:8.1e} {out.fit.status:>13s} "
        f"{counts[0]:6d} {counts[1]:6d} {counts[2]:6d} {counts[3]:6d} "
        f"{out.seconds[0]:6.1f} {out.seconds[1]:7.1f}"
    )


HEAD = (
    f"{'problem':34s} {'at best':>8s} {'miss':>5s} {'silently':>8s} {'exact':>6s} {'fit gap':>8s} "
    f"{'fit status':>13s} {'conv':>6s} {'stall':>6s} {'steps':>6s} {'nan':>6s} {'boot s':>6s} "
    f"{'ref s':>7s}"
)


def describe(out: Outcome, most: int = 8) -> Iterator[str]:
    """What the misses look like: where they ended, and where the lower minimum is."""
    layout = out.fit.problem.layout
    names, term = layout.names(), layout.is_term()
    lower, upper = layout.bounds("float64")
    worst = np.argsort(-(out.value / np.maximum(out.best, EXACT)))
    for i in [i for i in worst if out.missed[i]][:most]:
        yield (
            f"  resample {i}: {out.support[i]} distinct runs, {STATUS[int(out.status[i])]}, "
            f"{out.value[i]:.8g} against {out.best[i]:.8g} ({out.value[i] / out.best[i] - 1:+.1e})"
        )
        for label, z in (("refit", out.z[i]), ("best", out.best_z[i])):
            marks = [
                f"{n}={v:.2f}"
                + ("(dead)" if t and v < DEAD else "")
                + ("(end)" if v <= lo + 1e-6 or v >= up - 1e-6 else "")
                for n, v, t, lo, up in zip(names, z, term, lower, upper, strict=True)
            ]
            yield f"    {label:6s} {' '.join(marks)}{_break(out, z)}"


def _break(out: Outcome, z: np.ndarray) -> str:
    """How many runs lie inside each break of a broken law: none means a step between two runs."""
    if "d" not in out.fit.law.params:
        return ""
    with jax.enable_x64(True):
        built = out.fit.problem
        params = built.layout.to_params(jnp.asarray(z), built.frame())
        x = out.fit.runs.inputs["x"]
        inside = [
            int(np.sum(np.abs(np.log(x / float(d))) < 3 * float(f)))
            for d, f in zip(params["d"], params["f"], strict=True)
        ]
    return f"; runs inside its breaks {inside}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("problems", nargs="*", help="names, or beginnings of names; all if none")
    parser.add_argument("-r", "--resamples", type=int, default=1000)
    parser.add_argument("-s", "--starts", type=int, default=256)
    parser.add_argument("--misses", action="store_true", help="describe the worst misses")
    args = parser.parse_args()
    chosen = [
        name
        for name in PROBLEMS
        if not args.problems or any(name.startswith(p) for p in args.problems)
    ]
    print(
        f"{args.resamples} pairs resamples, {args.starts} reference starts each, jax "
        f"{jax.__version__}, {os.cpu_count()} cores, {time.strftime('%Y-%m-%d')}"
    )
    print(HEAD, flush=True)
    for name in chosen:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", jl.InputWarning)
            out = measure(PROBLEMS[name](), args.resamples, args.starts)
        print(row(name, out), flush=True)
        if args.misses:
            for line in describe(out):
                print(line, flush=True)


if __name__ == "__main__":
    main()
