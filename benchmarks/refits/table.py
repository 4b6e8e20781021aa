"""The table of refits: name -> rows, and the copy of it that docs/ keeps."""

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd

import jaxlaws as jl
from benchmarks.refits import curves, dense, forms, mixtures, optima, schedules, sldbench, tasks
from benchmarks.refits.row import Row

TABLE = Path(__file__).resolve().parents[2] / "docs" / "refits.csv"
MODULES = (dense, optima, forms, mixtures, tasks, schedules, curves, sldbench)
REFITS: dict[str, Callable[[], Iterator[Row]]] = {
    each.__name__: each for module in MODULES for each in module.REFITS
}


def refit(name: str) -> pd.DataFrame:
    """The rows of a refit, as text."""
    with warnings.catch_warnings():
        # Published fits keep repeated rows and targets outside a law's range: so do we.
        warnings.simplefilter("ignore", jl.InputWarning)
        return pd.DataFrame([{"refit": name, **row.record()} for row in REFITS[name]()])


def stored(without: str = "") -> pd.DataFrame:
    """The rows in docs/, all of them or those of the other refits."""
    if not TABLE.exists():
        return pd.DataFrame()
    table = pd.read_csv(TABLE, dtype=str, keep_default_na=False)
    return table[table["refit"] != without]


def write(table: pd.DataFrame) -> None:
    """Put rows into docs/, refits in the order in which they are listed here."""
    order = {name: i for i, name in enumerate(REFITS)}
    table = table.sort_values("refit", key=lambda names: names.map(order), kind="stable")
    table.to_csv(TABLE, index=False, lineterminator="\n")
