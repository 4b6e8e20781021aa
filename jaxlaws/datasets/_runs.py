"""A registered table as runs, by the roles that the registry gives its columns."""

from typing import Any

from jaxlaws._errors import InputError
from jaxlaws._runs import Runs
from jaxlaws.datasets._load import load
from jaxlaws.datasets._registry import info


def runs(name: str, table: str | None = None, *, where: str | None = None) -> Runs:
    """Return the rows of the published fit as `Runs`, every input that the registry knows named.

    Args:
        name: one of `names()`.
        table: one of the tables that `info(name)` lists; the main one if not given.
        where: a pandas query for other rows than those of the published fit; "" takes all.

    Raises:
        DataError: if the table is unknown, missing, altered or out of reach.
        InputError: if the registry names no columns to fit.

    >>> import jaxlaws as jl
    >>> len(jl.datasets.runs("simulated_chinchilla"))
    81
    """
    record = info(name)
    key = next(iter(record.tables)) if table is None else table
    roles = record.roles.get(key)
    frame = load(name, table)
    if roles is None:
        raise InputError(
            f"The registry names no inputs and target for {name}/{key}; load it with "
            "jl.datasets.load and name the columns in Runs.from_frame."
        )
    inputs: dict[str, Any] = {
        k: v if isinstance(v, str) else list(v) for k, v in roles.inputs.items()
    }
    kept = roles.where if where is None else where
    return Runs.from_frame(
        frame, target=roles.target, group=roles.group, where=kept or None, name=name, **inputs
    )
