"""How far a posterior leans on its prior: what it says under weaker and stronger ones."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from jaxlaws._arviz import prior_sensitivity as summary
from jaxlaws._draws import Draws, check_prob
from jaxlaws._power_scaling import POWERS, power_scaled
from jaxlaws._sampling import KHAT
from jaxlaws.plot import _style as style
from jaxlaws.plot._ticks import symbol

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

THRESHOLD = 0.05  # sensitivity from which on a parameter is said to lean [kallioinen2024]
STEP = 0.22  # between the intervals of one parameter, in rows


def prior_sensitivity(draws: Draws, *, prob: float = 0.9, title: str | None = None) -> "Figure":
    """Draw how a posterior moves when its prior or its likelihood is raised to a power.

    On the left every parameter's interval under the prior to the powers 0.8, 1 and 1.25, in half
    widths of its own interval around its median, of logarithms where it is positive; in the middle
    the same of the likelihood; on the right the sensitivities of `jl.prior_sensitivity`. A
    parameter whose prior's dot lies beyond the dotted line leans on its prior (orange). Intervals
    whose weights cannot be trusted are dotted.

    Args:
        draws: What `jl.posterior` returned.
        prob: Probability of the intervals.
        title: The title; None says what was fitted to what.

    Raises:
        InputError: The draws are no posterior, or ArviZ is not installed.
    """
    check_prob(prob)
    fit, _ = draws.sampled()
    found, table = power_scaled(draws, prob), summary(draws)
    names = list(dict.fromkeys(found["parameter"]))
    figure = style.figure(10.0, 1.7 + 0.52 * len(names))
    grid = figure.subplots(1, 3, sharey=True, width_ratios=[1.25, 1.25, 1])
    for ax, part in zip(grid, ("prior", "likelihood"), strict=False):
        _intervals(style.bare(ax), found[found["raised"] == part], names)
        ax.set_xlabel(f"half widths of the {prob:.0%} interval", fontsize=style.TEXT)
        style.head(ax, f"{part.capitalize()} to a power")
    _dots(style.bare(grid[2]), table.loc[names], names)
    for ax in grid:
        ax.tick_params(axis="y", length=0)
    grid[0].set_yticks(range(len(names)), [symbol(name) for name in names])
    grid[0].set_ylim(len(names) - 0.5, -0.5)
    title = title or f"{style.title_of(draws.law.name, fit.runs)}: {draws.origin}"
    powers = "powers from above: " + ", ".join(f"{p:g}" for p in POWERS)
    style.heading(
        figure, title, powers, "sensitivity to the prior: blue, orange; to the likelihood: grey"
    )
    return figure


def _intervals(ax: "Axes", rows: pd.DataFrame, names: list[str]) -> None:
    seen = []
    for name, own in rows.groupby("parameter"):
        ends = own[["low", "median", "high"]].to_numpy()
        ends = np.log(ends) if (ends > 0).all() else ends
        low, middle, high = ends[POWERS.index(1.0)]
        seen.append((ends - middle) / ((high - low) / 2))
        for i, (power, khat) in enumerate(zip(own["power"], own["khat"], strict=True)):
            y = names.index(str(name)) + STEP * (i - 1)
            colour = style.INK if power == 1 else style.BLUE
            line = "-" if khat <= KHAT else ":"
            ax.plot(seen[-1][i, ::2], [y, y], line, color=colour, linewidth=1.3, alpha=0.9)
            ax.plot(seen[-1][i, 1], y, "o", color=colour, markersize=3.5)
    ends = np.concatenate(seen)
    style.scale(ax.xaxis, ends, name="", log=False, most=5)
    ax.grid(visible=False, axis="y")


def _dots(ax: "Axes", table: pd.DataFrame, names: list[str]) -> None:
    prior, likelihood = (np.asarray(table[k], float) for k in ("prior", "likelihood"))
    seen = np.maximum(np.concatenate([prior, likelihood, [THRESHOLD]]), 1e-3)
    style.scale(ax.xaxis, seen, name="", log=True, most=4)
    ax.set_xlabel("distance per doubling of the power", fontsize=style.TEXT)
    ax.axvline(THRESHOLD, color=style.SOFT, linewidth=0.9, linestyle=":", zorder=1)
    y = np.arange(len(names))
    leans = prior > THRESHOLD
    style.points(ax, np.maximum(likelihood, 1e-3), y, style.FAINT, s=34)
    style.points(ax, np.maximum(prior, 1e-3)[~leans], y[~leans], style.BLUE, s=34)
    style.points(ax, np.maximum(prior, 1e-3)[leans], y[leans], style.ORANGE, s=34)
    ax.grid(visible=False, axis="y")
    style.head(ax, "Sensitivity")
