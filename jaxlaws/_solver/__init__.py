"""Batched minimisation: arrays in, `Solution` out, no law in sight."""

from dataclasses import dataclass

from jaxlaws._solver._newton import CONVERGED as CONVERGED
from jaxlaws._solver._newton import NOT_FINITE as NOT_FINITE
from jaxlaws._solver._newton import OUT_OF_STEPS as OUT_OF_STEPS
from jaxlaws._solver._newton import STALLED as STALLED
from jaxlaws._solver._queue import Solution as Solution
from jaxlaws._solver._queue import Tasks as Tasks
from jaxlaws._solver._queue import solve as solve
from jaxlaws._solver._queue import solve_on as solve_on

STATUS = {
    CONVERGED: "converged",
    STALLED: "stalled",
    OUT_OF_STEPS: "out of steps",
    NOT_FINITE: "not finite",
}


@dataclass(frozen=True)
class Newton:
    """Damped Newton with an annealed objective, many lanes at a time.

    Attributes:
        lanes: Minimisations in work at one time; None chooses by the size of the runs.
        max_steps: Steps after which one is given up.
    """

    lanes: int | None = None
    max_steps: int = 500
