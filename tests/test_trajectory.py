"""A trajectory that grows step by step is NumPyro's, and leaves every density as it is."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpyro.infer.hmc_util import (
    IntegratorState,
    build_tree,
    euclidean_kinetic_energy,
    velocity_verlet,
)
from scipy.stats import kstest, norm

from jaxlaws._trajectory import Point, advance, begin

ALARM = 1e-4  # of a test that looks at random numbers; there are six
MOST = 6  # doublings
COUNT = 6000


def bent(place: jax.Array) -> jax.Array:
    """A valley along a parabola: x normal, y normal about its square."""
    return place[0] ** 2 / 2 + (place[1] - place[0] ** 2) ** 2 / (2 * 0.3**2)


def funnel(place: jax.Array) -> jax.Array:
    """The log scale of the second number is the first."""
    return place[0] ** 2 / 2 + place[1] ** 2 * jnp.exp(-2 * place[0]) / 2 + place[0]


def grown(
    potential: object, root: jax.Array, step: float, start: jax.Array, key: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """A whole trajectory: its draw, its steps, its mean acceptance."""
    normal, way, even = jax.random.split(key, 3)
    point = Point(start, *jax.value_and_grad(potential)(start))
    path = begin(point, jax.random.normal(normal, start.shape), jax.random.bernoulli(way), MOST)

    def more(state):
        path, _ = state
        uniform = jax.random.uniform(jax.random.fold_in(even, path.steps), 3)
        return advance(path, potential, root, jnp.asarray(step), uniform)[:2]

    path = jax.lax.while_loop(lambda state: ~state[1], more, (path, jnp.asarray(False)))[0]
    return path.whole.drawn.place, path.steps, path.accept / path.steps.astype(path.accept.dtype)


def of_numpyro(potential: object, step: float, start: jax.Array, key: jax.Array) -> tuple:
    normal, rest = jax.random.split(key)
    tell, (begins, update) = (
        euclidean_kinetic_energy,
        velocity_verlet(potential, euclidean_kinetic_energy),
    )
    state = begins(start, jax.random.normal(normal, start.shape))
    tree = build_tree(
        update, tell, IntegratorState(*state), jnp.ones(len(start)), step, rest, max_tree_depth=MOST
    )
    return tree.z_proposal, tree.num_proposals, tree.sum_accept_probs / tree.num_proposals


def starts(name: str) -> np.ndarray:
    x, y = np.random.default_rng(0).standard_normal((2, COUNT))
    return np.stack([x, x**2 + 0.3 * y if name == "bent" else np.exp(x) * y], axis=1)


@pytest.mark.parametrize("name", ["bent", "funnel"])
def test_a_trajectory_leaves_the_density_as_it_is(name: str) -> None:
    """Exact draws, moved once, are exact draws still: two numbers a target that are normal."""
    potential = {"bent": bent, "funnel": funnel}[name]
    root = jnp.asarray([[1.0, 0.0], [0.4, 0.7]])
    keys = jax.random.split(jax.random.key(1), COUNT)
    moved, _, _ = jax.vmap(partial(grown, potential, root, 0.2))(
        jnp.asarray(starts(name), float), keys
    )
    x, y = np.asarray(moved, float).T
    assert np.mean(np.abs(x - starts(name)[:, 0]) > 0.1) > 0.5  # they have moved
    again = (y - x**2) / 0.3 if name == "bent" else y * np.exp(-x)
    for values in (x, again):
        assert kstest(values, norm.cdf).pvalue > ALARM


@pytest.mark.parametrize("step", [0.15, 0.6])
def test_trajectories_are_as_long_as_those_of_numpyro(step: float) -> None:
    """Mean steps and acceptance from the same starts agree, by a test of two means."""
    first = jnp.asarray(starts("bent"), float)
    keys = jax.random.split(jax.random.key(2), COUNT)
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        theirs = jax.jit(jax.vmap(partial(of_numpyro, bent, step)))(first, keys)
    ours = jax.jit(jax.vmap(partial(grown, bent, jnp.eye(2), step)))(first, keys)
    for mine, other in zip(ours[1:], theirs[1:], strict=True):
        off = np.asarray(mine, float) - np.asarray(other, float)
        assert abs(off.mean()) < norm.isf(ALARM / 2) * off.std() / np.sqrt(COUNT)
    assert np.asarray(ours[1]).max() == 2**MOST - 1 or step > 0.5  # the longest were reached
