"""Backtest, discrepancy and average: closed forms, refits of truncated tables, simulated studies."""

import dataclasses
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import binom, norm

import jaxlaws as jl
from jaxlaws._discrepancy import EXPONENTS, discrepancy
from jaxlaws._solver import CONVERGED, OUT_OF_STEPS

STUDIES = 200
X = np.geomspace(1e6, 1e9, 32)
FAR = 1e10  # ten times the largest run
NOISE = 0.01
FLOOR = dict(beta=40.0, c=-0.35, eps_inf=0.3)
# A study is a miss or a cover, so the count of covers is binomial. One bound at 1e-4 is the
# only one that chance alone can break.
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


# The refits


@pytest.fixture(scope="module")
def runs() -> jl.Runs:
    return study(0)[0]


@pytest.fixture(scope="module")
def found(runs: jl.Runs) -> jl.Backtest:
    laws = [jl.laws.m2, jl.laws.m1, jl.laws.m3]
    return jl.backtest(laws, runs, objective=jl.Squared(), starts=8)


def test_a_refit_is_the_fit_of_the_truncated_table(found: jl.Backtest, runs: jl.Runs) -> None:
    kept = runs.inputs["x"] <= found.cuts[5] * (1 + 1e-9)
    for i, law in enumerate(found.laws[:2]):
        alone = jl.fit(law, runs.where(kept), objective=jl.Squared(), starts=32)
        # Two solves of one minimum: 1e-13 of the objective, whose root is what predictions are.
        assert found.value[i, 5] == pytest.approx(alone.value, rel=1e-9)
        far = {k: np.full((~kept).sum(), v) for k, v in alone.params.items()}
        predicted = np.log(np.asarray(law(runs.inputs["x"][~kept], **far)))
        error = predicted - np.log(runs.target[~kept])
        np.testing.assert_allclose(found.error[i, 5, ~kept], error, atol=1e-6)
        assert np.isnan(found.error[i, 5, kept]).all()


def test_cuts_roll_outwards_and_keep_half_the_runs(found: jl.Backtest, runs: jl.Runs) -> None:
    assert len(found.cuts) == 8
    assert (np.diff(found.cuts) > 0).all()
    kept = (found.weight > 0).sum(axis=1)
    assert (kept[0], kept[-1]) == (16, 31)
    held = np.isfinite(found.distance)
    assert ((found.weight > 0) ^ held).all()
    distance = np.log(runs.inputs["x"][None, :] / found.cuts[:, None])
    np.testing.assert_allclose(found.distance[held], distance[held], rtol=1e-12)


def test_a_stack_gives_what_each_table_gives_alone() -> None:
    tables = [study(i)[0].where(X < end) for i, end in ((3, 2e9), (4, 3e8))]
    both = jl.backtest(jl.laws.m1, jl.Runs.stack(tables), objective=jl.Squared(), starts=8)
    for table, one in zip(tables, both, strict=True):
        alone = jl.backtest(jl.laws.m1, table, objective=jl.Squared(), starts=8)
        np.testing.assert_allclose(one.error, alone.error, atol=1e-6)
        np.testing.assert_allclose(one.expected, alone.expected, rtol=1e-4)
        assert one.error.shape == (1, 8, len(table))


def test_what_is_explained_is_the_error_of_prediction_of_a_regression(found: jl.Backtest) -> None:
    """A power is a straight line in log space: sigma^2 (1 + x' (X'X)^-1 x)."""
    i = found.laws.index(jl.laws.m1)
    design = np.column_stack([np.ones(len(X)), np.log(X)])
    for c in range(len(found.cuts)):
        kept = found.weight[c] > 0
        inside, far = design[kept], design[~kept]
        _, rss, *_ = np.linalg.lstsq(inside, np.log(found.runs.target[kept]))
        leverage = np.sum(far @ np.linalg.inv(inside.T @ inside) * far, axis=1)
        sd = np.sqrt(rss[0] / (kept.sum() - 2) * (1 + leverage))
        # The prior of z pulls by the square of a standard error: 1e-3 of it with this noise.
        np.testing.assert_allclose(found.expected[i, c, ~kept], sd, rtol=1e-2)


def test_the_law_of_the_data_has_the_weight(found: jl.Backtest) -> None:
    assert found.weights.sum() == pytest.approx(1.0)
    assert found.weights[0] > 0.9
    summary = found.summary()
    assert summary["discrepancy"].idxmin() == "m2"
    # Straight lines miss a floor ever more: always too low.
    assert summary.loc["m1", "bias"] < -5 * NOISE
    assert summary.loc["m1", "discrepancy"] > 5 * summary.loc["m1", "explained"]
    shown = repr(found)
    assert "8 cuts hold out 16 to 1 of the runs, those with the largest x" in shown
    frame = found.frame()
    assert len(frame) == np.isfinite(found.error).sum()
    assert list(frame.columns) == ["law", "cut", "row", "distance", "error", "expected"]


def test_a_law_with_too_many_parameters_is_left_out_in_words(runs: jl.Runs) -> None:
    few = runs.where(np.arange(32) % 4 == 0)  # eight runs
    both = jl.backtest([jl.laws.m2, jl.laws.bnsl(1)], few, objective=jl.Squared(), starts=8)
    assert both.weights.tolist() == [1.0, 0.0]
    assert "bnsl(1) has no weight: it has 6 parameters, and fewer than 3 cuts of 8" in repr(both)
    assert not both.tested(jl.laws.bnsl(1))
    with pytest.raises(jl.InputError, match=r"bnsl\(1\) could not be backtested: it has 6"):
        both.of(jl.laws.bnsl(1))


def test_refits_that_fail_are_counted_and_leave_no_weight(found: jl.Backtest) -> None:
    late = np.where(np.arange(8) < 5, OUT_OF_STEPS, CONVERGED)  # the others predict no number
    bad = dataclasses.replace(
        found,
        failed=np.ones_like(found.failed),
        status=np.broadcast_to(late, found.failed.shape),
    )
    said = "8 of 8 refits are no certified minima \\(5 out of steps\\)"
    assert re.search(f"m2 has no weight: {said}", repr(bad))
    with pytest.raises(jl.InputError, match=f"has a certified refit.*m2: {said}.*max_steps=5000"):
        _ = bad.weights
    one = np.array(found.failed)
    one[0, :5] = True
    some = dataclasses.replace(found, failed=one)
    assert some.weights[0] == 0
    assert some.weights.sum() == pytest.approx(1.0)
    assert some.summary()["failed"].tolist() == [5, 0, 0]


# The discrepancy


def made(tau: float, gamma: float, cuts: int, seed: int) -> tuple[np.ndarray, ...]:
    """Errors of cuts that each miss along one line of distances, and noise of 0.01."""
    rng = np.random.default_rng([30, seed])
    distance = np.tile(np.geomspace(0.1, 3.0, 12), cuts)
    cut = np.repeat(np.arange(cuts), 12)
    own = tau * rng.standard_normal(cuts)[cut] * distance**gamma
    noise = np.full(len(cut), NOISE)
    return own + NOISE * rng.standard_normal(len(cut)), noise, noise, distance, cut


def test_many_cuts_give_back_the_spread_and_how_it_grows() -> None:
    for tau, gamma in ((0.1, 1.0), (0.05, 0.5), (0.1, 1.5)):
        seen = discrepancy(*made(tau, gamma, 400, 0))
        # 400 cuts know a standard deviation within 1 / sqrt(800) = 3.5 %, times three.
        np.testing.assert_allclose(
            seen.typical(np.array([1.0, 3.0])), tau * np.array([1, 3**gamma]), rtol=0.15
        )
        assert seen.exponent[0] == pytest.approx(gamma, abs=0.15)


def test_few_cuts_leave_the_exponent_at_what_was_believed_before() -> None:
    seen = discrepancy(*made(0.0, 1.0, 3, 1))
    assert seen.exponent[0] == pytest.approx(1.0, abs=0.2)
    assert seen.exponent[1] == pytest.approx(0.5, abs=0.15)
    assert seen.mass.sum() == pytest.approx(1.0)


def test_a_law_without_error_of_its_own_has_nearly_no_discrepancy() -> None:
    seen = discrepancy(*made(0.0, 1.0, 400, 2))
    assert seen.typical(np.array([seen.middle]))[0] < 0.2 * NOISE


def test_scales_follow_the_posterior() -> None:
    seen = discrepancy(*made(0.1, 1.0, 8, 3))
    at = np.array([0.0, 0.5, 2.0])
    drawn = seen.scales(at, 4000, np.random.default_rng(0))
    assert (drawn[:, 0] == 0).all()  # nothing is added inside the runs
    # The median of 4000 draws has rank 2000 +- 32: 3 % of a density this wide, times three.
    np.testing.assert_allclose(np.median(drawn[:, 1:], axis=0), seen.typical(at[1:]), rtol=0.1)


def test_evidence_is_the_integral_over_spread_and_exponent() -> None:
    """One error: half-Cauchy and normal, integrated by hand over a finer grid."""
    one = [np.array([v]) for v in (0.05, 0.01, 0.02, 1.0, 0)]
    seen = discrepancy(*one)  # at the middle distance the exponent drops out
    tau = np.linspace(0, 40, 4_000_001)[1:]
    half_cauchy = 2 / (np.pi * 0.02 * (1 + (tau / 0.02) ** 2))
    inside = np.sum(norm.pdf(0.05, 0, np.hypot(0.02, tau)) * half_cauchy) * 1e-5
    # 81 values of tau over six decades: steps of 19 %, and the ends are cut off.
    assert seen.evidence == pytest.approx(math.log(inside), abs=0.02)
    assert len(EXPONENTS) == seen.mass.shape[1]


# The interval


@pytest.fixture(scope="module")
def known(runs: jl.Runs) -> jl.Draws:
    return jl.laplace(jl.fit(jl.laws.m2, runs, objective=jl.Squared(), starts=8), draws=400)


def test_the_backtest_widens_only_beyond_the_runs(found: jl.Backtest, known: jl.Draws) -> None:
    at = [1e8, 1e9, 1e10, 1e12]
    plain, wide = jl.predict(known, x=at), jl.predict(known, x=at, backtest=found)
    np.testing.assert_array_equal(plain.run, wide.run)
    np.testing.assert_allclose(wide.run[:, :2], wide.backtest[:, :2], rtol=1e-14)  # log, exp
    frame = wide.frame(0.8)
    width = (frame["backtest_high"] - frame["backtest_low"]).to_numpy()
    assert (width[2:] > (frame["run_high"] - frame["run_low"])[2:]).all()
    assert width[3] > width[2]
    assert "backtest_low" not in plain.frame()
    assert "backtest adds how far the law missed larger runs in 8 refits" in repr(wide)
    assert "backtest" not in repr(plain)
    assert plain.frame().attrs["includes"] == wide.frame().attrs["includes"][:1]


def test_any_draws_take_a_backtest(found: jl.Backtest, known: jl.Draws) -> None:
    boot = jl.bootstrap(known.fit, draws=100)
    for draws in (boot, known):
        wide = jl.predict(draws, x=FAR, backtest=found)
        assert wide.backtest.std() > wide.run.std()


def test_the_spread_is_that_of_the_discrepancy(found: jl.Backtest, known: jl.Draws) -> None:
    m1 = jl.laws.m1
    fit = jl.fit(m1, found.runs, objective=jl.Squared(), starts=8)
    wide = jl.predict(jl.laplace(fit, draws=4000), x=FAR, backtest=found)
    step = np.log(wide.backtest / wide.run)[:, 0]
    # |step| is |z| times the scale; its median for one scale is 0.6745 of it. 4000 draws and a
    # scale that is itself uncertain by a third: one part in ten.
    typical = found.of(m1).typical(np.array([math.log(10)]))[0]
    assert np.median(np.abs(step)) == pytest.approx(0.6745 * typical, rel=0.1)


# Alike tables


def scored(found: jl.Backtest, score: np.ndarray) -> tuple[jl.Backtest, ...]:
    """A backtest per row of log probabilities (table, law)."""
    tables = tuple(dataclasses.replace(found) for _ in score)
    for one, own in zip(tables, score, strict=True):
        vars(one)["score"] = own
    return tables


def test_alike_tables_find_which_law_is_common(found: jl.Backtest) -> None:
    """Every table is of a law drawn from a planted prior and sees one number that hints at it."""
    rng, planted = np.random.default_rng(5), np.array([0.7, 0.25, 0.05])
    truth = rng.choice(3, 4000, p=planted)
    hint = 2.0 * truth + rng.standard_normal(4000)
    score = norm.logpdf(hint[:, None], 2.0 * np.arange(3))
    pooled = jl.pool(scored(found, score))
    # Means two deviations apart lose half of what each table says: 0.010 is the binomial deviation
    # of 0.7 in 2000 tables, times four.
    np.testing.assert_allclose(pooled[0].prior, planted, atol=0.04)
    believed = [
        np.mean([np.log(one.weights[law]) for one, law in zip(tables, truth, strict=True)])
        for tables in (scored(found, score), scored(pooled[0], score))
    ]
    assert believed[1] > believed[0]  # the log score is proper
    alone = scored(found, score[:1])[0].weights
    np.testing.assert_allclose(alone, np.exp(score[0]) / np.exp(score[0]).sum())


def test_the_prior_is_the_most_probable_one_given_the_other_tables(found: jl.Backtest) -> None:
    score = np.array([[9.0, -9.0], [0.0, -1.0], [0.0, -3.0], [-2.0, 0.0]])
    pooled = jl.pool(scored(dataclasses.replace(found, laws=found.laws[:2]), score))
    share = np.linspace(0, 1, 100_001)[1:-1]
    grid = np.stack([share, 1 - share], axis=1)
    for t, one in enumerate(pooled):
        others = np.delete(score, t, axis=0)
        density = np.log(np.exp(others) @ grid.T).sum(axis=0) + 0.5 * np.log(grid).sum(axis=1)
        assert one.prior[0] == pytest.approx(share[density.argmax()], abs=1e-5)
        assert one.prior.sum() == pytest.approx(1.0)


def test_a_table_that_could_not_refit_a_law_says_nothing_about_it(found: jl.Backtest) -> None:
    """Ten tables favour the second law; at five others only the first could be refitted."""
    two = dataclasses.replace(found, laws=found.laws[:2])
    favour, silent = np.tile([0.0, 1.0], (10, 1)), np.tile([0.0, -np.inf], (5, 1))
    alone = jl.pool(scored(two, favour))[0].prior
    both = jl.pool(scored(two, np.concatenate([favour, silent])))[0].prior
    # The tables that are silent add no evidence and leave what the others say.
    assert alone[1] > 0.85
    assert both[1] == pytest.approx(alone[1], abs=0.02)


def test_what_cannot_be_pooled_is_refused(found: jl.Backtest) -> None:
    with pytest.raises(jl.InputError, match="two tables or more; got 1"):
        jl.pool([found])
    other = dataclasses.replace(found, laws=found.laws[::-1])
    with pytest.raises(jl.InputError, match="same laws in the same order; that of study 0 has m2"):
        jl.pool([found, other])
    bad = dataclasses.replace(found, failed=np.ones_like(found.failed))
    with pytest.raises(jl.InputError, match="study 0 has no cut at which every law"):
        jl.pool([found, bad])


# The average


@pytest.fixture(scope="module")
def each(found: jl.Backtest) -> list[jl.Prediction]:
    fits = [jl.fit(law, found.runs, objective=jl.Squared(), starts=8) for law in found.laws]
    return [jl.predict(jl.laplace(f, draws=400), x=[1e9, FAR], backtest=found) for f in fits]


def test_a_mixture_holds_draws_in_proportion(each: list[jl.Prediction]) -> None:
    mixed = jl.average(each, [0.5, 0.3, 0.2])
    assert mixed.run.shape == mixed.mean.shape == mixed.backtest.shape == (400, 2)
    for part, at in zip(each, (slice(0, 200), slice(200, 320), slice(320, 400)), strict=True):
        assert np.isin(mixed.mean[at], part.mean).all()
    logs = [np.log(p.estimate) for p in each]
    np.testing.assert_allclose(
        np.log(mixed.estimate), np.average(logs, axis=0, weights=[0.5, 0.3, 0.2])
    )
    assert "mixture of 0.5 m2 fitted to study 0, 0.3 m1" in repr(mixed)


def test_one_law_is_its_own_average(each: list[jl.Prediction]) -> None:
    alone = jl.average(each, [1.0, 0.0, 0.0])
    np.testing.assert_array_equal(alone.run, each[0].run)
    np.testing.assert_allclose(alone.estimate, each[0].estimate)


def test_two_modes_are_reported_with_both_predictions(each: list[jl.Prediction]) -> None:
    bare = [dataclasses.replace(p, backtest=None) for p in each]
    mixed = jl.average(bare[:2], [0.6, 0.4])
    (said,) = [line for line in mixed.includes if line.startswith("two predictions")]
    assert "at x 1e+10" in said
    for part, weight in zip(bare, ("0.6", "0.4"), strict=False):
        low, high = np.quantile(part.run[:, 1], [0.05, 0.95])
        assert f"{low:.5g} to {high:.5g} (weight {weight}" in said
    assert "two predictions, not one" in repr(mixed)
    assert not any("two" in line for line in jl.average(bare[:2], [0.99, 0.01]).includes)


def test_the_tied_and_the_free_fit_of_misfitting_are_two_predictions(data: Path) -> None:
    """Nearly equal objectives, exponents of the frontier 0.76 and 0.50 (README of the table)."""
    table = jl.datasets.load("misfitting", "scaling_results_final_checkpoints")
    runs = jl.Runs.from_frame(
        table, N="params_N_with_emb", D="tokens_D", target="c4_eval_loss", name="misfitting"
    )
    laws = jl.laws.chinchilla, jl.laws.chinchilla.tie(alpha="beta")
    with pytest.warns(jl.InputWarning, match="repeat an earlier one"):
        fits = [jl.fit(law, runs, starts=32) for law in laws]
    # README: minima of the free and the tied form, to the last digit given.
    assert [fit.value for fit in fits] == pytest.approx([0.00502165412, 0.00524370575], rel=1e-8)
    draws = [jl.bootstrap(fit, jl.Bayesian(), draws=100) for fit in fits]
    mixed = jl.average(
        [jl.predict(one, N=[1e8, 1e12], D=[1e10, 2e13]) for one in draws], [0.5, 0.5]
    )
    said = [line for line in mixed.includes if line.startswith("two predictions")]
    assert len(said) == 1
    assert "at N 1e+12, D 2e+13" in said[0]


# Refusals


def refuse(words: str, fn: Callable[[], Any]) -> None:
    with pytest.raises(jl.InputError, match=words) as refused:
        fn()
    assert str(refused.value).count("\n") == 0


def test_refusals_say_what_was_expected(
    runs: jl.Runs, found: jl.Backtest, known: jl.Draws, each: list[jl.Prediction]
) -> None:
    m2, average = jl.laws.m2, jl.average
    few = runs.where(np.arange(32) < 5)
    refuse("m2 has 3 parameters and only 1 cuts leave more", lambda: jl.backtest(m2, few))
    refuse("study 0 has|bnsl\\(1\\) has 6", lambda: jl.backtest(jl.laws.bnsl(1), few))
    two = [m2, jl.laws.chinchilla]
    refuse("compare laws of the same quantity", lambda: jl.backtest(two, runs))
    refuse("at least one law", lambda: jl.backtest([], runs))
    refuse("size names positive inputs", lambda: jl.backtest(m2, runs, size=["N"]))
    refuse("at least 3 cuts; got 2", lambda: jl.backtest(m2, runs, cuts=2))
    other = jl.laws.m4
    refuse("is of m2, m1, m3, not of m4", lambda: found.of(other))
    natural = dataclasses.replace(known, space="natural")
    refuse("errors are of log y", lambda: jl.predict(natural, x=1e9, backtest=found))
    refuse("sum to one; these sum to 0.9", lambda: average(each, [0.5, 0.3, 0.1]))
    refuse("one weight, zero or more, for each of 3", lambda: average(each, [0.5, 0.5]))
    refuse("one weight, zero or more", lambda: average(each, [1.5, -0.5, 0.0]))
    refuse("at least one prediction", lambda: average([], []))
    elsewhere = jl.predict(known, x=[1e9, 2e10], backtest=found)
    refuse("asked at different points", lambda: average([each[0], elsewhere], [0.5, 0.5]))
    bare = jl.predict(known, x=[1e9, FAR])
    refuse("some have none; give all one", lambda: average([each[0], bare], [0.5, 0.5]))
