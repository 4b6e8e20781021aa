"""pool: what alike tables say together about which law to believe."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from jaxlaws._backtest import Backtest
from jaxlaws._errors import InputError

ROUNDS = 10_000
SETTLED = 1e-10


def pool(backtests: Sequence[Backtest]) -> tuple[Backtest, ...]:
    r"""Let alike tables tell each other how much each law is believed before its errors are seen.

    A single table has few cuts, and a law that was lucky at them gets its weight. With one
    distribution pi over the K laws behind all tables, every other table t says how probable its
    errors are under each law, and the prior of a table is

    $$\pi_k = \frac{1/K + \sum_t w_{tk}}{1 + T}, \qquad
      w_{tk} \propto \pi_k\, p(\text{errors}_t \mid k),$$

    the most probable pi given the T other tables, where one more table is taken to be spread evenly
    over the laws. A table at which a law could not be refitted says nothing about that law. Tables
    are alike when a law that extrapolates one of them is more likely to extrapolate another: the
    tasks of one benchmark, the domains of one corpus.

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
    >>> first, second = pool(jl.backtest(laws, jl.Runs.stack(halves), cuts=4, starts=8))
    >>> first.prior.argmax(), first.prior.sum().round(6)
    (np.int64(0), np.float64(1.0))
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
    laws = score.shape[1]
    near = shared(score, np.full(laws, 1 / laws))  # of all tables, where the search of each begins
    each = [shared(np.delete(score, t, axis=0), near) for t in range(len(score))]
    return tuple(replace(one, prior=prior) for one, prior in zip(backtests, each, strict=True))


def shared(score: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """(law,) the most probable distribution over laws, from scores (table, law) and a start."""
    tables, laws = score.shape
    silent = np.isneginf(score)
    for _ in range(ROUNDS):
        joint = score + np.log(prior)
        own = np.exp(joint - np.logaddexp.reduce(joint, axis=1, keepdims=True))
        # What a table says, it says of the laws that could be refitted.
        told = np.sum(np.where(silent, 0.0, prior), axis=1, keepdims=True)
        new = (1 / laws + np.where(silent, prior, told * own).sum(axis=0)) / (1 + tables)
        moved = np.abs(new - prior).max()
        prior = new
        if moved < SETTLED:
            break
    return prior
