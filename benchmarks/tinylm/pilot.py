"""The pilot: single runs from which the design takes its default learning rate and batch."""

from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.tinylm.model import CONTEXT, Shape
from benchmarks.tinylm.optimum import best
from benchmarks.tinylm.queue import results
from benchmarks.tinylm.train import Run, at_once

# Shape, bytes, blocks per step, peak rates.
CELLS = (
    (Shape(2, 8, 1), 200_000, (2,), (0.03, 0.06, 0.12)),
    (Shape(2, 12, 1), 110_000, (1, 2), (0.03, 0.06, 0.12)),
    (Shape(2, 16, 1), 65_000, (1, 2), (0.01, 0.02, 0.04, 0.08)),
    (Shape(2, 16, 1), 250_000, (2, 4, 8), (0.004, 0.01, 0.025)),
    (Shape(2, 16, 1), 1_500_000, (4, 8), (0.01, 0.02, 0.04, 0.08)),
    (Shape(2, 32, 2), 200_000, (1, 2), (0.005, 0.01, 0.02, 0.04)),
    (Shape(2, 32, 2), 600_000, (2, 4, 8), (0.004, 0.01, 0.025)),
    (Shape(3, 48, 2), 250_000, (2,), (0.004, 0.008, 0.016, 0.032)),
    (Shape(3, 64, 2), 800_000, (4, 8), (0.004, 0.01, 0.025)),
)


def pilot() -> list[Run]:
    """Return rates by batches at nine sizes and lengths."""
    return [
        Run(
            f"pilot-{shape.params}-{tokens}-b{batch}-r{rate:g}",
            "pilot",
            shape,
            batch,
            round(tokens / batch / CONTEXT),
            rate,
        )
        for shape, tokens, batches, rates in CELLS
        for batch in batches
        if batch % at_once(shape) == 0
        for rate in rates
    ]


def found(folder: Path) -> str:
    """Return the best rate of every size, length and batch, and the line through them in logs.

    Nothing while another process still trains.
    """
    rows = pd.DataFrame([row for row in results(folder) if row["purpose"] == "pilot"])
    if len(rows) < len(pilot()):
        return ""
    rows["cell"] = rows["name"].str.extract(r"pilot-\d+-(\d+)-")[0].astype(int)
    cells = []
    for (params, tokens, batch), part in rows.groupby(["params", "cell", "batch"]):
        part = part.sort_values("rate")
        rate, inside = best(part["rate"].tolist(), part["loss"].tolist())
        cells.append((params, tokens, batch * CONTEXT, rate, part["loss"].min(), inside))
    table = pd.DataFrame(cells, columns=["params", "tokens", "batch", "rate", "loss", "inside"])
    # A size and length speaks through its best batch.
    least = table.loc[table.groupby(["params", "tokens"])["loss"].idxmin()].query("inside")
    slope, level = np.polyfit(np.log(least["params"]), np.log(least["rate"]), 1)
    return (
        f"{table.to_string(index=False, float_format='{:.4g}'.format)}\n"
        f"best rate {np.exp(level):.3g} N^{slope:.3f}, through {len(least)} sizes and lengths"
    )
