"""The command `study`: run one, look at one, or say what one would cost."""

import argparse
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jaxlaws._cli._terminal import Report, Table, number
from jaxlaws._cli._toml import read_study
from jaxlaws._errors import InputError
from jaxlaws._io import records
from jaxlaws._study import Folder, Settings, State, Study, Tell, cost, run, summaries

SHOWN = 20  # cells that --dry-run prints
EVERY = 30.0  # seconds between lines of progress where there is no terminal


def study(args: argparse.Namespace) -> Report:
    """`jaxlaws study FILE.toml` or `jaxlaws study status DIR`.

    Raises:
        InputError: The file or the folder cannot be used.
    """
    if args.words[0] == "status":
        if len(args.words) != 2:
            raise InputError("Name one folder: `jaxlaws study status DIR`.")
        return _status(Path(args.words[1]))
    if len(args.words) != 1:
        raise InputError("Name one file: `jaxlaws study FILE.toml`.")
    first = _join(args.processes)
    path = Path(args.words[0])
    settings = read_study(path)
    out = args.out or path.with_suffix("")
    if args.dry_run:
        return _plan(settings, out)
    with _progress(quiet=not first) as tell:
        found = run(settings, out, force=args.force, ray=args.ray, progress=tell)
    return _finished(found) if first else Report()


def _join(processes: str | None) -> bool:
    """Join the processes that share the study; whether this one speaks for all."""
    if processes is None:
        return True
    import jax

    if processes == "auto":
        jax.distributed.initialize()
    else:
        parts = processes.split(",")
        if len(parts) != 3 or not (parts[1].isdigit() and parts[2].isdigit()):
            raise InputError(
                f"--processes is auto (Slurm, MPI, TPU) or HOST:PORT,COUNT,RANK; got {processes!r}."
            )
        jax.distributed.initialize(parts[0], int(parts[1]), int(parts[2]))
    return jax.process_index() == 0


def _plan(settings: Settings, out: Path) -> Report:
    report = Report()
    expected = cost(settings)
    cells = settings.cells()
    rows = [[str(i), *settings.names(cell).values()] for i, cell in enumerate(cells[:SHOWN])]
    report.say(Table(["cell", *settings.labels], rows))
    report.say(*([f"... and {len(cells) - SHOWN} more"] if len(cells) > SHOWN else []), "")
    lists = ", ".join(f"{len(v)} {k}" for k, v in settings.labels.items())
    report.say(
        f"{len(cells)} cells ({lists}) in {expected['blocks']} blocks; {expected['refits']} refits "
        f"of {settings.draws} resamples a cell, {expected['programs']} compiled programs",
        f"about {_duration(expected['seconds'])} on two cores, compilation included; to {out}",
    )
    report.data |= {"cells": [settings.names(cell) for cell in cells], "cost": expected}
    return report


def _status(path: Path) -> Report:
    folder, report = Folder(path), Report()
    manifest = folder.manifest()
    if manifest is None:
        raise InputError(f"{path} holds no study with a readable manifest.json.")
    done, damaged = folder.done(), folder.damaged()
    bad = {file for file, _ in damaged}
    whole = {block for block, file in done.items() if file not in bad}
    finished = sum(cell["block"] in whole for cell in manifest["cells"])
    at_work = folder.in_use()
    report.say(
        f"{path}: {finished} of {len(manifest['cells'])} cells done; "
        + ("a process works here now" if at_work else "no process works here")
    )
    report.say(*(f"damaged: {file} {what}" for file, what in damaged))
    report.trusted = not damaged
    report.data |= {
        "done": finished,
        "cells": len(manifest["cells"]),
        "in_use": at_work,
        "damaged": [str(file) for file, _ in damaged],
    }
    if whole and not damaged:
        table = folder.read("fit")
        found = summaries(table, manifest["settings"]["prob"])
        _say_tables(report, {k: found[k] for k in ("cells", "failures")})
    return report


def _finished(found: Study) -> Report:
    report = Report()
    report.say(*(f"note: {line}" for line in found.said))
    table = found.frame()
    tables = summaries(table, found.prob)
    if len(tables.get("parameters", ())) > SHOWN:
        tables.pop("parameters")  # they stand in the report
    _say_tables(report, tables)
    fits = table[table["question"] == "fit"]
    report.trusted = bool((fits["status"] == "ok").any())
    report.say("", f"{len(fits)} cells in {found.folder}; the report is {found.folder}/report.md")
    report.data |= {"folder": str(found.folder), "cells": len(fits), "said": list(found.said)}
    return report


def _say_tables(report: Report, tables: dict[str, Any]) -> None:
    for name, frame in tables.items():
        if not len(frame):
            continue
        cells = [
            [value if isinstance(value, str) else number(float(value)) for value in row]
            for row in frame.itertuples(index=False)
        ]
        report.say("", Table([str(c) for c in frame.columns], cells, name.capitalize()))
        report.data[name] = records(frame)


@contextmanager
def _progress(quiet: bool) -> Iterator[Tell | None]:
    """A live line on a terminal: cells, rate, failures, time left; elsewhere a line at times."""
    if quiet:
        yield None
        return
    began = time.monotonic()
    start: list[float] = []
    last = [began]

    def rate(state: State) -> tuple[float, float]:
        if not start:
            start.append(state.done)
        speed = (state.done - start[0]) / max(time.monotonic() - began, 1e-9)
        return speed, (state.total - state.done) / speed if speed else float("inf")

    if not sys.stderr.isatty():

        def line(state: State) -> None:
            speed, left = rate(state)
            if time.monotonic() - last[0] > EVERY:
                last[0] = time.monotonic()
                print(
                    f"{state.done:.0f} of {state.total} cells, {speed:.3g} a second, "
                    f"{state.failed} failed, {_duration(left)} left",
                    file=sys.stderr,
                    flush=True,
                )

        yield line
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.completed:.0f} of {task.total} cells"),
        BarColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("compiling", total=None)

        def show(state: State) -> None:
            speed, left = rate(state)
            said = f"{speed:.3g} a second, {state.failed} failed, {_duration(left)} left"
            bar.update(task, completed=state.done, total=state.total, description=said)

        yield show


def _duration(seconds: float) -> str:
    """Seconds for a reader.

    >>> _duration(42), _duration(4000), _duration(float("inf"))
    ('42 s', '1.1 h', 'unknown time')
    """
    if seconds == float("inf"):
        return "unknown time"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"
