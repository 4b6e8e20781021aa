"""What the command line prints: tables and sentences, one JSON object, warnings, progress."""

import json
import math
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from jaxlaws._errors import InputWarning

COUNTED = ("parameters", "tokens", "unique tokens", "examples", "steps")
LETTERS = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "K"))
PATIENCE = 2.0  # seconds before progress is shown


@dataclass(frozen=True)
class Table:
    """A table to print: headings, and rows of as many cells."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    title: str = ""


@dataclass
class Report:
    """What a command found.

    Attributes:
        blocks: Sentences and tables for a reader, in order.
        data: The same for a program.
        trusted: Whether the result may be used as it stands.
    """

    blocks: list[str | Table] = field(default_factory=list)
    data: dict[str, Any] = field(default_factory=dict)
    trusted: bool = True

    def say(self, *blocks: str | Table) -> None:
        """Add sentences or tables; an empty line is kept where it parts two of them."""
        for block in blocks:
            if block != "" or self.blocks[-1:] != [""]:
                self.blocks.append(block)


def show(report: Report, as_json: bool) -> None:
    """Print a report: one JSON object, rich tables on a terminal, aligned text elsewhere."""
    blocks = report.blocks[:-1] if report.blocks[-1:] == [""] else report.blocks
    if as_json:
        data = {**report.data, "trusted": report.trusted}
        print(json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False))
    elif sys.stdout.isatty():
        _show_rich(blocks)
    else:
        print("\n".join(b if isinstance(b, str) else _plain(b) for b in blocks))
    sys.stdout.flush()


def _show_rich(blocks: Sequence[str | Table]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table as Rich
    from rich.text import Text

    console = Console(highlight=False)
    for block in blocks:
        if isinstance(block, str):
            console.print(Text(block), soft_wrap=True)
            continue
        made = Rich(box=box.SIMPLE_HEAD, title=block.title or None, title_justify="left")
        for i, right in enumerate(_right(block)):
            whole = not any(" " in row[i] for row in block.rows)  # names and numbers stay whole
            side: Any = "right" if right else "left"
            made.add_column(Text(block.head[i]), justify=side, overflow="fold", no_wrap=whole)
        for row in block.rows:
            made.add_row(*map(Text, row))
        console.print(made)


def _plain(table: Table) -> str:
    cells = [list(table.head), *(list(row) for row in table.rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    sides = [str.rjust if right else str.ljust for right in _right(table)]
    lines = [
        "  ".join(side(cell, width) for side, cell, width in zip(sides, row, widths, strict=True))
        for row in cells
    ]
    return "\n".join([*([table.title] if table.title else []), *(line.rstrip() for line in lines)])


def _right(table: Table) -> list[bool]:
    """Which columns hold numbers, and are set to the right."""
    columns = list(zip(*table.rows, strict=True)) or [()] * len(table.head)
    return [
        any(column) and all(not c or c[0].isdigit() or c[0] in "-+" for c in column)
        for column in columns
    ]


def number(value: float | None, unit: str = "", digits: int = 4) -> str:
    """A number for a reader: 70B where things are counted; empty where there is none.

    >>> number(1.4e12, "tokens"), number(5.76e23, "FLOP"), number(0.34731)
    ('1.4T', '5.76e+23', '0.3473')
    """
    if value is None or math.isnan(value):
        return ""
    if unit in COUNTED and 1e3 <= value < 1e15:
        rounded = float(f"{value:.{digits}g}")  # before the letter is chosen: 999,999 is 1M
        size, letter = next(pair for pair in LETTERS if rounded >= pair[0])
        return f"{rounded / size:.{digits}g}{letter}"
    return f"{value:.{digits}g}"


def span(value: float, low: float, high: float, unit: str = "", digits: int = 4) -> str:
    """An estimate with its interval, or alone where there is none.

    >>> span(40.3e9, 36.1e9, 45.2e9, "parameters", 3)
    '40.3B [36.1B, 45.2B]'
    """
    if math.isnan(low) or math.isnan(high):
        return number(value, unit, digits)
    ends = f"[{number(low, unit, digits)}, {number(high, unit, digits)}]"
    return f"{number(value, unit, digits)} {ends}"


@contextmanager
def warnings_as_lines(unsaid: str) -> Iterator[list[str]]:
    """Print every warning once, as one line on stderr.

    Args:
        unsaid: How warnings begin that are of no use to a user.

    Yields:
        The warnings that were not printed.
    """
    said: set[str] = set()
    kept: list[str] = []

    def line(message: Warning | str, *_: Any, **__: Any) -> None:
        text = " ".join(str(message).split())
        if text.startswith(unsaid):
            kept.append(text)
        elif text not in said:
            said.add(text)
            print(f"warning: {text}", file=sys.stderr, flush=True)

    with warnings.catch_warnings():
        warnings.filterwarnings("always", category=InputWarning)
        warnings.showwarning = line
        yield kept


@contextmanager
def progress(label: str) -> Iterator[Callable[[int, int], None] | None]:
    """Show a bar on stderr, on a terminal alone and only if the work lasts.

    Yields what is called with (done, total); until then the bar says only that something is going
    on, since compilation cannot be counted.
    """
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn(label), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    bar = Progress(*columns, console=Console(stderr=True), transient=True)
    task = bar.add_task(label, total=None)
    timer = threading.Timer(PATIENCE, bar.start)
    timer.daemon = True
    timer.start()
    try:
        yield lambda done, total: bar.update(task, completed=done, total=total)
    finally:
        timer.cancel()
        timer.join()
        if bar.live.is_started:
            bar.stop()
