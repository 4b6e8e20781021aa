"""Time horizons of agents: a logistic each, a trend, and a bootstrap on three levels [kwa2025].

The runs of all agents are resampled together: families of tasks, tasks within each drawn family,
runs within each task of an agent, so that what the agents have in common stays in common.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jax import Array

from jaxlaws._errors import InputError
from jaxlaws._interval import check_prob
from jaxlaws.laws.progress import horizon, horizon_doubling, success_fit, trend

INVERSE_PENALTY = 10.0  # of the paper's logistic regression, scikit-learn's C [kwa2025, code]
BLOCK = 50  # resamples fitted at a time


@dataclass(frozen=True)
class Horizons:
    """Horizons of agents, and of resamples of their runs.

    Attributes:
        agents: Names, in order of release.
        days: (agent,) release dates in days since the first.
        p: Probability of success at the horizon.
        minutes: (agent,) horizons; 0 where every run failed, NaN where none did.
        draws: (draw, agent) horizons of the resamples; NaN where all runs of an agent went one way.
        w_v: (agent, 2) the logistic's slope per doubling of minutes, and its offset.
    """

    agents: tuple[str, ...]
    days: np.ndarray
    p: float
    minutes: np.ndarray
    draws: np.ndarray
    w_v: np.ndarray

    def frame(self, prob: float = 0.95) -> pd.DataFrame:
        """Horizons in minutes with percentile intervals: agent, days, w, v, horizon, low, high."""
        check_prob(prob)
        ends = np.nanquantile(self.draws, [(1 - prob) / 2, (1 + prob) / 2], axis=0)
        w, v = self.w_v.T
        columns = dict(days=self.days, w=w, v=v, horizon=self.minutes, low=ends[0], high=ends[1])
        return pd.DataFrame(columns, index=pd.Index(self.agents, name="agent"))

    def doubling(self, prob: float = 0.95, since: float = 0.0) -> pd.DataFrame:
        """Days in which the horizon doubles, with its interval: doubling, low, high, agents.

        Args:
            prob: Probability of the interval.
            since: Agents released earlier, in days, do not count.
        """
        check_prob(prob)
        late = self.days >= since
        all_of_them = np.concatenate([self.minutes[None], self.draws])[:, late]
        good = np.isfinite(all_of_them) & (all_of_them > 0)
        if good[0].sum() < 2:
            raise InputError(f"A trend needs two agents with a horizon, got {int(good[0].sum())}.")
        kept = good[:, good[0]].all(axis=1)  # a resample that loses an agent has another trend
        with jax.enable_x64(True):
            lines = jax.vmap(trend, (None, 0))(
                jnp.asarray(self.days[late][good[0]]), jnp.asarray(all_of_them[kept][:, good[0]])
            )
            days = np.asarray(horizon_doubling(lines[:, 0]))
        low, high = np.quantile(days[1:], [(1 - prob) / 2, (1 + prob) / 2])
        row = dict(doubling=days[0], low=low, high=high, agents=int(good[0].sum()))
        return pd.DataFrame([row])


def equal_chances(key: Array, total: Array, size: Array, width: int) -> Array:
    """Counts (g, width) of draws with replacement from groups of equally likely members.

    Args:
        key: Random key.
        total: (g,) draws from each group.
        size: (g,) members of each group, at most width; members beyond it are never drawn.
        width: Most members of a group.
    """

    def take(left: Array, member: tuple[Array, Array]) -> tuple[Array, Array]:
        own, j = member
        share = jnp.clip(1 / jnp.maximum(size - j, 1.0), 0.0, 1.0)
        drawn = jnp.where(j < size, jax.random.binomial(own, left, share), 0.0)
        return left - drawn, drawn

    members = (jax.random.split(key, width), jnp.arange(width, dtype=total.dtype))
    return jax.lax.scan(take, total, members)[1].T


def within(group: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rank (n,) of each member within its group (n,), and the size (g,) of every group."""
    size = np.bincount(group)
    order = np.argsort(group, kind="stable")
    rank = np.empty(len(group), int)
    rank[order] = np.arange(len(group)) - np.repeat(np.cumsum(size) - size, size)
    return rank, size


@dataclass(frozen=True)
class Hierarchy:
    """Which family each task (t,) is of, and which cell, a task of an agent, each run (n,) is of.

    `task` (cell,) is the task of each cell.
    """

    family: np.ndarray
    task: np.ndarray
    cell: np.ndarray

    def counts(self, key: Array, draws: int) -> Array:
        """(draw, n) how often each run is drawn: families, tasks of them, runs of each cell.

        A group drawn twice has its members drawn afresh each time. Resample i depends on the key
        and on i alone.
        """
        (task_rank, tasks), (run_rank, runs) = within(self.family), within(self.cell)
        groups = [np.array([float(len(tasks))]), tasks.astype(float), runs.astype(float)]
        most = [int(size.max()) for size in groups]

        def one(i: Array) -> Array:
            keys = jax.random.split(jax.random.fold_in(key, i), 3)
            sizes = [jnp.asarray(size) for size in groups]
            family = equal_chances(keys[0], sizes[0], sizes[0], most[0])[0]
            task = equal_chances(keys[1], family * sizes[1], sizes[1], most[1])
            task = task[self.family, task_rank]
            run = equal_chances(keys[2], task[self.task] * sizes[2], sizes[2], most[2])
            return run[self.cell, run_rank]

        return jax.jit(jax.vmap(one))(jnp.arange(draws))


def time_horizons(
    minutes: Any,
    success: Any,
    *,
    agent: Any,
    task: Any,
    family: Any,
    released: Mapping[str, float],
    weight: Any = None,
    p: float = 0.5,
    draws: int = 1000,
    inverse_penalty: float = INVERSE_PENALTY,
    key: Array | None = None,
) -> Horizons:
    r"""Fit a logistic to the runs of each agent, and again to hierarchical resamples of them all.

    $$P = \sigma(w \log_2 t + v), \quad h_p = 2^{(\mathrm{logit}\,p - v)/w}$$

    Args:
        minutes: (n,) what a human needs for the task of each run.
        success: (n,) score of each run in [0, 1].
        agent: (n,) name of the agent.
        task: (n,) name of the task.
        family: (n,) name of the task's family; a task has one.
        released: Agent -> day of its release, counted from any day.
        weight: (n,) weights of the runs, for instance of `diversity_weights`; scaled to sum to 1
            for each agent. None for equal ones.
        p: Probability of success at the horizon.
        draws: Number of resamples.
        inverse_penalty: Weight of the data beside the ridge on w.
        key: Random key; None is a fixed one.

    Raises:
        InputError: A task has two families, an agent no release date, or a number is impossible.

    >>> task = np.arange(8)
    >>> names = dict(agent=["a"] * 8, task=task, family=task // 2, released={"a": 0})
    >>> found = time_horizons(2.0**task, task < 4, **names, draws=2)
    >>> round(float(found.minutes[0]))
    11
    """
    minutes, success = np.asarray(minutes, float), np.asarray(success, float)
    weight = np.ones(len(minutes)) if weight is None else np.asarray(weight, float)
    table = pd.DataFrame(dict(agent=agent, task=task, family=family))
    _check(table, minutes, success, released, p, draws)
    names = tuple(sorted(set(table["agent"]), key=lambda name: released[name]))
    task_of, tasks = pd.factorize(table["task"])
    family_of, _ = pd.factorize(table.groupby("task")["family"].first().loc[list(tasks)])
    cell, cells = pd.factorize(table["agent"].astype(str) + "\0" + table["task"].astype(str))
    cell_task = np.empty(len(cells), int)
    cell_task[cell] = task_of
    places = [np.flatnonzero(table["agent"] == name) for name in names]
    longest = max(map(len, places))
    at = np.stack([np.pad(place, (0, longest - len(place))) for place in places])
    there = np.stack([np.arange(longest) < len(place) for place in places])
    key = jax.random.key(0) if key is None else key
    with jax.enable_x64(True):
        counts = np.asarray(Hierarchy(family_of, cell_task, cell).counts(key, draws))
        sets = np.concatenate([np.ones((1, len(minutes))), counts]) * weight[None, :]
        fitted = partial(_fits, minutes[at], success[at], inverse_penalty)
        w_v = np.concatenate(
            [
                np.asarray(fitted(sets[i : i + BLOCK, at] * there))
                for i in range(0, len(sets), BLOCK)
            ]
        )
        found = np.asarray(horizon(jnp.asarray(p), *jnp.moveaxis(jnp.asarray(w_v), -1, 0)))
    failed = np.array([np.all(success[place] == 0) for place in places])
    days = np.array([released[name] for name in names], float)
    return Horizons(
        agents=names,
        days=days - days[0],
        p=p,
        minutes=np.where(failed, 0.0, found[0]),
        draws=found[1:],
        w_v=w_v[0],
    )


@jax.jit
def _fits(minutes: Array, success: Array, inverse_penalty: Array, weight: Array) -> Array:
    """(set, agent, 2) logistics; NaN where all runs of positive weight went one way."""

    def one(t: Array, s: Array, w: Array) -> Array:
        apart = jnp.any((w > 0) & (s > 0)) & jnp.any((w > 0) & (s < 1))
        return jnp.where(apart, success_fit(t, s, w / jnp.sum(w), inverse_penalty), jnp.nan)

    many: Any = jax.vmap(jax.vmap(one), (None, None, 0))
    return many(minutes, success, weight)


def _check(
    table: pd.DataFrame,
    minutes: np.ndarray,
    success: np.ndarray,
    released: Mapping[str, float],
    p: float,
    draws: int,
) -> None:
    split = table.groupby("task")["family"].nunique()
    if (split > 1).any():
        raise InputError(f"Task {split.idxmax()!r} has {split.max()} families; it may have one.")
    if missing := sorted(set(table["agent"]) - set(released)):
        raise InputError(f"`released` has no day for {', '.join(map(repr, missing))}.")
    if not (np.isfinite(minutes) & (minutes > 0)).all():
        i = int(np.argmin(np.isfinite(minutes) & (minutes > 0)))
        raise InputError(f"minutes must be above zero; got {minutes[i]:g} in row {i}.")
    if not ((success >= 0) & (success <= 1)).all():
        i = int(np.argmin((success >= 0) & (success <= 1)))
        raise InputError(f"success must lie between 0 and 1; got {success[i]:g} in row {i}.")
    if not 0 < p < 1:
        raise InputError(f"p must lie between 0 and 1; got {p:g}.")
    if draws < 2:
        raise InputError(f"A bootstrap needs at least 2 draws, got {draws}.")


QUANTITIES: dict[str, dict[str, Callable[..., Any]]] = {
    "metr_time_horizon": {"horizons": time_horizons}
}
