"""Draws: an uncertainty as a leading axis, whatever it came from, and the ways to make them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jax import Array

from jaxlaws._errors import InputError
from jaxlaws._fit import Fit, labelled
from jaxlaws._interval import check_prob, interval
from jaxlaws._law import Law
from jaxlaws._refit import refit
from jaxlaws._resample import Jackknife, Pairs, Resampler, Sample, inflated_residuals
from jaxlaws._risk import Row, minimise, objective_of
from jaxlaws._solver import CONVERGED, STATUS, Solution

TRUST = 0.03  # share of failed refits above which no interval is given


@dataclass(frozen=True, eq=False)
class Draws:
    """Parameter sets that stand for what is known: from a bootstrap, a posterior, or print.

    Attributes:
        law: The law.
        params: Name -> (draw,) or (draw, k).
        point: Name -> the estimate the draws belong to.
        status: (draw,) the solver's status of each refit; zero is converged.
        solution: How every refit ended, leading axis (draw,); None where nothing was solved.
        origin: How they were made, in words.
        space: Space of the residuals.
        noise: (m,) residuals of single runs in that space: what a new run adds to the law.
        fit: The fit they belong to; None for published constants.
        failure: What failed draws mean and what to do, where they are not refits.
    """

    law: Law
    params: Mapping[str, Array]
    point: Mapping[str, Array]
    status: np.ndarray
    origin: str
    space: str
    noise: np.ndarray
    solution: Solution | None = None
    fit: Fit | None = None
    failure: str = ""

    def __len__(self) -> int:
        return len(self.status)

    @property
    def good(self) -> np.ndarray:
        """(draw,) whether a draw is a certified minimum."""
        return self.status == CONVERGED

    @property
    def failed(self) -> float:
        """Share of refits that are not certified minima."""
        return float(np.mean(~self.good))

    def withheld(self) -> str:
        """Why no interval may be given; empty when it may."""
        if self.fit is not None and not self.fit.converged:
            return f"the fit itself did not converge ({self.fit.status})"
        if self.failed <= TRUST:
            return ""
        if self.failure:
            return f"{self.failed:.1%} of {len(self)} draws failed: {self.failure}"
        counts = ", ".join(
            f"{int(np.sum(self.status == code))} {word}"
            for code, word in STATUS.items()
            if code != CONVERGED and np.any(self.status == code)
        )
        return (
            f"{self.failed:.1%} of {len(self)} refits are no certified minima ({counts}; at most "
            f"{TRUST:.0%} may be): the runs do not identify every parameter of {self.law.name}. "
            "Fix or tie parameters, use a smaller law, or jl.Bayesian(), which keeps every run in."
        )

    def select(self) -> Mapping[str, Array]:
        """Name -> (good draws,) or (good draws, k): the certified draws."""
        return {k: v[self.good] for k, v in self.params.items()}

    def frame(self, prob: float = 0.9, kind: str = "percentile") -> pd.DataFrame:
        """Estimates with intervals: parameter, unit, estimate, se, low, high.

        Args:
            prob: Probability of the central interval.
            kind: "percentile", "basic" (reflected at the estimate) or "bca" (bias-corrected and
                accelerated; refits the jackknife).

        Returns:
            A table indexed by parameter; `attrs` holds prob and kind, and `withheld` the reason
            where low and high are left empty.
        """
        check_prob(prob)
        reason = self.withheld()
        rows = []
        jack = _jackknife(self) if kind == "bca" and not reason else None
        chosen = self.select()
        for name, estimate in self.point.items():
            unit = self.law.params[name].unit
            values = np.asarray(chosen[name], float).reshape(int(self.good.sum()), -1)
            for j, (label, at) in enumerate(labelled(name, estimate)):
                column = values[:, j]
                low = high = se = np.nan
                if not reason and len(column) > 1:
                    ends = (
                        None
                        if jack is None
                        else np.asarray(jack[name]).reshape(len(jack[name]), -1)[:, j]
                    )
                    low, high = interval(column, prob, kind, at, ends)
                    se = float(np.std(column, ddof=1))
                rows.append(
                    dict(parameter=label, unit=unit, estimate=at, se=se, low=low, high=high)
                )
        frame = pd.DataFrame(rows).set_index("parameter")
        frame.attrs.update(prob=prob, kind=kind, withheld=reason)
        return frame

    def __repr__(self) -> str:
        frame = self.frame()
        reason = frame.attrs["withheld"]
        head = (
            f"{self.law.name}: {self.origin}, {len(self)} draws, {int((~self.good).sum())} failed"
        )
        if reason:
            return f"{head}\n  no intervals: {reason}"
        shown = frame.drop(columns="unit").to_string(float_format="{:.5g}".format)
        return "\n".join([head + ", 90 % intervals", *("  " + s for s in shown.split("\n"))])

    def then(self, second: "Draws", *, name: str = "") -> "Draws":
        """The chain of two sets of draws: what these predict is the other law's only input.

        Draw i of one goes with draw i of the other.
        """
        if len(self) != len(second):
            raise InputError(
                f"A chain needs as many draws of each law; got {len(self)} and {len(second)}."
            )
        return Draws(
            law=self.law.then(second.law, name=name),
            params={**self.params, **second.params},
            point={**self.point, **second.point},
            status=np.maximum(self.status, second.status),
            origin=f"{self.origin} then {second.origin}",
            space=second.space,
            noise=second.noise,
        )


def published(law: Law, key: str | None = None) -> Draws:
    """A law's published constants as a single draw, so that predict and frontier take them.

    >>> import jaxlaws as jl
    >>> len(jl.published(jl.laws.chinchilla, "hoffmann2022_unrounded"))
    1
    """
    with jax.enable_x64(True):
        point = {k: jnp.asarray(v, float) for k, v in law.published(key).items()}
        return Draws(
            law=law,
            params={k: v[None] for k, v in point.items()},
            point=point,
            status=np.zeros(1, int),
            origin=f"published constants {key or next(iter(law.constants))}",
            space=law.target.space,
            noise=np.zeros(1),
        )


def bootstrap(
    fit: Fit,
    resampler: Resampler | None = None,
    *,
    draws: int = 4000,
    key: Array | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Draws:
    """Refit a law to resampled runs.

    Every refit starts at the fit's lowest minimum. A probe of them is then restarted from the
    fit's other minima and from the ends of other refits; where that finds lower minima, all are,
    until restarts stop paying.

    Args:
        fit: The fit.
        resampler: `Pairs` (the default), `Bayesian`, `Residual`, `Wild`, `Parametric`, `Jackknife`.
        draws: Number of resamples; the jackknife takes one per run or group.
        key: Random key; None is a fixed one. Draw i depends on the key and i alone.
        progress: Called with (done, total).

    Raises:
        InputError: Fewer than two draws.
    """
    resampler = resampler or Pairs()
    key = jax.random.key(0) if key is None else key
    sample = fit.sample
    if isinstance(resampler, Jackknife):
        draws = resampler.count(sample)
    if draws < 2:
        raise InputError(f"A bootstrap needs at least 2 draws, got {draws}.")
    problem = fit.problem

    def table(ids: np.ndarray) -> tuple[Any, Any, Any]:
        with jax.enable_x64(True):  # one stream of random numbers whatever the solve's precision
            weight, target = resampler.draw(key, ids, sample)
        made = None if target is None else np.asarray(target)
        return np.asarray(weight), made, np.zeros(len(ids), int)

    solution = refit(fit, np.arange(draws), table, progress)
    z = solution.z
    if isinstance(resampler, Jackknife):
        # Leave-one-out estimates hardly move; spread so that their sd is the jackknife's.
        z = z.mean(axis=0) + (z - z.mean(axis=0)) * (draws - 1) / np.sqrt(draws)
    with jax.enable_x64(problem.dtype == "float64"):
        frame = problem.frame()
        back = jax.jit(jax.vmap(lambda one: problem.layout.to_params(one, frame)))
        params = fit.law.canonical(back(jnp.asarray(z)))
    return Draws(
        law=fit.law,
        params=params,
        point=fit.params,
        status=np.asarray(solution.status),
        origin=f"{type(resampler).__name__.lower()} bootstrap"
        + (" by group" if getattr(resampler, "by", None) else ""),
        space=fit.space,
        noise=_noise(sample),
        solution=solution,
        fit=fit,
    )


def laplace(fit: Fit, *, draws: int = 4000, key: Array | None = None) -> Draws:
    r"""Draws from the normal approximation at the minimum, with the sandwich covariance.

    $$\hat\Sigma = H^{-1} \left(\sum_i w_i^2 g_i g_i^\top\right) H^{-1}$$

    in z, with H the Hessian of the risk and g_i the gradient of run i's score: no refits, right
    when the risk is near quadratic, and silent about other minima.
    """
    problem = fit.problem
    key = jax.random.key(0) if key is None else key
    with jax.enable_x64(problem.dtype == "float64"):
        covariance = sandwich(fit)
        root = np.linalg.cholesky(
            covariance + 1e-14 * np.trace(covariance) * np.eye(len(covariance))
        )
        noise = np.asarray(jax.random.normal(key, (draws, len(root))))
        z = fit.solution.z[0] + noise @ root.T
        frame = problem.frame()
        params = fit.law.canonical(
            jax.jit(jax.vmap(lambda one: problem.layout.to_params(one, frame)))(jnp.asarray(z))
        )
    return Draws(
        law=fit.law,
        params=params,
        point=fit.params,
        status=np.zeros(draws, int),
        origin="Laplace approximation",
        space=fit.space,
        noise=_noise(fit.sample),
        fit=fit,
    )


def sandwich(fit: Fit) -> np.ndarray:
    """Covariance (p, p) of z at the minimum, from the curvature and the scores of single runs."""
    problem = fit.problem
    risk = objective_of(problem.law, problem.space)
    target = jnp.asarray(problem.target[0], problem.dtype)
    z = jnp.asarray(fit.solution.z[0], problem.dtype)
    one = jnp.ones((), z.dtype)

    def of(z: Array, weight: Array) -> Array:
        return risk(z, one, problem.shared, Row(weight, target, jnp.zeros((), jnp.int32)))

    weight = jnp.asarray(fit.runs.weight, problem.dtype)
    hess = np.asarray(jax.jit(jax.hessian(of))(z, weight), float)
    # The risk is linear in the weights: its mixed derivative holds every run's own gradient.
    each = np.asarray(jax.jit(jax.jacfwd(jax.grad(of), argnums=1))(z, weight), float)
    scores = each * np.asarray(weight)
    bread = np.linalg.pinv(hess, hermitian=True)
    spare = fit.sample.spare
    n = float((fit.runs.weight > 0).sum())
    return bread @ (scores @ scores.T) @ bread * (n / spare)


def _jackknife(draws: Draws) -> Mapping[str, Array]:
    if draws.fit is None:
        raise InputError("A bca interval needs draws that belong to a fit.")
    fit, problem = draws.fit, draws.fit.problem
    out = Jackknife()
    ids = np.arange(out.count(fit.sample))

    def table(ids: np.ndarray) -> tuple[Any, Any, Any]:
        weight, _ = out.draw(jax.random.key(0), ids, fit.sample)
        return np.asarray(weight), None, np.zeros(len(ids), int)

    solution = minimise(problem, fit.solver, np.tile(fit.minima[0], (len(ids), 1)), ids, table)
    with jax.enable_x64(problem.dtype == "float64"):
        frame = problem.frame()
        z = jnp.asarray(solution.z[solution.status == CONVERGED])
        return fit.law.canonical(jax.vmap(lambda one: problem.layout.to_params(one, frame))(z))


def _noise(sample: Sample) -> np.ndarray:
    return inflated_residuals(sample)
