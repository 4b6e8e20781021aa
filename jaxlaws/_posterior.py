"""posterior: what the runs leave open about a law's parameters and its noise."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxlaws._curvature import to_params
from jaxlaws._density import NOISE, THINNEST, Known, Model, known_of, left_of_prior, spread_of
from jaxlaws._draws import Draws
from jaxlaws._errors import InputError
from jaxlaws._fit import Fit, labelled
from jaxlaws._importance import climb, learnt, reached
from jaxlaws._inputs import check_input_error
from jaxlaws._nuts import agreement, numpyro, run_chains
from jaxlaws._objective import new_noise
from jaxlaws._prior_table import check_priors
from jaxlaws._risk import side_by_side
from jaxlaws._sampling import FEW, KHAT, Sampling
from jaxlaws._search import NEARLY

SAMPLERS = ("nuts", "importance")
INWARD = (1.0, 0.5)  # climbs begin at the fit's minima and half-way to the middle of the prior
CLIMBS = 6  # minima that climbs begin at
NEAR = 0.1  # places closer than this in every coordinate are one
MODES = 6  # of a posterior, at most
LOW = 5.0  # no chain starts at a mode whose log density is lower by more
AGAIN = (1, 4)  # times as many draws of chains in trouble, with a better mixture each time
DIP = 1.0  # a log density lower by this on the straight way makes two modes separate


def posterior(
    fit: Fit | Sequence[Fit],
    *,
    draws: int = 1000,
    chains: int = 4,
    priors: Mapping[str, Any] | None = None,
    sampler: str = "nuts",
    growing_noise: bool = False,
    input_error: Mapping[str, Any] | None = None,
    pool: Sequence[str] = (),
    key: Array | None = None,
) -> Any:
    r"""Sample the posterior of a law's parameters and of its noise.

    $$p(\theta, \sigma \mid y) \propto p(\theta)\, p(\sigma)
      \prod_i p(s(y_i) - s(f(x_i; \theta)) \mid \sigma)^{w_i}$$

    The likelihood is the one whose maximum is the fit's objective; a parameter's prior has its
    typical range as 90 % interval, unless another is given (`jl.prior_table` shows them). Particles
    go from the prior to the posterior while the runs gain weight little by little, and a mixture of
    Student's t learns its shape from them. NUTS then runs in the coordinate that makes the
    posterior round, from the modes that the fit's minima lead to and from particles, and between
    its trajectories jumps to places of the mixture. The fast sampler takes the mixture's own draws,
    with Pareto-smoothed weights, and leaves to NUTS the data sets where their k-hat is above 0.7.
    What the mixture never reached k-hat cannot see: docs/posterior.md says for which laws the fast
    draws are calibrated.

    Args:
        fit: The fit, or several of one law (`jl.fit` of a stack), sampled side by side.
        draws: Draws of each chain, after 500 steps of warm-up. Where the chains may then not be
            used, the mixture learns from them and they are run again, and if need be once more,
            four times as long, which takes that much longer, and every fourth draw is kept.
        chains: Number of chains.
        priors: Parameter -> NumPyro distribution of its value, in place of the typical range;
            "noise" is the scale of the residuals.
        sampler: "nuts", or "importance" for thousands of data sets.
        growing_noise: Whether the noise may grow or shrink with the scale of a run.
        input_error: Input -> standard error with which its values were measured, one number or one
            per run (n,): a share of a positive input (0.02 is 2 %), else in its own unit. The true
            values are a population whose middle moves with the other inputs; they are integrated
            out, by three points of the law around each run.
        pool: Parameters of `law.per_group(...)` whose values in the groups come from one
            population, normal in z, whose middle has the typical range as its prior; `new_group`
            draws a group nobody has seen from it.
        key: Random key; None is a fixed one.

    Returns:
        `Draws`, or a tuple of them; `sampling` of each says how it went.

    Raises:
        InputError: NumPyro is missing, a prior is for no parameter of the law, or an argument is
            out of its range.
    """
    fits = (fit,) if isinstance(fit, Fit) else tuple(fit)
    numpyro()
    _check(fits, draws, chains, sampler)
    own = check_priors(fits[0].law, priors or {})
    key = jax.random.key(0) if key is None else key
    errors = [check_input_error(one.law, one.runs, input_error or {}) for one in fits]
    pooled, blurred = _check_pool(fits, tuple(pool), own), tuple(errors[0])
    if blurred and not hasattr(fits[0].objective, "blurred"):
        raise InputError(
            f"input_error: {fits[0].objective.label} has no density with a normal error added; "
            "fit with Squared, Huber or StudentT."
        )
    model = Model(fits[0].law, fits[0].space, growing_noise, pooled, blurred)
    dtype, every = fits[0].problem.dtype, range(len(fits))
    with jax.enable_x64(dtype == "float64"):
        runs = max(one.problem.runs for one in fits)
        each = [known_of(one, runs, own, off) for one, off in zip(fits, errors, strict=True)]
        known = jax.tree.map(lambda *leaves: jnp.stack(leaves), *each)
        modes, density = _modes(model, fits, known)
        each_key = jax.vmap(lambda g: jax.random.split(jax.random.fold_in(key, g), 4))
        shape, learning, chain, noise = each_key(jnp.arange(len(fits))).T

        def from_prior(g: int) -> Any:
            places, first = reached(model, modes[g], shape[g], each[g])
            return places, *learnt(model, first, places, learning[g], each[g], draws * chains)

        near, mixture, places, weights, khat = _stacked(side_by_side(dtype, from_prior, every))
        apart = [_apart(model, modes[g], one) for g, one in enumerate(each)]

        ends: list[Any] = [None] * len(fits)
        if sampler == "importance":
            ends = [
                _resampled(own, np.exp(weight), chains) if k <= KHAT else None
                for own, weight, k in zip(places, weights, khat, strict=True)
            ]

        def by_nuts(which: np.ndarray, longer: int) -> None:
            parts: Any = jax.tree.map(
                lambda leaf: leaf[which], (modes, density, near, mixture, chain, known)
            )
            found = _by_nuts(model, longer * draws, chains, *parts)
            for g, (own, stats) in zip(which.tolist(), found, strict=True):
                thin = {name: values[:, ::longer] for name, values in stats.items()}
                ends[g] = own[:, ::longer], thin, "NUTS", np.nan

        def from_chains(g: int) -> Any:
            """What is learnt from the draws of chains, which went where no particle did."""
            own = ends[g][0].reshape(-1, model.size)
            some = own[np.linspace(0, len(own) - 1, near.shape[1]).astype(int)]
            before = jax.tree.map(lambda leaf: leaf[g], mixture)
            return some, *learnt(model, before, some, learning[g], each[g], draws * chains)

        def learn_again(which: np.ndarray) -> None:
            better = _stacked(side_by_side(dtype, from_chains, which.tolist()))
            kept = near, mixture, places, weights, khat
            for old, new in zip(jax.tree.leaves(kept), jax.tree.leaves(better), strict=True):
                old[which] = new

        def as_draws(g: int) -> Draws:
            return _as_draws(fits[g], model, each[g], ends[g], apart[g], float(khat[g]), noise[g])

        left = np.flatnonzero([one is None for one in ends])
        if len(left):
            by_nuts(left, 1)
        made = [as_draws(g) for g in range(len(fits))]
        for longer in AGAIN if draws * chains > FEW else ():  # of fewer not enough can be effective
            bad = np.array([g for g in left if made[g].sampled()[1].trouble()], int)
            if len(bad):
                learn_again(bad)
                by_nuts(bad, longer)
            for g in bad:
                made[g] = as_draws(g)
    return made[0] if isinstance(fit, Fit) else tuple(made)


def _stacked(trees: list[Any]) -> Any:
    """One tree with a leading axis (g,)."""
    return jax.tree.map(lambda *leaves: np.stack(leaves), *trees)


def _check(fits: tuple[Fit, ...], draws: int, chains: int, sampler: str) -> None:
    if not fits or not all(isinstance(one, Fit) for one in fits):
        raise InputError("posterior takes a Fit, or several of one law.")
    first = fits[0]
    same = [
        (one.law, one.space, type(one.objective), one.problem.dtype)
        == (first.law, first.space, type(first.objective), first.problem.dtype)
        for one in fits
    ]
    if not all(same):
        raise InputError(
            "Fits are sampled together only if they share law, space, kind of objective and "
            f"precision; number {same.index(False)} differs from the first."
        )
    for word, value, least in (("draws", draws, 4), ("chains", chains, 1)):
        if not isinstance(value, int) or value < least:
            raise InputError(f"{word} must be a number, {least} or more; got {value!r}.")
    if sampler not in SAMPLERS:
        raise InputError(f"sampler must be one of {', '.join(SAMPLERS)}; got {sampler!r}.")


def _check_pool(
    fits: tuple[Fit, ...], pool: tuple[str, ...], priors: Mapping[str, Any]
) -> tuple[str, ...]:
    law = fits[0].law
    names, groups = law.grouped
    for name in pool:
        if name not in names:
            raise InputError(
                f"pool: {name!r} has no value for every group in {law.name}; fit "
                f"law.per_group({name!r}, groups=...) first."
            )
        if name in priors:
            raise InputError(f"pool: {name} is pooled, so that priors cannot name it.")
    for fit in fits if pool else ():
        live = fit.runs.inputs["group"][fit.runs.weight > 0].astype(int)
        counts = np.bincount(live, minlength=groups)
        if groups < 3:
            raise InputError(f"pool needs 3 groups or more to see how they differ; got {groups}.")
        if counts.min() < 2:
            label = (fit.runs.groups or range(groups))[int(counts.argmin())]
            raise InputError(
                f"{fit.runs.name}: the group {label!r} has {counts.min()} run; a group that is "
                "pooled needs 2 or more, or it is drawn with new_group."
            )
    return pool


def _modes(model: Model, fits: tuple[Fit, ...], known: Known) -> tuple[np.ndarray, np.ndarray]:
    """(g, k, d) modes, highest first and repeated up to `MODES`, and (g, k) log density there."""
    layout = model.layout
    starts, data = [], []
    for g, one in enumerate(fits):
        good = one.solution.value <= NEARLY * one.solution.value[0]
        ends = np.asarray(one.solution.z)[good]
        low = layout.alive(ends[_spread_out(ends, CLIMBS)])
        scale = np.log(max(one.scale, THINNEST * spread_of(one)))
        for inward in INWARD:
            starts.append(np.stack([_place(model, inward * z, scale + (inward < 1)) for z in low]))
        data.append(np.full(len(INWARD) * len(low), g))
    owner = np.concatenate(data)
    tops, heights = climb(model, np.concatenate(starts), owner, known)
    modes, density = [], []
    for g in range(len(fits)):
        mine = np.flatnonzero((owner == g) & np.isfinite(heights))
        order = mine[np.argsort(-heights[mine])]
        if not len(order):
            raise InputError(
                f"{fits[g].runs.name}: the posterior density of {model.law.name} is finite at none "
                "of the fit's minima; check the priors."
            )
        full = np.resize(order[_spread_out(tops[order], MODES)], MODES)
        full = full[np.argsort(-heights[full], kind="stable")]
        modes.append(tops[full])
        density.append(heights[full])
    return np.stack(modes), np.stack(density)


def _place(model: Model, z: np.ndarray, log_scale: float) -> np.ndarray:
    """(d,) the place of a z (p,)."""
    z, middles, spreads = z.copy(), [], []
    for name in model.pooled:
        where = model.layout.slices[name]
        middles.append(z[where].mean())
        spreads.append(max(z[where].std(), 0.1))
        z[where] = (z[where] - middles[-1]) / spreads[-1]
    rest = np.zeros(model.size - len(z) - 1 - 2 * len(middles))  # no growth, true inputs as seen
    return np.concatenate([z, [log_scale], rest, middles, np.log(spreads)])


def _spread_out(places: np.ndarray, most: int) -> np.ndarray:
    """(k,) which of the places (n, d) are no repeats of an earlier one, the first `most`."""
    kept = [0]
    for i, place in enumerate(places):
        if len(kept) < most and np.abs(places[kept] - place).max(axis=1).min() > NEAR:
            kept.append(i)
    return np.array(kept)


def _resampled(places: np.ndarray, weight: np.ndarray, chains: int) -> Any:
    """Draws of equal weight from places (draw, d) of given weights; None where too few count."""
    ess = 1 / np.sum(weight**2)
    if not ess >= FEW:
        return None
    rng = np.random.default_rng(0)
    at = (np.arange(len(weight)) + rng.random()) / len(weight)
    pick = np.searchsorted(np.cumsum(weight), at).clip(0, len(weight) - 1)
    pick = rng.permutation(pick).reshape(chains, -1)
    return places[pick], {}, "importance sampling", float(ess)


def _by_nuts(
    model: Model,
    draws: int,
    count: int,
    modes: np.ndarray,
    density: np.ndarray,
    near: np.ndarray,
    mixture: Any,
    keys: Array,
    known: Known,
) -> list[Any]:
    """Draws and their statistics of each data set, from its modes and places (g, draw, d) near."""
    roots, starts = [], []
    for g, (own, heights, some) in enumerate(zip(modes, density, near, strict=True)):
        best = _spread_out(own[heights >= heights[0] - LOW], count)
        pick = np.random.default_rng(g).choice(len(some), count - len(best), replace=False)
        starts.append(np.concatenate([own[best], some[pick]]))
        spread = np.cov(some.T)
        thin = 1e-9 * np.trace(spread) * np.eye(model.size)
        roots.append(np.linalg.cholesky(spread + thin))
    where = np.stack(starts), np.stack(roots)
    ends, stats = run_chains(model, *where, mixture, known, keys, draws)
    return [(ends[g], {k: v[g] for k, v in stats.items()}) for g in range(len(modes))]


def _apart(model: Model, modes: np.ndarray, known: Known) -> np.ndarray:
    """(k, d) the modes between which the log density falls, highest first."""
    kept = modes[:1]
    for mode in modes[_spread_out(modes, MODES)][1:]:
        way = np.linspace(kept, mode, 17)  # (17, k, d)
        heights = np.asarray(_heights(model, jnp.asarray(way), known))
        low = np.minimum(heights[0], heights[-1])
        if (heights.min(axis=0) < low - DIP).all():
            kept = np.concatenate([kept, mode[None]])
    return kept


@partial(jax.jit, static_argnums=0)
def _heights(model: Model, places: Array, known: Known) -> Array:
    """Log density at places (step, k, d)."""
    return jax.vmap(jax.vmap(lambda place: model.log_density(place, known)))(places)


def _as_draws(
    fit: Fit,
    model: Model,
    known: Known,
    made: Any,
    modes: np.ndarray,
    khat: float,
    key: Array,
) -> Draws:
    """Draws of one data set from what its sampler found."""
    ends, stats, method, ess = made
    chain, draw, d = ends.shape
    places = ends.reshape(-1, d)
    p = model.layout.size
    params = to_params(fit, _z(model, jnp.asarray(places)))
    labels, columns = [NOISE], [places[:, p]]
    for name, numbers in model.truth(places).items():
        labels += [f"true {name}, {i}" for i in range(numbers.shape[1])]
        columns += list(numbers.T)
    both = model.population(jnp.asarray(places))
    for word, numbers in zip(("middle", "spread"), both, strict=True):
        labels += [f"{word} of {name}" for name in model.pooled]
        columns += list(np.asarray(numbers).T)
    for name, values in params.items():
        labels += [label for label, _ in labelled(name, values[0])]
        columns += list(values.reshape(len(values), -1).T)
    seen = np.stack(columns, axis=1)
    rhat, count = np.ones(len(labels)), np.full(len(labels), ess)
    if method == "NUTS":
        rhat, count = agreement(seen.reshape(chain, draw, -1))
    nearest = np.zeros(len(places), int)
    if len(modes) > 1:
        spread = places.std(axis=0)
        nearest = np.argmin(np.sum(((places[:, None] - modes) / spread) ** 2, axis=2), axis=1)
    sampling = Sampling(
        method=method,
        chains=chain,
        stats=stats,
        rhat=dict(zip(labels, map(float, rhat), strict=True)),
        ess=dict(zip(labels, map(float, count), strict=True)),
        khat=khat,
        places=places,
        left=left_of_prior(model, places, known),
        modes=modes,
        mode=nearest,
        model=model,
        known=known,
    )
    return Draws(
        law=fit.law,
        params=params,
        point={name: np.median(values, axis=0) for name, values in params.items()},
        status=np.zeros(len(places), int),
        origin="posterior by " + (f"NUTS, {chain} chains" if method == "NUTS" else method),
        space=fit.space,
        noise=new_noise(fit.objective, sampling.scale, key),
        fit=fit,
        sampling=sampling,
    )


@partial(jax.jit, static_argnums=0)
def _z(model: Model, places: Array) -> Array:
    """(draw, p) the law's coordinate at places (draw, d)."""
    return jax.vmap(model.z)(places)
