"""Evaluate every row of a table of golden values through the public API.

    python -m benchmarks.golden TABLE.csv

The table has the columns law_id, quantity, inputs, constants (JSON objects), expected, rtol. Every
row prints expected, got, the relative deviation and pass, FAIL or absent; none has its own code.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pandas as pd

from jaxlaws import laws

ABSOLUTE = 1e-9  # tolerance where the expected value is zero


def check(table: pd.DataFrame) -> pd.DataFrame:
    """One row per golden value: law_id, quantity, expected, got, deviation, outcome."""
    rows = []
    for row in table.itertuples():
        expected = float(row.expected)
        got, outcome = np.nan, "absent"
        known = row.quantity in laws.QUANTITIES.get(row.law_id, {}) or row.law_id in laws.CATALOGUE
        if known:
            try:
                got = _evaluate(row)
                error = abs(got - expected)
                limit = float(row.rtol) * abs(expected) if expected else ABSOLUTE
                outcome = "pass" if error <= limit else "FAIL"
            except Exception as error:  # a row that cannot be evaluated is a finding, not the end
                outcome = f"FAIL {type(error).__name__}: {error}"
        deviation = abs(got - expected) / abs(expected) if expected else abs(got - expected)
        rows.append((row.law_id, row.quantity, expected, got, deviation, outcome))
    names = ["law_id", "quantity", "expected", "got", "deviation", "outcome"]
    return pd.DataFrame(rows, columns=names)


def _evaluate(row: Any) -> float:
    values = {**json.loads(row.inputs), **json.loads(row.constants)}
    with jax.enable_x64(True):
        return float(np.asarray(laws.evaluate(row.law_id, row.quantity, values)))


def main() -> None:
    """Print every row and the count; exit 1 if any row fails or is absent."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", type=Path)
    parser.add_argument("--only", default="", help="print rows of law ids that contain this")
    parser.add_argument("--failures", action="store_true", help="print only rows that do not pass")
    options = parser.parse_args()
    table = pd.read_csv(options.table)
    found = check(table[table.law_id.str.contains(options.only)])
    shown = found[found.outcome != "pass"] if options.failures else found
    with pd.option_context("display.max_colwidth", 90, "display.width", 200):
        print(shown.to_string(index=False, float_format="{:.12g}".format))
    passed, absent = (found.outcome == "pass").sum(), (found.outcome == "absent").sum()
    print(f"{passed} pass, {len(found) - passed - absent} FAIL, {absent} absent, of {len(found)}")
    raise SystemExit(int(passed < len(found)))


if __name__ == "__main__":
    main()
