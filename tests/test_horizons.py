"""Time horizons: the logistic at its stationary point, a planted trend, and the bootstrap's counts."""

import jax
import numpy as np
import pytest
from scipy.optimize import minimize

import jaxlaws as jl
from jaxlaws.procedures.horizons import Hierarchy, time_horizons

FAMILIES = np.repeat(np.arange(6), [1, 2, 3, 3, 4, 5])  # of 18 tasks


def plan(agents: int, runs: int) -> dict[str, np.ndarray]:
    """Every agent runs every task a few times; tasks from a second to eight hours."""
    task = np.tile(np.repeat(np.arange(18), runs), agents)
    minutes = np.exp2(np.linspace(-6, 9, 18))[np.random.default_rng(5).permutation(18)]
    agent = np.repeat([f"agent {i}" for i in range(agents)], 18 * runs)
    return dict(minutes=minutes[task], agent=agent, task=task, family=FAMILIES[task])


def by_copies(rng: np.random.Generator, cell: np.ndarray, task_of_cell: np.ndarray) -> np.ndarray:
    """One resample in the words of the paper: copies of families, of tasks, then runs of a cell."""
    counts = np.zeros(len(cell))
    tasks = np.zeros(18)
    for f in rng.integers(0, 6, 6):
        (mine,) = np.nonzero(FAMILIES == f)
        np.add.at(tasks, rng.choice(mine, len(mine)), 1)
    for c, t in enumerate(task_of_cell):
        (mine,) = np.nonzero(cell == c)
        np.add.at(counts, rng.choice(mine, int(tasks[t]) * len(mine)), 1)
    return counts


def test_counts_follow_the_hierarchy(key: jax.Array):
    """Means and covariances against the resampling in words, 4000 draws each.

    The largest of 36 + 666 differences of two estimates in units of their error: below 4.5 except
    in 1 of 200 keys for independent normal ones.
    """
    cell = np.repeat(np.arange(18), 2)
    task_of_cell = np.arange(18)
    ours = np.asarray(Hierarchy(FAMILIES, task_of_cell, cell).counts(key, 4000))
    rng = np.random.default_rng(1)
    theirs = np.array([by_copies(rng, cell, task_of_cell) for _ in range(4000)])
    assert ours.shape == theirs.shape
    products = [np.einsum("di,dj->dij", x - 1, x - 1).reshape(4000, -1) for x in (ours, theirs)]
    for a, b in ((ours, theirs), products):
        error = np.sqrt((a.var(axis=0) + b.var(axis=0)) / 4000)
        assert np.max(np.abs(a.mean(axis=0) - b.mean(axis=0)) / error) < 4.5
    assert np.array_equal(Hierarchy(FAMILIES, task_of_cell, cell).counts(key, 3), ours[:3])


def test_one_agent_is_a_penalised_logistic_regression():
    """The minimum of the same objective by another optimiser, with weights and part scores."""
    rng = np.random.default_rng(2)
    runs = plan(1, 4)
    x, n = np.log2(runs["minutes"]), len(runs["minutes"])
    success = np.clip(
        np.round(1 / (1 + np.exp(0.6 * x - 1)) + 0.4 * rng.standard_normal(n), 1), 0, 1
    )
    weight = rng.uniform(0.5, 2.0, n)
    found = time_horizons(
        **runs, success=success, weight=weight, released={"agent 0": 0.0}, draws=2
    )

    def objective(wv: np.ndarray) -> float:
        score = wv[0] * x + wv[1]
        entropy = np.logaddexp(0, score) - success * score
        return wv[0] ** 2 / 2 + 10.0 * np.sum(weight / weight.sum() * entropy)

    best = minimize(objective, [0.0, 0.0], options=dict(gtol=1e-10))
    assert found.w_v[0] == pytest.approx(best.x, rel=1e-5)
    assert found.minutes[0] == pytest.approx(2 ** (-best.x[1] / best.x[0]), rel=1e-4)
    lower = time_horizons(**runs, success=success, released={"agent 0": 0.0}, draws=2, p=0.8)
    assert lower.minutes[0] < found.minutes[0]


def test_a_planted_trend_lies_in_its_interval():
    """Horizons that double in 200 days; one study of a 95 % interval, and horizons within a factor.

    The seed is fixed; 1 in 20 seeds would put 200 outside.
    """
    rng = np.random.default_rng(3)
    runs = plan(6, 8)
    released = {f"agent {i}": 700.0 + 180.0 * i for i in range(6)}
    truth = {name: 2.0 * 2 ** ((day - 700) / 200) for name, day in released.items()}
    there = np.array([truth[name] for name in runs["agent"]])
    success = rng.random(len(there)) < 1 / (1 + (runs["minutes"] / there) ** 0.9)
    found = time_horizons(**runs, success=success, released=released, draws=200)
    assert found.agents == tuple(released)
    assert found.days == pytest.approx(np.arange(6) * 180.0)
    ratio = found.minutes / np.array(list(truth.values()))
    assert np.max(np.abs(np.log2(ratio))) < 1.2
    row = found.doubling().iloc[0]
    assert row.low < 200 < row.high
    assert row.low < row.doubling < row.high < 300
    table = found.frame()
    assert ((table.low < table.horizon) & (table.horizon < table.high)).all()
    assert found.doubling(since=500.0).agents[0] == 3


def test_an_agent_that_always_fails_has_no_horizon():
    runs = plan(2, 1)
    success = np.where(runs["agent"] == "agent 0", 0.0, runs["minutes"] < 4.0)
    found = time_horizons(**runs, success=success, released={"agent 0": 0, "agent 1": 90}, draws=3)
    assert found.minutes[0] == 0
    assert np.isnan(found.draws[:, 0]).all()
    with pytest.raises(jl.InputError, match=r"two agents with a horizon, got 1"):
        found.doubling()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(family=np.arange(18)), "has 1"),
        (dict(released={}), "no day for 'agent 0'"),
        (dict(minutes=np.r_[np.ones(17), 0.0]), "above zero; got 0 in row 17"),
        (dict(success=np.r_[2.0, np.ones(17)]), "between 0 and 1; got 2 in row 0"),
        (dict(p=1.0), "p must lie"),
        (dict(draws=1), "at least 2 draws"),
        (dict(task=np.zeros(18)), "has 6 families"),
    ],
)
def test_what_cannot_be(change: dict[str, object], message: str):
    given = dict(plan(1, 1), success=np.zeros(18), released={"agent 0": 0.0}, draws=2) | change
    if message == "has 1":  # a family of its own for every task is allowed
        time_horizons(**given)
        return
    with pytest.raises(jl.InputError, match=message):
        time_horizons(**given)
