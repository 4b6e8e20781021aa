"""fit: the global minimum of a law's risk over a table of runs, and how sure one can be of that."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jax import Array

from jaxlaws._coordinates import DEAD_TERM, Frame, coordinates
from jaxlaws._errors import InputError
from jaxlaws._law import Law
from jaxlaws._objective import SPACES, Huber, Objective
from jaxlaws._resample import Sample, noise_scale
from jaxlaws._risk import Problem, build, residuals
from jaxlaws._runs import Runs, Stack
from jaxlaws._search import AGREE, NEARLY, distinct, search
from jaxlaws._solver import CONVERGED, STATUS, Newton, Solution

FLAT = 1e10  # condition number above which a direction is not identified


@dataclass(frozen=True, eq=False)
class Fit:
    """A fitted law.

    Attributes:
        law: The law.
        runs: The runs it was fitted to, with exactly the law's inputs.
        objective: What was minimised.
        space: Space of the residuals.
        params: Name -> () or (k,) estimate.
        value: The objective, summed over runs, in its own units.
        residual: (n,) measured minus fitted in the space of residuals.
        solution: Every start's end, leading axis (start,), lowest first.
        minima: (k, p) distinct low minima in z, lowest first.
        status: "converged", or what went wrong at the best start.
        condition: How much better the best identified direction of z is known than the worst, as a
            ratio of variances; infinite where a direction has no effect on any run.
        at_bound: Parameters at an end of their range, and which end.
        dead: Parameters whose term contributes nothing anywhere.
        problem: The compiled problem, for refits.
        solver: The solver's settings.
    """

    law: Law
    runs: Runs
    objective: Objective
    space: str
    params: Mapping[str, Array]
    value: float
    residual: np.ndarray
    solution: Solution
    minima: np.ndarray
    status: str
    condition: float
    at_bound: tuple[str, ...]
    dead: tuple[str, ...]
    problem: Problem
    solver: Newton

    @property
    def converged(self) -> bool:
        """Whether the best start ended at a certified minimum."""
        return self.status == STATUS[CONVERGED]

    @property
    def agreeing(self) -> int:
        """How many starts ended at the same objective as the best."""
        value = self.solution.value
        return int(np.sum(value <= value[0] * (1 + AGREE[self.problem.dtype]) + 1e-12))

    @property
    def sample(self) -> Sample:
        """The data and the fit in the space of residuals, as resamplers look at them."""
        target = self.problem.target[0]
        return Sample(
            weight=self.runs.weight,
            target=target,
            fitted=target - self.residual,
            group=self.runs.group,
            spare=max(1.0, float((self.runs.weight > 0).sum() - self.problem.layout.size)),
        )

    @property
    def scale(self) -> float:
        """Standard deviation of the residuals, with the spent parameters accounted for."""
        return noise_scale(self.sample)

    def bind(self) -> Law:
        """The law with its parameters held at the estimates: a function of the inputs alone."""
        return self.law.fix(**{k: np.asarray(v) for k, v in self.params.items()})

    def frame(self) -> pd.DataFrame:
        """Estimates as a table: parameter, unit, estimate, note."""
        notes = {n.split(" ")[0]: n.split(" ", 1)[1] for n in self.at_bound}
        notes |= {n: "dead term" for n in self.dead}
        return pd.DataFrame(
            [
                dict(
                    parameter=label,
                    unit=self.law.params[name].unit,
                    estimate=v,
                    note=notes.get(name, ""),
                )
                for name, value in self.params.items()
                for label, v in labelled(name, value)
            ]
        ).set_index("parameter")

    def notes(self) -> list[str]:
        """What a reader must know before believing the estimates, in words."""
        out = []
        if not self.converged:
            out.append(
                f"The best start did not converge ({self.status}): do not use these numbers."
            )
        if self.agreeing < len(self.solution.value) / 2:
            out.append(
                f"Only {self.agreeing} of {len(self.solution.value)} starts reach the lowest "
                f"minimum; {len(self.minima)} distinct minima lie within {NEARLY:g} times it."
            )
        for name in self.dead:
            out.append(
                f"The term of {name} contributes nothing anywhere, also after restarts: "
                "the data do not ask for it."
            )
        out += [f"{note}: the data do not bound it on that side." for note in self.at_bound]
        if self.condition > FLAT:
            out.append(
                f"A direction of the parameters is not identified (condition {self.condition:.1e})."
            )
        if isinstance(self.objective, Huber):
            share = self.objective.linear_share(self.residual, self.runs.weight)
            if share > 0.5:
                out.append(
                    f"{share:.0%} of the runs lie in Huber's linear zone (delta "
                    f"{self.objective.delta:g}, residual sd {np.std(self.residual):.2g}): "
                    "nearly least absolute deviations."
                )
        return out

    def __repr__(self) -> str:
        table = self.frame()["estimate"].map("{:.6g}".format)
        n = int((self.runs.weight > 0).sum())
        lines = [
            f"{self.law.name} fitted to {n} runs of {self.runs.name}",
            f"  objective {self.objective.label} on {self.space} {self.law.target.name}: "
            f"{self.value:.10g}",
            f"  {self.agreeing} of {len(self.solution.value)} starts agree, {self.status}",
            *(f"  {name:8s} {value}" for name, value in table.items()),
            *("  note: " + note for note in self.notes()),
        ]
        return "\n".join(lines)


def fit(
    law: Law,
    runs: Runs | Stack,
    *,
    objective: Objective | None = None,
    space: str | None = None,
    starts: int | Mapping[str, Any] | None = None,
    key: Array | None = None,
    solver: Newton | None = None,
    precision: str = "float64",
    few: bool = False,
) -> Any:
    r"""Fit a law to runs: minimise the weighted sum of scores of residuals from many starts.

    $$\min_\theta \sum_i w_i\,\rho(s(f(x_i; \theta)) - s(y_i))$$

    with s the logarithm unless the quantity asks for another space. Half the starts follow the
    objective from nearly least squares down to its own width, half minimise it as it is; where
    they end in several minima, restarts look around the lowest.

    Args:
        law: The law.
        runs: The runs, or a `Runs.stack` of several tables, fitted in one compiled call.
        objective: What to minimise; Huber(1e-3) when None.
        space: "log", "natural" or "logit"; None takes what the law's target asks for.
        starts: How many starts, or the starts themselves: parameter -> (start,); None takes 128,
            and 512 for a law of more than six parameters.
        key: Seeds the starts; None is a fixed seed.
        solver: Solver settings.
        precision: "float64", or "float32" for hardware without fast float64.
        few: Whether there may be fewer runs than parameters: a fit for `posterior` to begin with.

    Returns:
        A `Fit`, or a tuple of them for a stack.

    Raises:
        InputError: The runs do not fit the law (see `Runs.checked`), or an argument is unknown.

    >>> import jaxlaws as jl
    >>> runs = jl.datasets.runs("simulated_chinchilla")
    >>> round(float(jl.fit(jl.laws.chinchilla, runs, starts=8).params["E"]), 1)
    1.8
    """
    if not isinstance(law, Law):
        raise InputError(f"fit takes a Law first, got {type(law).__name__}; is @jl.law missing?")
    if not isinstance(runs, Runs | Stack):
        raise InputError(f"fit takes Runs (Runs.from_frame), got {type(runs).__name__}.")
    objective = objective or Huber()
    space = space or law.target.space
    if space not in SPACES:
        raise InputError(f"space must be one of {', '.join(SPACES)}; got {space!r}.")
    if precision not in ("float64", "float32"):
        raise InputError(f'precision must be "float64" or "float32"; got {precision!r}.')
    solver = solver or Newton()
    check_settings(objective, solver)
    tables = runs.tables if isinstance(runs, Stack) else (runs,)
    checked = tuple(table.checked(law, few) for table in tables)
    for table in checked:
        check_space(table, space)
    longest = max(len(table) for table in checked)
    if starts is None:
        starts = 128 if coordinates(law).size <= 6 else 512
    with jax.enable_x64(precision == "float64"):
        problem = build(law, tuple(t.padded(longest) for t in checked), objective, space, precision)
        fits = []
        for table, ends in zip(checked, search(problem, solver, starts, key), strict=True):
            alone = build(law, (table,), objective, space, precision)
            fits.append(report(alone, table, objective, ends, solver))
    return tuple(fits) if isinstance(runs, Stack) else fits[0]


def report(
    problem: Problem, runs: Runs, objective: Objective, solution: Solution, solver: Newton
) -> Fit:
    """From the ends of all starts to the record a user sees."""
    law, layout = problem.law, problem.layout
    if not np.isfinite(solution.value[0]):
        raise InputError(
            f"{law.name} gives no finite prediction for {runs.name} from any start; check the "
            "units of the inputs against `jaxlaws show`."
        )
    z = solution.z[0]
    number = jnp.asarray(z).dtype
    seen = jax.tree.map(
        np.asarray,
        _at_minimum(
            law,
            problem.space,
            jnp.asarray(z),
            problem.frame(),
            jax.tree.map(lambda leaf: np.asarray(leaf)[0], problem.shared.inputs),
            jnp.asarray(problem.target[0], number),
        ),
    )
    dead = tuple(k for k, share in seen["shares"].items() if share < DEAD_TERM)
    lower, upper = layout.bounds(problem.dtype)
    low, high = z <= lower + 1e-6, z >= upper - 1e-6
    gone = np.zeros(layout.size, bool)
    for name in dead:
        gone[layout.slices[name]] = True
    names = layout.names()
    at_bound = tuple(
        f"{names[i]} at its {'lower' if low[i] else 'upper'} end"
        for i in np.flatnonzero((low | high) & ~gone)
    )
    return Fit(
        law=law,
        runs=runs,
        objective=objective,
        space=problem.space,
        params={k: seen["params"][k] for k in law.params},
        value=float(solution.value[0]) * float(problem.shared.scale[0]),
        residual=-seen["residual"].astype(float),
        solution=solution,
        minima=np.asarray(solution.z)[distinct(solution, AGREE[problem.dtype])],
        status=STATUS[int(solution.status[0])],
        condition=_condition(seen["slopes"][:, ~(low | high | gone)], runs.weight),
        at_bound=at_bound,
        dead=dead,
        problem=problem,
        solver=solver,
    )


@partial(jax.jit, static_argnums=(0, 1))
def _at_minimum(
    law: Law, space: str, z: Array, frame: Frame, inputs: Any, target: Array
) -> dict[str, Any]:
    """What a report needs of the law at z (p,), in one program.

    params, residual (n,) predicted minus measured, slopes (n, p) of the residuals by z, shares
    {term: ()} the largest share of a prediction that a term makes up.
    """
    layout = coordinates(law)

    def misfit(z: Array) -> Array:
        return residuals(law, space, layout.to_params(z, frame), inputs, target)

    def predict(params: Mapping[str, Array]) -> Array:
        return jax.vmap(lambda one: law.scalar({**one, **params}))(inputs)

    params = layout.to_params(z, frame)
    whole = predict(params)
    without = {k: predict({**params, k: jnp.zeros_like(params[k])}) for k in layout.terms}
    return dict(
        params=law.canonical(params),
        residual=misfit(z),
        slopes=jax.jacfwd(misfit)(z),
        shares={k: jnp.max(jnp.abs(whole - v) / jnp.abs(whole)) for k, v in without.items()},
    )


def _condition(slopes: np.ndarray, weight: np.ndarray) -> float:
    """Squared ratio of the largest to the smallest singular value of the slopes (n, p)."""
    slopes = np.sqrt(weight)[:, None] * slopes
    if not np.isfinite(slopes).all():
        return np.inf
    values = np.linalg.svd(slopes, compute_uv=False)
    if len(slopes) < slopes.shape[1] or not values.size:
        return np.inf if values.size else 1.0
    with np.errstate(all="ignore"):  # a direction may be so flat that the ratio overflows
        return float((values[0] / values[-1]) ** 2) if values[-1] > 0 else np.inf


def check_settings(objective: Any, solver: Any) -> None:
    if isinstance(objective, type) or not hasattr(objective, "score"):
        raise InputError(f"objective must be one like jl.Huber(1e-3); got {objective!r}.")
    if not isinstance(solver, Newton):
        raise InputError(f"solver must be a jl.Newton; got {solver!r}.")
    for name, value in vars(objective).items():
        end = 1.0 if name == "tau" else np.inf
        if not 0 < float(value) < end:
            span = "between 0 and 1" if name == "tau" else "above zero"
            raise InputError(f"{objective.label}: {name} must lie {span}; got {value}.")


def check_space(runs: Runs, space: str) -> None:
    low = space in ("log", "logit") and (runs.target <= 0)
    bad = low | (runs.target >= 1) if space == "logit" else low
    if np.any(bad):
        i = int(np.argmax(bad))
        raise InputError(
            f"{runs.name}: the target is {runs.target[i]:g} in row {runs.rows[i]}, which has no "
            f'{space}; correct it, or fit with space="natural".'
        )


def labelled(name: str, value: Any) -> list[tuple[str, float]]:
    """(label, number) of a parameter, one per entry where it has a size: d[0], d[1]."""
    flat = np.ravel(np.asarray(value))
    if np.ndim(value) == 0:
        return [(name, float(flat[0]))]
    return [(f"{name}[{i}]", float(v)) for i, v in enumerate(flat)]
