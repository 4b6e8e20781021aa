"""Refit the published tables and compare with the published numbers.

`python -m benchmarks.refits [name ...] [--write]` runs the named refits (all of them without a
name), prints one table and, with `--write`, puts their rows into docs/refits.csv.
"""

import argparse
import os
import time
from pathlib import Path

import pandas as pd

from benchmarks.refits import curves
from benchmarks.refits.table import REFITS, TABLE, refit, stored, write

os.environ.setdefault("JAXLAWS_DATA", str(Path(__file__).resolve().parents[3] / "shared" / "data"))


def main() -> None:
    """Print the table; exit 1 if an objective is worse or a number misses without a reason."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(REFITS))
    parser.add_argument("--write", action="store_true", help=f"put the rows into {TABLE.name}")
    options = parser.parse_args()
    if unknown := [name for name in options.names if name not in REFITS]:
        parser.error(f"no refit {unknown[0]!r}; there are {', '.join(REFITS)}")
    bad = 0
    for name in options.names or REFITS:
        begin = time.perf_counter()
        rows = refit(name)
        if options.write:
            write(pd.concat([part for part in (stored(without=name), rows) if len(part)]))
            if name in curves.SCALE:
                curves.keep(name)
        with pd.option_context("display.max_colwidth", 70, "display.width", 240):
            print(rows.drop(columns=["refit", "dataset", "source"]).to_string(index=False))
        bad += int(rows["verdict"].str.contains("WORSE|NOT").sum())
        print(f"{name}: {len(rows)} rows in {time.perf_counter() - begin:.0f} s", flush=True)
    raise SystemExit(int(bad > 0))


if __name__ == "__main__":
    main()
