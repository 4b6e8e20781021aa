"""The design: what is trained, in the order in which it is worth having."""

from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks.tinylm.model import CONTEXT, Shape
from benchmarks.tinylm.train import WIDEST, Run, at_once

SHAPES = (
    Shape(2, 8, 1),
    Shape(2, 12, 1),
    Shape(2, 16, 1),
    Shape(3, 16, 1),
    Shape(2, 24, 1),
    Shape(2, 32, 2),
    Shape(3, 32, 2),
    Shape(2, 48, 2),
    Shape(3, 48, 2),
    Shape(3, 64, 2),
    Shape(4, 64, 2),
    Shape(4, 80, 2),
    Shape(4, 96, 3),
    Shape(5, 112, 4),
    Shape(6, 128, 4),
)
BUDGETS = np.geomspace(3.2e9, 4e12, 12)  # 6 N D
FINAL = 2.48e13  # 6 N D of the runs that are predicted; the text allows no more at their least size
PROFILE = 7  # sizes per budget
RATIO = 20.0  # bytes per parameter in the middle of a profile, from the first runs
REPEATED = (500, 2000)  # blocks of the small corpora
EPOCHS = (1, 2, 4, 8, 16, 40)
PATIENCE = {"surface": 1, "seeds": 1, "schedules": 1, "repeated": 2, "sweep": 8}
TRIED = ("constant", "cosine", "cosine_double", "wsd_10", "wsd_30")


def rate(shape: Shape) -> float:
    """Return the default peak learning rate, by the pilot: it hardly depends on the length."""
    return 8.5 * shape.params**-0.63


def batch(tokens: float, shape: Shape) -> int:
    """Return the default blocks per step: Step Law's exponent, the factor of the pilot."""
    micro = at_once(shape)
    blocks = 0.2 * tokens**0.571 / CONTEXT
    return int(np.clip(round(blocks / micro), 1, WIDEST // micro)) * micro


def run(
    name: str,
    purpose: str,
    shape: Shape,
    tokens: float,
    blocks: int = 0,
    peak: float = 0,
    **other: Any,
) -> Run:
    """Return a run with the default batch and rate where none is given."""
    blocks = blocks or batch(tokens, shape)
    steps = max(1, round(tokens / blocks / CONTEXT))
    return Run(name, purpose, shape, blocks, steps, peak or rate(shape), **other)


def surface() -> list[Run]:
    """Return the IsoFLOP profiles: seven sizes around the guessed optimum of every budget."""
    runs = []
    for level, budget in enumerate(BUDGETS):
        middle = np.log(budget / 6 / RATIO) / 2
        nearest = sorted(SHAPES, key=lambda s: abs(np.log(s.params) - middle))[:PROFILE]
        runs += [
            run(f"surface-{level}-{s.params}", "surface", s, budget / 6 / s.params)
            for s in sorted(nearest, key=lambda s: s.params)
        ]
    return runs


def seeds() -> list[Run]:
    """Return two more seeds of a tenth of the surface, spread over its budgets."""
    return [
        replace(one, name=f"{one.name}-seed{seed}", purpose="seeds", seed=seed)
        for i, one in enumerate(surface())
        if i % 10 == 4
        for seed in (1, 2)
    ]


def schedules() -> list[Run]:
    """Return one model under five schedules, with their curves, and two of them half as long."""
    shape = Shape(2, 32, 2)
    return [
        run(
            f"schedule-{kind}-{tokens:.0f}",
            "schedules",
            shape,
            tokens,
            schedule=kind,
            blocks=8,
            points=64,
        )
        for tokens, kinds in ((3e6, TRIED), (1.5e6, ("constant", "cosine")))
        for kind in kinds
    ]


def repeated() -> list[Run]:
    """Return three models over small corpora, from 1 to 40 epochs."""
    return [
        run(
            f"repeated-{blocks}-{epochs}-{shape.params}",
            "repeated",
            shape,
            blocks * CONTEXT * epochs,
            unique=blocks,
        )
        for shape in (Shape(2, 16, 1), Shape(2, 32, 2), Shape(2, 48, 2))
        for blocks in REPEATED
        for epochs in EPOCHS
    ]


def sweeps() -> list[Run]:
    """Return learning rate by batch at three sizes, one of them at two lengths."""
    cells = (
        (Shape(2, 16, 1), 2.5e5),
        (Shape(2, 16, 1), 1e6),
        (Shape(2, 32, 2), 1e6),
        (Shape(3, 48, 2), 4e5),
    )
    return [
        run(
            f"sweep-{shape.params}-{tokens:.0f}-b{size}-r{peak:g}",
            "sweep",
            shape,
            tokens,
            blocks=size,
            peak=peak,
        )
        for shape, tokens in cells
        for size in (1, 2, 4, 8, 16, 32)
        if size % at_once(shape) == 0
        for peak in (2.5e-3, 5e-3, 1e-2, 2e-2, 4e-2)
    ]


def fitted() -> list[Run]:
    """Return all that a law may be fitted to, cheap runs first, so that a stop costs the dear."""
    runs = [*surface(), *seeds(), *schedules(), *repeated(), *sweeps()]
    return sorted(runs, key=lambda one: one.shape.flops(one.tokens) * PATIENCE[one.purpose])


def final() -> list[Run]:
    """Return the largest runs, predicted before they are trained.

    One near the compute-optimal size, by the first ten budgets; one of half of it on twice the
    bytes; and one whose rate falls linearly to zero, a schedule that no law has seen.
    """
    return [
        run(f"final-{name}", "final", shape, FINAL / 6 / shape.params, schedule=schedule)
        for name, shape, schedule in (
            ("optimal", Shape(4, 64, 2), "cosine"),
            ("overtrained", Shape(2, 64, 2), "cosine"),
            ("linear", Shape(4, 80, 2), "linear"),
        )
    ]
