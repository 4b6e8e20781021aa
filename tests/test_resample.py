"""One contract over all resamplers: what is a weight sums, averages to one, and repeats by key."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxlaws as jl
from jaxlaws import _risk
from jaxlaws._resample import Sample, inflated_residuals, noise_scale

N = 24
DRAWS = 4000
rng = np.random.default_rng(0)
WEIGHT = np.where(np.arange(N) == 5, 0.0, 1.0)
WEIGHT[[3, 7]] = 2.5
GROUP = np.repeat([0, 1, 2, 3, 4, 5], 4)
FITTED = np.linspace(1.0, 0.5, N)
PLAIN = Sample(np.ones(N), FITTED + 0.01 * rng.standard_normal(N), FITTED, GROUP, N - 3.0)
WEIGHTED = PLAIN._replace(weight=WEIGHT)

REWEIGHT: dict[str, Any] = {
    "pairs": jl.Pairs(),
    "pairs by group": jl.Pairs(by="group"),
    "bayesian": jl.Bayesian(),
    "bayesian by group": jl.Bayesian(by="group"),
    "jackknife": jl.Jackknife(),
    "jackknife by group": jl.Jackknife(by="group"),
}
RETARGET: dict[str, Any] = {
    "residual": jl.Residual(),
    "wild": jl.Wild(),
    "wild by group": jl.Wild(by="group"),
    "parametric": jl.Parametric(),
}
RANDOM = {k: v for k, v in {**REWEIGHT, **RETARGET}.items() if "jack" not in k}


def drawn(made: Any, sample: Sample = PLAIN, key: int = 0, ids: Any = range(DRAWS)) -> Any:
    weight, target = made.draw(jax.random.key(key), np.asarray(ids), sample)
    return np.asarray(weight), None if target is None else np.asarray(target)


@pytest.mark.parametrize("made", REWEIGHT.values(), ids=list(REWEIGHT))
def test_weights_change_and_targets_stay(made: Any) -> None:
    count = made.count(PLAIN) if isinstance(made, jl.Jackknife) else 50
    weight, target = drawn(made, ids=range(count))
    assert target is None
    assert weight.shape == (count, N)
    assert (weight >= 0).all()
    assert weight.std(axis=1).mean() > 0.1


@pytest.mark.parametrize("made", RETARGET.values(), ids=list(RETARGET))
def test_targets_change_and_weights_stay(made: Any) -> None:
    weight, target = drawn(made, WEIGHTED, ids=range(50))
    np.testing.assert_array_equal(weight, np.tile(WEIGHT, (50, 1)))
    assert target.shape == (50, N)
    assert np.isfinite(target).all()
    assert target.std(axis=0).min() > 0


@pytest.mark.parametrize("name", ["pairs", "pairs by group", "bayesian", "bayesian by group"])
def test_weights_sum_to_the_runs_and_average_one(name: str) -> None:
    """Marginal means are one within 4.5 Monte Carlo standard errors: a false alarm in 6000 runs."""
    weight, _ = drawn(REWEIGHT[name])
    np.testing.assert_allclose(weight.sum(axis=1), N, rtol=1e-12)
    error = weight.std(axis=0, ddof=1) / np.sqrt(DRAWS)
    assert (np.abs(weight.mean(axis=0) - 1) < 4.5 * error).all()


def test_pairs_are_multinomial_counts() -> None:
    weight, _ = drawn(jl.Pairs())
    assert (weight == weight.round()).all()
    var = weight.var(axis=0)
    np.testing.assert_allclose(var, 1 - 1 / N, atol=5 * np.sqrt(2 / DRAWS) * 1.3)
    off = np.cov(weight.T)[~np.eye(N, dtype=bool)]
    assert off.mean() == pytest.approx(-1 / N, abs=4.5 * off.std() / np.sqrt(off.size))


def test_bayesian_weights_are_dirichlet() -> None:
    """n Dirichlet(1, ..., 1): variance (n - 1) / (n + 1), skewness near 2, none of them zero."""
    weight, _ = drawn(jl.Bayesian())
    assert (weight > 0).all()
    np.testing.assert_allclose(weight.var(axis=0).mean(), (N - 1) / (N + 1), rtol=0.03)
    # third central moment of n Beta(1, n - 1)
    share = weight.ravel() / N
    third = np.mean((share - 1 / N) ** 3)
    beta = 2 * (N - 2) * (N - 1) / (N**3 * (N + 1) * (N + 2))
    assert third == pytest.approx(beta, rel=0.1)


@pytest.mark.parametrize("name", ["pairs by group", "bayesian by group", "jackknife by group"])
def test_groups_stay_whole(name: str) -> None:
    weight, _ = drawn(REWEIGHT[name], ids=range(6))
    by = weight.reshape(6, 6, 4)
    np.testing.assert_array_equal(by, np.broadcast_to(by[:, :, :1], by.shape))
    assert len(np.unique(by[:, :, 0])) > 1


def test_wild_by_group_keeps_the_signs_of_a_group_together() -> None:
    _, target = drawn(jl.Wild(by="group"), ids=range(40))
    factor = ((target - FITTED) / (PLAIN.target - FITTED)).reshape(40, 6, 4)
    np.testing.assert_allclose(factor, np.broadcast_to(factor[:, :, :1], factor.shape), rtol=1e-9)


def test_unequal_groups_keep_their_sizes() -> None:
    group = np.array([0] * 20 + [1] * 4)
    weight, _ = drawn(jl.Pairs(by="group"), PLAIN._replace(group=group), ids=range(400))
    assert set(np.unique(weight)) == {0.0, 1.0, 2.0}
    np.testing.assert_allclose(weight[:, 0] + weight[:, -1], 2.0)


@pytest.mark.parametrize("made", REWEIGHT.values(), ids=list(REWEIGHT))
def test_own_weights_multiply_and_excluded_runs_never_return(made: Any) -> None:
    ids = range(made.count(WEIGHTED)) if isinstance(made, jl.Jackknife) else range(200)
    weight, _ = drawn(made, WEIGHTED, ids=ids)
    assert (weight[:, 5] == 0).all()
    if "by group" not in repr(made) and not isinstance(made, jl.Jackknife):
        np.testing.assert_allclose(weight[:, 3].mean(), 2.5, rtol=0.3)


def test_excluded_runs_are_not_drawn_in_place_of_others() -> None:
    """Counts fall on the 23 runs that are in, and sum to 23."""
    sample = PLAIN._replace(weight=np.where(np.arange(N) == 5, 0.0, 1.0))
    for made in (jl.Pairs(), jl.Bayesian()):
        weight, _ = drawn(made, sample, ids=range(100))
        np.testing.assert_allclose(weight.sum(axis=1), N - 1, rtol=1e-12)
    assert jl.Jackknife().count(sample) == N - 1


def test_excluded_groups_are_not_drawn() -> None:
    sample = PLAIN._replace(weight=np.where(GROUP == 2, 0.0, 1.0))
    weight, _ = drawn(jl.Pairs(by="group"), sample, ids=range(100))
    np.testing.assert_allclose(weight.sum(axis=1), 20)
    assert (weight[:, GROUP == 2] == 0).all()


def test_jackknife_leaves_out_each_once() -> None:
    weight, _ = drawn(jl.Jackknife(), ids=range(N))
    np.testing.assert_array_equal(weight, 1 - np.eye(N))
    assert jl.Jackknife(by="group").count(PLAIN) == 6


# Residuals


def test_residual_targets_are_fitted_values_plus_pooled_residuals() -> None:
    _, target = drawn(jl.Residual(), ids=range(100))
    pool = inflated_residuals(PLAIN)
    distance = np.abs((target - FITTED)[..., None] - pool).min(axis=-1)
    np.testing.assert_allclose(distance, 0.0, atol=1e-12)
    assert abs(pool.mean()) < 1e-15


def test_excluded_runs_give_no_residuals() -> None:
    bad = PLAIN._replace(weight=np.where(np.arange(N) == 5, 0.0, 1.0))
    bad.target[5] += 100.0
    try:
        assert len(inflated_residuals(bad)) == N - 1
        assert np.abs(inflated_residuals(bad)).max() < 1
        _, target = drawn(jl.Residual(), bad, ids=range(50))
        assert np.abs(target - FITTED).max() < 1
        assert noise_scale(bad) < 1
    finally:
        bad.target[5] -= 100.0


def test_inflation_accounts_for_the_parameters() -> None:
    r = PLAIN.target - FITTED
    assert noise_scale(PLAIN) == pytest.approx(np.sqrt(np.sum(r**2) / (N - 3)))
    assert inflated_residuals(PLAIN).std() == pytest.approx(r.std() * np.sqrt(N / (N - 3)))


@pytest.mark.parametrize("name", ["residual", "wild", "parametric"])
def test_new_targets_have_the_spread_of_the_residuals(name: str) -> None:
    _, target = drawn(RETARGET[name])
    noise = target - FITTED
    spread = noise.std(axis=0)
    own = PLAIN.target - FITTED
    if name == "wild":  # each run keeps the size of its own
        expected = np.abs(own) * np.sqrt(N / (N - 3))
    else:
        pooled = inflated_residuals(PLAIN).std() if name == "residual" else noise_scale(PLAIN)
        expected = np.full(N, pooled)
    np.testing.assert_allclose(spread, expected, rtol=0.06)
    error = spread / np.sqrt(DRAWS)
    assert (np.abs(noise.mean(axis=0)) < 4.5 * error).all()


def test_webbs_six_points() -> None:
    _, target = drawn(jl.Wild(), ids=range(500))
    factor = (target - FITTED) / ((PLAIN.target - FITTED) * np.sqrt(N / (N - 3)))
    points = np.sqrt([0.5, 1.0, 1.5])
    np.testing.assert_allclose(
        np.unique(factor.round(6)), np.concatenate([-points[::-1], points]).round(6)
    )


# Keys


@pytest.mark.parametrize("made", RANDOM.values(), ids=list(RANDOM))
def test_a_draw_depends_on_the_key_and_its_number_alone(made: Any) -> None:
    whole = [leaf for leaf in drawn(made, ids=range(40)) if leaf is not None]
    some = [leaf for leaf in drawn(made, ids=[31, 7]) if leaf is not None]
    for a, b in zip(whole, some, strict=True):
        np.testing.assert_array_equal(a[[31, 7]], b)
    again = [leaf for leaf in drawn(made, ids=range(40)) if leaf is not None]
    other = [leaf for leaf in drawn(made, key=1, ids=range(40)) if leaf is not None]
    np.testing.assert_array_equal(whole[-1], again[-1])
    assert not np.array_equal(whole[-1], other[-1]) or made in (jl.Residual(),)


def test_unknown_units_are_refused_in_words(squared_fit: jl.Fit) -> None:
    with pytest.raises(jl.InputError, match='"group"'):
        jl.bootstrap(squared_fit, jl.Pairs(by="sweep"), draws=4)


# Through bootstrap


@pytest.mark.parametrize("made", [jl.Pairs(), jl.Wild()], ids=["pairs", "wild"])
def test_block_size_does_not_change_the_draws(
    made: Any, squared_fit: jl.Fit, key: jax.Array, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = jl.bootstrap(squared_fit, made, draws=90, key=key)
    monkeypatch.setattr(_risk, "ROWS", 32)
    blocks = jl.bootstrap(squared_fit, made, draws=90, key=key)
    for k in whole.params:
        np.testing.assert_allclose(blocks.params[k], whole.params[k], rtol=1e-7, err_msg=k)


@pytest.mark.parametrize("objective", ["squared", "huber"])
def test_the_first_draws_do_not_depend_on_how_many_follow(
    objective: str, squared_fit: jl.Fit, huber_fit: jl.Fit, key: jax.Array
) -> None:
    fit = squared_fit if objective == "squared" else huber_fit
    few = jl.bootstrap(fit, draws=100, key=key)
    many = jl.bootstrap(fit, draws=2500, key=key)
    for k in few.params:
        np.testing.assert_allclose(many.params[k][:100], few.params[k], rtol=1e-5, err_msg=k)


def test_excluded_runs_do_not_change_a_bootstrap(
    runs: jl.Runs, squared_fit: jl.Fit, key: jax.Array
) -> None:
    """Zero weight and absence are the same sample."""
    padded = jl.fit(jl.laws.chinchilla, runs.padded(90), objective=jl.Squared(), starts=8)
    assert padded.value == pytest.approx(squared_fit.value, rel=1e-12)
    a = jl.bootstrap(padded, draws=20, key=key)
    b = jl.bootstrap(squared_fit, draws=20, key=key)
    np.testing.assert_allclose(a.params["alpha"], b.params["alpha"], rtol=1e-7)


def test_work_on_other_threads_keeps_device_precision_and_order() -> None:
    device = jax.devices("cpu")[0]

    def work(item: int) -> Any:
        return jnp.full(2, item) / 2, jax.config.jax_default_device

    with jax.default_device(device):
        found = _risk.side_by_side("float64", work, range(5))
    assert [seen for _, seen in found] == [device] * 5
    halves = np.stack([numbers for numbers, _ in found])
    np.testing.assert_array_equal(halves, np.repeat(np.arange(5.0)[:, None] / 2, 2, axis=1))
    assert halves.dtype == np.float64
