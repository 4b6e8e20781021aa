"""Figures: files, labels with units, the right artists, honest bands, and no global state."""

import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import jax.numpy as jnp
import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

import jaxlaws as jl
from jaxlaws import plot
from jaxlaws._draws import Draws
from jaxlaws._fit import Fit
from jaxlaws._power_scaling import power_scaled
from jaxlaws.plot import _band, _isoflop, _style, _ticks
from jaxlaws.plot._view import as_draws, look

SOURCES = sorted(Path(plot.__file__).parent.glob("*.py"))


@pytest.fixture(scope="module")
def fitted(huber_fit: Fit) -> Fit:
    return huber_fit


@pytest.fixture(scope="module")
def draws(fitted: Fit) -> Draws:
    return jl.laplace(fitted, draws=300)


@pytest.fixture(scope="module")
def withheld(draws: Draws) -> Draws:
    """The same draws, a fifth of them no certified minima."""
    return replace(draws, status=np.where(np.arange(len(draws)) % 5 == 0, 1, 0))


@pytest.fixture(scope="module")
def best(draws: Draws) -> jl.Frontier:
    return jl.frontier(draws, C=np.geomspace(1e19, 1e24, 6))


@pytest.fixture(scope="module")
def pages(draws: Draws, withheld: Draws, best: jl.Frontier) -> tuple[Figure, Figure]:
    """The overview of draws, and of withheld ones."""
    reason = withheld.withheld()
    return (
        plot.overview(draws, best),
        plot.overview(withheld, replace(best, withheld=(reason,) * len(best.at))),
    )


def bands(ax) -> list:
    """The filled bands of axes, each an (m, 2) array of its outline."""
    found = [c for c in ax.collections if type(c).__name__ == "FillBetweenPolyCollection"]
    return [c.get_paths()[0].vertices for c in found]


def words(drawn) -> str:
    """Every text of a figure."""
    figure = drawn.get_figure(root=True)
    return "\n".join(t.get_text() for t in figure.findobj(mpl.text.Text))


# ---- the module --------------------------------------------------------------------------------


def test_import_loads_no_matplotlib_and_drawing_no_pyplot(tmp_path: Path):
    code = (
        "import sys, jaxlaws\n"
        "from jaxlaws import plot\n"
        "assert 'matplotlib' not in sys.modules, 'loaded at import'\n"
        "ax = plot.isoflop(jaxlaws.datasets.runs('simulated_chinchilla'))\n"
        f"plot.save(ax, {str(tmp_path / 'figure.png')!r})\n"
        "assert 'matplotlib.pyplot' not in sys.modules, 'loaded for drawing'\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_one_file_imports_matplotlib_and_none_pyplot():
    typing_only = "if TYPE_CHECKING:"
    for source in SOURCES:
        text = source.read_text()
        assert "pyplot" not in text
        assert "rcParams" not in text
        before = text.split(typing_only)[0]
        after = text.split(typing_only)[1].split("\n\n", 1)[1] if typing_only in text else ""
        imports = "from matplotlib" in before + after or "import matplotlib" in before + after
        assert imports == (source.name == "_mpl.py"), source.name


def test_missing_matplotlib_is_said(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "jaxlaws.plot._mpl", None)
    monkeypatch.delattr(sys.modules["jaxlaws.plot"], "_mpl", raising=False)
    with pytest.raises(jl.InputError, match=r"pip install \"jaxlaws\[plot\]\""):
        _style.figure()


def test_drawing_changes_nothing_global(pages: tuple[Figure, Figure], tmp_path: Path):
    before = dict(mpl.rcParams)
    path = plot.save(pages[0], tmp_path / "overview.png")
    assert dict(mpl.rcParams) == before
    size = path.read_bytes()[16:24]
    assert (int.from_bytes(size[:4]), int.from_bytes(size[4:])) == (1600, 1200)


# ---- save --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ending", "magic"),
    [("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<?xml"), ("PNG", b"\x89PNG")],
)
def test_save_by_ending(ending: str, magic: bytes, tmp_path: Path):
    ax = _style.axes(None)
    path = plot.save(ax, tmp_path / f"figure.{ending}")
    assert path.read_bytes().startswith(magic)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]  # nothing is left beside it


def test_save_of_the_same_figure_is_the_same_file(tmp_path: Path):
    ax = _style.axes(None)
    first, second = (plot.save(ax, tmp_path / f"{i}.pdf").read_bytes() for i in range(2))
    assert first == second


@pytest.mark.parametrize(
    ("what", "name", "match"),
    [
        ("axes", "figure.jpg", "written as .png, .pdf, .svg"),
        ("axes", "figure", "ends in 'nothing'"),
        ("axes", "nowhere/figure.png", "There is no folder"),
        ("number", "figure.png", "figure or axes first, got int"),
    ],
)
def test_save_says_what_is_wrong(what: str, name: str, match: str, tmp_path: Path):
    with pytest.raises(jl.InputError, match=match):
        plot.save(_style.axes(None) if what == "axes" else 3, tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "figure.png"
    path.write_text("old")
    ax = _style.axes(None)

    def fail(name: Path, **_: object) -> None:
        Path(name).write_text("half")
        raise OSError("disk full")

    monkeypatch.setattr(ax.figure, "savefig", fail)
    with pytest.raises(OSError, match="disk full"):
        plot.save(ax, path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_figures_on_threads(fitted: Fit, tmp_path: Path):
    def draw(i: int) -> None:
        plot.save(plot.residuals(fitted), tmp_path / f"{i}.png")

    threads = [threading.Thread(target=draw, args=(i,)) for i in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    files = [p.read_bytes() for p in sorted(tmp_path.iterdir())]
    assert len(files) == 3
    assert files[0] == files[1] == files[2]


# ---- fit_band ----------------------------------------------------------------------------------


def test_fit_band_of_two_inputs(draws: Draws):
    ax = plot.fit_band(draws)
    assert ax.get_xlabel() == "$D$ (tokens)"
    assert ax.get_ylabel() == "$L$ (nats/token)"
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    assert "simulated" in ax.get_title(loc="left")
    assert len(bands(ax)) == 10  # five levels, law and new run
    assert len(ax.lines) == 10  # thin and thick
    points = ax.collections[-1]
    assert len(points.get_offsets()) == 81
    assert words(ax).count("$N$ = ") == 5


def test_bands_hold_the_estimate_and_each_other(draws: Draws):
    view = look(draws.law, draws.fit.runs)
    x = np.geomspace(1e9, 1e12, 16)
    found = _band.follow(draws, view, draws.fit.runs, x, 0.9)
    assert (found.law[0] <= found.estimate).all()
    assert (found.estimate <= found.law[1]).all()
    assert (found.run[0] <= found.law[0]).all()
    assert (found.law[1] <= found.run[1]).all()
    narrow = _band.follow(draws, view, draws.fit.runs, x, 0.5)
    assert (np.diff(narrow.law, axis=0) < np.diff(found.law, axis=0)).all()


def test_new_run_interval_agrees_with_predict(draws: Draws):
    """Both are Monte Carlo estimates of one interval; five standard errors of a quantile."""
    D = np.geomspace(1e9, 1e12, 8)
    prediction = jl.predict(draws, N=1e9, D=D)
    frame = prediction.frame(0.9)
    found = _band.new_run(draws, prediction.mean, 0.9)
    width = (frame["run_high"] - frame["run_low"]).to_numpy()
    error = 5 * np.sqrt(0.05 * 0.95 / len(draws)) / 0.103 * width / 3.29  # normal density at 5 %
    np.testing.assert_array_less(np.abs(found[0] - frame["run_low"]), error)
    np.testing.assert_array_less(np.abs(found[1] - frame["run_high"]), error)


def test_fit_band_along_compute(draws: Draws):
    ax = plot.fit_band(draws, along="C", until=1e23)
    assert ax.get_xlabel() == "$C$ (FLOP)"
    assert ax.get_xlim()[1] > 1e23
    dotted = [line for line in ax.lines if line.get_linestyle() == ":"]
    np.testing.assert_allclose(dotted[0].get_xdata()[0], 3e21, rtol=1e-3)


def test_fit_band_of_published_constants():
    known = jl.published(jl.laws.chinchilla)
    with pytest.raises(jl.InputError, match="belong to no runs; give runs="):
        plot.fit_band(known)
    ax = plot.fit_band(known, runs=jl.datasets.runs("simulated_chinchilla"))
    assert not bands(ax)
    assert "published constants besiroglu2024" in ax.get_title(loc="left")


def test_fit_band_of_withheld_draws(withheld: Draws):
    ax = plot.fit_band(withheld)
    assert not bands(ax)
    assert "no bands: 20.0% of 300 refits are no certified minima" in words(ax)
    assert len(ax.lines) == 10


def test_fit_band_of_a_fit_and_of_further_runs(fitted: Fit):
    runs = fitted.runs
    ax = plot.fit_band(fitted, runs=runs.where(runs.inputs["N"] > 1e10), title="mine")
    assert not bands(ax)
    hollow = [c for c in ax.collections if not len(c.get_facecolor())]
    assert len(hollow[0].get_offsets()) == int((runs.inputs["N"] > 1e10).sum())
    assert ax.get_title(loc="left") == "mine"
    assert "hollow: further runs" in words(ax)


def test_fit_band_of_one_input():
    known = jl.published(jl.laws.kaplan_d)
    D = np.geomspace(1e8, 1e11, 9)
    runs = jl.Runs.from_arrays(jl.predict(known, D=D).estimate, D=D, name="simulated curve")
    ax = plot.fit_band(known, runs=runs)
    assert ax.get_xlabel() == "$D$ (tokens)"
    assert len(ax.lines) == 2
    assert "$N$" not in words(ax)


def test_view_holds_what_is_not_drawn():
    law = jl.laws.muennighoff
    runs = jl.Runs.from_arrays(
        np.ones(4), N=[1e8, 1e9] * 2, D=[1e9, 1e10] * 2, U_D=[1e9, 1e9, 4e9, 4e9]
    )
    view = look(law, runs)
    assert (view.along, view.hue, dict(view.held)) == ("D", "N", {"U_D": 2.5e9})
    assert view.note() == "curves at $U_{D}$ = 2.5B"
    with pytest.raises(jl.InputError, match="along must be one of N, D, U_D, C; got 'x'"):
        look(law, runs, "x")


def test_view_of_groups_shows_the_largest():
    law = jl.laws.chinchilla.per_group("E", groups=2)
    runs = jl.Runs.from_arrays(
        np.ones(5), group=["a", "a", "b", "b", "b"], N=np.geomspace(1e8, 1e9, 5), D=np.full(5, 1e9)
    )
    view = look(law, runs)
    assert view.shown.tolist() == [False, False, True, True, True]
    assert set(view.inputs(np.array([1e9]), 1e8)) == {"N", "D", "group"}


# ---- residuals ---------------------------------------------------------------------------------


def test_residuals_panels(fitted: Fit):
    figure = plot.residuals(fitted)
    assert [ax.get_xlabel() for ax in figure.axes] == [
        "$N$ (parameters)",
        "$D$ (tokens)",
        "fitted $L$ (nats/token)",
        "normal quantile",
    ]
    assert figure.axes[0].get_ylabel() == "measured - fitted (%)"
    first = figure.axes[0]
    delta = [line.get_ydata()[0] for line in first.lines if line.get_linestyle() == ":"]
    np.testing.assert_allclose(delta, [-0.1, 0.1])
    offsets = np.concatenate([c.get_offsets() for c in first.collections])
    np.testing.assert_allclose(
        np.sort(offsets[:, 1]), np.sort(100 * np.expm1(fitted.residual)), atol=1e-12
    )
    assert "beyond" in words(figure)


def test_residuals_in_given_axes(draws: Draws):
    ax = _style.axes(None)
    assert plot.residuals(draws, against="C", ax=ax) is ax
    assert ax.get_xlabel() == "$C$ (FLOP)"
    with pytest.raises(jl.InputError, match="has no 'width'"):
        plot.residuals(draws, against="width")
    with pytest.raises(jl.InputError, match="need a fit; published constants"):
        plot.residuals(jl.published(jl.laws.chinchilla))


def test_far_residuals_stand_on_the_edge(fitted: Fit):
    r = fitted.residual.copy()
    r[0] = 1.0
    ax = plot.residuals(replace(fitted, residual=r)).axes[0]
    edge = [c for c in ax.collections if len(c.get_offsets()) == 1]
    assert len(edge) == 1
    assert ax.get_ylim()[1] < 20
    assert edge[0].get_offsets()[0, 1] < ax.get_ylim()[1]


# ---- isoflop -----------------------------------------------------------------------------------


def test_isoflop_minima_lie_on_the_frontier(fitted: Fit):
    ax = plot.isoflop(fitted)
    assert ax.get_xlabel() == "$N$ (parameters)"
    diamonds = [line for line in ax.lines if line.get_marker() == "D"]
    assert len(diamonds) == _isoflop.MOST  # of nine budgets
    texts = [t.get_text() for t in ax.texts if "e" in t.get_text()[:4]]
    C = [float(t) for t in texts if t[0].isdigit()]
    expected = jl.frontier(as_draws(fitted), C=C).estimate["N_opt"]
    np.testing.assert_allclose([d.get_xdata()[0] for d in diamonds], expected, rtol=0.04)


def test_isoflop_of_runs_alone(fitted: Fit):
    ax = plot.isoflop(fitted.runs)
    assert "IsoFLOP parabolas, 81 simulated runs" in ax.get_title(loc="left")
    few = fitted.runs.where(np.arange(81) % 27 == 0)
    with pytest.raises(jl.InputError, match="share a budget; fit a law"):
        plot.isoflop(few)


def test_isoflop_of_runs_that_share_no_budget(draws: Draws):
    N, D = np.meshgrid(np.geomspace(1e8, 2e9, 4), [1, 2.7, 7.9, 24])
    N, D = N.ravel(), 20 * N.ravel() * D.ravel()
    runs = jl.Runs.from_arrays(np.full(16, 3.0), N=N, D=D)
    ax = plot.isoflop(replace(draws, fit=None), runs=runs)
    assert len([line for line in ax.lines if line.get_marker() != "D"]) == 5
    assert "which no runs share" in words(ax)


def test_budgets_are_found_in_noise():
    rng = np.random.default_rng(0)
    C = np.repeat([6e18, 3e19, 1e20], 12) * np.exp(rng.uniform(-0.05, 0.05, 36))
    C = np.append(C, [1e18, 1.2e19, 7e20])
    N = np.tile(np.geomspace(1e8, 1e10, 13), 3)
    found = _isoflop.budgets(C, N)
    np.testing.assert_allclose([b.C for b in found], [6e18, 3e19, 1e20], rtol=0.05)
    assert [len(b.rows) for b in found] == [12, 12, 12]


def test_isoflop_needs_N_and_D():
    with pytest.raises(jl.InputError, match="IsoFLOP curves need a law of N and D"):
        plot.isoflop(jl.published(jl.laws.kaplan_d), runs=jl.datasets.runs("simulated_chinchilla"))


# ---- frontier ----------------------------------------------------------------------------------


def test_frontier_panels(best: jl.Frontier, fitted: Fit):
    figure = plot.frontier(best, fitted.runs)
    assert [ax.get_ylabel() for ax in figure.axes] == [
        "$N_\\mathrm{opt}$ (parameters)",
        "$D_\\mathrm{opt}$ (tokens)",
        "tokens per parameter",
    ]
    assert "simulated" in figure.get_suptitle()
    for ax, name in zip(figure.axes, ("N_opt", "D_opt", "tokens_per_parameter"), strict=True):
        assert ax.get_xlabel() == "$C$ (FLOP)"
        outline = bands(ax)[0]
        estimate = best.estimate[name]
        np.testing.assert_array_equal(ax.lines[0].get_ydata(), estimate)
        assert outline[:, 1].min() <= estimate.min()
        assert estimate.max() <= outline[:, 1].max()
        assert len(ax.collections[0].get_offsets()) == 81
    assert "C^{\\,0.5" in figure.axes[0].get_title(loc="left")


def test_frontier_in_given_axes_and_withheld(best: jl.Frontier, withheld: Draws):
    found = replace(best, withheld=(withheld.withheld(),) * len(best.at))
    ax = plot.frontier(found, ax=_style.axes(None))
    assert ax.get_ylabel() == "parameters or tokens"
    assert not bands(ax)
    assert "no bands: 20.0% of 300 refits" in words(ax)


def test_frontier_of_one_set_of_constants_and_over_other_axes():
    known = jl.published(jl.laws.chinchilla)
    figure = plot.frontier(jl.isoloss(known, 2.2, N=np.geomspace(3e9, 3e10, 4)))
    assert figure.axes[0].get_xlabel() == "$N$ (parameters)"
    assert figure.axes[0].get_ylabel() == "$D$ (tokens)"
    assert not bands(figure.axes[0])


# ---- clouds, specification curve, overview -----------------------------------------------------


def test_clouds(draws: Draws, withheld: Draws):
    figure = plot.bootstrap_clouds(draws)
    assert len(figure.axes) == 15
    by_label = {ax.get_xlabel(): ax for ax in figure.axes[10:]}
    assert by_label["$A$"].get_xscale() == "log"
    assert by_label["$\\alpha$"].get_xscale() == "linear"
    assert "$E$ (nats/token)" in by_label
    assert "simulated" in figure.get_suptitle()
    figure = plot.bootstrap_clouds(withheld, params=["alpha"])
    assert "no intervals: 20.0% of 300 refits" in words(figure)
    assert " to " not in words(figure)


def test_clouds_say_what_is_wrong(draws: Draws):
    with pytest.raises(jl.InputError, match="are a single point"):
        plot.bootstrap_clouds(jl.published(jl.laws.chinchilla))
    with pytest.raises(jl.InputError, match="has no parameter 'gamma'"):
        plot.bootstrap_clouds(draws, params=["gamma"])


def test_clouds_of_vector_parameters():
    law = jl.laws.bnsl(2)
    rng = np.random.default_rng(0)
    params = {
        k: p.constrain(jnp.asarray(rng.normal(size=(50, *p.size)))) for k, p in law.params.items()
    }
    point = {k: v[0] for k, v in params.items()}
    many = Draws(law, params, point, np.zeros(50, int), "prior", "log", np.zeros(1))
    figure = plot.bootstrap_clouds(many, params=["c", "d[1]"])
    assert [ax.get_xlabel() for ax in figure.axes[-3:]] == ["$c_{1}$", "$c_{2}$", "$d_{2}$"]


@pytest.fixture
def table() -> pd.DataFrame:
    return pd.DataFrame(
        dict(
            law="chinchilla",
            objective=["Huber(0.001)", "Huber(0.001)", "Squared()", "Squared()"],
            space=["log", "natural", "log", "natural"],
            dropped=0,
            tokens_per_parameter=[17.9, 16.2, 14.2, np.nan],
        )
    )


def test_specification_curve(table: pd.DataFrame, fitted: Fit):
    figure = plot.specification_curve(table, runs=fitted.runs)
    upper, lower = figure.axes
    assert upper.get_ylabel() == "tokens per parameter"
    offsets = upper.collections[0].get_offsets()
    np.testing.assert_allclose(offsets[:, 1], [14.2, 16.2, 17.9])
    assert [t.get_text() for t in lower.get_yticklabels()] == [
        "Huber(0.001)",
        "Squared()",
        "log",
        "natural",
    ]
    assert sum(len(c.get_offsets()) for c in lower.collections) == 6  # three answers, two choices
    assert "1 more without an answer" in words(figure)
    assert figure.get_suptitle() == "3 choices, 81 simulated runs of simulated_chinchilla"


@pytest.mark.parametrize("of", ["tokens", "law"])
def test_specification_curve_of_nothing(of: str, table: pd.DataFrame):
    with pytest.raises(
        jl.InputError, match=f"no answer '{of}'; the table has tokens_per_parameter"
    ):
        plot.specification_curve(table, of=of)


def test_overview(pages: tuple[Figure, Figure]):
    figure, without = pages
    assert len(figure.axes) == 4
    assert figure.get_suptitle() == "chinchilla, 81 simulated runs of simulated_chinchilla"
    assert all(ax.get_xlabel() and ax.get_ylabel() for ax in figure.axes)
    assert "$\\alpha$ = 0.34" in words(figure)
    assert not any(bands(ax) for ax in without.axes)
    assert words(without).count("no bands") == 2
    with pytest.raises(jl.InputError, match="An overview needs a fit"):
        plot.overview(jl.published(jl.laws.chinchilla))


def test_overview_of_one_input(fitted: Fit):
    known = jl.published(jl.laws.kaplan_d)
    D = np.geomspace(1e8, 1e11, 9)
    noise = np.exp(0.01 * np.sin(np.arange(9)))
    runs = jl.Runs.from_arrays(jl.predict(known, D=D).estimate * noise, D=D, name="simulated curve")
    fit = replace(
        fitted,  # its solver's record is not looked at
        law=known.law,
        runs=runs,
        params=known.point,
        residual=np.log(noise),
        objective=jl.Squared(),
    )
    figure = plot.overview(fit)
    assert len(figure.axes) == 3
    assert "Huber" not in words(figure)


def test_a_law_of_a_vector_has_no_curves(fitted: Fit):
    inputs = {"N": replace(fitted.law.inputs["N"], size=(2,)), "D": fitted.law.inputs["D"]}
    fit = replace(fitted, law=replace(fitted.law, inputs=inputs))
    with pytest.raises(jl.InputError, match=r"vector 'N', which has no axis.*plot.residuals"):
        plot.fit_band(fit)
    figure = plot.overview(fit)
    assert [ax.get_xlabel() for ax in figure.axes] == ["fitted $L$ (nats/token)", "normal quantile"]
    assert plot.residuals(fit).axes[0].get_xlabel() == "$D$ (tokens)"


# ---- checks of a posterior ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def posterior(squared_fit: Fit) -> Draws:
    return jl.posterior(squared_fit, draws=250, sampler="importance")


def test_checks(posterior: Draws):
    figure = plot.checks(posterior)
    before, after, *below = figure.axes
    assert before.get_xlabel() == after.get_xlabel() == "posterior median of $L$ (nats/token)"
    assert (before.get_yscale(), after.get_yscale()) == ("log", "linear")
    target = posterior.fit.runs.target
    np.testing.assert_array_equal(before.collections[-1].get_offsets()[:, 1], target)
    # Orange are the runs outside their bars, and the line below the title counts them.
    lines = (c for c in after.collections if type(c).__name__ == "LineCollection")
    bars = next(lines).get_segments()
    low, high = np.array([bar[:, 1] for bar in bars]).T
    dots = np.concatenate([c.get_offsets() for c in after.collections[1:]])
    assert len(dots) == len(target)
    order = {round(float(x), 9): i for i, x in enumerate([bar[0, 0] for bar in bars])}
    for x, y in after.collections[2].get_offsets():
        i = order[round(float(x), 9)]
        assert not low[i] <= y <= high[i]
    assert f"{len(after.collections[2].get_offsets())} of 81 outside (orange)" in words(figure)
    table = jl.check(posterior)
    assert len(below) == len(table)
    for ax, (_, row) in zip(below, table.iterrows(), strict=True):
        assert ax.lines[0].get_xdata()[0] == pytest.approx(row["observed"])
        assert ax.get_title().endswith(f"p = {row['p']:.2g}")


def test_prior_sensitivity(posterior: Draws):
    """The intervals are those of draws weighed anew; on a normal they have a closed form."""
    figure = plot.prior_sensitivity(posterior)
    prior, likelihood, dots = figure.axes
    names = [*posterior.params, "noise"]
    assert [t.get_text() for t in prior.get_yticklabels()][::5] == ["$E$", "noise"]
    assert len(prior.lines) == len(likelihood.lines) == 2 * 3 * len(names)
    table = jl.prior_sensitivity(posterior).loc[names]
    drawn = np.concatenate([c.get_offsets() for c in dots.collections[1:]])
    np.testing.assert_allclose(
        np.sort(drawn[:, 0]), np.sort(np.maximum(table["prior"].to_numpy(float), 1e-3))
    )
    assert len(dots.collections[-1].get_offsets()) == int((table["prior"] > 0.05).sum())
    for draw in (plot.checks, plot.prior_sensitivity):
        with pytest.raises(jl.InputError, match="is no posterior; jl.posterior makes one"):
            draw(jl.published(jl.laws.chinchilla))


def test_a_power_of_a_normal_likelihood_is_a_normal(posterior: Draws):
    """With the prior next to flat, its power leaves intervals, and the likelihood's scales them."""
    table = power_scaled(posterior).set_index(["raised", "power", "parameter"]).sort_index()
    width = np.log(table["high"] / table["low"])
    for power in (0.8, 1.25):
        assert table.loc[("likelihood", power), "khat"].max() < 0.7
        # alpha is nearly normal, its spread as 1/sqrt(power); 1000 draws tell a tail to 5 %.
        ratio = width["likelihood", power, "alpha"] / width["likelihood", 1.0, "alpha"]
        assert ratio == pytest.approx(power**-0.5, rel=0.1)
        same = width["prior", power, "alpha"] / width["prior", 1.0, "alpha"]
        assert same == pytest.approx(1, rel=0.05)


# ---- numbers and labels ------------------------------------------------------------------------


@pytest.mark.parametrize("low", [1.0, 3.3, 7e8])
@pytest.mark.parametrize("decades", [0.01, 0.3, 0.74, 0.76, 1.5, 3, 7, 12, 30])
def test_ticks_are_few_and_round(low: float, decades: float):
    found = _ticks.major(low, low * 10**decades, 6)
    assert 1 <= len(found) <= 7
    assert (np.diff(found) > 0).all()
    assert found[0] >= low * (1 - 1e-6)
    assert found[-1] <= low * 10**decades * (1 + 1e-6)
    if decades <= 12:
        assert len(found) >= 2


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (999.6e6, "parameters", "1B"),
        (1.4e12, "tokens", "1.4T"),
        (190.4e6, "parameters", "190M"),
        (20.0, "tokens per parameter", "20"),
        (0.0, "", "0"),
        (1e21, "FLOP", "$10^{21}$"),
        (5.76e23, "FLOP", "$5.76\\times10^{23}$"),
        (-0.5, "%", "-0.5"),
    ],
)
def test_numbers(value: float, unit: str, text: str):
    assert _ticks.write(value, unit) == text


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("aN", "$a_{N}$"),
        ("Nc", "$N_{c}$"),
        ("x0", "$x_{0}$"),
        ("c[0]", "$c_{1}$"),
        ("eps_inf", "$\\varepsilon_\\mathrm{inf}$"),
        ("N_nv", "$N_{nv}$"),
        ("lr", "lr"),
        ("bpb", "bpb"),
        ("tokens_per_parameter", "tokens per parameter"),
    ],
)
def test_symbols(name: str, text: str):
    assert _ticks.symbol(name) == text


def test_labels_do_not_overlap():
    rng = np.random.default_rng(0)
    for _ in range(50):
        places = rng.uniform(0, 1, rng.integers(1, 9))
        moved = _style.apart(places, 0.1)
        assert (np.diff(np.sort(moved)) >= 0.1 - 1e-9).all()
        assert (np.argsort(moved) == np.argsort(places)).all()
        np.testing.assert_allclose(moved.mean(), places.mean())
