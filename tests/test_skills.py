"""Learned links: monotone, a planted link that is not logistic, and the public scores."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxlaws as jl
from jaxlaws.procedures import sloth
from jaxlaws.procedures.skills import increasing, smooth_l1

FAMILY = np.repeat(["a", "b", "c", "d"], 6)
SIZE = np.tile(np.geomspace(0.1, 70, 6), 4)
TOKENS = np.repeat([0.3, 1.0, 2.0, 8.0], 6)
FLOORS = np.array([0.25, 0.1, 0.0])


def planted() -> np.ndarray:
    """Scores (24, 3) of one skill through a link that rises slowly, fast, and stops at 0.7."""
    u, v = np.log(SIZE), np.log(TOKENS)
    skill = 0.5 * u + 0.3 * v + 0.03 * u * v + np.repeat([0.0, -0.3, 0.4, 0.1], 6)
    z = np.stack([skill, 0.6 * skill - 0.5, 1.2 * skill + 0.3], axis=1)
    return FLOORS + (1 - FLOORS) * 0.7 * -np.expm1(-np.exp(z - 1))


def test_a_planted_link_is_learned_where_the_logistic_one_fails():
    y = planted()
    learned, logistic = (
        sloth(
            SIZE,
            TOKENS,
            FAMILY,
            y,
            floors=FLOORS,
            learned=is_learned,
            rates=(0.1,),
            steps=2500,
        )
        for is_learned in (True, False)
    )
    assert learned.error < 0.005  # nothing but the optimiser is left
    assert logistic.error > 0.015
    assert learned.error == learned.tried.min()
    got = learned.predict(SIZE, TOKENS, FAMILY)
    assert np.mean(np.abs(got - y)) == pytest.approx(learned.error, rel=1e-6)
    x = jnp.linspace(-20, 20, 401)
    for j in range(3):
        link = {k: v[j] for k, v in learned.weights["links"].items()}
        assert float(jnp.min(jnp.diff(increasing(link, x)))) >= -1e-15
    with pytest.raises(jl.InputError, match="No model of e was fitted"):
        learned.predict(1.0, 1.0, "e")


def test_the_score_of_an_error_and_what_is_missing():
    assert smooth_l1(jnp.array([0.0, 0.005, -0.01, 0.03])) == pytest.approx(
        [0, 0.00125, 0.005, 0.025]
    )
    y = planted()
    y[3, 1] = np.nan
    found = sloth(SIZE, TOKENS, FAMILY, y, floors=FLOORS, learned=False, rates=(0.1,), steps=50)
    off = np.abs(found.predict(SIZE, TOKENS, FAMILY) - y)
    assert np.nanmean(off) == pytest.approx(found.error, rel=1e-6)


def test_public_scores(data):
    """49 models of 6 families on three benchmarks, the largest of each family held out.

    In mean absolute error the recipe with a logistic link comes nearer than the exact least squares
    of docs/refits.csv, 0.0343, and a learned link nearer still. That it predicts better is not claimed.
    """
    table = jl.datasets.load("sloth_polo2024").dropna(subset=["params_billion", "tokens_trillion"])
    table = table[table.groupby("family")["params_billion"].transform("nunique") >= 5]
    largest = table.groupby("family")["params_billion"].transform("max")
    seen = table[table["params_billion"] < largest]
    columns = (seen[c].to_numpy() for c in ("params_billion", "tokens_trillion", "family"))
    s, t, family = columns
    scores = seen[["ARC", "HellaSwag", "MMLU"]].to_numpy(float)
    floors = [0.2048, 0.2491432, 0.2303]
    errors = {
        is_learned: sloth(
            s, t, family, scores, floors=floors, learned=is_learned, rates=(0.1,), steps=3000
        ).error
        for is_learned in (True, False)
    }
    assert errors[False] < 0.0343
    assert errors[True] < errors[False]


def test_it_can_be_batched_over_links():
    many = jax.random.normal(jax.random.key(0), (5, 10))
    link = dict(
        w1=jnp.abs(many),
        b1=many,
        W2=jnp.ones((5, 10, 10)),
        b2=many,
        w3=jnp.abs(many),
        b3=many[:, 0],
    )
    got = jax.jit(jax.vmap(increasing, (0, None)))(link, jnp.linspace(-3, 3, 7))
    assert got.shape == (5, 7)
    assert bool(jnp.all(jnp.diff(got, axis=1) >= 0))


def test_tables_that_do_not_belong_together():
    with pytest.raises(jl.InputError, match=r"got \(24, 3\), 24 and \(2,\)"):
        sloth(SIZE, TOKENS, FAMILY, planted(), floors=FLOORS[:2])
    with pytest.raises(jl.InputError, match="skills must be 1 to 3, got 4"):
        sloth(SIZE, TOKENS, FAMILY, planted(), floors=FLOORS, skills=4)
