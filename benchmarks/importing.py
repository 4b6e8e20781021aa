"""Seconds that importing jaxlaws takes beyond jax, and where they go.

    python -m benchmarks.importing

The first process is thrown away, since it writes bytecode; of five more, medians.
"""

import os
import statistics
import subprocess
import sys

LIMIT = 0.3  # seconds: what the whole catalogue may take beyond jax
PROCESSES = 5
OURS = "jaxlaws"


def measured() -> dict[str, float]:
    """Package -> seconds that its modules take themselves once jax is there, in a fresh process."""
    command = [sys.executable, "-X", "importtime", "-c", f"import jax, jax.numpy, {OURS}"]
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    lines = [line.split(":", 1)[1] for line in done.stderr.splitlines() if "|" in line]
    rows = [(name.strip(), own) for own, _, name in (line.split("|") for line in lines)]
    first = [name for name, _ in rows].index("jax") + 1
    packages: dict[str, float] = {}
    for name, own in rows[first:]:
        package = name.split(".")[0]
        packages[package] = packages.get(package, 0.0) + float(own) / 1e6
    return packages


def main() -> None:
    """Print seconds per package; exit 1 where our own modules are above the limit."""
    measured()
    processes = [measured() for _ in range(PROCESSES)]
    middle = {k: statistics.median(p.get(k, 0.0) for p in processes) for k in processes[0]}
    for name in sorted(middle, key=lambda k: -middle[k])[:5]:
        print(f"{middle[name]:6.3f} s  {name}")
    print(f"{sum(middle.values()):6.3f} s  all that is imported beyond jax")
    print(f"{middle[OURS]:6.3f} s  {OURS}, the whole catalogue included (limit {LIMIT:g} s)")
    raise SystemExit(int(middle[OURS] > LIMIT))


if __name__ == "__main__":
    main()
