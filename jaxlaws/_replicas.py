"""What a posterior says of the runs it was sampled from: new targets at them, their true inputs."""

import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxlaws._density import Known, Model
from jaxlaws._draws import Draws
from jaxlaws._objective import from_space, new_residuals, to_space

ROOT_12 = 2 * math.sqrt(3)  # between the outer nodes, in standard deviations of an input


def replicas(draws: Draws, key: Array | None = None) -> tuple[np.ndarray, ...]:
    """Residuals, measured and new, of every run of weight at every draw of a posterior.

    Args:
        draws: The posterior.
        key: Random key; None is a fixed one.

    Returns:
        (draw, n) measured minus predicted, the same of runs that the draw would make at the same
        measured inputs, and the scale of both, in the space of residuals.

    Raises:
        InputError: The draws are no posterior.
    """
    fit, sampling = draws.sampled()
    key = jax.random.key(4) if key is None else key
    with jax.enable_x64(fit.problem.dtype == "float64"):
        found = _residuals(sampling.model, jnp.asarray(sampling.places), sampling.known)
    live = np.asarray(sampling.known.weight) > 0
    own, noise, blur = (np.asarray(values, float)[:, live] for values in found)
    new = new_residuals(fit.objective, noise, key)
    rng = np.random.default_rng(np.asarray(jax.random.key_data(key)))
    new += blur * rng.standard_normal(new.shape)
    return own, new, np.hypot(noise, blur)


def new_targets(draws: Draws) -> np.ndarray:
    """(draw, n) targets that a posterior would draw at the inputs of every run of weight.

    Raises:
        InputError: The draws are no posterior.
    """
    fit, _ = draws.sampled()
    own, new, _ = replicas(draws)
    support = fit.law.target.support
    with jax.enable_x64(True):
        measured = to_space(jnp.asarray(fit.runs.target[fit.runs.weight > 0]), fit.space)
        found = from_space(measured[None] - own + new, fit.space)
    return np.clip(np.asarray(found), support.lower, support.upper)  # no share beyond one


@partial(jax.jit, static_argnums=0)
def _residuals(model: Model, places: Array, known: Known) -> tuple[Array, Array, Array]:
    def one(place: Array) -> tuple[Array, Array, Array]:
        noise = jnp.exp(model.log_noise(place, known))
        blur = model.blur(place, known) if model.blurred else jnp.zeros_like(noise)
        return -model.residuals(place, known), noise, blur

    return jax.vmap(one)(places)


def true_inputs(draws: Draws, key: Array | None = None) -> dict[str, np.ndarray]:
    """Name -> (draw, n) true values of every input with errors, for every run of weight.

    From what the input's own measurement, its population and the run's target say together, with
    the law taken as straight between the outer nodes of an input and the noise as normal.

    Raises:
        InputError: The draws are no posterior.
    """
    fit, sampling = draws.sampled()
    if not sampling.model.blurred:
        return {}
    key = jax.random.key(5) if key is None else key
    live = np.asarray(sampling.known.weight) > 0
    with jax.enable_x64(fit.problem.dtype == "float64"):
        keys = jax.random.split(key, len(draws))
        found = _true(sampling.model, jnp.asarray(sampling.places), sampling.known, keys)
    return {name: np.asarray(values, float)[:, live] for name, values in found.items()}


@partial(jax.jit, static_argnums=0)
def _true(model: Model, places: Array, known: Known, keys: Array) -> dict[str, Array]:
    def one(place: Array, key: Array) -> dict[str, Array]:
        middle, sides = model.around(place, known)
        slope = jnp.stack([(up - down) / ROOT_12 for up, down in sides])  # per sd of an input
        noise = jnp.exp(model.log_noise(place, known))
        draw = jax.random.normal(key, (len(sides) + 1, len(middle)), middle.dtype)
        # Of the input's prior a draw, corrected by what it and its noise miss the target by.
        prior, missed = draw[1:], noise * draw[0] - middle
        missed -= jnp.sum(slope * prior, axis=0)
        step = prior + slope * (missed / (noise**2 + jnp.sum(slope**2, axis=0)))[None]
        found = {}
        for i, (name, population) in enumerate(model.truth(place).items()):
            mean, sd = known.blurs[name].true(population)
            found[name] = model.law.inputs[name].support.constrain(mean + sd * step[i])
        return found

    return jax.vmap(one)(places, keys)
