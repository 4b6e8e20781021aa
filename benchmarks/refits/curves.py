"""The extrapolation benchmark of learning curves: M1 to M4 against curves with breaks.

Every form is fitted to the points with is_training = 1 by least squares of the log error, and
judged by RMSLE = sqrt(mean((ln predicted - ln measured)^2)) on the others, which are larger.
docs/bnsl_extrapolation.csv keeps the RMSLE of every curve.
"""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

import jaxlaws as jl
from benchmarks.refits.row import Row, predicted
from tests import certified

CURVES = Path(__file__).resolve().parents[2] / "docs" / "bnsl_extrapolation.csv"
KEY = ["task", "model"]
FORMS = (jl.laws.m1, jl.laws.m2, jl.laws.m3, jl.laws.m4, jl.laws.bnsl(1), jl.laws.bnsl(2))
STARTS = 128  # the default up to six parameters; for bnsl(2), which has nine, a quarter of it
SCALE = dict(bnsl_benchmark_vision="x", bnsl_benchmark_lang="seen_examples")
FIVE = [law.name for law in FORMS[:5]]


@cache
def extrapolate(data: str) -> pd.DataFrame:
    """RMSLE of every form (columns) on every curve of a table that has points to be judged on."""
    table = jl.datasets.load(data)
    curves = {key: rows for key, rows in table.groupby(KEY) if (rows["is_training"] == 0).any()}
    train, test = (
        [
            jl.Runs.from_frame(rows[rows["is_training"] == part], x=SCALE[data], target="loss")
            for rows in curves.values()
        ]
        for part in (1, 0)
    )
    found = pd.DataFrame(index=pd.MultiIndex.from_tuples(curves, names=KEY))
    for law in FORMS:
        fits = jl.fit(law, jl.Runs.stack(train), objective=jl.Squared(), starts=STARTS)
        found[law.name] = [
            np.sqrt(np.mean((np.log(predicted(law, fit.params, far)) - np.log(far.target)) ** 2))
            for fit, far in zip(fits, test, strict=True)
        ]
    return found


def _rows(data: str, found: pd.DataFrame, shares: tuple[str, ...], tasks: int) -> Iterator[Row]:
    best = found[FIVE].idxmin(axis=1)
    reason = f"{len(found)} of the {tasks} curves are here, fits are the lowest of {STARTS} starts"
    for name, value in zip(FIVE, shares, strict=True):
        what = f"share of curves on which {name} extrapolates best of five, in percent"
        ours = 100 * float((best == name).mean())
        source = "Caballero et al., table 1"
        yield Row(data, name.split("(")[0], what, value, source, ours, finding=reason)
    share = 100 * float((found.idxmin(axis=1) == FORMS[-1].name).mean())
    what = "share of curves on which bnsl(2) beats all five, in percent"
    yield Row(data, "bnsl", what, "", "", share)


def bnsl_benchmark_vision() -> Iterator[Row]:
    """54 curves of few-shot error, six forms."""
    data = "bnsl_benchmark_vision"
    found = extrapolate(data)
    yield from _rows(data, found, ("2.78", "4.17", "9.72", "13.89", "69.44"), 72)
    reached = dict(m2="0.0725", m3="0.0592", m4="0.0420")
    for name, mean in found.mean().items():
        what = f"mean RMSLE of {name}, {len(found)} curves"
        value = {**reached, "bnsl(1)": "0.0398"}.get(str(name), "")
        source = "reached earlier on all 72" if value else ""
        reason = "54 of the 72 curves are here" if value else ""
        yield Row(data, str(name).split("(")[0], what, value, source, float(mean), finding=reason)


def bnsl_benchmark_lang() -> Iterator[Row]:
    """Eleven curves of language with points to be judged on, six forms."""
    data = "bnsl_benchmark_lang"
    found = extrapolate(data)
    for task, model, printed in certified.M1:
        ours = float(found.loc[(task, model), "m1"])
        what = f"RMSLE of m1, {task}, {model}"
        yield Row(data, "m1", what, f"{printed:.5f}", "README", ours)
    yield from _rows(data, found, ("10", "5", "10", "0", "75"), 20)
    for name, mean in found.mean().items():
        what = f"mean RMSLE of {name}, {len(found)} curves"
        yield Row(data, str(name).split("(")[0], what, "", "", float(mean))


def keep(data: str) -> None:
    """Put the curves of a table into docs/, those of the other kept as they are."""
    shown = extrapolate(data).map("{:.5f}".format).reset_index()
    shown.insert(0, "dataset", data)
    if CURVES.exists():
        kept = pd.read_csv(CURVES, dtype=str, keep_default_na=False)
        shown = pd.concat([kept[kept["dataset"] != data], shown])
    shown.sort_values("dataset", kind="stable").to_csv(CURVES, index=False, lineterminator="\n")


REFITS = (bnsl_benchmark_lang, bnsl_benchmark_vision)
