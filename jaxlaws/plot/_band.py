"""Measured runs, the law's curves, the band of the law and the interval of a new run."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxlaws._draws import Draws, check_prob
from jaxlaws._fit import Fit
from jaxlaws._objective import from_space, to_space
from jaxlaws._predict import predict
from jaxlaws._runs import Runs
from jaxlaws.plot import _style as style
from jaxlaws.plot._ticks import symbol, write
from jaxlaws.plot._view import View, as_draws, column, look, runs_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

STEPS = 64  # points of a curve
RESIDUALS = 8000  # at least so many new runs behind an interval


@dataclass(frozen=True, eq=False)
class Curves:
    """The law along x for every level of the colour.

    Attributes:
        x: (m,) places along x.
        levels: (level,) values of the colour.
        estimate: (level, m) the law at the estimate.
        law: (2, level, m) ends of the law's band; None where there is none.
        run: (2, level, m) ends of a new run's interval; None where there is none.
        inside: (level, m) whether runs of about that colour lie around.
    """

    x: np.ndarray
    levels: np.ndarray
    estimate: np.ndarray
    law: np.ndarray | None
    run: np.ndarray | None
    inside: np.ndarray

    def heights(self) -> np.ndarray:
        """What the y axis must show: curves and bands among runs, and at the right end."""
        told = self.inside.copy()
        told[:, -1] = True  # where the curves are labelled
        bands = [] if self.law is None else [side[told] for side in self.law]
        return np.concatenate([self.estimate[told], *bands])


def fit_band(
    draws: Draws | Fit,
    *,
    along: str | None = None,
    until: float | None = None,
    runs: Runs | None = None,
    prob: float = 0.9,
    title: str | None = None,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw measured runs and the law: its curves, its band (dark) and a new run's interval (light).

    A law of N and D is drawn along D with one curve for each of a handful of N; a law of one input
    along that input. Curves are thick among runs of about their colour. Withheld intervals are not
    drawn, and the reason stands below the title.

    Args:
        draws: Draws, or a fit for the curves alone.
        along: The input along x, or "C" for 6 N D; None chooses.
        until: Draw the curves up to this value of x; a dotted line marks the end of the data.
        runs: Further runs, drawn hollow or in orange: what a fit is tested on; the only runs where
            the draws are published constants.
        prob: Probability of the intervals.
        title: The title; None says what was fitted to what.
        ax: Where to draw; None makes a figure.

    Raises:
        InputError: The law cannot be drawn along that input, or there are no runs.

    >>> import jaxlaws as jl
    >>> from jaxlaws import plot
    >>> known = jl.published(jl.laws.chinchilla, "besiroglu2024")
    >>> plot.fit_band(known, runs=jl.datasets.runs("simulated_chinchilla")).get_xlabel()
    '$D$ (tokens)'
    """
    check_prob(prob)
    draws = as_draws(draws)
    seen = runs_of(draws, runs)
    others = [] if runs is None or runs is seen else [runs]
    view, target = look(draws.law, seen, along), draws.law.target
    x, y = view.x(seen)[view.shown], seen.target[view.shown]
    end = max([x.max(), until or 0.0, *(view.x(more).max() for more in others)])
    curves = follow(draws, view, seen, np.geomspace(x.min(), end, STEPS), prob)
    ax = style.axes(ax)
    wide, tall = [x, curves.x], [y, curves.heights(), *(more.target for more in others)]
    log = draws.space == "log"
    style.scale(ax.xaxis, np.concatenate(wide), name=view.along, unit=view.unit(view.along))
    style.scale(ax.yaxis, np.concatenate(tall), name=target.name, unit=target.unit, log=log)
    hue = column(seen, view.hue)[view.shown] if view.hue else np.ones(len(y))

    def colours(values: np.ndarray, plain: str) -> Any:
        return style.shades(values, hue.min(), hue.max()) if view.hue else plain

    shades = colours(curves.levels, style.BLUE)
    _draw(ax, curves, shades if view.hue else [shades])
    style.points(ax, x, y, colours(hue, style.INK))
    for more in others:
        place = (view.x(more), more.target)
        if view.hue:
            rim = colours(column(more, view.hue), "")
            ax.scatter(*place, s=16, facecolors="none", edgecolors=rim, zorder=3)
        else:
            style.points(ax, *place, style.ORANGE, alpha=0.5)
    if end > x.max():
        ax.axvline(x.max(), color=style.FAINT, linewidth=0.9, linestyle=":")
    if view.hue:
        texts = [f"{symbol(view.hue)} = {write(v, view.unit(view.hue))}" for v in curves.levels]
        style.label_ends(ax, curves.estimate[:, -1], texts, shades)
    if title is None:
        title = style.title_of(draws.law.name, seen, "" if draws.fit else draws.origin)
    thick = "" if curves.inside.all() else "thick: among the runs"
    further = f"{'hollow' if view.hue else 'orange'}: further runs" if others else ""
    style.head(ax, title, band_note(draws, prob), thick, further, view.note())
    return ax


def follow(draws: Draws, view: View, runs: Runs, x: np.ndarray, prob: float) -> Curves:
    """The law and its intervals along x for every level of the colour, in one prediction."""
    levels = view.levels(runs)
    shape = (len(levels), len(x))
    inputs = view.inputs(np.tile(x, len(levels)), np.repeat(levels, len(x)))
    prediction = predict(draws, **inputs)
    law = run = None
    if len(draws) > 1 and not prediction.withheld:
        tail = [(1 - prob) / 2, (1 + prob) / 2]
        law = np.quantile(prediction.mean, tail, axis=0).reshape(2, *shape)
        run = new_run(draws, prediction.mean, prob).reshape(2, *shape)
    ends = np.array([view.support(runs, level, levels) for level in levels])
    inside = (x >= ends[:, :1] * 0.999) & (x <= ends[:, 1:] * 1.001)
    return Curves(x, levels, prediction.estimate.reshape(shape), law, run, inside)


def new_run(draws: Draws, mean: np.ndarray, prob: float) -> np.ndarray:
    """Interval (2, m) of a new run, from the law at every draw (draw, m).

    Every draw meets the same few residuals at all points, spread evenly over those of the fit, so
    that the interval is as smooth along a curve as the law is.
    """
    copies = -(-RESIDUALS // len(mean))
    count = copies * len(mean)
    noise = np.quantile(draws.noise, (np.arange(count) + 0.5) / count)
    noise = np.random.default_rng(0).permutation(noise)[:, None]
    with jax.enable_x64(True):
        middle = np.tile(np.asarray(to_space(jnp.asarray(mean), draws.space)), (copies, 1))
        ends = np.quantile(middle + noise, [(1 - prob) / 2, (1 + prob) / 2], axis=0)
        return np.asarray(from_space(jnp.asarray(ends), draws.space))


def band_note(draws: Draws, prob: float) -> str:
    """What the bands are, or why there are none, in one line."""
    if len(draws) == 1:
        return ""
    if reason := draws.withheld():
        return f"no bands: {style.short(reason)}"
    return f"bands: the law (dark) and a new run (light), {prob:.0%}"


def _draw(ax: "Axes", curves: Curves, colours: Any) -> None:
    for i, colour in enumerate(colours):
        for band, opacity in ((curves.run, style.NEW), (curves.law, style.BAND)):
            if band is not None:
                low, high = band[:, i]
                ax.fill_between(
                    curves.x, low, high, color=colour, alpha=opacity, linewidth=0, zorder=1
                )
        thick = np.where(curves.inside[i], curves.estimate[i], np.nan)
        ax.plot(curves.x, curves.estimate[i], color=colour, linewidth=0.7, zorder=2)
        ax.plot(curves.x, thick, color=colour, linewidth=1.7, zorder=2)
