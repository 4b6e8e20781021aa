"""Time and peak memory of the bootstrap of Epoch's 240 points against the number of resamples.

    python -m benchmarks.growth 1000 10000 100000 1000000

Each count runs in a process of its own, so that its peak memory is its own.
"""

import argparse
import resource
import subprocess
import sys
import time

import numpy as np

import jaxlaws as jl


def one(draws: int) -> None:
    """Bootstrap once after a warm-up; print draws, seconds, peak GiB and standard errors."""
    fit = jl.fit(jl.laws.chinchilla, jl.datasets.runs("chinchilla_epoch"))
    jl.bootstrap(fit, draws=min(draws, 1000))  # compiles
    began = time.perf_counter()
    boot = jl.bootstrap(fit, draws=draws)
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    se = boot.frame()["se"]
    print(draws, f"{seconds:.3f}", f"{peak:.3f}", f"{boot.failed:.2e}", *(f"{v:.5g}" for v in se))


def main() -> None:
    """Run every count in its own process and print the growth exponent of time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("draws", type=int, nargs="*", default=[1000, 10_000, 100_000, 1_000_000])
    parser.add_argument("--one", action="store_true", help="this process does the only count")
    options = parser.parse_args()
    if options.one:
        one(options.draws[0])
        return
    print("draws seconds peak_GiB failed se(E) se(A) se(B) se(alpha) se(beta)")
    rows = []
    for draws in options.draws:
        command = [sys.executable, "-m", "benchmarks.growth", "--one", str(draws)]
        line = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
        print(line, flush=True)
        rows.append([float(word) for word in line.split()[:2]])
    if len(rows) > 1:
        count, seconds = np.log(np.array(rows)).T
        print(f"time grows as draws^{np.polyfit(count, seconds, 1)[0]:.3f}")


if __name__ == "__main__":
    main()
