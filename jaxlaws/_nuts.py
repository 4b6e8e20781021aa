"""NumPyro's NUTS over many data sets and chains in one program, and its diagnostics."""

import difflib
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxlaws._density import Known, Model
from jaxlaws._errors import InputError
from jaxlaws._importance import Mixture
from jaxlaws._risk import grow, workers

WARMUP = 500  # steps of every chain in which its step size and metric are learnt
# Doublings of a trajectory at most, and the acceptance aimed at: a valley that bends needs shorter
# steps than NUTS takes by itself, and the funnel of a population shorter ones still.
ORDINARY = dict(max_tree_depth=8, target_accept_prob=0.9)
POOLED = dict(max_tree_depth=10, target_accept_prob=0.95)
BLOCK = 32  # data sets whose chains advance side by side


def numpyro() -> Any:
    """The module with NumPyro's functional NUTS.

    Raises:
        InputError: It is not installed.
    """
    try:
        import numpyro.infer.hmc
    except ImportError as error:
        raise InputError(
            'posterior needs NumPyro; install the extra: pip install "jaxlaws[bayes]".'
        ) from error
    return numpyro.infer.hmc


def run_chains(
    model: Model,
    starts: np.ndarray,
    middle: np.ndarray,
    root: np.ndarray,
    mixture: Mixture,
    known: Known,
    keys: Array,
    draws: int,
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Run NUTS from places in the coordinate that makes the posterior round.

    After every step of NUTS a jump to a place drawn from the mixture is offered, and taken with the
    probability that leaves the posterior as it is [hastings1970]: where the mixture is good, chains
    pass between modes and along bent valleys that a trajectory does not follow.

    Args:
        model: The model.
        starts: (g, chain, d) places.
        middle: (g, d) origin of the round coordinate.
        root: (g, d, d) root of the covariance it starts from.
        mixture: What jumps are drawn from, leading axis (g,).
        known: The data sets, leading axis (g,).
        keys: (g,) random keys.
        draws: Draws of each chain after warm-up.

    Returns:
        (g, chain, draw, d) places and the statistics of every draw, name -> (g, chain, draw).
    """
    total = len(starts)
    block = min(BLOCK, 1 << (total - 1).bit_length()) if total else 1
    run = _sampler(model, WARMUP, draws)

    def one(begin: int) -> Any:
        ids = grow(np.arange(begin, min(begin + block, total)), block)
        mine, jumps = jax.tree.map(lambda leaf: leaf[ids], (known, mixture))
        each = jax.vmap(lambda key: jax.random.split(key, starts.shape[1]))(keys[ids])
        with (  # settings are per thread, and NumPyro's own code promotes
            jax.enable_x64(starts.dtype == np.float64),
            jax.numpy_dtype_promotion("standard"),
            jax.numpy_rank_promotion("allow"),
        ):
            found = run(starts[ids], each, middle[ids], root[ids], jumps, mine)
        return jax.tree.map(lambda leaf: np.asarray(leaf)[: total - begin], found)

    with ThreadPoolExecutor(workers()) as pool:
        out = list(pool.map(one, range(0, total, block)))
    places, stats = jax.tree.map(lambda *leaves: np.concatenate(leaves), *out)
    return places, stats


@lru_cache(maxsize=32)  # one compiled sampler per model and lengths
def _sampler(model: Model, warmup: int, draws: int) -> Any:
    def gen(middle: Array, root: Array, known: Known) -> Any:
        def potential(round_: Array) -> Array:
            value = -model.log_density(middle + root @ round_, known)
            return jnp.where(jnp.isfinite(value), value, jnp.inf)

        return potential

    init, step = numpyro().hmc(potential_fn_gen=gen, algo="NUTS")

    def jump(state: Any, mixture: Mixture, middle: Array, root: Array, known: Known) -> Any:
        draw, accept, rest = jax.random.split(state.rng_key, 3)
        there = mixture.sample(draw, 1)
        round_ = jnp.linalg.solve(root, there[0] - middle)
        energy, slope = jax.value_and_grad(gen(middle, root, known))(round_)
        here = middle + root @ state.z
        proposed = mixture.log_density(jnp.stack([here, there[0]]))
        gain = state.potential_energy - energy + proposed[0] - proposed[1]
        taken = jnp.log(jax.random.uniform(accept, dtype=gain.dtype)) < gain
        moved = state._replace(z=round_, potential_energy=energy, z_grad=slope)
        state = jax.tree.map(partial(jnp.where, taken), moved, state)
        return state._replace(rng_key=rest), taken

    def chain(
        start: Array, key: Array, middle: Array, root: Array, mixture: Mixture, known: Known
    ) -> Any:
        args = (middle, root, known)
        state = init(
            jnp.linalg.solve(root, start - middle),
            warmup,
            dense_mass=True,
            model_args=args,
            rng_key=key,
            **(POOLED if model.pooled else ORDINARY),
        )

        def one(state: Any, _: None) -> tuple[Any, Any]:
            state = step(state, args)
            told = dict(
                diverging=state.diverging,
                n_steps=state.num_steps,
                acceptance_rate=state.accept_prob,
                energy=state.energy,
            )
            state, taken = jump(state, mixture, *args)
            told |= dict(jumped=taken, lp=-state.potential_energy)
            return state, (middle + root @ state.z, told)

        # Warm-up and sampling in one loop: the step is compiled once.
        out = jax.lax.scan(one, state, length=warmup + draws)[1]
        return jax.tree.map(lambda leaf: leaf[warmup:], out)

    def every(starts: Array, keys: Array, *args: Any) -> Any:
        # One axis of lanes and not two: NumPyro's step is traced once less.
        g, chains = starts.shape[:2]
        lanes = jax.tree.map(lambda leaf: jnp.repeat(leaf, chains, axis=0), args)
        flat = starts.reshape(g * chains, -1), keys.reshape(g * chains)
        out = jax.vmap(chain)(*flat, *lanes)
        return jax.tree.map(lambda leaf: leaf.reshape(g, chains, *leaf.shape[1:]), out)

    return jax.jit(every)


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
