"""Inputs measured with errors: the density in closed form, by quadrature, and in a study."""

from pathlib import Path
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest
from jax import Array
from scipy import stats

import jaxlaws as jl
from jaxlaws._density import Model, known_of
from jaxlaws._inputs import check_input_error
from jaxlaws._replicas import true_inputs
from jaxlaws._support import unit
from jaxlaws.quantities import Amplitude, Entropy, Exponent, Loss, Params, Tokens


@jl.law()
def line(D: Tokens, *, A: Amplitude, beta: Exponent) -> Loss:
    r"""Straight between logarithms: $A D^{-\beta}$."""
    return A * D**-beta


@jl.law()
def bent(D: Tokens, *, E: Entropy, A: Amplitude, beta: Exponent) -> Loss:
    r"""The same above a floor: $E + A D^{-\beta}$."""
    return E + A * D**-beta


@jl.law()
def plane(N: Params, D: Tokens, *, A: Amplitude, alpha: Exponent, beta: Exponent) -> Loss:
    r"""A plane between logarithms: $A N^{-\alpha} D^{-\beta}$."""
    return A * N**-alpha * D**-beta


@jl.law()
def shared(r: Annotated[Array, jl.Variable("share", unit)], *, A: Amplitude) -> Loss:
    r"""Anything of a share: $A e^{r}$."""
    return A * jnp.exp(r)


BETA, NOISE, N_RUNS = 0.3, 0.05, 40
ERROR = 0.4  # where the true log sizes have a standard deviation of 0.8: beta comes out as 0.24


def measured(seed: int) -> jl.Runs:
    """Runs whose true sizes nobody saw."""
    rng = np.random.default_rng(seed)
    true = np.log(1e10) + 0.8 * rng.standard_normal(N_RUNS)
    y = np.log(1e3) - BETA * true + NOISE * rng.standard_normal(N_RUNS)
    return jl.Runs.from_arrays(np.exp(y), D=np.exp(true + ERROR * rng.standard_normal(N_RUNS)))


def density(fit: jl.Fit, error: dict[str, Any]) -> tuple[Model, Any]:
    found = check_input_error(fit.law, fit.runs, error)
    model = Model(fit.law, fit.space, blurred=tuple(found))
    with jax.enable_x64(True):
        return model, known_of(fit, len(fit.runs), {}, found)


def test_the_density_of_a_straight_law_is_the_closed_form() -> None:
    """Targets and both measured inputs of a run are jointly normal; one weight counts twice."""
    rng = np.random.default_rng(1)
    n = 12
    N, D = np.exp(rng.uniform(np.log([[1e7], [1e9]]), np.log([[1e9], [1e11]]), (2, n)))
    weight = np.where(np.arange(n) == 3, 2.0, np.where(np.arange(n) == 5, 0.0, 1.0))
    y = 1e4 * N**-0.2 * D**-0.3 * np.exp(0.05 * rng.standard_normal(n))
    fit = jl.fit(plane, jl.Runs.from_arrays(y, N=N, D=D, weight=weight), objective=jl.Squared())
    error = {"D": np.linspace(0.1, 0.5, n), "N": 0.2}
    model, known = density(fit, error)
    assert model.blurred == ("N", "D")
    values = []
    for _ in range(4):
        place = np.concatenate([fit.minima[0], [np.log(0.05)], np.zeros(6)])
        place += 0.3 * rng.standard_normal(len(place))
        with jax.enable_x64(True):
            ours = float(model.log_density(jnp.asarray(place), known))
            ours -= float(model.log_prior(jnp.asarray(place), known))
            params = model.params(jnp.asarray(place), known)
        noise, slopes = np.exp(place[3]), [-float(params[k]) for k in ("alpha", "beta")]
        middle, variance, error2, seen = [], [], [], []
        for i, name in enumerate(("N", "D")):
            blur, at = known.blurs[name], place[4 + 3 * i : 7 + 3 * i]
            span = float(blur.unit)
            middle.append(np.asarray(blur.middle) + span * (np.asarray(blur.basis) @ at[:2]))
            variance.append(np.full(n, span**2 * np.exp(2 * at[2])))
            error2.append(np.broadcast_to(error[name], (n,)) ** 2)
            seen.append(np.log(dict(N=N, D=D)[name]))
        total = 0.0
        for i in np.flatnonzero(weight):
            prior, off = np.diag([v[i] for v in variance]), np.diag([v[i] for v in error2])
            expected = np.log(float(params["A"])) + slopes @ np.array([m[i] for m in middle])
            across = prior @ slopes
            whole = np.block(
                [[prior + off, across[:, None]], [across[None], slopes @ across + noise**2]]
            )
            mean = [m[i] for m in middle] + [expected]
            at = [s[i] for s in seen] + [np.log(y[i])]
            total += weight[i] * stats.multivariate_normal(mean, whole).logpdf(at)
        values.append(ours - total)
    np.testing.assert_allclose(values, values[0], rtol=0, atol=1e-8)  # but for a constant


def test_the_density_of_a_bent_law_is_near_what_quadrature_finds() -> None:
    """Three points of the law against a fine grid of one run's true input, error 20 %.

    The grid's normal prior is the one the model states; what is left is the bend of the law
    beyond third order and the shape of the mixture it makes.
    """
    D = np.geomspace(1e8, 1e11, 16)
    y = (1.5 + 400 * D**-0.3) * np.exp(0.01 * np.random.default_rng(0).standard_normal(16))
    fit = jl.fit(bent, jl.Runs.from_arrays(y, D=D), objective=jl.Squared(), starts=8)
    model, known = density(fit, {"D": 0.2})
    place = np.concatenate([fit.minima[0], [np.log(0.01)], np.zeros(2)])
    with jax.enable_x64(True):
        ours = np.asarray(model.log_likelihood(jnp.asarray(place), known))
        mean, sd = (np.asarray(v) for v in known.blurs["D"].true(jnp.asarray(place[4:])))
        plain = np.asarray(Model(bent, "log").log_likelihood(jnp.asarray(place[:4]), known))
    params = {name: float(value) for name, value in fit.params.items()}
    w = np.linspace(-8, 8, 20_001)[:, None]
    law = np.log(np.asarray(bent(np.exp(mean + sd * w), **params)))
    each = stats.norm.pdf(np.log(y), law, 0.01) * stats.norm.pdf(w)
    exact = np.log(each.sum(axis=0) * (w[1, 0] - w[0, 0]))
    assert np.abs(ours - exact).max() < 0.02
    assert np.abs(plain - exact).max() > 1.0  # the errors matter here


def test_a_study_of_noisy_inputs_covers_where_ignoring_them_does_not() -> None:
    """100 tables: 90 % intervals of the exponent, each side of the binomial at 1e-4."""
    tables = [measured(seed) for seed in range(100)]
    fits = jl.fit(line, jl.Runs.stack(tables), objective=jl.Squared(), starts=4)
    held = {}
    for name, error in (("known", {"D": ERROR}), ("ignored", None)):
        found = jl.posterior(fits, draws=250, sampler="importance", input_error=error)
        assert not any(one.withheld() for one in found)
        ends = np.quantile([one.params["beta"] for one in found], [0.05, 0.95], axis=1)
        held[name] = int(np.sum((ends[0] < BETA) & (BETA < ends[1])))
    low, high = stats.binom.ppf(1e-4, 100, 0.9), stats.binom.isf(1e-4, 100, 0.9)
    assert low <= held["known"] <= high
    assert held["ignored"] < low


@pytest.fixture(scope="module")
def blurred() -> jl.Draws:
    fit = jl.fit(line, measured(0), objective=jl.Squared(), starts=4)
    return jl.posterior(fit, draws=250, sampler="importance", input_error={"D": ERROR})


def test_true_inputs_are_those_of_the_closed_form(blurred: jl.Draws) -> None:
    """Given a draw, a true log size is normal: of its measurement, its population and the target.

    Mean and variance over draws against their averages; five standard errors of a mean.
    """
    sampling, runs = blurred.sampling, blurred.fit.runs
    blur, population = sampling.known.blurs["D"], sampling.places[:, 3:5]
    span, s = float(blur.unit), np.exp(population[:, 1:])
    middle = np.asarray(blur.middle) + span * population[:, :1] * np.asarray(blur.basis)[:, 0]
    A, beta = (blurred.params[k][:, None] for k in ("A", "beta"))
    noise = sampling.scale[:, None]
    precision = 1 / (span * s) ** 2 + 1 / ERROR**2 + (beta / noise) ** 2
    mean = middle / (span * s) ** 2 + np.log(runs.inputs["D"]) / ERROR**2
    mean = (mean + beta * (np.log(A) - np.log(runs.target)) / noise**2) / precision
    off = (np.log(true_inputs(blurred)["D"]) - mean) * np.sqrt(precision)
    assert np.abs(off.mean(axis=0)).max() < 5 / np.sqrt(len(blurred))
    assert np.abs(off.var(axis=0) - 1).max() < 5 * np.sqrt(2 / len(blurred))


def test_errors_are_seen_in_tables_files_and_arviz(blurred: jl.Draws, tmp_path: Path) -> None:
    tree = blurred.to_arviz()
    assert tree.posterior["true_D"].dims == ("chain", "draw", "run")
    np.testing.assert_array_equal(tree.constant_data["D_error"].values, ERROR)
    table = jl.prior_table(line, input_error={"D": ERROR})
    assert table.loc["error of D", "unit"] == "share of it"
    assert table.loc["error of D", "50 %"] == ERROR
    assert table.loc["true D", "prior"] == "normal population, learnt"
    again = jl.load(jl.save(blurred, tmp_path / "blurred.fit"), law=line)
    assert repr(again) == repr(blurred)
    np.testing.assert_array_equal(true_inputs(again)["D"], true_inputs(blurred)["D"])
    # Residuals hold the errors of the inputs too: a check that left them out would cry wolf.
    assert jl.check(blurred)["p"].between(1e-3, 1 - 1e-3).all()


def test_a_share_has_its_error_in_its_own_unit() -> None:
    """The logit moves by 1 / (x (1 - x)) times as much."""
    share = np.array([0.1, 0.3, 0.5, 0.9, 0.7])
    runs = jl.Runs.from_arrays(np.exp(share), r=share)
    found = check_input_error(shared, runs, {"r": 0.01})["r"]
    np.testing.assert_allclose(found, 0.01 / (share * (1 - share)), rtol=1e-12)
    ends = jl.Runs.from_arrays(np.exp(share), r=np.append(share[:-1], 1.0))
    with pytest.raises(jl.InputError, match="r is at an end of"):
        check_input_error(shared, ends, {"r": 0.01})


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ({"N": 0.1}, "line has no measured input 'N' with one number per run; it has D"),
        ({"D": -0.1}, "zero or more; got -0.1 for row 0"),
        ({"D": np.full(N_RUNS, np.nan)}, "zero or more; got nan for row 0"),
        ({"D": [0.1, 0.2]}, f"one standard error, or one for each of {N_RUNS} runs"),
        ({"D": "D_error"}, "one standard error, or one for each of"),
    ],
)
def test_bad_errors_are_refused(error: dict[str, Any], words: str) -> None:
    fit = jl.fit(line, measured(0), objective=jl.Squared(), starts=2)
    with pytest.raises(jl.InputError, match=words):
        jl.posterior(fit, input_error=error)


def test_too_few_runs_show_no_population() -> None:
    runs = jl.Runs.from_arrays([3.0, 2.8], D=[1e9, 1e10])
    with pytest.raises(jl.InputError, match="has 2 runs, and 3 are needed to see how the true D"):
        check_input_error(line, runs, {"D": 0.1})


def test_nuts_and_weighted_draws_agree_with_errors_of_two_inputs() -> None:
    rng = np.random.default_rng(2)
    true = rng.uniform(np.log([[1e7], [1e9]]), np.log([[1e10], [1e12]]), (2, 40))
    y = np.asarray(jl.laws.chinchilla(*np.exp(true), **jl.laws.chinchilla.published()))
    N, D = np.exp(true + np.array([[0.05], [0.2]]) * rng.standard_normal((2, 40)))
    runs = jl.Runs.from_arrays(y * np.exp(0.005 * rng.standard_normal(40)), N=N, D=D)
    fit = jl.fit(jl.laws.chinchilla, runs, objective=jl.Squared(), starts=16)
    error = {"N": 0.05, "D": 0.2}
    prior = {"noise": dist.LogNormal(jnp.log(0.005), 0.3)}
    chains, weighted = (
        jl.posterior(fit, draws=draws, sampler=sampler, input_error=error, priors=prior)
        for sampler, draws in (("nuts", 250), ("importance", 1000))
    )
    assert chains.withheld() == weighted.withheld() == ""
    for name in ("E", "alpha", "beta"):
        a, b = chains.params[name], weighted.params[name]
        spread = a.std() * np.sqrt(1 / chains.sampling.ess[name] + 1 / weighted.sampling.ess[name])
        assert abs(a.mean() - b.mean()) < 5 * spread
