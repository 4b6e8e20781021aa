"""docs/benchmarks.md and its figures, from the newest record of every section."""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxlaws.plot._style import BLUE, GREEN, INK, ORANGE, bare, figure, mpl

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Record = Mapping[str, Any]
HEAD = """\
# Benchmarks

Written by `python -m benchmarks`, from the newest record of each section in `benchmarks/history`.
Each record has the machine, the versions and the commit. Times on a shared machine are upper
bounds; the ratios of one run count, and the fastest of several turns stands for each time.
"""


def cell(value: Any, digits: int = 3) -> str:
    """A cell of a table: few digits, exponents where they help, nothing for what is missing."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, float):
        return f"{value:.{digits}g}" if 1e-3 <= abs(value) < 1e3 or value == 0 else _large(value)
    return str(value)


def _large(value: float) -> str:
    return f"{value:,.0f}" if 1e3 <= abs(value) < 1e7 else f"{value:.1e}"


def markdown(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as a table, columns in the order in which they first appear."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    numbers = [any(isinstance(row.get(name), int | float) for row in rows) for name in names]
    lines = [
        "| " + " | ".join(names) + " |",
        "|" + "|".join("--:" if number else "---" for number in numbers) + "|",
    ]
    digits = [8 if name.startswith("objective") else 3 for name in names]
    lines += [
        "| " + " | ".join(map(cell, (row.get(name) for name in names), digits)) + " |"
        for row in rows
    ]
    return "\n".join(lines)


def shown(record: Record) -> str:
    """One section in markdown."""
    kind, versions = record["machine"], record["versions"]
    parts = [
        f"## {record['title']}",
        f"`{record['command']}`, {record['date']} UTC, commit {record['revision']}. "
        f"{kind['processor']} {kind['vectors']}, {kind['cores']} cores, {kind['memory_GiB']} GiB; "
        + ", ".join(f"{name} {number}" for name, number in versions.items())
        + (f". {record['remark']}" if record.get("remark") else "."),
        record["text"],
        markdown(record["rows"]),
    ]
    if record["goals"]:
        goals = [
            {"asked": g["asked"], "got": g["got"], "": "met" if g["met"] else "**missed**"}
            for g in record["goals"]
        ]
        parts.append(markdown(goals))
    if record["name"] in FIGURES:
        parts.append(f"![{record['title']}](benchmarks_{record['name']}.png)")
    return "\n\n".join(parts)


def write(records: Mapping[str, Record], folder: Path) -> None:
    """The page and its figures."""
    folder.mkdir(parents=True, exist_ok=True)
    sections = [shown(record) for record in records.values()]
    (folder / "benchmarks.md").write_text("\n\n".join([HEAD.strip(), *sections]) + "\n")
    for name, draw in FIGURES.items():
        if name in records:
            draw(records[name]).savefig(folder / f"benchmarks_{name}.png")


def bars(record: Record) -> "Figure":
    """Warm and cold seconds of every contender, on a logarithmic axis."""
    rows = [row for row in record["rows"] if "failed" not in row]
    rows = sorted(rows, key=lambda row: -row["warm, s"])
    made = figure(7.2, 0.6 + 0.3 * len(rows))
    ax = bare(made.add_subplot())
    places = range(len(rows))
    colours = [ORANGE if row["contender"].startswith("jaxlaws") else BLUE for row in rows]
    ax.barh(places, [row["warm, s"] for row in rows], color=colours, height=0.62)
    cold = all("cold, s" in row for row in rows)
    if cold:
        ax.plot([row["cold, s"] for row in rows], places, "|", color=INK, ms=11, mew=1.6)
    ax.set_yticks(places, [row["contender"] for row in rows])
    ax.set_xscale("log")
    ax.set_xlabel("seconds: warm (bars)" + (", cold (strokes)" if cold else ""))
    ax.set_title(record["title"], loc="left")
    low = min(row["warm, s"] for row in rows) / 10  # room for its label
    ax.set_xlim(left=low)
    for place, row in zip(places, rows, strict=True):
        ax.text(low * 1.1, place, f"{cell(row['warm, s'])} s", va="center", size=8, color="white")
    return made


def curves(record: Record) -> "Figure":
    """Time and peak memory against each count, with the fitted exponents."""
    kinds = list(dict.fromkeys(row["against"] for row in record["rows"]))
    made = figure(8.4, 6.4)
    for place, kind in enumerate(kinds):
        ax = bare(made.add_subplot(2, 2, place + 1))
        rows = [row for row in record["rows"] if row["against"] == kind]
        x = [row["count"] for row in rows]
        for name, colour in (("time, s", BLUE), ("peak, GiB", GREEN)):
            y = [row[name] for row in rows]
            slope, middle = np.polyfit(np.log(x), np.log(y), 1)
            ax.plot(x, np.exp(middle) * np.array(x) ** slope, color=colour, lw=0.8, alpha=0.6)
            ax.plot(x, y, "o", color=colour, ms=4, label=f"{name}: exponent {slope:.2f}")
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.xaxis.set_minor_formatter(mpl().NullFormatter())
        if max(x) < 100:  # no powers of ten to stand for them
            ax.set_xticks(x, x)
        ax.set_xlabel(kind)
        ax.legend(frameon=False, fontsize=8)
    return made


FIGURES: dict[str, Callable[[Record], "Figure"]] = {
    "speed": bars,
    "grid": bars,
    "tables": bars,
    "growth": curves,
}
