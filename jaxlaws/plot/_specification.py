"""One answer under every defensible choice, lowest first, and the choices below it."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from jaxlaws._errors import InputError
from jaxlaws._runs import Runs
from jaxlaws._sensitivity import Sensitivity
from jaxlaws.plot import _style as style
from jaxlaws.plot._ticks import symbol

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CHOICES = ("law", "objective", "space", "dropped")
WORDS = {"dropped": "runs left out", "a": "exponent $a$ of $N_\\mathrm{opt} \\propto C^a$"}
UNITS = {"N_opt": "parameters", "D_opt": "tokens"}
SPREAD = 4.0  # answers that differ by more than this factor are drawn on a log scale


def specification_curve(
    found: Sensitivity | pd.DataFrame,
    *,
    of: str = "tokens_per_parameter",
    runs: Runs | None = None,
    title: str | None = None,
) -> "Figure":
    """Draw one answer under every choice, in rising order, and which choice each dot stands for.

    Choices that never vary are named in the title's line; the first row's choice, the usual one, is
    orange. Rows without an answer (no convergence, or a law that does not define it) are counted.

    Args:
        found: What jl.sensitivity returned, or its table.
        of: The column to draw: "tokens_per_parameter", "prediction", "a", "N_opt", a parameter.
        runs: The runs, for the title.
        title: The title.

    Raises:
        InputError: There is no such column, or it is empty.

    >>> import jaxlaws as jl
    >>> from jaxlaws import plot
    >>> rows = dict(law="chinchilla", objective=["Huber", "Squared"], space="log", dropped=0)
    >>> figure = plot.specification_curve(pd.DataFrame(rows | dict(a=[0.51, 0.54])), of="a")
    >>> [label.get_text() for label in figure.axes[1].get_yticklabels()]
    ['Huber', 'Squared']
    """
    table = found.frame() if isinstance(found, Sensitivity) else pd.DataFrame(found)
    if of not in table or of in CHOICES:
        raise InputError(
            f"There is no answer {of!r}; the table has "
            f"{', '.join(c for c in table.columns if c not in CHOICES)}."
        )
    rows = table[table[of].notna()].assign(usual=lambda t: t.index == table.index[0])
    if not len(rows):
        raise InputError(f"No choice has an answer {of!r}.")
    rows = rows.sort_values(of, kind="stable").reset_index(drop=True)
    present = [c for c in CHOICES if c in rows]
    varied = [c for c in present if rows[c].nunique() > 1] or present[:1]
    lines = [(c, v) for c in varied for v in dict.fromkeys(table[c]) if (rows[c] == v).any()]
    width = float(np.clip(2.6 + 0.24 * len(rows), 5.0, 10.0))
    below = 0.24 * (len(lines) + len(varied)) + 0.3
    figure = style.figure(width, 3.2 + below)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[2.4, below])
    colours = np.where(rows["usual"], style.ORANGE, style.BLUE)
    _answers(style.bare(upper), rows[of].to_numpy(float), of, found, colours)
    _matrix(style.bare(lower), rows, lines, colours)
    lower.set_xlim(-0.8, len(rows) - 0.2)
    if title is None:
        title = f"{len(rows)} choices" + (f", {style.counted(runs)}" if runs is not None else "")
    fixed = [f"{WORDS.get(c, c)} {rows[c].iloc[0]}" for c in present if c not in varied]
    lost = len(table) - len(rows)
    usual = "orange: the first choice" if rows["usual"].any() else ""
    missing = f"{lost} more without an answer" if lost else ""
    style.heading(figure, title, ", ".join(fixed), usual, missing)
    return figure


def _answers(
    ax: "Axes", values: np.ndarray, of: str, found: Sensitivity | pd.DataFrame, colours: np.ndarray
) -> None:
    positive = bool((values > 0).all())
    log = positive and values.max() / values.min() > SPREAD
    style.scale(ax.yaxis, values, name=of, unit=UNITS.get(of, ""), log=log)
    if of in WORDS:
        ax.set_ylabel(WORDS[of])
    elif of == "tokens_per_parameter":
        ax.set_ylabel("tokens per parameter")
    elif of == "prediction" and isinstance(found, Sensitivity):
        ax.set_ylabel(f"predicted {symbol(found.quantity)}")
    ax.tick_params(axis="x", labelbottom=False, length=0)
    ax.grid(visible=False, axis="x")
    ax.scatter(range(len(values)), values, c=colours, s=28, edgecolors="white", zorder=3)


def _matrix(
    ax: "Axes", rows: pd.DataFrame, lines: list[tuple[str, object]], colours: np.ndarray
) -> None:
    """A line per value of each choice, in blocks; a dot where an answer belongs to it."""
    places, height = [], 0.0
    for i, (choice, _) in enumerate(lines):
        height += 1.0 if i and lines[i - 1][0] == choice else 1.9
        places.append(height)
        if i == 0 or lines[i - 1][0] != choice:
            ax.annotate(
                WORDS.get(choice, choice),
                (0, height - 0.85),
                (-4, 0),
                xycoords=("axes fraction", "data"),
                textcoords="offset points",
                ha="right",
                va="center",
                fontsize=style.SMALL,
                color=style.SOFT,
                style="italic",
            )
    x = np.arange(len(rows))
    for (choice, value), place in zip(lines, places, strict=True):
        here = (rows[choice] == value).to_numpy()
        ax.plot(x, np.full(len(x), place), ".", color=style.GRID, markersize=5, zorder=1)
        ax.scatter(x[here], np.full(here.sum(), place), c=colours[here], s=20, linewidths=0)
    ax.set_yticks(places, [str(value) for _, value in lines])
    ax.set_ylim(height + 0.7, 0.4)
    ax.set_xticks([])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.grid(visible=False)
