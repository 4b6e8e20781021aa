"""A row of the table of refits: what is published, what we get, and what follows from that."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxlaws as jl

ROUNDING = 0.6  # units of the last printed digit: half a unit of theirs, and the rounding of ours
SPACES = {"log": jnp.log, "natural": jnp.asarray}
NO_WORSE, REPRODUCED = "objective no worse", "reproduced"


@dataclass(frozen=True)
class Row:
    """One published number and ours.

    Attributes:
        dataset: Name in `jaxlaws.datasets`.
        law: Id in the catalogue, or "own" for a law written in the benchmark.
        what: The quantity, with the runs and the objective it belongs to.
        published: The number as printed, whose last digit is its tolerance; empty for none.
        source: Where it stands; README is that of the data set's folder.
        ours: What we get.
        minimum: Whether it is an objective, where less is better.
        at_published: That objective at the published constants, NaN where there are none.
        within: Absolute tolerance where it is not the rounding of what is printed.
        finding: Why ours is another number, in words; needless where nothing is published.
    """

    dataset: str
    law: str
    what: str
    published: str
    source: str
    ours: float
    minimum: bool = False
    at_published: float = math.nan
    within: float | None = None
    finding: str = ""

    @property
    def tolerance(self) -> float:
        """Absolute tolerance on the published number."""
        if self.within is not None:
            return self.within
        exponent = Decimal(self.published).as_tuple().exponent
        return ROUNDING * 10.0 ** int(exponent)

    @property
    def deviation(self) -> float:
        """Ours relative to the published number, minus one; NaN where nothing is printed."""
        known = float(self.published or math.nan)
        return self.ours / known - 1 if known else self.ours

    @property
    def verdict(self) -> str:
        """No worse, reproduced, a finding with its reason, or WORSE, which is a bug."""
        if self.minimum:
            known = self.at_published * (1 + 1e-9)
            if self.published:
                known = np.fmin(known, float(self.published) + self.tolerance)
            return NO_WORSE if self.ours <= known else f"WORSE than {known:.10g}"
        if self.published and abs(self.ours - float(self.published)) <= self.tolerance:
            return REPRODUCED
        reason = self.finding or ("" if self.published else "no number is published")
        return f"finding: {reason}" if reason else "NOT reproduced, no reason known"

    def record(self) -> dict[str, Any]:
        """The row as the table has it."""
        return dict(
            dataset=self.dataset,
            law=self.law,
            what=self.what,
            published=self.published,
            source=self.source,
            at_published=_digits(self.at_published, 8),
            ours=_digits(self.ours, 8),
            deviation=_digits(self.deviation, 2),
            verdict=self.verdict,
        )


def _digits(value: float, digits: int) -> str:
    return "" if math.isnan(value) else f"{value:.{digits}g}"


def predicted(law: jl.Law, params: Mapping[str, Any], runs: jl.Runs) -> np.ndarray:
    """The law at every run (n,), in float64 as in a fit; compiled, since some tables are large."""
    with jax.enable_x64(True):
        known = {k: jnp.asarray(np.asarray(v, float)) for k, v in params.items()}
        inputs = {k: jnp.asarray(np.asarray(runs.inputs[k], float)) for k in law.inputs}
        return np.asarray(jax.jit(jax.vmap(lambda x: law.scalar({**x, **known})))(inputs))


def objective_at(
    law: jl.Law,
    params: Mapping[str, Any],
    runs: jl.Runs,
    objective: Any = None,
    space: str | None = None,
) -> float:
    """The objective of `jl.fit` at given parameters."""
    with jax.enable_x64(True):
        to_space = SPACES[space or law.target.space]
        ends = (jnp.asarray(v, float) for v in (predicted(law, params, runs), runs.target))
        fitted, measured = (to_space(v) for v in ends)
        score = (objective or jl.Huber()).score(fitted - measured)
        return float(jnp.sum(jnp.asarray(runs.weight, float) * score))


def explained(measured: np.ndarray, fitted: np.ndarray) -> float:
    """R^2 = 1 - SS_res / SS_tot around the mean of what was measured."""
    return float(1 - np.sum((measured - fitted) ** 2) / np.sum((measured - measured.mean()) ** 2))


def number(value: Any) -> float:
    """A parameter as a Python number."""
    return float(np.ravel(np.asarray(value))[0])
