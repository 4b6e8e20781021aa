"""sensitivity: five published answers to one question, and no answer that is not a minimum."""

import math
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import jaxlaws as jl
from jaxlaws._sensitivity import Sensitivity, sensitivity
from jaxlaws._solver._queue import solve_on as solve

DATA = Path(
    os.environ.get("JAXLAWS_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data"
)
CHINCHILLA = jl.laws.chinchilla
POINT = dict(N=70e9, D=1.4e12)
# In natural space a prediction above the measurement costs ten times one below it: what the
# package chinchilla minimises by default.
TENFOLD = jl.Quantile(1 / 11)


@pytest.fixture(scope="module", autouse=True)
def tables() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAXLAWS_DATA", str(DATA.resolve()))
        yield


@pytest.fixture(scope="module")
def every(tables: None) -> jl.Runs:
    """All 245 points; the replication left out the five largest losses by hand."""
    return jl.datasets.runs("chinchilla_epoch", where="")


@pytest.fixture(scope="module")
def curve(every: jl.Runs) -> Sensitivity:
    objectives = [jl.Huber(), jl.Squared()]
    return sensitivity(CHINCHILLA, every, objectives=objectives, drop=[5], at=POINT, starts=16)


def row(curve: Sensitivity, objective: str, space: str) -> pd.Series:
    frame = curve.frame().set_index(["objective", "space"])
    return frame.loc[(objective, space)]


# objective, space, value, E, alpha, beta, a, tokens per parameter. Values of the objective and the
# parameters: peers.md, section 2. Tokens per parameter of peers.md, section 6, to one decimal.
CERTIFIED = [
    ("Huber(0.001)", "log", 0.0010182740178, 1.817218, 0.347310, 0.367172, 0.514, 17.9),
    ("Squared()", "log", None, 1.86455, 0.360253, 0.405883, 0.530, 14.2),
    ("Squared()", "natural", 240 * 3.466825e-4, 1.882814, 0.357615, 0.427621, 0.545, 10.3),
]


@pytest.mark.parametrize("case", CERTIFIED, ids=lambda c: f"{c[0]}-{c[1]}")
def test_published_answers_are_reproduced(curve: Sensitivity, case: tuple) -> None:
    objective, space, value, E, alpha, beta, a, ratio = case
    got = row(curve, objective, space)
    assert got["status"] == "converged"
    assert got["dropped"] == 5
    if value:
        assert got["value"] == pytest.approx(value, rel=2e-7)  # seven digits printed
    # The valley is flat: six printed digits of a parameter stand for 1e-12 of the objective.
    assert got["E"] == pytest.approx(E, abs=1e-5)
    assert got["alpha"] == pytest.approx(alpha, abs=2e-6)
    assert got["beta"] == pytest.approx(beta, abs=2e-6)
    assert got["a"] == pytest.approx(a, abs=0.0006)
    assert got["tokens_per_parameter"] == pytest.approx(ratio, abs=0.06)


def test_huber_on_raw_loss_has_its_own_minimum(curve: Sensitivity) -> None:
    # peers.md prints 16.2 from vpnls, whose exponents are points of a grid (0.345, 0.372). Eight
    # restarts of Nelder-Mead from six starts end at the values below, 0.003 % lower than the grid
    # point with E, A, B refitted (0.00289634), and there the ratio is 15.6.
    got = row(curve, "Huber(0.001)", "natural")
    assert got["value"] == pytest.approx(0.0028962431958, rel=1e-9)
    assert got["alpha"] == pytest.approx(0.3443035, abs=1e-6)
    assert got["beta"] == pytest.approx(0.3729665, abs=1e-6)
    assert got["E"] == pytest.approx(1.821, abs=0.002)
    assert got["a"] == pytest.approx(0.519, abs=0.0015)
    assert got["tokens_per_parameter"] == pytest.approx(15.64, abs=0.01)


def test_tenfold_price_of_predicting_too_much(every: jl.Runs) -> None:
    # peers.md prints E 1.713, alpha 0.289, beta 0.371, 5.6 from the package's own optimiser, which
    # stops 0.05 % above the minimum. A linear programme over E, A, B inside Nelder-Mead over the
    # exponents gives 1.7310, 0.29456, 0.37910 and 5.71 at 1.1161513; a of 0.563 is the same.
    # Rounding the corner over 1e-6 lowers the sum by up to 240 x 1e-6.
    found = sensitivity(
        CHINCHILLA, every, objectives=[TENFOLD], spaces=["natural"], drop=[5], starts=32
    )
    tenfold = found.frame().loc[0]
    assert tenfold["value"] == pytest.approx(1.1161513, abs=1e-4)
    assert tenfold["E"] == pytest.approx(1.7310, abs=2e-4)
    assert tenfold["alpha"] == pytest.approx(0.29456, abs=2e-4)
    assert tenfold["beta"] == pytest.approx(0.37910, abs=2e-4)
    assert tenfold["a"] == pytest.approx(0.563, abs=0.0006)
    assert tenfold["tokens_per_parameter"] == pytest.approx(5.71, abs=0.01)


def test_the_optimum_is_the_closed_form(curve: Sensitivity) -> None:
    frame = curve.frame()
    alpha, beta, C = frame["alpha"], frame["beta"], curve.C
    G = (alpha * frame["A"] / (beta * frame["B"])) ** (1 / (alpha + beta))
    a = beta / (alpha + beta)
    np.testing.assert_allclose(frame["a"], a, rtol=1e-10)
    # Bisection to 1e-17 of the bracket and two Newton steps: rounding is all that is left.
    np.testing.assert_allclose(frame["N_opt"], G * (C / 6) ** a, rtol=1e-9)
    np.testing.assert_allclose(6 * frame["N_opt"] * frame["D_opt"], C, rtol=1e-12)
    L = frame["E"] + frame["A"] * 70e9**-alpha + frame["B"] * 1.4e12**-beta
    np.testing.assert_allclose(frame["prediction"], L, rtol=1e-10)


def test_it_prints_as_a_table(curve: Sensitivity) -> None:
    text = repr(curve)
    assert text.startswith(
        "chinchilla_epoch: 4 choices; L at N 7e+10, D 1.4e+12; optimum of 5.88e+23 FLOP"
    )
    assert "tokens per parameter are 10.35 to 17.91" in text


def test_a_fit_stopped_early_gives_its_reason_and_no_number(runs: jl.Runs) -> None:
    asked = dict(objectives=[jl.Squared()], spaces=["log"], starts=4)
    stopped = sensitivity(jl.laws.kaplan_n, runs, **asked, solver=jl.Newton(max_steps=1))
    got = stopped.frame().loc[0]
    assert got["status"] == "out of steps"
    assert got.drop(["law", "objective", "space", "dropped", "status", "note"]).isna().all()
    assert "out of steps" in repr(stopped)


def test_another_delta_or_number_left_out_is_not_compiled_again(runs: jl.Runs) -> None:
    asked = dict(spaces=["log"], starts=8)
    sensitivity(CHINCHILLA, runs, objectives=[jl.Huber()], **asked)
    before = solve._cache_size()
    found = sensitivity(
        CHINCHILLA, runs, objectives=[jl.Huber(3e-3), jl.Huber(2e-2)], drop=[0, 3], **asked
    )
    assert solve._cache_size() == before
    assert list(found.frame()["objective"]) == ["Huber(0.003)"] * 2 + ["Huber(0.02)"] * 2
    assert list(found.frame()["dropped"]) == [0, 3, 0, 3]


def test_a_law_that_cannot_be_fitted_keeps_its_row(runs: jl.Runs) -> None:
    laws = [jl.laws.muennighoff, CHINCHILLA]
    found = sensitivity(laws, runs, objectives=[jl.Huber()], spaces=["log"], starts=8)
    frame = found.frame()
    assert "needs the input 'U_D'" in frame["status"][0]
    assert "refused" in repr(found)
    assert "note: row 0: muennighoff needs the input 'U_D'" in repr(found)
    assert frame["status"][1] == "converged"
    assert math.isfinite(frame["tokens_per_parameter"][1])
    assert math.isnan(frame["E"][0])


REFUSED = {
    "no law": ((), {}, "takes laws first"),
    "two quantities": (
        (CHINCHILLA, jl.laws.ppl_to_error),
        {},
        "chinchilla predicts L and ppl_to_error error",
    ),
    "all out": ((CHINCHILLA,), dict(drop=[81]), "from 0 to 80; got 81"),
    "no drop": ((CHINCHILLA,), dict(drop=[]), "needs at least one number"),
    "no compute": ((CHINCHILLA,), dict(C=6.0), "compute in FLOP"),
    "space": ((CHINCHILLA,), dict(spaces=["linear"]), "among log, natural, logit; got 'linear'"),
    "half a point": ((CHINCHILLA,), dict(at=dict(N=1e9)), "predicts from D too"),
}


@pytest.mark.parametrize(("laws", "asked", "words"), REFUSED.values(), ids=REFUSED)
def test_refusals_say_what_was_expected(
    runs: jl.Runs, laws: tuple, asked: dict, words: str
) -> None:
    with pytest.raises(jl.InputError, match=words):
        sensitivity(laws, runs, **asked)
