"""The report of a study: a table per question, and figures."""

import io
from typing import Any

import numpy as np
import pandas as pd

from jaxlaws._errors import InputError
from jaxlaws._study._folder import Folder
from jaxlaws._study._rows import FAILED, OK
from jaxlaws._study._settings import Settings

CHOICES = ["law", "objective", "resample", "holdout"]


def summaries(table: pd.DataFrame, prob: float) -> dict[str, pd.DataFrame]:
    """A table per question, over data sets; docs/studies.md defines every column.

    Args:
        table: The rows of a study.
        prob: Probability of its intervals.
    """
    out = {"cells": _cells(table), "failures": _failures(table)}
    if (table["question"] == "extrapolation").any():
        out["extrapolation"] = _extrapolation(table)
    for question, name in (("parameter", "parameters"), ("prediction", "predictions")):
        if (table["question"] == question).any():
            out[name] = _spread(table[table["question"] == question])
    for frame in out.values():
        frame.attrs["prob"] = prob
    return out


def errors(table: pd.DataFrame) -> pd.DataFrame:
    """One row per cell with held-out runs: rmsle, bias, share of them covered, their number."""
    held = table[(table["question"] == "extrapolation") & table["error"].notna()]
    by = held.groupby(["data", *CHOICES], sort=False)
    return pd.DataFrame(
        {
            "rmsle": by["error"].apply(lambda e: float(np.sqrt(np.mean(e**2)))),
            "bias": by["error"].mean(),
            "covered": by["covered"].apply(lambda c: c.dropna().astype(float).mean()),
            "runs": by.size(),
        }
    ).reset_index()


def _cells(table: pd.DataFrame) -> pd.DataFrame:
    fits = table[table["question"] == "fit"]
    return fits.groupby(["law", "status"]).size().unstack(fill_value=0).reset_index()


def _failures(table: pd.DataFrame) -> pd.DataFrame:
    fits = table[(table["question"] == "fit") & (table["status"] != OK)]
    reason = np.where(fits["status"] == FAILED, fits["note"], fits["status"])
    counted = fits.assign(reason=reason).groupby(["law", "status", "reason"], sort=False)
    found = counted.agg(cells=("cell", "size"), first=("data", "first")).reset_index()
    return found.sort_values("cells", ascending=False, kind="stable")


def _extrapolation(table: pd.DataFrame) -> pd.DataFrame:
    each = errors(table)
    rivals = each.groupby(["data", *CHOICES[1:]])["rmsle"]
    each["wins"] = (each["rmsle"] == rivals.transform("min")) & (rivals.transform("size") > 1)
    by = each.groupby(CHOICES, sort=False)
    found = pd.DataFrame(
        {
            "tables": by.size(),
            "wins": by["wins"].sum(),
            "rmsle": by["rmsle"].median(),
            "bias": by["bias"].median(),
            "runs": by["runs"].sum(),
            "coverage": by["covered"].mean(),
            "coverage_se": by["covered"].sem(),
        }
    )
    return found.sort_values("rmsle").reset_index()


def _spread(rows: pd.DataFrame) -> pd.DataFrame:
    by = rows.groupby([*CHOICES, "name", "at"], sort=False)
    found = pd.DataFrame(
        {
            "tables": by["estimate"].count(),
            **{name: by[name].median() for name in ("estimate", "low", "high")},
            "from_5": by["estimate"].quantile(0.05),
            "to_95": by["estimate"].quantile(0.95),
        }
    ).reset_index()
    if not found["at"].any():
        found = found.drop(columns="at")
    return found.drop(columns=["from_5", "to_95"]) if found["tables"].max() < 2 else found


def write_report(settings: Settings, folder: Folder) -> None:
    """Write report.md, and the figures it shows where matplotlib is installed."""
    table = folder.read()
    tables = summaries(table, settings.prob)
    lines = [
        "# Report of a study",
        "",
        f"{len(settings.data)} tables, {len(settings.laws)} laws, "
        f"{len(settings.cells())} cells, {settings.draws} resamples each, seed {settings.seed}, "
        f"{settings.precision}; intervals of {settings.prob:.0%}.",
    ]
    for name, frame in tables.items():
        if len(frame):
            lines += ["", f"## {name.capitalize()}", "", MEANINGS[name], "", *_markdown(frame)]
    for name, made in _figures(table, settings.prob).items():
        lines += ["", f"![{name}](figures/{name}.png)"]
        folder.write(folder.path / "figures" / f"{name}.png", _png(made))
    folder.write(folder.path / "report.md", ("\n".join(lines) + "\n").encode())


SPREAD = (
    "Medians over tables of the estimate and of the ends of its interval; between from_5 and to_95 "
    "lie the estimates of 90 % of the tables."
)
MEANINGS = {
    "cells": "How the cells of each law ended.",
    "failures": "Why cells have no numbers or no intervals, how many, and the first table.",
    "extrapolation": (
        "Over tables: wins, on which a law predicts the held-out runs best; median root mean "
        "square error and bias in the space of residuals (relative, where that is the logarithm); "
        "share of the held-out runs inside the interval of a new run, mean over tables with its "
        "standard error."
    ),
    "parameters": SPREAD,
    "predictions": SPREAD,
}


def _markdown(frame: pd.DataFrame) -> list[str]:
    head = [str(name) for name in frame.columns]
    rows = [[_cell(value) for value in row] for row in frame.itertuples(index=False)]
    return [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)]


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return "" if np.isnan(value) else f"{value:.4g}"
    return str(value).replace("|", "/")


def _figures(table: pd.DataFrame, prob: float) -> dict[str, Any]:
    if not (table["question"] == "extrapolation").any():
        return {}
    from jaxlaws.plot import _study as draw

    try:
        draw.style.mpl()
    except InputError:
        return {}
    each = errors(table)
    return {"extrapolation": draw.errors(each), "coverage": draw.coverage(each, prob)}


def _png(figure: Any) -> bytes:
    sink = io.BytesIO()
    figure.savefig(sink, format="png")
    return sink.getvalue()
