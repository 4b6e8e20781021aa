"""What a study will cost, before it runs."""

from jaxlaws._coordinates import coordinates
from jaxlaws._refit import PROBE
from jaxlaws._study._settings import Settings

# Steps and times of chinchilla on small tables, on the two cores of docs/studies.md; a rough guess.
START, REFIT, AGAIN = 125, 14, 3 * 23  # steps of a start, of a refit, of its restarts
STEP, RUN = 2e-6, 6e-8  # seconds of a step, and of each run in it, with five parameters
COMPILE, CELL = 8.0, 0.02  # seconds of a compiled program, and of a cell's own report


def cost(settings: Settings) -> dict[str, float]:
    """Blocks, compiled programs, refits, and seconds, of the whole study."""
    blocks = settings.blocks()
    programs = {(b.law, type(settings.objectives[b.objective]), b.length, b.width) for b in blocks}
    seconds = COMPILE * len(programs)
    ways = len(settings.resamplers)
    for block in blocks:
        size = coordinates(settings.laws[block.law]).size
        starts = settings.starts or (128 if size <= 6 else 512)
        refits = settings.draws * REFIT + min(settings.draws, PROBE) * AGAIN
        steps = starts * START + ways * refits
        each = steps * (STEP + RUN * block.length) * (size / 5) ** 2 + ways * CELL
        seconds += each * len(block.tables)
    return {
        "blocks": len(blocks),
        "programs": len(programs),
        "refits": len(settings.cells()) * settings.draws,
        "seconds": seconds,
    }
