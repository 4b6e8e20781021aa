"""A NUTS trajectory that grows by one step at a time, so that many can grow side by side.

A vmapped loop over a trajectory's tree runs until the longest tree of all lanes is done. Here a
lane carries its tree with it, and one gradient advances every lane whatever its depth [dance2025].
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

DIVERGED = 1000.0  # rise of the energy at which a trajectory is given up


class Point(NamedTuple):
    """A place (d,), its potential energy (), and the slope (d,) of the energy there."""

    place: Array
    energy: Array
    slope: Array


class End(NamedTuple):
    """An end of a trajectory: a point and its momentum (d,) in the round coordinate."""

    point: Point
    momentum: Array


class Part(NamedTuple):
    """Consecutive points of a trajectory.

    drawn: one of them by its weight; total () its total energy; weight () log of the sum of
    exp(first total energy - total energy); momentum (d,) the sum of the momenta.
    """

    drawn: Point
    total: Array
    weight: Array
    momentum: Array


class Trajectory(NamedTuple):
    """A trajectory on its way.

    first: () total energy it began with; left, right: its ends; whole: what is finished;
    depth: () doublings so far; forward: () direction of the present one; leaves: () its points so
    far; edge: the last of them; part: all of them; marks, sums: (depth, d) momenta, and sums of
    momenta, where its subtrees begin; accept: () sum of acceptance probabilities; steps: ().
    """

    first: Array
    left: End
    right: End
    whole: Part
    depth: Array
    forward: Array
    leaves: Array
    edge: End
    part: Part
    marks: Array
    sums: Array
    accept: Array
    steps: Array


def begin(point: Point, momentum: Array, forward: Array, most: int) -> Trajectory:
    """The trajectory from a point with a momentum (d,) that will double `most` times at most."""
    total = point.energy + momentum @ momentum / 2
    end = End(point, momentum)
    none, zero = jnp.zeros((), jnp.int32), jnp.zeros_like(total)
    whole = Part(point, total, zero, momentum)
    marks = jnp.zeros((most, len(momentum)), momentum.dtype)
    return Trajectory(
        first=total,
        left=end,
        right=end,
        whole=whole,
        depth=none,
        forward=forward,
        leaves=none,
        edge=end,
        part=whole,
        marks=marks,
        sums=marks,
        accept=zero,
        steps=none,
    )


def advance(
    path: Trajectory,
    potential: Callable[[Array], Array],
    root: Array,
    step: Array,
    uniform: Array,
) -> tuple[Trajectory, Array, Array]:
    r"""One leapfrog step, and what it completes: multinomial NUTS [betancourt2017].

    Args:
        path: A trajectory that has not ended.
        potential: Place (d,) -> potential energy.
        root: (d, d) the metric: places move along root @ momentum.
        step: () length of a step.
        uniform: (3,) random numbers between 0 and 1.

    Returns:
        The trajectory, whether it has ended, and whether it diverged. Its draw is `whole.drawn`.
    """
    signed = jnp.where(path.forward, step, -step)
    point, momentum = path.edge
    half = momentum - signed / 2 * (root.T @ point.slope)
    place = point.place + signed * (root @ half)
    leaf = Point(place, *jax.value_and_grad(potential)(place))
    momentum = half - signed / 2 * (root.T @ leaf.slope)
    edge = End(leaf, momentum)
    total = leaf.energy + momentum @ momentum / 2
    rise = total - path.first
    rise = jnp.where(jnp.isnan(rise), jnp.inf, rise)
    diverged = rise > DIVERGED

    # The present doubling gains a point, which replaces its draw with the point's share of it.
    new = path.leaves == 0
    weight = jnp.where(new, -rise, jnp.logaddexp(path.part.weight, -rise))
    taken = new | (uniform[0] < jnp.exp(-rise - weight))
    gained = jnp.where(new, 0.0, path.part.momentum) + momentum
    drawn, at = _choose(taken, (leaf, total), (path.part.drawn, path.part.total))
    part = Part(drawn, at, weight, gained)

    # An odd point closes the subtrees that begin at marks low to top; an even one sets a mark.
    top = jnp.bitwise_count(path.leaves >> 1).astype(jnp.int32)
    closed = jnp.bitwise_count(path.leaves & ~(path.leaves + 1)).astype(jnp.int32)
    marked = jnp.arange(len(path.marks), dtype=jnp.int32)
    mine = (marked == top) & (path.leaves % 2 == 0)
    marks = jnp.where(mine[:, None], momentum[None], path.marks)
    sums = jnp.where(mine[:, None], gained[None], path.sums)
    back = jax.vmap(_turning, in_axes=(0, None, 0))(marks, momentum, gained[None] - sums + marks)
    turned = jnp.any(back & (marked > top - closed) & (marked <= top))

    # A doubling that is full and straight joins the trajectory.
    leaves = path.leaves + 1
    full = leaves == 1 << path.depth
    broken = turned | diverged
    joins = full & ~broken
    moves = joins & (uniform[1] < jnp.exp(jnp.minimum(weight - path.whole.weight, 0.0)))
    left = _choose(joins & ~path.forward, edge, path.left)
    right = _choose(joins & path.forward, edge, path.right)
    both = path.whole.momentum + gained
    drawn, at = _choose(moves, (drawn, at), (path.whole.drawn, path.whole.total))
    whole = Part(
        drawn,
        at,
        jnp.where(joins, jnp.logaddexp(path.whole.weight, weight), path.whole.weight),
        jnp.where(joins, both, path.whole.momentum),
    )
    depth = path.depth + full.astype(jnp.int32)
    turned = _turning(left.momentum, right.momentum, both)
    ended = broken | (full & (turned | (depth == len(path.marks))))

    forward = jnp.where(full, uniform[2] < 0.5, path.forward)
    edge = _choose(full, _choose(forward, right, left), edge)
    chance = jnp.minimum(jnp.exp(-rise), 1.0)
    grown = Trajectory(
        first=path.first,
        left=left,
        right=right,
        whole=whole,
        depth=depth,
        forward=forward,
        leaves=jnp.where(full, 0, leaves),
        edge=edge,
        part=part,
        marks=marks,
        sums=sums,
        accept=path.accept + chance,
        steps=path.steps + 1,
    )
    return grown, ended, diverged


def _turning(first: Array, last: Array, total: Array) -> Array:
    """Whether a stretch turns back, by the momenta (d,) of its ends and their sum over it."""
    total = total - (first + last) / 2
    return (first @ total <= 0) | (last @ total <= 0)


def _choose(which: Array, yes: Any, no: Any) -> Any:
    return jax.tree.map(lambda a, b: jnp.where(which, a, b), yes, no)
