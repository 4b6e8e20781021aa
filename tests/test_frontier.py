"""Optima against closed forms: for the additive law under C = 6 N D everything is known exactly."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from jax import Array

import jaxlaws as jl
from jaxlaws._frontier import optimum

CHINCHILLA = jl.laws.chinchilla
SETS = list(CHINCHILLA.constants)
BUDGETS = np.geomspace(1e17, 1e28, 12)
Values = dict[str, Any]


def closed(c: Values, C: Any, k: float = 6.0) -> dict[str, Any]:
    """The optimum of the additive law under C = k N D [hoffmann2022, eq. 4]."""
    E, A, B, alpha, beta = (c[s] for s in ("E", "A", "B", "alpha", "beta"))
    G = (alpha * A / (beta * B)) ** (1 / (alpha + beta))
    a, b = beta / (alpha + beta), alpha / (alpha + beta)
    gamma = alpha * beta / (alpha + beta)
    L = E + (A * G**-alpha + B * G**beta) * (C / k) ** -gamma
    return {"N_opt": G * (C / k) ** a, "D_opt": (C / k) ** b / G, "L_opt": L}


def flops_for(c: Values, L: Any, k: float = 6.0) -> Any:
    """Compute that the additive law needs for a loss."""
    E, A, B, alpha, beta = (c[s] for s in ("E", "A", "B", "alpha", "beta"))
    G = (alpha * A / (beta * B)) ** (1 / (alpha + beta))
    gamma = alpha * beta / (alpha + beta)
    return k * ((A * G**-alpha + B * G**beta) / (L - E)) ** (1 / gamma)


# Closed forms


@pytest.mark.parametrize("key", SETS)
def test_the_generic_optimum_is_the_closed_form(key: str) -> None:
    known = jl.published(CHINCHILLA, key)
    found = jl.frontier(known, C=BUDGETS).estimate
    for name, exact in closed(known.point, BUDGETS).items():
        np.testing.assert_allclose(found[name], exact, rtol=1e-7, err_msg=name)
    np.testing.assert_allclose(found["tokens_per_parameter"], found["D_opt"] / found["N_opt"])
    np.testing.assert_allclose(6 * found["N_opt"] * found["D_opt"], BUDGETS, rtol=1e-12)


def test_hoffmanns_numbers() -> None:
    """Unrounded constants give 40e9 parameters at Chinchilla's compute, printed ones 32e9."""
    exact = jl.frontier(jl.published(CHINCHILLA, "hoffmann2022_unrounded"), C=5.76e23).estimate
    assert exact["N_opt"][0] == pytest.approx(40360938387.2, rel=1e-6)
    assert exact["D_opt"][0] == pytest.approx(2378537364000.0, rel=1e-6)
    assert exact["L_opt"][0] == pytest.approx(1.918412046, rel=1e-8)
    printed = jl.frontier(jl.published(CHINCHILLA, "hoffmann2022"), C=5.76e23).estimate
    assert printed["N_opt"][0] == pytest.approx(32189859151.4, rel=1e-6)
    assert printed["tokens_per_parameter"][0] == pytest.approx(92.6473667573, rel=1e-6)
    refit = jl.frontier(jl.published(CHINCHILLA, "besiroglu2024"), C=[5.76e23, 1e26]).estimate
    np.testing.assert_allclose(
        refit["tokens_per_parameter"], [18.3912449553, 16.1480298489], rtol=1e-6
    )


@pytest.mark.parametrize("key", SETS)
def test_the_cheapest_way_to_a_loss_is_the_frontier_read_backwards(key: str) -> None:
    known = jl.published(CHINCHILLA, key)
    there = jl.frontier(known, C=BUDGETS).estimate
    back = jl.cheapest(known, loss=there["L_opt"]).estimate
    np.testing.assert_allclose(back["C_opt"], BUDGETS, rtol=1e-6)
    np.testing.assert_allclose(back["N_opt"], there["N_opt"], rtol=1e-5)
    exact = flops_for(known.point, there["L_opt"])
    np.testing.assert_allclose(back["C_opt"], exact, rtol=1e-7)


@pytest.mark.parametrize("key", SETS)
def test_tokens_along_a_curve_of_equal_loss(key: str) -> None:
    known = jl.published(CHINCHILLA, key)
    c = known.point
    loss = float(closed(c, 1e22)["L_opt"])
    best = float(closed(c, 1e22)["N_opt"])
    least = best * (1 + c["alpha"] / c["beta"]) ** (-1 / c["alpha"])
    N = np.array([1.02 * float(least), 0.5 * best, best, 3 * best, 100 * best])
    found = jl.isoloss(known, loss, N).estimate["D"]
    exact = (c["B"] / (loss - c["E"] - c["A"] * N ** -c["alpha"])) ** (1 / c["beta"])
    np.testing.assert_allclose(found, exact, rtol=1e-6)
    overhead = found[1] * N[1] / (found[2] * N[2]) - 1
    ratio = 1 - (0.5 ** -c["alpha"] - 1) * c["beta"] / c["alpha"]
    assert overhead == pytest.approx(float(0.5 * ratio ** (-1 / c["beta"]) - 1), rel=1e-6)
    assert np.isnan(jl.isoloss(known, loss, 0.98 * least).estimate["D"]).all()


def test_golden_compute_for_a_loss_and_tokens_along_it() -> None:
    printed = jl.published(CHINCHILLA, "hoffmann2022")
    assert jl.cheapest(printed, loss=2.0).estimate["C_opt"][0] == pytest.approx(
        1.11005914539e23, rel=1e-6
    )
    exact = jl.published(CHINCHILLA, "hoffmann2022_unrounded")
    assert jl.isoloss(exact, 2.2, 7e9).estimate["D"][0] == pytest.approx(80862269902.2, rel=1e-6)


def test_serving_costs_move_the_optimum_to_smaller_models(data: Path) -> None:
    """Quality of a compute-optimal 7e9 model, 1e11 tokens served [sardana2024, eq. 2]."""
    rows = pd.read_csv(data.parent / "laws" / "golden.csv")
    rows = rows[rows.law_id == "sardana_inference_aware"]
    expected = {}
    for row in rows.itertuples():
        set_ = "besiroglu2024" if "482.01" in row.constants else "hoffmann2022_unrounded"
        expected[set_, row.quantity] = (row.expected, row.rtol)
    checked = 0
    for key in ("hoffmann2022_unrounded", "besiroglu2024"):
        known = jl.published(CHINCHILLA, key)
        c = known.point
        G = (c["alpha"] * c["A"] / (c["beta"] * c["B"])) ** (1 / (c["alpha"] + c["beta"]))
        C = 6 * (7e9 / G) ** ((c["alpha"] + c["beta"]) / c["beta"])
        there = closed(c, C)
        best = jl.cheapest(
            known, loss=float(there["L_opt"]), cost=jl.flops.inference(1e11)
        ).estimate
        N, D = best["N_opt"][0], best["D_opt"][0]
        first_order = (c["alpha"] * c["A"] * N ** -c["alpha"]) / (
            c["beta"] * c["B"] * D ** -c["beta"]
        )
        found = dict(
            N_opt=N, D_opt=D, D_ratio_to_compute_optimal=D / there["D_opt"], FOC_ratio=first_order
        )
        assert first_order == pytest.approx(1 + 1e11 / (3 * D), rel=1e-6)
        for quantity, value in found.items():
            if (key, quantity) in expected:
                want, rtol = expected[key, quantity]
                assert float(value) == pytest.approx(want, rel=rtol), (key, quantity)
                checked += 1
    assert checked == len(rows) == 5


def test_no_serving_is_plain_training() -> None:
    known = jl.published(CHINCHILLA)
    plain = jl.cheapest(known, loss=2.1).estimate
    none = jl.cheapest(known, loss=2.1, cost=jl.flops.inference(1e-3)).estimate
    np.testing.assert_allclose(none["N_opt"], plain["N_opt"], rtol=1e-6)


# Derivatives through the optimum


@pytest.mark.parametrize("what", ["N_opt", "D_opt", "L_opt"])
def test_gradients_through_the_optimum_are_those_of_the_closed_form(what: str) -> None:
    c = {k: jnp.asarray(v) for k, v in CHINCHILLA.published().items()}

    def generic(c: Values, C: Array) -> Array:
        return jnp.log(optimum(CHINCHILLA, c, C, jl.flops.dense, {})[what])

    def exact(c: Values, C: Array) -> Array:
        return jnp.log(closed(c, C)[what])

    C = jnp.asarray(3e22)
    found, want = (jax.jit(jax.grad(f, (0, 1)))(c, C) for f in (generic, exact))
    for k in c:
        assert float(found[0][k]) == pytest.approx(float(want[0][k]), rel=1e-6, abs=1e-12), k
    assert float(found[1]) == pytest.approx(float(want[1]), rel=1e-6)


def test_the_exponent_of_compute_is_a_second_derivative_away() -> None:
    """d log N_opt / d log C = beta / (alpha + beta), and it does not bend."""
    c = {k: jnp.asarray(v) for k, v in CHINCHILLA.published().items()}

    def log_n(log_c: Array) -> Array:
        return jnp.log(optimum(CHINCHILLA, c, jnp.exp(log_c), jl.flops.dense, {})["N_opt"])

    at = jnp.log(1e22)
    slope, bend = jax.jit(lambda x: (jax.grad(log_n)(x), jax.grad(jax.grad(log_n))(x)))(at)
    assert float(slope) == pytest.approx(0.512612107623, rel=1e-9)
    assert float(bend) == pytest.approx(0.0, abs=1e-6)


# Cost models

COSTS: dict[str, tuple[Callable, Callable[[Any], float]]] = {
    # cost model and the k with which C = k N D is the same
    "sparse": (jl.flops.sparse(0.25), lambda: 1.5),
    "precision": (jl.flops.precision(8), lambda: 3.0),
}


@pytest.mark.parametrize(("cost", "k"), COSTS.values(), ids=list(COSTS))
def test_costs_proportional_to_nd_are_the_closed_form_too(cost: Callable, k: Callable) -> None:
    known = jl.published(CHINCHILLA)
    found = jl.frontier(known, C=BUDGETS, cost=cost).estimate
    for name, exact in closed(known.point, BUDGETS, k()).items():
        np.testing.assert_allclose(found[name], exact, rtol=1e-7, err_msg=name)


def nonlinear(N: Array, D: Array) -> Array:
    """Dearer the longer one trains: neither affine in D nor a power."""
    return 6.0 * N * D * (1 + (D / 1e13) ** 0.5)


def embedded(N: Array, D: Array) -> Array:
    return 6.0 * (N + 5e4 * N ** (1 / 3)) * D


EVERY_COST = {
    "dense": jl.flops.dense,
    "attention": jl.flops.attention(layers=24, width=2048, context=2048),
    "embeddings": jl.flops.embeddings(vocabulary=50_000, width=2048),
    "inference": jl.flops.inference(1e11),
    "nonlinear": nonlinear,
    "embedded": embedded,
    "mixed": lambda N, D: 6.0 * N * D + 1e9 * N + 1e8 * D,
}


@pytest.mark.parametrize("cost", EVERY_COST.values(), ids=list(EVERY_COST))
def test_budgets_are_spent_and_no_neighbour_is_better(cost: Callable) -> None:
    known = jl.published(CHINCHILLA)
    C = np.array([1e20, 1e22, 1e24])
    best = jl.frontier(known, C=C, cost=cost).estimate
    spent = cost(jnp.asarray(best["N_opt"]), jnp.asarray(best["D_opt"]))
    np.testing.assert_allclose(spent, C, rtol=1e-9)
    c = known.point
    np.testing.assert_allclose(
        best["L_opt"], CHINCHILLA(best["N_opt"], best["D_opt"], **c), rtol=1e-10
    )
    for factor in (0.9, 0.99, 1.01, 1.1):
        N = factor * best["N_opt"]
        D = np.array([tokens_by_bisection(cost, n, budget) for n, budget in zip(N, C, strict=True)])
        assert (np.asarray(CHINCHILLA(N, D, **c)) > best["L_opt"]).all()


def tokens_by_bisection(cost: Callable, n: float, budget: float) -> float:
    low, high = 0.0, 80.0
    for _ in range(200):
        middle = (low + high) / 2
        below = float(cost(jnp.asarray(n), jnp.exp(middle))) < budget
        low, high = (middle, high) if below else (low, middle)
    return float(np.exp(low))


def test_dearer_tokens_mean_fewer_of_them() -> None:
    known = jl.published(CHINCHILLA)
    plain, dear = (jl.frontier(known, C=1e25, cost=c).estimate for c in (jl.flops.dense, nonlinear))
    assert dear["D_opt"][0] < plain["D_opt"][0]
    assert dear["L_opt"][0] > plain["L_opt"][0]


def test_cost_models_are_plain_numbers() -> None:
    """Golden values: cost_dense, cost_attention, cost_inference, cost_precision, cost_moe."""
    assert jl.flops.dense(7e10, 1.4e12) == pytest.approx(5.88e23)
    assert jl.flops.inference(1e13)(7e9, 1e12) == pytest.approx(1.82e23)
    assert jl.flops.attention(24, 2048, 2048)(1e9, 1.0) == pytest.approx(6603979776.0)
    assert jl.flops.precision(8)(1e9, 1e11) == pytest.approx(3e20)
    assert jl.flops.sparse(0.25)(5.2e10, 1e12) == pytest.approx(7.8e22)
    assert jl.flops.embeddings(50_000, 1024)(1e9, 1.0) == pytest.approx(6 * (1e9 + 5.12e7))


# Other laws


def test_laws_of_compute_and_ratio_have_a_frontier() -> None:
    """overtrain_loss: M_opt = (b / a)^(1 / 2 eta) whatever the budget [gadre2024]."""
    for key, ratio in (
        ("gadre2024_redpajama", 7.42747822184),
        ("gadre2024_refinedweb", 5.84721616),
    ):
        best = jl.frontier(jl.published(jl.laws.overtrain_loss, key), C=[1e19, 1e23]).estimate
        np.testing.assert_allclose(best["tokens_per_parameter"], ratio, rtol=1e-6)
        np.testing.assert_allclose(6 * best["N_opt"] * best["D_opt"], [1e19, 1e23], rtol=1e-9)


def test_laws_of_compute_and_ratio_under_another_cost() -> None:
    """C is the law's compute, 6 N D, whatever the user pays for it."""
    known = jl.published(jl.laws.overtrain_loss)
    c = known.point
    best = jl.frontier(known, C=1e23, cost=jl.flops.sparse(0.5)).estimate
    N, D = best["N_opt"][0], best["D_opt"][0]
    assert 3 * N * D == pytest.approx(1e23, rel=1e-9)
    here = float(jl.laws.overtrain_loss(6 * N * D, D / N, **c))
    assert best["L_opt"][0] == pytest.approx(here, rel=1e-9)


def test_limited_data_moves_the_optimum_to_more_parameters() -> None:
    known = jl.published(jl.laws.muennighoff)
    free = jl.frontier(known, C=1e22, U_D=1e15).estimate
    short = jl.frontier(known, C=1e22, U_D=1e10).estimate
    exact = closed({k: known.point[k] for k in ("E", "A", "B", "alpha", "beta")}, 1e22)
    assert free["N_opt"][0] == pytest.approx(float(exact["N_opt"]), rel=1e-6)
    assert short["L_opt"][0] > free["L_opt"][0]
    assert short["N_opt"][0] != pytest.approx(free["N_opt"][0], rel=0.01)
    N, D = short["N_opt"][0], short["D_opt"][0]
    grid = N * np.geomspace(0.3, 3, 41)
    losses = jl.laws.muennighoff(grid, 1e22 / 6 / grid, jnp.full(41, 1e10), **known.point)
    assert short["L_opt"][0] <= float(np.min(losses)) * (1 + 1e-9)
    assert 6 * N * D == pytest.approx(1e22, rel=1e-9)


def test_kaplans_law_has_its_own_exponent() -> None:
    """Feeding C = 6 N D into kaplan_nd gives N ~ C^(1 / (1 + aN / aD))."""
    best = jl.frontier(jl.published(jl.laws.kaplan_nd), C=[1e21, 1e22]).estimate
    slope = np.log10(best["N_opt"][1] / best["N_opt"][0])
    assert slope == pytest.approx(1 / (1 + 0.076 / 0.103), rel=1e-6)


def test_a_task_has_a_frontier_too() -> None:
    """olmo_ladder: accuracy is to be raised, not lowered."""
    constants = dict(
        A=11.13, B=60.35, alpha=0.1949, beta=0.2565, E=0.5012, p=-0.7, k=8.0, x0=0.8, q=0.95
    )
    law = jl.laws.olmo_ladder
    draws = jl.Draws(
        law=law,
        params={k: jnp.asarray([v]) for k, v in constants.items()},
        point={k: jnp.asarray(v) for k, v in constants.items()},
        status=np.zeros(1, int),
        origin="made up",
        space="natural",
        noise=np.zeros(1),
    )
    exact = closed({k: constants[k] for k in ("E", "A", "B", "alpha", "beta")}, 1e23)
    best = jl.frontier(draws, C=1e23)
    assert best.estimate["N_opt"][0] == pytest.approx(float(exact["N_opt"]), rel=1e-5)


# Draws


def test_every_draw_has_its_own_optimum(boot: jl.Draws) -> None:
    C = np.array([1e20, 5.76e23])
    found = jl.frontier(boot, C=C)
    for i in (0, 31):
        exact = closed({k: float(v[i]) for k, v in boot.params.items()}, C)
        for name, value in exact.items():
            np.testing.assert_allclose(found.values[name][i], value, rtol=1e-7)
    frame = found.frame(prob=0.8)
    np.testing.assert_allclose(frame["N_opt_low"], np.quantile(found.values["N_opt"], 0.1, axis=0))
    assert frame.attrs["units"] == dict(N_opt="parameters", D_opt="tokens", L_opt="nats/token")
    assert list(frame["C"]) == list(C)
    assert "chinchilla fitted to simulated_chinchilla: best allocation over C" in repr(found)
    width = np.log(frame["N_opt_high"] / frame["N_opt_low"])
    assert width.iloc[1] > width.iloc[0]


def test_one_way_to_spell_an_axis() -> None:
    known = jl.published(CHINCHILLA)
    assert jl.frontier(known, C=1e21).at.shape == (1,)
    assert len(jl.frontier(known, C=[1e21, 1e22]).frame()) == 2
    assert jl.frontier(known, C=jnp.geomspace(1e19, 1e26, 3)).estimate["N_opt"].shape == (3,)


def test_extreme_budgets_are_solved_or_announced() -> None:
    """No NaN reaches a user without a word."""
    known = jl.published(CHINCHILLA)
    for C in (1e-3, 1.0, 1e3, 1e40, 1e60):
        found = jl.frontier(known, C=C)
        exact = closed(known.point, C)
        if np.isnan(found.estimate["N_opt"][0]):
            assert found.withheld[0]
        else:
            assert found.estimate["N_opt"][0] == pytest.approx(float(exact["N_opt"]), rel=1e-6)


@pytest.mark.parametrize("loss", [1.0, 1.8172, 1.8172 + 1e-12, 50.0, 1e5])
def test_losses_that_cannot_be_reached_are_announced(loss: float) -> None:
    """Below the floor of the law, or above what a model of one parameter has."""
    found = jl.cheapest(jl.published(CHINCHILLA), loss=loss)
    if np.isnan(found.estimate["C_opt"][0]):
        assert found.withheld[0], "NaN without a reason"
        assert "no optimum" in repr(found)


def test_draws_whose_floor_is_too_high_are_counted(boot: jl.Draws) -> None:
    """A target between the floors of the draws: an interval over those that reach it would lie."""
    floor = float(np.quantile(np.asarray(boot.params["E"]), 0.5))
    found = jl.cheapest(boot, loss=floor)
    assert "% of the draws have no optimum" in found.withheld[0]
    assert found.frame()["C_opt_low"].isna().all()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda d: jl.frontier(d, C=-1e20), "above zero"),
        (lambda d: jl.frontier(d, C=0), "above zero"),
        (lambda d: jl.frontier(d, C=[1e20, np.nan]), "finite numbers above zero"),
        (lambda d: jl.frontier(d, C="1e20 FLOP"), "must be numbers"),
        (lambda d: jl.frontier(d, C=np.ones((2, 2))), "C"),
        (lambda d: jl.frontier(d, C=1e20, U_D=1e9), "has no input 'U_D'"),
        (lambda d: jl.frontier(d, C=1e20, N=1e9), "no N and D to choose"),
        (lambda d: jl.cheapest(d, loss=-2.0), "above zero"),
        (lambda d: jl.isoloss(d, 2.2, -1e9), "above zero"),
        (lambda d: jl.isoloss(d, np.nan, 1e9), "finite"),
        (lambda d: jl.frontier(d, C=[]), "C"),
        (lambda d: jl.frontier(d, C=1e20, cost=6.0), "cost"),
        (lambda d: jl.frontier(d, C=1e20).frame(prob=2), "between 0 and 1"),
    ],
)
def test_questions_that_are_none_are_refused(call: Callable, words: str, boot: jl.Draws) -> None:
    with pytest.raises(jl.InputError, match=words):
        call(boot)


@pytest.mark.parametrize("name", ["kaplan_n", "m1", "ppl_to_error", "deepseek_scaling"])
def test_laws_with_nothing_to_choose_are_refused(name: str) -> None:
    law = jl.laws.CATALOGUE[name]
    known = jl.published(law) if law.constants else None
    if known is None:
        values = {k: p.constrain(jnp.zeros(())) for k, p in law.params.items()}
        known = jl.Draws(
            law,
            {k: v[None] for k, v in values.items()},
            values,
            np.zeros(1, int),
            "",
            "log",
            np.zeros(1),
        )
    with pytest.raises(jl.InputError, match="no N and D to choose"):
        jl.frontier(known, C=1e20)


def test_other_inputs_are_asked_for_by_name() -> None:
    with pytest.raises(jl.InputError, match="also needs U_D"):
        jl.frontier(jl.published(jl.laws.muennighoff), C=1e20)
    with pytest.raises(jl.InputError, match="U_D"):
        jl.frontier(jl.published(jl.laws.muennighoff), C=1e20, U_D=-5.0)


def test_a_cost_that_does_not_rise_with_tokens_is_announced() -> None:
    """A cost of N alone leaves the tokens open."""
    known = jl.published(CHINCHILLA)
    try:
        found = jl.frontier(known, C=1e20, cost=lambda N, D: 6.0 * N)
    except jl.InputError:
        return
    assert found.withheld[0]


def test_costs_take_arrays_of_either_kind() -> None:
    plain: Any = partial(jl.flops.dense, 1e9)
    assert plain(np.array([1e9, 2e9])).shape == (2,)
