"""docs/coverage.md: up to date with the code, and nothing of the reading list left out."""

import csv
import inspect
import re
from pathlib import Path

from benchmarks import catalogue
from benchmarks.procedures import PROCEDURES
from jaxlaws import laws, procedures

ARXIV = re.compile(r"\d{4}\.\d{5}")


def test_the_page_is_not_stale():
    kept = catalogue.PAGE.read_text(encoding="utf-8")
    assert kept == catalogue.page(), "run `python -m benchmarks.catalogue`"


def test_every_id_is_on_the_page():
    kept = catalogue.PAGE.read_text(encoding="utf-8")
    assert not [law_id for law_id in catalogue.ids() if f"`{law_id}`" not in kept]


def test_every_source_is_in_the_references():
    known = {paper.key for paper in catalogue.papers()}
    cited = set().union(*map(catalogue.sources, catalogue.ids()))
    assert not cited - known


def test_papers_without_a_law_are_on_the_page():
    kept = catalogue.PAGE.read_text(encoding="utf-8")
    assert not [paper for paper, _ in laws.WITHOUT_LAW if paper not in kept]


def test_every_function_of_the_engine_beside_the_laws_is_a_named_procedure():
    """What `jaxlaws.procedures` offers is on the page, and each listed function says what it does."""
    listed = {f for _, functions in PROCEDURES.values() for f in functions}
    offered = {f for f in vars(procedures).values() if inspect.isfunction(f)}
    assert not {f.__name__ for f in offered - listed}
    assert not [f for f in listed if not (f.__doc__ or "").strip() or not hasattr(f, "__name__")]


def test_the_reading_list_is_on_the_page(data: Path):
    kept = catalogue.PAGE.read_text(encoding="utf-8")
    folder = data.parent / "laws"
    with (folder / "index.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 188
    for row in rows:
        assert f"`{row['law_id']}`" in kept, row["law_id"]
        for number in ARXIV.findall(row["paper"]):
            assert number in kept, (row["law_id"], number)
    for name in ("catalogue_1.md", "catalogue_2.md"):
        named = set(ARXIV.findall((folder / name).read_text(encoding="utf-8")))
        assert len(named) > 50
        assert not {number for number in named if number not in kept}
