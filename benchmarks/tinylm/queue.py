"""The queue: runs in their order, each trained once, by as many processes as are started."""

import fcntl
import json
import os
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.tinylm.corpus import Corpus
from benchmarks.tinylm.train import Run, train


def work(runs: Iterable[Run], corpus: Corpus, folder: Path) -> None:
    """Train every run that has no result yet and that no other process holds.

    A result is written beside its place and moved there whole. The lock on a run goes with its
    process, however that ends; whoever takes the run next goes on from its checkpoint.
    """
    for part in ("results", "checkpoints", "locks"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for run in runs:
        place = folder / "results" / f"{run.name}.json"
        with (folder / "locks" / run.name).open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            if place.exists():
                _check(run, place)
                continue
            checkpoint = folder / "checkpoints" / f"{run.name}.npz"
            row = train(run, corpus, checkpoint)
            beside = place.with_suffix(".part")
            beside.write_text(json.dumps(row), encoding="utf-8")
            os.replace(beside, place)
            checkpoint.unlink(missing_ok=True)
            speed = row["flops"] / row["cpu_seconds"] / 1e9
            print(
                f"{run.name:40} {row['loss']:.4f} +- {row['loss_se']:.4f} "
                f"{row['seconds']:6.0f} s {row['cpu_seconds']:6.0f} s CPU {speed:5.1f} GFLOP/s",
                flush=True,
            )


def _check(run: Run, place: Path) -> None:
    """Stop where a result is of another run than the design now asks for."""
    found = json.loads(place.read_text())
    asked = json.loads(json.dumps(asdict(run)))
    if other := [key for key in asked if found[key] != asked[key]]:
        raise SystemExit(
            f"{place} is of another run than the design's {run.name}: {', '.join(other)} differ; "
            "move the file away and run again"
        )


def results(folder: Path) -> list[dict[str, Any]]:
    """Return all rows, by name."""
    return [json.loads(path.read_text()) for path in sorted((folder / "results").glob("*.json"))]
