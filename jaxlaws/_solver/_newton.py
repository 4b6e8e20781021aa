"""Damped Newton with an annealed objective, for one lane: judge a trial point, propose the next.

Scalar code throughout; `_queue` runs many lanes side by side with vmap. The exact Hessian is used
everywhere. Where it is not positive definite its pivots are made positive, and a damping that
follows the curvature along the last step keeps the step inside the region where the quadratic
model was right. A start far from the data sees a widened objective first (nearly least squares),
which is narrowed by stages: an objective like Huber(1e-3) is close to a sum of absolute values and
its corners trap a step that comes from far away.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

TINY_PIVOT = 1e-13  # relative to the largest diagonal entry; below it a direction is not identified
LONGEST_STEP = 1.5  # in z, where one unit is one standard deviation of the typical range
NARROW = 0.1  # each stage of the annealing narrows the objective by this factor
LOOSE = 1e-3  # a widened stage ends when Newton expects to gain less than this share
PATIENCE = 15  # steps without gain before a lane is called stalled
FLOOR = 1e-6  # values below this share of the null objective count as an exact fit
SETTLED = 1e-10  # a coordinate whose slope and curvature are below this share of the value is done
FADING = 1e-3  # a term that fades away exponentially below this share of the value is let go
LEAP = 6.0  # how far a fading term's logarithm is moved in one step
UNROLLED = 24  # up to this size a system is solved entry by entry: faster, but slow to compile

CONVERGED, STALLED, OUT_OF_STEPS, NOT_FINITE = 0, 1, 2, 3


class Lane(NamedTuple):
    """What the next step of one lane needs: the best point so far and its derivatives.

    z (p,), value (), grad (p,), hess (p, p), damping (), predicted () decrease of the trial,
    steps (), stalled () steps without gain, widen () factor of the annealing, fresh () true where
    nothing has been judged yet at this width, detour () true where the trial goes on from a refused
    one, curvature () of the model along the last step.
    """

    z: Array
    value: Array
    grad: Array
    hess: Array
    damping: Array
    predicted: Array
    steps: Array
    stalled: Array
    widen: Array
    fresh: Array
    detour: Array
    curvature: Array


class Verdict(NamedTuple):
    """How a lane stands after a step.

    done (), status (), decrement () the relative gain Newton still expects, condition () ratio of
    the largest to the smallest pivot of the Hessian.
    """

    done: Array
    status: Array
    decrement: Array
    condition: Array


def begin(z: Array, widen: Array) -> Lane:
    """A lane that has judged nothing yet; its first trial is its start z (p,)."""
    p, dtype = z.shape[-1], z.dtype
    zero = jnp.zeros((), dtype)
    return Lane(
        z=z,
        value=jnp.full((), jnp.inf, dtype),
        grad=jnp.zeros(p, dtype),
        hess=jnp.eye(p, dtype=dtype),
        damping=jnp.where(widen > 1, 1e-2, zero).astype(dtype),
        predicted=zero,
        steps=jnp.zeros((), jnp.int32),
        stalled=jnp.zeros((), jnp.int32),
        widen=widen.astype(dtype),
        fresh=jnp.ones((), bool),
        detour=jnp.zeros((), bool),
        curvature=jnp.ones((), dtype),
    )


def advance(
    lane: Lane,
    trial: Array,
    value: Array,
    grad: Array,
    hess: Array,
    lower: Array,
    upper: Array,
    max_steps: int,
) -> tuple[Lane, Array, Verdict]:
    """Judge a trial point and propose the next one.

    Args:
        lane: The lane before the trial.
        trial: (p,) the point that was evaluated.
        value: () objective there; grad (p,); hess (p, p).
        grad: (p,) gradient there.
        hess: (p, p) Hessian there.
        lower: (p,) lower bounds; equal bounds pin a coordinate.
        upper: (p,) upper bounds.
        max_steps: Steps after which a lane is given up.

    Returns:
        The lane, the next trial (p,), and the verdict.
    """
    eps = jnp.finfo(value.dtype).eps
    tiny = jnp.finfo(value.dtype).tiny
    tolerance = jnp.maximum(1e-13, 32 * eps) if value.dtype == jnp.float32 else 1e-13
    p = trial.shape[0]
    eye = jnp.eye(p, dtype=hess.dtype)

    finite = jnp.isfinite(value) & jnp.isfinite(grad).all() & jnp.isfinite(hess).all()
    gained = lane.value - value
    ratio = gained / jnp.maximum(lane.predicted, tiny)
    # Next to the minimum a true gain drowns in rounding; a harmless exchange is then accepted.
    rounding = (jnp.abs(gained) <= 32 * eps * lane.value) & (
        lane.predicted <= 1e4 * eps * lane.value
    )
    accept = finite & (lane.fresh | (gained >= 1e-4 * lane.predicted) | rounding)
    # A step along a bent valley ends on its wall. Before it is refused, Newton goes on from there
    # once: where that comes back to the floor further down, both steps are taken.
    detour = finite & ~accept & ~lane.detour
    better = jnp.where(
        ratio > 0.75,
        lane.damping * 0.2,
        jnp.where(ratio < 0.25, jnp.maximum(lane.damping * 2, lane.curvature / 2), lane.damping),
    )
    worse = jnp.maximum(lane.damping * 4, lane.curvature * 2)
    damping = jnp.where(lane.fresh | detour, lane.damping, jnp.where(accept, better, worse))
    damping = jnp.where(damping < 1e-12, 0.0, damping)
    progress = accept & (gained > jnp.maximum(1e-9, 32 * eps) * lane.value)
    stalled = jnp.where(lane.fresh | progress, 0, jnp.where(detour, lane.stalled, lane.stalled + 1))

    kept = lane._replace(
        z=jnp.where(accept, trial, lane.z),
        value=jnp.where(accept, value, lane.value),
        grad=jnp.where(accept, grad, lane.grad),
        hess=jnp.where(accept, hess, lane.hess),
    )
    z = jnp.where(detour, trial, kept.z)  # from here the next step is taken
    value = jnp.where(detour, value, kept.value)
    grad = jnp.where(detour, grad, kept.grad)
    hess = jnp.where(detour, hess, kept.hess)

    bend, size = jnp.diagonal(hess), value + FLOOR
    settled = (jnp.abs(grad) <= SETTLED * size) & (jnp.abs(bend) <= SETTLED * size)
    settled &= ~((grad < 0) & (bend < 0))  # a dead term that would grow is no end
    outward = ((z <= lower) & (grad >= 0)) | ((z >= upper) & (grad <= 0))
    free = ~(outward | settled)
    free_grad = jnp.where(free, grad, 0.0)
    free_hess = jnp.where(free[:, None] & free[None, :], hess, eye)
    # The exact and the damped system are factored together: half the code to compile.
    systems = jnp.stack([free_hess, free_hess + damping * eye])
    factors, pivots, smallest = jax.vmap(factor)(systems)
    exact, step = -jax.vmap(backsolve, in_axes=(0, 0, None))(factors, pivots, free_grad)
    decrement = -0.5 * jnp.dot(free_grad, exact)
    # Directions that nothing identifies have pivots of zero up to rounding, of either sign.
    convex = smallest[0] > -jnp.maximum(1e-11, 16 * eps) * jnp.max(jnp.abs(bend))

    longest = jnp.max(jnp.abs(step))
    step = step * jnp.minimum(1.0, LONGEST_STEP / jnp.maximum(longest, tiny))
    # Where the objective is c + k exp(z) Newton's step is -1 for ever; the rest is worth k exp(z).
    fading = free & (lane.widen <= 1) & (jnp.abs(grad) <= FADING * size)
    fading &= jnp.abs(bend - jnp.abs(grad)) <= 0.2 * jnp.abs(grad)
    step = jnp.where(fading, -LEAP * jnp.sign(grad), step)
    ahead = jnp.clip(z + step, lower, upper)
    step = ahead - z
    slope = -jnp.dot(free_grad, step)
    predicted = slope - 0.5 * jnp.dot(step, free_hess @ step)
    predicted = jnp.where(predicted > 0, predicted, 0.5 * slope)

    loose = (convex & (decrement <= LOOSE * value)) | (stalled >= PATIENCE // 2)
    narrow = (lane.widen > 1) & loose & ~detour
    steps = lane.steps + 1
    failed = ~finite & jnp.isinf(lane.value)
    converged = convex & (decrement <= tolerance * (value + FLOOR)) & (lane.widen <= 1) & ~detour
    stuck = (stalled >= PATIENCE) & (lane.widen <= 1)
    status = jnp.where(
        failed,
        NOT_FINITE,
        jnp.where(converged, CONVERGED, jnp.where(stuck, STALLED, OUT_OF_STEPS)),
    )
    verdict = Verdict(
        done=failed | converged | stuck | (steps >= max_steps),
        status=status.astype(jnp.int32),
        decrement=decrement / (value + FLOOR),
        condition=jnp.max(pivots[0]) / jnp.min(pivots[0]),
    )
    after = kept._replace(
        damping=damping,
        predicted=jnp.where(detour, lane.predicted, predicted),
        steps=steps,
        stalled=jnp.where(narrow, 0, stalled),
        widen=jnp.where(narrow, jnp.maximum(lane.widen * NARROW, 1.0), lane.widen),
        fresh=narrow,
        detour=detour,
        curvature=jnp.where(detour, lane.curvature, slope / jnp.maximum(jnp.dot(step, step), tiny)),
    )
    return after, jnp.where(narrow, z, ahead), verdict


def factor(matrix: Array) -> tuple[Array, Array, Array]:
    """Factor a symmetric matrix as L diag(d) L^T with pivots made positive.

    Negative pivots are replaced by their absolute value, so that the step still descends where the
    objective is not convex; tiny ones are raised to ``TINY_PIVOT`` of the largest diagonal entry.

    Args:
        matrix: (p, p), symmetric.

    Returns:
        L (p, p) unit lower triangular, d (p,) positive, and the smallest original pivot ().
    """
    p = matrix.shape[0]
    floor = TINY_PIVOT * jnp.max(jnp.abs(jnp.diagonal(matrix))) + jnp.finfo(matrix.dtype).tiny
    rows = jnp.arange(p)

    def eliminate(j: int | Array, state: tuple[Array, Array]) -> tuple[Array, Array]:
        lower, rest = state
        pivot = jnp.maximum(jnp.abs(rest[j, j]), floor)
        column = jnp.where(rows > j, rest[:, j] / pivot, 0.0)
        return lower.at[:, j].add(column), rest - pivot * column[:, None] * column[None, :]

    state = jnp.eye(p, dtype=matrix.dtype), matrix
    if p > UNROLLED:
        state = jax.lax.fori_loop(0, p, eliminate, state)
    else:
        for j in range(p):
            state = eliminate(j, state)
    lower, rest = state
    original = jnp.diagonal(rest)  # later eliminations leave a pivot as it is
    return lower, jnp.maximum(jnp.abs(original), floor), jnp.min(original)


def backsolve(lower: Array, pivots: Array, right: Array) -> Array:
    """Solve L diag(d) L^T x = b; LAPACK's batched triangular solve is slow for tiny p."""
    p = right.shape[0]
    if p > UNROLLED:
        return _backsolve_in_loops(lower, pivots, right)
    forward: list[Array] = []
    for i in range(p):
        known = [lower[i, j] * forward[j] for j in range(i)]
        forward.append(right[i] - sum(known, start=jnp.zeros((), right.dtype)))
    out: list[Array] = [right[0]] * p
    for i in reversed(range(p)):
        known = [lower[j, i] * out[j] for j in range(i + 1, p)]
        out[i] = forward[i] / pivots[i] - sum(known, start=jnp.zeros((), right.dtype))
    return jnp.stack(out)


def _backsolve_in_loops(lower: Array, pivots: Array, right: Array) -> Array:
    p = right.shape[0]
    rows = jnp.arange(p)

    def down(i: Array, x: Array) -> Array:
        return x - jnp.where(rows > i, lower[:, i] * x[i], 0.0)

    def up(k: Array, x: Array) -> Array:
        i = p - 1 - k
        return x - jnp.where(rows < i, lower[i, :] * x[i], 0.0)

    return jax.lax.fori_loop(0, p, up, jax.lax.fori_loop(0, p, down, right) / pivots)
