"""The tables: what the runs gave, as the package ships it."""

import gzip
import hashlib
import re
from pathlib import Path
from typing import Any

import pandas as pd

import jaxlaws as jl
from benchmarks.tinylm.design import BUDGETS
from benchmarks.tinylm.model import CONTEXT
from benchmarks.tinylm.queue import results
from benchmarks.tinylm.schedule import rates

DATASETS = Path(__file__).parents[2] / "jaxlaws" / "datasets"
TABLES, INFO = DATASETS / "tables", DATASETS / "info" / "tinylm.toml"


def runs(folder: Path) -> pd.DataFrame:
    """Return a row per run but the pilot's: what was asked for, then counts, then losses."""
    rows = [_row(row) for row in results(folder) if row["purpose"] != "pilot"]
    frame = pd.DataFrame(rows)
    return frame.sort_values(["purpose", "flops", "run"], kind="stable").reset_index(drop=True)


def _row(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "run": row["name"],
        "purpose": row["purpose"],
        **row["shape"],
        "params": row["params"],
        "tokens": row["tokens"],
        "unique_tokens": row["unique_tokens"],
        "budget": _budget(row),
        "compute": 6 * row["params"] * row["tokens"],
        "flops": int(row["flops"]),
        "batch": row["batch"] * CONTEXT,
        "steps": row["steps"],
        "learning_rate": _short(row["rate"]),
        "schedule": row["schedule"],
        "seed": row["seed"],
        "loss": round(row["loss"], 6),
        "loss_se": round(row["loss_se"], 6),
        "train_loss": round(row["train_loss"], 6),
    }


def _budget(row: dict[str, Any]) -> float:
    """Return the budget of the profile that a run belongs to, NaN for none."""
    if row["purpose"] not in ("surface", "seeds"):
        return float("nan")
    return float(f"{BUDGETS[int(row['name'].split('-')[1])]:.4g}")


def curves(folder: Path) -> pd.DataFrame:
    """Return the losses along the runs that kept them, over the first GLANCE validation blocks."""
    return pd.DataFrame(
        {
            "run": row["name"],
            "schedule": row["schedule"],
            "params": row["params"],
            "step": step,
            "tokens": step * row["batch"] * CONTEXT,
            "learning_rate": _short(rates(row["schedule"], row["rate"], row["steps"])[step - 1]),
            "loss": round(loss, 6),
        }
        for row in results(folder)
        for step, loss in row["curve"]
    )


def write(folder: Path) -> None:
    """Write the tables and what the info file says of them: rows, checksum and our own fit."""
    text = INFO.read_text(encoding="utf-8")
    for name, frame in (("runs", runs(folder)), ("curves", curves(folder))):
        path = TABLES / f"tinylm_{name}.csv.gz"
        # Without a name and a time in its head the file depends on its content alone.
        path.write_bytes(gzip.compress(frame.to_csv(index=False).encode(), mtime=0))
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        text = re.sub(
            rf'(file = "{path.name}"\n)sha256 = ".*"\nrows = \d+',
            rf'\g<1>sha256 = "{digest}"\nrows = {len(frame)}',
            text,
        )
    INFO.write_text(text, encoding="utf-8")
    fit = jl.fit(jl.laws.chinchilla, jl.datasets.runs("tinylm"))
    params = ", ".join(f"{name} = {float(value):.8g}" for name, value in fit.params.items())
    published = f'law = "chinchilla"\nvalue = {fit.value:.10g}\nparams = {{ {params} }}\n'
    INFO.write_text(
        re.sub(r'law = "chinchilla"\nvalue = .*\nparams = .*\n', published, text),
        encoding="utf-8",
    )
    print(fit)


def _short(value: float) -> float:
    return float(f"{value:.6g}")
