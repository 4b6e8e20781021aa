"""The command line of the study; `python -m benchmarks.tinylm --help` lists its parts."""

import argparse
from pathlib import Path

from benchmarks.tinylm import corpus
from benchmarks.tinylm.design import fitted
from benchmarks.tinylm.pilot import pilot
from benchmarks.tinylm.queue import work


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tinylm", description=__doc__)
    parser.add_argument("part", choices=["corpus", "pilot", "run"])
    parser.add_argument("folder", type=Path)
    given = parser.parse_args()
    if given.part == "corpus":
        corpus.build(given.folder / "corpus")
    elif given.part == "pilot":
        work(pilot(), corpus.load(given.folder / "corpus"), given.folder)
    elif given.part == "run":
        work(fitted(), corpus.load(given.folder / "corpus"), given.folder)


if __name__ == "__main__":
    main()
