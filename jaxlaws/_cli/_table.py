"""The command line's TABLE: a CSV file or a registered data set, and which column is what."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from jaxlaws import datasets
from jaxlaws._cli._words import nearest
from jaxlaws._columns import condition, read_table
from jaxlaws._errors import InputError
from jaxlaws._law import Law
from jaxlaws._runs import Runs
from jaxlaws.datasets._info import Roles

STEMS = {"parameters": "param", "tokens": "token", "FLOP": "flop", "steps": "step"}


@dataclass(frozen=True)
class Source:
    """A table as it was asked for.

    Attributes:
        runs: The runs.
        columns: Where each input, `target` and `group` were read from.
        where: The query that chose the rows; empty for all.
        frame: The chosen rows, all columns.
    """

    runs: Runs
    columns: Mapping[str, str | tuple[str, ...]]
    where: str
    frame: pd.DataFrame

    def mask(self, query: str) -> np.ndarray:
        """(n,) the runs for which a query over inputs, `target` and columns holds.

        Raises:
            InputError: The query cannot be read, or is no condition.
        """
        flat = {k: v for k, v in self.runs.inputs.items() if v.ndim == 1}
        named = self.frame.assign(**flat, target=self.runs.target)
        return condition(named, query, "The query", "write it over")


def read(args: Any, laws: Sequence[Law], given: Mapping[str, str]) -> Source:
    """The table of a command as runs with every input of the laws.

    Args:
        args: The command's arguments: table, target, group, weight, where.
        laws: The laws that are to be fitted.
        given: Input -> column, or several with commas.

    Raises:
        InputError: There is no such file or set, or a column is missing or unusable.
        DataError: A registered table is altered or out of reach.
    """
    variables = {name: v for law in laws for name, v in law.inputs.items() if name != "group"}
    for name in given:
        if name not in variables:
            titles = ", ".join(law.name for law in laws)
            raise InputError(
                f"{titles} has no input {name!r}, only {', '.join(variables)}"
                + nearest(name, variables)
            )
    frame, roles = frame_of(args.table)
    label = str(frame.attrs["name"])
    inputs = {k: v for k, v in (roles.inputs if roles else {}).items() if k in variables}
    inputs |= {k: k for k in variables if k not in inputs and k in frame.columns}
    inputs |= {k: tuple(v.split(",")) if "," in v else v for k, v in given.items()}
    for name, variable in variables.items():
        if name not in inputs:
            raise InputError(_missing(label, frame, name, variable.unit))
    target = args.target or (roles.target if roles else None) or _target(label, frame, laws[0])
    group = args.group or (roles.group if roles else None)
    default = roles.where if roles else None
    where = (default if args.where is None else args.where) or ""
    columns = {**inputs, "target": target} | ({"group": group} if group else {})
    runs = Runs.from_frame(
        frame,
        target=target,
        group=group,
        weight=args.weight,
        where=where or None,
        name=label,
        **{k: v if isinstance(v, str) else list(v) for k, v in inputs.items()},
    )
    return Source(runs, columns, where, frame.loc[list(runs.rows)])


def frame_of(table: str) -> tuple[pd.DataFrame, Roles | None]:
    """A table and, for a registered one, the roles of its columns."""
    name, _, part = table.partition("/")
    if not Path(table).is_file() and name in datasets.names():
        record = datasets.info(name)
        frame = datasets.load(name, part or None)
        return frame, record.roles.get(frame.attrs["table"])
    if Path(table).is_dir():
        raise InputError(f"{table} is a folder; name a CSV file in it.")
    if Path(table).exists() or Path(table).suffix or "/" in table:
        return read_table(table), None
    known = [*datasets.names(), *(p.name for p in Path().glob("*.csv*"))]
    raise InputError(
        f"There is no file and no data set {table!r}{nearest(table, known)} `jaxlaws data` lists "
        "the sets."
    )


def _missing(label: str, frame: pd.DataFrame, name: str, unit: str) -> str:
    names = [str(c) for c in frame.columns]
    stem = STEMS.get(unit, unit.lower() or name.lower())
    near = [c for c in names if stem in c.lower()] or difflib.get_close_matches(name, names, 1)
    return (
        f"{label} has no column {name!r} ({unit or 'the input'}): say which it is, "
        f"{name}={near[0] if near else 'COLUMN'}; its columns are {', '.join(names)}."
    )


def _target(label: str, frame: pd.DataFrame, law: Law) -> str:
    usual = [law.target.name, *(["loss"] if law.target.name == "L" else []), "target"]
    found = [name for name in usual if name in frame.columns]
    if found:
        return found[0]
    names = [str(c) for c in frame.columns]
    near = [c for c in names if usual[-2] in c.lower()]
    raise InputError(
        f"{label} has no column {' or '.join(usual)} to predict: say which it is, "
        f"--target {near[0] if near else 'COLUMN'}; its columns are {', '.join(names)}."
    )
