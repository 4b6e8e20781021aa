"""The compute-optimal model, tokens and their ratio against the budget."""

from typing import TYPE_CHECKING, Any, overload

import numpy as np
import pandas as pd

from jaxlaws._frontier import Frontier
from jaxlaws._runs import Runs
from jaxlaws.plot import _style as style
from jaxlaws.plot._ticks import symbol
from jaxlaws.plot._view import column

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANELS = ("N_opt", "D_opt", "tokens_per_parameter")
MEASURED = {"N_opt": "N", "D_opt": "D", "tokens_per_parameter": "M", "D": "D"}
COLOURS = {"N_opt": style.BLUE, "D_opt": style.ORANGE}
RULE = 20.0  # tokens per parameter that the field takes for compute-optimal


@overload
def frontier(
    found: Frontier,
    runs: Runs | None = None,
    *,
    prob: float = 0.9,
    title: str | None = None,
    ax: None = None,
) -> "Figure": ...
@overload
def frontier(
    found: Frontier,
    runs: Runs | None = None,
    *,
    prob: float = 0.9,
    title: str | None = None,
    ax: "Axes",
) -> "Axes": ...


def frontier(
    found: Frontier,
    runs: Runs | None = None,
    *,
    prob: float = 0.9,
    title: str | None = None,
    ax: "Axes | None" = None,
) -> Any:
    """Draw the best N, the best D and tokens per parameter against the budget, with bands.

    The slope that a panel names is between the ends of its curve. Where an interval is withheld no
    band is drawn, and the reason stands below the title.

    Args:
        found: What jl.frontier, jl.cheapest or jl.isoloss returned.
        runs: The runs behind it, drawn as faint points.
        prob: Probability of the bands.
        title: The title.
        ax: Where to draw N and D in two colours; None makes a figure of three panels.

    Returns:
        The figure, or the axes that were given.

    >>> import jaxlaws as jl
    >>> from jaxlaws import plot
    >>> known = jl.published(jl.laws.chinchilla, "besiroglu2024")
    >>> len(plot.frontier(jl.frontier(known, C=np.geomspace(1e19, 1e25, 7))).axes)
    3
    """
    frame = found.frame(prob)
    if title is None:
        title = "Best allocation" + (f", {style.counted(runs)}" if runs is not None else "")
    if ax is not None:
        style.bare(ax)
        names = [k for k in ("N_opt", "D_opt") if k in found.estimate] or [*found.estimate][:1]
        together(ax, found, frame, names, runs)
        style.head(ax, title, _note(found, frame, prob))
        return ax
    names = [k for k in PANELS if k in found.estimate] or [
        k for k in found.estimate if k != "L_opt"
    ]
    figure = style.figure(0.4 + 3.3 * max(len(names), 1.6), 3.5)
    for one, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
        style.bare(one)
        together(one, found, frame, [name], runs)
        one.set_title(_slope(found, name, prob), loc="left", fontsize=style.TEXT, color=style.INK)
    style.heading(figure, title, _note(found, frame, prob))
    return figure


def together(
    ax: "Axes", found: Frontier, frame: pd.DataFrame, names: list[str], runs: Runs | None
) -> None:
    """Curves, bands and runs of one or two quantities on one axis."""
    x = frame[found.along].to_numpy()
    measured = {
        name: (column(runs, "C"), column(runs, MEASURED[name]))
        for name in names
        if runs is not None and found.along == "C" and name in MEASURED
    }
    style.scale(
        ax.xaxis,
        np.concatenate([x, *(c for c, _ in measured.values())]),
        name=found.along,
        unit={"C": "FLOP", "N": "parameters"}.get(found.along, ""),
    )
    tall = [frame[f"{name}{end}"] for name in names for end in ("", "_low", "_high")]
    style.scale(
        ax.yaxis,
        np.concatenate([*tall, *(v for _, v in measured.values())]),
        name=names[0],
        unit=found.units.get(names[0], ""),
    )
    if len(names) > 1:
        ax.set_ylabel(" or ".join(found.units.get(n, n) for n in names))
    for name in names:
        colour = COLOURS.get(name, style.GREEN)
        if name in measured:
            style.points(ax, *measured[name], colour, alpha=0.3, s=9)
        low, high = frame[f"{name}_low"], frame[f"{name}_high"]
        if low.notna().any():
            ax.fill_between(x, low, high, color=colour, alpha=0.25, linewidth=0, zorder=1)
        ax.plot(x, frame[name], color=colour, linewidth=1.7, zorder=4)
    if names == ["tokens_per_parameter"] and ax.get_ylim()[0] < RULE < ax.get_ylim()[1]:
        ax.axhline(RULE, color=style.SOFT, linewidth=0.9, linestyle=":", zorder=2)
        style.label_ends(ax, [RULE], [f"{RULE:g}"], [style.SOFT])
    if len(names) > 1:
        style.label_ends(
            ax,
            [frame[n].iloc[-1] for n in names],
            [symbol(n) for n in names],
            [COLOURS.get(n, style.GREEN) for n in names],
        )


def _slope(found: Frontier, name: str, prob: float) -> str:
    """The exponent of C between the ends of a curve, with its interval."""
    at, curve = found.at, found.estimate[name]
    if found.along != "C" or len(at) < 2 or name == "tokens_per_parameter":
        return ""
    span = np.log(at[-1] / at[0])
    slope = np.log(curve[-1] / curve[0]) / span
    text = f"{symbol(name)} $\\propto C^{{\\,{slope:.2f}}}$"
    values = found.values[name]
    if len(values) > 1 and not any(found.withheld):
        slopes = np.log(values[:, -1] / values[:, 0]) / span
        low, high = np.nanquantile(slopes, [(1 - prob) / 2, (1 + prob) / 2])
        text += f",  {low:.2f} to {high:.2f}"
    return text


def _note(found: Frontier, frame: pd.DataFrame, prob: float) -> str:
    reasons = sorted({style.short(w) for w in found.withheld if w})
    if reasons:
        return f"no bands: {reasons[0]}" if all(found.withheld) else f"no bands where {reasons[0]}"
    return f"bands: {prob:.0%}" if frame.filter(like="_low").notna().any(axis=None) else ""
