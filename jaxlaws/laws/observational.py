"""Scores of many published models: capabilities shared by benchmarks, and what moves them."""

from collections.abc import Callable
from functools import lru_cache
from typing import Annotated

import jax
import jax.numpy as jnp
from jax import Array

from jaxlaws._law import Law, Parameter, Variable, law
from jaxlaws._support import real, unit
from jaxlaws.quantities import Accuracy

SWEEPS = 100  # rounds of imputation: enough for 6 digits on a table of a hundred models

Billions = Annotated[Array, Variable("1e9 parameters", typical=(1e-3, 1e5))]
Trillions = Annotated[Array, Variable("1e12 tokens", typical=(1e-4, 1e4))]
Number = Annotated[Array, Variable("number", real)]
Floor = Annotated[Array, Parameter("", unit, (0.02, 0.5))]
Level = Annotated[Array, Parameter("", real, (-5.0, 5.0))]


@lru_cache(maxsize=32)
def ruan_observational(components: int = 3) -> Law:
    """Score of a task from so many capabilities of a model.

    >>> ruan_observational(2).params["w"].size
    (2,)
    """
    Weights = Annotated[Array, Parameter("", real, (-10.0, 10.0), (components,))]

    Capabilities = Annotated[Array, Variable("score", real, size=(components,))]

    def fn(S: Capabilities, *, h: Floor, w: Weights, b: Level) -> Accuracy:
        r"""Score of a task from a model's capabilities S, components of its benchmark scores.

        $$E_m = h + (1 - h)\,\sigma(w^\top S_m + b)$$

        h is the floor by chance, fixed or fitted; S from `capabilities` [ruan2024].
        """
        return task_score(S, h, w, b)

    return law(fn, source="ruan2024", name=f"ruan_observational({components})")


def task_score(S: Array, h: Array, w: Array, b: Array) -> Array:
    """Score of a task at capabilities S (..., k) with weights w (k,) [ruan2024]."""
    return h + (1 - h) * jax.nn.sigmoid(jnp.sum(jnp.asarray(w) * jnp.asarray(S), axis=-1) + b)


def log_equivalent_compute(S: Array, w: Array, theta_ref: Array, nu_ref: Array) -> Array:
    """Log of the compute at which a reference family scores the same.

    S = theta ln C + nu along a family; all arguments have (k,) components [ruan2024].
    """
    S, w, theta, nu = (jnp.asarray(v) for v in (S, w, theta_ref, nu_ref))
    return jnp.sum(w * (S - nu)) / jnp.sum(w * theta)


def imputed(scores: Array, components: int = 1) -> Array:
    """Scores (models, benchmarks) with NaN filled by as many principal components, iterated."""
    known = jnp.isfinite(scores)
    means = jnp.nanmean(scores, axis=0, keepdims=True)

    def sweep(_: int, table: Array) -> Array:
        middle = table.mean(axis=0, keepdims=True)
        left, size, right = jnp.linalg.svd(table - middle, full_matrices=False)
        low_rank = (left[:, :components] * size[None, :components]) @ right[:components] + middle
        return jnp.where(known, scores, low_rank)

    return jax.lax.fori_loop(0, SWEEPS, sweep, jnp.where(known, scores, means))


def capabilities(scores: Array, components: int = 3) -> tuple[Array, Array]:
    """Capabilities (models, k) of a full score table, and the share of variance of each (k,).

    Columns are centred, not scaled [ruan2024].
    """
    centred = scores - scores.mean(axis=0, keepdims=True)
    left, size, _ = jnp.linalg.svd(centred, full_matrices=False)
    share = size**2 / jnp.sum(size**2)
    return left[:, :components] * size[None, :components], share[:components]


@lru_cache(maxsize=32)
def sloth_skills(skills: int, families: int, benchmarks: int) -> Law:
    """Scores on benchmarks from a few skills that size and tokens give to a family [polo2024].

    >>> sloth_skills(2, 5, 3).params["W1"].size
    (3, 2)
    """
    Slopes = Annotated[Array, Parameter("", real, (-2.0, 2.0), (3, skills))]
    Starts = Annotated[Array, Parameter("", real, (-4.0, 4.0), (families, skills))]
    Loadings = Annotated[Array, Parameter("", real, (-3.0, 3.0), (skills, benchmarks))]
    Levels = Annotated[Array, Parameter("", real, (-5.0, 5.0), (benchmarks,))]
    Floors = Annotated[Array, Parameter("", unit, (0.02, 0.5), (benchmarks,))]

    def fn(
        s: Billions,
        t: Trillions,
        family: Number,
        benchmark: Number,
        *,
        W1: Slopes,
        intercept: Starts,
        W2: Loadings,
        b2: Levels,
        c: Floors,
    ) -> Accuracy:
        r"""Score on a benchmark of a family's model with s billion parameters, t trillion tokens.

        $$\mathrm{score}_j = c_j + (1 - c_j)\, g\left((\theta W_2 + b_2)_j\right), \quad
          \theta = (\ln s, \ln t, \ln s \ln t)\, W_1 + \mathrm{intercept}_{family}$$

        g is logistic. The units of s and t decide what the product term means. Skills are found up
        to an affine map: ``fix(W2=..., b2=...)`` leaves none free; fix c at chance [polo2024].
        """
        i, j = family.astype(int), benchmark.astype(int)
        # Held parameters are numpy arrays, which a traced number cannot index.
        own, weight, shift, chance = map(jnp.asarray, (intercept, W2, b2, c))
        return skill_score(s, t, W1, own[i], weight[:, j], shift[j], chance[j])

    return law(fn, source="polo2024", name=f"sloth_skills({skills}, {families}, {benchmarks})")


def skill_score(
    s: Array, t: Array, W1: Array, intercept: Array, W2: Array, b2: Array, c: Array
) -> Array:
    """Scores of one model: W1 (3,) or (3, skills), W2 () or (skills,) or (skills, benchmarks)."""
    u, v = jnp.log(s), jnp.log(t)
    theta = jnp.dot(jnp.stack([u, v, u * v]), jnp.asarray(W1) * 1.0) + jnp.asarray(intercept)
    return c + (1 - c) * jax.nn.sigmoid(jnp.dot(theta, jnp.asarray(W2) * 1.0) + b2)


FAMILIES: dict[str, Callable[..., Law]] = {
    "ruan_observational": ruan_observational,
    "sloth_skills": sloth_skills,
}

QUANTITIES: dict[str, dict[str, Callable[..., Array | tuple[Array, ...]]]] = {
    "ruan_observational": {
        "E_m": task_score,
        "ln_C_equivalent": log_equivalent_compute,
        "imputed": imputed,
        "S": capabilities,
    },
    "sloth_skills": {"score": skill_score},
}
