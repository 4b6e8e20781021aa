"""NUTS over many data sets and chains in one program, and its diagnostics."""

import difflib
from functools import lru_cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxlaws._density import Known, Model
from jaxlaws._errors import InputError
from jaxlaws._mixture import Mixture
from jaxlaws._risk import grow, side_by_side, workers
from jaxlaws._trajectory import Point, Trajectory, advance, begin

WARMUP = 500  # trajectories of every chain in which its step length and metric are learnt
# Doublings of a trajectory at most, and the acceptance aimed at: a valley that bends needs shorter
# steps than NUTS takes by itself, and the funnel of a population shorter ones still.
ORDINARY = (6, 0.9)
POOLED = (10, 0.95)
LANES = 64  # chains that advance side by side; the others wait for one of them to end
STRIDE = 4  # steps of a trajectory between two looks at which have ended
JUMPS = 8  # offered after every trajectory
TURNS = 64 * 1500  # trajectories of a chain times data sets, of one call of the compiled program
TOLD: tuple[tuple[str, Any], ...] = (  # of every draw, and its type
    ("diverging", bool),
    ("n_steps", int),
    ("acceptance_rate", float),
    ("energy", float),
    ("jumped", bool),
    ("lp", float),
)
APART = np.uint32(2**32 - 1)  # the key of a chain's jumps; no turn and step reach this number
AHEAD = 16  # chains whose jumps are computed at a time


def numpyro() -> Any:
    """The module with NumPyro's adaptation of step length and metric.

    Raises:
        InputError: It is not installed.
    """
    try:
        import numpyro.infer.hmc_util
    except ImportError as error:
        raise InputError(
            'posterior needs NumPyro; install the extra: pip install "jaxlaws[bayes]".'
        ) from error
    return numpyro.infer.hmc_util


def run_chains(
    model: Model,
    starts: np.ndarray,
    root: np.ndarray,
    mixture: Mixture,
    known: Known,
    keys: Array,
    draws: int,
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Run NUTS in the metric of a covariance.

    After every trajectory jumps to places drawn from the mixture are offered, and taken with the
    probability that leaves the posterior as it is [hastings1970]: where the mixture is good, chains
    pass between modes and along bent valleys that a trajectory does not follow.

    Args:
        model: The model.
        starts: (g, chain, d) places.
        root: (g, d, d) root of the covariance that the metric begins with.
        mixture: What jumps are drawn from, leading axis (g,).
        known: The data sets, leading axis (g,).
        keys: (g,) random keys.
        draws: Draws of each chain after warm-up.

    Returns:
        (g, chain, draw, d) places and the statistics of every draw, name -> (g, chain, draw).
    """
    total, chains, _ = starts.shape
    share = -(-total // workers())
    block = min(1 << (share - 1).bit_length(), max(1, TURNS // (WARMUP + draws)))
    run = _sampler(model, WARMUP, draws, min(LANES, block * chains))
    each = jax.vmap(lambda key: jax.random.split(key, chains))(keys)
    known, mixture = jax.tree.map(np.asarray, (known, mixture))  # indexed without compiling

    def one(first: int) -> Any:
        ids = grow(np.arange(first, min(first + block, total)), block)
        count = min(block, total - first)
        mine, jumps = jax.tree.map(lambda leaf: leaf[ids], (known, mixture))
        # Settings are per thread, and NumPyro's own code promotes.
        with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
            return run(starts[ids], each[ids], root[ids], jumps, mine, count * chains)[:count]

    out = np.concatenate(side_by_side(str(starts.dtype), one, range(0, total, block)))
    stats = {name: out[..., model.size + i].astype(kind) for i, (name, kind) in enumerate(TOLD)}
    return out[..., : model.size], stats


class _Chain(NamedTuple):
    """A lane: the chain it works at, its adaptation, and its trajectory.

    task: () number of the chain; turn: () trajectories done; pace: state of the dual averaging;
    step: () length of a step; root: (d, d) the metric; moments: mean, scatter and number of the
    places of a window.
    """

    task: Array
    turn: Array
    pace: Any
    step: Array
    root: Array
    moments: Any
    path: Trajectory


@lru_cache(maxsize=32)  # one compiled sampler per model and lengths
def _sampler(model: Model, warmup: int, draws: int, lanes: int) -> Any:
    most, target = POOLED if model.pooled else ORDINARY
    pace_begin, pace_next = numpyro().dual_averaging()
    moments_begin, moments_next, moments_end = numpyro().welford_covariance(diagonal=False)
    windows = numpyro().build_adaptation_schedule(warmup)[1:-1]
    closes = jnp.asarray([window.end for window in windows], jnp.int32)
    d, end = model.size, warmup + draws

    def of(data: Any, many: Any) -> Any:
        return jax.tree.map(lambda leaf: leaf[data], many)

    def every(
        starts: Array, keys: Array, roots: Array, mixture: Mixture, known: Known, count: Array
    ) -> Any:
        tables, chains, _ = starts.shape
        total = tables * chains
        starts, keys = starts.reshape(total, d), keys.reshape(total)

        def potential(data: Array) -> Any:
            mine = of(data, known)

            def energy(place: Array) -> Array:
                value = -model.log_density(place, mine)
                return jnp.where(jnp.isfinite(value), value, jnp.inf)

            return energy

        def frame(data: Array) -> Any:
            return partial(model.prior_frame, known=of(data, known))

        def offers(task: Array) -> tuple[Point, Array]:
            """The start of a chain and the jumps of all its turns, and their log proposal."""
            data = task // chains
            mine = of(data, mixture)
            own = jax.random.fold_in(keys[task], APART)
            jumps = mine.sample(own, JUMPS * end, frame(data))
            places = jnp.concatenate([starts[task][None], jumps])
            found = jax.vmap(jax.value_and_grad(potential(data)))(places)
            return Point(places, *found), mine.log_density(places, frame(data))

        offered = jax.lax.map(
            offers, jnp.arange(total, dtype=jnp.int32), batch_size=min(AHEAD, total)
        )

        def chance(task: Array, turn: Array, step: Array) -> Array:
            """A random key that depends on the chain's own turn and step alone."""
            return jax.random.fold_in(keys[task], (turn << most) + step)

        def kicked(point: Point, normal: Array) -> Trajectory:
            """A turn's trajectory at its start, from the turn's normal numbers."""
            return begin(point, normal[:d], normal[d] < 0, most)

        def normals(task: Array, turn: Array) -> Array:
            """Normal numbers of a turn: its momentum (d,), its direction, two for a jump before."""
            key = chance(task, turn, jnp.asarray((1 << most) - 1, jnp.int32))
            return jax.random.normal(key, (d + 1 + 2 * JUMPS,), np.float32).astype(starts.dtype)

        def fresh(task: Array) -> _Chain:
            """A chain at its start."""
            step, none = jnp.ones((), starts.dtype), jnp.zeros((), jnp.int32)
            return _Chain(
                task=task,
                turn=none,
                pace=pace_begin(jnp.log(10 * step)),
                step=step,
                root=roots[task // chains],
                moments=moments_begin(d),
                path=kicked(of((task, 0), offered[0]), normals(task, none)),
            )

        def forth(lane: _Chain) -> tuple[_Chain, Array, Array]:
            """Some steps of a lane, and if they end a trajectory, the jump and the next one."""
            task, data = lane.task, lane.task // chains
            turn = jnp.minimum(lane.turn, end - 1)

            def grow(_: int, state: Any) -> Any:
                path, ended, _ = state
                even = jax.random.uniform(chance(task, turn, path.steps), (3,), np.float32)
                after = advance(path, potential(data), lane.root, lane.step, even)
                return _where(ended, state, after)

            no = jnp.zeros((), bool)
            path, ended, diverged = jax.lax.fori_loop(0, STRIDE, grow, (lane.path, no, no))
            normal = normals(task, turn + 1)
            point, accepted = path.whole.drawn, path.accept / path.steps

            def jump(i: Array, state: Any) -> Any:
                point, here, jumped = state
                there, proposed = of((task, 1 + JUMPS * turn + i), offered)
                gain = point.energy - there.energy + here - proposed
                luck = -(jnp.sum(normal[d + 1 :].reshape(JUMPS, 2)[i] ** 2)) / 2  # log of a uniform
                taken = luck < gain
                return _where(taken, (there, proposed, taken), (point, here, jumped))

            here = of(data, mixture).log_density(point.place[None], frame(data))[0]
            point, _, jumped = jax.lax.fori_loop(0, JUMPS, jump, (point, here, no))

            pace = pace_next(target - accepted, lane.pace)
            step = jnp.exp(jnp.where(turn == warmup - 1, pace[1], pace[0]))
            learns = ended & (turn < warmup)
            within = ended & (turn >= windows[0].start) & (turn <= windows[-1].end)
            after = _Chain(
                task=task,
                turn=jnp.minimum(lane.turn + ended, end),
                pace=_where(learns, pace, lane.pace),
                step=jnp.where(learns, step, lane.step).astype(lane.step.dtype),
                root=lane.root,
                moments=_where(within, moments_next(point.place, lane.moments), lane.moments),
                path=_where(ended, kicked(point, normal), path),
            )
            told = diverged, path.steps, accepted, path.whole.total, jumped, -point.energy
            row = jnp.stack([jnp.asarray(value, starts.dtype) for value in told])
            return after, ended, jnp.concatenate([point.place, row])

        def widened(lane: _Chain) -> _Chain:
            """A lane whose window closes: the metric becomes the covariance of its places."""
            # Stan's shrinkage is meant for a coordinate that is round already.
            begun = roots[lane.task // chains]
            mean, scatter, number = lane.moments
            inverse = jax.scipy.linalg.solve_triangular(
                begun, jnp.eye(d, dtype=begun.dtype), lower=True
            )
            round_ = moments_end((mean, inverse @ scatter @ inverse.T, number), regularize=True)[0]
            root = begun @ jnp.linalg.cholesky(round_)
            fine = jnp.isfinite(root).all()
            return lane._replace(
                root=jnp.where(fine, root, lane.root),
                moments=moments_begin(d),
                pace=pace_begin(jnp.log(10 * lane.step)),
            )

        def step(state: Any) -> Any:
            lane, begun, out = state

            # Rare events, and no work where no lane has one.
            idle = lane.turn == end
            task = begun + jnp.cumsum(idle, dtype=jnp.int32) - 1
            lane = jax.lax.cond(
                jnp.any(idle) & (begun < count),
                lambda lane: _where(
                    idle & (task < count), jax.vmap(fresh)(jnp.minimum(task, total - 1)), lane
                ),
                lambda lane: lane,
                lane,
            )
            begun = jnp.minimum(begun + jnp.sum(idle, dtype=jnp.int32), count)

            before = lane.turn
            lane, ended, told = jax.vmap(forth)(lane)
            ended &= before < end
            closing = ended & jnp.any(before[:, None] == closes[None], axis=1)
            lane = jax.lax.cond(
                jnp.any(closing),
                lambda lane: _where(closing, jax.vmap(widened)(lane), lane),
                lambda lane: lane,
                lane,
            )
            row = jnp.where(ended & (before >= warmup), lane.task, total)
            return lane, begun, out.at[row, before - warmup].set(told, mode="drop")

        def left(state: Any) -> Array:
            lane, begun, _ = state
            return (begun < count) | jnp.any(lane.turn < end)

        none = jax.eval_shape(jax.vmap(fresh), jnp.arange(lanes, dtype=jnp.int32))
        idle = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), none)
        idle = idle._replace(turn=jnp.full(lanes, end, jnp.int32))
        out = jnp.zeros((total, draws, d + len(TOLD)), starts.dtype)
        out = jax.lax.while_loop(left, step, (idle, jnp.zeros((), jnp.int32), out))[2]
        return out.reshape(tables, chains, draws, -1)

    return jax.jit(every)


def _where(which: Array, yes: Any, no: Any) -> Any:
    """The leaves of one tree or the other, by lane."""

    def pick(a: Array, b: Array) -> Array:
        return jnp.where(which.reshape(which.shape + (1,) * (a.ndim - which.ndim)), a, b)

    return jax.tree.map(pick, yes, no)


def agreement(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Split R-hat (k,) and effective number of draws (k,) of quantities (chain, draw, k)."""
    from numpyro.diagnostics import effective_sample_size, split_gelman_rubin

    with np.errstate(invalid="ignore", divide="ignore"):  # a constant has neither
        return split_gelman_rubin(values), effective_sample_size(values)


def describe_prior(prior: Any) -> list[Any]:
    """A distribution as its name and the numbers it takes.

    Raises:
        InputError: It is not one of NumPyro's that take plain numbers.
    """
    name = type(prior).__name__
    try:
        numbers = {k: float(v) for k, v in prior.get_args().items() if v is not None}
        rebuild_priors({"": [name, numbers]})
    except (TypeError, AttributeError, ValueError):
        raise InputError(
            f"a file cannot name the prior {prior!r}: it takes more than plain numbers."
        ) from None
    return [name, numbers]


def rebuild_priors(described: dict[str, Any]) -> dict[str, Any]:
    """Name -> distribution, from what `describe_prior` gave."""
    if not described:
        return {}
    numpyro()
    import numpyro.distributions as dist

    return {name: getattr(dist, kind)(**numbers) for name, (kind, numbers) in described.items()}


def named_prior(kind: str, numbers: list[float]) -> Any:
    """A distribution of NumPyro from its name and its numbers in order.

    Raises:
        InputError: There is none of this name, or it does not take these numbers.
    """
    numpyro()
    import numpyro.distributions as dist

    known = [name for name in dist.__all__ if name[:1].isupper()]
    if kind not in known:
        near = difflib.get_close_matches(kind, known, 1)
        hint = f"; did you mean {near[0]}?" if near else ", e.g. Normal, LogNormal, Uniform, Beta."
        raise InputError(f"NumPyro has no distribution {kind!r}{hint}")
    try:
        return getattr(dist, kind)(*numbers, validate_args=True)
    except (TypeError, ValueError) as error:
        given = ", ".join(f"{v:g}" for v in numbers)
        raise InputError(f"{kind}({given}) is no distribution: {error}.") from None
