"""IsoFLOP curves: loss against model size at a constant budget, and where each is lowest."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from jaxlaws._draws import Draws
from jaxlaws._errors import InputError
from jaxlaws._fit import Fit
from jaxlaws._predict import predict
from jaxlaws._runs import Runs
from jaxlaws.plot import _style as style
from jaxlaws.plot._view import alone, as_draws, column, rising, runs_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NEAR = 0.08  # runs whose log C is this close share a budget, where budgets are not given exactly
ENOUGH = 4  # sizes that a budget needs
MOST = 8  # budgets that are drawn
STEPS = 128  # points of a curve


class Budget(NamedTuple):
    """One budget: C in FLOP, and the numbers (k,) of the runs that share it."""

    C: float
    rows: np.ndarray


def isoflop(
    given: Runs | Fit | Draws,
    *,
    runs: Runs | None = None,
    title: str | None = None,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw loss against parameters for every compute budget, and mark the best size of each.

    With a fit or draws the curves are the law's; with runs alone they are parabolas in log N, as in
    Approach 2 of Hoffmann et al. (2022). Budgets are found in the runs' C, or in 6 N D: exactly
    equal ones, or else those near which runs of different sizes crowd. Where there are none, the
    law is drawn at a few budgets and runs are coloured by their own.

    Args:
        given: Runs, a fit, or draws of a law of N and D.
        runs: The runs, where the draws are published constants.
        title: The title; None says what was fitted to what.
        ax: Where to draw; None makes a figure.

    Raises:
        InputError: The law is not one of N and D, or runs alone have no budgets.

    >>> import jaxlaws as jl
    >>> from jaxlaws import plot
    >>> plot.isoflop(jl.datasets.runs("simulated_chinchilla")).get_xlabel()
    '$N$ (parameters)'
    """
    draws = None if isinstance(given, Runs) else as_draws(given)
    table = given if isinstance(given, Runs) else runs_of(draws, runs)  # type: ignore[arg-type]
    if draws is not None and set(draws.law.inputs) != {"N", "D"}:
        raise InputError(
            f"{draws.law.name} takes {', '.join(draws.law.inputs)}; IsoFLOP curves need a law of "
            "N and D."
        )
    C, N, y = column(table, "C"), column(table, "N"), table.target
    live = np.flatnonzero(table.weight > 0)
    found = budgets(C[live], N[live])
    common = bool(found)
    if draws is None and not common:
        raise InputError(
            f"{table.name}: no {ENOUGH} runs of different size share a budget; fit a law and draw "
            "plot.isoflop(fit)."
        )
    if not common:
        found = _round_budgets(C[live])
    chosen = [Budget(b.C, live[b.rows]) for b in _spread(found)]
    reach = (N[live].min(), N[live].max())
    if draws is not None:
        curves = _law_curves(draws, chosen, N, reach)
    else:
        curves = [_parabola(b, N, y) for b in chosen]
    ax = style.axes(ax)
    shown = np.concatenate([b.rows for b in chosen]) if common else live
    name, unit = (draws.law.target.name, draws.law.target.unit) if draws else ("L", "nats/token")
    up = draws is not None and rising(draws, table)
    lows = [c[:, np.argmax(c[1]) if up else np.argmin(c[1])] for c in curves]
    widths = np.concatenate([N[shown], *(c[0] for c in curves)])
    heights = np.concatenate([y[shown], [low[1] for low in lows]])
    log = draws is None or draws.space == "log"
    style.scale(ax.xaxis, widths, name="N", unit="parameters")
    style.scale(ax.yaxis, heights, name=name, unit=unit, log=log)
    ends = (min(b.C for b in chosen), max(b.C for b in chosen))
    for budget, curve, low in zip(chosen, curves, lows, strict=True):
        colour = style.shades([budget.C], *ends)[0]
        ax.plot(*curve, color=colour, linewidth=1.4, zorder=2)
        if common:
            style.points(ax, N[budget.rows], y[budget.rows], np.tile(colour, (len(budget.rows), 1)))
        if curve[0, 0] < low[0] < curve[0, -1]:
            ax.plot(*low, "D", color=colour, markersize=6, markeredgecolor="white", zorder=4)
    names = [f"{b.C:.2g}".replace("e+", "e") for b in chosen]
    style.label_curves(ax, curves, names, style.shades([b.C for b in chosen], *ends))
    if not common:
        style.points(ax, N[live], y[live], style.shades(C[live], *ends))
    if title is None:
        law = draws.law.name if draws else "IsoFLOP parabolas"
        title = style.title_of(law, table, draws.origin if draws and not draws.fit else "")
    note = f"curves at a constant budget C (FLOP), diamonds: {'maxima' if up else 'minima'}"
    if not common:
        note = "curves and runs by budget C (FLOP), which no runs share"
    style.head(ax, title, note)
    return ax


def budgets(C: np.ndarray, N: np.ndarray) -> list[Budget]:
    """Budgets that several runs of different size share, lowest first.

    Equal ones where at least half the runs belong to such; else windows of log C, the fullest
    first, as long as they hold enough sizes.

    Args:
        C: (n,) compute of each run.
        N: (n,) size of each run.

    >>> [b.C for b in budgets(np.repeat([1e18, 1e19], 5), np.tile([1e7, 2e7, 4e7, 8e7, 2e8], 2))]
    [1e+18, 1e+19]
    """
    log_c = np.log(C)
    values, code = np.unique(np.round(log_c, 3), return_inverse=True)
    exact = [np.flatnonzero(code == k) for k in range(len(values))]
    found = [rows for rows in exact if _sizes(N[rows]) >= ENOUGH]
    if sum(map(len, found)) < len(C) / 2:
        found, free = [], np.ones(len(C), bool)
        while True:
            inside = (np.abs(log_c[:, None] - log_c) <= NEAR) & free
            best = inside[int(np.argmax(inside.sum(axis=1) * free))]
            if _sizes(N[best]) < ENOUGH:
                break
            found.append(np.flatnonzero(best))
            free &= np.abs(log_c - log_c[best].mean()) > 2 * NEAR
    made = [Budget(float(f"{np.exp(log_c[rows].mean()):.3g}"), rows) for rows in found]
    return sorted(made, key=lambda budget: budget.C)


def _sizes(N: np.ndarray) -> int:
    """How many sizes there are that differ by more than a twentieth."""
    return int(np.sum(np.diff(np.sort(np.log(N))) > 0.05)) + 1 if len(N) else 0


def _spread(found: list[Budget]) -> list[Budget]:
    """At most so many budgets: those of many runs, spread over the range."""
    if len(found) <= MOST:
        return found
    blocks = np.array_split(np.arange(len(found)), MOST)
    return [max((found[i] for i in block), key=lambda b: len(b.rows)) for block in blocks]


def _round_budgets(C: np.ndarray) -> list[Budget]:
    """Five budgets over the range of the runs, as round as their distance allows."""
    wanted = np.geomspace(C.min(), C.max(), 5)
    return [Budget(float(f"{c:.0e}"), np.array([], int)) for c in wanted]


def _law_curves(
    draws: Draws, budgets: list[Budget], N: np.ndarray, reach: tuple[float, float]
) -> list[np.ndarray]:
    """Size and loss (2, m) of the law along every budget, in one prediction."""
    ends = [
        (N[b.rows].min() / 1.3, N[b.rows].max() * 1.3) if len(b.rows) else reach for b in budgets
    ]
    n = np.stack([np.geomspace(low, high, STEPS) for low, high in ends])
    tokens = np.array([[b.C] for b in budgets]) / (6 * n)
    found = predict(alone(draws), N=n.ravel(), D=tokens.ravel()).estimate.reshape(n.shape)
    return [np.stack(pair) for pair in zip(n, found, strict=True)]


def _parabola(budget: Budget, N: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Size and loss (2, m) of the parabola in log N through a budget's runs."""
    x = np.log(N[budget.rows])
    grid = np.linspace(x.min() - 0.2, x.max() + 0.2, STEPS)
    parabola = np.polynomial.Polynomial.fit(x, y[budget.rows], 2)
    return np.stack([np.exp(grid), parabola(grid)])
