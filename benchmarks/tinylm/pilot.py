"""The pilot: single runs from which the design takes its default learning rate and batch."""

from benchmarks.tinylm.model import CONTEXT, Shape
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
