"""Do intervals hold the truth as often as they say? Simulated tables with known constants.

The full study runs by hand (`python -m benchmarks.coverage`, or `pytest -m slow` here); the small
one runs always. Shares are judged by exact binomial bounds, false-alarm rates stand beside them.
"""

import jax
import numpy as np
import pytest
from scipy import stats

import jaxlaws as jl
from benchmarks import coverage
from benchmarks.coverage import PREDICTED, TRUTH, Setting

PROB = 0.95
# Coverage that is still called right: a bootstrap of 60 runs is not exact.
RIGHT = (0.90, 0.985)


def bounds(n: int, false_alarm: float) -> tuple[float, float]:
    """Shares of n that a coverage inside RIGHT leaves with less than this probability each way."""
    low = stats.binom.ppf(false_alarm / 2, n, RIGHT[0]) / n
    high = stats.binom.isf(false_alarm / 2, n, RIGHT[1]) / n
    return low, high


def held(
    setting: Setting, n: int, draws: int, methods: list[str]
) -> dict[tuple[str, str, str], float]:
    rows = coverage.study(setting, replications=n, draws=draws, methods=methods, prob=PROB)
    assert not rows.withheld.any()
    rows = rows.assign(holds=~(rows.below | rows.above))
    return rows.groupby(["method", "interval", "quantity"])["holds"].mean().to_dict()


def test_small_study() -> None:
    """120 tables of 60 runs: the interval a user gets by default, for parameters and far out.

    18 shares, each outside its bounds with probability 1e-4 at most where the coverage is right: a
    false alarm in 500 changes of the code or the random numbers.
    """
    low, high = bounds(120, 1e-4)
    found = held(Setting(runs=60, objective="squared"), 120, 200, ["pairs", "bayesian", "residual"])
    for method in ("pairs", "bayesian", "residual"):
        for quantity in [*TRUTH, PREDICTED]:
            share = found[method, "percentile", quantity]
            assert low <= share <= high, (method, quantity, share)


def test_tables_of_the_study_are_fits_of_the_library(key: jax.Array) -> None:
    """A table and its resamples through the public functions give the same numbers."""
    setting = Setting(runs=60, objective="squared")
    loss = coverage.losses(setting, 3, 1)
    refits = coverage.Refits(setting, loss)
    made, method = coverage.table(setting, loss[2]), jl.Pairs()
    fit = jl.fit(jl.laws.chinchilla, made, objective=jl.Squared(), starts=16)
    for name, v in fit.params.items():
        assert float(v) == pytest.approx(float(refits.point[name][2]), rel=1e-6)
    draws = jl.bootstrap(fit, method, draws=60, key=key)
    values, good = refits.resampled(
        np.array([2]), lambda i, ids, sample: method.draw(key, ids, sample), 60
    )
    assert good.all()
    for name, v in draws.params.items():
        np.testing.assert_allclose(values[name][0], v, rtol=1e-5)


def test_bounds_let_the_right_through_and_stop_the_wrong() -> None:
    """The small study would notice a coverage of 75 %."""
    low, high = bounds(120, 1e-4)
    assert low < RIGHT[0] < RIGHT[1] <= high
    assert stats.binom.cdf(np.ceil(low * 120) - 1, 120, 0.70) > 0.9


@pytest.mark.slow
@pytest.mark.parametrize("noise", ["normal", "t5"])
@pytest.mark.parametrize("runs", [60, 240])
@pytest.mark.parametrize("objective", ["squared", "huber"])
def test_full_study(objective: str, runs: int, noise: str, capsys: pytest.CaptureFixture) -> None:
    """1000 tables each, 500 draws: the pairs bootstrap's percentile interval holds 92 to 98 %.

    48 shares with a false-alarm rate of 1e-4 each beyond that band.
    """
    setting = Setting(runs=runs, noise=noise, objective=objective)
    rows = coverage.study(setting, replications=1000, draws=500, prob=PROB)
    with capsys.disabled():
        print(f"\n{setting}\n{coverage.summary(rows).droplevel([0, 1, 2, 3]).round(1)}")
    rows = rows.assign(holds=~(rows.below | rows.above))
    share = rows[(rows.method == "pairs") & (rows.interval == "percentile")]
    share = share.groupby("quantity")["holds"].mean()
    low = stats.binom.ppf(5e-5, 1000, 0.92) / 1000
    high = stats.binom.isf(5e-5, 1000, 0.98) / 1000
    assert ((share >= low) & (share <= high)).all(), share
