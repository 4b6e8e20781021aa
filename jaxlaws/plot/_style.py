"""What all figures share: sizes, colours, axes, labels, and how a figure is written to a file.

Everything is set on the figure itself: no global settings are read or changed, and there is no
current figure, so that figures can be made on threads and without a screen.
"""

import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxlaws._errors import InputError
from jaxlaws._runs import Runs
from jaxlaws.plot._ticks import COUNTS, fold, label

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

INK, SOFT, FAINT, GRID = "#222222", "#6b6b6b", "#a8a8a8", "#ececec"
BLUE, ORANGE, GREEN = "#0072b2", "#d55e00", "#009e73"  # Okabe and Ito: safe for colour-blind eyes
TITLE, TEXT, SMALL = 10.5, 9.0, 8.0  # type sizes in points
DPI = 160  # a figure of 10 x 7.5 inches has 1600 x 1200 pixels
BAND, NEW = 0.38, 0.14  # opacity of the law's band and of a new run's interval
WRAP = 80  # characters of a line below a title
ENDINGS = ("png", "pdf", "svg")


def mpl() -> ModuleType:
    """The module that holds matplotlib, loaded when the first figure is made.

    Raises:
        InputError: matplotlib is not installed.
    """
    try:
        from jaxlaws.plot import _mpl
    except ImportError as error:
        raise InputError(
            f'Figures need matplotlib ({error}): pip install "jaxlaws[plot]".'
        ) from error
    return _mpl


def figure(width: float = 6.4, height: float = 4.4, **pads: float) -> "Figure":
    """An empty figure, in inches, that arranges its own margins."""
    made = mpl().Figure(figsize=(width, height), dpi=DPI, layout="constrained", facecolor="white")
    made.get_layout_engine().set(**dict(w_pad=0.08, h_pad=0.08, wspace=0.03, hspace=0.04) | pads)
    return made


def axes(ax: "Axes | None", width: float = 6.4, height: float = 4.4) -> "Axes":
    """The axes to draw in, new ones where none are given, without ornaments."""
    return bare(figure(width, height).add_subplot() if ax is None else ax)


def bare(ax: "Axes") -> "Axes":
    """Axes with two thin spines and a faint grid."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set(color=FAINT, linewidth=0.8)
    ax.tick_params(which="both", colors=SOFT, labelcolor=INK, labelsize=SMALL, width=0.8)
    ax.tick_params(which="major", length=4)
    ax.tick_params(which="minor", length=2, width=0.6)
    ax.grid(which="major", color=GRID, linewidth=0.7)
    ax.set_axisbelow(True)
    return ax


def scale(
    axis: "Axis", values: Any, *, name: str, unit: str = "", log: bool = True, most: int = 7
) -> None:
    """Give an axis its limits, few readable ticks and its label with the unit.

    Args:
        axis: ax.xaxis or ax.yaxis.
        values: Everything that must be seen; NaN is left out.
        name: The quantity's name.
        unit: Its unit.
        log: Whether the axis is logarithmic.
        most: How many numbers stand along it at most.
    """
    tools, ax = mpl(), axis.axes
    seen = np.ravel(np.asarray(values, float))
    seen = seen[np.isfinite(seen) & ((seen > 0) | (not log))]
    low, high = (seen.min(), seen.max()) if len(seen) else (1.0, 10.0)
    flat = axis is ax.xaxis
    set_scale, set_limits = (ax.set_xscale, ax.set_xlim) if flat else (ax.set_yscale, ax.set_ylim)
    if log:
        set_scale("log")
        margin = max((high / low) ** 0.04, 1.002)
        set_limits(low / margin, high * margin)
        axis.set_major_locator(tools.LogTicks(most, powers_only=unit not in COUNTS))
        axis.set_minor_locator(tools.LogTicks(minor=True))
        axis.set_minor_formatter(tools.NullFormatter())
    else:
        margin = 0.04 * (high - low) or abs(high) * 0.04 or 1.0
        set_limits(low - margin, high + margin)
        axis.set_major_locator(tools.MaxNLocator(most - 1, steps=[1, 2, 2.5, 5, 10]))
    axis.set_major_formatter(tools.Written(unit))
    axis.set_label_text(label(name, unit), fontsize=TEXT, color=INK)


def head(ax: "Axes", title: str, *notes: str) -> None:
    """A title on the left, and notes below it in small type."""
    note = fold(notes, WRAP)
    lines = note.count("\n") + 1 if note else 0
    ax.set_title(title, loc="left", fontsize=TITLE, color=INK, pad=6 + 11 * lines)
    if note:
        written = ax.annotate(
            note,
            (0, 1),
            (0, 5),
            xycoords="axes fraction",
            textcoords="offset points",
            fontsize=SMALL,
            color=SOFT,
            linespacing=1.25,
        )
        written.set_in_layout(False)  # its height is the title's pad; its width moves nothing


def title_of(law: str, runs: Runs | None, origin: str = "") -> str:
    """What was fitted to what: the runs' number, their name, and whether they are simulated."""
    if runs is None:
        return f"{law}, {origin}" if origin else law
    return f"{law}, {counted(runs)}" + (f" and {origin}" if origin else "")


def counted(runs: Runs) -> str:
    """The number of runs that count, their name, and whether they are simulated."""
    return f"{int((runs.weight > 0).sum())} {simulated(runs)}runs of {runs.name}"


def simulated(runs: Runs | None) -> str:
    """The word that a figure of simulated data must carry in its title."""
    return "simulated " if runs is not None and "simulated" in runs.name.lower() else ""


def short(reason: str) -> str:
    """The first clause of a reason, for one line of a figure."""
    return reason.split(" (")[0].split(": ")[0]


def shades(values: Any, low: float, high: float) -> np.ndarray:
    """Colours (m, 4) of viridis for ordered values on a log scale; its palest end is left out."""
    place = np.log(np.asarray(values, float) / low) / (np.log(high / low) or 1.0)
    return np.asarray(mpl().matplotlib.colormaps["viridis"](0.87 * np.clip(place, 0, 1)))


def label_ends(ax: "Axes", ends: Any, texts: Sequence[str], colours: Any) -> None:
    """Write each text at the right edge beside the end of its curve, without overlaps.

    Args:
        ax: Axes whose limits and scales are final.
        ends: (k,) values on the y axis.
        texts: (k,) labels.
        colours: (k,) colours.
    """
    to_fraction = ax.transData + ax.transAxes.inverted()
    heights = np.array([to_fraction.transform((ax.get_xlim()[1], y))[1] for y in ends])
    for text, y, colour in zip(texts, apart(heights, _gap(ax)), colours, strict=True):
        _beside(ax, text, (1, y), colour)


def label_curves(
    ax: "Axes", curves: Sequence[np.ndarray], texts: Sequence[str], colours: Any
) -> None:
    """Write each text beside the right end of what is seen of its curve (2, m)."""
    low, high = ax.get_ylim()
    ends = []
    for curve in curves:
        seen = np.flatnonzero((curve[1] >= low) & (curve[1] <= high))
        ends.append(curve[:, seen[-1] if len(seen) else -1])
    places = (ax.transData + ax.transAxes.inverted()).transform(ends)
    gap = _gap(ax)
    heights = np.clip(apart(places[:, 1], gap), gap / 2, 1 - gap / 2)
    for text, x, y, colour in zip(texts, places[:, 0], heights, colours, strict=True):
        _beside(ax, text, (x, y), colour)


def _beside(ax: "Axes", text: str, place: tuple[float, float], colour: Any) -> None:
    ax.annotate(
        text,
        place,
        (4, 0),
        xycoords="axes fraction",
        textcoords="offset points",
        va="center",
        fontsize=SMALL,
        color=colour,
        annotation_clip=False,
    )


def _gap(ax: "Axes") -> float:
    """Height of a line of small type as a share of the axes, roughly."""
    spec = ax.get_subplotspec()
    share = 0.75 / (spec.get_gridspec().nrows if spec is not None else 1)
    return 1.45 * SMALL / 72 / (ax.figure.get_figure(root=True).get_figheight() * share)


def heading(figure: "Figure", title: str, *notes: str, join: str = "; ") -> None:
    """The title of a figure of several panels, and notes in small type at its foot."""
    figure.suptitle(title, x=0.012, ha="left", fontsize=TITLE + 1, color=INK)
    if note := fold(notes, int(15 * figure.get_figwidth()), join):
        figure.supxlabel(note, x=0.012, ha="left", fontsize=SMALL, color=SOFT)


def apart(places: np.ndarray, gap: float) -> np.ndarray:
    """The places (k,) moved as little as needed to lie at least a gap apart, in the same order.

    >>> apart(np.array([0.0, 0.0, 1.0]), 0.5).tolist()
    [-0.25, 0.25, 1.0]
    """
    order = np.argsort(places, kind="stable")
    groups: list[tuple[float, int]] = []  # centre and size of blocks of touching labels
    for place in places[order]:
        groups.append((float(place), 1))
        while len(groups) > 1:
            (below, m), (above, n) = groups[-2:]
            if above - below >= gap * (m + n) / 2 - 1e-12:
                break
            groups[-2:] = [((m * below + n * above) / (m + n), m + n)]
    moved = np.concatenate([c + gap * (np.arange(n) - (n - 1) / 2) for c, n in groups])
    out = np.empty(len(places))
    out[order] = moved
    return out


def points(ax: "Axes", x: Any, y: Any, colour: Any, **kwargs: Any) -> None:
    """Measured runs as small dots that stay distinct where they crowd."""
    style: dict[str, Any] = dict(s=13, linewidths=0.3, edgecolors="white", zorder=3, alpha=0.85)
    ax.scatter(x, y, **{("color" if isinstance(colour, str) else "c"): colour}, **style | kwargs)


def save(drawn: Any, path: str | Path) -> Path:
    """Write a figure to a file: png, pdf or svg by the ending.

    The file is written beside its place and renamed, so that a reader never sees half of it.

    Args:
        drawn: A figure, or axes of one: whatever the functions of this module return.
        path: Where to.

    Returns:
        The path.

    Raises:
        InputError: The ending is unknown, the folder is not there, or this is no figure.
    """
    path = Path(path)
    ending = path.suffix.lower().lstrip(".")
    if ending not in ENDINGS:
        raise InputError(
            f"{path} ends in {path.suffix or 'nothing'!r}; a figure is written as "
            f"{', '.join('.' + e for e in ENDINGS)}."
        )
    if not path.parent.is_dir():
        raise InputError(f"There is no folder {path.parent} to write {path.name} into.")
    get: Callable[..., Any] | None = getattr(drawn, "get_figure", None)
    made = get(root=True) if get else None
    if not isinstance(made, mpl().Figure):
        raise InputError(f"save takes a figure or axes first, got {type(drawn).__name__}.")
    beside = path.with_name(f".{path.stem}-{os.getpid()}-{threading.get_ident()}.{ending}")
    # Without a date, the same figure gives the same file.
    stamp = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}.get(ending)
    try:
        made.savefig(beside, format=ending, dpi=DPI, metadata=stamp)
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)
    return path
