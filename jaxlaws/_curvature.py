"""The objective's curvature at the minimum: a covariance, and directions that have none."""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxlaws._coordinates import Coordinates, Frame
from jaxlaws._fit import FLAT, Fit
from jaxlaws._risk import Row, Shared, objective_of

# The fit's condition is of the residuals' slopes alone; the Hessian may be flatter than they are,
# and is made only where they leave room for that.
SUSPECT = 1e6


def to_params(fit: Fit, z: np.ndarray | Array) -> dict[str, np.ndarray]:
    """Name -> (draw,) or (draw, k), in the law's order, from z (draw, p)."""
    problem = fit.problem
    with jax.enable_x64(problem.dtype == "float64"):
        found = _to_params(problem.layout, problem.frame(), jnp.asarray(z, problem.dtype))
        found = fit.law.canonical(found)
        return {name: np.asarray(found[name]) for name in fit.law.params}


@partial(jax.jit, static_argnums=0)
def _to_params(layout: Coordinates, frame: Frame, z: Array) -> dict[str, Array]:
    return jax.vmap(lambda one: layout.to_params(one, frame))(z)


def sandwich(fit: Fit) -> np.ndarray:
    """Covariance (p, p) of z at the minimum, from the curvature and the scores of single runs."""
    return _sandwiched(fit, np.linalg.pinv(_curvature(fit), hermitian=True), _scores(fit))


def directions(fit: Fit) -> tuple[np.ndarray, np.ndarray]:
    """Directions in z that the runs leave open, and standard errors along all others.

    Returns:
        (k, p) unit directions without curvature, mostly none; (p, p) rows whose outer products sum
        to the sandwich covariance of what has curvature.
    """
    layout = fit.problem.layout
    nothing = np.zeros((0, layout.size))
    if not fit.condition > SUSPECT:
        return nothing, nothing
    hess = _curvature(fit)
    lower, upper = layout.bounds(fit.problem.dtype)
    z = fit.solution.z[0]
    free = np.eye(layout.size)[(z > lower + 1e-6) & (z < upper - 1e-6)]
    values, vectors = np.linalg.eigh(free @ hess @ free.T)
    flat = values <= np.max(values, initial=0.0) / FLAT
    if not flat.any():
        return nothing, nothing
    axes = vectors.T @ free
    stiff = axes[~flat]
    covariance = _sandwiched(fit, stiff.T @ (stiff / values[~flat, None]), _scores(fit))
    spread, main = np.linalg.eigh(covariance)
    return axes[flat], np.sqrt(np.maximum(spread, 0.0))[:, None] * main.T


def _sandwiched(fit: Fit, bread: np.ndarray, scores: np.ndarray) -> np.ndarray:
    n = float((fit.runs.weight > 0).sum())
    return bread @ (scores @ scores.T) @ bread * (n / fit.sample.spare)


def _curvature(fit: Fit) -> np.ndarray:
    """Hessian (p, p) of the risk in z at the minimum."""
    with jax.enable_x64(fit.problem.dtype == "float64"):
        return np.asarray(_hessian(*_minimum(fit)), float)


def _scores(fit: Fit) -> np.ndarray:
    """Every run's own gradient (p, n): the risk is linear in the weights."""
    with jax.enable_x64(fit.problem.dtype == "float64"):
        return np.asarray(_slopes(*_minimum(fit)), float) * fit.runs.weight


def _minimum(fit: Fit) -> tuple[Callable[..., Array], Array, Array, Array, Shared]:
    """A fit's risk, and what it is evaluated with: z, weights, targets, the rest."""
    problem = fit.problem
    arrays = (fit.solution.z[0], fit.runs.weight, problem.target[0])
    z, weight, target = (jnp.asarray(v, problem.dtype) for v in arrays)
    return objective_of(problem.law, problem.space), z, weight, target, problem.shared


def _value(
    risk: Callable[..., Array], z: Array, weight: Array, target: Array, shared: Shared
) -> Array:
    one = jnp.ones((), z.dtype)
    return risk(z, one, shared, Row(weight, target, jnp.zeros((), jnp.int32)))


_hessian = jax.jit(jax.hessian(_value, argnums=1), static_argnums=0)
_slopes = jax.jit(jax.jacfwd(jax.grad(_value, argnums=1), argnums=2), static_argnums=0)
