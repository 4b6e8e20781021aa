"""Fits by stages and in turns: planted constants come back."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxlaws as jl
from benchmarks.designs import constants_of
from jaxlaws.procedures import farseer_by_stages, intrinsic_fit
from jaxlaws.procedures.farseer import stages
from jaxlaws.procedures.intrinsic import anchored

SIZES, TOKENS = np.geomspace(2e8, 6.4e9, 9), np.geomspace(2e9, 2.56e11, 8)
N, D = np.repeat(SIZES, 8), np.tile(TOKENS, 9)


@pytest.fixture(scope="module")
def planted() -> dict[str, jax.Array]:
    return next(iter(constants_of("farseer").values()))


def test_the_stages_alone_give_farseers_constants(planted):
    L = jl.laws.farseer(N, D, **planted).reshape(9, 8)
    grid, there = np.tile(TOKENS, (9, 1)), np.ones((9, 8), bool)
    found = stages(SIZES, grid, L, there)
    for name, value in planted.items():
        assert found[name][0] == pytest.approx(float(value), rel=1e-8), name
    # sizes may have other grids, and fewer points
    there[4:, 6:] = False
    grid[2] *= 1.7
    L = jl.laws.farseer(np.tile(SIZES[:, None], 8), grid, **planted)
    uneven = stages(SIZES, grid, L, there)
    assert uneven["a3"][0] == pytest.approx(float(planted["a3"]), rel=1e-8)


def test_farseer_from_noisy_runs(planted):
    """0.1 % noise: the common minimum is certified and below the truth's own objective."""
    L = np.asarray(jl.laws.farseer(N, D, **planted))
    noisy = L * np.exp(1e-3 * np.random.default_rng(0).standard_normal(72))
    found = farseer_by_stages(jl.Runs.from_arrays(noisy, N=N, D=D))
    score = jl.Huber().score(np.log(noisy) - np.log(L))
    assert found.converged
    assert 0.5 * score.sum() < found.value < score.sum()
    ahead = jl.laws.farseer(2e10, 1e12, **planted)
    assert found.bind()(2e10, 1e12) == pytest.approx(float(ahead), rel=0.01)


def test_farseer_needs_sizes():
    runs = jl.Runs.from_arrays(np.linspace(1, 0.5, 24), N=np.repeat(SIZES[:3], 8), D=D[:24])
    with pytest.raises(jl.InputError, match="3 of 3 sizes have them"):
        farseer_by_stages(runs)


def test_the_least_compute_for_a_performance_is_the_performance():
    constants = anchored(jnp.asarray(30.0), jnp.asarray(0.5), jnp.asarray(0.8))
    size = jnp.geomspace(1e2, 1e8, 4001)
    compute = jnp.asarray(1e9)
    best = jnp.max(jl.laws.hilton_intrinsic(size, compute / size, **constants))
    assert best == pytest.approx(1e9, rel=1e-5)


@pytest.mark.parametrize(("noise", "within"), [(0.0, 0.01), (0.5, 0.06)])
def test_intrinsic_performance_from_returns_alone(noise: float, within: float):
    """Returns are a planted function of a planted performance, and neither is told.

    7 sizes, 175 points, returns from -20 to 80: half a point of noise moves the exponents by 4 %.
    """
    size, steps = np.geomspace(1e4, 1e7, 7), np.geomspace(1e5, 1e9, 25)
    N, E = np.repeat(size, 25), np.tile(steps, 7)
    truth = anchored(jnp.asarray(30.0), jnp.asarray(0.45), jnp.asarray(0.7))
    I = np.asarray(jl.laws.hilton_intrinsic(N, E, **truth))

    def score(performance):
        return 100 / (1 + (1e11 / performance) ** 0.6) - 20

    found = intrinsic_fit(N, E, score(I) + noise * np.random.default_rng(0).standard_normal(175))
    assert found.constants["a_N"] == pytest.approx(0.45, rel=within)
    assert found.constants["a_E"] == pytest.approx(0.7, rel=within)
    assert found.error == pytest.approx(noise, abs=0.05)
    assert found.agreeing > 0.5
    middle = np.geomspace(1e10, 1e12, 7)
    assert found.of_return(score(middle)) == pytest.approx(middle, rel=0.02 + noise)
    assert np.isnan(found.of_return(1e3))


def test_intrinsic_performance_needs_sizes():
    with pytest.raises(jl.InputError, match="got 1 and 2"):
        intrinsic_fit([1e4, 1e4], [1.0, 2.0], [0.0, 1.0])
