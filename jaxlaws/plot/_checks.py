"""What a posterior, and its prior, would have measured, beside what was measured."""

from typing import TYPE_CHECKING, Any

import numpy as np

from jaxlaws._check import statistics
from jaxlaws._draws import Draws, check_prob
from jaxlaws._predict import predict
from jaxlaws._prior import prior
from jaxlaws._replicas import new_targets
from jaxlaws.plot import _style as style
from jaxlaws.plot._ticks import symbol

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WORDS = {
    "sd": "standard deviation",
    "tail": "farthest residual",
    "trend": "trend with scale",
    "ends": "mean of the largest tenth",
    "spread": "spread growing with scale",
    "waves": "neighbours in scale",
}
SUSPECT = 0.05  # a p closer to 0 or 1 is orange


def checks(draws: Draws, *, prob: float = 0.9, title: str | None = None) -> "Figure":
    """Draw prior and posterior predictive checks on one page.

    Above, for every run, the interval of a new run at its inputs: of the prior, which should hold
    what was measured without reaching for the impossible, and of the posterior, around its median;
    runs outside are orange. Below, statistics of the residuals (`jl.check`) as new runs would have
    them, and as they are; orange where p is nearer to 0 or 1 than 0.05.

    Args:
        draws: What `jl.posterior` returned.
        prob: Probability of the intervals.
        title: The title; None says what was fitted to what.

    Raises:
        InputError: The draws are no posterior.
    """
    check_prob(prob)
    fit, _ = draws.sampled()
    live = fit.runs.weight > 0
    measured = fit.runs.target[live]
    inputs: dict[str, Any] = {name: values[live] for name, values in fit.runs.inputs.items()}
    before, after = predict(prior(draws), **inputs).run, new_targets(draws)
    figure = style.figure(10.0, 6.4)
    rows: list[Any] = [["before"] * 3 + ["after"] * 3, list(WORDS)]
    grid = figure.subplot_mosaic(rows, height_ratios=[2.1, 1])
    middle = np.median(after, axis=0)
    _before(style.bare(grid["before"]), draws, middle, measured, before, prob)
    _after(style.bare(grid["after"]), draws, middle, measured, after, prob)
    for name, (seen, drawn) in statistics(draws).items():
        _statistic(style.bare(grid[name]), WORDS[name], seen, drawn)
    title = title or f"{style.title_of(draws.law.name, fit.runs)}: {draws.origin}"
    style.heading(figure, title, "below: residuals of new runs, and of those measured (line)")
    return figure


def _before(
    ax: "Axes", draws: Draws, middle: np.ndarray, measured: np.ndarray, new: np.ndarray, prob: float
) -> None:
    law, log = draws.law.target, draws.space == "log"
    low, high = np.nanquantile(new, [(1 - prob) / 2, (1 + prob) / 2], axis=0)
    style.scale(ax.xaxis, middle, name=_median(law.name), unit=law.unit, log=log)
    style.scale(ax.yaxis, [low, high, measured], name=law.name, unit=law.unit, log=log)
    ax.vlines(middle, low, high, color=style.FAINT, linewidth=1.2, alpha=0.5, zorder=1)
    style.points(ax, middle, measured, style.INK)
    outside = int(np.sum((measured < low) | (measured > high)))
    style.head(ax, "Prior", f"a new run, {prob:.0%} intervals; {outside} of {len(low)} outside")


def _after(
    ax: "Axes", draws: Draws, middle: np.ndarray, measured: np.ndarray, new: np.ndarray, prob: float
) -> None:
    law, log = draws.law.target, draws.space == "log"

    def off(values: np.ndarray) -> np.ndarray:
        """Away from the median, in per cent of it where the space is that of logarithms."""
        return 100 * (values / middle - 1) if log else values - middle

    low, high = np.quantile(new, [(1 - prob) / 2, (1 + prob) / 2], axis=0)
    out = (measured < low) | (measured > high)
    style.scale(ax.xaxis, middle, name=_median(law.name), unit=law.unit, log=log)
    ends = [off(low), off(high), off(measured)]
    unit = "%" if log else law.unit
    style.scale(ax.yaxis, ends, name=f"{symbol(law.name)} - median", unit=unit, log=False)
    ax.axhline(0, color=style.FAINT, linewidth=0.9, zorder=1)
    ax.vlines(middle, off(low), off(high), color=style.BLUE, linewidth=1.2, alpha=0.3, zorder=1)
    style.points(ax, middle[~out], off(measured)[~out], style.INK)
    style.points(ax, middle[out], off(measured)[out], style.ORANGE, s=22)
    reason = draws.withheld()
    told = f"a new run, {prob:.0%} intervals; {int(out.sum())} of {len(out)} outside (orange)"
    style.head(ax, "Posterior", f"not to be trusted: {style.short(reason)}" if reason else told)


def _median(name: str) -> str:
    return f"posterior median of {symbol(name)}"


def _statistic(ax: "Axes", words: str, seen: np.ndarray, drawn: np.ndarray) -> None:
    at = float(np.median(seen))
    p = float(np.mean(drawn > seen) + 0.5 * np.mean(drawn == seen))
    low, high = np.quantile(drawn, [0.002, 0.998])
    style.scale(ax.xaxis, [low, high, at], name="", log=False, most=4)
    ax.hist(drawn, list(np.linspace(low, high, 32)), color=style.BLUE, alpha=0.35, linewidth=0)
    colour = style.ORANGE if min(p, 1 - p) < SUSPECT else style.INK
    ax.axvline(at, color=colour, linewidth=1.6)
    ax.set_title(f"{words}\np = {p:.2g}", fontsize=style.SMALL, color=colour, pad=4)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.grid(visible=False)
