"""What a run of the benchmarks leaves: tables with goals, and the machine they were measured on."""

import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

ROOT = Path(__file__).resolve().parent.parent
HISTORY = ROOT / "benchmarks" / "history"
PACKAGES = ("jax", "jaxlib", "numpy", "scipy", "optimistix", "numpyro")


@dataclass(frozen=True)
class Goal:
    """What was asked of a table, what it shows, and whether that is enough."""

    asked: str
    got: str
    met: bool


@dataclass(frozen=True)
class Section:
    """One table of the benchmarks.

    Attributes:
        title: Its heading.
        text: How it was measured, in words.
        rows: Its rows, column -> cell.
        goals: What was asked.
    """

    title: str
    text: str
    rows: Sequence[Mapping[str, Any]]
    goals: Sequence[Goal] = ()

    def frame(self) -> pd.DataFrame:
        """Its rows as a table."""
        return pd.DataFrame(list(self.rows))


def machine() -> dict[str, Any]:
    """The kind of machine, without its name or paths."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    fields = {key.strip(): value.strip() for key, value in fields.items()}
    flags = fields.get("flags", "").split()
    return dict(
        processor=fields.get("model name", platform.machine()),
        family=f"{fields.get('cpu family', '?')}/{fields.get('model', '?')}",
        vectors="AVX-512" if "avx512f" in flags else "AVX2" if "avx2" in flags else "",
        cores=len(os.sched_getaffinity(0)),
        memory_GiB=round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1),
        system=platform.system(),
    )


def revision() -> str:
    """The commit that was measured, with a plus where files differ from it."""
    try:
        words = ["git", "describe", "--always", "--abbrev=10", "--dirty=+"]
        return subprocess.run(
            words, cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def recorded(name: str, section: Section) -> dict[str, Any]:
    """One section as it is kept: with date, machine, versions and command."""
    return dict(
        name=name,
        date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S"),
        command=f"python -m benchmarks {name}",
        revision=revision(),
        machine=machine(),
        versions={"python": platform.python_version()} | {k: version(k) for k in PACKAGES},
        **asdict(section),
    )


def keep(records: Sequence[Mapping[str, Any]], folder: Path = HISTORY) -> Path:
    """Write the sections of one run into a file of the history, named by the date of the first."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{records[0]['date'].replace(' ', 'T').replace(':', '')}.json"
    path.write_text(json.dumps(list(records), indent=1, default=float) + "\n")
    return path


def newest(folder: Path = HISTORY) -> dict[str, dict[str, Any]]:
    """Section name -> its newest record in the history."""
    files = sorted(folder.glob("*.json"))
    return {one["name"]: one for file in files for one in json.loads(file.read_text())}
