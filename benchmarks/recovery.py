"""Planted constants and noiseless runs: does `fit` with default settings give them back?

    python -m benchmarks.recovery [LAW ...]

Recovered: the objective is zero beside that of the best constant (below `ZERO`) and every parameter
is within `CLOSE`. Where the Jacobian of the predictions has null directions the law itself, not the
runs, leaves parameters free; then predictions at other points take the parameters' place.
"""

import argparse
import time
import warnings
from collections import Counter
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

import jaxlaws as jl
from benchmarks.designs import LAWS, constants_of, inputs_of, predicted, table

ZERO = 1e-10  # residuals of about 1e-6 of the spread: rounding in logs of 1e12 leaves 1e-11
CLOSE = 1e-3  # a zero objective and a condition number of 1e5 leave this much
NULL = 1e-12  # singular values below this share of the largest are rounding
RUNS, OTHERS = 36, 216


def free_directions(law: jl.Law, constants: Any, inputs: Any) -> dict[str, int]:
    """Null directions of the predictions: the parameters they move -> how many do."""
    points = {k: jnp.asarray(v) for k, v in inputs.items()}
    slopes = jax.vmap(jax.grad(lambda p, x: law.scalar({**x, **p})), (None, 0))(constants, points)
    labels = [label for k, v in constants.items() for label in [k] * max(1, np.size(v))]
    columns = [
        (np.asarray(slopes[k]) * np.where(v == 0, 1.0, v)).reshape(len(slopes[k]), -1)
        for k, v in constants.items()
    ]
    _, size, directions = np.linalg.svd(np.concatenate(columns, axis=1), full_matrices=False)
    null = directions[size < NULL * size[0]]
    return Counter(
        " ".join(dict.fromkeys(k for k, v in zip(labels, row, strict=True) if abs(v) > 1e-6))
        for row in null
    )


def recover(name: str) -> dict[str, Any]:
    """One row: what was planted, what `fit` found, and what its solver says."""
    law, constants = LAWS[name], next(iter(constants_of(name).values()))
    free = free_directions(law, constants, inputs_of(name, OTHERS))
    began = time.perf_counter()
    fit = jl.fit(law, table(name, constants, RUNS))
    seconds = time.perf_counter() - began
    value = fit.value / float(fit.problem.shared.scale[0])
    found, constants = fit.params, law.canonical(constants)
    if free:
        found, constants = (
            {"law": predicted(name, p, inputs_of(name, OTHERS))} for p in (found, constants)
        )
    worst = max(
        float(np.max(np.abs(found[k] - v) / np.where(v == 0, 1.0, np.abs(v))))
        for k, v in constants.items()
    )
    return dict(
        law=name,
        parameters=fit.problem.layout.size,
        runs=len(fit.runs),
        recovered=value < ZERO and worst < CLOSE,
        objective=value,
        worst=worst,
        free="; ".join(f"{k} ({n})" for k, n in free.items()),
        seconds=seconds,
        starts=f"{fit.agreeing}/{len(fit.solution.value)}",
        status=fit.status,
        bounds="; ".join((*fit.at_bound, *(f"{k} dead" for k in fit.dead))),
    )


def main() -> None:
    """Print the row of each law as it is done, and the rate; exit 1 where one is not recovered."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("laws", nargs="*", help="names, or beginnings of names; all if none")
    jax.config.update("jax_enable_x64", True)
    warnings.simplefilter("ignore", jl.InputWarning)
    rows: list[dict[str, Any]] = []
    wanted = tuple(parser.parse_args().laws or [""])
    for name in (law for law in LAWS if law.startswith(wanted)):
        try:
            rows.append(recover(name))
        except jl.InputError as error:  # a law that cannot be fitted is a finding, not the end
            rows.append(dict(law=name, recovered=False, status=str(error)))
        jax.clear_caches()  # the code of all laws together is more than a process may map
        line = pd.DataFrame(rows[-1:]).to_string(
            index=False, header=False, float_format="{:.3g}".format
        )
        print(line, flush=True)
    frame = pd.DataFrame(rows)
    print("\n" + frame.to_string(index=False, float_format="{:.3g}".format, na_rep=""))
    print(f"\n{frame.recovered.sum()} of {len(frame)} recovered ({frame.recovered.mean():.1%})")
    raise SystemExit(int(not frame.recovered.all()))


if __name__ == "__main__":
    main()
