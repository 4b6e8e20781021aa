"""Batched minimisation: arrays in, `Solution` out, no law in sight.

Newton's method with the exact Hessian, damped where the quadratic model fails, on an objective
that is annealed from nearly least squares where the start is far (`_newton`). Many lanes run side
by side in one compiled loop, and a lane that has finished takes the next task (`_queue`).

Why this and nothing else, on Epoch AI's 240 points with Huber(1e-3), two cores, 22 November 2026
(`python -m benchmarks speed grid lanes`; docs/benchmarks.md has the newest run). 4000 refits, warm,
all ending at the same objectives to 1e-13 unless it says otherwise:

| method | s |
|---|--:|
| this | 0.37 |
| BFGS (optimistix), vmap in chunks of 500, from Hoffmann's values | 1.5 |
| the same from the minimum of the points, where ours starts | 5.0 |
| L-BFGS (optimistix), vmap | 9.5 |
| least_squares with Huber (scipy), one after the other | 25 |
| BFGS with gradient (scipy), one after the other | 33 |
| L-BFGS (optax), vmap | 34 |
| Levenberg-Marquardt (optimistix), vmap, on the root of Huber's function | 121 |
| L-BFGS-B with default tolerances (scipy): 99 % of refits stop more than 0.1 % too high | 38 |

- Lock-step, as `jit(vmap(...))` of the same loop has it, takes 5.5 times as long as lanes that take
  the next task: refits need 9.4 steps in the mean and 28 at most.
- From Hoffmann's 4500 starts all end at the minimum; of samples of them 17 % do by BFGS under vmap,
  43 % by scipy's BFGS and 6 % by its L-BFGS-B.
- A refit needs 9.3 evaluations; the fewest of this and scipy's second-order methods, resample by
  resample, are 7.2.
- What is lost: 100 tables of smooth least squares from 8 starts each, where tables take turns, were
  faster by optimistix's BFGS (`python -m benchmarks tables`).
"""

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
