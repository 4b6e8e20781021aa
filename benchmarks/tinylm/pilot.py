"""The pilot: which learning rate and batch the design starts from."""

from benchmarks.tinylm.model import CONTEXT, Shape
from benchmarks.tinylm.train import Run, at_once

# Shape and bytes: about 1e10, 1e11 and 5e11 FLOP.
SIZES = ((Shape(2, 16, 1), 250_000), (Shape(2, 32, 2), 600_000), (Shape(3, 64, 2), 800_000))


def pilot() -> list[Run]:
    """Return a coarse sweep at three sizes."""
    return [
        Run(
            f"pilot-{shape.width}-b{batch}-r{rate:g}",
            "pilot",
            shape,
            batch,
            round(tokens / batch / CONTEXT),
            rate,
        )
        for shape, tokens in SIZES
        for rate in (4e-3, 1e-2, 2.5e-2)
        for batch in (2, 4, 8)
        if batch % at_once(shape) == 0
    ]
