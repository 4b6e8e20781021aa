"""ArviZ export, leave-one-out weights and predictive checks of a posterior."""

from pathlib import Path

import numpy as np
import pytest

import jaxlaws as jl
from jaxlaws._loo import log_likelihood, stacking
from jaxlaws.quantities import Amplitude, Exponent, Loss, Params

RUNS = jl.datasets.runs("chinchilla_epoch")


@pytest.fixture(scope="module")
def known() -> jl.Draws:
    fit = jl.fit(jl.laws.chinchilla, RUNS, objective=jl.StudentT(), starts=32)
    return jl.posterior(fit, draws=250)


@pytest.fixture(scope="module")
def other() -> jl.Draws:
    fit = jl.fit(jl.laws.kaplan_nd, RUNS, objective=jl.StudentT(), starts=32)
    return jl.posterior(fit, draws=250, sampler="importance")


def test_every_group_is_there_with_named_dimensions(known: jl.Draws) -> None:
    tree = known.to_arviz()
    assert set(tree.children) == {
        "posterior",
        "sample_stats",
        "log_likelihood",
        "log_prior",
        "posterior_predictive",
        "prior",
        "prior_predictive",
        "observed_data",
        "constant_data",
    }
    assert tree.posterior["alpha"].dims == ("chain", "draw")
    assert tree.posterior_predictive["L"].dims == ("chain", "draw", "run")
    assert tree.observed_data["L"].dims == tree.constant_data["N"].dims == ("run",)
    assert tree.posterior["alpha"].shape == (4, 250)
    np.testing.assert_array_equal(tree.posterior["alpha"].values.ravel(), known.params["alpha"])


def test_arviz_finds_the_same_numbers(known: jl.Draws, other: jl.Draws) -> None:
    """Leave-one-out, R-hat and stacking by ArviZ from the exported groups."""
    import arviz as az

    tree, second = known.to_arviz(), other.to_arviz()
    ours = jl.loo([known, other])
    for row, one in zip(ours.itertuples(), (tree, second), strict=True):
        # ArviZ lowers the tail's length by the draws' autocorrelation; reff=1 leaves it.
        theirs = az.loo(one, pointwise=True, reff=1.0)
        assert row.elpd == pytest.approx(float(theirs.elpd), abs=1e-6)
        assert row.se == pytest.approx(float(theirs.se), rel=1e-6)
        assert row.p_loo == pytest.approx(float(theirs.p), abs=1e-6)
    table = az.compare(
        {"chinchilla": tree, "kaplan_nd": second}, method="stacking", round_to="none"
    )
    for name in ("chinchilla", "kaplan_nd"):
        assert ours.loc[name, "stacking"] == pytest.approx(table.loc[name, "weight"], abs=0.02)
    summary = az.summary(tree, var_names=["alpha"], round_to="none")
    assert float(summary.loc["alpha", "mean"]) == pytest.approx(known.params["alpha"].mean())


def test_the_tree_survives_a_file(known: jl.Draws, tmp_path: Path) -> None:
    import arviz as az

    tree = known.to_arviz()
    tree.to_netcdf(tmp_path / "known.nc")
    again = az.from_netcdf(tmp_path / "known.nc")
    for group in tree.children:
        for name, values in tree[group].data_vars.items():
            np.testing.assert_array_equal(again[group][name].values, values.values)


def test_a_bootstrap_is_exported_as_far_as_it_goes() -> None:
    fit = jl.fit(jl.laws.kaplan_nd, RUNS, starts=8)
    tree = jl.laplace(fit, draws=50).to_arviz()
    assert set(tree.children) == {
        "posterior",
        "posterior_predictive",
        "observed_data",
        "constant_data",
    }
    with pytest.raises(jl.InputError, match="no posterior"):
        jl.loo(jl.laplace(fit, draws=50))


def test_stacking_weights_are_the_maximum() -> None:
    """Against a grid over the simplex of two laws, where the maximum is inside."""
    rng = np.random.default_rng(0)
    elpds = rng.standard_normal((200, 2)) - np.array([0.0, 0.2])
    grid = np.linspace(0, 1, 100_001)
    density = np.exp(elpds)
    value = np.mean(
        [np.log(np.outer(grid, d[0]) + np.outer(1 - grid, d[1]))[:, 0] for d in density], axis=0
    )
    assert stacking(elpds)[0] == pytest.approx(grid[value.argmax()], abs=1e-4)


def test_log_likelihood_is_the_density_of_the_residual(known: jl.Draws) -> None:
    log = log_likelihood(known)
    i, r = 17, 31
    params = {name: values[i] for name, values in known.params.items()}
    at = {name: values[r] for name, values in RUNS.checked(jl.laws.chinchilla).inputs.items()}
    residual = np.log(float(jl.laws.chinchilla(**at, **params))) - np.log(RUNS.target[r])
    scale = known.sampling.scale[i]
    import scipy.stats

    assert log[i, r] == pytest.approx(scipy.stats.t(4, scale=scale).logpdf(residual), abs=1e-6)


@jl.law()
def straight(N: Params, *, A: Amplitude, alpha: Exponent) -> Loss:
    r"""A power law without a floor: $A N^{-\alpha}$."""
    return A * N**-alpha


def test_checks_pass_for_a_true_law_and_fail_for_a_false_one() -> None:
    rng = np.random.default_rng(0)
    N = np.geomspace(1e4, 1e9, 40)
    true = 50 * N**-0.2 * np.exp(0.01 * rng.standard_normal(40))
    tables = []
    for y in (true, true + 1.5):
        fit = jl.fit(straight, jl.Runs.from_arrays(y, N=N), objective=jl.Squared(), starts=8)
        tables.append(jl.check(jl.posterior(fit, draws=500, sampler="importance")))
    # Six values of p, each at least as far inside as a uniform one: 1e-3 at each end.
    assert tables[0]["p"].between(1e-3, 1 - 1e-3).all()
    assert tables[1].loc["waves", "p"] < 1e-3  # bent, so that neighbours err together


def test_the_prior_can_be_looked_at_and_is_not_leaned_on(known: jl.Draws) -> None:
    before = jl.prior(known, draws=2000)
    low, high = np.quantile(before.params["alpha"], [0.05, 0.95])
    typical = jl.laws.chinchilla.params["alpha"].typical
    # The 5 % point of 2000 draws lies within 0.024 of 5 % five times in six million.
    assert np.mean(before.params["alpha"] < typical[0]) == pytest.approx(0.05, abs=0.024)
    assert low < high
    assert jl.predict(before, N=70e9, D=1.4e12).frame()["run_high"].notna().all()
    table = jl.prior_sensitivity(known)
    assert set(table.index) == {*known.params, "noise"}
