"""The one figure of a fit: the law and its band, its residuals, IsoFLOP curves, the frontier."""

from typing import TYPE_CHECKING, Any

import numpy as np

from jaxlaws._draws import Draws
from jaxlaws._errors import InputError
from jaxlaws._fit import Fit, labelled
from jaxlaws._frontier import Frontier
from jaxlaws._frontier import frontier as best
from jaxlaws.plot import _style as style
from jaxlaws.plot._band import fit_band
from jaxlaws.plot._frontier import frontier as draw_frontier
from jaxlaws.plot._isoflop import isoflop
from jaxlaws.plot._residuals import dotted, panel, quantiles
from jaxlaws.plot._ticks import number, symbol
from jaxlaws.plot._view import as_draws, column, look

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BEYOND = 100.0  # the frontier is drawn up to so many times the largest budget of the runs


def overview(
    draws: Draws | Fit,
    frontier: Frontier | None = None,
    *,
    prob: float = 0.9,
    title: str | None = None,
) -> "Figure":
    """Draw a fit on one page: curves and bands, residuals, IsoFLOP curves, and the frontier.

    For a law without N and D the lower panels are residuals and their quantiles instead, and a law
    of a vector, which has no axis for its curves, has these two alone.

    Args:
        draws: Draws that belong to a fit, or a fit.
        frontier: The frontier; None computes it up to a hundred times the largest budget.
        prob: Probability of all intervals.
        title: The title; None says what was fitted to what.

    Raises:
        InputError: The draws belong to no fit.

    >>> import jaxlaws as jl
    >>> from jaxlaws import plot
    >>> fit = jl.fit(jl.laws.chinchilla, jl.datasets.runs("simulated_chinchilla"), starts=8)
    >>> plot.overview(fit).get_suptitle()
    'chinchilla, 81 simulated runs of simulated_chinchilla'
    """
    draws = as_draws(draws)
    if draws.fit is None:
        raise InputError(f"An overview needs a fit; {draws.origin} have none.")
    fit, runs = draws.fit, draws.fit.runs
    vector = any(variable.size for variable in draws.law.inputs.values())
    figure = style.figure(10.0, 4.5 if vector else 7.5)
    if not vector and set(draws.law.inputs) == {"N", "D"}:
        grid = figure.subplots(2, 2)
        isoflop(draws, title="IsoFLOP curves", ax=grid[1, 0])
        if frontier is None:
            C = column(runs, "C")[runs.weight > 0]
            frontier = best(draws, np.geomspace(C.min(), C.max() * BEYOND, 25))
        draw_frontier(frontier, runs, prob=prob, title="Best allocation", ax=grid[1, 1])
        first, second = grid[0]
    else:
        rows: list[Any] = [["residuals", "quantiles"]]
        grid = figure.subplot_mosaic(rows if vector else [["band", "band"], *rows])
        first, second = grid.get("band"), grid["residuals"]
        quantiles(style.bare(grid["quantiles"]), fit)
        style.head(grid["quantiles"], "Quantiles", "of the residuals and of a normal distribution")
    if first is not None:
        fit_band(draws, prob=prob, title="Fit", ax=first)
    panel(style.bare(second), fit, "fitted" if vector else look(draws.law, runs).along)
    style.head(second, "Residuals", dotted(fit))
    title = title or style.title_of(draws.law.name, runs)
    style.heading(figure, title, *estimates(draws, prob), join=",   ")
    return figure


def estimates(draws: Draws, prob: float) -> list[str]:
    """Every parameter with its interval, where there is one."""
    if len(draws) == 1:
        pairs = [pair for name, value in draws.point.items() for pair in labelled(name, value)]
        return [f"{symbol(name)} = {number(value)}" for name, value in pairs]
    told = []
    for name, row in draws.frame(prob).iterrows():
        one = f"{symbol(str(name))} = {number(row['estimate'])}"
        if np.isfinite(row["low"]):
            one += f" ({number(row['low'])} to {number(row['high'])})"
        told.append(one)
    return told
