"""diagnose: what the runs say about a law's parameters, and what they leave open."""

import math
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jax import Array

from jaxlaws._fit import Fit
from jaxlaws._interval import check_prob
from jaxlaws._profile import Profile, likelihood_limit, profiles
from jaxlaws._risk import Row, objective_of
from jaxlaws._search import AGREE

NEARLY_AS_GOOD = 0.01  # a rise of the objective for which nobody would turn a fit down
# In z one unit is a standard deviation of what the literature finds. A range half as wide, 25 %
# either way for E and 30 % for an exponent, hardly adds to that: an exponent of 0.35 so known
# leaves the reducible loss open by a factor of 1.6 over two decades of extrapolation.
WIDE = 0.5
LOWER = 1e-4  # a gain of the objective beyond rounding, also in float32
SLOPPY = 1e-3  # share of the largest curvature below which a direction is called sloppy
PART = 0.3  # components of a unit direction that are worth a word


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """What the runs say about a law's parameters; prints as a report.

    Attributes:
        fit: The fit.
        prob: Probability of the profile intervals.
        profiles: A profile of every coordinate; none where the fit did not converge.
        eigenvalues: (k,) of the exact Hessian of the risk in z over the coordinates that are free,
            lowest first.
        sloppy: Directions in which parameters trade off against each other, in words.
        linear_share: Share of the runs in the objective's linear zone; None where it has none.
        minima: Number of distinct minima within 1 % of the lowest objective.
        lowest: The lowest objective met, in its own units.
        limit: The objective at the ends of the profile intervals.
    """

    fit: Fit
    prob: float
    profiles: tuple[Profile, ...]
    eigenvalues: np.ndarray
    sloppy: tuple[str, ...]
    linear_share: float | None
    minima: int
    lowest: float
    limit: float

    @property
    def near(self) -> float:
        """The objective up to which a fit is nearly as good: 1 % above the lowest."""
        return self.lowest + NEARLY_AS_GOOD * self._size

    @property
    def _size(self) -> float:
        """What a difference of objectives is compared with, also where no residual is left."""
        return max(self.lowest, 1e-6 * float(self.fit.problem.shared.scale[0]))

    @property
    def condition(self) -> float:
        """Ratio of the largest to the smallest eigenvalue; infinite where one is not positive."""
        if not len(self.eigenvalues) or self.eigenvalues[0] <= 0:
            return math.inf
        return float(self.eigenvalues[-1] / self.eigenvalues[0])

    @property
    def unidentified(self) -> tuple[str, ...]:
        """Labels of what the runs do not identify."""
        return tuple(p.label for p in self.profiles if not self._known(p))

    def _known(self, p: Profile) -> bool:
        return (
            float(np.diff(p.span(self.near))[0]) <= WIDE
            and float(np.diff(p.span(self.limit))[0]) <= 2 * WIDE
        )

    def frame(self) -> pd.DataFrame:
        """One row per coordinate, indexed by its label.

        Returns:
            Columns `unit`; `estimate`; `low`, `high`, the profile interval (likelihood ratio of the
            objective's own density, scale profiled out); `near_low`, `near_high`, the range whose
            objective is within 1 % of the lowest; `identified`. An end of zero or infinity says
            that nothing on that side was any worse. `attrs` holds prob.
        """
        columns = "parameter unit estimate low high near_low near_high identified".split()
        rows = [
            (
                p.label,
                p.unit,
                p.estimate,
                *p.within(self.limit),
                *p.within(self.near),
                self._known(p),
            )
            for p in self.profiles
        ]
        frame = pd.DataFrame(rows, columns=columns).set_index("parameter")
        frame.attrs["prob"] = self.prob
        return frame

    @property
    def headline(self) -> str:
        """The sentence that matters."""
        fit = self.fit
        n = int((fit.runs.weight > 0).sum())
        if not self.profiles:
            return f"The fit did not converge ({fit.status}), so nothing can be said about it."
        open_ = [self._said(p) for p in self.profiles if not self._known(p)]
        if open_:
            return "\n".join(f"{n} runs do not identify {words}." for words in open_)
        return f"{n} runs identify every parameter of {fit.law.name}."

    def _said(self, p: Profile) -> str:
        low, high = p.within(self.near)
        nearly = "nearly as good (objective within 1 %)"
        open_low, open_high = np.isinf(p.span(self.near))
        if open_low and open_high:
            words = f"every value is {nearly}"
        elif open_high:
            words = f"every value above {low:.3g}, without an upper end, is {nearly}"
        elif open_low:
            words = f"every value below {high:.3g}, without a lower end, is {nearly}"
        else:
            words = f"values from {low:.3g} to {high:.3g} are {nearly}"
        ends = zip(
            ("lower", "upper"), np.isinf(p.span(self.limit)), (open_low, open_high), strict=True
        )
        missing = " or ".join(side for side, wide, already in ends if wide and not already)
        if missing:
            words += f", and the {self.prob:.0%} profile interval has no {missing} end"
        return f"{p.label}: {words}"

    def notes(self) -> list[str]:
        """What else a reader must know, in words."""
        fit = self.fit
        out = []
        if fit.value - self.lowest > LOWER * self._size:
            out.append(
                f"Profiling found a lower objective ({self.lowest:.8g}, the fit {fit.value:.8g}): "
                "the fit is not at the global minimum; fit again with more starts."
            )
        if self.minima > 1:
            out.append(f"{self.minima} distinct minima lie within 1 % of the lowest objective.")
        out += [f"Sloppy: {words}." for words in self.sloppy]
        if self.linear_share is not None and self.linear_share > 0.5:
            out.append(
                f"{self.linear_share:.0%} of the runs lie in {fit.objective.label}'s linear zone: "
                "nearly least absolute deviations."
            )
        out += [f"The term of {name} contributes nothing anywhere." for name in fit.dead]
        out += [f"{note}: the data do not bound it on that side." for note in fit.at_bound]
        return out

    def __repr__(self) -> str:
        lines = [self.headline]
        if self.profiles:
            rise = self.limit / self.lowest - 1 if self.lowest > 0 else 0.0
            table = self.frame().to_string(float_format="{:.4g}".format)
            lines += [
                f"  low, high: {self.prob:.0%} profile interval (objective + {rise:.2%}); "
                "near: objective within 1 %",
                *("  " + row for row in table.split("\n")),
                f"  curvature in z: condition {self.condition:.2g}",
            ]
        return "\n".join([*lines, *("  note: " + note for note in self.notes())])


def diagnose(fit: Fit, *, prob: float = 0.9, key: Array | None = None) -> Diagnosis:
    r"""Find out which parameters of a fit the runs identify.

    Every coordinate is held at a grid of values and all the others are fitted again,

    $$V_j(v) = \min_{\theta:\ \theta_j = v} V(\theta)$$

    so that whatever can make up for it does. E and the exponents are profiled in their own units;
    an amplitude is profiled as the size of its term at the centre of the runs ("A at the centre":
    where every input is at its geometric mean, in units of the target), because A alone says
    nothing without its exponent.

    A coordinate counts as not identified when the range within 1 % of the lowest objective is wider
    than half a standard deviation of its typical range (about 25 % either way for E and the terms,
    30 % for exponents), or the profile interval twice as wide, or when either has no end.

    Args:
        fit: The fit.
        prob: Probability of the profile intervals.
        key: Seeds the refits' starts from elsewhere; None is a fixed seed.

    Raises:
        InputError: prob does not lie between 0 and 1.

    >>> import jaxlaws as jl
    >>> fit = jl.fit(jl.laws.chinchilla, jl.datasets.runs("simulated_chinchilla"), starts=8)
    >>> diagnose(fit).unidentified
    ()
    """
    check_prob(prob)
    scale = float(fit.problem.shared.scale[0])
    found = profiles(fit, key) if fit.converged else ()
    lowest = min([fit.value, *(float(p.objective.min()) for p in found)])
    with jax.enable_x64(fit.problem.dtype == "float64"):
        eigenvalues, sloppy = _curvature(fit, found)
    share = getattr(fit.objective, "linear_share", None)
    return Diagnosis(
        fit=fit,
        prob=prob,
        profiles=found,
        eigenvalues=eigenvalues,
        sloppy=sloppy,
        linear_share=share and share(fit.residual, fit.runs.weight),
        minima=_distinct(fit, lowest / scale * (1 + NEARLY_AS_GOOD)),
        lowest=lowest,
        limit=likelihood_limit(fit, lowest, prob) if found else math.nan,
    )


def _distinct(fit: Fit, most: float) -> int:
    """Number of different objectives at which starts ended, up to a limit."""
    value, status = np.asarray(fit.solution.value), np.asarray(fit.solution.status)
    good = np.sort(value[(value <= most) & (status == 0)])
    return int(np.sum(np.diff(good, prepend=-np.inf) > AGREE[fit.problem.dtype] * good))


@partial(jax.jit, static_argnums=0)
def _hessian(risk, z: Array, shared: object, row: Row) -> Array:  # type: ignore[no-untyped-def]
    one = jnp.ones((), z.dtype)
    return jax.hessian(lambda at: risk(at, one, shared, row))(z)


def _curvature(fit: Fit, found: tuple[Profile, ...]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Eigenvalues of the Hessian over free coordinates, and the sloppy directions in words."""
    problem = fit.problem
    number = np.dtype(problem.dtype)
    row = Row(
        jnp.asarray(problem.weight[0], number),
        jnp.asarray(problem.target[0], number),
        jnp.zeros((), jnp.int32),
    )
    z = np.asarray(fit.solution.z[0])
    lower, upper = problem.layout.bounds(problem.dtype)
    free = np.flatnonzero((z > lower + 1e-6) & (z < upper - 1e-6))
    risk = objective_of(problem.law, problem.space)
    hess = np.asarray(_hessian(risk, jnp.asarray(z, number), problem.shared, row), float)
    values, vectors = np.linalg.eigh(hess[np.ix_(free, free)])
    words = []
    for value, vector in zip(values, vectors.T, strict=True):
        parts = [i for i in np.argsort(-np.abs(vector)) if abs(vector[i]) >= PART]
        if value > SLOPPY * values[-1] or not found or len(parts) < 2:
            continue
        moves = [
            f"{found[free[i]].label} {'rises' if vector[i] * vector[parts[0]] > 0 else 'falls'}"
            for i in parts
        ]
        words.append(
            f"{moves[0]} while {' and '.join(moves[1:])}, at {max(value, 0.0) / values[-1]:.0e} of "
            "the stiffest curvature"
        )
    return values, tuple(words)
