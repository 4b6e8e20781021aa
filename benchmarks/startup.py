"""What a user waits for: importing, the command line's first answer and its repeated one.

The first process of imports is thrown away, since it writes bytecode.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.peers import environment
from benchmarks.record import Goal, Section

LIMIT = 0.3  # seconds: what the whole catalogue may take beyond jax
PROCESSES = 5
OURS = "jaxlaws"
COMMAND = (
    "fit chinchilla chinchilla_epoch --bootstrap {draws} --predict N=70e9,D=1.4e12 "
    "--frontier 5.76e23"
)


def imports() -> dict[str, float]:
    """Package -> seconds that its modules take themselves once jax is there, in a fresh process."""
    command = [sys.executable, "-X", "importtime", "-c", f"import jax, jax.numpy, {OURS}"]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env=environment(ours=True)
    )
    lines = [line.split(":", 1)[1] for line in done.stderr.splitlines() if "|" in line]
    rows = [(name.strip(), own) for own, _, name in (line.split("|") for line in lines)]
    first = [name for name, _ in rows].index("jax") + 1
    packages: dict[str, float] = {}
    for name, own in rows[first:]:
        package = name.split(".")[0]
        packages[package] = packages.get(package, 0.0) + float(own) / 1e6
    return packages


def answer(draws: int, home: Path) -> float:
    """Seconds of the command in a process of its own, with compiled code kept under a folder."""
    words = [sys.executable, "-m", "jaxlaws", *COMMAND.format(draws=draws).split()]
    begin = time.perf_counter()
    subprocess.run(
        words,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment(ours=True) | {"XDG_CACHE_HOME": str(home), "HOME": str(home)},
        cwd=home,
    )
    return time.perf_counter() - begin


def measure(smoke: bool = False) -> Section:
    """The table of waiting."""
    processes, draws = (1, 20) if smoke else (PROCESSES, 4000)
    imports()
    seen = [imports() for _ in range(processes)]
    middle = {k: statistics.median(p.get(k, 0.0) for p in seen) for k in seen[0]}
    first, repeated = [], []
    for _ in range(1 if smoke else 3):
        with tempfile.TemporaryDirectory() as folder:
            first.append(answer(draws, Path(folder)))
            repeated += [answer(draws, Path(folder)) for _ in range(1 if smoke else 2)]
    largest = sorted(middle, key=lambda name: -middle[name])[:4]
    shown = [OURS, *(name for name in largest if name != OURS)]
    rows = [{"what": f"import of {name} beyond jax", "median, s": middle[name]} for name in shown]
    rows += [
        {"what": "import of all beyond jax", "median, s": sum(middle.values())},
        {
            "what": "first answer, nothing compiled",
            "median, s": statistics.median(first),
            "fastest, s": min(first),
        },
        {
            "what": "repeated answer, compiled code kept",
            "median, s": statistics.median(repeated),
            "fastest, s": min(repeated),
        },
    ]
    goals = [
        Goal(
            f"{OURS} itself imports in at most {LIMIT:g} s",
            f"{middle[OURS]:.3f} s",
            middle[OURS] <= LIMIT,
        )
    ]
    return Section(title="Starting", text=TEXT, rows=rows, goals=goals)


TEXT = f"""\
Imports: medians of {PROCESSES} fresh processes, own time of each package's modules after jax and
jax.numpy. The command is `jaxlaws {COMMAND.format(draws=4000)}`, the whole process: first with an
empty folder of compiled code, then again with what that left."""
