"""prior: what is believed of a law before a run is seen, as draws like any others."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxlaws._density import NOISE, POOLED, Known, Model, known_of
from jaxlaws._draws import Draws
from jaxlaws._errors import InputError
from jaxlaws._fit import Fit
from jaxlaws._objective import new_noise
from jaxlaws._prior_table import check_priors


def prior(
    known: Fit | Draws,
    *,
    priors: Mapping[str, Any] | None = None,
    draws: int = 1000,
    key: Array | None = None,
) -> Draws:
    """Draws of a law's parameters and noise from the prior of `posterior`.

    `predict` of them is the prior predictive check: what the prior takes for possible, before a run
    is seen. Of the runs only the range of inputs and the spread of targets enter.

    Args:
        known: A fit, or a posterior, whose own priors are taken.
        priors: Parameter -> NumPyro distribution, as in `posterior`.
        draws: Number of draws.
        key: Random key; None is a fixed one.

    Raises:
        InputError: A prior is for no parameter of the law, or the draws are no posterior.
    """
    if isinstance(known, Fit):
        fit = known
        model = Model(fit.law, fit.space)
        with jax.enable_x64(fit.problem.dtype == "float64"):
            data = known_of(fit, fit.problem.runs, check_priors(fit.law, priors or {}), {})
    elif known.sampling is not None and known.fit is not None and not priors:
        fit, model, data = known.fit, known.sampling.model, known.sampling.known
    else:
        raise InputError("prior takes a Fit with priors, or a posterior and no further priors.")
    key = jax.random.key(2) if key is None else key
    with jax.enable_x64(fit.problem.dtype == "float64"):
        params, scale = _sample(model, data, key, draws)
        values = {name: np.asarray(value, float) for name, value in params.items()}
    return Draws(
        law=fit.law,
        params=values,
        point={name: np.median(value, axis=0) for name, value in values.items()},
        status=np.zeros(draws, int),
        origin="prior",
        space=fit.space,
        noise=new_noise(fit.objective, np.asarray(scale, float), jax.random.fold_in(key, 1)),
    )


def _sample(model: Model, known: Known, key: Array, count: int) -> tuple[dict[str, Array], Array]:
    """Name -> (draw,) or (draw, k), and the noise scale (draw,)."""
    layout, number = model.layout, known.target.dtype
    names = (*model.law.params, NOISE)
    keys = dict(zip(names, jax.random.split(key, len(names)), strict=True))
    found = {}
    for name, where in layout.slices.items():
        spec = model.law.params[name]
        if name in known.priors:
            found[name] = known.priors[name].sample(keys[name], (count, *spec.size))
            continue
        z = jax.random.normal(keys[name], (count, where.stop - where.start), number)
        middle, width = known.frame.middle[where][None], known.frame.width[where][None]
        if name in layout.terms:
            middle = jnp.full_like(middle, spec.centre)
            width = jnp.full_like(width, spec.spread)
        if name in model.pooled:  # one middle for all groups, and around it their spread
            own = jax.random.fold_in(keys[name], 1)
            shared, apart = jax.random.normal(own, (2, count, 1), number)
            spread = jnp.exp(POOLED[0] + POOLED[1] * apart)
            # In z, in which a term's logarithm moves one to one.
            z = shared + spread * z / (width if name in layout.terms else 1.0)
        inside = (middle + width * z).reshape(count, *spec.size)
        found[name] = jax.vmap(spec.support.constrain)(inside)
    if NOISE in known.priors:
        return found, known.priors[NOISE].sample(keys[NOISE], (count,))
    z = jax.random.normal(keys[NOISE], (count,), number)
    return found, jnp.exp(known.noise[0] + known.noise[1] * z)


def log_priors(draws: Draws) -> dict[str, np.ndarray]:
    """Name -> (draw,) log prior density of each parameter at the draws of a posterior.

    Raises:
        InputError: The draws are no posterior.
    """
    fit, sampling = draws.sampled()
    with jax.enable_x64(fit.problem.dtype == "float64"):
        found = _log_priors(sampling.model, jnp.asarray(sampling.places), sampling.known)
        return {name: np.asarray(value, float) for name, value in found.items()}


@partial(jax.jit, static_argnums=0)
def _log_priors(model: Model, places: Array, known: Known) -> dict[str, Array]:
    return jax.vmap(lambda place: model.log_priors(place, known))(places)
