"""Draws against closed forms: on a law linear in logarithms every refit is a regression."""

import re
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import jaxlaws as jl
from jaxlaws._curvature import sandwich
from jaxlaws._draws import TRUST
from jaxlaws._interval import interval
from jaxlaws._law import law
from jaxlaws._solver import CONVERGED, NOT_FINITE, OUT_OF_STEPS, STALLED
from jaxlaws.quantities import Amplitude, Entropy, Exponent, Loss, Params, Tokens

M = 120  # runs of the linear table
B = 2000  # draws: a standard deviation is known to 1.6 %
LOG_N = np.linspace(np.log(1e6), np.log(1e10), M)
X = np.column_stack([np.ones(M), -LOG_N])


@pytest.fixture(scope="module")
def table() -> jl.Runs:
    """log L = aN log Nc - aN log N + noise that is larger at both ends: sandwich and OLS differ."""
    rng = np.random.default_rng(7)
    sd = 0.02 * np.abs(LOG_N - LOG_N.mean()) / LOG_N.std()
    loss = (8.8e13 / np.exp(LOG_N)) ** 0.076 * np.exp(sd * rng.standard_normal(M))
    return jl.Runs.from_arrays(loss, N=np.exp(LOG_N), group=np.arange(M) // 10)


@pytest.fixture(scope="module")
def linear(table: jl.Runs) -> jl.Fit:
    return jl.fit(jl.laws.kaplan_n, table, objective=jl.Squared(), starts=8)


def regression(y: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Slope aN of weighted least squares, for every row of y and w (draw, n)."""
    xtx = np.einsum("dn,ni,nj->dij", w, X, X)
    xty = np.einsum("dn,ni,dn->di", w, X, y)
    return np.linalg.solve(xtx, xty[..., None])[:, 1, 0]


def analytic(fit: jl.Fit) -> dict[str, float]:
    """Standard errors of aN: ordinary least squares, HC0 and HC1."""
    e = fit.residual
    bread = np.linalg.inv(X.T @ X)
    meat = X.T @ (X * e[:, None] ** 2)
    hc0 = np.sqrt((bread @ meat @ bread)[1, 1])
    ols = np.sqrt((bread * np.sum(e**2) / (M - 2))[1, 1])
    return dict(ols=ols, hc0=hc0, hc1=hc0 * np.sqrt(M / (M - 2)))


RESAMPLERS: dict[str, tuple[Any, str, float]] = {
    # name: (resampler, the standard error it must give, tolerance)
    "pairs": (jl.Pairs(), "hc0", 0.08),
    "bayesian": (jl.Bayesian(), "hc0", 0.08),
    "residual": (jl.Residual(), "ols", 0.065),
    "wild": (jl.Wild(), "hc1", 0.065),
    "parametric": (jl.Parametric(), "ols", 0.065),
}


@pytest.mark.parametrize(("made", "form", "rtol"), RESAMPLERS.values(), ids=list(RESAMPLERS))
def test_every_refit_is_the_regression_of_its_resample(
    made: Any, form: str, rtol: float, linear: jl.Fit, key: jax.Array
) -> None:
    """Exactly, draw by draw; and the spread is the analytic standard error.

    Tolerances are 4 Monte Carlo standard errors (1.6 % each) and, for reweighting, terms of 1/n.
    """
    draws = jl.bootstrap(linear, made, draws=B, key=key)
    assert draws.failed == 0
    weight, target = made.draw(key, np.arange(B), linear.sample)
    y = np.broadcast_to(np.log(linear.runs.target), (B, M)) if target is None else target
    exact = regression(np.asarray(y), np.asarray(weight))
    np.testing.assert_allclose(draws.params["aN"], exact, rtol=1e-6)
    se = float(draws.frame().loc["aN", "se"])
    assert se == pytest.approx(analytic(linear)[form], rel=rtol)
    assert se == pytest.approx(exact.std(ddof=1), rel=1e-6)


def test_the_two_analytic_forms_differ_here(linear: jl.Fit) -> None:
    """Otherwise the test above could not tell which one a resampler estimates."""
    forms = analytic(linear)
    assert forms["hc0"] > 1.15 * forms["ols"]


def test_groups_as_units_give_the_clustered_standard_error(linear: jl.Fit, key: jax.Array) -> None:
    draws = jl.bootstrap(linear, jl.Pairs(by="group"), draws=B, key=key)
    scores = (X * linear.residual[:, None]).reshape(12, 10, 2).sum(axis=1)
    bread = np.linalg.inv(X.T @ X)
    clustered = np.sqrt((bread @ scores.T @ scores @ bread)[1, 1])
    assert draws.origin == "pairs bootstrap by group"
    assert float(draws.frame().loc["aN", "se"]) == pytest.approx(clustered, rel=0.35)


def test_laplace_is_the_sandwich(linear: jl.Fit, key: jax.Array) -> None:
    draws = jl.laplace(linear, draws=B, key=key)
    assert len(draws) == B
    assert float(draws.frame().loc["aN", "se"]) == pytest.approx(analytic(linear)["hc1"], rel=0.065)
    slope = linear.problem.frame().width[0] * float(linear.params["aN"])  # d aN / dz
    in_z = np.sqrt(sandwich(linear)[0, 0])
    assert float(slope * in_z) == pytest.approx(analytic(linear)["hc1"], rel=1e-5)


def test_laplace_agrees_with_the_bootstrap(squared_fit: jl.Fit, boot: jl.Draws) -> None:
    """On a well-behaved table: standard errors within 25 %, correlations within 0.1."""
    normal = jl.laplace(squared_fit, draws=2000)
    a, b = normal.frame()["se"], boot.frame()["se"]
    np.testing.assert_allclose(a, b, rtol=0.25)
    corr = [
        np.corrcoef([np.log(np.asarray(d.params[k])) for k in ("E", "A", "B", "alpha", "beta")])
        for d in (normal, boot)
    ]
    np.testing.assert_allclose(corr[0], corr[1], atol=0.1)


def test_jackknife_is_the_classical_one(linear: jl.Fit) -> None:
    draws = jl.bootstrap(linear, jl.Jackknife())
    assert len(draws) == M
    y = np.log(linear.runs.target)
    left_out = np.array([np.polyfit(np.delete(LOG_N, i), np.delete(y, i), 1)[0] for i in range(M)])
    classical = np.sqrt((M - 1) / M * np.sum((left_out - left_out.mean()) ** 2))
    # The draws are spread out in z, where they are the jackknife's exactly.
    width = float(linear.problem.frame().width[0])
    z = np.log(-left_out) / width
    exact = np.sqrt((M - 1) / M * np.sum((z - z.mean()) ** 2))
    spread = np.std(np.log(np.asarray(draws.params["aN"])) / width, ddof=1)
    assert spread == pytest.approx(exact, rel=1e-4)
    assert float(draws.frame().loc["aN", "se"]) == pytest.approx(classical, rel=0.05)


def test_jackknife_of_groups(linear: jl.Fit) -> None:
    assert len(jl.bootstrap(linear, jl.Jackknife(by="group"))) == 12


# Reproducible


def test_same_key_same_draws(linear: jl.Fit, key: jax.Array) -> None:
    one, two = (jl.bootstrap(linear, draws=50, key=key) for _ in range(2))
    other = jl.bootstrap(linear, draws=50, key=jax.random.key(9))
    default = [jl.bootstrap(linear, draws=50) for _ in range(2)]
    for k in one.params:
        np.testing.assert_array_equal(one.params[k], two.params[k])
        np.testing.assert_array_equal(default[0].params[k], default[1].params[k])
        assert not np.array_equal(one.params[k], other.params[k])
    laps = [jl.laplace(linear, draws=50, key=key).params["aN"] for _ in range(2)]
    np.testing.assert_array_equal(*laps)


def test_progress_is_told(linear: jl.Fit) -> None:
    seen: list[tuple[int, int]] = []
    jl.bootstrap(linear, draws=50, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (50, 50)


@pytest.mark.parametrize("draws", [1, 0, -5])
def test_too_few_draws_are_refused(draws: int, linear: jl.Fit) -> None:
    with pytest.raises(jl.InputError, match="at least 2 draws"):
        jl.bootstrap(linear, draws=draws)
    with pytest.raises(jl.InputError, match="draws"):
        jl.laplace(linear, draws=draws)


def test_two_draws_are_enough_to_go_on(linear: jl.Fit) -> None:
    draws = jl.bootstrap(linear, draws=2)
    assert len(draws) == 2
    assert np.isfinite(draws.frame()["se"]).all()


@pytest.mark.parametrize("wrong", ["pairs", jl.Pairs, 500], ids=["a name", "a class", "a number"])
def test_something_else_than_a_resampler_is_refused(wrong: Any, linear: jl.Fit) -> None:
    with pytest.raises(jl.InputError, match=r"[Rr]esampler|Pairs"):
        jl.bootstrap(linear, wrong, draws=10)


# Intervals


NORMAL = np.random.default_rng(0).standard_normal(20_000)


def test_percentile_and_basic_on_known_distributions() -> None:
    skewed = np.exp(NORMAL)
    low, high = interval(skewed, 0.9, "percentile", 1.0)
    np.testing.assert_allclose([low, high], np.quantile(skewed, [0.05, 0.95]))
    np.testing.assert_allclose(np.log([low, high]), stats.norm.ppf([0.05, 0.95]), atol=0.05)
    reflected = interval(skewed, 0.9, "basic", 1.0)
    np.testing.assert_allclose(reflected, [2 - high, 2 - low])
    symmetric = interval(NORMAL, 0.8, "percentile", 0.0)
    np.testing.assert_allclose(symmetric, stats.norm.ppf([0.1, 0.9]), atol=0.03)


def test_bca_is_scipys() -> None:
    """Of the variance of a skewed sample: bias and acceleration both matter."""
    sample = np.random.default_rng(1).gamma(2.0, size=40)
    found = stats.bootstrap(
        (sample,), np.var, n_resamples=4000, method="BCa", confidence_level=0.9,
        rng=np.random.default_rng(2),
    )  # fmt: skip
    values = found.bootstrap_distribution
    jack = np.array([np.var(np.delete(sample, i)) for i in range(40)])
    low, high = interval(values, 0.9, "bca", float(np.var(sample)), jack)
    np.testing.assert_allclose(
        [low, high],
        [found.confidence_interval.low, found.confidence_interval.high],
        rtol=1e-6,
    )
    plain = interval(values, 0.9, "percentile", float(np.var(sample)))
    assert low > plain[0]
    assert high > plain[1]


def test_bca_without_bias_or_skewness_is_the_percentile_interval() -> None:
    values = np.concatenate([NORMAL, -NORMAL])
    jack = np.linspace(-1, 1, 31)
    np.testing.assert_allclose(
        interval(values, 0.9, "bca", 0.0, jack), interval(values, 0.9, "percentile", 0.0), atol=1e-9
    )


def test_bca_of_degenerate_draws_stays_finite() -> None:
    values = np.full(100, 2.0)
    for estimate in (1.0, 2.0, 3.0):
        assert interval(values, 0.9, "bca", estimate, np.full(20, 2.0)) == (2.0, 2.0)


def test_kinds_are_told_apart(boot: jl.Draws) -> None:
    frames = {kind: boot.frame(0.9, kind) for kind in ("percentile", "basic", "bca")}
    for kind, frame in frames.items():
        assert frame.attrs == dict(prob=0.9, kind=kind, withheld="", loose="")
        assert (frame["low"] < frame["high"]).all()
    mirrored = 2 * frames["percentile"]["estimate"] - frames["percentile"]["high"]
    np.testing.assert_allclose(frames["basic"]["low"], mirrored)
    assert not np.allclose(frames["bca"]["low"], frames["percentile"]["low"])
    wide, narrow = boot.frame(0.99), boot.frame(0.5)
    assert (wide["low"] < narrow["low"]).all()
    assert (wide["high"] > narrow["high"]).all()


@pytest.mark.parametrize("prob", [0.0, 1.0, -0.1, 95, float("nan")])
def test_probabilities_that_are_none(prob: float, boot: jl.Draws) -> None:
    with pytest.raises(jl.InputError, match="between 0 and 1"):
        boot.frame(prob)


def test_unknown_kind_of_interval(boot: jl.Draws) -> None:
    with pytest.raises(jl.InputError, match='"percentile", "basic" or "bca"'):
        boot.frame(kind="studentised")


def test_estimates_lie_within_their_intervals(boot: jl.Draws, runs: jl.Runs) -> None:
    frame = boot.frame(0.99)
    assert (frame["low"] < frame["estimate"]).all()
    assert (frame["estimate"] < frame["high"]).all()
    true = jl.laws.chinchilla.published()
    assert all(frame.loc[k, "low"] < v < frame.loc[k, "high"] for k, v in true.items())


# What is not known is not printed


def broken(draws: jl.Draws, share: float, status: int = OUT_OF_STEPS) -> jl.Draws:
    bad = draws.status.copy()
    bad[: int(np.ceil(share * len(bad)))] = status
    return replace(draws, status=bad)


@pytest.mark.parametrize(
    ("status", "word"),
    [(OUT_OF_STEPS, "out of steps"), (STALLED, "stalled"), (NOT_FINITE, "not finite")],
)
def test_intervals_are_withheld_when_refits_fail(status: int, word: str, boot: jl.Draws) -> None:
    bad = broken(boot, 0.04, status)
    assert bad.failed > TRUST
    assert f"{int(0.04 * len(boot))} {word}" in bad.withheld()
    frame = bad.frame()
    assert frame[["se", "low", "high"]].isna().all().all()
    assert frame["estimate"].notna().all()
    assert "no intervals" in repr(bad)
    assert "Fix or tie" in repr(bad)
    shown = jl.predict(bad, N=7e10, D=1.4e12)
    assert shown.frame()[["law_low", "law_high", "run_low", "run_high"]].isna().all().all()
    assert "no intervals" in repr(shown)
    assert bad.withheld() in repr(shown)
    best = jl.frontier(bad, C=[1e21])
    assert best.frame()["N_opt_low"].isna().all()
    assert best.frame()["N_opt"].notna().all()
    assert "no intervals" in repr(best)


def test_few_failures_are_left_out(boot: jl.Draws) -> None:
    bad = broken(boot, 0.02)
    assert bad.withheld() == ""
    assert len(bad.select()["E"]) == len(boot) - int(bad.failed * len(boot))
    assert bad.frame()["low"].notna().all()
    assert f"{int(0.02 * len(boot))} failed" in repr(bad)


def test_a_fit_that_did_not_converge_gives_no_intervals(runs: jl.Runs) -> None:
    fit = jl.fit(
        jl.laws.chinchilla, runs, objective=jl.Squared(), starts=4, solver=jl.Newton(max_steps=2)
    )
    draws = jl.laplace(fit, draws=20)
    assert "did not converge" in draws.withheld()
    assert draws.frame()["low"].isna().all()


def test_a_table_too_small_for_pairs_is_said_to_be(runs: jl.Runs) -> None:
    """Six runs, five parameters: three quarters of the resamples hold fewer than five runs.

    Such a refit has no unique minimum. It ends near where it began, so that its spread says nothing
    and an interval from it would be far too narrow.
    """
    six = runs.where(np.isin(np.arange(81), [0, 8, 20, 40, 63, 75]))
    fit = jl.fit(jl.laws.chinchilla, six, objective=jl.Squared(), starts=16)
    assert jl.bootstrap(fit, draws=200).withheld()


@law
def twice(
    N: Params, D: Tokens, *, E: Entropy, H: Entropy, A: Amplitude, B: Amplitude,
    alpha: Exponent, beta: Exponent,
) -> Loss:  # fmt: skip
    """Chinchilla with a floor in two parts that nothing tells apart."""
    return E + H + A * N**-alpha + B * D**-beta


@pytest.fixture(scope="module")
def open_(runs: jl.Runs) -> jl.Draws:
    fit = jl.fit(twice, runs, objective=jl.Squared(), starts=32)
    return jl.bootstrap(fit, draws=200, key=jax.random.key(20240416))  # that of `key`


def test_a_flat_direction_is_that_of_the_law(open_: jl.Draws) -> None:
    """E + H stays: dE = -dH, in z the more for the smaller of the two; nothing else moves."""
    (direction,) = open_.flat
    E, H = (float(open_.point[k]) for k in "EH")
    scale = {k: twice.params[k].spread for k in "EH"}
    by_hand = np.array([1 / (scale["E"] * E), -1 / (scale["H"] * H), 0, 0, 0, 0])
    by_hand /= np.linalg.norm(by_hand)
    assert abs(direction @ by_hand) == pytest.approx(1.0, abs=1e-6)


def test_what_is_not_identified_has_no_interval(open_: jl.Draws, boot: jl.Draws) -> None:
    assert open_.loose == ("E", "H")
    assert open_.withheld() == ""
    frame = open_.frame()
    assert frame.loc[["E", "H"], ["se", "low", "high"]].isna().all().all()
    assert frame.loc[["A", "B", "alpha", "beta"], ["se", "low", "high"]].notna().all().all()
    words = r"do not identify E, H: while [EH] rises and [EH] falls the objective stays the same"
    assert re.search(words, frame.attrs["loose"])
    assert re.search(words, repr(open_))
    assert boot.loose == ()
    assert boot.frame().attrs["loose"] == ""


def test_answers_that_do_not_lean_on_it_keep_their_interval(
    open_: jl.Draws, squared_fit: jl.Fit, key: jax.Array
) -> None:
    """The same as those of the law with one floor, since only E + H enters."""
    one = jl.bootstrap(squared_fit, draws=200, key=key)
    here = dict(N=[1e9, 7e10], D=1.4e12)
    low, high = (jl.predict(d, **here).frame()["law_low"] for d in (open_, one))
    np.testing.assert_allclose(low, high, rtol=1e-5)  # the same resamples, solved in another z
    best = jl.frontier(open_, C=[1e22]).frame()
    assert best["N_opt_low"].notna().all()
    same = jl.frontier(one, C=[1e22]).frame()
    np.testing.assert_allclose(best["L_opt_low"], same["L_opt_low"], rtol=1e-5)


def test_answers_that_lean_on_it_have_none(runs: jl.Runs) -> None:
    """A part of the floor that falls away beyond the runs: there nothing is known any more."""

    @law
    def falls(D: Tokens, *, E: Entropy, H: Entropy, B: Amplitude, beta: Exponent) -> Loss:
        """A power of D, with a step at 1e15 tokens."""
        return E + jnp.where(D < 1e15, H, 0.0) + B * D**-beta

    fit = jl.fit(falls, runs, objective=jl.Squared(), starts=32)
    draws = jl.bootstrap(fit, draws=100)
    assert draws.loose == ("E", "H")
    assert jl.predict(draws, D=1e14).withheld == ""
    beyond = jl.predict(draws, D=[1e14, 1e16])
    assert "do not identify E, H" in beyond.withheld
    assert beyond.frame()["law_low"].isna().all()


# Published constants, selections, chains


def test_published_constants_are_one_draw() -> None:
    known = jl.published(jl.laws.chinchilla, "hoffmann2022")
    assert len(known) == 1
    assert float(known.point["E"]) == 1.69
    assert known.origin == "published constants hoffmann2022"
    assert known.withheld() == ""
    with pytest.raises(ValueError, match="has constants of"):
        jl.published(jl.laws.chinchilla, "nobody")
    assert "1 draws" in repr(known) or "published" in repr(known)


def test_only_certified_draws_are_selected(boot: jl.Draws) -> None:
    bad = broken(boot, 0.5)
    np.testing.assert_array_equal(bad.select()["E"], np.asarray(boot.params["E"])[bad.good])
    assert (bad.status[bad.good] == CONVERGED).all()


def test_breaks_are_reported_in_order() -> None:
    """The canonical form: a refit that swaps two breaks is the same law."""
    made = jl.laws.bnsl(2)
    params = dict(
        a=jnp.ones(3), b=jnp.ones(3), c0=jnp.ones(3),
        c=jnp.asarray([[1.0, 2.0]] * 3), d=jnp.asarray([[1e6, 1e3]] * 3),
        f=jnp.asarray([[0.1, 0.2]] * 3),
    )  # fmt: skip
    out = made.canonical(params)
    np.testing.assert_array_equal(out["d"], [[1e3, 1e6]] * 3)
    np.testing.assert_array_equal(out["c"], [[2.0, 1.0]] * 3)
    np.testing.assert_array_equal(out["f"], [[0.2, 0.1]] * 3)


def test_a_chain_predicts_the_second_law_of_the_first(boot: jl.Draws, key: jax.Array) -> None:
    task = jl.laws.ppl_to_error
    rng = np.random.default_rng(0)
    L = np.linspace(1.9, 4.0, 30)
    error = np.asarray(task(L, **task.published())) + 0.003 * rng.standard_normal(30)
    second = jl.bootstrap(
        jl.fit(task, jl.Runs.from_arrays(error, L=L), objective=jl.Squared(), starts=16),
        draws=len(boot),
        key=key,
    )
    chain = boot.then(second)
    assert len(chain) == len(boot)
    assert chain.space == second.space
    assert chain.law.target.name == "error"
    here = dict(N=7e10, D=1.4e12)
    found = jl.predict(chain, **here)
    middle = jl.predict(boot, **here)
    own = task(jnp.asarray(middle.mean[:, 0]), **second.params)
    np.testing.assert_allclose(found.mean[:, 0], own, rtol=1e-10)
    failed = broken(boot, 0.1).then(second)
    assert failed.withheld()
    with pytest.raises(jl.InputError, match="as many draws of each"):
        boot.then(jl.laplace(second.fit, draws=7))


def test_draws_are_pure_numbers_for_further_use(boot: jl.Draws) -> None:
    made = jl.laws.chinchilla
    assert made(7e10, 1.4e12, **boot.params).shape == (len(boot),)
    assert list(boot.params) == list(made.params)
    assert all(type(v) is np.ndarray and v.dtype == np.float64 for v in boot.params.values())
