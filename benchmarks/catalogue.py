"""docs/coverage.md: every paper of the reading list, its laws, and what their refits gave.

`python -m benchmarks.catalogue` writes the page from the catalogue in the code, references.bib and
docs/refits.csv; nothing else is read.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import pandas as pd

import jaxlaws as jl
from benchmarks.procedures import PROCEDURES
from benchmarks.refits.row import NO_WORSE, REPRODUCED
from benchmarks.refits.table import stored
from jaxlaws import laws

PAGE = Path(__file__).resolve().parents[1] / "docs" / "coverage.md"
CITED = re.compile(r"\[([a-z]+\d{4}\w*)|[,;] ([a-z]+\d{4}\w*)")
ACCENTS = {'"': "\u0308", "'": "\u0301", "`": "\u0300"}
HEAD = """# Coverage

Written by `python -m benchmarks.catalogue` from the code and from [refits.csv](refits.csv), which
`python -m benchmarks.refits --write` makes; a test fails if this page is stale. A law's formula,
constants and standing: `jaxlaws show NAME`.

{ids} ids, {papers} papers with a law or a procedure, {without} without. {sets} data sets refitted:
{worse} objectives, of which {bad} worse than published; {numbers} published numbers, of which
{same} reproduced; every other one is a finding with its reason. A paper without a data set has no
public runs among those that `jaxlaws data` lists.
"""


@dataclass(frozen=True)
class Paper:
    """A source: its key in references.bib, and what the page says of it."""

    key: str
    title: str
    arxiv: str
    ids: tuple[str, ...]


def ids() -> tuple[str, ...]:
    """Every id of the catalogue: laws, families of laws, and procedures."""
    return tuple(sorted({*laws.CATALOGUE, *laws.FAMILIES, *laws.QUANTITIES}))


def sources(law_id: str) -> set[str]:
    """Keys that an id names as its source, or that the text of its functions cites."""
    texts = [each.__doc__ or "" for each in laws.QUANTITIES.get(law_id, {}).values()]
    named: set[str] = set()
    if law_id in laws.FAMILIES:
        texts.append(laws.FAMILIES[law_id].__doc__ or "")
    if law_id in laws.CATALOGUE:
        law = laws.CATALOGUE[law_id]
        texts.append(law.doc)
        named = {key.strip() for key in law.source.split(",")}
    return named | {key for text in texts for pair in CITED.findall(text) for key in pair if key}


def papers() -> list[Paper]:
    """The sources of references.bib, in its order."""
    text = (files("jaxlaws.laws") / "references.bib").read_text(encoding="utf-8")
    cited = {law_id: sources(law_id) for law_id in ids()}
    found = []
    for entry in re.split(r"^@\w+\{", text, flags=re.MULTILINE)[1:]:
        key, _, rest = entry.partition(",")
        field = {
            name: " ".join(_plain(value).split())
            for name, value in re.findall(r"(\w+)\s*=\s*\{((?:[^{}]|\{[^{}]*\})*)\}", rest)
        }
        author = field.get("author", "").split(" and ")[0].split(",")[0]
        title = f"{author} {field.get('year', '')}, {field['title']}"
        mine = tuple(law_id for law_id in ids() if key in cited[law_id])
        found.append(Paper(key, title, field.get("eprint", ""), mine))
    return found


def _plain(text: str) -> str:
    """Text without the braces and accents of BibTeX."""
    for accent, mark in ACCENTS.items():
        text = re.sub(rf"\\{accent}\{{?(\w)\}}?", rf"\1{mark}", text)
    return unicodedata.normalize("NFC", text.replace("{", "").replace("}", ""))


def refits_of(paper: Paper, table: pd.DataFrame) -> pd.DataFrame:
    """Rows of its laws on its own data, on other data, and of other laws on its data."""
    arxiv = table["dataset"].map(lambda name: jl.datasets.info(name).arxiv)
    own = (arxiv == paper.arxiv) & (arxiv != "")
    mine = table["law"].isin(paper.ids)
    return pd.concat([table[own & mine], table[mine & ~own], table[own & ~mine]])


def headline(rows: pd.DataFrame) -> str:
    """The first number that is reproduced, and its deviation."""
    good = rows[(rows["published"] != "") & rows["verdict"].isin([NO_WORSE, REPRODUCED])]
    if not len(good):
        return ""
    row = good.iloc[0]
    return f"{row['what']}: {row['published']}, ours {row['ours']} ({row['deviation']})"


def page() -> str:
    """The page as text."""
    table, known = stored(), papers()
    numbers = table[(table["published"] != "") & ~table["verdict"].str.contains(NO_WORSE)]
    objectives = table["verdict"].str.contains(f"{NO_WORSE}|WORSE")
    text = HEAD.format(
        ids=len(ids()),
        papers=sum(bool(paper.ids) for paper in known),
        without=len(laws.WITHOUT_LAW),
        sets=table["dataset"].nunique(),
        worse=int(objectives.sum()),
        bad=int(table["verdict"].str.contains("WORSE").sum()),
        numbers=len(numbers),
        same=int((numbers["verdict"] == REPRODUCED).sum()),
    )
    return "\n".join([text, *_sections(table, known)])


def _sections(table: pd.DataFrame, known: list[Paper]) -> Iterator[str]:
    yield "## Papers\n"
    yield "| paper | laws and procedures | refitted on | first number reproduced (deviation) |"
    yield "|---|---|---|---|"
    for paper in known:
        if paper.ids:
            rows = refits_of(paper, table)
            sets = ", ".join(rows["dataset"].unique())
            names = ", ".join(f"`{law_id}`" for law_id in paper.ids)
            yield f"| {_cite(paper)} | {names} | {sets} | {headline(rows)} |"
    standard = [law_id for law_id in ids() if not sources(law_id)]
    yield f"\nStandard forms without a source: {', '.join(f'`{i}`' for i in standard)}.\n"
    method = [paper for paper in known if not paper.ids]
    yield f"Sources of a method alone: {'; '.join(map(_cite, method))}.\n"
    yield "## Procedures and estimators\n"
    yield "| procedure | functions | papers |"
    yield "|---|---|---|"
    title = {paper.key: _cite(paper) for paper in known}
    for what, (keys, functions) in PROCEDURES.items():
        names = ", ".join(f"`{_path(each)}`" for each in functions)
        yield f"| {what} | {names} | {'; '.join(title[key] for key in keys.split(', '))} |"
    yield "\n## Papers without a law\n"
    yield "| paper | reason |"
    yield "|---|---|"
    for paper, reason in laws.WITHOUT_LAW:
        yield f"| {paper} | {reason} |"
    yield "\n## Data sets\n"
    yield "| data set | laws | rows | no worse | reproduced | findings |"
    yield "|---|---|---|---|---|---|"
    for name, rows in table.groupby("dataset", sort=False):
        verdicts = rows["verdict"]
        counts = (
            len(rows),
            int((verdicts == NO_WORSE).sum()),
            int((verdicts == REPRODUCED).sum()),
            int(verdicts.str.startswith("finding").sum()),
        )
        used = ", ".join(f"`{law}`" for law in rows["law"].unique())
        yield f"| {name} | {used} | {' | '.join(map(str, counts))} |"
    yield "\n## Findings\n"
    yield "| data set | what | published | ours | why |"
    yield "|---|---|---|---|---|"
    found = table[(table["published"] != "") & table["verdict"].str.startswith("finding")]
    for row in found.itertuples():
        reason = str(row.verdict).removeprefix("finding: ")
        yield f"| {row.dataset} | {row.what} | {row.published} | {row.ours} | {reason} |"
    yield ""


def _path(function: Callable[..., Any]) -> str:
    """Where a user finds a function: its module inside the package, or the package itself."""
    module, name = function.__module__, getattr(function, "__name__", "")
    for place in (jl, jl.procedures):
        if getattr(place, name, None) is function:
            module = place.__name__
    return f"{module}.{name}"


def _cite(paper: Paper) -> str:
    link = f" ([{paper.arxiv}](https://arxiv.org/abs/{paper.arxiv}))" if paper.arxiv else ""
    return f"{paper.title}{link}"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
