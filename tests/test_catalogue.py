"""One battery over every law of the catalogue; designs and constants are benchmarks.designs'.

Golden values come from `laws/golden.csv` beside the folder of tidy tables: numbers computed apart
from this library from the papers' constants, each with its own tolerance.
"""

import inspect
import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest

import jaxlaws as jl
from benchmarks.designs import (
    LAWS,
    MADE_UP,
    RANGES,
    STEPS,
    UNITS,
    constants_of,
    inputs_of,
    predicted,
    table,
)
from benchmarks.recovery import OTHERS, free_directions, recover
from jaxlaws import laws
from jaxlaws._coordinates import coordinates
from jaxlaws._points import check_points
from jaxlaws.laws.annealing_areas import rates
from jaxlaws.laws.cooldown import named_schedule
from jaxlaws.laws.data_limited import effective
from jaxlaws.laws.schedule import areas

SETS = [(name, key) for name in LAWS for key in constants_of(name)]
every_law = pytest.mark.parametrize("name", list(LAWS))
every_set = pytest.mark.parametrize(("name", "constants"), SETS)


def first(name: str) -> dict[str, Any]:
    return next(iter(constants_of(name).values()))


def points(name: str) -> dict[str, Any]:
    return {k: jnp.asarray(v) for k, v in inputs_of(name).items()}


def supports_of(name: str) -> set[str]:
    return {v.support.name for v in LAWS[name].inputs.values()}


def one(name: str, i: int = 7) -> dict[str, Any]:
    return {k: v[i] for k, v in points(name).items()}


def on_design(name: str, constants: dict[str, Any]) -> np.ndarray:
    """(n,) the law on its design."""
    return predicted(name, constants, inputs_of(name))


def test_the_tables_name_laws_of_the_catalogue() -> None:
    assert set(RANGES) | set(MADE_UP) | set(SIGN) | set(INFINITE) <= set(LAWS)
    for name, law in LAWS.items():
        assert set(RANGES.get(name, {})) <= set(law.inputs)
        assert all(set(values) == set(law.params) for values in constants_of(name).values())
        assert not (law.constants and name in MADE_UP), f"{name} has published constants"


# 1. Scalar, broadcast, jit and vmap agree


@every_law
def test_scalar_broadcast_jit_and_vmap_agree(name: str) -> None:
    law, constants, inputs = LAWS[name], first(name), inputs_of(name)
    whole = on_design(name, constants)
    scalar = law.scalar({**one(name), **constants})
    assert scalar.shape == ()
    assert scalar.dtype == jnp.float64
    assert float(scalar) == pytest.approx(whole[7], rel=1e-12, nan_ok=True)
    assert float(law(**one(name), **constants)) == pytest.approx(whole[7], rel=1e-12, nan_ok=True)

    columns = {k: jnp.asarray(v[:6].reshape(2, 3, *v.shape[1:])) for k, v in inputs.items()}
    own = {k: jnp.broadcast_to(v, (2, 3, *v.shape)) for k, v in constants.items()}
    np.testing.assert_allclose(np.ravel(law(**columns, **own)), whole[:6], rtol=1e-12)
    compiled = jax.jit(law.scalar)({**one(name), **constants})
    assert float(compiled) == pytest.approx(whole[7], rel=1e-12, nan_ok=True)


@every_law
def test_draws_of_parameters_broadcast_against_a_point(name: str) -> None:
    law, constants = LAWS[name], first(name)
    draws = {k: jnp.broadcast_to(v, (4, *v.shape)) for k, v in constants.items()}
    at = law(**one(name), **draws)
    np.testing.assert_allclose(at, np.full(4, on_design(name, constants)[7]), rtol=1e-12)


@every_set
def test_predictions_lie_in_the_targets_support(name: str, constants: str) -> None:
    whole = on_design(name, constants_of(name)[constants])
    assert np.isfinite(whole).all()
    assert all(v in LAWS[name].target.support for v in whole)


# 2. The coordinate


@every_law
def test_z_to_parameters_and_back(name: str) -> None:
    law = LAWS[name]
    layout = coordinates(law)
    frame = layout.frame(table(name, first(name)))
    z = jnp.asarray(np.random.default_rng(3).uniform(-2, 2, (36, layout.size)))
    there = jax.vmap(lambda one: layout.to_params(one, frame))(z)
    assert list(there) == sorted(law.params) or set(there) == set(law.params)
    for k, v in there.items():
        assert v.shape == (36, *law.params[k].size)
        assert np.isfinite(v).all()
    back = jax.vmap(lambda p: layout.from_params(p, frame))(there)
    np.testing.assert_allclose(back, z, rtol=1e-7, atol=1e-7)


@every_set
def test_constants_to_z_and_back(name: str, constants: str) -> None:
    law, values = LAWS[name], constants_of(name)[constants]
    layout = coordinates(law)
    frame = layout.frame(table(name, values))
    z = layout.from_params(values, frame)
    for k, v in layout.to_params(z, frame).items():
        np.testing.assert_allclose(v, values[k], rtol=1e-9)


@every_law
def test_each_parameter_and_its_own_z(name: str) -> None:
    for p in LAWS[name].params.values():
        z = jnp.linspace(-3, 3, 13)
        np.testing.assert_allclose(p.unconstrain(p.constrain(z)), z, atol=1e-7)


# 3. Derivatives


DTYPES = pytest.mark.parametrize("dtype", ["float64", "float32"])
# Where a law has no finite value, and why.
INFINITE = {
    "kaplan_trajectory": "a loss below the converged one takes infinitely many steps",
    "m4": "no error lies between a ceiling and a floor above it",
}
LARGEST = {"float64": 1e200, "float32": 1e25}  # a slope of a value beyond may overflow


def slopes_of(name: str, params: Any, inputs: Any, dtype: str, together: bool) -> tuple[Any, Any]:
    """(n,) values and {parameter: (n, ...)} slopes, computed in a dtype."""
    cast = lambda tree: jax.tree.map(lambda v: jnp.asarray(v, dtype), tree)  # noqa: E731
    with jax.enable_x64(dtype == "float64"):
        at = jax.value_and_grad(lambda p, x: LAWS[name].scalar({**x, **p}))
        found = jax.vmap(at, (0 if together else None, 0))(cast(params), cast(inputs))
    assert found[0].dtype == dtype
    return jax.tree.map(np.asarray, found)


@pytest.mark.parametrize(
    ("name", "constants", "dtype"),
    [(*each, "float64") for each in SETS]
    + [(name, next(iter(constants_of(name))), "float32") for name in LAWS],
)
def test_gradients_are_finite_at_the_constants(name: str, constants: str, dtype: str) -> None:
    values = {k: np.asarray(v) for k, v in constants_of(name)[constants].items()}
    _, slopes = slopes_of(name, values, inputs_of(name), dtype, together=False)
    for k, slope in slopes.items():
        assert np.isfinite(slope).all(), k
        assert np.any(slope != 0), f"{k} does nothing"


def typical(name: str, rng: np.random.Generator, n: int) -> tuple[dict, dict]:
    """n random constants of the typical ranges, and as many runs of the design."""
    inputs = {k: v[rng.integers(0, 36, n)] for k, v in inputs_of(name).items()}
    params = {}
    for k, p in LAWS[name].params.items():
        if p.like:  # a place among the runs
            params[k] = rng.choice(inputs_of(name)[p.like], (n, *p.size))
        else:
            ends = [p.support.unconstrain_number(v) for v in p.typical]
            params[k] = np.asarray(p.support.constrain(rng.uniform(*ends, (n, *p.size))))
    return params, inputs


@DTYPES
@every_law
def test_gradients_are_finite_over_the_typical_ranges(name: str, dtype: str) -> None:
    params, inputs = typical(name, np.random.default_rng(11), 1000)
    value, slopes = slopes_of(name, params, inputs, dtype, together=True)
    finite = np.isfinite(value)
    if dtype == "float64":
        assert finite.all() != (name in INFINITE)
    inside = finite & (np.abs(value) < LARGEST[dtype])
    assert inside.mean() > 0.5
    for k, slope in slopes.items():
        assert np.isfinite(slope[inside]).all(), k


# 4. Constants and their typical ranges


@every_set
def test_constants_lie_in_the_support_and_near_typical(name: str, constants: str) -> None:
    law = LAWS[name]
    for k, value in constants_of(name)[constants].items():
        p = law.params[k]
        assert all(float(v) in p.support for v in np.ravel(value)), k
        if p.like:  # a break's range is that of the runs
            continue
        z = np.abs(np.asarray(p.unconstrain(value)))
        assert (z < 3.5).all(), f"{k} = {value} lies {z.max():.1f} standard deviations out"


@every_law
def test_typical_ranges_are_in_order_and_inside(name: str) -> None:
    for k, p in LAWS[name].params.items():
        low, high = p.typical
        assert low < high, k
        assert low in p.support, k
        assert high in p.support, k
        assert math.isfinite(p.centre), k
        assert p.spread > 0, k
    for k, v in LAWS[name].inputs.items():
        assert v.unit or k == "x", k


# 5. Monotone where the law says so: sign of the derivative

SIGN = {
    "chinchilla": dict(N=-1, D=-1),
    "kaplan_n": dict(N=-1),
    "kaplan_d": dict(D=-1),
    "kaplan_nd": dict(N=-1, D=-1),
    "overtrain_loss": dict(C=-1),
    "muennighoff": dict(N=-1, D=-1),
    "m1": dict(x=-1),
    "m2": dict(x=-1),
    "m3": dict(x=-1),
    "m4": dict(x=-1),
    "bnsl(2)": dict(x=-1),
    "ppl_to_error": dict(L=1),
    "loss_to_accuracy": dict(L=-1),
    "olmo_ladder": dict(N=1, D=1),
}


@pytest.mark.parametrize(("name", "signs"), SIGN.items(), ids=list(SIGN))
def test_monotone_where_the_law_says_so(name: str, signs: dict[str, int]) -> None:
    law, constants = LAWS[name], first(name)
    for k, sign in signs.items():
        others = {n: jnp.asarray(np.median(v)) for n, v in inputs_of(name).items() if n != k}
        along = jnp.asarray(np.unique(inputs_of(name)[k]))
        value = jax.vmap(lambda x, o=others, k=k: law.scalar({**o, k: x, **constants}))(along)
        assert (sign * np.diff(np.asarray(value)) > 0).all(), k


def test_unique_tokens_help_until_there_are_enough() -> None:
    law, constants = LAWS["muennighoff"], first("muennighoff")
    unique = jnp.geomspace(1e9, 1e12, 31)
    loss = np.asarray(law(2.8e9, 55e9, unique, **constants))
    assert (np.diff(loss) <= 1e-12).all()
    assert loss[-1] == loss[-2] < loss[0]


@pytest.mark.parametrize("key", list(constants_of("deepseek_scaling")))
def test_a_power_rises_or_falls_with_its_exponent(key: str) -> None:
    constants = constants_of("deepseek_scaling")[key]
    budgets = np.geomspace(*UNITS["FLOP"], 36)
    values = np.asarray(LAWS["deepseek_scaling"](budgets, **constants))
    slope = np.diff(np.log(values)) / np.diff(np.log(budgets))
    np.testing.assert_allclose(slope, float(constants["exponent"]), rtol=1e-9)


@pytest.mark.parametrize("name", ["lr_annealing", "multi_power_law"])
def test_loss_falls_with_steps_and_lowering_the_rate_buys_loss(name: str) -> None:
    law, constants = LAWS[name], first(name)
    steps = jnp.arange(3000.0, STEPS, 1500.0)
    constant, decay = (law(c, steps, **constants) for c in (0.0, 2.0))
    assert (np.diff(constant) < 0).all()
    np.testing.assert_allclose(decay[:5], constant[:5], rtol=1e-12)  # the same until it decays
    assert float(decay[-1]) < float(constant[-1])


# 6. Noiseless runs give the constants back

# A handful of shapes: a sum of powers, a saturating curve, repeats, an implicit one, breaks, a
# schedule, and one whose parameters are not all identified. The others are left to slow runs
# (compiling each takes seconds) and to `python -m benchmarks.recovery`.
QUICK = ("chinchilla", "ppl_to_error", "muennighoff", "m4", "bnsl(1)", "lr_annealing", "bimix")
FITTED = [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in LAWS]


@pytest.mark.parametrize("name", FITTED)
def test_noiseless_runs_give_the_constants_back(name: str) -> None:
    found = recover(name)
    assert found["recovered"], found


# Laws that leave parameters free whatever the runs, and what to hold: then none is free.
HOLD: dict[str, dict[str, Any]] = {
    "aghajanyan_mixed_modal": dict(E=[1.5, 2.0]),
    "bimix": dict(A=1.0),
    "busbridge_distillation": dict(d1=1.0),
    "densing_capacity_density": dict(gamma=-1.0),
    "llama3_two_stage": dict(g0=0.0, g1=1.0),
    "olmo_ladder": dict(E=1.0, k=1.0),
    "rosenfeld_envelope": dict(eta=1.0),
    "shannon_law": dict(e=1.0),
    "sloth_skills(2, 2, 3)": dict(W2=MADE_UP["sloth_skills(2, 2, 3)"]["W2"], b2=[0.2, -0.5, 0.3]),
    "ye_data_mixing(3)": dict(k=1.0),
}


@every_law
def test_a_law_says_which_parameters_it_leaves_free(name: str) -> None:
    law, constants = LAWS[name], first(name)
    hold = HOLD.get(name, {})
    assert bool(free_directions(law, constants, inputs_of(name, OTHERS))) == bool(hold)
    if hold:
        held = law.fix(**hold)
        rest = {k: constants[k] for k in held.params}
        assert free_directions(held, rest, inputs_of(name, OTHERS)) == {}
        # The text of a chain is made from its two laws.
        assert f"fix({next(iter(hold))}=" in law.doc or "The chain" in law.doc


@every_law
def test_terms_are_linear_where_the_runs_are(name: str) -> None:
    """What the coordinate takes for the size of a term must be one: affine, and felt by the runs.

    A law whose terms are guessed where it saturates is searched in the wrong coordinates.
    """
    law, constants = LAWS[name], first(name)
    terms = coordinates(law).terms
    if not terms:
        return

    def at(sizes: dict[str, Any], x: dict[str, Any]) -> Any:
        return law.scalar({**x, **constants, **sizes})

    sizes = {k: constants[k] for k in terms}
    slope = jax.vmap(jax.grad(at), (None, 0))(sizes, points(name))
    bend = jax.vmap(jax.hessian(at), (None, 0))(sizes, points(name))
    for a in terms:
        assert np.any(np.asarray(slope[a]) != 0), f"{a} is taken for a term but does nothing"
        for b in terms:
            scale = np.max(np.abs(slope[a])) / np.abs(np.asarray(constants[b])).min()
            curvature = np.max(np.abs(bend[a][b]))
            assert curvature <= 1e-9 * scale, f"{a} and {b} are taken for terms but bend the law"


# 7. Formula and sources


BIB = Path(laws.__file__).parent / "references.bib"
KEYS = (
    set(re.findall(r"@\w+\{([\w-]+),", BIB.read_text(encoding="utf-8"))) if BIB.exists() else set()
)


@every_law
def test_docstring_has_a_formula_and_known_sources(name: str) -> None:
    law = LAWS[name]
    assert law.formula, "no $$...$$ in the docstring"
    assert law.summary.endswith("."), law.summary
    cited = {k.strip() for k in law.source.split(",")}
    assert cited
    cited |= set(re.findall(r"\[([a-z]+\d{4})\b", law.doc))
    for key in law.constants:
        own = key.split("_")[0]
        assert own == "refit" or own in KEYS, key
    assert cited <= KEYS, cited - KEYS


def test_bibliography_has_no_double_and_every_entry_is_cited() -> None:
    text = BIB.read_text(encoding="utf-8")
    keys = re.findall(r"@\w+\{([\w-]+),", text)
    assert len(keys) == len(set(keys))
    sources = "\n".join(
        p.read_text(encoding="utf-8") for p in Path(jl.__file__).parent.rglob("*.py")
    )
    assert [k for k in keys if k not in sources] == []


# 8. One screen


@every_law
def test_the_source_fits_one_screen(name: str) -> None:
    source = inspect.getsource(LAWS[name].fn)
    lines = source[max(source.find("def "), 0) :].splitlines()  # constants are a table apart
    assert len(lines) <= 40, f"{len(lines)} lines"


# 9. Golden values


GOLDEN_BREAKS = ("a", "b", "c0")


def bnsl_of(constants: dict[str, Any]) -> tuple[jl.Law, dict[str, Any]]:
    breaks = np.asarray(constants["breaks"]).reshape(-1, 3)
    own = {k: constants[k] for k in GOLDEN_BREAKS}
    own |= {k: jnp.asarray(v) for k, v in zip("cdf", breaks.T, strict=True)}
    return laws.bnsl(len(breaks)), own


def loss_of(name: str) -> Callable[[dict, dict], float]:
    return lambda x, c: float(LAWS[name](**x, **c))


def overtrain(x: dict, c: dict) -> float:
    if "N" in x:
        x = dict(C=6 * x["N"] * x["D"], M=x["D"] / x["N"])
    return float(LAWS["overtrain_loss"](C=x["C"], M=x["M"], **c))


def repeated(x: dict, c: dict) -> float:
    own = {k: math.exp(c[f"ln{k}"]) for k in "EAB"} | {k: v for k, v in c.items() if k[:2] != "ln"}
    return float(LAWS["muennighoff"](**x, **own))


def worth(x: dict, c: dict) -> float:
    return float(effective(jnp.ones(()), jnp.asarray(x["epochs"] - 1.0), c["R_D_star"]))


def broken(x: dict, c: dict) -> float:
    law, own = bnsl_of(c)
    return float(law(x["x"], **own))


def annealed(x: dict, c: dict) -> float:
    T, peak = x["steps"] + 1, x["peak"]  # the rate before the first step is entered too
    eta = np.full(T, peak)
    if x["schedule"] == "cosine":
        warm, end = x["warmup_counted_at_peak"], x["end"]
        share = np.clip((np.arange(T) - warm) / (T - 1 - warm), 0, 1)
        eta = end + (peak - end) * 0.5 * (1 + np.cos(np.pi * share))
    law = laws.lr_annealing(eta[None], decay=c.pop("lambda"))
    return float(law(0.0, float(T - 1), **c))


def area(which: int) -> Callable[[dict, dict], float]:
    return lambda x, c: float(areas(x["eta_0_to_s"], decay=c["lambda"])[which][-1])


def stepped(x: dict, c: dict) -> float:
    return float(laws.multi_power_law([x["eta"]])(0.0, float(x["t"]), **c))


EVALUATE: dict[tuple[str, str], Callable[[dict, dict], float]] = {
    ("chinchilla", "L"): loss_of("chinchilla"),
    ("kaplan_n", "L"): loss_of("kaplan_n"),
    ("kaplan_d", "L"): loss_of("kaplan_d"),
    ("kaplan_nd", "L"): loss_of("kaplan_nd"),
    ("overtrain_loss", "L"): overtrain,
    ("ppl_to_error", "error"): lambda x, c: float(LAWS["ppl_to_error"](x["L"], **c)),
    ("muennighoff", "L"): repeated,
    ("muennighoff", "D_eff_over_U"): worth,
    ("m1", "eps"): loss_of("m1"),
    ("m2", "eps"): loss_of("m2"),
    ("m3", "eps"): loss_of("m3"),
    ("m4", "eps"): loss_of("m4"),
    ("bnsl", "y"): broken,
    ("deepseek_scaling", "eta_opt"): loss_of("deepseek_scaling"),
    ("deepseek_scaling", "B_opt_tokens"): loss_of("deepseek_scaling"),
    ("deepseek_scaling", "M_opt"): loss_of("deepseek_scaling"),
    ("deepseek_scaling", "D_opt"): loss_of("deepseek_scaling"),
    ("olmo_ladder", "accuracy"): loss_of("loss_to_accuracy"),
    ("lr_annealing", "S1"): area(0),
    ("lr_annealing", "S2"): area(1),
    ("lr_annealing", "L"): annealed,
    ("multi_power_law", "L"): stepped,
}
ROWS = {  # how many rows of each kind must have been compared
    ("chinchilla", "L"): 10, ("kaplan_n", "L"): 1, ("kaplan_d", "L"): 1, ("kaplan_nd", "L"): 4,
    ("overtrain_loss", "L"): 6, ("ppl_to_error", "error"): 10, ("muennighoff", "L"): 4,
    ("muennighoff", "D_eff_over_U"): 5, ("m1", "eps"): 1, ("m2", "eps"): 1, ("m3", "eps"): 2,
    ("m4", "eps"): 2, ("bnsl", "y"): 7, ("deepseek_scaling", "eta_opt"): 1,
    ("deepseek_scaling", "B_opt_tokens"): 2, ("deepseek_scaling", "M_opt"): 1,
    ("deepseek_scaling", "D_opt"): 2, ("olmo_ladder", "accuracy"): 1, ("lr_annealing", "S1"): 1,
    ("lr_annealing", "S2"): 3, ("lr_annealing", "L"): 4, ("multi_power_law", "L"): 1,
}  # fmt: skip


def golden(data: Path, law: str, quantity: str) -> pd.DataFrame:
    path = data.parent / "laws" / "golden.csv"
    assert path.is_file(), f"no file {path}"
    rows = pd.read_csv(path)
    rows = rows[(rows.law_id == law) & (rows.quantity == quantity)]
    if (law, quantity) == ("multi_power_law", "L"):  # the others are of 24,000 steps: certified
        rows = rows[rows.inputs.str.contains('"eta"')]
    return rows


@pytest.mark.parametrize(("law", "quantity"), list(EVALUATE))
def test_golden_values(data: Path, law: str, quantity: str) -> None:
    rows = golden(data, law, quantity)
    assert len(rows) == ROWS[law, quantity]
    for row in rows.itertuples():
        found = EVALUATE[law, quantity](json.loads(row.inputs), json.loads(row.constants))
        absolute = 1e-15 if row.expected == 0 else 0.0
        assert found == pytest.approx(row.expected, rel=row.rtol, abs=absolute), row.inputs


def test_special_cases_join_the_laws() -> None:
    """alpha = 0 makes m4 into m2, gamma = 0 m3 into m1, no break bnsl into m2; ties the loss."""
    x = jnp.geomspace(10.0, 1e7, 7)
    base = dict(beta=2.0, c=-0.2)
    m1, m2 = LAWS["m1"](x, **base), LAWS["m2"](x, **base, eps_inf=0.1)
    np.testing.assert_allclose(LAWS["m3"](x, **base, gamma=0.0), m1, rtol=1e-14)
    four = jax.jit(LAWS["m4"])(x, **base, alpha=0.0, eps_inf=0.1, eps_0=5.0)
    np.testing.assert_allclose(four, m2, rtol=1e-14)
    none = jnp.zeros((7, 0))
    flat = laws.bnsl(0)(x, a=0.1, b=2.0, c0=0.2, c=none, d=none, f=none)
    np.testing.assert_allclose(flat, m2, rtol=1e-14)
    N, D = 1e9, 3e10
    eta = 0.15
    tied = LAWS["chinchilla"](N, D, E=1.8, A=400.0, B=500.0, alpha=2 * eta, beta=2 * eta)
    scale = 6.0**eta
    over = LAWS["overtrain_loss"](
        6 * N * D, D / N, E=1.8, a=400.0 * scale, b=500.0 * scale, eta=eta
    )
    assert float(over) == pytest.approx(float(tied), rel=1e-13)


RUN = dict(N=1e9, D=3e10)
DENSE = dict(E=1.8, A=420.0, B=900.0, alpha=0.34, beta=0.33)
POWERS = dict(a=420.0, b=900.0, alpha=0.34, beta=0.33)
BARE = {k: v for k, v in DENSE.items() if k != "E"}
# What the sections state: one law at these values is another one at those.
SAME: dict[str, tuple[str, dict[str, Any], str, dict[str, Any]]] = {
    "the nested form with q = 1": ("nested_generalised", DENSE | dict(q=1.0), "chinchilla", DENSE),
    "the nested form with q = beta and no floor": (
        "nested_generalised",
        dict(E=0.0, A=6.4e13**0.076, alpha=0.076, B=1.8e13**0.103, beta=0.103, q=0.103),
        "kaplan_nd",
        dict(aN=0.076, Nc=6.4e13, aD=0.103, Dc=1.8e13),
    ),
    "logarithms of the sizes": (
        "step_loss",
        dict(E=math.log(1.8), A=math.log(420.0), B=math.log(900.0), alpha=0.34, beta=0.33),
        "chinchilla",
        DENSE,
    ),
    "no floor": ("densing_loss", POWERS, "chinchilla", DENSE | dict(E=0.0)),
    "all data seen once": (
        "muennighoff",
        DENSE | dict(U_D=3e10, R_D_star=15.0, R_N_star=1e30),
        "chinchilla",
        DENSE,
    ),
    "Kaplan's law on endless data": (
        "kaplan_nd",
        dict(D=1e200, aN=0.076, Nc=8.8e13, aD=0.1, Dc=1e13),
        "kaplan_n",
        dict(aN=0.076, Nc=8.8e13),
    ),
    "Kaplan's law of an endless model": (
        "kaplan_nd",
        dict(N=1e200, aN=0.076, Nc=8.8e13, aD=0.095, Dc=5.4e13),
        "kaplan_d",
        dict(aD=0.095, Dc=5.4e13),
    ),
    "the year of reference": (
        "ho_algorithmic_progress",
        BARE | dict(year=0.0, a_prime=0.4, b_prime=0.9),
        "chinchilla",
        DENSE | dict(E=0.0),
    ),
    "as many bits as one likes": (
        "kumar_precision",
        DENSE | dict(P_w=500.0, P_a=500.0, P_kv=500.0, gamma_w=2.7, gamma_a=2.2, gamma_kv=0.95),
        "chinchilla",
        DENSE,
    ),
    "one stream": (
        "parscale",
        dict(P=1.0, E=1.3, A=420.0 ** (1 / 0.34), alpha=0.34, k=0.3),
        "chinchilla",
        DENSE | dict(E=1.3, B=0.0),
    ),
    "streams that all say the same": (
        "parscale_rho",
        dict(P=8.0, E=1.3, A=1e8, alpha=0.2, rho=1.0),
        "parscale_rho",
        dict(P=1.0, E=1.3, A=1e8, alpha=0.2, rho=0.5),
    ),
}


@pytest.mark.parametrize("what", list(SAME))
def test_a_law_is_another_one_in_the_limit(what: str) -> None:
    found, expected = (
        float(laws.evaluate(name, LAWS[name].target.name, {**RUN, **values}))
        for name, values in (SAME[what][:2], SAME[what][2:])
    )
    assert found == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("alpha", [0.0, 0.02, 0.7, 3.0])
def test_m4_solves_its_equation(alpha: float) -> None:
    x = jnp.geomspace(1.0, 1e6, 9)
    own = dict(beta=4.0, c=-0.35, alpha=alpha, eps_inf=0.1, eps_0=0.9)
    eps = np.asarray(jax.jit(LAWS["m4"])(x, **own))
    height = 4.0 * np.asarray(x) ** -0.35
    if not alpha:
        np.testing.assert_allclose(eps, 0.1 + height, rtol=1e-12)
        return
    # Where the root is closer to a ceiling than float64 can tell, the ceiling is the answer.
    assert ((eps > 0.1) & (eps <= 0.9)).all(), eps
    inside = eps < 0.9 - 1e-9
    left = (eps[inside] - 0.1) / (0.9 - eps[inside]) ** alpha
    np.testing.assert_allclose(left, height[inside], rtol=1e-5)


@pytest.mark.parametrize("table", [np.zeros(5), 3e-4, np.zeros((2, 3, 4))])
def test_a_schedule_that_is_no_table_is_refused(table: Any) -> None:
    for family in (laws.lr_annealing, laws.multi_power_law):
        with pytest.raises(ValueError, match="one row per curve"):
            family(table)


# 10. Bad input


@every_law
def test_inputs_outside_their_support_are_refused_by_name(name: str) -> None:
    """In a table of runs, in the row that it is in, and among points to predict."""
    law, inputs = LAWS[name], inputs_of(name)
    target = on_design(name, first(name))
    for k, v in law.inputs.items():
        for end in (v.support.lower - 1, v.support.upper + 1):
            if math.isinf(end):
                continue
            wrong = {**inputs, k: inputs[k].copy()}
            wrong[k][3] = end
            with pytest.raises(jl.InputError, match=rf"\b{k}\b.* {end:g} in row 3"):
                jl.Runs.from_arrays(target, **wrong).checked(law)
            with pytest.raises(jl.InputError, match=rf"^{k} "):
                check_points(law, wrong)


@pytest.mark.parametrize("name", [n for n in LAWS if "simplex" in supports_of(n)])
def test_shares_that_do_not_sum_to_one_are_refused(name: str) -> None:
    law, inputs = LAWS[name], inputs_of(name)
    for k, v in law.inputs.items():
        if v.support.name == "simplex":
            with pytest.raises(jl.InputError, match=f"^{k} .*sum to one"):
                check_points(law, {**inputs, k: 0.9 * inputs[k]})


# What contradicts itself: a quantity at a proper value, and the same with one thing out of place.
PARTS = dict(s=100.0, n=100.0, W=10.0, T=80.0, S=110.0, eta=1e-3)
TOGETHER: dict[str, tuple[str, str, dict[str, Any], dict[str, Any]]] = {
    "a warm-up beyond the decay": ("wsd_schedule", "eta", PARTS, dict(W=90.0)),
    "a decay beyond the end": ("wsd_schedule", "eta", PARTS, dict(T=120.0)),
    "a warm-up that leaves no decay": (
        "power_scheduler_schedule",
        "eta",
        dict(n=1e9, batch_sequences=100.0, N=1e10, N_warm=1e9, N_decay=1e9),
        dict(N_warm=9.5e9),
    ),
    "a warm-up beyond the cooldown": (
        "hagele_cooldown",
        "learning_rate",
        dict(n=50.0, N=100.0, N_d=20.0, eta_max=1e-3, warmup=10.0),
        dict(warmup=90.0),
    ),
    "less than one epoch": (
        "muennighoff",
        "D_eff_over_U",
        dict(epochs=4.0, R_D_star=15.0),
        dict(epochs=0.5),
    ),
    "fewer tokens than unique ones": (
        "practical_data_constrained",
        "L",
        dict(N=1e9, T=1e10, D=1e9) | MADE_UP["practical_data_constrained"],
        dict(T=5e8),
    ),
    "a ceiling below the floor": (
        "m4",
        "eps",
        dict(x=1e4) | MADE_UP["m4"],
        dict(eps_0=0.05),
    ),
}


@pytest.mark.parametrize("what", list(TOGETHER))
def test_what_contradicts_itself_is_nan_in_a_batch(what: str) -> None:
    law, quantity, proper, change = TOGETHER[what]
    (changed,) = change
    column = jnp.asarray([proper[changed], change[changed]])

    def at(value: Any) -> Any:
        values = {k: jnp.asarray(v) for k, v in proper.items()}
        return laws.evaluate(law, quantity, {**values, changed: value})

    found = np.asarray(jax.jit(jax.vmap(at))(column))
    assert np.isfinite(found[0])
    assert np.isnan(found[1])


def test_a_warm_up_that_fills_a_named_schedule_is_refused() -> None:
    assert len(named_schedule("cosine_100", warmup=10)) == 100
    with pytest.raises(jl.InputError, match="warmup is shorter than cosine_100"):
        named_schedule("cosine_100", warmup=100)
    assert np.isnan(rates("cosine", 100, 1e-3, warmup_counted_at_peak=100)).all()
