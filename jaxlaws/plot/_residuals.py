"""What the law leaves unexplained: residuals against every input, and their distribution."""

from typing import TYPE_CHECKING, Any, overload

import numpy as np

from jaxlaws._draws import Draws
from jaxlaws._errors import InputError
from jaxlaws._fit import Fit
from jaxlaws._objective import Huber, from_space
from jaxlaws.plot import _style as style
from jaxlaws.plot._ticks import symbol
from jaxlaws.plot._view import DISCRETE, column

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FAR = 6.0  # residuals beyond so many times the 90 % quantile of their size stand on the edge
TREND = 48  # runs from which on a running median is drawn
MOST = 5  # inputs that get a panel


@overload
def residuals(fit: Fit | Draws, *, against: str | None = None, ax: None = None) -> "Figure": ...
@overload
def residuals(fit: Fit | Draws, *, against: str | None = None, ax: "Axes") -> "Axes": ...


def residuals(fit: Fit | Draws, *, against: str | None = None, ax: "Axes | None" = None) -> Any:
    """Draw residuals against every input and the fitted value, and their quantiles.

    In log space a residual is shown as per cent of the fitted value. Runs far outside stand as
    triangles on the edge. For Huber, dotted lines mark delta: beyond it a run pulls with a constant
    force however far away it is.

    Args:
        fit: The fit, or draws that belong to one.
        against: The only input to draw against, "C" for 6 N D, or "fitted".
        ax: Where to draw the one panel against `against`; None makes a figure of all.

    Returns:
        The figure, or the axes that were given.

    Raises:
        InputError: The draws belong to no fit, or there is no such input.

    >>> import jaxlaws as jl
    >>> from jaxlaws import plot
    >>> fit = jl.fit(jl.laws.chinchilla, jl.datasets.runs("simulated_chinchilla"), starts=8)
    >>> [ax.get_xlabel() for ax in plot.residuals(fit).axes][:2]
    ['$N$ (parameters)', '$D$ (tokens)']
    """
    fit = fit_of(fit)
    names = [k for k, v in fit.law.inputs.items() if not v.size and k not in DISCRETE]
    if ax is not None:
        panel(style.bare(ax), fit, against or ("D" if "D" in names else [*names, "fitted"][0]))
        style.head(ax, style.title_of(fit.law.name, fit.runs), dotted(fit))
        return ax
    wanted = [against] if against else [*names[:MOST], "fitted"]
    count = len(wanted) + 1
    columns = count if count <= 3 else -(-count // 2)
    rows = -(-count // columns)
    figure = style.figure(min(10.0, 3.5 * columns), 0.5 + 2.9 * rows)
    grid = figure.subplots(rows, columns, squeeze=False)
    cells = [style.bare(one) for one in grid.flat]
    for one, name in zip(cells, wanted, strict=False):
        panel(one, fit, name)
    quantiles(cells[count - 1], fit)
    for one in cells[count:]:
        one.remove()
    for row in grid[:, 1:]:
        for one in row:
            one.set_ylabel("")
    style.heading(figure, f"Residuals of {style.title_of(fit.law.name, fit.runs)}", dotted(fit))
    return figure


def fit_of(given: Any) -> Fit:
    """A fit, or the one that draws belong to.

    Raises:
        InputError: There is none.
    """
    found = given.fit if isinstance(given, Draws) else given
    if not isinstance(found, Fit):
        what = given.origin if isinstance(given, Draws) else type(given).__name__
        raise InputError(f"Residuals need a fit; {what} has none. Give what jl.fit returned.")
    return found


def dotted(fit: Fit) -> str:
    """What the dotted lines are, where there are any."""
    return "dotted: Huber's delta" if isinstance(fit.objective, Huber) else ""


def panel(ax: "Axes", fit: Fit, name: str) -> None:
    """Residuals against one input, with a running median."""
    live = fit.runs.weight > 0
    r, unit = shown(fit)
    if name == "fitted":
        target = fit.law.target
        x, x_unit = _fitted(fit)[live], target.unit
        style.scale(ax.xaxis, x, name=f"fitted {symbol(target.name)}", unit=x_unit, log=_log(fit))
    else:
        x = column(fit.runs, name)[live]
        x_unit = fit.law.inputs[name].unit if name in fit.law.inputs else "FLOP"
        positive = bool((x > 0).all())
        style.scale(ax.xaxis, x, name=name, unit=x_unit, log=positive)
    _residual_axis(ax, fit, r, unit)
    _dots(ax, x, r)
    if len(x) >= TREND:
        order = np.argsort(x, kind="stable")
        places = np.array_split(order, min(10, len(x) // 16))
        middle = [np.median(x[p]) for p in places], [np.median(r[p]) for p in places]
        ax.plot(*middle, color=style.ORANGE, linewidth=1.4, zorder=4)
        _corner(ax, "running median")


def quantiles(ax: "Axes", fit: Fit) -> None:
    """Residuals against those of a normal distribution with the same quartiles."""
    from scipy.stats import norm

    r, unit = shown(fit)
    r = np.sort(r)
    z = norm.ppf((np.arange(len(r)) + 0.5) / len(r))
    style.scale(ax.xaxis, z, name="normal quantile", log=False)
    _residual_axis(ax, fit, r, unit)
    quarter = np.quantile(r, [0.25, 0.5, 0.75])
    slope = (quarter[2] - quarter[0]) / (2 * norm.ppf(0.75))
    ends = np.array(ax.get_xlim())
    ax.plot(ends, quarter[1] + slope * ends, color=style.ORANGE, linewidth=1.2, zorder=4)
    _corner(ax, "normal distribution")
    _dots(ax, z, r)
    if isinstance(fit.objective, Huber):
        share = float(np.mean(np.abs(fit.residual[fit.runs.weight > 0]) > fit.objective.delta))
        ax.annotate(
            f"{share:.0%} of runs beyond\nHuber's $\\delta$ = {fit.objective.delta:g}",
            (0.03, 0.97),
            xycoords="axes fraction",
            va="top",
            fontsize=style.SMALL,
            color=style.SOFT,
        )


def shown(fit: Fit) -> tuple[np.ndarray, str]:
    """Residuals (n,) of the runs that count as they are shown, and their unit."""
    r = fit.residual[fit.runs.weight > 0]
    if fit.space == "log":
        return 100 * np.expm1(r), "%"
    return r, fit.law.target.unit if fit.space == "natural" else fit.space


def _corner(ax: "Axes", text: str) -> None:
    ax.set_title(text, loc="right", fontsize=style.SMALL, color=style.ORANGE, pad=3)


def _residual_axis(ax: "Axes", fit: Fit, r: np.ndarray, unit: str) -> None:
    limit = _limit(r)
    style.scale(ax.yaxis, [-limit, limit], name="measured - fitted", unit=unit, log=False)
    ax.axhline(0, color=style.FAINT, linewidth=0.9, zorder=1)
    if isinstance(fit.objective, Huber):
        delta = fit.objective.delta * (100 if fit.space == "log" else 1)
        for side in (-delta, delta):
            ax.axhline(side, color=style.SOFT, linewidth=0.8, linestyle=":", zorder=1)


def _limit(r: np.ndarray) -> float:
    size = np.abs(r)
    return float(min(size.max(), FAR * np.quantile(size, 0.9))) or 1.0


def _dots(ax: "Axes", x: np.ndarray, r: np.ndarray) -> None:
    limit = _limit(r)
    near = np.abs(r) <= limit
    style.points(ax, x[near], r[near], style.BLUE, alpha=0.7)
    for sign, marker in ((1, "^"), (-1, "v")):
        out = ~near & (np.sign(r) == sign)
        if out.any():
            style.points(
                ax, x[out], np.full(out.sum(), sign * limit), style.BLUE, marker=marker, s=26
            )


def _fitted(fit: Fit) -> np.ndarray:
    return np.asarray(from_space(fit.problem.target[0] - fit.residual, fit.space))


def _log(fit: Fit) -> bool:
    return fit.space == "log"
