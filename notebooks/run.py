"""Execute a notebook's cells in order, in one namespace, and keep what they show.

    python notebooks/run.py notebooks/from_runs_to_a_decision.ipynb

writes the outputs into the file; `tests/test_notebooks.py` executes it again and compares.
"""

import ast
import base64
import contextlib
import io
import json
import sys
from pathlib import Path
from typing import Any

DPI = 72  # of figures: enough for a page, and small in the file


def execute(notebook: dict[str, Any]) -> list[list[dict[str, Any]]]:
    """The outputs of every code cell, as a notebook holds them."""
    names: dict[str, Any] = {"__name__": "__main__"}
    cells = (cell for cell in notebook["cells"] if cell["cell_type"] == "code")
    return [_outputs("".join(cell["source"]), names) for cell in cells]


def _outputs(source: str, names: dict[str, Any]) -> list[dict[str, Any]]:
    """What a cell prints, and what its last line is."""
    body = ast.parse(source).body
    last = body.pop() if body and isinstance(body[-1], ast.Expr) else None
    printed, value = io.StringIO(), None
    with contextlib.redirect_stdout(printed):
        exec(compile(ast.Module(body, []), "<cell>", "exec"), names)
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), "<cell>", "eval"), names)
    text = printed.getvalue()
    out = [{"output_type": "stream", "name": "stdout", "text": _lines(text)}] if text else []
    if value is not None:
        out.append({"output_type": "display_data", "metadata": {}, "data": _shown(value)})
    return out


def _shown(value: Any) -> dict[str, Any]:
    if not hasattr(value, "savefig"):
        return {"text/plain": _lines(repr(value))}
    picture = io.BytesIO()
    value.savefig(picture, format="png", dpi=DPI)
    title = value.get_suptitle()
    return {"image/png": base64.b64encode(picture.getvalue()).decode(), "text/plain": [title]}


def _lines(text: str) -> list[str]:
    return text.rstrip("\n").splitlines(keepends=True)


def main(path: Path) -> None:
    """Execute a notebook and write its outputs into it."""
    notebook = json.loads(path.read_text())
    outputs = iter(execute(notebook))
    for count, cell in enumerate(c for c in notebook["cells"] if c["cell_type"] == "code"):
        cell |= {"execution_count": count + 1, "outputs": next(outputs)}
    path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
