"""How far refits are from what this machine could do: law evaluations counted, and their price.

The floor of a bootstrap is the evaluations of the law that a second-order method needs, times the
price of the exponentials and logarithms in one, on all cores. Derivatives and the solver's own
arithmetic are no part of it; a second floor adds the derivatives, written by hand for this law.
"""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from scipy.optimize import minimize

import jaxlaws as jl
from benchmarks.clock import cores
from benchmarks.record import Goal, Section
from jaxlaws._fit import Fit
from jaxlaws._risk import Row, objective_of
from jaxlaws._risk import minimise as solve

DRAWS, SAMPLE, REPEATS = 4000, 100, 7
REACHED = 1e-9  # relative: an evaluation this close to the minimum is the last one needed
LANES = 32  # of the bare loops: 32 x 240 numbers stay in a core's cache
LOOPS = 200  # evaluations in one call of a bare loop
GOAL = 5.0
LIBRARIES = {
    "JIT": "compiled code",
    "libjax": "XLA's runtime: its kernels of products and sums, and its scheduler",
    "kernel": "the system: page faults, switches",
    "libm": "scalar exponentials and logarithms",
    "libc": "copies, memory",
}
OTHERS = ("trust-exact", "trust-krylov", "dogleg", "Newton-CG")


def counts(fit: Fit, draws: int, sample: int) -> dict[str, float]:
    """Evaluations: of a whole bootstrap, and a refit's, ours and the fewest of any method.

    An evaluation is value, gradient and Hessian at one point. All of a bootstrap has the restarts
    of its probe. A refit's are means over the first resamples: ours until it says that it
    converged, the others' until they first stand within `REACHED` of the lowest value.
    """
    every = []

    def counted(*values: Any, **settings: Any) -> Any:
        every.append(solve(*values, **settings))
        return every[-1]

    with mock.patch("jaxlaws._refit.minimise", counted):
        boot = jl.bootstrap(fit, draws=draws)
    with jax.enable_x64(True):
        weight = np.asarray(jl.Pairs().draw(jax.random.key(0), np.arange(sample), fit.sample)[0])
    alone = solve(
        fit.problem,
        fit.solver,
        np.tile(fit.minima[0], (sample, 1)),
        np.arange(sample),
        lambda ids: (weight[ids], None, np.zeros(len(ids), int)),
    )
    best = np.asarray(boot.solution.value[:sample])
    needed = alone.steps.astype(float)
    for i in range(sample):
        for method in OTHERS:
            needed[i] = min(needed[i], evaluations(fit, weight[i], method, best[i]))
    return dict(
        all=float(sum(part.steps.sum() for part in every)),
        ours=float(alone.steps.mean()),
        needed=float(needed.mean()),
    )


def evaluations(fit: Fit, weight: np.ndarray, method: str, best: float) -> float:
    """Points that a method of SciPy visits until it stands at the minimum; inf if it never does."""
    problem, seen = fit.problem, [np.inf]
    visited: dict[bytes, tuple[float, np.ndarray, np.ndarray]] = {}

    def at(z: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        if z.tobytes() not in visited:
            row = Row(jnp.asarray(weight), jnp.asarray(problem.target[0]), jnp.zeros((), jnp.int32))
            found = second_order(objective_of(problem.law, problem.space), z, problem.shared, row)
            visited[z.tobytes()] = tuple(np.asarray(v) for v in found)
            seen.append(float(found[0]))
        return visited[z.tobytes()]

    try:
        minimize(
            lambda z: float(at(z)[0]),
            fit.minima[0],
            jac=lambda z: at(z)[1],
            hess=lambda z: at(z)[2],
            method=method,
            options=dict(maxiter=100),
        )
    except (ValueError, np.linalg.LinAlgError):  # dogleg, where the Hessian is indefinite
        pass
    close = np.flatnonzero(np.array(seen) <= best * (1 + REACHED))
    return float(close[0]) if len(close) else np.inf


@partial(jax.jit, static_argnums=0)
def second_order(risk: Callable, z: Array, shared: object, row: Row) -> tuple[Array, Array, Array]:
    """Value (), gradient (p,) and Hessian (p, p) of the risk at z (p,)."""
    at = partial(risk, widen=jnp.ones(()), shared=shared, row=row)
    return at(z), jax.grad(at)(z), jax.hessian(at)(z)


def transcendental(a: Array, b: Array, e: Array) -> Array:
    """(run,) the law from its exponents (lane, run): two exponentials and a logarithm each.

    Summed over lanes, which leaves the loop over runs free to be vectorised.
    """
    return jnp.log(e + jnp.exp(a) + jnp.exp(b)).sum(axis=0)


def by_hand(a: Array, b: Array, e: Array) -> Array:
    """(run,) the same with residual, Huber's score, gradient and Hessian, 21 sums, by hand."""
    A, B = jnp.exp(a), jnp.exp(b)
    whole = e + A + B
    r, share = jnp.log(whole) - 1.0, 1 / whole
    inside = jnp.abs(r) <= 0.3
    slope, bend = jnp.where(inside, r, 0.3 * jnp.sign(r)), jnp.where(inside, 1.0, 0.0)
    parts = [A * share, B * share, e * share, A * share * a, B * share * b]
    same = {(i, j) for i in range(5) for j in range(i + 1) if i == j or (i, j) in {(3, 0), (4, 1)}}
    total = jnp.abs(r) + sum(slope * d for d in parts)
    for i in range(5):
        for j in range(i + 1):
            term = (bend - slope) * parts[i] * parts[j]
            total += term + slope * parts[i] if (i, j) in same else term
    return total.sum(axis=0)


def autodiff(fit: Fit) -> Callable[[Array, Array, Array], Array]:
    """Our own evaluation, value, gradient and Hessian by autodiff, shaped like `by_hand`."""
    problem = fit.problem
    risk, z = objective_of(problem.law, problem.space), jnp.asarray(fit.minima[0])
    target = jnp.asarray(problem.target[0])

    def one(weight: Array, nudge: Array) -> Array:
        row = Row(weight, target, jnp.zeros((), jnp.int32))
        at = partial(risk, widen=jnp.ones(()), shared=problem.shared, row=row)

        def slope(z: Array) -> tuple[Array, tuple[Array, Array]]:
            value, grad = jax.value_and_grad(at)(z)
            return grad, (value, grad)

        hess, (value, grad) = jax.jacfwd(slope, has_aux=True)(z + nudge)
        return value + grad.sum() + hess.sum()

    def body(a: Array, b: Array, e: Array) -> Array:
        # The weights are any positive numbers; one sum a lane hangs on the loop's total.
        found = jax.vmap(one, (0, None))(-a, 1e-9 * (e[0, 0] - 1.8))
        return jnp.broadcast_to(found.sum(), a.shape[1:])

    return body


def price(body: Callable[[Array, Array, Array], Array], runs: int) -> float:
    """Nanoseconds of one run's evaluation with all cores at work, each on its own thread."""

    @jax.jit
    def loop(a: Array, b: Array) -> Array:
        def once(_: int, total: Array) -> Array:
            # Hangs on the sum so far, so that no evaluation is moved out of the loop.
            return total + body(a, b, 1.8 + 1e-30 * total[None, :])

        return jax.lax.fori_loop(0, LOOPS, once, jnp.zeros(runs))

    with jax.enable_x64(True):
        a, b = -jnp.asarray(np.random.default_rng(0).random((2, LANES, runs)))
    call = lambda: loop(a, b).block_until_ready()  # noqa: E731
    call()
    seconds = []
    with ThreadPoolExecutor(len(cores())) as pool:
        for _ in range(4 * REPEATS):
            begin = time.perf_counter()
            for job in [pool.submit(call) for _ in cores()]:
                job.result()
            seconds.append(time.perf_counter() - begin)
    return min(seconds) * 1e9 / (LOOPS * LANES * runs * len(cores()))


def profile(job: Callable[[], Any], calls: int) -> list[dict[str, Any]]:
    """Shares of the processor's time by library, from Linux's perf; nothing where it is missing."""
    if not shutil.which("perf"):
        return []
    with tempfile.TemporaryDirectory() as folder:
        data = f"{folder}/perf.data"
        words = ["perf", "record", "-q", "-F", "999", "-o", data, "-p", str(os.getpid())]
        recorder = subprocess.Popen(words, stderr=subprocess.DEVNULL)
        time.sleep(1)  # it attaches to every thread
        for _ in range(calls):
            job()
        recorder.send_signal(signal.SIGINT)
        recorder.wait()
        words = ["perf", "report", "-i", data, "--no-children", "--sort", "dso"]
        said = subprocess.run(words, capture_output=True, text=True, check=False).stdout
    found: dict[str, float] = {}
    for line in said.splitlines():
        if line.strip() and not line.startswith("#"):
            share, library = line.split(maxsplit=1)
            name = next((v for k, v in LIBRARIES.items() if k in library), "all other libraries")
            found[name] = found.get(name, 0.0) + float(share.rstrip("%"))
    return [{"what": f"profile, %: {name}", "value": share} for name, share in found.items()]


def measure(smoke: bool = False) -> Section:
    """The table of the floor."""
    draws, sample, repeats = (20, 3, 1) if smoke else (DRAWS, SAMPLE, REPEATS)
    fit = jl.fit(jl.laws.chinchilla, jl.datasets.runs("chinchilla_epoch"))
    found = counts(fit, draws, sample)
    runs = len(fit.runs)
    seconds = []
    for _ in range(repeats):
        begin = time.perf_counter()
        jl.bootstrap(fit, draws=draws)
        seconds.append(time.perf_counter() - begin)
    bodies = dict(transcendental=transcendental, by_hand=by_hand, autodiff=autodiff(fit))
    each = {name: price(body, runs) for name, body in bodies.items()}
    floor = {k: draws * found["needed"] * runs * ns * 1e-9 for k, ns in each.items()}
    own = found["all"] * runs * each["autodiff"] * 1e-9
    rows = [
        {"what": f"refits ({draws}), s", "value": min(seconds)},
        {"what": "evaluations a refit, ours", "value": found["ours"]},
        {"what": "evaluations a refit, fewest of any method", "value": found["needed"]},
        {"what": "ns a run: 2 exp, 1 log", "value": each["transcendental"]},
        {
            "what": "ns a run: the same with score, gradient and Hessian by hand",
            "value": each["by_hand"],
        },
        {"what": "floor of exponentials and logarithms, s", "value": floor["transcendental"]},
        {"what": "floor with derivatives by hand, s", "value": floor["by_hand"]},
        {"what": "evaluations of the whole bootstrap, ours", "value": found["all"]},
        {"what": "ns a run: our evaluation, by autodiff", "value": each["autodiff"]},
        {"what": "of the refits: evaluations at that price, s", "value": own},
        {"what": "of the refits: all else, s", "value": min(seconds) - own},
        *profile(lambda: jl.bootstrap(fit, draws=draws), repeats),
        {"what": "refits / floor", "value": min(seconds) / floor["transcendental"]},
        {"what": "refits / floor with derivatives", "value": min(seconds) / floor["by_hand"]},
    ]
    ratio = min(seconds) / floor["transcendental"]
    goals = [Goal(f"refits / floor at most {GOAL:g}", f"{ratio:.1f}", ratio <= GOAL)]
    return Section(title="The floor", text=TEXT, rows=rows, goals=goals)


TEXT = f"""\
An evaluation is value, gradient and Hessian at one point. `fewest of any method`: for each of
{SAMPLE} resamples the fewest of ours and SciPy's {", ".join(OTHERS)}, all with the exact Hessian
and from the minimum of the points as they are, until within 1e-9 of the lowest value. The price of
a run is that of bare fused loops over {LANES} x 240 numbers in float64, compiled by XLA and run on
every core at once, the fastest of {4 * REPEATS}. The floor is refits x evaluations x runs x
price: it leaves out derivatives, sums, the solver's own algebra, drawing the resamples and the
restarts of the probe. `all else` is what a whole bootstrap takes beyond its evaluations: steps,
the queue of lanes, lanes that wait for the last, drawing the resamples."""
