"""A mixture of Student's t that learns the shape of a posterior."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.scipy.linalg import solve_triangular
from jax.scipy.special import gammaln, logsumexp

from jaxlaws._density import Known, Model

FREEDOM = 4  # degrees of freedom of the members: their chi-square is minus two logs of a product
MEMBERS = 16  # enough to line a bent valley; shared out among the views
ROUNDS = 24  # rounds of learning
SAMPLES = 2048  # places looked at in a round
OWN = 0.4  # weight of the places beside these samples
LEAST = 0.05  # share of the samples that must count in a round; else the weights are tempered
WIDEST = 2.0  # standard deviation in z beyond which the curvature at a mode is not believed
KEEP = 0.005  # no member's share falls below this

PriorFrame = Callable[[Array], tuple[Array, Array]]  # place (d,) -> middles and widths (d,)


class Mixture(NamedTuple):
    """A mixture of multivariate t, each member in a view of its own.

    share (k,), view (k, d) which coordinates it counts from their prior, middle (k, d), root
    (k, d, d) of the scale and the inverse (k, d, d) of that root.
    """

    share: Array
    view: Array
    middle: Array
    root: Array
    inverse: Array

    def log_density(self, places: Array, frame: PriorFrame) -> Array:
        """(draw,) log density at places (draw, d)."""
        return logsumexp(self.members(places, frame)[0], axis=1)

    def members(self, places: Array, frame: PriorFrame) -> tuple[Array, Array, Array]:
        """Of every member at places (draw, d): density, distance, and the places it sees.

        Returns:
            (draw, k) log of share times density, (draw, k) squared distances, (k, draw, d) places.
        """
        d = places.shape[-1]
        frames = jax.vmap(frame)(places)
        size = gammaln((FREEDOM + d) / 2) - gammaln(FREEDOM / 2) - d / 2 * np.log(FREEDOM * np.pi)

        def one(share: Array, view: Array, middle: Array, inverse: Array) -> tuple[Array, ...]:
            own = seen(places, view[None], *frames)
            square = jnp.sum(((own - middle[None]) @ inverse.T) ** 2, axis=1)
            log = jnp.log(share) + size + jnp.sum(jnp.log(jnp.diagonal(inverse)))
            log -= (FREEDOM + d) / 2 * jnp.log1p(square / FREEDOM)
            return log - jnp.sum(jnp.where(view[None], jnp.log(frames[1]), 0.0), 1), square, own

        log, square, own = jax.vmap(one)(self.share, self.view, self.middle, self.inverse)
        return log.T, square.T, own

    def sample(self, key: Array, count: int, frame: PriorFrame) -> Array:
        """(count, d) places."""
        even, normal = jax.random.split(key)
        pick, *tail = jax.random.uniform(even, (3, count), self.share.dtype)
        total = jnp.cumsum(self.share)
        member = jnp.clip(jnp.searchsorted(total, pick * total[-1]), 0, len(total) - 1)
        chi = -2 * (jnp.log1p(-tail[0]) + jnp.log1p(-tail[1]))
        noise = jax.random.normal(normal, (count, self.middle.shape[1]), self.share.dtype)
        noise *= jnp.sqrt(FREEDOM / chi)[:, None]
        own = self.middle[member] + jnp.einsum("sij,sj->si", self.root[member], noise)
        return jax.vmap(partial(placed, frame=frame))(own, self.view[member])


def seen(place: Array, view: Array, middle: Array, width: Array) -> Array:
    """(..., d) places in a view, given the frames of their priors."""
    return jnp.where(view, (place - middle) / width, place)


def placed(own: Array, view: Array, frame: PriorFrame) -> Array:
    """(d,) the place that is seen as `own` (d,) in a view; the inverse of `seen`."""
    # No frame depends on what a view changes.
    middle, width = frame(jnp.where(view, 0.0, own))
    return jnp.where(view, middle + width * own, own)


def mixed(share: Array, view: Array, middle: Array, root: Array) -> Mixture:
    """The mixture of members with shares (k,), views and middles (k, d) and roots (k, d, d)."""
    one = jnp.eye(root.shape[-1], dtype=root.dtype)
    inverse = jax.vmap(lambda root: solve_triangular(root, one, lower=True))(root)
    return Mixture(share, view, middle, root, inverse)


def curved(model: Model, mode: Array, known: Known) -> Array:
    """(d, d) root of the covariance that the curvature at a mode (d,) says.

    It is that of the Gauss-Newton precision: an objective's corners have no curvature of their own.
    """
    values, vectors = jnp.linalg.eigh(model.precision(mode, known))
    variance = 1 / jnp.maximum(values, WIDEST**-2)
    return jnp.linalg.cholesky((vectors * variance[None]) @ vectors.T)


def around(model: Model, places: Array, key: Array, known: Known) -> Mixture:
    """A mixture around some of the places (draw, d), in the views in turn."""
    count, d = places.shape
    view = jnp.asarray(np.resize(model.views, (MEMBERS, d)))
    frames = jax.vmap(partial(model.prior_frame, known=known))(places)
    own = jax.vmap(lambda view: seen(places, view[None], *frames))(view)
    pick = jax.random.choice(key, count, (MEMBERS,), replace=False)
    off = own - jnp.mean(own, axis=1, keepdims=True)
    wide = _root(jnp.einsum("ksi,ksj->kij", off, off) / count)
    apart = jax.vmap(jnp.diag)(jnp.std(own, axis=1))
    root = jnp.where(jnp.isfinite(wide).all(axis=(1, 2))[:, None, None], wide, apart) / 2
    share = jnp.full(MEMBERS, 1 / MEMBERS, places.dtype)
    return mixed(share, view, own[jnp.arange(MEMBERS), pick], root)


def at_modes(model: Model, modes: Array, known: Known) -> Mixture:
    """A mixture at modes (k, d), each as wide as the curvature there says."""
    share = jnp.full(len(modes), 1 / len(modes), modes.dtype)
    root = jax.vmap(partial(curved, model, known=known))(modes)
    return mixed(share, jnp.zeros(modes.shape, bool), modes, root)


def joined(first: Mixture, second: Mixture, share: float) -> Mixture:
    """Two mixtures as one, to which the second gives a share."""
    both = jax.tree.map(lambda a, b: jnp.concatenate([a, b]), first, second)
    shares = jnp.concatenate([(1 - share) * first.share, share * second.share])
    return both._replace(share=shares)


def towards(mixture: Mixture, places: Array, weight: Array, frame: PriorFrame) -> Mixture:
    """One step of expectation and maximisation on places (draw, d) of weights (draw,)."""
    d = places.shape[1]
    log, square, own = mixture.members(places, frame)
    member = weight[:, None] * jax.nn.softmax(log, axis=1)
    share = jnp.sum(member, axis=0)
    pull = member * (FREEDOM + d) / (FREEDOM + square)
    middle = jnp.einsum("sk,ksd->kd", pull, own) / (jnp.sum(pull, axis=0) + 1e-12)[:, None]
    # A member that few places speak for stays about where it was.
    found = share**2 / (jnp.sum(member**2, axis=0) + 1e-30)
    trust = found / (found + 2 * d)
    middle = mixture.middle + trust[:, None] * (middle - mixture.middle)
    off = own - middle[:, None]
    spread = jnp.einsum("sk,ksi,ksj->kij", pull, off, off) / (share + 1e-12)[:, None, None]
    before = mixture.root @ jnp.swapaxes(mixture.root, 1, 2)
    root = _root(before + trust[:, None, None] * (spread - before))
    fine = jnp.isfinite(root).all(axis=(1, 2))
    share = jnp.maximum(share, KEEP)
    return mixed(
        share / jnp.sum(share),
        mixture.view,
        jnp.where(fine[:, None], middle, mixture.middle),
        jnp.where(fine[:, None, None], root, mixture.root),
    )


def learn(model: Model, mixture: Mixture, places: Array, key: Array, known: Known) -> Mixture:
    """A mixture that covers places (draw, d) of equal weight and what it finds around them.

    Rounds of expectation and maximisation on the places and a weighted sample of the mixture's
    own, its weights tempered until a share of `LEAST` counts. The places keep it from forgetting a
    part of the posterior, the samples show what the places left out.
    """
    frame = partial(model.prior_frame, known=known)
    density = jax.vmap(lambda place: model.log_density(place, known))
    equal = jnp.full(len(places), OWN / len(places), places.dtype)

    def step(mixture: Mixture, key: Array) -> tuple[Mixture, None]:
        more = mixture.sample(key, SAMPLES, frame)
        log = density(more) - mixture.log_density(more, frame)
        fine = jnp.isfinite(log)
        weight = (1 - OWN) * _tempered(jnp.where(fine, log, -jnp.inf))
        more = jnp.where(fine[:, None], more, places[:1])  # of no weight
        both = jnp.concatenate([places, more]), jnp.concatenate([equal, weight])
        return towards(mixture, *both, frame), None

    return jax.lax.scan(step, mixture, jax.random.split(key, ROUNDS))[0]


def _root(spread: Array) -> Array:
    """(k, d, d) roots of covariances, each a little widened."""
    trace = jnp.trace(spread, axis1=1, axis2=2)[:, None, None]
    return jnp.linalg.cholesky(spread + 1e-9 * trace * jnp.eye(spread.shape[-1])[None])


def _tempered(log: Array) -> Array:
    """(draw,) normalised weights, flattened until enough of the draws count."""
    log = jnp.where(jnp.isfinite(log), log, jnp.min(jnp.where(jnp.isfinite(log), log, 0.0)) - 50.0)
    return jax.nn.softmax(highest_power(log, LEAST, jnp.ones((), log.dtype), 12) * log)


def highest_power(log: Array, share: float, most: Array, halvings: int) -> Array:
    """The highest power, at most `most`, of weights (draw,) at which a share of them counts."""

    def enough(power: Array) -> Array:
        return 1 / jnp.sum(jax.nn.softmax(power * log) ** 2) >= share * len(log)

    def narrow(_: int, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = ends
        middle = (low + high) / 2
        fine = enough(middle)
        return jnp.where(fine, middle, low), jnp.where(fine, high, middle)

    low = jax.lax.fori_loop(0, halvings, narrow, (jnp.zeros_like(most), most))[0]
    return jnp.where(enough(most), most, low)
