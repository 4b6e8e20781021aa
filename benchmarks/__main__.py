"""All benchmarks, or some: `python -m benchmarks [NAME ...]`.

Prints the table of every section as it is done, keeps the run as a file of benchmarks/history, and
writes docs/benchmarks.md with its figures from the newest record of each section.
"""

import argparse
import time
from collections.abc import Callable
from importlib import import_module

import jax

from benchmarks import page
from benchmarks.record import HISTORY, ROOT, Section, keep, newest, recorded

SECTIONS = {
    "speed": "4000 refits against every peer",
    "grid": "Hoffmann's grid of starts",
    "tables": "100 tables at once",
    "floor": "how far from what the machine could do",
    "growth": "time and memory against resamples, runs, parameters, starts",
    "lanes": "the solver's lanes, down to lock-step",
    "hardware": "float32, cores, devices",
    "posterior": "effective draws a second against plain NumPyro",
    "startup": "imports and the command line",
}


def measure(name: str) -> Callable[..., Section]:
    """The function that measures a section; its module is loaded when it is asked for."""
    return import_module(f"benchmarks.{name}").measure


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__.split("\n")[0],
        epilog="; ".join(f"{name}: {what}" for name, what in SECTIONS.items()),
    )
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(SECTIONS))
    parser.add_argument("--smoke", action="store_true", help="small sizes; nothing is written")
    parser.add_argument("--remark", default="", help="what else the machine did, for the record")
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.names if name not in SECTIONS]:
        parser.error(f"no benchmark {unknown[0]!r}; there are {', '.join(SECTIONS)}")
    jax.config.update("jax_enable_x64", True)
    records = []
    for name in options.names or SECTIONS:
        begin = time.perf_counter()
        section = measure(name)(smoke=options.smoke)
        records.append(recorded(name, section) | {"remark": options.remark})
        print(page.shown(records[-1]), f"({time.perf_counter() - begin:.0f} s)", "", sep="\n\n")
        if not options.smoke:
            keep(records)
    if not options.smoke:
        known = newest(HISTORY)
        page.write({name: known[name] for name in SECTIONS if name in known}, ROOT / "docs")


if __name__ == "__main__":
    main()
