"""compare: the columns are what the docstring says, and a bad law does not spoil the table."""

import math
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import jaxlaws as jl
from jaxlaws._compare import compare
from jaxlaws._solver._queue import solve_on as solve

DATA = Path(
    os.environ.get("JAXLAWS_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data"
)
LADDER = ["1xC", "2xC", "5xC", "10xC"]
CHINCHILLA = jl.laws.chinchilla


@pytest.fixture(scope="module", autouse=True)
def tables() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAXLAWS_DATA", str(DATA.resolve()))
        yield


@pytest.fixture(scope="module")
def mask(runs: jl.Runs) -> np.ndarray:
    return runs.inputs["N"] > 3e9


@pytest.fixture(scope="module")
def table(runs: jl.Runs, mask: np.ndarray) -> pd.DataFrame:
    """Two laws by least squares, and one that needs an input which the runs do not have."""
    laws = [jl.laws.kaplan_n, jl.laws.muennighoff, CHINCHILLA]
    before = solve._cache_size()
    table = compare(laws, runs, test=mask, objective=jl.Squared(), starts=32)
    table.attrs["compiled"] = solve._cache_size() - before
    return table


def test_the_law_that_made_the_runs_extrapolates_best(table: pd.DataFrame) -> None:
    assert list(table.index) == ["chinchilla", "kaplan_n", "muennighoff"]
    assert table["aicc"].idxmin() == "chinchilla"
    assert table["weight"].sum() == pytest.approx(1)
    assert table["weight"]["chinchilla"] > 0.999
    assert list(table["p"]) == [5, 2, 7]
    assert table.attrs["held_out"].endswith("of 81 runs, as given")


def test_columns_are_what_they_say(
    table: pd.DataFrame, runs: jl.Runs, mask: np.ndarray, squared_fit: jl.Fit
) -> None:
    # The rows left out altogether; the padding is there to save a compilation.
    fit = jl.fit(CHINCHILLA, runs.where(~mask).padded(81), objective=jl.Squared(), starts=32)
    held = {name: runs.inputs[name][mask] for name in "ND"}
    error = np.log(np.asarray(CHINCHILLA(**held, **fit.params)) / runs.target[mask])
    row = table.loc["chinchilla"]
    # Two solves of one minimum agree to the solver's tolerance: 1e-13 of the objective, whose
    # square root is what parameters and predictions are good for.
    assert row["fit_value"] == pytest.approx(fit.value, rel=1e-10)
    assert row["test_rmsle"] == pytest.approx(math.sqrt(np.mean(error**2)), rel=1e-5)
    assert row["test_bias"] == pytest.approx(np.mean(error), rel=1e-5, abs=1e-8)
    assert row["worst"] == pytest.approx(error[np.argmax(np.abs(error))], rel=1e-5)
    n, k = 81, 6
    deviance = n * (math.log(2 * math.pi * squared_fit.value / n) + 1)
    aicc = deviance + 2 * k + 2 * k * (k + 1) / (n - k - 1)
    assert row["aicc"] == pytest.approx(aicc, rel=1e-9)
    assert table["delta_aicc"].min() == 0
    assert 0.5 < row["starts_agree"] <= 1


def test_a_law_that_cannot_be_fitted_keeps_its_row(table: pd.DataFrame) -> None:
    row = table.loc["muennighoff"]
    assert "needs the input 'U_D'" in row["status"]
    assert row[["test_rmsle", "fit_value", "aicc", "weight"]].isna().all()


def test_both_fits_share_one_compiled_solve(table: pd.DataFrame) -> None:
    assert table.attrs["compiled"] <= 2  # laws; fewer where another test has fitted one


def test_the_largest_fifth_is_held_out(runs: jl.Runs) -> None:
    found = compare(CHINCHILLA, runs, objective=jl.Squared(), starts=16)
    assert found.attrs["held_out"] == "17 of 81 runs, those with the largest N x D"
    size, held = runs.inputs["N"] * runs.inputs["D"], found.attrs["test"]
    assert size[held].min() > size[~held].max()


def test_the_ladder_misses_its_target_by_two_per_cent() -> None:
    # data/olmo_ladder/README.md: 16 runs predict 2.43372 for the 7B target, measured 2.48292. The
    # minimum is exact, so that only the five decimals printed are uncertain: 1e-5 / 2.4.
    rows = jl.datasets.load("olmo_ladder").query("chinchilla_multiple in @LADDER")
    last = rows.sort_values("step").groupby("run").tail(5).groupby("run")
    ladder = last.agg(N=("params_N", "last"), D=("tokens_D", "last"), loss=("c4_en_ce", "mean"))
    ladder.loc["7B"] = (6887575552, 3945065873408, 2.48292)
    both = jl.Runs.from_frame(ladder, N="N", D="D", target="loss", name="ladder")
    found = compare(CHINCHILLA, both, test=both.inputs["N"] > 2e9).loc["chinchilla"]
    assert found["status"] == "converged"
    assert found["test_bias"] == pytest.approx(math.log(2.43372 / 2.48292), abs=1e-5)
    assert found["fit_value"] == pytest.approx(3.2998988e-05, rel=2e-8)


def test_a_fit_that_did_not_converge_gives_no_numbers(runs: jl.Runs) -> None:
    found = compare(
        jl.laws.kaplan_n, runs, objective=jl.Squared(), starts=4, solver=jl.Newton(max_steps=1)
    ).loc["kaplan_n"]
    assert found["status"] == "out of steps"
    assert found[["test_rmsle", "worst", "fit_value", "aicc"]].isna().all()


def test_too_few_runs_are_a_reason_and_not_an_exception(runs: jl.Runs) -> None:
    few = runs.where(np.arange(81) < 6)
    found = compare(CHINCHILLA, few, test=np.arange(6) > 2).loc["chinchilla"]
    assert "has 5 parameters" in found["status"]
    assert math.isnan(found["test_rmsle"])


REFUSED = {
    "no law": ((), {}, "needs at least one law"),
    "a function": ((lambda N: N,), {}, "takes laws, got function"),
    "two quantities": (
        (CHINCHILLA, jl.laws.ppl_to_error),
        {},
        "chinchilla predicts L .* and ppl_to_error error",
    ),
    "a short mask": ((CHINCHILLA,), dict(test=[True, False]), r"shape \(81,\); got bool"),
    "numbers": ((CHINCHILLA,), dict(test=np.arange(81)), "one True or False per run"),
    "nothing held out": ((CHINCHILLA,), dict(test=np.zeros(81, bool)), "holds out 0 of 81"),
    "all held out": ((CHINCHILLA,), dict(test=np.ones(81, bool)), "holds out 81 of 81"),
    "no size": ((jl.laws.ppl_to_error,), {}, "no input that says how large a run is"),
}


@pytest.mark.parametrize(("laws", "asked", "words"), REFUSED.values(), ids=REFUSED)
def test_refusals_say_what_was_expected(
    runs: jl.Runs, laws: tuple, asked: dict, words: str
) -> None:
    with pytest.raises(jl.InputError, match=words):
        compare(laws, runs, **asked)


def test_a_warning_is_heard_once_for_all_laws(runs: jl.Runs) -> None:
    # With D constant no law is fitted, which is quick, but every one looks at the repeated rows.
    N = np.append(runs.inputs["N"], runs.inputs["N"][0])
    twice = jl.Runs.from_arrays(np.append(runs.target, runs.target[0]), N=N, D=np.full(82, 1e10))
    with pytest.warns(jl.InputWarning, match="repeat an earlier one") as heard:
        found = compare([CHINCHILLA, jl.laws.kaplan_nd], twice)
    assert len(heard) == 1
    assert found["status"].str.contains("'D' is 1e.10 in every run").all()
