"""The records of the registry: what is known about a data set, its files, tables and columns."""

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

RAW = "https://raw.githubusercontent.com"  # serves the bytes of a file at a commit


class DataError(ValueError):
    """A data set cannot be had as asked; the message says why and what to do."""


@dataclass(frozen=True)
class File:
    """A file of the source repository; the checksum is empty where its bytes are not known."""

    path: str
    sha256: str = ""
    bytes: int = 0


@dataclass(frozen=True)
class Source:
    """Where a data set was published: a GitHub repository at a fixed commit."""

    repository: str
    commit: str
    files: tuple[File, ...]

    @property
    def address(self) -> str:
        """The page of the repository at the commit, for a reader."""
        return f"https://github.com/{self.repository}/tree/{self.commit}"

    def url(self, file: File, base: str = RAW) -> str:
        """Return the address that serves the bytes of a file."""
        return f"{base.rstrip('/')}/{self.repository}/{self.commit}/{file.path}"


@dataclass(frozen=True)
class Column:
    """Unit and meaning of a column; a label has the unit "-" and a plain number the unit "1"."""

    unit: str
    meaning: str


@dataclass(frozen=True)
class Roles:
    """The columns a fit takes by default, and the rows.

    Attributes:
        inputs: the literature's symbol of each input and its column, or the columns of a vector.
        target: the column to predict.
        group: the column that names rows of one training run, where a run has several rows.
        where: a pandas query for the rows of the published fit, or of one curve where a table
            holds many; empty for all rows.
    """

    inputs: Mapping[str, str | tuple[str, ...]]
    target: str
    group: str | None = None
    where: str | None = None

    def __str__(self) -> str:
        """Say the mapping in one line."""
        columns = {k: v if isinstance(v, str) else ", ".join(v) for k, v in self.inputs.items()}
        inputs = "; ".join(f"{symbol} = {column}" for symbol, column in columns.items())
        group = f", grouped by {self.group}" if self.group else ""
        where = f", where {self.where}" if self.where else ""
        return f"{inputs} -> {self.target}{group}{where}"


@dataclass(frozen=True)
class Published:
    """A fit that came with a table of our own: default objective, over the rows of its roles.

    Attributes:
        law: name of the law in the catalogue.
        value: the objective at its minimum.
        params: the estimates.
    """

    law: str
    value: float
    params: Mapping[str, float]

    def __str__(self) -> str:
        """Say the fit in one line."""
        params = ", ".join(f"{name} {value:g}" for name, value in self.params.items())
        return f"{self.law}: {params}; objective {self.value:g}"


@dataclass(frozen=True)
class Table:
    """A tidy table: its file and checksum, its columns, and how a law is fitted to it.

    Attributes:
        file: name of the tidy file.
        sha256: checksum of the tidy file.
        rows: number of rows.
        columns: every column by name, in the order of the file.
        sources: the source files it is made from; empty where they are not known.
        roles: default mapping for a fit, for tables where a standard law applies directly.
        published: the fit that came with the table, for tables of our own.
    """

    file: str
    sha256: str
    rows: int
    columns: Mapping[str, Column]
    sources: tuple[File, ...] = ()
    roles: Roles | None = None
    published: Published | None = None


@dataclass(frozen=True, repr=False)
class Info:
    """What is known about a data set; printing it gives the report.

    Attributes:
        name: the name that `load` takes.
        title: one line for a list.
        kind: measured, digitised (read off a figure) or simulated.
        paper: authors, year and title.
        arxiv: arXiv number, empty where there is none.
        licence: licence of the source.
        note: what is known to be wrong with the published numbers or missing in the data.
        embedded: whether the tables are part of this package.
        source: repository, commit and files; none for a set of our own.
        tables: every table by name, the main one first.
        made: how a set of our own is made again; empty for a set with a source.
    """

    name: str
    title: str
    kind: Literal["measured", "digitised", "simulated"]
    paper: str
    arxiv: str
    licence: str
    note: str
    embedded: bool
    source: Source | None
    tables: Mapping[str, Table]
    made: str = ""

    @property
    def downloadable(self) -> bool:
        """Whether the source files have known checksums, so that `load` can fetch them."""
        return self.source is not None and any(file.sha256 for file in self.source.files)

    @property
    def origin(self) -> str:
        """The address of the source, or how the set was made."""
        return self.source.address if self.source else self.made

    @property
    def roles(self) -> Mapping[str, Roles]:
        """The default mapping of every table that has one."""
        return {name: table.roles for name, table in self.tables.items() if table.roles}

    def __repr__(self) -> str:
        """Return the report: provenance first, then every table with its columns."""
        if self.embedded:
            access = "in the package"
        elif self.downloadable:
            access = "downloaded on first use"
        else:
            access = "not fetched automatically; read from the folder named by JAXLAWS_DATA"
        facts = {
            "kind": self.kind,
            "paper": self.paper,
            "arxiv": self.arxiv,
            "licence": self.licence,
            "source": self.origin,
            "access": access,
            "note": self.note,
        }
        lines = [f"{self.name}: {self.title}"]
        lines += [line for key, text in facts.items() for line in _fold(f"  {key:8}", text)]
        for name, table in self.tables.items():
            lines += ["", f"  table {name}: {table.rows} rows"]
            lines += _fold("    fit ", str(table.roles or ""))
            lines += _fold("    got ", str(table.published or ""))
            wide = max(map(len, table.columns))
            unit = max(len(column.unit) for column in table.columns.values())
            lines += [
                f"    {name:{wide}}  {column.unit:{unit}}  {column.meaning}"
                for name, column in table.columns.items()
            ]
        return "\n".join(lines)


def _fold(head: str, text: str) -> list[str]:
    """Return the lines of a labelled text, aligned behind the label; none for an empty text."""
    rest = " " * len(head)
    # An address stays in one piece, so that it can be clicked.
    return textwrap.wrap(
        text,
        98,
        initial_indent=head,
        subsequent_indent=rest,
        break_on_hyphens=False,
        break_long_words=False,
    )
