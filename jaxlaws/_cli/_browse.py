"""Commands that look things up: list, show, data."""

import argparse
import inspect
from typing import Any

import numpy as np

from jaxlaws import datasets, laws
from jaxlaws._cli._choices import law_of
from jaxlaws._cli._terminal import Report, Table
from jaxlaws._errors import InputError
from jaxlaws._law import Law


def list_(args: argparse.Namespace) -> Report:
    """`jaxlaws list`."""
    every = _catalogue()
    rows = [
        row
        for row in every
        if (not args.inputs or (row["inputs"] and set(row["inputs"]) <= set(args.inputs)))
        and args.subject in (None, row["subject"])
    ]
    if not rows:
        subjects = sorted({row["subject"] for row in every})
        inputs = sorted({name for row in every for name in row["inputs"]})
        raise InputError(
            f"The catalogue has no such law; its subjects are {', '.join(subjects)}, and its "
            f"inputs {', '.join(inputs)}."
        )
    cells = [(r["law"], r["subject"], " ".join(r["inputs"]), r["about"]) for r in rows]
    report = Report([Table(("law", "subject", "inputs", "about"), cells)])
    report.say(
        "",
        "`jaxlaws show LAW` has the formula, parameters, units and published constants; of a "
        "family it shows the member that is named, as in bnsl(2).",
    )
    report.data = {"laws": rows}
    return report


def _catalogue() -> list[dict[str, Any]]:
    """Every law by subject, then the families, of which a size makes a law."""
    rows: dict[str, dict[str, Any]] = {}
    for module in laws.MODULES:
        for value in vars(module).values():
            if isinstance(value, Law):  # a module may use the law of another, which comes first
                rows.setdefault(value.name, _row(value.name, module.__name__, value))
    for name, family in laws.FAMILIES.items():
        takes = inspect.signature(family).parameters
        needed = ["1" for p in takes.values() if p.default is p.empty]
        try:
            member = laws.find(f"{name}({', '.join(needed)})")
        except InputError:  # it needs more than numbers
            member = None
        about = (family.__doc__ or "").strip().split("\n")[0]
        shown = f"{name}({', '.join(takes)})"
        rows[shown] = _row(shown, family.__module__, member, about)
    return list(rows.values())


def _row(name: str, module: str, law: Law | None, about: str = "") -> dict[str, Any]:
    return dict(
        law=name,
        subject=module.rpartition(".")[2],
        inputs=list(law.inputs) if law else [],
        parameters=list(law.params) if law else [],
        target=law.target.name if law else "",
        about=about or (law.summary if law else ""),
    )


def show(args: argparse.Namespace) -> Report:
    """`jaxlaws show`."""
    law = law_of(args.law)
    target = law.target
    report = Report([f"{law.name}: {law.summary}", "", f"  {law.formula}", ""])
    body = law.doc.partition(">>>")[0].split("$$")[-1].strip()
    report.say(*([body, ""] if body else []))
    rows = [
        ("input", name, v.unit, str(v.support), _range(v.typical)) for name, v in law.inputs.items()
    ]
    rows += [
        ("parameter", name, p.unit, str(p.support), _range(p.typical))
        for name, p in law.params.items()
    ]
    rows.append(("predicts", target.name, target.unit, str(target.support), _range(target.typical)))
    report.say(Table(("", "name", "unit", "support", "typical"), rows), "")
    for key, constants in law.constants.items():
        values = ", ".join(f"{k} {_value(v)}" for k, v in constants.values.items())
        report.say(f"{key} ({constants.confidence}): {values}")
        report.say(*([f"  {constants.note}"] if constants.note else []))
    report.say(f"residuals in {target.space} space; source: {law.source or 'none given'}")
    report.data = {
        "law": law.name,
        "summary": law.summary,
        "formula": law.formula,
        "source": law.source,
        "inputs": {k: _about(v) for k, v in law.inputs.items()},
        "parameters": {k: _about(p) for k, p in law.params.items()},
        "target": {"name": target.name, "space": target.space, **_about(target)},
        "constants": {
            key: {
                "values": {k: np.asarray(v).tolist() for k, v in c.values.items()},
                "confidence": c.confidence,
                "note": c.note,
            }
            for key, c in law.constants.items()
        },
    }
    return report


def _about(quantity: Any) -> dict[str, Any]:
    typical = list(quantity.typical) if quantity.typical else None
    return {"unit": quantity.unit, "support": str(quantity.support), "typical": typical}


def _range(typical: tuple[float, float] | None) -> str:
    return f"{typical[0]:g} to {typical[1]:g}" if typical else ""


def _value(value: Any) -> str:
    flat = [f"{v:.6g}" for v in np.ravel(np.asarray(value, float))]
    return flat[0] if np.ndim(value) == 0 else f"[{', '.join(flat)}]"


def data(args: argparse.Namespace) -> Report:
    """`jaxlaws data`."""
    if args.name:
        record = datasets.info(args.name)
        facts = {k: getattr(record, k) for k in ("name", "title", "kind", "paper", "arxiv")}
        facts |= {"licence": record.licence, "source": record.origin, "note": record.note}
        tables = {
            name: {
                "rows": table.rows,
                "fit": str(table.roles or ""),
                "columns": {c: [about.unit, about.meaning] for c, about in table.columns.items()},
            }
            for name, table in record.tables.items()
        }
        return Report([repr(record)], {**facts, "tables": tables})
    rows = []
    for name in datasets.names():
        record = datasets.info(name)
        where = "in the package" if record.embedded else "downloaded on first use"
        if not record.embedded and not record.downloadable:
            where = "JAXLAWS_DATA"
        size = sum(table.rows for table in record.tables.values())
        about = {"name": name, "kind": record.kind, "rows": size, "from": where}
        rows.append({**about, "title": record.title})
    cells = [[str(value) for value in row.values()] for row in rows]
    report = Report([Table(("data set", "kind", "rows", "from", "title"), cells), ""])
    report.say("`jaxlaws data NAME` has its source, licence, columns and known errors.")
    report.data = {"data": rows}
    return report
