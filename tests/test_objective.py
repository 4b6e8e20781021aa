"""One contract over all objectives: the score is minus the log density, and densities are ones."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, optimize, special, stats

import jaxlaws as jl
from jaxlaws._objective import from_space, to_space

OBJECTIVES: dict[str, Any] = {
    "Huber": jl.Huber(0.02),
    "Huber, narrow": jl.Huber(1e-3),
    "Squared": jl.Squared(),
    "LogCosh": jl.LogCosh(0.02),
    "LogCosh, narrow": jl.LogCosh(1e-3),
    "StudentT": jl.StudentT(0.01, 4.0),
    "StudentT, heavy": jl.StudentT(0.01, 1.5),
    "Quantile": jl.Quantile(0.5),
    "Quantile, low": jl.Quantile(0.2, 1e-4),
}
SCALE = 0.01  # of residuals; StudentT's own, since there it is a setting


@pytest.fixture(params=OBJECTIVES.values(), ids=list(OBJECTIVES))
def objective(request: pytest.FixtureRequest) -> Any:
    return request.param


def test_score_is_zero_at_zero_and_positive_elsewhere(objective: Any) -> None:
    r = jnp.asarray([-1.0, -0.01, -1e-5, 1e-5, 0.01, 1.0])
    assert float(objective.score(jnp.zeros(()))) == pytest.approx(0.0, abs=1e-18)
    assert (np.asarray(objective.score(r)) > 0).all()
    assert np.isfinite(objective.score(jnp.asarray([1e6, -1e6]))).all()


def test_score_is_minus_log_density_up_to_a_scale(objective: Any) -> None:
    """The ratio of the two derivatives is one number, wherever the residual lies."""
    r = jnp.concatenate([-jnp.geomspace(1e-4, 0.5, 41), jnp.geomspace(1e-4, 0.5, 41)])
    score = jax.vmap(jax.grad(objective.score))(r)
    density = jax.vmap(jax.grad(lambda r: -objective.log_density(r, jnp.asarray(SCALE))))(r)
    ratio = np.asarray(density) / np.asarray(score)
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-6)
    assert ratio[0] > 0


@pytest.mark.parametrize("scale", [1e-4, SCALE, 0.3])
def test_densities_integrate_to_one(objective: Any, scale: float) -> None:
    width = float(getattr(objective, "delta", getattr(objective, "width", scale)))
    u = np.linspace(-40, 40, 160_001)
    c = min(width, scale)
    r = c * np.sinh(u)  # reaches far tails with few points
    values = np.exp(np.asarray(objective.log_density(jnp.asarray(r), jnp.asarray(scale))))
    total = integrate.trapezoid(values * c * np.cosh(u), u)
    # The corner that Quantile rounds is left out of its normalisation.
    rounded = width / scale if isinstance(objective, jl.Quantile) else 0.0
    assert total == pytest.approx(1.0, abs=2e-4 + rounded)


def test_maximum_likelihood_scale_is_inside(objective: Any) -> None:
    """As a density in the scale: neither an ever smaller nor an ever larger one is best."""
    rng = np.random.default_rng(0)
    r = jnp.asarray(0.01 * rng.standard_normal(400))
    scales = np.geomspace(1e-5, 10.0, 60)
    total = [float(jnp.sum(objective.log_density(r, jnp.asarray(s)))) for s in scales]
    assert 0 < int(np.argmax(total)) < len(scales) - 1


def test_huber_is_scipys() -> None:
    r = np.linspace(-0.5, 0.5, 101)
    for delta in (1e-3, 0.1, 2.0):
        found = jl.Huber(delta).score(jnp.asarray(r))
        np.testing.assert_allclose(found, special.huber(delta, r), rtol=1e-13, atol=1e-300)
    assert float(jl.Huber(1e-3).score(jnp.asarray(0.0005))) == pytest.approx(1.25e-7, rel=1e-12)


def test_known_densities_are_scipys() -> None:
    r = np.linspace(-0.1, 0.1, 21)
    at = jnp.asarray(r), jnp.asarray(0.02)
    np.testing.assert_allclose(jl.Squared().log_density(*at), stats.norm(0, 0.02).logpdf(r))
    np.testing.assert_allclose(jl.StudentT(nu=3.0).log_density(*at), stats.t(3, 0, 0.02).logpdf(r))
    laplace = stats.laplace(0, 0.02 * 2).logpdf(r)
    close = jl.Quantile(0.5, 1e-9).log_density(*at)
    np.testing.assert_allclose(close, laplace, atol=1e-5)
    np.testing.assert_allclose(
        jl.LogCosh(1.0).score(jnp.asarray(r)), np.log(np.cosh(r)), atol=1e-15
    )


def test_scores_at_rest() -> None:
    """LogCosh far out does not overflow; Student's score grows like a logarithm."""
    assert float(jl.LogCosh(1e-3).score(jnp.asarray(10.0))) == pytest.approx(1e-3 * 10, rel=1e-3)
    near, far = (float(jl.StudentT().score(jnp.asarray(r))) for r in (1.0, 100.0))
    assert far < 3 * near


def test_derivatives_are_finite_up_to_second_order(objective: Any) -> None:
    r = jnp.asarray([-3.0, -1e-3, -1e-9, 0.0, 1e-9, 1e-3, 0.02, 3.0])
    for order in (jax.grad(objective.score), jax.grad(jax.grad(objective.score))):
        assert np.isfinite(jax.vmap(order)(r)).all()


def test_convex_ones_are_convex() -> None:
    r = jnp.linspace(-0.1, 0.1, 201)
    for objective in (jl.Huber(), jl.Squared(), jl.LogCosh(), jl.Quantile(0.3)):
        bend = jax.vmap(jax.grad(jax.grad(objective.score)))(r)
        assert (np.asarray(bend) >= -1e-9).all()


# Widening


def test_widening_by_one_changes_nothing(objective: Any) -> None:
    r = jnp.linspace(-0.2, 0.2, 41)
    np.testing.assert_array_equal(objective.score(r, 1.0), objective.score(r))


def test_widened_far_enough_the_score_is_a_parabola(objective: Any) -> None:
    """Residuals of the spread it was widened for lie in the quadratic zone."""
    spread = 0.15
    widen = objective.widening(spread)
    assert widen >= 1
    r = np.linspace(0.02, spread, 15)
    curvature = np.asarray(objective.score(jnp.asarray(r), widen)) / r**2
    assert curvature.max() / curvature.min() < 1.35
    assert objective.widening(0.0) == 1.0


@pytest.mark.parametrize("widen", [1.0, 7.0, 100.0])
def test_widened_scores_stay_smooth_and_rise(objective: Any, widen: float) -> None:
    r = jnp.geomspace(1e-5, 1.0, 61)
    slope = np.asarray(jax.vmap(jax.grad(lambda r: objective.score(r, widen)))(r))
    assert (slope > 0).all()
    far = jl.Huber(0.02), jl.Huber(1e-3), jl.Quantile(0.5)
    if objective in far:  # the linear zone keeps its slope, so that stages follow one another
        own = np.asarray(jax.vmap(jax.grad(objective.score))(jnp.asarray([50.0])))
        wide = np.asarray(
            jax.vmap(jax.grad(lambda r: objective.score(r, widen)))(jnp.asarray([50.0]))
        )
        np.testing.assert_allclose(wide, own, rtol=1e-9)


# What they estimate


@pytest.mark.parametrize("tau", [0.1, 0.5, 0.8])
def test_quantile_estimates_the_quantile(tau: float) -> None:
    y = np.random.default_rng(1).standard_normal(501)
    objective = jl.Quantile(tau)

    def total(m: float) -> float:  # residuals are predicted minus measured
        return float(jnp.sum(objective.score(jnp.asarray(m - y))))

    found = optimize.minimize_scalar(
        total, bounds=(-3, 3), method="bounded", options=dict(xatol=1e-7)
    ).x
    share = np.mean(y < found)
    assert share == pytest.approx(tau, abs=0.01), f"{share:.3f} of the runs lie below the law"


def test_linear_share_counts_weight() -> None:
    r = jnp.asarray([0.0, 0.0005, 0.002, -0.5])
    assert float(jl.Huber().linear_share(r, jnp.ones(4))) == 0.5
    assert float(jl.Huber().linear_share(r, jnp.asarray([1.0, 0.0, 0.0, 3.0]))) == 0.75


def test_objectives_are_values_and_pytrees() -> None:
    assert jl.Huber(1e-3) == jl.Huber(1e-3)
    assert jl.Huber(1e-3) != jl.Huber(1e-2)
    leaves, tree = jax.tree.flatten(jl.StudentT(0.1, 3.0))
    assert leaves == [0.1, 3.0]
    assert jax.tree.unflatten(tree, leaves) == jl.StudentT(0.1, 3.0)
    scores = jax.vmap(lambda d: jl.Huber(d).score(jnp.asarray(0.1)))(jnp.asarray([1e-3, 1.0]))
    np.testing.assert_allclose(scores, [1e-3 * (0.1 - 5e-4), 0.005])
    with pytest.raises(AttributeError):
        jl.Huber().delta = 1.0  # type: ignore[misc]


@pytest.mark.parametrize(
    "make",
    [
        lambda: jl.Huber(0.0),
        lambda: jl.Huber(-1e-3),
        lambda: jl.LogCosh(0.0),
        lambda: jl.StudentT(0.0),
        lambda: jl.StudentT(nu=-1.0),
        lambda: jl.Quantile(0.0),
        lambda: jl.Quantile(1.0),
        lambda: jl.Quantile(0.5, width=0.0),
    ],
)
def test_a_setting_that_makes_no_objective_is_refused(make: Any, runs: jl.Runs) -> None:
    """When it is made, or at the latest by the fit, in words."""
    with pytest.raises(jl.InputError):
        jl.fit(jl.laws.chinchilla, runs, objective=make(), starts=2)


# Spaces


@pytest.mark.parametrize("space", ["log", "natural", "logit"])
def test_spaces_and_back(space: str) -> None:
    x = jnp.asarray([1e-6, 0.2, 0.5, 0.999])
    np.testing.assert_allclose(from_space(to_space(x, space), space), x, rtol=1e-12)


def test_draws_follow_the_density(objective: Any) -> None:
    """Kolmogorov and Smirnov's distance to the integrated density: a false alarm in 100,000."""
    count = 20_000
    grid = SCALE * np.sinh(np.linspace(-9, 9, 8001))
    with jax.enable_x64(True):
        drawn = np.asarray(objective.draw(jax.random.key(0), jnp.full(count, SCALE)))
        density = np.exp(np.asarray(objective.log_density(jnp.asarray(grid), jnp.asarray(SCALE))))
    share = integrate.cumulative_trapezoid(density, grid, initial=0)
    distance = stats.kstest(drawn, lambda r: np.interp(r, grid, share / share[-1])).statistic
    assert distance < np.sqrt(-np.log(1e-5 / 2) / 2 / count)


@pytest.mark.parametrize("name", [k for k, v in OBJECTIVES.items() if hasattr(v, "blurred")])
@pytest.mark.parametrize("ratio", [1e-3, 0.1, 1.0, 10.0])
def test_a_normal_error_is_added_to_the_density(name: str, ratio: float) -> None:
    """Against a trapezoid rule over both densities; its own error is below 1e-7 here."""
    objective, blur = OBJECTIVES[name], ratio * SCALE
    r = np.array([-6.0, -0.5, 0.0, 1.0, 4.0]) * np.hypot(SCALE, blur)
    ours = objective.blurred(jnp.asarray(r), jnp.full(5, SCALE), jnp.full(5, blur))
    for value, x in zip(np.asarray(ours), r, strict=True):
        fine = [np.sinh(np.linspace(-12, 12, 100_001)) * SCALE / 500]
        e = np.unique(np.concatenate([*fine, x + np.linspace(-12, 12, 100_001) * blur]))
        each = np.asarray(objective.log_density(jnp.asarray(e), jnp.asarray(SCALE)))
        exact = np.log(np.trapezoid(np.exp(each + stats.norm.logpdf(x - e, scale=blur)), e))
        assert value == pytest.approx(exact, abs=1e-5)
    slope = jax.grad(lambda s: jnp.sum(objective.blurred(jnp.asarray(r), s, jnp.full(5, blur))))
    assert np.isfinite(slope(jnp.full(5, SCALE))).all()
