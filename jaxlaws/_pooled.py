"""pool: what alike tables say together about which law to believe."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from jaxlaws._backtest import Backtest
from jaxlaws._errors import InputError

ROUNDS = 10_000
SETTLED = 1e-10


def pool(backtests: Sequence[Backtest]) -> tuple[Backtest, ...]:
    r"""Let the backtests of alike tables share how much each law is believed before any is seen.

    A single table has few cuts, and a law that was lucky at them gets its weight. With p(law) one
    distribution behind all tables, every table says how probable its errors are under each law,

    $$\pi_k = \frac{1/K + \sum_t w_{tk}}{1 + T}, \qquad
      w_{tk} \propto \pi_k\, p(\text{errors}_t \mid k),$$

    the most probable prior of K laws given T tables, where one more table is taken to be spread
    evenly over the laws. Tables are alike when a law that extrapolates one of them is more likely
    to extrapolate another: the tasks of one benchmark, the domains of one corpus.

    Args:
        backtests: What `jl.backtest` returns of a stack, or several of its results, of the same
            laws in the same order.

    Returns:
        The backtests with their `prior`, and so their `weights`, replaced.

    Raises:
        InputError: There are fewer than two, their laws differ, or a table has no common cut.

    >>> import jaxlaws as jl
    >>> runs = jl.datasets.runs("simulated_chinchilla")
    >>> halves = [runs.where(runs.inputs["N"] > 1e8), runs.where(runs.inputs["D"] > 1e9)]
    >>> laws = [jl.laws.chinchilla, jl.laws.kaplan_nd]
    >>> found = pool(jl.backtest(laws, jl.Runs.stack(halves), cuts=4, starts=8))
    >>> [one.prior.round(2).tolist() for one in found][0] == found[1].prior.round(2).tolist()
    True
    """
    if len(backtests) < 2:
        raise InputError(f"pool needs the backtests of two tables or more; got {len(backtests)}.")
    first = backtests[0]
    for other in backtests[1:]:
        if other.laws != first.laws:
            ours, theirs = (", ".join(law.name for law in one.laws) for one in (first, other))
            raise InputError(
                f"pool needs backtests of the same laws in the same order; that of "
                f"{first.runs.name} has {ours}, that of {other.runs.name} {theirs}."
            )
    score = np.array([one.score for one in backtests])
    if (bad := np.isnan(score).any(axis=1)).any():
        names = ", ".join(one.runs.name for one, no in zip(backtests, bad, strict=True) if no)
        raise InputError(
            f"pool: {names} has no cut at which every law has a certified refit; leave it out, or "
            "backtest with more steps: backtest(..., solver=jl.Newton(max_steps=5000))."
        )
    tables, laws = score.shape
    prior = np.full(laws, 1 / laws)
    for _ in range(ROUNDS):
        joint = score + np.log(prior)
        weight = np.exp(joint - np.logaddexp.reduce(joint, axis=1, keepdims=True))
        new = (1 / laws + weight.sum(axis=0)) / (1 + tables)
        moved = np.abs(new - prior).max()
        prior = new
        if moved < SETTLED:
            break
    return tuple(replace(one, prior=prior) for one in backtests)
