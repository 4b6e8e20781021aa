"""How good are intervals where they matter? Learning curves predicted beyond their training points.

Every curve of bnsl_benchmark_vision and bnsl_benchmark_lang that has points to be judged on is
fitted to the others, which are smaller, by least squares of the log error. Each law alone, with a
bootstrap, the Laplace approximation, a posterior by importance sampling (psis, which leaves to NUTS
the curves whose k-hat is bad) and one by NUTS, and averages of all laws by backtest weights, are
asked for the held-out points, without and with what the backtest adds. `average` has the weights of
a curve's own backtest, `pooled` the prior that `jl.pool` would take from all other families too.

    python -m benchmarks.extrapolation [--without m4] [--draws nuts] [--keep FOLDER] [--write]

Scores of a curve are means over its held-out points: RMSLE of the estimate, log predictive density
of the measured value, and whether central intervals cover it. A family is a benchmark task; a
table's number is the mean over curves. Draws are scored as they are; `withheld` is the share of
curves on which the library would give no interval. No setting was chosen on these curves.
"""

import argparse
import os
import pickle
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pandas as pd
from scipy.special import logsumexp
from scipy.stats import norm

import jaxlaws as jl
from benchmarks.refits.curves import FORMS, KEY, SCALE, STARTS
from jaxlaws._curvature import to_params
from jaxlaws._draws import TRUST
from jaxlaws._pooled import shared
from jaxlaws._predict import in_space
from jaxlaws._resample import inflated_residuals
from jaxlaws._risk import build, minimise
from jaxlaws._search import take_lower

os.environ.setdefault("JAXLAWS_DATA", str(Path(__file__).resolve().parents[2] / "shared" / "data"))
OUT = Path(__file__).resolve().parents[1] / "docs" / "extrapolation.csv"
LEVELS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
DRAWS = 200
CHAIN = 250  # draws of each of a posterior's four chains
POSTERIORS = {"psis": "importance", "nuts": "nuts"}
KINDS = ("bootstrap", "laplace", *POSTERIORS)
CUT_STARTS = 8  # of every refit of a backtest, which also tries the ends at the other cuts
HEAVY = ("m4", "bnsl(2)")  # laws that take ten times as long, with fewer starts and steps
FEWER = dict(starts=32, solver=jl.Newton(max_steps=100))
OTHERS = 3  # minima of the fit that a resample is started from
WIDEN = 30.0  # annealing of the second try of refits that are no minima


@dataclass(frozen=True)
class Curve:
    """One curve: its table, task and model, points to fit (padded) and points to predict."""

    data: str
    task: str
    model: str
    train: jl.Runs
    test: jl.Runs

    @property
    def family(self) -> str:
        """The data set of the task, without the number of shots."""
        return self.task.rsplit("_" if "vision" in self.data else " ", 1)[0]


def curves() -> list[Curve]:
    """All curves with points to be judged on."""
    found = []
    for data, x in SCALE.items():
        for key, rows in jl.datasets.load(data).groupby(KEY):
            parts = [rows[rows["is_training"] == part] for part in (1, 0)]
            if len(parts[1]):
                both = [
                    jl.Runs.from_frame(p, x=x, target="loss", name="/".join(key)) for p in parts
                ]
                found.append(Curve(data, *key, *both))
    longest = max(len(curve.train) for curve in found)
    return [
        Curve(c.data, c.task, c.model, c.train.padded(longest), c.test) for c in found
    ]  # one compiled shape


def pooled(tests: Sequence[jl.Backtest], families: Sequence[str]) -> list[np.ndarray]:
    """Weights (law,) by every curve's own backtest and what other families say of the laws."""
    score, names = np.stack([one.score for one in tests]), np.array(families)
    alike = np.full(score.shape[1], 1 / score.shape[1])
    prior = {name: shared(score[names != name], alike) for name in families}
    return [replace(one, prior=prior[f]).weights for one, f in zip(tests, families, strict=True)]


Kept = dict[str, Any]  # arrays of one law's draws, or of one backtest: what --keep keeps


def fitted(law: jl.Law, every: Sequence[Curve]) -> Sequence[jl.Fit]:
    """The fits of every curve, in one call."""
    stack = jl.Runs.stack([curve.train for curve in every])
    settings: dict[str, Any] = FEWER if law.name in HEAVY else dict(starts=STARTS)
    return jl.fit(law, stack, objective=jl.Squared(), **settings)


def refits(fits: Sequence[jl.Fit]) -> dict[str, list[Kept | None]]:
    """Bootstrap and Laplace draws of every curve; None where there is no Laplace approximation."""
    approximate: list[Kept | None] = []
    for fit in fits:
        try:
            approximate.append(_arrays(jl.laplace(fit, draws=DRAWS)))
        except np.linalg.LinAlgError:  # a flat direction
            approximate.append(None)
    return dict(bootstrap=[_arrays(own) for own in bootstraps(fits)], laplace=approximate)


def posteriors(kind: str, fits: Sequence[jl.Fit]) -> list[Kept | None]:
    """Posteriors of every curve under the default priors, in one call."""
    found = jl.posterior(fits, draws=CHAIN, sampler=POSTERIORS[kind])
    return [{**_arrays(own), "scale": own.sampling.scale} for own in found]


def known(
    law: jl.Law, every: Sequence[Curve], kinds: Sequence[str], folder: Path | None
) -> dict[str, list[Kept | None]]:
    """Draws of every kind of every curve."""
    fits = cache(lambda: fitted(law, every))
    found: dict[str, list[Kept | None]] = {}
    if set(kinds) - set(POSTERIORS):
        found |= kept(folder, law.name, lambda: refits(fits()))
    for kind in (kind for kind in POSTERIORS if kind in kinds):
        found[kind] = kept(folder, f"{law.name} {kind}", lambda kind=kind: posteriors(kind, fits()))
    return found


def _arrays(draws: jl.Draws) -> Kept:
    return dict(
        params={k: np.asarray(v) for k, v in draws.params.items()},
        point={k: np.asarray(v) for k, v in draws.point.items()},
        status=np.asarray(draws.status),
        noise=draws.noise,
        origin=draws.origin,
        failure=draws.withheld(),
    )


def bootstraps(fits: Sequence[jl.Fit]) -> list[jl.Draws]:
    """The pairs bootstrap of every curve, all resamples of all curves in one compiled call."""
    law, solver = fits[0].law, fits[0].solver
    key, ids = jax.random.key(0), np.arange(DRAWS)
    weight = np.concatenate([np.asarray(jl.Pairs().draw(key, ids, f.sample)[0]) for f in fits])
    with jax.enable_x64(True):
        problem = build(law, tuple(f.runs for f in fits), fits[0].objective, "log", "float64")

    def table(rows: np.ndarray) -> tuple[Any, None, np.ndarray]:
        return weight[rows], None, rows // DRAWS

    lowest = np.repeat([fit.minima[0] for fit in fits], DRAWS, axis=0)
    best = minimise(problem, solver, lowest, np.arange(len(weight)), table)
    for i in range(1, OTHERS):
        more = [g for g, fit in enumerate(fits) if len(fit.minima) > i]
        if more:
            rows = np.concatenate([np.arange(g * DRAWS, (g + 1) * DRAWS) for g in more])
            start = np.repeat([fits[g].minima[i] for g in more], DRAWS, axis=0)
            take_lower(best, minimise(problem, solver, start, rows, table), rows, 1e-6)
    lost = np.flatnonzero(best.status != 0)
    if len(lost):
        again = minimise(problem, solver, best.z[lost], lost, table, widen=WIDEN)
        take_lower(best, again, lost, 1e-6)
    return [
        jl.Draws(
            law=law,
            params=to_params(fit, best.z[i * DRAWS : (i + 1) * DRAWS]),
            point=fit.params,
            status=best.status[i * DRAWS : (i + 1) * DRAWS],
            origin="pairs bootstrap",
            space=fit.space,
            noise=inflated_residuals(fit.sample),
            fit=fit,
        )
        for i, fit in enumerate(fits)
    ]


@dataclass(frozen=True)
class Mixture:
    """A predictive density in log space: normals (component, m) with weights (component,)."""

    weight: np.ndarray
    mean: np.ndarray
    sd: np.ndarray

    def log_density(self, measured: np.ndarray) -> np.ndarray:
        """(m,) log density of the measured values themselves."""
        at = np.log(measured)
        each = norm.logpdf(at[None, :], self.mean, self.sd)
        return logsumexp(each, axis=0, b=self.weight[:, None]) - at


def mixture(
    prediction: jl.Prediction, noise: np.ndarray | float, scales: np.ndarray | float
) -> Mixture:
    """Of one law: a normal for every draw, with the sd of noise (draw, 1) and of discrepancy."""
    mean = in_space(prediction.mean, "log")
    fine = np.isfinite(mean).all(axis=1)
    mean = mean[fine]
    sd = np.broadcast_to(np.sqrt(noise**2 + np.square(scales)), prediction.mean.shape)[fine]
    return Mixture(np.full(len(mean), 1 / len(mean)), mean, np.maximum(sd, 1e-6))


def joined(parts: Sequence[Mixture], weights: np.ndarray) -> Mixture:
    """The mixture of mixtures."""
    return Mixture(
        np.concatenate([w * part.weight for part, w in zip(parts, weights, strict=True)]),
        np.concatenate([part.mean for part in parts]),
        np.concatenate([part.sd for part in parts]),
    )


def scored(
    prediction: jl.Prediction, density: Mixture, term: bool, measured: np.ndarray
) -> dict[str, float]:
    """RMSLE, log density and coverage of one curve."""
    n = len(measured)
    error = np.log(prediction.estimate[:n]) - np.log(measured)
    row = dict(rmsle=float(np.sqrt(np.mean(error**2))))
    density = Mixture(density.weight, density.mean[:, :n], density.sd[:, :n])
    row["density"] = float(np.mean(density.log_density(measured)))
    run = prediction.backtest if term else prediction.run
    assert run is not None
    run = run[np.isfinite(run).all(axis=1), :n]
    levels = np.array(LEVELS)
    ends = np.quantile(run, np.concatenate([1 - levels, 1 + levels]) / 2, axis=0)
    for level, low, high in zip(LEVELS, *np.split(ends, 2), strict=True):
        row[f"{100 * level:g}"] = float(np.mean((low <= measured) & (measured <= high)))
    return row


def backtests(laws: Sequence[jl.Law], every: Sequence[Curve]) -> list[Kept]:
    """The backtest of every curve, each law in one call."""
    stack = jl.Runs.stack([curve.train for curve in every])
    found = jl.backtest(laws, stack, objective=jl.Squared(), starts=CUT_STARTS)
    whole = ("laws", "runs", "objective")
    return [{k: v for k, v in vars(one).items() if k not in whole} for one in found]


def kept(folder: Path | None, name: str, make: Callable[[], Any]) -> Any:
    """What `make` returns, from the folder where it is there already."""
    path = folder / f"{name}.pkl" if folder else None
    if path and path.exists():
        return pickle.loads(path.read_bytes())
    begin, made = time.perf_counter(), make()
    print(f"{name}: {time.perf_counter() - begin:.0f} s", flush=True)
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(pickle.dumps(made))
    return made


def scores(
    laws: Sequence[jl.Law], every: Sequence[Curve], kinds: Sequence[str], folder: Path | None
) -> pd.DataFrame:
    """One row per curve, draws, method and term."""
    draws = {law: known(law, every, kinds, folder) for law in laws}
    tests = kept(folder, "backtests", partial(backtests, laws, every))
    backtested = [
        jl.Backtest(laws=tuple(laws), runs=curve.train, objective=jl.Squared(), **arrays)
        for curve, arrays in zip(every, tests, strict=True)
    ]
    weighed = pooled(backtested, [curve.family for curve in every])
    longest = max(len(curve.test) for curve in every)
    rows = []
    for i, (curve, found) in enumerate(zip(every, backtested, strict=True)):
        about = dict(data=curve.data, family=curve.family, task=curve.task, model=curve.model)
        x = curve.test.padded(longest).inputs["x"]
        weights = dict(average=found.weights, pooled=weighed[i])
        for kind in kinds:
            own = {law: draws[law][kind][i] for law in laws}
            some = {law: dict(arrays) for law, arrays in own.items() if arrays is not None}
            scales = {law: arrays.pop("scale", None) for law, arrays in some.items()}
            made = {law: jl.Draws(law=law, space="log", **arrays) for law, arrays in some.items()}
            for row in judged(made, scales, found, weights, x, curve.test.target):
                rows.append({**about, "draws": kind, **row})
    return pd.DataFrame(rows)


def judged(
    draws: Mapping[jl.Law, jl.Draws],
    noises: Mapping[jl.Law, np.ndarray | None],
    found: jl.Backtest,
    weights: Mapping[str, np.ndarray],
    x: np.ndarray,
    measured: np.ndarray,
) -> Iterator[dict[str, Any]]:
    """Scores of every law alone and of their averages, without and with the backtest's term.

    Args:
        draws: Draws of every law.
        noises: (draw,) noise scales of a posterior; None where all draws share their residuals.
        found: The backtest of the laws.
        weights: (law,) weights of every average.
        x: (m,) held-out places.
        measured: The values there, fewer where x is padded.
    """
    rng = np.random.default_rng(0)
    alone, plain, wide, mixed, refused = [], [], [], [], []
    for i, law in enumerate(found.laws):
        if law not in draws:
            continue
        own, tested = draws[law], found.tested(law)
        prediction = jl.predict(
            replace(own, status=np.zeros_like(own.status), failure=""),
            backtest=found if tested else None,
            x=x,
        )
        noise: np.ndarray | float = float(np.std(own.noise))
        if (scale := noises[law]) is not None:
            noise = scale[:, None]
            # As `predict` has it of a posterior: medians of parameters need not lie in it.
            prediction = replace(prediction, estimate=np.median(prediction.mean, axis=0))
        density = mixture(prediction, noise, 0.0)
        about = dict(method=law.name, weight=found.weights[i], withheld=bool(own.failure))
        yield {**about, "term": False, **scored(prediction, density, False, measured)}
        if not tested:
            continue
        scales = found.of(law).scales(found.beyond(dict(x=x)), len(prediction.mean), rng)
        wider = mixture(prediction, noise, scales)
        yield {**about, "term": True, **scored(prediction, wider, True, measured)}
        alone.append(prediction)
        plain.append(density)
        wide.append(wider)
        mixed.append(i)
        refused.append(bool(own.failure))
    for name, shares in weights.items():
        weight = shares[mixed] / np.sum(shares[mixed])
        both = jl.average(alone, weight)
        about = dict(method=name, weight=1.0, withheld=bool(weight @ refused > TRUST))
        for term, parts in ((False, plain), (True, wide)):
            yield {**about, "term": term, **scored(both, joined(parts, weight), term, measured)}


def table(found: pd.DataFrame, *by: str) -> pd.DataFrame:
    """Means over curves, per method, and per what else is named."""
    columns = ["rmsle", "density", *(f"{100 * level:g}" for level in LEVELS), "withheld"]
    grouped = found.groupby([*by, "draws", "method", "term"], sort=False)
    return grouped[columns].mean().assign(curves=grouped.size()).sort_index()


def main() -> None:
    """Print the table; with --write, keep every curve's scores in docs/."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"put the scores into {OUT.name}")
    parser.add_argument("--keep", type=Path, help="folder of fits and backtests, made or reused")
    names = [law.name for law in FORMS]
    parser.add_argument("--without", nargs="+", default=[], choices=names, help="laws left out")
    parser.add_argument("--draws", nargs="+", default=KINDS, choices=KINDS, help="kinds of draws")
    options = parser.parse_args()
    begin = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", jl.InputWarning)
        laws = [law for law in FORMS if law.name not in options.without]
        found = scores(laws, curves(), options.draws, options.keep)
    full = found.groupby(["draws", "method", "term"]).ngroups / found["draws"].nunique()
    sizes = found.groupby(["draws", "task", "model"])["method"].transform("size")
    for part in (
        table(found),
        table(found[sizes == full]),  # the curves that every method has an answer for
        table(found, "data"),
        table(found[found["method"] == "average"], "data", "family"),
    ):
        print(part.round(4).to_string(), end="\n\n")
    print(f"{time.perf_counter() - begin:.0f} s")
    if options.write:
        if OUT.exists():  # what was not asked for stays
            others = pd.read_csv(OUT).query("draws not in @options.draws")
            found = pd.concat([others, found.round(5)])
        found.round(5).to_csv(OUT, index=False, lineterminator="\n")


if __name__ == "__main__":
    main()
