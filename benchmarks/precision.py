"""float32 beside float64: bootstraps of one table of simulated runs, for every law that has noise.

    python -m benchmarks.precision [LAW ...]

Runs are the law's design and constants with noise of `NOISE` in the space of the target; both
precisions draw the same resamples. Passed: standard errors within `SPREAD` and estimates within
`SHIFT` of a standard error for every parameter that float64 identifies, or float32 says itself
that it did not converge.
"""

import argparse
import warnings
from typing import Any

import jax
import numpy as np
import pandas as pd

import jaxlaws as jl
from benchmarks.designs import LAWS, constants_of, inputs_of, predicted

NOISE = 0.01
RUNS, DRAWS = 72, 256
SPREAD, SHIFT = 0.02, 0.1


def simulated(name: str) -> jl.Runs:
    """Runs of a law with noise: a factor where residuals are logs, else a share of the range."""
    inputs = inputs_of(name, RUNS)
    exact = predicted(name, next(iter(constants_of(name).values())), inputs)
    noise = NOISE * np.random.default_rng(0).standard_normal(RUNS)
    if LAWS[name].target.space == "log":
        return jl.Runs.from_arrays(exact * np.exp(noise), name=name, **inputs)
    inside = LAWS[name].target.support
    moved = np.clip(exact + noise * np.ptp(exact), inside.lower, inside.upper)
    return jl.Runs.from_arrays(moved, name=name, **inputs)


def compare(name: str) -> dict[str, Any]:
    """One row: how far float32's estimates and standard errors are from float64's."""
    runs, found = simulated(name), {}
    for precision in ("float64", "float32"):
        fit = jl.fit(LAWS[name], runs, objective=jl.Squared(), precision=precision)
        boot = jl.bootstrap(fit, draws=DRAWS, key=jax.random.key(0))
        found[precision] = (fit, boot, boot.frame())
    (wide, _, exact), (narrow, boot, rough) = found.values()
    shift = np.max(np.abs(rough["estimate"] - exact["estimate"]) / exact["se"])
    spread = np.max(np.abs(rough["se"] / exact["se"] - 1))
    refused = not narrow.converged or bool(boot.withheld())
    good = shift < SHIFT and spread < SPREAD
    return dict(
        law=name,
        outcome="agrees" if good else "refused" if refused else "DIFFERS",
        shift=shift,
        spread=spread,
        wide=wide.status,
        narrow=narrow.status,
        failed=boot.failed,
    )


def main() -> None:
    """Print the row of each law as it is done; exit 1 where one differs in silence."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("laws", nargs="*", help="names, or beginnings of names; all if none")
    jax.config.update("jax_enable_x64", True)
    warnings.simplefilter("ignore", jl.InputWarning)
    rows = []
    wanted = tuple(parser.parse_args().laws or [""])
    for name in (law for law in LAWS if law.startswith(wanted)):
        try:
            rows.append(compare(name))
        except jl.InputError as error:  # a refusal in one sentence
            rows.append(dict(law=name, outcome="refused", narrow=str(error)))
        jax.clear_caches()  # the code of all laws together is more than a process may map
        print(" ".join(f"{v:.3g}" if isinstance(v, float) else str(v) for v in rows[-1].values()))
    frame = pd.DataFrame(rows)
    print("\n" + frame.to_string(index=False, float_format="{:.3g}".format, na_rep=""))
    counts = frame.outcome.value_counts()
    print("\n" + ", ".join(f"{n} {outcome}" for outcome, n in counts.items()))
    raise SystemExit(int("DIFFERS" in counts))


if __name__ == "__main__":
    main()
