"""What is traced and compiled, and how often: a fit and its refits share one compiled solve."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import jax
import numpy as np
import pytest

import jaxlaws as jl
from jaxlaws._law import law
from jaxlaws._solver._queue import solve_on as solve
from jaxlaws.quantities import Amplitude, Exponent, Loss, Scale

COUNT = {"calls": 0}


@law
def counted(x: Scale, *, A: Amplitude, alpha: Exponent) -> Loss:
    """A power that counts how often Python runs it."""
    COUNT["calls"] += 1
    return A * x**-alpha


def table(seed: int, n: int = 20) -> jl.Runs:
    x = np.geomspace(1e2, 1e6, n)
    noise = np.random.default_rng(seed).standard_normal(n)
    return jl.Runs.from_arrays(20.0 * x**-0.2 * np.exp(0.01 * noise), x=x)


@contextmanager
def compilations() -> Iterator[list[str]]:
    """The names of functions that XLA compiles meanwhile."""
    names: list[str] = []
    on = [True]

    def listen(event: str, duration: float, **about: Any) -> None:
        if on[0] and event.endswith("backend_compile_duration"):
            names.append(str(about.get("fun_name", "?")))

    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        yield names
    finally:
        on[0] = False


@pytest.fixture(scope="module")
def warm() -> tuple[jl.Fit, jl.Draws]:
    fit = jl.fit(counted, table(0), starts=8, key=jax.random.key(0))
    return fit, jl.bootstrap(fit, draws=40, key=jax.random.key(0))


def traces(fn: Callable[[], Any]) -> int:
    before = COUNT["calls"]
    fn()
    return COUNT["calls"] - before


def solves(fn: Callable[[], Any]) -> int:
    before = solve._cache_size()
    fn()
    return solve._cache_size() - before


def test_fit_bootstrap_and_refits_share_one_compiled_solve() -> None:
    """Of a law nobody has fitted yet; the number of traces is bounded, whatever the draws."""
    fresh = counted.fix(alpha=0.2).per_group("A", groups=1)

    def whole() -> None:
        fit = jl.fit(fresh, table(1), starts=8)
        for made in (jl.Pairs(), jl.Bayesian(), jl.Residual(), jl.Wild(), jl.Jackknife()):
            jl.bootstrap(fit, made, draws=30).frame(kind="bca")

    before = COUNT["calls"]
    assert solves(whole) == 1
    assert COUNT["calls"] - before < 60


def test_a_second_fit_of_the_same_shape_compiles_nothing(warm: Any) -> None:
    """Other data, another delta, other starts and another key."""
    with compilations() as names:
        jl.fit(counted, table(2), objective=jl.Huber(5e-3), starts=8)
        jl.fit(counted, table(3), objective=jl.Huber(1e-2), starts=16, key=jax.random.key(3))
    assert "solve" not in " ".join(names)
    assert names == []


def test_a_second_bootstrap_compiles_nothing(warm: Any) -> None:
    fit, _ = warm
    other = jl.fit(counted, table(4), starts=8)
    jl.bootstrap(fit, draws=41)
    with compilations() as names:
        jl.bootstrap(fit, draws=40, key=jax.random.key(2))
        jl.bootstrap(other, draws=40)
    assert names == []


@pytest.mark.parametrize("made", [jl.Residual(), jl.Wild(), jl.Bayesian()], ids=str)
def test_other_resamplers_find_the_solve_compiled(made: Any, warm: Any) -> None:
    fit, _ = warm
    assert solves(lambda: jl.bootstrap(fit, made, draws=40)) == 0


def test_prediction_and_laplace_compile_once(warm: Any) -> None:
    fit, draws = warm
    jl.predict(draws, x=[10.0, 1e7])
    jl.laplace(fit, draws=50)
    with compilations() as names:
        jl.predict(draws, x=[20.0, 1e8], key=jax.random.key(8))
        jl.laplace(fit, draws=50, key=jax.random.key(8))
    assert names == []


def test_a_frontier_compiles_once(boot: jl.Draws) -> None:
    jl.frontier(boot, C=[1e20, 1e22])
    with compilations() as names:
        jl.frontier(boot, C=[1e21, 1e23])
    assert names == []


def test_more_draws_do_not_mean_more_traces(warm: Any) -> None:
    fit, _ = warm
    few = traces(lambda: jl.bootstrap(fit, draws=40))
    many = traces(lambda: jl.bootstrap(fit, draws=3000))
    assert many <= few + 3  # another number of draws, and a larger pool that refits restart from


def test_stacks_of_one_shape_share_a_solve(warm: Any) -> None:
    first = jl.Runs.stack([table(i) for i in range(4)])
    second = jl.Runs.stack([table(i + 10) for i in range(4)])
    jl.fit(counted, first, starts=4)
    assert solves(lambda: jl.fit(counted, second, starts=4)) == 0
