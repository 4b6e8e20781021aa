"""100 tables at once: laws of 3 to 12 parameters, 16 to 2000 runs, against peers looped or vmapped.

All minimise the same least squares of the logarithm from the same starts, in our coordinate z,
which the peers are given; times are of the compiled code.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optimistix as optx
from jax import Array
from scipy.optimize import least_squares

import jaxlaws as jl
from benchmarks.designs import constants_of, inputs_of
from benchmarks.record import Goal, Section
from jaxlaws._risk import Problem, build, residuals

LAWS = ("power_const", "chinchilla", "muennighoff", "d_cpt", "flp_m_loss(9)")
EACH, STARTS, REPEATS = 20, 8, 2
RUNS = (16, 2000)
NOISE = 0.01
STEPS = 256  # of a peer's minimisation
SAME = 1e-6  # relative: two objectives this close are the same minimum
GOAL = 4.0


def simulated(name: str, count: int, rng: np.random.Generator) -> list[jl.Runs]:
    """Tables of a law's runs with noise, their lengths log-uniform."""
    law, made = jl.laws.find(name), []
    for length in np.exp(rng.uniform(*np.log(RUNS), count)).astype(int):
        if name == "flp_m_loss(9)":  # the law of twelve parameters; the design has a smaller one
            inputs = dict(C=np.exp(rng.uniform(*np.log([1e17, 1e22]), (length, 9))))
            truth = dict(E=1.5, A=1e3, a=0.15, k=np.geomspace(0.05, 0.5, 8))
        else:
            many = inputs_of(name, RUNS[1])
            some = rng.choice(RUNS[1], length, replace=False)
            inputs = {k: v[some] for k, v in many.items()}
            truth = next(iter(constants_of(name).values()))
        exact = np.asarray(law(**inputs, **truth))
        made.append(
            jl.Runs.from_arrays(exact * np.exp(NOISE * rng.standard_normal(length)), **inputs)
        )
    return made


def misfit(problem: Problem) -> Callable[[Array, Any], Array]:
    """A function z (p,), one table -> (n,): its weighted residuals."""

    def at(z: Array, table: Any) -> Array:
        inputs, target, weight, frame = table
        params = problem.layout.to_params(z, frame)
        r = residuals(problem.law, problem.space, params, inputs, target)
        return jnp.where(weight > 0, jnp.sqrt(weight) * r, 0.0)

    return at


def bucket(length: int) -> int:
    """The next power of two: a loop over tables compiles once a bucket and law."""
    return 1 << (length - 1).bit_length()


def looped(solver: Callable[[], Any], least: bool) -> Any:
    """Peers of Optimistix: vmapped over the starts of a table, tables one after the other."""
    compiled: dict[tuple[str, int], Callable] = {}

    def run(law: jl.Law, tables: list[jl.Runs]) -> np.ndarray:
        best = []
        for table in tables:
            padded = table.checked(law).padded(bucket(len(table)))
            problem = build(law, (padded,), jl.Squared(), law.target.space, "float64")
            key = (law.name, len(padded))
            if key not in compiled:
                at = misfit(problem)
                compiled[key] = jax.jit(jax.vmap(partial(_one, at, solver(), least), (0, None)))
            shared = jax.tree.map(lambda leaf: jnp.asarray(leaf)[0], problem.shared)
            own = (shared.inputs, jnp.asarray(problem.target[0]), jnp.asarray(problem.weight[0]))
            values = compiled[key](jnp.asarray(starts(problem)), (*own, shared.frame))
            best.append(np.nanmin(np.asarray(values)))
        return np.array(best)

    return run


def _one(at: Callable, solver: Any, least: bool, z: Array, table: Any) -> Array:
    """Objective () at the end of one start z (p,)."""
    if least:
        found = optx.least_squares(at, solver, z, args=table, max_steps=STEPS, throw=False)
    else:
        total = lambda z, table: jnp.sum(at(z, table) ** 2)  # noqa: E731
        found = optx.minimise(total, solver, z, args=table, max_steps=STEPS, throw=False)
    return jnp.sum(at(found.value, table) ** 2)


def vmapped(solver: Callable[[], Any], least: bool) -> Any:
    """Peers of Optimistix: vmapped over all tables of a law, padded to the longest, and starts."""
    compiled: dict[str, Callable] = {}

    def run(law: jl.Law, tables: list[jl.Runs]) -> np.ndarray:
        longest = max(len(t) for t in tables)
        padded = tuple(t.checked(law).padded(longest) for t in tables)
        problem = build(law, padded, jl.Squared(), law.target.space, "float64")
        if law.name not in compiled:
            at = misfit(problem)
            inner = jax.vmap(partial(_one, at, solver(), least), (0, None))
            compiled[law.name] = jax.jit(jax.vmap(inner, (None, 0)))
        shared = problem.shared
        own = (shared.inputs, jnp.asarray(problem.target), jnp.asarray(problem.weight))
        values = compiled[law.name](jnp.asarray(starts(problem)), (*own, shared.frame))
        return np.nanmin(np.asarray(values), axis=1)

    return run


def scipy_looped() -> Any:
    """scipy.optimize.least_squares, a start and a table after the other, with exact Jacobians."""
    compiled: dict[str, tuple[Callable, Callable]] = {}

    def run(law: jl.Law, tables: list[jl.Runs]) -> np.ndarray:
        best = []
        for table in tables:
            padded = table.checked(law).padded(bucket(len(table)))
            problem = build(law, (padded,), jl.Squared(), law.target.space, "float64")
            if law.name not in compiled:
                at = misfit(problem)
                compiled[law.name] = _numpy(at), _numpy(jax.jacfwd(at))
            at, slopes = compiled[law.name]
            shared = jax.tree.map(lambda leaf: jnp.asarray(leaf)[0], problem.shared)
            own = (shared.inputs, jnp.asarray(problem.target[0]), jnp.asarray(problem.weight[0]))
            args = ((*own, shared.frame),)
            costs = []
            for z in starts(problem):
                try:
                    found = least_squares(
                        at,
                        z,
                        jac=slopes,
                        args=args,
                        max_nfev=STEPS,
                        xtol=1e-10,
                        ftol=1e-10,
                        gtol=1e-12,
                    )
                    costs.append(2 * found.cost)
                except ValueError:  # a start without a finite residual
                    costs.append(np.nan)
            best.append(np.nanmin(costs))
        return np.array(best)

    return run


def _numpy(fn: Callable) -> Callable:
    """A compiled function whose answer SciPy may write to."""
    fast = jax.jit(fn)
    return lambda z, table: np.array(fast(z, table))


def ours(law: jl.Law, tables: list[jl.Runs]) -> np.ndarray:
    """The public call: one fit of the stack."""
    fits = jl.fit(law, jl.Runs.stack(tables), objective=jl.Squared(), starts=STARTS)
    return np.array([fit.value for fit in fits])


def starts(problem: Problem) -> np.ndarray:
    """(start, p) as `fit` takes them."""
    return np.asarray(problem.layout.alive(problem.layout.random_starts(0, STARTS)))


CONTENDERS: dict[str, Any] = {
    "jaxlaws, one call a law": ours,
    "optimistix LM, looped": looped(
        lambda: optx.LevenbergMarquardt(rtol=1e-8, atol=1e-10), least=True
    ),
    "optimistix BFGS, looped": looped(lambda: optx.BFGS(rtol=1e-8, atol=1e-10), least=False),
    "optimistix LM, vmapped": vmapped(
        lambda: optx.LevenbergMarquardt(rtol=1e-8, atol=1e-10), least=True
    ),
    "scipy least_squares, looped": scipy_looped(),
}


def measure(smoke: bool = False) -> Section:
    """The table of tables."""
    each, repeats = (2, 1) if smoke else (EACH, REPEATS)
    laws = LAWS[:2] if smoke else LAWS
    rng = np.random.default_rng(0)
    made = {jl.laws.find(name): simulated(name, each, rng) for name in laws}
    names = list(CONTENDERS)[:2] if smoke else list(CONTENDERS)
    cold, warm, value = {}, dict.fromkeys(names, np.inf), {}
    with jax.enable_x64(True):
        for number in range(repeats + 1):
            for name in names:
                begin = time.perf_counter()
                value[name] = np.concatenate([CONTENDERS[name](law, t) for law, t in made.items()])
                seconds = time.perf_counter() - begin
                if number == 0:
                    cold[name] = seconds
                else:
                    warm[name] = min(warm[name], seconds)
    lowest = np.nanmin(np.stack(list(value.values())), axis=0)
    own = names[0]
    rows = [
        {
            "contender": name,
            "warm, s": warm[name],
            "to ours": warm[name] / warm[own],
            "cold, s": cold[name],
            "tables at the lowest minimum": f"{np.mean(value[name] <= lowest * (1 + SAME)):.0%}",
        }
        for name in names
    ]
    best = min(rows[1:], key=lambda row: row["warm, s"])
    goals = [
        Goal(
            f"at least {GOAL:g}x faster than the best peer",
            f"{best['to ours']:.1f}x ({best['contender']})",
            best["to ours"] >= GOAL,
        )
    ]
    count = each * len(laws)
    return Section(title=f"{count} tables at once", text=TEXT, rows=rows, goals=goals)


TEXT = f"""\
{EACH} tables each of {", ".join(LAWS)} (3, 5, 7, 9 and 12 parameters), simulated with
{NOISE:.0%} noise, lengths log-uniform in {RUNS[0]} to {RUNS[1]} runs; least squares of the
logarithm from {STARTS} starts, the same for all, in the same coordinate. Ours is one
`fit(law, Runs.stack(tables))` a law. `looped` takes one table after the other, padded to the next
power of two so that few shapes are compiled, its starts under vmap; `vmapped` takes all tables of a
law at once, padded to the longest. Warm: the fastest of {REPEATS} rounds in turn."""
