"""IsoFLOP parabolas, the envelope and Porian's procedure: exact cases, biases, published values.

Published numbers and where they stand: the README of each table in the folder of tidy tables.
"""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from scipy.interpolate import Akima1DInterpolator

import jaxlaws as jl
from jaxlaws._akima import akima, envelope, envelope_optima, porian, porian_optima
from jaxlaws._isoflop import (
    isoflop,
    isoflop_optima,
    optimum_power,
    power_line,
)

KEYS = ["dataset", "hparams", "warmup", "decay", "param_count", "loss_kind"]
BUDGETS = np.geomspace(1e18, 1e21, 4)
SIZES = 9
LADDER = np.linspace(-0.8, 0.8, SIZES)
DRAWS = 100  # one number of draws and one shape of table share one compilation

# Steps of Porian's paper on RefinedWeb, published in the order of its table 1.
STEPS = {
    ("rw", "base", "long", "kaplan", "kaplan", "train"): 0.835,
    ("rw", "base", "long", "kaplan", "standard", "val"): 0.706,
    ("rw", "base", "short", "kaplan", "standard", "val"): 0.602,
    ("rw", "base", "short", "chinchilla", "standard", "val"): 0.571,
    ("rw", "tuned", "short", "const", "standard", "val"): 0.497,
}


def sweep(
    alpha: float = 0.34,
    beta: float = 0.34,
    offset: Any = 0.0,
    half: float = 1.5,
    noise: float = 0.0,
    seed: int = 0,
) -> tuple[jl.Runs, np.ndarray]:
    """Runs on Chinchilla's surface at BUDGETS, and the true ln N_opt (b,).

    Sizes are even in ln N over offset +- half around the optimum of each budget.
    """
    E, A, B = 1.7, 400.0, 600.0
    G = (alpha * A / (beta * B)) ** (1 / (alpha + beta))
    truth = np.log(G) + beta / (alpha + beta) * np.log(BUDGETS / 6)
    C = np.repeat(BUDGETS, SIZES)
    grid = (truth + offset)[:, None] + np.linspace(-half, half, SIZES)
    N = np.exp(grid).ravel()
    D = C / (6 * N)
    loss = E + A * N**-alpha + B * D**-beta
    loss = loss + noise * np.random.default_rng(seed).standard_normal(len(loss))
    return jl.Runs.from_arrays(loss, C=C, N=N, D=D), truth


def bowl(tokens: bool = False) -> jl.Runs:
    """Loss exactly quadratic in ln N about 0.3 C^0.49, sizes off the centre, and D not C/(6N)."""
    C = np.repeat(BUDGETS, SIZES)
    N = 0.3 * C**0.49 * np.tile(np.exp(np.linspace(-1.0, 2.0, SIZES)), len(BUDGETS))
    loss = 2 + 100 * C**-0.1 + 0.04 * np.log(N / (0.3 * C**0.49)) ** 2
    extra = dict(D=C / (5 * N**0.9)) if tokens else {}
    return jl.Runs.from_arrays(loss, C=C, N=N, **extra)


def curves(N: np.ndarray, D: np.ndarray) -> jl.Runs:
    """Training curves of sizes N (g,) through tokens D (g, t) on Chinchilla's surface."""
    N = np.broadcast_to(N[:, None], D.shape).ravel()
    group = np.repeat(np.arange(len(D)), D.shape[1])
    constants = jl.laws.chinchilla.published("besiroglu2024")
    loss = np.asarray(jl.laws.chinchilla(N, D.ravel(), **constants))
    return jl.Runs.from_arrays(loss, N=N, D=D.ravel(), group=group)


# --- the pieces ----------------------------------------------------------------------------------


padded_akima = jax.jit(akima)  # one compilation: every table below is padded to 20 nodes


@pytest.mark.parametrize("n", [3, 4, 5, 9, 16, 20])
def test_akima_is_scipys(n: int):
    rng = np.random.default_rng(n)
    for y in (rng.normal(size=n), np.clip(np.arange(n) - 2.0, 0, 3), np.arange(n) * 2.0):
        x = np.sort(rng.normal(size=n))
        at = np.linspace(x[0], x[-1], 97)
        nodes = np.append(x, x[-1] + 1 + np.arange(20 - n))
        values = padded_akima(nodes, np.append(y, np.full(20 - n, 7.0)), at, n)
        np.testing.assert_allclose(values, Akima1DInterpolator(x, y)(at), rtol=0, atol=1e-13)


def test_akima_needs_no_padding():
    x, y, at = np.array([0.0, 1.0, 3.0, 4.0]), np.array([1.0, 0.0, 2.0, 2.5]), np.linspace(0, 4, 9)
    values = akima(jnp.asarray(x), jnp.asarray(y), jnp.asarray(at))
    np.testing.assert_allclose(values, Akima1DInterpolator(x, y)(at), rtol=0, atol=1e-13)


def test_power_line_is_polyfit_and_leaves_out_what_is_missing():
    rng = np.random.default_rng(0)
    C, y, w = np.geomspace(1e18, 1e22, 8), np.exp(rng.normal(size=(3, 8))), rng.uniform(1, 9, 8)
    y[1, [0, 5]] = np.nan
    y[2, 1:] = np.nan
    found = power_line(C, y, w)
    for row in (0, 1):
        ok = np.isfinite(y[row])
        slope, level = np.polyfit(np.log(C[ok]), np.log(y[row, ok]), 1, w=np.sqrt(w[ok]))
        np.testing.assert_allclose(found["exponent"][row], slope, rtol=1e-9)
        np.testing.assert_allclose(np.log(found["coefficient"][row]), level, rtol=1e-9)
    assert np.isnan(found["exponent"][2])


def test_optimum_power_is_its_formula():
    value = optimum_power(np.array([1e18, 1e24]), coefficient=0.3, exponent=0.5)
    np.testing.assert_allclose(value, [3e8, 3e11], rtol=1e-12)
    assert (optimum_power.target.unit, optimum_power.target.name) == ("parameters", "N_opt")


# --- Approach 2 ----------------------------------------------------------------------------------


@pytest.mark.parametrize("degree", [2, 3])
def test_parabolas_are_recovered_exactly(degree: int):
    runs = bowl()
    found = isoflop_optima(runs, degree=degree, draws=DRAWS)
    line = found.line()
    np.testing.assert_allclose(np.exp(found.estimate["N_opt"]), 0.3 * BUDGETS**0.49, rtol=1e-9)
    np.testing.assert_allclose(np.exp(found.estimate["L_opt"]), 2 + 100 * BUDGETS**-0.1, rtol=1e-9)
    np.testing.assert_allclose(line.point["exponent"], 0.49, rtol=1e-9)
    np.testing.assert_allclose(line.point["coefficient"], 0.3, rtol=1e-7)
    # Without noise every resample with enough sizes finds the same minimum.
    np.testing.assert_allclose(line.select()["exponent"], 0.49, rtol=1e-7)
    assert found.notes == ()


def test_tokens_are_the_given_ones_or_follow_from_six_n_d():
    plain, given = (
        isoflop_optima(bowl(), draws=DRAWS),
        isoflop_optima(bowl(tokens=True), draws=DRAWS),
    )
    best = 0.3 * BUDGETS**0.49
    np.testing.assert_allclose(np.exp(plain.estimate["D_opt"]), BUDGETS / (6 * best), rtol=1e-9)
    np.testing.assert_allclose(
        np.exp(given.estimate["D_opt"]), BUDGETS / (5 * best**0.9), rtol=1e-9
    )
    np.testing.assert_allclose(plain.line("D").point["exponent"], 0.51, rtol=1e-9)
    np.testing.assert_allclose(given.line("D").point["exponent"], 1 - 0.9 * 0.49, rtol=1e-9)
    assert given.line("D").law.target.unit == "tokens"


def theory(alpha: float, beta: float, offset: float, t: np.ndarray) -> tuple[float, float]:
    """Error of ln N_opt by parabolas and by cubics on sizes offset + t about the optimum.

    About it the loss is c2 x^2 + c3 x^3 + c4 x^4 with c3 / c2 = (beta - alpha) / 3 and
    c4 / c2 = (alpha^2 - alpha beta + beta^2) / 12. Least squares takes t^3 for r t in a parabola,
    and t^4 for s t^2 (and a constant) in both.
    """
    second, fourth, sixth = (np.mean(t**k) for k in (2, 4, 6))
    r, s = fourth / second, (sixth - fourth * second) / (fourth - second**2)
    skew = (alpha - beta) * (r - 3 * offset**2) / 6
    even = (alpha**2 - alpha * beta + beta**2) / 24
    parabola = skew + even * (8 * offset**3 - offset * (4 * r - 2 * s))
    return parabola, even * offset * (2 * s - 4 * offset**2)


@pytest.mark.parametrize("offset", [-0.6, -0.3, 0.0, 0.3, 0.6])
@pytest.mark.parametrize(("alpha", "beta"), [(0.5, 0.3), (0.3, 0.5), (0.4, 0.4)])
def test_parabolas_are_biased_as_theory_says(alpha: float, beta: float, offset: float):
    runs, truth = sweep(alpha, beta, offset=offset, half=0.8)
    errors = [isoflop_optima(runs, degree=d, draws=DRAWS).estimate["N_opt"] - truth for d in (2, 3)]
    for error, expected in zip(errors, theory(alpha, beta, offset, LADDER), strict=True):
        np.testing.assert_allclose(error, expected, rtol=0.25, atol=3.5e-4)
    if alpha != beta:  # skew is what a cubic allows for
        assert (np.abs(errors[1]) < 0.45 * np.abs(errors[0])).all()


@pytest.mark.parametrize(("alpha", "beta", "sign"), [(0.5, 0.3, -1), (0.3, 0.5, 1)])
def test_a_drift_of_the_sizes_biases_the_exponent_and_is_noted(alpha, beta, sign):
    """Ever larger models as budgets grow lower the exponent where alpha > beta, else raise it."""
    runs, _ = sweep(alpha, beta, offset=np.linspace(0, 1.2, len(BUDGETS)), half=1.5)
    second, third = (isoflop_optima(runs, degree=d, draws=DRAWS) for d in (2, 3))
    a, b = (float(f.line().point["exponent"]) for f in (second, third))
    truth = beta / (alpha + beta)
    assert 0.008 < sign * (a - truth) < 0.035
    assert abs(b - truth) < 0.2 * abs(a - truth)
    assert f"cubics give the exponent {b:.3g} where parabolas give {a:.3g}" in second.notes[0]
    assert second.notes[0] in second.line().origin


def test_the_standard_error_is_the_spread_over_repeated_sweeps():
    """200 sweeps know their spread to 5 %; nine runs a budget bias the bootstrap below 30 %."""
    sweeps = [isoflop(sweep(noise=0.003, seed=s)[0], draws=DRAWS) for s in range(200)]
    points = np.array([float(found.point["exponent"]) for found in sweeps])
    errors = [float(np.std(found.select()["exponent"])) for found in sweeps[:40]]
    assert 0.7 < np.median(errors) / np.std(points) < 1.4
    assert abs(np.mean(points) - 0.5) < 5 * np.std(points) / np.sqrt(200)


def test_a_draw_depends_on_key_and_number_alone(key: jax.Array):
    runs, _ = sweep(noise=0.003)
    few, many = (isoflop(runs, draws=n, key=key) for n in (20, DRAWS))
    for name in ("coefficient", "exponent"):
        np.testing.assert_array_equal(few.params[name], many.params[name][:20])
    other = isoflop(runs, draws=20, key=jax.random.key(5))
    assert (other.params["exponent"] != few.params["exponent"]).any()


def test_order_weights_and_labels_of_runs():
    runs, _ = sweep(noise=0.003)
    want = isoflop(runs, draws=DRAWS).point["exponent"]
    perm = np.random.default_rng(0).permutation(len(runs))
    mixed = jl.Runs.from_arrays(
        runs.target[perm],
        group=np.repeat(np.arange(len(BUDGETS)), SIZES)[perm],
        **{k: v[perm] for k, v in runs.inputs.items()},
    )
    assert isoflop(mixed, draws=DRAWS).point["exponent"] == pytest.approx(float(want), abs=1e-12)
    # Budgets that are not labels but computed from N and D are named by the group.
    wobble = np.exp(1e-3 * np.random.default_rng(1).standard_normal(len(runs)))
    inputs = {**mixed.inputs, "C": mixed.inputs["C"] * wobble}
    loose = jl.Runs.from_arrays(mixed.target, group=mixed.group, **inputs)
    assert isoflop(loose, by="group", draws=DRAWS).point["exponent"] == pytest.approx(
        float(want), abs=1e-3
    )
    # A run of no weight does not count.
    extra = jl.Runs.from_arrays(
        np.append(runs.target, 9.0),
        weight=np.append(np.ones(len(runs)), 0.0),
        **{k: np.append(v, v[3]) for k, v in runs.inputs.items()},
    )
    assert isoflop(extra, draws=DRAWS).point["exponent"] == pytest.approx(float(want), abs=1e-12)


def test_a_budget_without_a_minimum_inside_is_named_and_left_out():
    runs, truth = sweep(offset=np.array([0, 0, 2.5, 0.0]))
    found = isoflop_optima(runs, draws=DRAWS)
    assert found.notes[0] == "no minimum inside the 9 runs at C = 1e+20, left out"
    assert "C = 1e+20" in found.line().origin
    assert "C = 1e+20" in repr(found)
    frame = found.frame()
    gone = frame["C"].round(-18) == 1e20
    assert frame.loc[gone, ["N_opt", "N_opt_low", "L_opt_high"]].isna().all(axis=None)
    assert frame.loc[~gone].notna().all(axis=None)
    assert "C = 1e+20 has an optimum inside in" in frame.attrs["withheld"][2]
    kept = np.array([0, 1, 3])
    slope = np.polyfit(np.log(BUDGETS[kept]), truth[kept], 1)[0]
    assert float(found.line().point["exponent"]) == pytest.approx(slope, abs=0.02)


def test_draws_with_too_few_minima_fail_and_no_interval_is_given():
    keep = np.arange(SIZES * len(BUDGETS)) % SIZES % 2 == 0  # five sizes a budget
    runs, _ = sweep(noise=0.003)
    found = isoflop(runs.where(keep & (runs.inputs["C"] < 2e20)), draws=DRAWS)
    assert found.failed > 0.03
    assert np.isnan(found.params["exponent"][~found.good]).all()
    assert np.isfinite(found.select()["exponent"]).all()
    assert "fewer budgets than a line needs" in found.frame().attrs["withheld"]
    assert found.frame()["low"].isna().all()


def test_predict_and_frames_take_the_draws():
    found = isoflop(sweep(noise=0.003)[0], draws=DRAWS)
    frame = jl.predict(found, C=[1e18, 1e24]).frame(0.9)
    np.testing.assert_allclose(
        frame["N_opt"], optimum_power(np.array([1e18, 1e24]), **found.point), rtol=1e-9
    )
    assert (frame["law_low"] < frame["N_opt"]).all()
    assert (frame["run_high"] > frame["law_low"]).all()
    assert list(found.frame().index) == ["coefficient", "exponent"]
    assert repr(found).startswith("optimum_power: N_opt by IsoFLOP parabolas")


# Fits by the digitisers, recomputed: (condition, outliers too) -> exponent of D_opt.
LLAMA = {("raw_loss", True): 0.536779, ("raw_loss", False): 0.5, ("exp_loss", True): 0.536879}


@pytest.mark.parametrize("case", LLAMA)
def test_llama_3_is_reproduced(case: tuple[str, bool], data: Path):
    frame = pd.read_csv(data / "isoflop_llama3_digitised" / "isoflops.csv")
    frame = frame[(frame["condition"] == case[0]) & (case[1] | ~frame["outlier"])]
    runs = jl.Runs.from_frame(frame, target="loss", C="flops_budget_C", N="params_N", D="tokens_D")
    found = isoflop(runs, of="D", draws=DRAWS)
    assert float(found.point["exponent"]) == pytest.approx(LLAMA[case], abs=1e-6)
    if case == ("raw_loss", True):
        assert float(isoflop(runs, draws=DRAWS).point["exponent"]) == pytest.approx(
            0.463221, abs=1e-6
        )
        tokens = float(jl.predict(found, C=3.8e25).estimate[0])
        assert tokens == pytest.approx(1.6102e13, rel=1e-4)


@pytest.mark.parametrize("corpus", ["comma", "dclm"])
def test_marins_sweeps_are_off_centre_and_a_reader_is_told(corpus: str, data: Path):
    frame = pd.read_csv(data / "isoflop_marin" / "isoflops_comma_dclm.csv")
    runs = jl.Runs.from_frame(
        frame[frame["dataset"] == corpus],
        target="loss",
        C="flops_budget_C",
        N="params_N",
        D="tokens_D",
    )
    found = isoflop_optima(runs, draws=DRAWS)
    assert len(found.C) == 7
    assert "cubics give the exponent" in found.notes[0]
    assert found.line().failed == 0


# --- Approach 1 ----------------------------------------------------------------------------------

WIDE = (np.geomspace(5e7, 5e9, 20), np.geomspace(1, 300, 60))  # sizes, tokens per parameter


def test_the_envelope_of_a_known_surface_gives_its_exponent():
    N, ratio = WIDE
    a = 0.3658 / (0.3478 + 0.3658)
    found = envelope_optima(curves(N, N[:, None] * ratio), draws=DRAWS)
    assert float(found.line().point["exponent"]) == pytest.approx(a, abs=0.004)
    assert float(found.line("D").point["exponent"]) == pytest.approx(1 - a, abs=0.004)
    # With the ends of the family the smallest and the largest model win whatever the law.
    naive = envelope(curves(N, N[:, None] * ratio), edges=True, draws=DRAWS)
    assert float(naive.point["exponent"]) < 0.42
    assert found.notes[0].startswith("left out 43% of the budgets")
    assert len(repr(found).splitlines()) == 23
    assert "NaN" not in repr(found)
    assert found.notes[0] in found.line().origin


def test_curves_that_start_late_do_not_bias_the_envelope():
    N = WIDE[0]
    late = curves(N, np.broadcast_to(np.geomspace(1e10, 1e11, 60), (20, 60)))
    assert float(envelope(late, draws=DRAWS).point["exponent"]) == pytest.approx(0.5126, abs=0.015)
    assert float(envelope(late, edges=True, draws=DRAWS).point["exponent"]) > 0.6


def test_the_envelopes_interval_resamples_whole_curves(key: jax.Array):
    runs = curves(WIDE[0], WIDE[0][:, None] * WIDE[1])
    few, many = (envelope_optima(runs, draws=n, key=key) for n in (10, DRAWS))
    np.testing.assert_array_equal(few.draws["N_opt"], many.draws["N_opt"][:10])
    sizes = [len(np.unique(row[np.isfinite(row)])) for row in many.draws["N_opt"]]
    assert 8 < np.mean(sizes) < 13  # 20 (1 - 1/e) = 12.6 sizes in a resample, some at its ends
    assert many.line().failed == 0


def brute_force(frame: pd.DataFrame, points: int, edges: bool) -> float:
    """The exponent by loops over budgets and curves."""
    x, rows = np.linspace(np.log(frame["C"].min()), np.log(frame["C"].max()), points), []
    for at in x:
        there = []
        for _, curve in frame.sort_values("C").groupby("run_name"):
            c = np.log(curve["C"].to_numpy())
            if c[0] <= at <= c[-1]:
                loss = np.interp(at, c, np.log(curve["loss"].to_numpy()))
                there.append((loss, curve["params"].iloc[0]))
        size = min(there)[1]
        sizes = [n for _, n in there]
        if edges or min(sizes) < size < max(sizes):
            rows.append((at, np.log(size)))
    return float(np.polyfit(*np.transpose(rows), 1)[0])


@pytest.mark.parametrize("edges", [True, False])
def test_gemstones_by_brute_force(edges: bool, data: Path):
    """Their Approach 1 (0.4994) is of checkpoints every 2e9 tokens, which the table has not."""
    frame = pd.read_csv(data / "gemstones_mcleish2025" / "hot_runs.csv").query("in_hot == 1")
    frame = frame.assign(C=6.0 * frame["params"] * frame["tokens"])
    runs = jl.Runs.from_frame(frame, target="loss", N="params", D="tokens", C="C", group="run_name")
    found = envelope(runs, points=40, edges=edges, draws=DRAWS)
    want = brute_force(frame, 40, edges)
    assert float(found.point["exponent"]) == pytest.approx(want, abs=1e-9)
    without = jl.Runs.from_frame(frame, target="loss", N="params", D="tokens", group="run_name")
    assert float(envelope(without, points=40, edges=edges, draws=DRAWS).point["exponent"]) == (
        pytest.approx(want, abs=1e-9)
    )


# --- Porian's procedure --------------------------------------------------------------------------


def table_of(keys: tuple[str, ...], name: str, data: Path) -> pd.DataFrame:
    frame = pd.read_csv(data / "porian2024" / f"{name}.csv")
    return frame[(frame[KEYS] == list(keys)).all(axis=1)]


@pytest.mark.parametrize("step", STEPS)
def test_porian_is_reproduced_from_points(step: tuple[str, ...], data: Path):
    points, stored = (table_of(step, name, data) for name in ("isoflop_points", "published_fits"))
    fit = stored.iloc[0]
    runs = jl.Runs.from_frame(
        points, target="loss", C="train_flops", N="params", D="tokens", name="porian2024"
    )
    optima = porian_optima(runs)
    found = optima.line()
    row = found.frame(0.95).loc["exponent"]
    assert row["estimate"] == pytest.approx(STEPS[step], abs=0.002)
    assert row["estimate"] == pytest.approx(fit["n_exponent"], abs=0.002)
    assert row["low"] == pytest.approx(fit["n_exponent_ci95_lo"], abs=0.002)
    assert row["high"] == pytest.approx(fit["n_exponent_ci95_hi"], abs=0.002)
    assert len(found) == pytest.approx(fit["n_bootstrap"], abs=20)
    assert found.failed == 0
    assert float(optima.line("D").point["exponent"]) == pytest.approx(fit["t_exponent"], abs=0.002)


@pytest.mark.parametrize("step", STEPS)
def test_porian_is_reproduced_from_optima(step: tuple[str, ...], data: Path):
    pairs, stored = (table_of(step, name, data) for name in ("optimal_pairs", "published_fits"))
    line = power_line(pairs["train_flops"], pairs["n_star"], 1 / pairs["log_n_star_std"] ** 2)
    assert line["exponent"] == pytest.approx(stored["n_exponent"].iloc[0], abs=1e-5)
    assert line["coefficient"] == pytest.approx(stored["n_coef"].iloc[0], rel=1e-5)
    assert round(float(line["exponent"]), 3) == pytest.approx(STEPS[step], abs=1e-3)


def test_porians_optima_and_weights_are_the_stored_ones(data: Path):
    step = ("rw", "base", "long", "kaplan", "standard", "val")
    points, pairs = (table_of(step, name, data) for name in ("isoflop_points", "optimal_pairs"))
    runs = jl.Runs.from_frame(points, target="loss", C="train_flops", N="params", D="tokens")
    found = porian_optima(runs)
    for name, column in (("N_opt", "n_star"), ("L_opt", "loss_star")):
        np.testing.assert_allclose(np.exp(found.estimate[name]), pairs[column], rtol=0.05)
    # The smallest budget's best size is the smallest one: missing in their table too.
    assert found.notes[0] == "no minimum inside the 8 runs at C = 1.25e+16, left out"
    assert np.isnan(pairs["n_star"].iloc[0])
    floor = np.isfinite(found.estimate["N_opt"])
    np.testing.assert_allclose(
        found.weight[floor] ** -0.5, pairs["log_n_star_std"].to_numpy()[floor], rtol=0.1
    )
    assert "draws have an optimum at an end in some budget" in found.notes[1]


def test_porian_takes_the_lowest_of_runs_of_one_size_and_draws_by_number(key: jax.Array):
    runs, _ = sweep(noise=0.001)
    twice = jl.Runs.from_arrays(
        np.append(runs.target, runs.target + 0.5),
        **{k: np.append(v, v) for k, v in runs.inputs.items()},
    )
    one, two = (porian_optima(r, draws=DRAWS, key=key) for r in (runs, twice))
    np.testing.assert_array_equal(one.estimate["N_opt"], two.estimate["N_opt"])
    more = porian_optima(runs, draws=40, key=key)
    count = min(len(one.enough), len(more.enough))
    np.testing.assert_array_equal(one.draws["N_opt"][:count], more.draws["N_opt"][:count])


# --- what a user is told -------------------------------------------------------------------------

FALLING = jl.Runs.from_arrays(
    np.tile([4.0, 3.4, 2.9, 2.5], 3),
    C=np.repeat([1e19, 1e20, 1e21], 4),
    N=np.tile([1e8, 2e8, 4e8, 8e8], 3),
)
ERRORS: dict[str, tuple[Any, dict[str, Any], str]] = {
    "no N": (isoflop, dict(runs=jl.Runs.from_arrays([3.0, 2.0], C=[1e19, 1e20])), "no input 'N'"),
    "N below zero": (
        isoflop,
        dict(runs=jl.Runs.from_arrays([3.0, 2.0], C=[1e19, 1e20], N=[-1e8, 1e8])),
        "above zero",
    ),
    "no minimum": (isoflop, dict(runs=FALLING, draws=DRAWS), "0 of 3 budgets have a minimum"),
    "no minimum for Porian": (
        porian,
        dict(runs=FALLING, draws=DRAWS),
        "0 of 3 budgets have a minimum",
    ),
    "every run its own budget": (
        isoflop,
        dict(
            runs=jl.Runs.from_arrays([3.0, 2.0, 2.5], C=[1e19, 2e19, 3e19], N=[1e8, 2e8, 3e8]),
            draws=DRAWS,
        ),
        'by="group"',
    ),
    "degree": (isoflop, dict(runs=FALLING, degree=4), "degree must be 2 or 3"),
    "by": (isoflop, dict(runs=FALLING, by="budget"), "by must be"),
    "of": (isoflop, dict(runs=bowl(), of="L", draws=DRAWS), 'of must be "N"'),
    "draws": (isoflop, dict(runs=bowl(), draws=1), "at least 2 draws"),
    "noise": (porian, dict(runs=bowl(), noise=0.0), "noise"),
    "no curve": (envelope, dict(runs=bowl()), "N changes within the group 'all'"),
    "no C and no D": (
        envelope,
        dict(runs=jl.Runs.from_arrays([3.0, 2.0], N=[1e8, 2e8])),
        "no input 'D'",
    ),
    "no size inside": (
        envelope,
        dict(runs=curves(np.array([1e8, 1e9]), np.geomspace([1e9, 1e9], 1e11, 9).T)),
        "0 of 2 sizes win inside",
    ),
}


@pytest.mark.parametrize("case", ERRORS)
def test_errors_say_what_was_expected(case: str):
    call, arguments, message = ERRORS[case]
    with pytest.raises(jl.InputError, match=message):
        call(**arguments)
