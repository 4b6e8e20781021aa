"""Skills of model families, with a link that is learned: monotone, one per benchmark [polo2024]."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxlaws._errors import InputError
from jaxlaws.procedures._descent import descend

UNITS = 10  # of each hidden layer of a link
BETA = 0.01  # error at which the score of errors turns linear
RATES = (0.1, 0.01, 0.001)
STEPS, PATIENCE = 100_000, 500

Weights = dict[str, Array]


def increasing(link: Weights, x: Array) -> Array:
    r"""A learned link: a score that never falls in x (...).

    $$g(x) = \sigma\left(w_3^\top \tanh(W_2 \tanh(w_1 \tanh x + b_1) + b_2) + b_3\right)$$

    No weight is negative [polo2024, code].
    """
    x = jnp.tanh(x)[..., None]
    rise = [1] * (x.ndim - 1) + [-1]
    first = jnp.tanh(x * link["w1"].reshape(rise) + link["b1"].reshape(rise))
    second = jnp.tanh(jnp.tensordot(first, link["W2"], 1) + link["b2"].reshape(rise))
    return jax.nn.sigmoid(jnp.tensordot(second, link["w3"], 1) + link["b3"])


def smooth_l1(r: Array, beta: float = BETA) -> Array:
    """Score of an error r: r^2 / (2 beta) up to beta, |r| - beta / 2 beyond [polo2024, code]."""
    size = jnp.abs(r)
    return jnp.where(size < beta, size**2 / (2 * beta), size - beta / 2)


def skills_of(weights: Weights, s: Array, t: Array, family: Array) -> Array:
    """Skills (m, d) of models with s billion parameters and t trillion tokens."""
    u, v = jnp.log(s), jnp.log(t)
    return jnp.stack([u, v, u * v], axis=-1) @ weights["W1"] + weights["intercept"][family]


def scores_of(weights: Weights, floors: Array, s: Array, t: Array, family: Array) -> Array:
    """Scores (m, benchmarks); through links where the weights have some, else logistic."""
    z = skills_of(weights, s, t, family) @ weights["W2"] + weights["b2"][None, :]
    link: Any = weights.get("links")
    g = jax.nn.sigmoid(z) if link is None else jax.vmap(increasing, (0, 1), 1)(link, z)
    return floors[None, :] + (1 - floors[None, :]) * g


@dataclass(frozen=True)
class Skills:
    """Fitted skills.

    Attributes:
        families: Names, in the order of the intercepts.
        weights: W1 (3, d), intercept (families, d), W2 (d, benchmarks), b2 (benchmarks,), and
            links, leading axis (benchmarks,), where they are learned.
        floors: (benchmarks,) scores by chance.
        error: Mean absolute error on the scores that were fitted.
        tried: (rate, seed) the error that each way of the fit ended with.
    """

    families: tuple[str, ...]
    weights: Weights
    floors: np.ndarray
    error: float
    tried: np.ndarray

    def predict(self, s: Any, t: Any, family: Any) -> np.ndarray:
        """Scores (m, benchmarks) of models with s (m,) billion parameters, t (m,) trillion tokens.

        Raises:
            InputError: A family was not fitted.
        """
        names = np.atleast_1d(np.asarray(family, str))
        if unknown := sorted(set(names) - set(self.families)):
            raise InputError(f"No model of {', '.join(unknown)} was fitted, so its level is open.")
        number = np.array([self.families.index(name) for name in names])
        with jax.enable_x64(True):
            return np.asarray(
                scores_of(
                    self.weights,
                    jnp.asarray(self.floors),
                    jnp.atleast_1d(jnp.asarray(s, float)),
                    jnp.atleast_1d(jnp.asarray(t, float)),
                    jnp.asarray(number),
                )
            )


def sloth(
    s: Any,
    t: Any,
    family: Any,
    scores: Any,
    *,
    floors: Any,
    skills: int = 1,
    learned: bool = True,
    rates: tuple[float, ...] = RATES,
    seeds: int = 1,
    steps: int = STEPS,
    key: Array | None = None,
) -> Skills:
    r"""Fit skills to the scores of models by the paper's recipe, with a learned or logistic link.

    $$\mathrm{score}_j = c_j + (1 - c_j)\, g_j\left((\theta W_2 + b_2)_j\right), \quad
      \theta = (\ln s, \ln t, \ln s \ln t)\, W_1 + \mathrm{intercept}_{family}$$

    Adam on a smooth absolute error from each rate, falling where it stalls, until the mean
    absolute error has not fallen for 500 steps; the best of all ways is kept. For the logistic
    link `fit(sloth_skills(...))` finds the exact minimum [polo2024].

    Args:
        s: (m,) billions of parameters.
        t: (m,) trillions of tokens.
        family: (m,) names.
        scores: (m, benchmarks) in [0, 1]; NaN where a model was not tested.
        floors: (benchmarks,) scores by chance.
        skills: d, at most the number of benchmarks.
        learned: Whether the links are learned.
        rates: Adam's rates.
        seeds: Starts for each rate.
        steps: Most steps of a way.
        key: Random key; None is a fixed one.

    Raises:
        InputError: The tables do not belong together.

    >>> s, t = np.array([1.0, 7.0, 70.0]), np.array([1.0, 2.0, 2.0])
    >>> scores = np.array([[0.3, 0.2], [0.5, 0.4], [0.7, 0.8]])
    >>> found = sloth(s, t, ["a", "a", "b"], scores, floors=[0.25, 0.0], steps=9, rates=(0.1,))
    >>> found.predict(7.0, 2.0, "a").shape
    (1, 2)
    """
    table, floor = np.asarray(scores, float), np.asarray(floors, float)
    names, number = np.unique(np.asarray(family, str), return_inverse=True)
    if table.ndim != 2 or len(number) != len(table) or floor.shape != table.shape[1:]:
        raise InputError(
            "sloth takes scores (m, benchmarks), m families and a floor per benchmark; got "
            f"{table.shape}, {len(number)} and {floor.shape}."
        )
    if not 1 <= skills <= table.shape[1]:
        raise InputError(f"skills must be 1 to {table.shape[1]}, got {skills}.")
    known = np.isfinite(table)
    with jax.enable_x64(True):
        models = jnp.asarray(s, float), jnp.asarray(t, float), jnp.asarray(number)
        y, there, c = (
            jnp.asarray(np.where(known, table, 0.0)),
            jnp.asarray(known),
            jnp.asarray(floor),
        )

        def objective(weights: Weights) -> tuple[Array, Array]:
            wrong = scores_of(weights, c, *models) - y
            return jnp.mean(smooth_l1(wrong), where=there), jnp.mean(jnp.abs(wrong), where=there)

        def way(rate: Array, key: Array) -> tuple[Weights, Array, Array]:
            start = _start(key, skills, len(names), table.shape[1], learned)
            return descend(
                objective, start, rate=rate, steps=steps, patience=PATIENCE, project=_kept_rising
            )

        keys = jax.random.split(jax.random.key(0) if key is None else key, seeds)
        each: Any = jax.vmap(jax.vmap(way, (None, 0)), (0, None))
        found, error, _ = jax.jit(each)(jnp.asarray(rates), keys)
        i, j = np.unravel_index(int(np.argmin(error)), error.shape)
        weights = jax.tree.map(lambda leaf: leaf[i, j], found)
    return Skills(tuple(map(str, names)), weights, floor, float(error[i, j]), np.asarray(error))


def _start(key: Array, skills: int, families: int, benchmarks: int, learned: bool) -> Any:
    """Normal weights, not negative where more skill should help; links as the paper starts them."""
    keys = jax.random.split(key, 10)
    weights: Any = dict(
        W1=jnp.abs(jax.random.normal(keys[0], (3, skills))),
        intercept=jax.random.normal(keys[1], (families, skills)),
        W2=jnp.abs(jax.random.normal(keys[2], (skills, benchmarks))),
        b2=jax.random.normal(keys[3], (benchmarks,)),
    )
    if learned:
        uniform = partial(jax.random.uniform, minval=-1.0, maxval=1.0)
        inside = 1 / jnp.sqrt(float(UNITS))
        weights["links"] = dict(
            w1=jnp.abs(uniform(keys[4], (benchmarks, UNITS))),
            b1=uniform(keys[5], (benchmarks, UNITS)),
            W2=jnp.abs(uniform(keys[6], (benchmarks, UNITS, UNITS))) * inside,
            b2=uniform(keys[7], (benchmarks, UNITS)) * inside,
            w3=jnp.abs(uniform(keys[8], (benchmarks, UNITS))) * inside,
            b3=uniform(keys[9], (benchmarks,)) * inside,
        )
    return weights


def _kept_rising(weights: Any) -> Any:
    """The same, with no negative weight in a link."""
    if "links" not in weights:
        return weights
    rising = {
        k: jnp.maximum(v, 0.0) if k in ("w1", "W2", "w3") else v
        for k, v in weights["links"].items()
    }
    return {**weights, "links": rising}


QUANTITIES: dict[str, dict[str, Callable[..., Any]]] = {
    "sloth_skills": {"fitted": sloth, "learned_link": increasing}
}
