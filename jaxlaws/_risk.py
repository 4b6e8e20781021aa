"""The risk: a law, an objective and runs as one function of z, and its batched minimisation."""

import os
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from jaxlaws._coordinates import Coordinates, Frame, coordinates
from jaxlaws._law import Law
from jaxlaws._objective import Objective, to_space
from jaxlaws._powers import scalar_in_logs
from jaxlaws._runs import Runs
from jaxlaws._solver import Newton, Solution, Tasks, solve_on

ROWS = 2048  # resamples per compiled call where the runs are few; fits the cache of a core
SCHEDULES = 4  # lanes of a law whose every run holds a whole schedule: 64 would take 26 GB
CELLS = 2**22  # resamples x runs per compiled call at most
CACHED = 2**13  # lanes x runs in work at a time on a core: a step's arrays stay in its cache


class Shared(NamedTuple):
    """What every task of a problem sees; leaves of inputs and frame have a leading data set axis.

    objective, inputs {name: (g, n, ...)}, frame, scale (g,) the objective of the best constant.
    """

    objective: Any
    inputs: Mapping[str, Array]
    frame: Frame
    scale: Array


class Row(NamedTuple):
    """One resample: weight (n,), target (n,) in the space of residuals, data () its data set."""

    weight: Array
    target: Array
    data: Array


@dataclass(frozen=True)
class Problem:
    """Everything a minimisation needs.

    Attributes:
        law: The law.
        layout: The coordinate z.
        space: Space of residuals.
        shared: What every task sees.
        target: (g, n) targets in that space; weight (g, n).
        weight: (g, n) weights.
        dtype: "float64" or "float32".
    """

    law: Law
    layout: Coordinates
    space: str
    shared: Shared
    target: np.ndarray
    weight: np.ndarray
    dtype: str

    @property
    def runs(self) -> int:
        """n, the padded number of runs."""
        return self.target.shape[1]

    def frame(self, data: int = 0) -> Frame:
        """The coordinate's data-dependent part for one data set."""
        return jax.tree.map(lambda leaf: jnp.asarray(np.asarray(leaf)[data]), self.shared.frame)


def residuals(
    law: Law,
    space: str,
    params: Mapping[str, Array],
    inputs: Any,
    target: Array,
    logs: Mapping[str, Array] | None = None,
) -> Array:
    """Predicted minus measured, in the space of residuals.

    Args:
        law: The law.
        space: "log", "natural" or "logit".
        params: Name -> value of one parameter set.
        inputs: Name -> (n,) or (n, k).
        target: (n,) measured values, already in that space.
        logs: Logarithms of inputs, where they are known.

    Returns:
        (n,) residuals.
    """
    scalar = scalar_in_logs(law)
    each = jax.vmap(lambda one, logs: scalar({**one, **params}, logs))
    return to_space(each(inputs, logs or {}), space) - target


@lru_cache(maxsize=512)
def objective_of(law: Law, space: str) -> Callable[..., Array]:
    """The scalar function that the solver minimises.

    There is one object per (law, space), so that jit finds its compiled code again.
    """
    layout = coordinates(law)
    positive = [name for name, v in law.inputs.items() if v.support.name == "positive"]

    def risk(z: Array, widen: Array, shared: Shared, row: Row) -> Array:
        single = shared.scale.shape[0] == 1  # then nothing is gathered, and lanes share the inputs
        pick = (lambda leaf: leaf[0]) if single else (lambda leaf: leaf[row.data])
        frame = jax.tree.map(pick, shared.frame)
        inputs = jax.tree.map(pick, shared.inputs)
        # Taken of all tables before one is picked: then they leave the loop over steps.
        logs = {} if single else {name: pick(jnp.log(shared.inputs[name])) for name in positive}
        params = layout.to_params(z, frame)
        r = residuals(law, space, params, inputs, row.target, logs)
        # Padding and runs left out of a resample must not spoil a lane with 0 * inf.
        r = jnp.where(row.weight > 0, r, 0.0)
        scores = shared.objective.score(r, widen)
        return jnp.sum(row.weight * scores) / pick(shared.scale)

    return risk


def build(
    law: Law, tables: tuple[Runs, ...], objective: Objective, space: str, dtype: str
) -> Problem:
    """The problem of fitting a law to one or several tables of runs of equal length."""
    layout = coordinates(law)
    number = np.dtype(dtype)
    target = np.asarray(_in_space(np.stack([t.target for t in tables]), space))
    weight = np.stack([t.weight for t in tables])
    frames = [layout.frame(t) for t in tables]
    middle = [np.median(y[w > 0]) for y, w in zip(target, weight, strict=True)]
    scale = _null(objective, target - np.stack(middle)[:, None], weight)
    cast = partial(jax.tree.map, lambda leaf: jnp.asarray(np.asarray(leaf), number))
    shared = Shared(
        objective=cast(objective),
        inputs={
            k: jnp.asarray(np.stack([t.inputs[k] for t in tables]), number) for k in law.inputs
        },
        frame=cast(jax.tree.map(lambda *leaves: np.stack(leaves), *frames)),
        scale=jnp.asarray(np.asarray(scale), number),
    )
    return Problem(law, layout, space, shared, target, weight, dtype)


_in_space = jax.jit(to_space, static_argnums=1)


@jax.jit
def _null(objective: Any, residual: Array, weight: Array) -> Array:
    """(g,) the objective of residuals (g, n), summed over runs."""
    return jnp.sum(weight * objective.score(residual), axis=1)


def minimise(
    problem: Problem,
    solver: Newton,
    starts: np.ndarray,
    rows: np.ndarray,
    table: Callable[[np.ndarray], tuple[Any, Any, Any]],
    *,
    widen: np.ndarray | float = 1.0,
    lower: np.ndarray | None = None,
    upper: np.ndarray | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Solution:
    """Minimise the risk for many tasks, in blocks of one compiled shape.

    Args:
        problem: The problem.
        solver: Settings of the solver.
        starts: (t, p) starts.
        rows: (t,) the resample each task minimises; consecutive tasks share blocks.
        table: Resample numbers (r,) -> weight (r, n), target (r, n) or None for the measured one,
            data set (r,).
        widen: (t,) or () annealing factor.
        lower: (t, p) or None for the layout's bounds.
        upper: (t, p) or None.
        progress: Called with (done, total) after every block.

    Returns:
        The solution, leading axis (t,), as numpy arrays.
    """
    total, p = starts.shape
    number = np.dtype(problem.dtype)
    block = max(8, min(ROWS, CELLS // problem.runs))
    most = SCHEDULES if "curve" in problem.law.inputs else 64
    if jax.default_backend() == "cpu":
        most = min(most, max(16, CACHED // problem.runs))
    lanes = solver.lanes or max(1, min(most, block, CELLS // 8 // problem.runs))
    bounds = problem.layout.bounds(problem.dtype)
    widen = np.broadcast_to(np.asarray(widen, float), (total,))
    risk = objective_of(problem.law, problem.space)
    mesh = _mesh()
    apart, everywhere = (NamedSharding(mesh, spec) for spec in (P("task"), P()))
    # Few tasks are shared out to the cores as well, but never so that lanes stay empty.
    share = block
    if mesh.size == 1:
        share = max(min(lanes, block), min(block, -(-total // workers())))

    def pack(begin: int) -> tuple[Tasks, np.ndarray, Row]:
        """The tasks of one block, how many count, and their resamples."""
        part = slice(begin, max(begin + 1, min(begin + share, total)))
        mine = np.arange(part.start, part.stop) % total  # a device without work repeats the first
        unique, index = np.unique(rows[mine], return_inverse=True)
        full = partial(grow, length=block)
        weight, target, data = table(unique)
        if target is None:
            target = problem.target[data]
        sides = [
            np.broadcast_to(side, (len(mine), p)) if given is None else given[mine]
            for side, given in zip(bounds, (lower, upper), strict=True)
        ]
        parts: Any = (np.clip(starts[mine], *sides), index, widen[mine], *sides)
        kinds: Any = (number, np.int32, number, number, number)
        leaves: Any = (full(v).astype(kind) for v, kind in zip(parts, kinds, strict=True))
        count = np.array([max(0, min(share, total - begin))], np.int32)
        found: Any = (weight, target, data)
        kinds = (number, number, np.int32)
        own: Any = (full(np.asarray(v, kind)) for v, kind in zip(found, kinds, strict=True))
        return Tasks(*leaves), count, Row(*own)

    def one(begin: int) -> Solution:
        packed = [pack(begin + i * share) for i in range(mesh.size)]
        together = jax.tree.map(lambda *leaves: np.concatenate(leaves), *packed)
        tasks, count, resamples = jax.device_put(together, apart)
        with jax.transfer_guard("disallow"):
            found = solve_on(
                mesh,
                risk,
                tasks,
                count,
                shared,
                resamples,
                lanes=lanes,
                max_steps=solver.max_steps,
            )
        # Only the last device that has work has less than a block of it.
        most = min(mesh.size * share, total - begin)
        return jax.tree.map(lambda leaf: leaf[:most], jax.device_get(found))

    begins = range(0, total, mesh.size * share)
    out: list[Any] = [None] * len(begins)
    done = 0
    # XLA uses one core well for small programs; blocks on threads use the others.
    with (
        jax.enable_x64(problem.dtype == "float64"),
        ThreadPoolExecutor(workers() if mesh.size == 1 else 1) as pool,
    ):
        shared = jax.device_put(problem.shared, everywhere)
        inside = partial(_with_precision, problem.dtype, one)
        if len(begins) > 1:  # a block without tasks compiles, so that the others need not wait
            pool.submit(inside, total).result()
        jobs = [pool.submit(inside, begin) for begin in begins]
        try:
            for i, job in enumerate(jobs):
                out[i] = job.result()
                done += len(out[i].value)
                if progress:
                    progress(done, total)
        except BaseException:  # Ctrl-C must not wait for the whole queue
            pool.shutdown(cancel_futures=True)
            raise
    return jax.tree.map(lambda *leaves: np.concatenate(leaves), *out)


def _mesh() -> Mesh:
    """The devices that share the tasks: all of this process, or the one that was asked for."""
    chosen = jax.config.jax_default_device
    return Mesh(np.array([chosen] if chosen else jax.local_devices()), ("task",))


def _with_precision(dtype: str, fn: Callable[..., Any], *args: Any) -> Any:
    with jax.enable_x64(dtype == "float64"):  # the setting is per thread
        return fn(*args)


def side_by_side(dtype: str, work: Callable[[Any], Any], items: Iterable[Any]) -> list[Any]:
    """What work gives for each item, on the host, as many at a time as there are workers."""
    device = jax.config.jax_default_device

    def inside(item: Any) -> Any:
        with jax.default_device(device):  # like the precision, a setting of its thread
            return _with_precision(dtype, lambda: jax.device_get(work(item)))

    with ThreadPoolExecutor(workers()) as pool:
        return list(pool.map(inside, items))


def workers() -> int:
    """How many blocks are solved at a time: the cores, where the cores do the work."""
    return max(1, min(4, len(os.sched_getaffinity(0)))) if jax.default_backend() == "cpu" else 1


def grow(values: np.ndarray, length: int) -> np.ndarray:
    """Values with their first entry repeated up to a length: one compiled shape for all blocks."""
    extra = length - len(values)
    if extra == 0:
        return values
    return np.concatenate([values, np.repeat(values[:1], extra, axis=0)])
