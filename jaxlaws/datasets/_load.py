"""Loading a tidy table: from the package, from the reader's folder, or from its source."""

import gzip
import hashlib
import io
import os
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from jaxlaws.datasets._info import DataError, Info, Table
from jaxlaws.datasets._registry import info

if TYPE_CHECKING:
    import pandas as pd

# Units of counts that are kept as floats: a product such as 6 N D leaves 64-bit integers, and
# numpy would wrap it around without a word. Every count here is below 2**53, hence exact.
_LARGE = ("parameters", "tokens", "characters", "FLOP")


def load(name: str, table: str | None = None) -> "pd.DataFrame":
    """Return a tidy table with all its rows; `attrs` holds name, table, kind and source.

    An embedded set is read from the package. Otherwise, if the environment variable
    `JAXLAWS_DATA` names a folder, the table is read from `<folder>/<name>/<file>`; if not, the
    source files are downloaded on first use, checked, cached and converted. `JAXLAWS_CACHE` moves
    the cache and `JAXLAWS_SOURCE` names a mirror of https://raw.githubusercontent.com.

    Args:
        name: one of `names()`.
        table: one of the tables that `info(name)` lists; the main one if not given.

    Raises:
        DataError: if the set or table is unknown, or its file is missing, altered or out of reach.
    """
    record = info(name)
    key = next(iter(record.tables)) if table is None else table
    if key not in record.tables:
        known = ", ".join(record.tables)
        raise DataError(f"data set {name!r} has no table {table!r}; its tables are: {known}")
    columns = record.tables[key].columns
    large = [column for column, about in columns.items() if about.unit in _LARGE]
    frame = _find(record, key).astype(dict.fromkeys(large, "float64"))
    frame.attrs = {"name": name, "table": key, "kind": record.kind, "source": record.origin}
    return frame


def _find(record: Info, key: str) -> "pd.DataFrame":
    """Return the table from the first place that has it, in the order `load` promises."""
    table = record.tables[key]
    if record.embedded:
        return _parse((files("jaxlaws.datasets") / "tables" / table.file).read_bytes(), table)
    if folder := os.environ.get("JAXLAWS_DATA"):
        return _parse(_checked(Path(folder).expanduser() / record.name / table.file, table), table)
    if record.downloadable:
        from jaxlaws.datasets._download import fetch
        from jaxlaws.datasets.convert import CONVERTERS

        return CONVERTERS[record.name](key, fetch(record, table))
    raise DataError(
        f"data set {record.name!r} is not fetched automatically: its source is {record.origin}; "
        f"name in JAXLAWS_DATA a folder that holds the tidy table {record.name}/{table.file}"
    )


def _checked(path: Path, table: Table) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(
            f"{path} cannot be read ({error.strerror}); JAXLAWS_DATA has to name the folder that "
            f"holds {path.parent.name}/{path.name}, or be unset"
        ) from None
    found = hashlib.sha256(content).hexdigest()
    if found != table.sha256:
        raise DataError(
            f"{path} is not the registered table: its sha256 is {found}, expected {table.sha256}; "
            "copy the file again"
        )
    return content


def _parse(content: bytes, table: Table) -> "pd.DataFrame":
    import pandas as pd

    plain = gzip.decompress(content) if table.file.endswith(".gz") else content
    return pd.read_csv(io.BytesIO(plain))
