"""Time and peak memory against the number of resamples, runs, parameters and starts.

Every point runs in a process of its own, so that its peak memory is its own, and is timed compiled.
"""

import time
import warnings
from collections.abc import Callable
from typing import Annotated, Any

import jax.numpy as jnp
import numpy as np
from jax import Array

import jaxlaws as jl
from benchmarks.clock import fresh, peak
from benchmarks.record import Goal, Section
from jaxlaws._law import Parameter, Variable
from jaxlaws._support import positive
from jaxlaws.quantities import Entropy, Loss

GOAL = 1.05  # of an exponent
NOISE = 0.01
TRUTH = dict(E=1.8172, A=482.01, B=2085.43, alpha=0.3478, beta=0.3658)
COUNTS = {
    "resamples": (100, 1000, 10_000, 100_000, 1_000_000),
    "runs": (10, 100, 1000, 10_000, 100_000, 1_000_000),
    "parameters": (3, 5, 9, 15, 21, 29),
    "starts": (1, 10, 100, 1000, 4500),
}
SMOKE = {"resamples": (10, 20), "starts": (1, 2)}


def resamples(count: int) -> dict[str, Any]:
    """Bootstrap of Epoch's points."""
    fit = jl.fit(jl.laws.chinchilla, jl.datasets.runs("chinchilla_epoch"))
    return timed(lambda many: jl.bootstrap(fit, draws=many), count, min(count, 1000))


def runs(count: int) -> dict[str, Any]:
    """A fit of simulated runs of Chinchilla's law, 8 starts, least squares."""
    rng = np.random.default_rng(0)
    N, D = np.exp(rng.uniform(np.log([[4e7], [8e8]]), np.log([[2e10], [6e11]]), (2, count)))
    loss = np.asarray(jl.laws.chinchilla(N, D, **TRUTH)) * np.exp(
        NOISE * rng.standard_normal(count)
    )
    table = jl.Runs.from_arrays(loss, N=N, D=D)
    return timed(
        lambda many: jl.fit(jl.laws.chinchilla, table, objective=jl.Squared(), starts=many), 8, 2
    )


def additive(terms: int) -> jl.Law:
    """A law of 1 + 2 x terms parameters: an entropy and so many power laws."""

    def fn(
        x: Annotated[Array, Variable("scale", size=(terms,))],
        *,
        E: Entropy,
        A: Annotated[Array, Parameter("", positive, (1.0, 1e6), (terms,))],
        alpha: Annotated[Array, Parameter("", positive, (0.03, 1.5), (terms,))],
    ) -> Loss:
        r"""A sum of power laws.

        $$L = E + \sum_j A_j x_j^{-\alpha_j}$$
        """
        return E + jnp.sum(A * x**-alpha)

    return jl.law(fn, name=f"additive({terms})")


def parameters(count: int) -> dict[str, Any]:
    """A fit of 240 simulated runs of a sum of power laws, 16 starts, least squares."""
    terms = (count - 1) // 2
    rng, law = np.random.default_rng(0), additive((count - 1) // 2)
    x = np.exp(rng.uniform(np.log(30.0), np.log(1e7), (240, terms)))
    alpha = np.linspace(0.2, 0.6, terms)
    exact = 1.8 + np.sum(2.0 * 30.0**alpha * x**-alpha, axis=1)
    table = jl.Runs.from_arrays(exact * np.exp(NOISE * rng.standard_normal(240)), x=x)
    return timed(lambda many: jl.fit(law, table, objective=jl.Squared(), starts=many), 16, 2)


def starts(count: int) -> dict[str, Any]:
    """A fit of Epoch's points."""
    table = jl.datasets.runs("chinchilla_epoch")
    return timed(lambda many: jl.fit(jl.laws.chinchilla, table, starts=many), count, 2)


def timed(job: Callable[[int], Any], count: int, first: int) -> dict[str, Any]:
    """Seconds and mean steps of a job of a size, after a small one compiled it; peak memory."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        job(first)
        begin = time.perf_counter()
        done = job(count)
        seconds = time.perf_counter() - begin
    return dict(seconds=seconds, steps=float(done.solution.steps.mean()), peak=peak())


def measure(smoke: bool = False) -> Section:
    """The table and curves of growth."""
    rows, goals = [], []
    for what, counts in (SMOKE if smoke else COUNTS).items():
        found = [fresh(f"growth:{what}", count) for count in counts]
        x = np.log(counts)
        exponents = {}
        for measured in ("seconds", "peak"):
            y = np.log([one[measured] for one in found])
            exponents[measured] = float(np.polyfit(x, y, 1)[0])
            exponents[measured, "last"] = float((y[-1] - y[-2]) / (x[-1] - x[-2]))
        rows += [
            {
                "against": what,
                "count": c,
                "time, s": one["seconds"],
                "peak, GiB": one["peak"],
                "mean steps": one["steps"],
            }
            for c, one in zip(counts, found, strict=True)
        ]
        goals.append(
            Goal(
                f"{what}: exponents at most {GOAL}"
                if what != "parameters"
                else f"{what}: exponents",
                f"time {exponents['seconds']:.2f} (last two points "
                f"{exponents['seconds', 'last']:.2f}), memory {exponents['peak']:.2f} "
                f"({exponents['peak', 'last']:.2f})",
                what == "parameters" or max(exponents["seconds"], exponents["peak"]) <= GOAL,
            )
        )
    return Section(title="Growth", text=TEXT, rows=rows, goals=goals)


TEXT = """\
Each row is a process of its own, timed after a small task compiled it; memory is the peak of the
whole process, interpreter and compiler included. Resamples: a bootstrap of Epoch's 240 points.
Runs: a fit of simulated runs from 8 starts, least squares. Parameters: a fit of 240 simulated runs
by a sum of 1 to 14 power laws from 16 starts, least squares. Starts: a fit of Epoch's points.
Exponents are slopes of straight lines through the logarithms of all points; that of the last two
points stands beside, since a fixed cost flattens the whole."""
