"""Many minimisations through a fixed number of lanes, in one compiled loop.

A vmapped while-loop runs until its slowest member. Here a lane that has finished hands in its
result and takes the next task, inside the loop, so that a straggler costs one lane and not all of
them, and so that one compiled program serves a fit from many starts, a bootstrap and a profile.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P

from jaxlaws._solver._newton import advance, begin

Objective = Callable[[Array, Array, Any, Any], Array]  # (z (p,), widen (), shared, row) -> value ()


class Tasks(NamedTuple):
    """What to minimise: one entry per task t.

    start (t, p), row (t,) index into the table of per-resample data, widen (t,) factor by which the
    objective is widened at the start of the annealing (1 for none), lower and upper (t, p).
    """

    start: Array
    row: Array
    widen: Array
    lower: Array
    upper: Array


class Solution(NamedTuple):
    """The end of every task, leading axis (t,).

    z (t, p), value (t,), decrement (t,) the relative gain Newton still expects (its scale-free
    gradient), condition (t,) ratio of the Hessian's pivots, steps (t,), status (t,).
    """

    z: Array
    value: Array
    decrement: Array
    condition: Array
    steps: Array
    status: Array


@partial(jax.jit, static_argnames=("objective", "lanes", "max_steps"))
def solve(
    objective: Objective,
    tasks: Tasks,
    count: Array,
    shared: Any,
    table: Any,
    *,
    lanes: int,
    max_steps: int,
) -> Solution:
    """Minimise ``objective(z, widen, shared, row)`` for the first ``count`` tasks.

    Args:
        objective: Scalar, twice differentiable in z almost everywhere, of order one.
        tasks: Starts, rows and bounds; entries from ``count`` on are padding.
        count: () number of tasks that count; traced, so that padding costs no compilation.
        shared: Pytree handed to every evaluation.
        table: Pytree with a leading axis of rows; a task sees its own row.
        lanes: Tasks in work at one time.
        max_steps: Steps after which a task is given up.
    """
    total = len(tasks.start)
    dtype = tasks.start.dtype
    ids = jnp.arange(lanes, dtype=jnp.int32)
    out = Solution(
        z=tasks.start,
        value=jnp.full(total, jnp.inf, dtype),
        decrement=jnp.full(total, jnp.inf, dtype),
        condition=jnp.full(total, jnp.inf, dtype),
        steps=jnp.zeros(total, jnp.int32),
        status=jnp.full(total, -1, jnp.int32),
    )

    def evaluate(z: Array, wide: Array, row: Array) -> tuple[Array, Array, Array]:
        here = jax.tree.map(lambda leaf: leaf[row], table)

        def slope(z: Array) -> tuple[Array, tuple[Array, Array]]:
            value, grad = jax.value_and_grad(objective)(z, wide, shared, here)
            return grad, (value, grad)

        hess, (value, grad) = jax.jacfwd(slope, has_aux=True)(z)  # one pass for all three
        return value, grad, hess

    def body(carry: Any) -> Any:
        lane, trial, task, following, result = carry
        row, lower, upper = tasks.row[task], tasks.lower[task], tasks.upper[task]
        value, grad, hess = jax.vmap(evaluate)(trial, lane.widen, row)
        lane, trial, verdict = jax.vmap(partial(advance, max_steps=max_steps))(
            lane, trial, value, grad, hess, lower, upper
        )
        done = verdict.done & (task < count)
        # A lane given up while still annealed has a value of another objective: no value at all.
        value = jnp.where(lane.widen > 1, jnp.inf, lane.value)
        slot = jnp.where(done, task, total)  # out of range where the lane is still at work: dropped
        result = Solution(
            z=result.z.at[slot].set(lane.z, mode="drop"),
            value=result.value.at[slot].set(value, mode="drop"),
            decrement=result.decrement.at[slot].set(verdict.decrement, mode="drop"),
            condition=result.condition.at[slot].set(verdict.condition, mode="drop"),
            steps=result.steps.at[slot].set(lane.steps, mode="drop"),
            status=result.status.at[slot].set(verdict.status, mode="drop"),
        )
        rank = jnp.cumsum(done.astype(jnp.int32))
        task = jnp.where(done, jnp.minimum(following + rank - 1, count), task)
        following = following + rank[-1]
        started = jax.vmap(begin)(tasks.start[task], tasks.widen[task])
        lane = jax.tree.map(lambda new, old: _where(done, new, old), started, lane)
        trial = _where(done, tasks.start[task], trial)
        return lane, trial, task, following, result

    first = jnp.minimum(ids, count)
    lane = jax.vmap(begin)(tasks.start[first], tasks.widen[first])
    carry = (lane, tasks.start[first], first, jnp.asarray(lanes, jnp.int32), out)
    return jax.lax.while_loop(lambda c: (c[2] < count).any(), body, carry)[4]


@partial(jax.jit, static_argnames=("mesh", "objective", "lanes", "max_steps"))
def solve_on(
    mesh: Mesh,
    objective: Objective,
    tasks: Tasks,
    count: Array,
    shared: Any,
    table: Any,
    *,
    lanes: int,
    max_steps: int,
) -> Solution:
    """`solve` on every device of a mesh at once, each with its own queue; none waits for another.

    Args:
        mesh: Devices along the axis "task".
        objective: As for `solve`, like all that follows.
        tasks: Leading axis (device x t,); rows are counted within a device's own table.
        count: (device,) number of tasks that count on each device.
        shared: The same on all devices.
        table: Leading axis (device x row,).
        lanes: Tasks in work at one time on each device.
        max_steps: Steps after which a task is given up.
    """
    own = P("task")

    def each(tasks: Tasks, count: Array, shared: Any, table: Any) -> Solution:
        return solve(objective, tasks, count[0], shared, table, lanes=lanes, max_steps=max_steps)

    spread = jax.shard_map(
        each, mesh=mesh, in_specs=(own, own, P(), own), out_specs=own, check_vma=False
    )
    found: Solution = spread(tasks, count, shared, table)
    return found


def _where(mask: Array, new: Array, old: Array) -> Array:
    return jnp.where(mask.reshape(mask.shape + (1,) * (new.ndim - 1)), new, old)
