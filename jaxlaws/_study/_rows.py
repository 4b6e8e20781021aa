"""From the answer to a cell to the rows of the result table: one row per number."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from jaxlaws._draws import Draws
from jaxlaws._errors import InputError
from jaxlaws._fit import labelled
from jaxlaws._predict import predict
from jaxlaws._study._settings import Block, Settings
from jaxlaws._study._solve import Answer

POINTS = 64  # points predicted in one compiled call
ENTRIES = 2**22  # points x draws of such a call at most
OK, OPEN, LOST, FAILED = "ok", "no interval", "not converged", "failed"

TEXTS = "cell data law objective resample holdout question name at unit status note".split()
NUMBERS = "estimate se low high law_low law_high measured error".split()


def rows(settings: Settings, answer: Answer) -> list[dict[str, Any]]:
    """The rows of one cell; the first says how the fit ended."""
    about = {"cell": settings.identity(answer.cell)[:16], **settings.names(answer.cell)}
    draws = answer.draws
    if draws is None or draws.fit is None:
        lost = dict(question="fit", name="objective", status=FAILED, note=answer.reason)
        return [{**about, **lost}]
    fit = draws.fit
    frame = draws.frame(settings.prob)
    reason = frame.attrs["withheld"]
    status = LOST if not fit.converged else OPEN if reason else OK
    said = (*answer.notes, *fit.notes(), reason, frame.attrs["loose"], draws.restless())
    about |= {"status": status}
    note = " ".join(dict.fromkeys(filter(None, said)))
    first: dict[str, Any] = dict(question="fit", name="objective", estimate=fit.value, note=note)
    return [
        {**about, **row}
        for row in (
            first,
            *_parameters(draws, frame),
            *_predictions(draws, settings),
            *_held_out(draws, answer.held, settings.prob),
        )
    ]


def _parameters(draws: Draws, frame: pd.DataFrame) -> Iterator[dict[str, Any]]:
    values = {
        label: np.where(draws.good, column, np.nan)
        for name, value in draws.params.items()
        for label, column in zip(
            (label for label, _ in labelled(name, draws.point[name])),
            np.reshape(value, (len(draws), -1)).T,
            strict=True,
        )
    }
    for label, row in frame.iterrows():
        kept = {k: row[k] for k in ("unit", "estimate", "se", "low", "high")}
        all_draws = values[str(label)] if len(draws) > 1 else None
        yield dict(question="parameter", name=str(label), draws=all_draws, **kept)


def _predictions(draws: Draws, settings: Settings) -> Iterator[dict[str, Any]]:
    law = draws.law
    asked = [point for point in settings.points if set(law.inputs) <= set(point)]
    if not asked:
        return
    inputs = {name: np.array([point[name] for point in asked]) for name in law.inputs}
    found = _at(draws, inputs, settings.prob)
    for point, row in zip(asked, found, strict=True):
        yield dict(question="prediction", at=written(point), **row)


def _held_out(draws: Draws, held: np.ndarray, prob: float) -> Iterator[dict[str, Any]]:
    fit = draws.fit
    if fit is None or not held.any():
        return
    found = _at(draws, {name: values[held] for name, values in fit.runs.inputs.items()}, prob)
    for i, row in zip(np.flatnonzero(held), found, strict=True):
        measured = float(fit.runs.target[i])
        covered = None if np.isnan(row["low"]) else bool(row["low"] <= measured <= row["high"])
        yield dict(
            question="extrapolation",
            at=str(fit.runs.rows[i]),
            measured=measured,
            error=-float(fit.residual[i]),
            covered=covered,
            **row,
        )


def _at(draws: Draws, inputs: Mapping[str, np.ndarray], prob: float) -> list[dict[str, Any]]:
    """Predictions with the interval of a new run, in calls of one compiled shape."""
    total = len(next(iter(inputs.values())))
    size = max(1, min(POINTS, ENTRIES // len(draws)))
    out: list[dict[str, Any]] = []
    law = draws.law
    for begin in range(0, total, size):
        part = np.minimum(np.arange(begin, begin + size), total - 1)
        here: dict[str, Any] = {name: values[part] for name, values in inputs.items()}
        try:
            found = predict(draws, **here)
        except InputError as refusal:  # a point outside the law's support
            return [dict(name=law.target.name, note=str(refusal), low=np.nan, high=np.nan)] * total
        frame = found.frame(prob).iloc[: total - begin]
        for _, row in frame.iterrows():
            out.append(
                dict(
                    name=found.name,
                    unit=found.unit,
                    estimate=row[found.name],
                    low=row["run_low"],
                    high=row["run_high"],
                    law_low=row["law_low"],
                    law_high=row["law_high"],
                )
            )
    return out


def written(point: Mapping[str, float]) -> str:
    """A point as it is typed: N=7e+10, D=1.4e+12."""
    return ", ".join(f"{name}={value:g}" for name, value in point.items())


def schema() -> Any:
    """The columns of the result table, in the order of docs/studies.md."""
    import pyarrow as pa

    return pa.schema(
        [
            *((name, pa.string()) for name in TEXTS),
            *((name, pa.float64()) for name in NUMBERS),
            ("covered", pa.bool_()),
            ("draws", pa.list_(pa.float64())),
        ]
    )


def to_table(settings: Settings, block: Block, found: Sequence[Answer]) -> Any:
    """The answers of a block as an Arrow table that names its study."""
    import pyarrow as pa

    made = [row for answer in found for row in rows(settings, answer)]
    wanted = schema()
    columns = []
    for field in wanted:
        default = "" if field.name in TEXTS else None
        values = [row.get(field.name, default) for row in made]
        if field.name in NUMBERS:
            values = [None if v is None or np.isnan(v) else float(v) for v in values]
        columns.append(pa.array(values, field.type))
    about = {"study": settings.fingerprint, "block": str(block.index)}
    return pa.Table.from_arrays(columns, schema=wanted.with_metadata(about))
