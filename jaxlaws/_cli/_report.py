"""From results to what is printed and written."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from jaxlaws import datasets
from jaxlaws._archive import check_folder
from jaxlaws._backtest import Backtest
from jaxlaws._cli._table import Source
from jaxlaws._cli._terminal import Report, Table, number, span
from jaxlaws._draws import Draws
from jaxlaws._errors import InputError
from jaxlaws._fit import Fit
from jaxlaws._frontier import Frontier
from jaxlaws._io import records, to_json
from jaxlaws._law import Law
from jaxlaws._predict import predict
from jaxlaws._prior_table import prior_table

KINDS = {
    "simulated": "SIMULATED runs, not measurements",
    "digitised": "runs read off a published figure",
    "measured": "measured runs",
}


def draws_of(result: Fit | Draws) -> Draws:
    """Draws, or a fit alone as its single draw, of which no interval is given."""
    if isinstance(result, Draws):
        return result
    one = {name: np.asarray(value)[None] for name, value in result.params.items()}
    return Draws(
        law=result.law,
        params=one,
        point=result.params,
        status=np.zeros(1, int),
        origin="a fit without draws",
        space=result.space,
        noise=np.zeros(1),
        fit=result,
    )


def table(report: Report, source: Source, laws: str) -> None:
    """What was fitted to what, and from which columns."""
    runs = source.runs
    columns = {k: v if isinstance(v, str) else ", ".join(v) for k, v in source.columns.items()}
    kind = kind_of(runs.name)
    report.say(f"{laws} on {runs.name}: {len(runs)} {kind or 'runs'}")
    report.say("  " + ", ".join(k if k == v else f"{k} = {v}" for k, v in columns.items()))
    report.say(*([f"  rows where {source.where}"] if source.where else []))
    report.data["table"] = {
        "name": runs.name,
        "kind": kind or "unknown",
        "runs": len(runs),
        "columns": columns,
        "where": source.where,
    }


def file(report: Report, path: Path, result: Fit | Draws) -> None:
    """What a result file holds."""
    known = draws_of(result)
    report.data["file"] = str(path)
    if known.fit is None:
        report.say(f"{known.law.name}: {known.origin}")
        return
    runs = known.fit.runs
    kind = kind_of(runs.name)
    report.data["table"] = {"name": runs.name, "kind": kind or "unknown", "runs": len(runs)}
    report.say(f"{known.law.name} on {runs.name}: {len(runs)} {kind or 'runs'}; {known.origin}")


def kind_of(name: str) -> str:
    """What sort of runs a table holds, in words; empty where nobody knows."""
    return KINDS[datasets.info(name).kind] if name in datasets.names() else ""


def fit(report: Report, result: Fit | Draws, prob: float) -> None:
    """Estimates, intervals, and what a reader must know."""
    found = result if isinstance(result, Fit) else result.fit
    assert found is not None  # a bootstrap has its fit
    saved = to_json(result, prob)
    report.data["result"] = saved
    settings = ", ".join(f"{k} {v:g}" for k, v in saved["objective"].items() if k != "label")
    name = found.objective.label + (f"({settings})" if settings else "")
    report.say(
        f"  {name} on {found.space} {found.law.target.name}: {found.value:.10g}; {found.agreeing} "
        f"of {len(found.solution.value)} starts agree, {found.status}"
    )
    head = ["parameter", "estimate" if found.converged else "not converged"]
    withheld = saved.get("withheld", "")
    if isinstance(result, Draws):
        shown = "no intervals" if withheld else f"{100 * prob:g} % intervals"
        report.say(f"  {result.origin}: {result.tally}; {shown}")
        head += ["se", "low", "high"]
    loose = saved.get("loose", "")
    report.trusted &= found.converged and not withheld and not loose
    rows = [
        [row["parameter"], number(row["estimate"], digits=6)]
        + [number(row[k]) for k in head[2:]]
        + [row["unit"]]
        for row in saved["parameters"]
    ]
    report.say("", Table([*head, "unit"], rows), "")
    report.say(*(f"note: {note}" for note in found.notes()))
    report.say(*([f"note: no intervals, since {withheld}"] if withheld else []))
    more = [note for note in (loose, *saved.get("notes_on_draws", [])) if note and not withheld]
    report.say(*(f"note: {note}" for note in more))


def priors(
    report: Report, law: Law, own: Mapping[str, Any], input_error: Mapping[str, Any]
) -> None:
    """What a posterior assumes before it sees a run."""
    frame = prior_table(law, own, input_error)
    points = ["5 %", "50 %", "95 %"]
    rows = [
        [str(name), row["prior"], *("" if np.isnan(row[k]) else number(row[k]) for k in points)]
        for name, row in frame.iterrows()
    ]
    report.say("", Table(["parameter", "prior", *points], rows, "Priors"))
    report.data["priors"] = records(frame.reset_index())


def checks(report: Report, found: pd.DataFrame) -> None:
    """Whether runs like those at hand are what a posterior would have made."""
    rows = []
    for name, row in found.iterrows():
        ends = f"{number(row['low'])} to {number(row['high'])}"
        rows.append([str(name), number(row["observed"]), ends, f"{row['p']:.3f}"])
    head = ["residuals'", "measured", "90 % of new runs", "p"]
    report.say("", Table(head, rows, "Posterior predictive checks; a p near 0 or 1 is a misfit"))
    report.data["checks"] = records(found.reset_index())


def prediction(
    report: Report,
    known: Draws,
    at: Mapping[str, Any],
    prob: float,
    backtest: Backtest | None = None,
) -> Any:
    """Predicted values; and the same as plain values."""
    if reason := _useless(report, known, "prediction"):
        return {"withheld": reason, "rows": []}
    found = predict(known, backtest=backtest, **at)
    law, frame = known.law, found.frame(prob)
    report.trusted &= not found.withheld
    inputs = [k for k in found.points if not law.inputs[k].size]
    head = [f"{k} [{law.inputs[k].unit}]" for k in inputs]
    sure = len(known) > 1 and not found.withheld
    kinds = {"law": "the law", "run": "a new run", "backtest": "with backtest"}
    if backtest is None:
        kinds.pop("backtest")
    head += [f"{found.name} [{found.unit}]", *(kinds.values() if sure else []), "reach"]
    rows = []
    for row in frame.to_dict(orient="records"):
        cells = [number(row[k], law.inputs[k].unit) for k in inputs] + [number(row[found.name])]
        for kind in kinds if sure else ():
            cells.append(f"{number(row[f'{kind}_low'])} to {number(row[f'{kind}_high'])}")
        far = row["reach"]
        rows.append([*cells, "" if np.isnan(far) else f"{far:.3g}x" if far > 1 else "inside"])
    title = (
        f"Prediction, {100 * prob:g} % intervals of the law and of a new run"
        if sure
        else "Prediction"
    )
    report.say("", Table(head, rows, title))
    if backtest is not None:
        report.say(*(f"note: {line}" for line in found.includes if sure))
        report.say("", repr(backtest))
    _say_why(report, known, found.withheld)
    return to_json(found, prob)


def frontier(report: Report, known: Draws, found: Frontier, cost: str, prob: float) -> Any:
    """Best allocations; and the same as plain values."""
    if reason := _useless(report, known, "allocation"):
        return {"withheld": reason, "rows": []}
    frame = found.frame(prob)
    reasons = sorted({reason for reason in found.withheld if reason})
    report.trusted &= not reasons
    units = {**found.units, "tokens_per_parameter": ""}
    unit = "FLOP" if found.along == "C" else known.law.target.unit
    names = [name for name in found.estimate if name in units]
    head = [f"{name.replace('_', ' ')} [{units[name]}]".removesuffix(" []") for name in names]
    rows = []
    for row in frame.to_dict(orient="records"):
        ends = {k: (row[k], row[f"{k}_low"], row[f"{k}_high"]) for k in names}
        cells = [span(*ends[k], units[k], 4 if k == "L_opt" else 3) for k in names]
        rows.append([number(row[found.along]), *cells])
    what = "Best use of compute" if found.along == "C" else f"Cheapest way to {found.along}"
    sure = f", {100 * prob:g} % intervals" if len(known) > 1 and not all(found.withheld) else ""
    report.say("", Table([f"{found.along} [{unit}]", *head], rows, f"{what} (cost {cost}){sure}"))
    report.say(*_beyond(known, found))
    _say_why(report, known, "; ".join(reasons))
    return {"cost": cost, **to_json(found, prob)}


def _beyond(known: Draws, found: Frontier) -> list[str]:
    if known.fit is None or found.along != "C" or not {"N", "D"} <= set(known.law.inputs):
        return []
    runs = known.fit.runs
    largest = float(np.max(6 * runs.inputs["N"] * runs.inputs["D"] * (runs.weight > 0)))
    if found.at.max() <= largest:
        return []
    return [f"note: the largest run took 6ND = {largest:.2g} FLOP; beyond it the law extrapolates."]


def _useless(report: Report, known: Draws, what: str) -> str:
    """Why no answer may be given at all; empty where one may."""
    if known.fit is None or known.fit.converged:
        return ""
    report.trusted = False
    reason = f"the fit did not converge ({known.fit.status})"
    report.say("", f"note: no {what}, since {reason}")
    return reason


def _say_why(report: Report, known: Draws, withheld: str) -> None:
    """Why there are no intervals, once."""
    if withheld:
        line = f"note: no intervals, since {withheld}"
    elif len(known) == 1 and known.fit is not None:
        line = "note: no intervals, since there are no draws; fit with --bootstrap 4000, or with "
        line += "--posterior."
    else:
        return
    report.say(*([line] if line not in report.blocks else []))


def check_figure(path: Path | None) -> None:
    """Refuse a figure that cannot be drawn or written, before the work is done.

    Raises:
        InputError: matplotlib is not installed, or the place is no file.
    """
    if path is None:
        return
    if path.is_dir():
        raise InputError(f"{path} is a folder; name a file in it, e.g. {path / 'figure.png'}.")
    check_folder(path)
    from jaxlaws.plot._style import mpl

    mpl()


def written(report: Report, what: str, path: Path, made: bool) -> None:
    """That a file was written, and a folder made for it."""
    report.data.setdefault("files", {})[what] = str(path)
    report.say(f"wrote the {what} to {path}" + (" (in a new folder)" if made else ""))
