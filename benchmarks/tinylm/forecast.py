"""The forecast of the largest runs, made and committed before they are trained."""

from pathlib import Path

import numpy as np
import pandas as pd

import jaxlaws as jl
from benchmarks.tinylm import curves, design
from jaxlaws import laws

PLACE = Path(__file__).parents[2] / "docs" / "tinylm_forecast.csv"
CANDIDATES = (
    laws.chinchilla,
    laws.kaplan_nd,
    laws.coupled_additive,  # busbridge_supervised and nested_generalised are the same surface
)
DRAWS = 4000
PROBS = (0.5, 0.9)


def surface() -> jl.Runs:
    """Return the runs that the laws of N and D are fitted to: the profiles with their seeds."""
    return jl.datasets.runs("tinylm")


def forecast() -> pd.DataFrame:
    """Return point and intervals of every final run, a row per law and kind of interval.

    The forecast is that of the law with the greatest weight in the backtest; the other candidates
    stand beside it. A run on another schedule than that of the fit is moved by what the law of
    schedules says of the difference.
    """
    runs = surface()
    test = jl.backtest(CANDIDATES, runs)
    moved = curves.ratio()
    rows = []
    for law, weight in zip(CANDIDATES, test.weights, strict=True):
        fit = jl.fit(law, runs)
        for method, draws in (
            ("bootstrap", jl.bootstrap(fit, draws=DRAWS)),
            ("posterior", jl.posterior(fit)),
        ):
            rows += _rows(law, float(weight), method, draws, test, moved)
    return pd.DataFrame(rows)


def _rows(
    law: jl.Law, weight: float, method: str, draws: jl.Draws, test: jl.Backtest, ratio: float
) -> list[dict[str, object]]:
    """Return a row per final run and kind of interval: with and without the law's own error."""
    finals = design.final()
    points = {
        "N": [float(one.shape.params) for one in finals],
        "D": [float(one.tokens) for one in finals],
    }
    found = jl.predict(draws, backtest=test, **points)
    largest = float(f"{np.asarray(test.runs.inputs['C']).max():.3g}")
    moved = np.array([ratio if one.schedule == "linear" else 1.0 for one in finals])
    rows = []
    for interval, column in (("run", "run"), ("run and backtest", "backtest")):
        frames = {prob: found.frame(prob) for prob in PROBS}
        for i, one in enumerate(finals):
            row = {
                "fitted_to": largest,
                "run": one.name,
                "params": one.shape.params,
                "tokens": one.tokens,
                "schedule": one.schedule,
                "law": law.name,
                "weight": round(weight, 3),
                "method": method,
                "interval": interval,
                "loss": found.estimate[i] * moved[i],
            }
            for prob, frame in frames.items():
                for end in ("low", "high"):
                    value = frame[f"{column}_{end}"].iloc[i] * moved[i]
                    row[f"{end}_{prob:.0%}".replace("%", "")] = value
            rows.append(row)
    return rows


def write() -> None:
    """Add the forecast to those where it is committed; none that was made is taken back."""
    frame = forecast().sort_values(["run", "weight", "law"], ascending=[True, False, True])
    frame = frame.round(4)
    if PLACE.exists():
        frame = pd.concat([pd.read_csv(PLACE), frame], ignore_index=True)
    frame.to_csv(PLACE, index=False)
    print(frame.to_string(index=False))
