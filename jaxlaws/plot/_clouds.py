"""Draws of the parameters in pairs: what is known of each, and which trade off against which."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from jaxlaws._draws import Draws
from jaxlaws._errors import InputError
from jaxlaws._fit import labelled
from jaxlaws.plot import _style as style
from jaxlaws.plot._ticks import number, symbol

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDE = 1e3  # a positive parameter typical over more than this factor is drawn on a log scale
SPREAD = 20.0  # and so is one whose draws spread by more than this factor
SHOWN = 0.005  # share of draws that may lie beyond either end of an axis
MOST = 8  # parameters that are drawn unless named
POINTS = 2000  # draws that are drawn as points


class Cloud(NamedTuple):
    """One parameter: its label, unit, estimate, draws (draw,), and whether its axis is log."""

    name: str
    unit: str
    at: float
    values: np.ndarray
    log: bool


def bootstrap_clouds(
    draws: Draws,
    *,
    params: Sequence[str] | None = None,
    prob: float = 0.9,
    title: str | None = None,
) -> "Figure":
    """Draw the draws of every pair of parameters, with the estimate marked.

    On the diagonal stand histograms with their interval; refits that are no certified minima are
    left out of them, and are grey in the clouds. Amplitudes are on log scales.

    Args:
        draws: Draws from a bootstrap or a posterior.
        params: Which parameters; None takes all, at most eight.
        prob: Probability of the intervals.
        title: The title; None says what was fitted to what.

    Raises:
        InputError: There is only one draw, or no parameter of that name.

    >>> import jaxlaws as jl
    >>> from jaxlaws import plot
    >>> fit = jl.fit(jl.laws.chinchilla, jl.datasets.runs("simulated_chinchilla"), starts=8)
    >>> len(plot.bootstrap_clouds(jl.laplace(fit, draws=200), params=["alpha", "beta"]).axes)
    3
    """
    if len(draws) < 2:
        raise InputError(f"{draws.origin} of {draws.law.name} are a single point, not a cloud.")
    clouds = _clouds(draws, params)
    p = len(clouds)
    side = min(10.0, max(4.5, 1.7 * p))
    figure = style.figure(side, side, wspace=0.02, hspace=0.02, w_pad=0.04, h_pad=0.06)
    grid = figure.subplots(p, p, squeeze=False, sharex="col")
    withheld = draws.withheld()
    for i, row in enumerate(clouds):
        for j, col in enumerate(clouds):
            ax = grid[i, j]
            if j > i:
                ax.remove()
                continue
            style.bare(ax)
            if i == j:
                _histogram(ax, row, draws.good, "" if withheld else f"{prob}")
            else:
                _pair(ax, col, row, draws.good)
            _tidy(ax, first=j == 0 and i > 0, last=i == p - 1)
    source = draws.fit.runs if draws.fit is not None else None
    if title is None:
        title = f"{style.title_of(draws.law.name, source)}: {draws.origin}"
    note = (
        f"no intervals: {style.short(withheld)} (grey)"
        if withheld
        else f"{len(draws)} draws; cross and line: the estimate; shaded: {prob:.0%}"
    )
    style.heading(figure, title, note)
    return figure


def _clouds(draws: Draws, params: Sequence[str] | None) -> list[Cloud]:
    out = []
    for name, at in draws.point.items():
        p = draws.law.params[name]
        values = np.asarray(draws.params[name], float).reshape(len(draws), -1)
        log = p.support.name == "positive" and (
            p.typical[1] / p.typical[0] > WIDE or _ratio(values[draws.good]) > SPREAD
        )
        for j, (label_, one) in enumerate(labelled(name, at)):
            if params is None or name in params or label_ in params:
                out.append(Cloud(label_, p.unit, one, values[:, j], log))
    if params is not None:
        known = {c.name for c in out} | {c.name.split("[")[0] for c in out}
        if unknown := [k for k in params if k not in known]:
            raise InputError(
                f"{draws.law.name} has no parameter {unknown[0]!r}; it has "
                f"{', '.join(draws.law.params)}."
            )
    return out[:MOST] if params is None else out


def _ratio(values: np.ndarray) -> float:
    low, high = np.quantile(values, [0.05, 0.95]) if len(values) else (1.0, 1.0)
    return float(high / low) if low > 0 else 1.0


def _span(cloud: Cloud, good: np.ndarray) -> np.ndarray:
    """What an axis must show: nearly all certified draws, and the estimate."""
    kept = cloud.values[good] if good.any() else cloud.values
    return np.append(np.quantile(kept, [SHOWN, 1 - SHOWN]), cloud.at)


def _histogram(ax: "Axes", cloud: Cloud, good: np.ndarray, prob: str) -> None:
    style.scale(
        ax.xaxis, _span(cloud, good), name=cloud.name, unit=cloud.unit, log=cloud.log, most=3
    )
    values = cloud.values[good]
    low, high = ax.get_xlim()
    edges = np.geomspace(low, high, 32) if cloud.log else np.linspace(low, high, 32)
    ax.hist(values, list(edges), color=style.BLUE, alpha=0.35, linewidth=0)
    text = f"{symbol(cloud.name)} = {number(cloud.at)}"
    if prob and len(values):
        ends = np.quantile(values, [(1 - float(prob)) / 2, (1 + float(prob)) / 2])
        ax.axvspan(*ends, color=style.BLUE, alpha=0.1, linewidth=0, zorder=0)
        text += f"\n{number(ends[0])} to {number(ends[1])}"
    ax.axvline(cloud.at, color=style.ORANGE, linewidth=1.3)
    ax.set_title(text, fontsize=style.SMALL, color=style.INK, pad=3)
    ax.spines["left"].set_visible(False)
    ax.grid(visible=False)


def _pair(ax: "Axes", x: Cloud, y: Cloud, good: np.ndarray) -> None:
    for axis, one in ((ax.xaxis, x), (ax.yaxis, y)):
        style.scale(axis, _span(one, good), name=one.name, unit=one.unit, log=one.log, most=3)
    size = dict(s=5, linewidths=0)
    for chosen, colour, opacity in ((~good, style.FAINT, 0.5), (good, style.BLUE, 0.35)):
        rows = np.flatnonzero(chosen)[:POINTS]
        style.points(
            ax, x.values[rows], y.values[rows], colour, alpha=opacity, rasterized=True, **size
        )
    ax.plot(x.at, y.at, "+", color=style.ORANGE, markersize=10, markeredgewidth=1.8, zorder=5)


def _tidy(ax: "Axes", *, first: bool, last: bool) -> None:
    """Numbers and labels on the outside only, small enough for small panels."""
    ax.tick_params(labelsize=7, labelbottom=last, labelleft=first)
    if not last:
        ax.set_xlabel("")
    if not first:
        ax.set_ylabel("")
    if ax.get_title():  # a histogram: its heights mean nothing
        ax.set_yticks([])
