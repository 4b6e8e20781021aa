"""A table's columns: a file becomes a table, cells become numbers, and what is wrong is named."""

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from jaxlaws._errors import InputError


def read_table(path: str | Path) -> pd.DataFrame:
    """A CSV (or .csv.gz) file as a pandas table whose index is the line number in the file.

    Raises:
        InputError: The file is not there, empty, or not separated by commas.
    """
    path = Path(path)
    if not path.is_file():
        near = difflib.get_close_matches(path.name, [p.name for p in path.parent.glob("*")], 1)
        raise InputError(
            f"There is no file {path}" + (f"; did you mean {near[0]}?" if near else ".")
        )
    try:
        frame = pd.read_csv(path)
    except pd.errors.EmptyDataError:
        raise InputError(f"{path} is empty; expected a header line and one line per run.") from None
    except (pd.errors.ParserError, UnicodeDecodeError, OSError, EOFError) as error:
        raise InputError(f"{path} could not be read as a CSV table ({error}).") from None
    if frame.shape[1] == 1 and any(sep in str(frame.columns[0]) for sep in ";\t|"):
        sep = next(s for s in ";\t|" if s in str(frame.columns[0]))
        raise InputError(
            f"{path} seems to be separated by {'tabs' if sep == chr(9) else repr(sep)}; "
            "expected commas. Save it as CSV with commas."
        )
    frame.index = frame.index + 2  # the header is line 1
    frame.attrs["name"] = path.name
    return frame


def require(frame: pd.DataFrame, column: str, label: str) -> None:
    """Refuse a table without a column.

    Raises:
        InputError: It is missing; the nearest name is suggested.
    """
    if column in frame.columns:
        return
    names = [str(c) for c in frame.columns]
    folded = {n.lower(): n for n in names}
    near = difflib.get_close_matches(column.lower(), folded, 1)
    raise InputError(
        f"{label} has no column {column!r}"
        + (f"; did you mean {folded[near[0]]!r}?" if near else ".")
        + f" Its columns are {', '.join(names)}."
    )


def called(key: str, columns: Sequence[str], unit: str = "") -> str:
    """What a user calls an input: column 'params' (N, parameters), or 'N' without a table."""
    names = ", ".join(map(repr, columns))
    label = f"{'columns' if len(columns) > 1 else 'column'} {names}" if columns else repr(key)
    about = [*([key] if columns and tuple(columns) != (key,) else []), *([unit] if unit else [])]
    return f"{label} ({', '.join(about)})" if about else label


def condition(frame: pd.DataFrame, query: str, subject: str, remedy: str) -> np.ndarray:
    """(n,) the rows of a table for which a query over its columns holds.

    Args:
        frame: The table.
        query: For example "N > 1e10".
        subject: What a user calls the query, at the beginning of a sentence.
        remedy: What to write instead, up to the list of the columns.

    Raises:
        InputError: The query cannot be read, or is no condition.
    """
    try:
        found = np.asarray(frame.eval(query))
    except Exception as error:
        raise InputError(
            f"{subject} {query!r} could not be read ({error}); {remedy} "
            f"{', '.join(map(str, frame.columns))}."
        ) from None
    if found.dtype != bool or found.shape != (len(frame),):
        raise InputError(f'{subject} {query!r} is no condition; write it like "N > 1e10".')
    return found


def numbers(
    values: Any, key: str, rows: Sequence[Any], label: str, columns: Sequence[str]
) -> np.ndarray:
    """Values as floating numbers, one or several per row.

    Args:
        values: (n,) or (n, k).
        key: Their name.
        rows: (n,) labels of the rows.
        label: The table's name.
        columns: The columns that they come from; none where there is no table.

    Raises:
        InputError: A value is text, missing, or infinite; its column and row are named.
    """
    raw = np.atleast_1d(np.asarray(values))

    def wrong(flat: int, what: str, remedy: str) -> InputError:
        each = raw.size // len(raw)
        mine = [columns[flat % each]] if len(columns) == each else columns
        row = rows[flat // each] if flat // each < len(rows) else flat // each
        return InputError(f"{label}: {called(key, mine)} {what} in row {row}; {remedy}.")

    if raw.dtype.kind in "OUSb":
        flat = pd.Series(np.ravel(raw))
        found = pd.to_numeric(flat, errors="coerce")
        text = found.isna() & flat.notna()
        if raw.dtype.kind == "b" or text.any():
            i = int(np.argmax(text.to_numpy()))
            raise wrong(i, f"holds {flat[i]!r}", "expected a number")
        raw = found.to_numpy(float).reshape(raw.shape)
    raw = raw.astype(float)
    bad = np.ravel(~np.isfinite(raw))
    if bad.any():
        i = int(np.argmax(bad))
        value = np.ravel(raw)[i]
        what = "is missing (NaN)" if np.isnan(value) else f"is {value}"
        raise wrong(i, what, "fill it in or drop the row")
    return raw
