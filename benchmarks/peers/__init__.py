"""What a researcher would use instead, each in an environment of its own, timed in turn with ours.

A contender is a script of this folder and the packages it is installed with. Every round starts
each of them once, in a fresh process without compiled code of earlier ones; the process answers
the same question a few times: its first answer is cold, the fastest of the others warm.
"""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers.common import Points, objective

HERE = Path(__file__).resolve().parent
LIMIT = 900  # seconds that one process may take
JAX = "jax==0.12.0.1"  # ours and the peers' own, so that the compiler is the same
OPTIMISTIX = ("optimistix==0.1.0", JAX)
SCIPY = ("scipy==1.18.1", "numpy==2.5.5")


@dataclass(frozen=True)
class Contender:
    """One row of a comparison.

    Attributes:
        name: What the table calls it.
        script: Its script in this folder.
        packages: What its environment is made of; none is this environment, with this repository.
        refits: How many refits are timed; where fewer than asked, the table scales the time.
        calls: Answers of each process; one alone is cold and warm at once.
        rounds: In how many rounds it takes part at most.
    """

    name: str
    script: str
    packages: tuple[str, ...] = ()
    refits: int = 4000
    calls: int = 3
    rounds: int = 99


@dataclass(frozen=True)
class Result:
    """What a contender did.

    Attributes:
        contender: Who.
        refits: How many refits were timed.
        warm: Seconds of each later answer, over all rounds.
        cold: Seconds from the start of the process to its first answer, imports included.
        q: (k, 5) refits of the last round.
        error: The last words of a contender that could not be installed or run.
    """

    contender: Contender
    refits: int
    warm: tuple[float, ...] = ()
    cold: tuple[float, ...] = ()
    q: np.ndarray | None = None
    error: str = ""

    def seconds(self, total: int) -> float:
        """Fastest warm time, scaled to `total` refits."""
        return min(self.warm) * total / self.refits

    def first(self, total: int) -> float:
        """Fastest cold time, the refits beyond those timed added at the warm rate."""
        return min(self.cold) + min(self.warm) * (total - self.refits) / self.refits


def contend(
    contenders: Sequence[Contender],
    points: Mapping[str, Points],
    *,
    rounds: int,
) -> dict[str, Result]:
    """Run every contender in turn, round by round.

    Args:
        contenders: Who takes part.
        points: Contender's name -> what it refits.
        rounds: How often each process is started.

    Returns:
        Contender's name -> its result.
    """
    results = {c.name: Result(c, min(c.refits, len(points[c.name].counts))) for c in contenders}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(rounds):
            for contender in contenders:
                known = results[contender.name]
                if number < contender.rounds and not known.error:
                    results[contender.name] = _round(known, points[contender.name], Path(folder))
    return results


def _round(known: Result, points: Points, folder: Path) -> Result:
    contender = known.contender
    try:
        python = _environment(contender.packages, folder)
        source, answer = folder / "points.npz", folder / "answer.npy"
        np.savez(source, **points._asdict())
        words = [source, answer, known.refits, contender.calls]
        begin = time.time()
        done = subprocess.run(
            [python, HERE / f"{contender.script}.py", *map(str, words)],
            capture_output=True,
            text=True,
            check=True,
            timeout=LIMIT,
            env=environment(ours=not contender.packages),
            cwd=folder,
        )
    except subprocess.TimeoutExpired:
        return Result(contender, known.refits, error=f"no answer within {LIMIT} s")
    except subprocess.CalledProcessError as error:
        words = (error.stderr or "").strip().splitlines() or [f"exit code {error.returncode}"]
        return Result(contender, known.refits, error=words[-1][:200])
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    first, *later = said["seconds"]
    return Result(
        contender,
        known.refits,
        warm=known.warm + tuple(later or [first]),
        cold=(*known.cold, said["ready"] - begin + first),
        q=np.load(answer),
    )


def environment(ours: bool) -> dict[str, str]:
    """Variables of a process: no compiled code is kept, and only ours sees this repository."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("JAX_", "XLA_", "PYTHON"))}
    if ours:
        kept |= {"PYTHONPATH": str(HERE.parent.parent)} | {
            k: v for k, v in os.environ.items() if k == "JAXLAWS_DATA"
        }
    return kept


def _environment(packages: tuple[str, ...], folder: Path) -> str:
    """The interpreter of an environment that holds the packages, made when first asked for."""
    if not packages:
        return sys.executable
    home = folder / hashlib.sha256(" ".join(packages).encode()).hexdigest()[:12]
    python = str(home / "bin" / "python")
    if not home.exists():
        tidy = dict(check=True, capture_output=True, text=True)
        subprocess.run(["uv", "venv", "--python", sys.executable, str(home)], **tidy)
        subprocess.run(["uv", "pip", "install", "--python", python, *packages], **tidy)
    return python


def small(contenders: Sequence[Contender], scripts: Sequence[str]) -> list[Contender]:
    """Of the contenders those of the given scripts, in this environment: nothing is installed."""
    return [replace(c, packages=()) for c in contenders if c.script in scripts]


def worth(result: Result, points: Points) -> np.ndarray:
    """(k,) objective that a contender reached on each of its refits; nan where it cannot tell."""
    if result.q is None:
        return np.full(result.refits, np.nan)
    part = points._replace(counts=points.counts[: len(result.q)])
    return objective(result.q, part)
