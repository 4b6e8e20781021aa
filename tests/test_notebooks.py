"""Every notebook runs, and what it shows is what its cells give today."""

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).resolve().parent.parent / "notebooks"
sys.path.insert(0, str(FOLDER))

from run import execute  # noqa: E402 - it lies beside the notebooks

NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[-+]?\d+)?")
LARGEST = 200_000  # bytes of a notebook that is pleasant to clone
# Starts and refits end a little elsewhere with another JAX or another processor.
CLOSE = 0.1


def shown(outputs: list[dict[str, Any]]) -> str:
    texts = [o.get("text") or o["data"]["text/plain"] for o in outputs]
    return "\n".join("".join(text) for text in texts)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.ipynb")), ids=lambda p: p.stem)
def test_a_notebook_shows_what_its_cells_give(path: Path) -> None:
    notebook = json.loads(path.read_text())
    kept = [shown(cell["outputs"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    again = [shown(outputs) for outputs in execute(notebook)]
    assert [NUMBER.sub("#", text).split() for text in again] == [
        NUMBER.sub("#", text).split() for text in kept
    ]
    for new, old in zip(again, kept, strict=True):
        numbers = [[float(n) for n in NUMBER.findall(text)] for text in (new, old)]
        assert numbers[0] == pytest.approx(numbers[1], rel=CLOSE)
    assert path.stat().st_size < LARGEST
