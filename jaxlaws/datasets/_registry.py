"""The registry of data sets: one TOML file each, read when asked for."""

import difflib
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from jaxlaws.datasets._info import (
    Column,
    DataError,
    File,
    Info,
    Published,
    Roles,
    Source,
    Table,
)


@cache
def names() -> tuple[str, ...]:
    """Return the names of all data sets, those embedded in the package first."""
    folder = files("jaxlaws.datasets") / "info"
    found = [p.name.removesuffix(".toml") for p in folder.iterdir() if p.name.endswith(".toml")]
    return tuple(sorted(found, key=lambda name: (not _read(name).embedded, name)))


def info(name: str) -> Info:
    """Return what is known about a data set: provenance, licence, tables, columns, roles.

    Args:
        name: one of `names()`.

    Raises:
        DataError: if there is no such data set.
    """
    if name not in names():
        close = difflib.get_close_matches(name, names(), n=1, cutoff=0.4)
        hint = f"; did you mean {close[0]!r}?" if close else "."
        raise DataError(
            f"there is no data set {name!r}{hint} `jaxlaws.datasets.names()` lists them all"
        )
    return _read(name)


@cache
def _read(name: str) -> Info:
    text = (files("jaxlaws.datasets") / "info" / f"{name}.toml").read_text(encoding="utf-8")
    record = tomllib.loads(text)
    source = _source(record["source"]) if "source" in record else None
    by_path = {file.path: file for file in source.files} if source else {}
    tables = {key: _table(value, by_path) for key, value in record.pop("tables").items()}
    return Info(**record | {"name": name, "source": source, "tables": MappingProxyType(tables)})


def _source(record: dict[str, Any]) -> Source:
    return Source(**record | {"files": tuple(File(**file) for file in record["files"])})


def _table(record: dict[str, Any], by_path: Mapping[str, File]) -> Table:
    """Build a table; without a list of its own it is made from every source file of the set."""
    columns = {name: Column(**column) for name, column in record["columns"].items()}
    return Table(
        file=record["file"],
        sha256=record["sha256"],
        rows=record["rows"],
        columns=MappingProxyType(columns),
        sources=tuple(by_path[path] for path in record.get("sources", by_path)),
        roles=_roles(record["roles"]) if "roles" in record else None,
        published=Published(**record["published"]) if "published" in record else None,
    )


def _roles(record: dict[str, Any]) -> Roles:
    # TOML has lists where the record wants tuples: a vector input names one column per component.
    inputs = {k: v if isinstance(v, str) else tuple(v) for k, v in record["inputs"].items()}
    return Roles(**record | {"inputs": MappingProxyType(inputs)})
