"""The command line of the study.

    python -m benchmarks.tinylm corpus FOLDER    fetch the text
    python -m benchmarks.tinylm pilot FOLDER     the runs that set the default rate and batch
    python -m benchmarks.tinylm run FOLDER       the runs that laws are fitted to
    python -m benchmarks.tinylm table FOLDER     what they gave, into the package
    python -m benchmarks.tinylm report           what the shipped table says
    python -m benchmarks.tinylm forecast         the largest runs, predicted; write once, commit
    python -m benchmarks.tinylm final FOLDER     the largest runs; only after the forecast

FOLDER holds all that is made. Start `run` as often as there are cores; stop it at any instant and
start it again, it goes on from its checkpoints. One thread each:
XLA_FLAGS="--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
"""

import argparse
import sys
from pathlib import Path

from benchmarks.tinylm import corpus, design, forecast, report, table
from benchmarks.tinylm.pilot import found, pilot
from benchmarks.tinylm.queue import work

RUNS = {"pilot": pilot, "run": design.fitted, "final": design.final}


def main() -> None:
    """Do one part of the study."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.tinylm",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parts = parser.add_subparsers(dest="part", required=True)
    for part in ("corpus", *RUNS, "table"):
        parts.add_parser(part).add_argument("folder", type=Path)
    for part in ("report", "forecast"):
        parts.add_parser(part)
    given = parser.parse_args()
    if given.part == "final" and not forecast.PLACE.exists():
        sys.exit(f"{forecast.PLACE} is not there: commit the forecast before its runs are trained")
    if given.part in RUNS:
        work(RUNS[given.part](), corpus.load(given.folder / "corpus"), given.folder)
        if given.part == "pilot" and (told := found(given.folder)):
            print(told)
    elif given.part == "corpus":
        corpus.build(given.folder / "corpus")
    elif given.part == "table":
        table.write(given.folder)
    elif given.part == "report":
        report.show()
    else:
        forecast.write()


if __name__ == "__main__":
    main()
