"""The figures of a study: how well laws extrapolate, and whether their intervals hold."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from jaxlaws.plot import _style as style

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def errors(each: pd.DataFrame) -> "Figure":
    """Errors on held-out runs, a line per law, the best on top.

    Args:
        each: One row per cell: law, rmsle.
    """
    laws = each.groupby("law")["rmsle"].median().sort_values(ascending=False).index
    figure = style.figure(6.4, 1.4 + 0.35 * len(laws))
    ax = style.bare(figure.add_subplot())
    for y, law in enumerate(laws):
        values = each.loc[each["law"] == law, "rmsle"]
        ax.scatter(values, np.full(len(values), y), s=14, color=style.BLUE, alpha=0.5, linewidths=0)
        ax.scatter([values.median()], [y], s=90, marker="|", color=style.ORANGE, linewidths=2)
    ax.set_yticks(range(len(laws)), list(laws))
    style.scale(ax.xaxis, each["rmsle"], name="error on held-out runs")
    style.head(ax, "Extrapolation", "root mean square, one dot per cell; the mark is the median")
    return figure


def coverage(each: pd.DataFrame, prob: float) -> "Figure":
    """Share of held-out runs inside their intervals, a line per law, beside what was asked for.

    Args:
        each: One row per cell: law, covered.
        prob: Probability of the intervals.
    """
    found = each.groupby("law")["covered"].agg(["mean", "sem"]).sort_values("mean")
    figure = style.figure(6.4, 1.4 + 0.35 * len(found))
    ax = style.bare(figure.add_subplot())
    places = np.arange(len(found))
    spread = 2 * found["sem"].fillna(0.0).to_numpy()
    ax.errorbar(found["mean"], places, xerr=spread, fmt="o", color=style.BLUE, markersize=5)
    ax.axvline(prob, color=style.ORANGE, linewidth=1.2)
    ax.set_yticks(places, list(found.index))
    style.scale(ax.xaxis, [0.0, 1.0], name="share of held-out runs inside the interval", log=False)
    style.head(ax, "Coverage", f"mean over tables, two standard errors; asked for {prob:.0%}")
    return figure
