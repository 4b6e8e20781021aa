"""Backtest, discrepancy and average: closed forms, refits of truncated tables, simulated studies."""

import numpy as np
import pytest
from scipy.stats import binom

import jaxlaws as jl

STUDIES = 200
X = np.geomspace(1e6, 1e9, 32)
FAR = 1e10  # ten times the largest run
NOISE = 0.01
FLOOR = dict(beta=40.0, c=-0.35, eps_inf=0.3)
# A study is a miss or a cover, so the count of covers is binomial. Two bounds per test and four
# tests: 1e-4 each keeps the false-alarm rate of the file below one in a thousand.
ALARM = 1e-4


def study(seed: int) -> tuple[jl.Runs, float]:
    """Thirty-two runs of a power above a floor, and a new one at ten times the largest."""
    rng = np.random.default_rng([20, seed])
    law = np.asarray(jl.laws.m2(np.append(X, FAR), **FLOOR))
    noisy = law * np.exp(NOISE * rng.standard_normal(len(law)))
    return jl.Runs.from_arrays(noisy[:-1], x=X, name=f"study {seed}"), float(noisy[-1])


@pytest.fixture(scope="module")
def studies() -> list[tuple[jl.Runs, float]]:
    return [study(seed) for seed in range(STUDIES)]


def covers(law: jl.Law, studies: list[tuple[jl.Runs, float]]) -> dict[str, int]:
    """How many 90 % intervals of a new run hold it, without and with the backtest."""
    stack = jl.Runs.stack([runs for runs, _ in studies])
    squared = jl.Squared()
    tests = jl.backtest(law, stack, objective=squared, starts=8)
    fits = jl.fit(law, stack, objective=squared, starts=8)
    count = dict(run=0, backtest=0)
    for found, fit, (_, new) in zip(tests, fits, studies, strict=True):
        frame = jl.predict(jl.laplace(fit, draws=400), backtest=found, x=FAR).frame(0.9)
        for kind in count:
            low, high = frame[f"{kind}_low"][0], frame[f"{kind}_high"][0]
            count[kind] += bool(low <= new <= high)
    return count


def test_intervals_of_a_true_law_stay_nominal(studies: list[tuple[jl.Runs, float]]) -> None:
    found = covers(jl.laws.m2, studies)
    assert binom.sf(found["run"] - 1, STUDIES, 0.83) > ALARM
    assert found["backtest"] >= found["run"]


def test_intervals_of_a_wrong_law_cover_only_with_the_backtest(
    studies: list[tuple[jl.Runs, float]],
) -> None:
    found = covers(jl.laws.m1, studies)
    assert found["run"] < 0.2 * STUDIES
    assert found["backtest"] > 0.8 * STUDIES
