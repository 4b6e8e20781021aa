"""Draws: an uncertainty as a leading axis, whatever it came from."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import jax
import numpy as np
import pandas as pd

from jaxlaws._curvature import directions, to_params
from jaxlaws._density import size_of
from jaxlaws._errors import InputError
from jaxlaws._fit import FLAT, Fit, labelled
from jaxlaws._interval import Answers, check_prob, interval
from jaxlaws._law import Law
from jaxlaws._refit import ENOUGH
from jaxlaws._resample import Jackknife
from jaxlaws._risk import minimise
from jaxlaws._sampling import Sampling
from jaxlaws._solver import CONVERGED, STATUS, Solution

TRUST = 0.03  # share of failed refits above which no interval is given
REMEDY = "Fix or tie parameters, use a smaller law, or jl.Bayesian(), which keeps every run in."
TILT = 1e-4  # step along a direction in z; its square is lost beside the first order


@dataclass(frozen=True, eq=False)
class Draws:
    """Parameter sets that stand for what is known: from a bootstrap, a posterior, or print.

    Attributes:
        law: The law.
        params: Name -> (draw,) or (draw, k), in the law's order.
        point: Name -> the estimate the draws belong to.
        status: (draw,) the solver's status of each refit; zero is converged.
        solution: How every refit ended, leading axis (draw,); None where nothing was solved.
        lowered: Share of refits that the last round of restarts still lowered: about as many
            may not be at their lowest minimum.
        origin: How they were made, in words.
        space: Space of the residuals.
        noise: (pool,) residuals of single runs in that space: what a new run adds to the law;
            (draw, pool) where every draw has its own.
        fit: The fit they belong to; None for published constants.
        failure: What failed draws mean and what to do, where they are not refits.
        sampling: How a posterior was sampled; None where there is none.
    """

    law: Law
    params: Mapping[str, np.ndarray]
    point: Mapping[str, Any]
    status: np.ndarray
    origin: str
    space: str
    noise: np.ndarray
    solution: Solution | None = None
    lowered: float = 0.0
    fit: Fit | None = None
    failure: str = ""
    sampling: Sampling | None = None

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
        if self.sampling is not None:
            return self.sampling.trouble()
        if self.fit is not None and not self.fit.converged:
            return f"the fit itself did not converge ({self.fit.status})"
        if self.failed <= TRUST:
            return self._open_refits()
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
            f"{REMEDY}"
        )

    def _open_refits(self) -> str:
        """Why no interval may be given where refits are not identified and the fit is."""
        if self.solution is None or len(self.flat):
            return ""
        share = float(np.mean(self.solution.condition[self.good] > FLAT))
        if share <= TRUST:
            return ""
        return (
            f"{share:.1%} of {len(self)} refits do not identify every parameter of "
            f"{self.law.name}, and end where they began (at most {TRUST:.0%} may do so). {REMEDY}"
        )

    @property
    def source(self) -> str:
        """The law, and the runs or constants it is known from, in words."""
        if self.fit is None:
            return f"{self.law.name} ({self.origin})"
        return f"{self.law.name} fitted to {self.fit.runs.name}"

    @cached_property
    def _directions(self) -> tuple[np.ndarray, np.ndarray]:
        if self.fit is None or len(self) < 2 or self.sampling is not None:  # a prior has an end
            return np.zeros((0, 0)), np.zeros((0, 0))
        return directions(self.fit)

    @property
    def flat(self) -> np.ndarray:
        """(k, p) directions in z that the runs leave entirely open; for most fits there are none.

        Where a refit ends along such a direction depends on where it began, so that the spread of
        the draws along it says nothing.
        """
        return self._directions[0]

    @cached_property
    def loose(self) -> tuple[str, ...]:
        """Labels of the parameters that a flat direction moves, so that they have no interval."""
        if not len(self.flat):
            return ()
        found = self.ask(lambda sets: sets)
        return tuple(
            label
            for name, value in self.point.items()
            for (label, _), leans in zip(
                labelled(name, value), np.ravel(found.leaning(name)), strict=True
            )
            if leans
        )

    def looseness(self) -> str:
        """Why some answers have no interval, naming the direction; empty where all have one."""
        if not self.loose or self.fit is None:
            return ""
        which = f"along {len(self.flat)} directions"
        if len(self.flat) == 1:
            names, (direction,) = self.fit.problem.layout.names(), self.flat
            order = [i for i in np.argsort(-np.abs(direction)) if names[i] in self.loose]
            moves = [
                f"{names[i]} {'rises' if direction[i] * direction[order[0]] > 0 else 'falls'}"
                for i in order
            ]
            which = f"while {' and '.join(moves)}"
        return (
            f"the runs do not identify {', '.join(self.loose)}: {which} the objective stays the "
            "same. Fix or tie a parameter; only what does not depend on this has an interval."
        )

    def restless(self) -> str:
        """How many refits may not be at their lowest minimum; empty where restarts end."""
        if not self.lowered > ENOUGH:
            return ""
        return (
            f"the last round of restarts still lowered {self.lowered:.1%} of the refits: about as "
            "many may not be at their lowest minimum."
        )

    def select(self) -> Mapping[str, np.ndarray]:
        """Name -> (good draws,) or (good draws, k): the certified draws."""
        return {k: np.asarray(v)[self.good] for k, v in self.params.items()}

    def ask(self, fn: Callable[[Mapping[str, np.ndarray]], Mapping[str, Any]]) -> Answers:
        """What a function of many parameter sets says at the estimate and at every draw.

        Args:
            fn: Name -> (set,) or (set, k) to name -> (set, m); asked once, so that it is compiled
                for one shape.
        """
        tilted = self._tilted()
        sets = {
            k: np.concatenate([np.asarray(v)[None], tilted[k], np.asarray(self.params[k])])
            for k, v in self.point.items()
        }
        found = {k: np.asarray(v) for k, v in fn(sets).items()}
        first = 1 + len(next(iter(tilted.values())))
        estimate = {k: v[0] for k, v in found.items()}
        values = {k: v[first:][self.good] for k, v in found.items()}
        if self.sampling is not None:  # medians of parameters need not lie in the posterior
            estimate = {k: np.median(v, axis=0) for k, v in values.items()}
        slopes = {k: (v[1:first:2] - v[2:first:2]) / (2 * TILT) for k, v in found.items()}
        flat = len(self.flat)
        errors = {k: np.sqrt(np.sum(v[flat:] ** 2, axis=0)) for k, v in slopes.items()}
        return Answers(estimate, values, {k: v[:flat] for k, v in slopes.items()}, errors)

    def _tilted(self) -> dict[str, np.ndarray]:
        """Name -> (2 q,): the estimate moved a little up and down each direction."""
        if not len(self.flat) or self.fit is None:
            return {k: np.asarray(v)[None][:0] for k, v in self.point.items()}
        along = TILT * np.concatenate(self._directions)
        steps = np.stack([along, -along], axis=1).reshape(-1, along.shape[1])
        return to_params(self.fit, self.fit.solution.z[0] + steps)

    def frame(self, prob: float = 0.9, kind: str = "percentile") -> pd.DataFrame:
        """Estimates with intervals: parameter, unit, estimate, se, low, high.

        Args:
            prob: Probability of the central interval.
            kind: "percentile", "basic" (reflected at the estimate) or "bca" (bias-corrected and
                accelerated; refits the jackknife).

        Returns:
            A table indexed by parameter; `attrs` holds prob and kind, `withheld` the reason where
            all of se, low and high are left empty, `loose` where some are.
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
                if not reason and label not in self.loose and len(column) > 1:
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
        frame.attrs.update(prob=prob, kind=kind, withheld=reason, loose=self.looseness())
        return frame

    def __repr__(self) -> str:
        frame = self.frame()
        reason = frame.attrs["withheld"]
        head = f"{self.law.name}: {self.origin}, {self.tally}"
        if reason:
            return f"{head}\n  no intervals: {reason}"
        shown = frame.drop(columns="unit").to_string(float_format="{:.5g}".format)
        lines = [head + ", 90 % intervals", *("  " + s for s in shown.split("\n"))]
        lines += [f"  note: {note}" for note in self.notes()]
        return "\n".join(lines)

    @property
    def tally(self) -> str:
        """How many draws there are, and how they fared."""
        if self.sampling is not None:
            return f"{len(self)} draws, {self.sampling.headline}"
        word = "draws" if self.solution is None else "refits"
        return f"{len(self)} {word}, {int((~self.good).sum())} failed"

    def notes(self) -> list[str]:
        """What a reader must know before believing the intervals, in words."""
        own = [] if self.sampling is None else self.sampling.notes()
        return [note for note in (self.looseness(), self.restless(), *own) if note]

    def new_noise(self, rng: np.random.Generator, points: Mapping[str, np.ndarray]) -> np.ndarray:
        """(draw, m) residuals of new runs at points, name -> (m,) or (m, k)."""
        shape = len(self), len(next(iter(points.values())))
        pick = rng.integers(self.noise.shape[-1], size=shape)
        if self.noise.ndim == 1:
            return self.noise[pick]
        noise = np.take_along_axis(self.noise, pick, axis=1)
        if self.sampling is None or self.fit is None or not self.sampling.model.growing:
            return noise
        return noise * np.exp(self.sampling.growth[:, None] * size_of(self.fit, points))

    def sampled(self) -> tuple[Fit, Sampling]:
        """The fit of a posterior, and how it was sampled.

        Raises:
            InputError: The draws are no posterior.
        """
        if self.sampling is None or self.fit is None:
            raise InputError(
                f"{self.law.name} ({self.origin}) is no posterior; jl.posterior makes one."
            )
        return self.fit, self.sampling

    def by_mode(self) -> tuple["Draws", ...]:
        """The draws of each separate mode of a posterior, the one with most first."""
        if self.sampling is None:
            return (self,)
        order = np.argsort(-np.bincount(self.sampling.mode))
        return tuple(self._only(self.sampling.mode == i) for i in order)

    def _only(self, keep: np.ndarray) -> "Draws":
        params = {name: values[keep] for name, values in self.params.items()}
        sampling = self.sampling and self.sampling.only(keep)
        return replace(
            self,
            params=params,
            point={name: np.median(values, axis=0) for name, values in params.items()},
            status=self.status[keep],
            noise=self.noise[keep],
            sampling=sampling,
        )

    def to_arviz(self) -> Any:
        """These draws as an ArviZ DataTree, with named dimensions and all groups that are known."""
        from jaxlaws._arviz import to_arviz  # which imports this module

        return to_arviz(self)

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
    point = {k: np.asarray(v, float) for k, v in law.published(key).items()}
    return Draws(
        law=law,
        params={k: v[None] for k, v in point.items()},
        point=point,
        status=np.zeros(1, int),
        origin=f"published constants {key or next(iter(law.constants))}",
        space=law.target.space,
        noise=np.zeros(1),
    )


def _jackknife(draws: Draws) -> Mapping[str, np.ndarray]:
    if draws.fit is None:
        raise InputError("A bca interval needs draws that belong to a fit.")
    fit, problem = draws.fit, draws.fit.problem
    out = Jackknife()
    ids = np.arange(out.count(fit.sample))

    def table(ids: np.ndarray) -> tuple[Any, Any, Any]:
        weight, _ = out.draw(jax.random.key(0), ids, fit.sample)
        return np.asarray(weight), None, np.zeros(len(ids), int)

    solution = minimise(problem, fit.solver, np.tile(fit.minima[0], (len(ids), 1)), ids, table)
    return to_params(fit, solution.z[solution.status == CONVERGED])
