"""bootstrap and laplace: draws of a fit's parameters, by refits or from the curvature."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax import Array

from jaxlaws._curvature import sandwich, to_params
from jaxlaws._draws import Draws
from jaxlaws._errors import InputError
from jaxlaws._fit import Fit
from jaxlaws._refit import refit
from jaxlaws._resample import Jackknife, Pairs, Resampler, inflated_residuals
from jaxlaws._risk import grow

BLOCK = 256  # resamples drawn at a time: one compiled shape whoever asks


def bootstrap(
    fit: Fit,
    resampler: Resampler | None = None,
    *,
    draws: int = 4000,
    key: Array | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Draws:
    """Refit a law to resampled runs.

    Every refit starts at the fit's lowest minimum. Where the fit has no other, a probe of them is
    restarted from elsewhere, and all are only if that finds lower minima; where it has, all are
    restarted, round by round, until that stops paying.

    Args:
        fit: The fit.
        resampler: `Pairs` (the default), `Bayesian`, `Residual`, `Wild`, `Parametric`, `Jackknife`.
        draws: Number of resamples; the jackknife takes one per run or group.
        key: Random key; None is a fixed one. Resample i depends on the key and i alone.
        progress: Called with (done, total).

    Raises:
        InputError: Fewer than two draws, or no resampler.
    """
    resampler = resampler or Pairs()
    if isinstance(resampler, type) or not callable(getattr(resampler, "draw", None)):
        raise InputError(f"bootstrap takes a resampler, e.g. jl.Pairs(); got {resampler!r}.")
    key = jax.random.key(0) if key is None else key
    sample = fit.sample
    if isinstance(resampler, Jackknife):
        draws = resampler.count(sample)
    if draws < 2:
        raise InputError(f"A bootstrap needs at least 2 draws, got {draws}.")

    def table(ids: np.ndarray) -> tuple[Any, Any, Any]:
        with jax.enable_x64(True):  # one stream of random numbers whatever the solve's precision
            parts = [
                resampler.draw(key, grow(ids[i : i + BLOCK], BLOCK), sample)
                for i in range(0, len(ids), BLOCK)
            ]
        weight, target = (
            None if part[0] is None else np.concatenate(part)[: len(ids)]
            for part in zip(*parts, strict=True)
        )
        return weight, target, np.zeros(len(ids), int)

    solution, lowered = refit(
        fit.problem, fit.solver, [fit.minima], np.zeros(draws, int), table, progress
    )
    z = solution.z
    if isinstance(resampler, Jackknife):
        # Leave-one-out estimates hardly move; spread so that their sd is the jackknife's.
        z = z.mean(axis=0) + (z - z.mean(axis=0)) * (draws - 1) / np.sqrt(draws)
    return Draws(
        law=fit.law,
        params=to_params(fit, z),
        point=fit.params,
        status=np.asarray(solution.status),
        origin=f"{type(resampler).__name__.lower()} bootstrap"
        + (" by group" if getattr(resampler, "by", None) else ""),
        space=fit.space,
        noise=inflated_residuals(sample),
        solution=solution,
        lowered=float(lowered[0]),
        fit=fit,
    )


def laplace(fit: Fit, *, draws: int = 4000, key: Array | None = None) -> Draws:
    r"""Draws from the normal approximation at the minimum, with the sandwich covariance.

    $$\hat\Sigma = H^{-1} \left(\sum_i w_i^2 g_i g_i^\top\right) H^{-1}$$

    in z, with H the Hessian of the risk and g_i the gradient of run i's score: no refits, right
    when the risk is near quadratic, and silent about other minima.
    """
    if draws < 2:
        raise InputError(f"An interval needs at least 2 draws, got {draws}.")
    problem = fit.problem
    key = jax.random.key(0) if key is None else key
    with jax.enable_x64(problem.dtype == "float64"):
        covariance = sandwich(fit)
        values, vectors = np.linalg.eigh(covariance)  # no Cholesky root where directions are flat
        root = vectors * np.sqrt(np.maximum(values, 0.0))
        noise = np.asarray(jax.random.normal(key, (draws, len(root))))
    return Draws(
        law=fit.law,
        params=to_params(fit, fit.solution.z[0] + noise @ root.T),
        point=fit.params,
        status=np.zeros(draws, int),
        origin="Laplace approximation",
        space=fit.space,
        noise=inflated_residuals(fit.sample),
        fit=fit,
    )
