"""The lowest minimum is found from anywhere, and what must be known about it is said."""

import re
import warnings
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import optimize

import jaxlaws as jl
from benchmarks.refits.sldbench import vocab_runs
from jaxlaws._law import law
from jaxlaws.quantities import Amplitude, Entropy, Exponent, Loss, Scale, Signed

CHINCHILLA = jl.laws.chinchilla
TRUE = CHINCHILLA.published()


@pytest.fixture(scope="session")
def line() -> jl.Runs:
    """Runs of kaplan_n, linear in logarithms: small and quick to compile."""
    rng = np.random.default_rng(0)
    N = np.geomspace(1e6, 1e10, 24)
    return jl.Runs.from_arrays((8.8e13 / N) ** 0.076 * np.exp(0.01 * rng.standard_normal(24)), N=N)


def ols(runs: jl.Runs, weight: Any = None) -> tuple[float, float]:
    """(aN, Nc) by weighted least squares of log loss on log N."""
    w = np.sqrt(runs.weight if weight is None else weight)
    X = np.column_stack([np.ones(len(runs)), -np.log(runs.inputs["N"])])
    (a, slope), *_ = np.linalg.lstsq(X * w[:, None], np.log(runs.target) * w, rcond=None)
    return slope, np.exp(a / slope)


# Estimates


def test_least_squares_in_logs_is_linear_regression(line: jl.Runs) -> None:
    made = jl.fit(jl.laws.kaplan_n, line, objective=jl.Squared(), starts=16)
    slope, Nc = ols(line)
    assert float(made.params["aN"]) == pytest.approx(slope, rel=1e-7)
    assert float(made.params["Nc"]) == pytest.approx(Nc, rel=1e-5)
    assert made.converged
    assert made.agreeing == 16
    assert made.at_bound == made.dead == ()
    scale = np.sqrt(np.sum(made.residual**2) / 22)
    assert made.scale == pytest.approx(scale, rel=1e-12)


def test_weights_are_weights(line: jl.Runs) -> None:
    weight = np.random.default_rng(1).uniform(0.0, 3.0, 24)
    weight[[2, 20]] = 0.0
    weighted = jl.Runs.from_arrays(line.target, N=line.inputs["N"], weight=weight)
    made = jl.fit(jl.laws.kaplan_n, weighted, objective=jl.Squared(), starts=16)
    assert float(made.params["aN"]) == pytest.approx(ols(line, weight)[0], rel=1e-7)
    assert made.value == pytest.approx(np.sum(weight * made.residual**2), rel=1e-10)


def test_huber_on_log_loss_matches_scipy_from_the_truth(huber_fit: jl.Fit, runs: jl.Runs) -> None:
    """An independent optimiser, started at the constants the table was simulated from."""
    log_n, log_d, y = np.log(runs.inputs["N"]), np.log(runs.inputs["D"]), np.log(runs.target)

    def residual(t: np.ndarray) -> np.ndarray:
        return y - np.logaddexp.reduce(
            [np.full_like(y, t[0]), t[1] - t[3] * log_n, t[2] - t[4] * log_d]
        )

    start = [np.log(TRUE["E"]), np.log(TRUE["A"]), np.log(TRUE["B"]), TRUE["alpha"], TRUE["beta"]]
    found = optimize.least_squares(
        residual, start, loss="huber", f_scale=1e-3, xtol=1e-15, ftol=1e-15, gtol=1e-15
    )
    assert huber_fit.value <= found.cost * (1 + 1e-9)
    assert huber_fit.value == pytest.approx(found.cost, rel=1e-4)
    at = [np.log(float(huber_fit.params[k])) for k in "EAB"] + [
        float(huber_fit.params[k]) for k in ("alpha", "beta")
    ]
    r = residual(np.array(at))
    np.testing.assert_allclose(huber_fit.residual, r, atol=1e-12)
    size = np.abs(r)
    own = np.where(size <= 1e-3, 0.5 * r**2, 1e-3 * (size - 0.5e-3)).sum()
    assert huber_fit.value == pytest.approx(own, rel=1e-10)


def test_constants_of_the_simulation_are_recovered(squared_fit: jl.Fit) -> None:
    """Within 4 standard errors of what 81 runs of 0.4 % noise can tell."""
    allowed = dict(E=0.06, A=250.0, B=1600.0, alpha=0.03, beta=0.035)
    for k, v in squared_fit.params.items():
        assert float(v) == pytest.approx(TRUE[k], abs=allowed[k]), k
    assert squared_fit.scale == pytest.approx(0.004, rel=0.35)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_few_starts_are_enough(number: int, runs: jl.Runs, squared_fit: jl.Fit) -> None:
    made = jl.fit(CHINCHILLA, runs, objective=jl.Squared(), starts=number)
    assert made.value == pytest.approx(squared_fit.value, rel=1e-9)


def test_a_number_of_starts_that_is_no_power_of_two_is_silent(line: jl.Runs) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        made = jl.fit(jl.laws.kaplan_n, line, objective=jl.Squared(), starts=17)
    assert len(made.solution.value) == 17


def test_every_start_reaches_the_minimum(squared_fit: jl.Fit, huber_fit: jl.Fit) -> None:
    assert squared_fit.agreeing == len(squared_fit.solution.value)
    assert huber_fit.agreeing >= 0.9 * len(huber_fit.solution.value)


def test_the_key_seeds_the_starts_and_nothing_else(runs: jl.Runs, squared_fit: jl.Fit) -> None:
    for seed in (1, 2):
        made = jl.fit(CHINCHILLA, runs, objective=jl.Squared(), starts=8, key=jax.random.key(seed))
        assert made.value == pytest.approx(squared_fit.value, rel=1e-10)
    again = jl.fit(CHINCHILLA, runs, objective=jl.Squared(), starts=32)
    np.testing.assert_array_equal(again.solution.z, squared_fit.solution.z)


def test_starts_given_by_hand(runs: jl.Runs, squared_fit: jl.Fit) -> None:
    starts = {k: [0.5 * v, v, 2 * v] for k, v in TRUE.items()}
    made = jl.fit(CHINCHILLA, runs, objective=jl.Squared(), starts=starts)
    assert len(made.solution.value) == 3
    assert made.value == pytest.approx(squared_fit.value, rel=1e-9)


def test_starts_at_the_edge_of_the_support(runs: jl.Runs, squared_fit: jl.Fit) -> None:
    """The famous grid has alpha = beta = 0 and amplitudes of one."""
    starts = dict(E=[0.37, 2.7], A=[1.0, 1.0], B=[1.0, 7e10], alpha=[0.0, 2.0], beta=[0.0, 0.5])
    made = jl.fit(CHINCHILLA, runs, objective=jl.Squared(), starts=starts)
    assert made.value == pytest.approx(squared_fit.value, rel=1e-9)


@pytest.mark.parametrize(
    ("starts", "words"),
    [
        (dict(E=[1.0]), "starts must name every parameter"),
        ({**{k: [v] for k, v in TRUE.items()}, "gamma": [1.0]}, "starts must name"),
        ({**{k: [v] for k, v in TRUE.items()}, "E": [1.0, 2.0]}, "E"),
        ({**{k: [v] for k, v in TRUE.items()}, "E": [float("nan")]}, "E"),
        (0, "start"),
        (-3, "start"),
    ],
)
def test_starts_that_are_none_are_refused(starts: Any, words: str, runs: jl.Runs) -> None:
    with pytest.raises(jl.InputError, match=words):
        jl.fit(CHINCHILLA, runs, objective=jl.Squared(), starts=starts)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (dict(space="sqrt"), "log, natural, logit; got 'sqrt'"),
        (dict(precision="float16"), '"float64" or "float32"'),
        (dict(space="logit"), "has no logit"),
        (dict(objective="huber"), "objective"),
        (dict(objective=jl.Huber), "objective"),
        (dict(solver="newton"), "solver"),
    ],
)
def test_settings_that_are_none_are_refused(given: dict, words: str, runs: jl.Runs) -> None:
    with pytest.raises(jl.InputError, match=words):
        jl.fit(CHINCHILLA, runs, starts=2, **given)


def test_a_plain_function_is_pointed_to_the_decorator(runs: jl.Runs) -> None:
    with pytest.raises(jl.InputError, match=r"is @jl\.law missing"):
        jl.fit(lambda N: N, runs)  # type: ignore[arg-type]


# Variants of a law


def test_fixed_and_tied_fits_are_constrained_ones(runs: jl.Runs, squared_fit: jl.Fit) -> None:
    free = squared_fit
    at = {k: float(v) for k, v in free.params.items()}
    same = jl.fit(CHINCHILLA.fix(E=at["E"]), runs, objective=jl.Squared(), starts=8)
    assert same.value == pytest.approx(free.value, rel=1e-9)
    for k, v in same.params.items():
        assert float(v) == pytest.approx(at[k], rel=1e-4), k
    tied = jl.fit(CHINCHILLA.tie(beta="alpha"), runs, objective=jl.Squared(), starts=8)
    assert tied.value >= free.value
    assert set(tied.params) == {"E", "A", "B", "alpha"}


def test_bind_is_the_law_at_the_estimates(squared_fit: jl.Fit) -> None:
    bound = squared_fit.bind()
    assert bound.params == {}
    runs = squared_fit.runs
    fitted = np.asarray(bound(**runs.inputs))
    np.testing.assert_allclose(np.log(runs.target / fitted), squared_fit.residual, atol=1e-12)


def test_per_group_fits_are_the_separate_ones(simulated: Callable[..., jl.Runs]) -> None:
    """With everything per group, two groups in one fit are two fits."""
    one, two = simulated(1), simulated(2, E=1.5, B=1500.0)
    both = jl.Runs.from_arrays(
        np.concatenate([one.target, two.target]),
        group=["one"] * 81 + ["two"] * 81,
        **{k: np.concatenate([one.inputs[k], two.inputs[k]]) for k in "ND"},
    )
    made = CHINCHILLA.fix(alpha=0.3478, beta=0.3658).per_group("E", "A", "B", groups=2)
    joint = jl.fit(made, both, objective=jl.Squared(), starts=8)
    small = CHINCHILLA.fix(alpha=0.3478, beta=0.3658)
    parts = [jl.fit(small, part, objective=jl.Squared(), starts=8) for part in (one, two)]
    assert joint.value == pytest.approx(sum(p.value for p in parts), rel=1e-8)
    for k in "EAB":
        apart = [float(p.params[k]) for p in parts]
        np.testing.assert_allclose(joint.params[k], apart, rtol=1e-5)
    labels = list(joint.frame().index)
    assert labels == ["E[0]", "E[1]", "A[0]", "A[1]", "B[0]", "B[1]"]


# What must be said


@law
def additive(x: Scale, *, E: Entropy, A: Amplitude, alpha: Exponent) -> Loss:
    """A power above a floor."""
    return E + A * x**-alpha


def test_a_dead_term_is_reported() -> None:
    """Runs of a pure constant plus noise: the power has nothing to explain."""
    rng = np.random.default_rng(3)
    x = np.geomspace(1e2, 1e6, 30)
    made = jl.fit(
        additive,
        jl.Runs.from_arrays(2.0 + 0.02 * np.log10(x) + 1e-3 * rng.standard_normal(30), x=x),
        objective=jl.Squared(),
        starts=16,
    )
    assert made.dead == ("A",) or made.at_bound
    assert re.search("contributes nothing|do not bound", " ".join(made.notes()))
    assert made.frame()["note"].map(bool).any()


def test_no_floor_in_the_data_is_reported() -> None:
    x = np.geomspace(1e2, 1e6, 30)
    made = jl.fit(
        additive, jl.Runs.from_arrays(5.0 * x**-0.2, x=x), objective=jl.Squared(), starts=16
    )
    assert "E" in made.dead
    assert any("contributes nothing" in note for note in made.notes())


def test_a_parameter_without_effect_is_reported() -> None:
    @law
    def idle(x: Scale, *, A: Amplitude, alpha: Exponent, H: Exponent) -> Loss:
        """H acts where there is no run."""
        return A * x**-alpha + jnp.where(x > 1e9, H, 0.0)

    x = np.geomspace(1e2, 1e6, 30)
    rng = np.random.default_rng(0)
    noise = np.exp(0.01 * rng.standard_normal(30))
    made = jl.fit(idle, jl.Runs.from_arrays(50 * x**-0.2 * noise, x=x), starts=8)
    assert made.condition == np.inf
    assert "not identified" in " ".join(made.notes())
    boot = jl.bootstrap(made, draws=20)
    assert np.isnan(boot.frame().loc["H", "se"])
    assert boot.frame().loc["alpha", "se"] > 0


def test_unidentified_parameters_are_reported() -> None:
    @law
    def twice(x: Scale, *, A: Amplitude, B: Amplitude, alpha: Exponent) -> Loss:
        """A and B only as a sum."""
        return (A + B) * x**-alpha

    x = np.geomspace(1e2, 1e6, 30)
    rng = np.random.default_rng(0)
    made = jl.fit(
        twice,
        jl.Runs.from_arrays(50 * x**-0.2 * np.exp(0.01 * rng.standard_normal(30)), x=x),
        objective=jl.Squared(),
        starts=16,
    )
    said = " ".join(made.notes())
    assert "not identified" in said or "contributes nothing" in said, said


def test_the_share_in_hubers_linear_zone_is_printed(huber_fit: jl.Fit) -> None:
    share = np.mean(np.abs(huber_fit.residual) > 1e-3)
    assert share > 0.5
    assert any(f"{share:.0%} of the runs" in note for note in huber_fit.notes())


def test_out_of_steps_is_said_and_marks_the_fit(runs: jl.Runs) -> None:
    made = jl.fit(CHINCHILLA, runs, objective=jl.Squared(), starts=4, solver=jl.Newton(max_steps=2))
    assert not made.converged
    assert made.status == "out of steps"
    assert "did not converge" in made.notes()[0]


def test_repr_is_the_report(squared_fit: jl.Fit) -> None:
    said = repr(squared_fit)
    assert said.startswith("chinchilla fitted to 81 runs of ")
    assert "objective Squared on log L" in said
    assert "32 of 32 starts agree, converged" in said
    assert "alpha" in said


def test_frame_has_units_and_notes(squared_fit: jl.Fit) -> None:
    frame = squared_fit.frame()
    assert list(frame.columns) == ["unit", "estimate", "note"]
    assert frame.loc["E", "unit"] == "nats/token"


def test_distinct_minima_are_kept_lowest_first(huber_fit: jl.Fit) -> None:
    np.testing.assert_array_equal(huber_fit.minima[0], huber_fit.solution.z[0])
    assert (np.diff(huber_fit.solution.value) >= -1e-12).all()


# Spaces, quantities, precisions


@pytest.mark.parametrize("space", ["log", "natural", "logit"])
def test_spaces_are_those_of_the_residual(space: str) -> None:
    """An accuracy in three spaces: the residual is the difference there."""
    law_ = jl.laws.ppl_to_error
    rng = np.random.default_rng(2)
    L = np.linspace(1.9, 4.0, 24)
    true = law_.published()
    error = np.asarray(law_(L, **true)) + 0.004 * rng.standard_normal(24)
    made = jl.fit(
        law_, jl.Runs.from_arrays(error, L=L), objective=jl.Squared(), starts=16, space=space
    )
    to = {"log": np.log, "natural": lambda y: y, "logit": lambda y: np.log(y / (1 - y))}[space]
    fitted = np.asarray(law_(L, **made.params))
    np.testing.assert_allclose(made.residual, to(error) - to(fitted), atol=1e-12)
    assert made.value == pytest.approx(np.sum(made.residual**2), rel=1e-9)
    assert made.space == space
    assert made.converged
    np.testing.assert_allclose(fitted, law_(L, **true), atol=0.01)


def test_targets_of_either_sign_are_fitted_in_natural_space() -> None:
    @law
    def drop(x: Scale, *, A: Amplitude, alpha: Exponent) -> Signed:
        """A difference of losses."""
        return -A * x**-alpha

    x = np.geomspace(10.0, 1e4, 24)
    made = jl.fit(drop, jl.Runs.from_arrays(-3.0 * x**-0.4, x=x), starts=16)
    assert made.space == "natural"
    assert float(made.params["A"]) == pytest.approx(3.0, rel=1e-5)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_the_targets_unit_does_not_matter(scale: float) -> None:
    """A positive quantity in any unit: only amplitudes follow."""
    x = np.geomspace(1e2, 1e8, 24)
    y = (0.1 + 2.0 * x**-0.3) * np.exp(0.01 * np.random.default_rng(1).standard_normal(24))
    made = jl.fit(jl.laws.m2, jl.Runs.from_arrays(scale * y, x=x), objective=jl.Squared())
    assert made.converged
    assert float(made.params["c"]) == pytest.approx(-0.3, abs=0.03)
    assert float(made.params["eps_inf"]) / scale == pytest.approx(0.1, abs=0.02)


def test_float32_finds_the_same_fit(runs: jl.Runs, squared_fit: jl.Fit, huber_fit: jl.Fit) -> None:
    """Smoke: the numbers are certified elsewhere."""
    for exact, objective in ((squared_fit, jl.Squared()), (huber_fit, jl.Huber())):
        made = jl.fit(CHINCHILLA, runs, objective=objective, starts=16, precision="float32")
        assert made.converged, made.status
        assert made.value == pytest.approx(exact.value, rel=1e-3)
        for k, v in made.params.items():
            assert float(v) == pytest.approx(float(exact.params[k]), rel=0.03), k
        boot = jl.bootstrap(made, draws=64)
        assert boot.failed < 0.03
        reference = jl.bootstrap(exact, draws=64)
        single, double = (float(np.std(np.asarray(d.params["alpha"]))) for d in (boot, reference))
        assert single == pytest.approx(double, rel=0.05)


# Numbers are the same whatever the user's JAX settings are

USER = """
import json, sys, warnings
warnings.simplefilter("error")
import jax, numpy as np
import jaxlaws as jl
if "x64" in sys.argv:
    jax.config.update("jax_enable_x64", True)
runs = jl.datasets.runs("simulated_chinchilla")
fit = jl.fit(jl.laws.chinchilla, runs, objective=jl.Squared(), starts=8)
boot = jl.bootstrap(fit, draws=40, key=jax.random.key(5))
lap = jl.laplace(fit, draws=40, key=jax.random.key(5))
pred = jl.predict(boot, N=7e10, D=[1.4e12, 2e12], key=jax.random.key(6))
front = jl.frontier(boot, C=[1e21, 5.88e23])
cheap = jl.cheapest(boot, loss=2.2, cost=jl.flops.inference(1e12))
out = dict(
    value=fit.value, point=[float(v) for v in fit.params.values()],
    z=np.asarray(fit.solution.z[0], float).tolist(),
    alpha=np.asarray(boot.params["alpha"], float).tolist(),
    lap=np.asarray(lap.params["alpha"], float).tolist(),
    estimate=pred.estimate.tolist(), mean=pred.mean.tolist(), run=pred.run.tolist(),
    n_opt=front.estimate["N_opt"].tolist(), n_draws=front.values["N_opt"].tolist(),
    cheap=cheap.estimate["C_opt"].tolist(),
    dtypes=[str(np.asarray(v).dtype) for v in (
        *fit.params.values(), *boot.params.values(), pred.mean, pred.run, front.values["N_opt"])],
    after=str(jax.numpy.ones(1).dtype),
)
print(json.dumps(out))
"""


def test_numbers_are_float64_whatever_the_users_settings(python: Callable[..., Any]) -> None:
    """JAX's own default is 32 bit: fit, bootstrap, predict and frontier must not notice."""
    default, wide = python(USER), python(USER, "x64")
    assert set(default["dtypes"]) == {"float64"}
    assert (default["after"], wide["after"]) == ("float32", "float64")  # the user's own stay theirs
    for k in set(default) - {"dtypes", "after"}:
        np.testing.assert_allclose(default[k], wide[k], rtol=1e-9, err_msg=k)


def test_a_fit_inside_the_users_jit_is_no_surprise(runs: jl.Runs) -> None:
    """The estimates are plain arrays that enter further JAX code."""
    made = jl.fit(CHINCHILLA, runs, objective=jl.Squared(), starts=2)
    slope = jax.grad(lambda n: CHINCHILLA(n, 1e12, **made.params))(jnp.asarray(1e10))
    assert float(slope) < 0


def test_an_infimum_at_two_bounds_is_reached() -> None:
    """ScaleBench's vocabularies: E and both amplitudes grow without end as the exponents vanish."""
    fit = jl.fit(jl.laws.vocab_parametric, vocab_runs()[0], starts=16)
    assert fit.converged
    assert fit.at_bound == ("alpha1 at its lower end", "alpha2 at its lower end")
