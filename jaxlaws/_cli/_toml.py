"""A study's TOML file, read into settings; a mistake is told with its line."""

import difflib
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from jaxlaws._cli._choices import OBJECTIVES, RESAMPLERS, law_of
from jaxlaws._cli._table import frame_of
from jaxlaws._cli._words import nearest, number, pairs
from jaxlaws._columns import require
from jaxlaws._errors import InputError
from jaxlaws._law import Law
from jaxlaws._runs import Runs
from jaxlaws._study import Settings, usual_precision

KEYS = (
    "data laws objectives resample holdout predict draws starts seed prob precision space".split()
)
ENTRY = "table name inputs target group weight where each".split()
DEFAULTS: dict[str, Any] = dict(draws=1000, starts=None, seed=0, prob=0.9, space=None)


@dataclass(frozen=True)
class _File:
    """The text of a TOML file, for the lines of mistakes."""

    path: Path
    text: str

    def refuse(self, message: str, *words: str, entry: int | None = None) -> InputError:
        """A mistake at the first line that holds one of the words, within a [[data]] entry."""
        lines = self.text.splitlines()
        begin, end = 0, len(lines)
        if entry is not None:
            heads = [i for i, line in enumerate(lines) if re.match(r"\s*\[\[\s*data\s*]]", line)]
            if entry < len(heads):
                begin, end = heads[entry], [*heads, len(lines)][entry + 1]
        code = [line.split("#")[0] for line in lines]
        found = begin if entry is not None else None
        for word in words:
            quoted = re.compile(rf"""["']{re.escape(word)}["']|^\s*{re.escape(word)}\s*=""")
            hits = (i for i in range(begin, end) if quoted.search(code[i]))
            if (hit := next(hits, None)) is not None:
                found = hit
                break
        where = "" if found is None else f", line {found + 1}"
        return InputError(f"{self.path}{where}: {message}")

    @contextmanager
    def blamed(self, *words: str, entry: int | None = None) -> Iterator[None]:
        """Tell a mistake with its line: that of the words, or of what the message quotes."""
        try:
            yield
        except ValueError as error:
            said = re.findall(r"'([^']+)'", str(error))
            raise self.refuse(str(error), *words, *said, entry=entry) from None


def read_study(path: Path) -> Settings:
    """The settings that a TOML file asks for; docs/studies.md lists the keys.

    Raises:
        InputError: The file is missing or no TOML, or an entry is unknown or of the wrong kind; the
            line is named.
    """
    if not path.is_file():
        near = difflib.get_close_matches(path.name, [p.name for p in path.parent.glob("*.toml")], 1)
        raise InputError(
            f"There is no file {path}" + (f"; did you mean {near[0]}?" if near else "")
        )
    text = path.read_text(encoding="utf-8")
    file = _File(path, text)
    try:
        asked = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path} is no TOML: {error}.") from None
    for key in asked:
        if key not in KEYS:
            raise file.refuse(f"there is no key {key!r}{nearest(key, KEYS)}", key)
    for key in ("data", "laws"):
        if not asked.get(key):
            raise file.refuse(f"the study has no cells: {key} names none.", key)
    laws = []
    for word in _words(file, asked, "laws"):
        with file.blamed(word):
            laws.append(law_of(word))
    entries = asked["data"]
    if not isinstance(entries, list) or not all(isinstance(e, Mapping) for e in entries):
        raise file.refuse("data is a list of tables: write [[data]] above each.", "data")
    data = [runs for i, e in enumerate(entries) for runs in _data(file, i, e, laws)]
    plain: dict[str, Any] = {
        k: asked[k] for k in ("draws", "starts", "seed", "prob", "space") if k in asked
    }
    for key, value in plain.items():
        kind = {"prob": float, "space": str}.get(key, int)
        if not isinstance(value, kind) or isinstance(value, bool):
            raise file.refuse(f"{key} must be of kind {kind.__name__}; got {value!r}.", key)
    with file.blamed():
        return Settings(
            data=tuple(data),
            laws=tuple(laws),
            objectives=tuple(_objectives(file, asked)),
            resamplers=tuple(_resamplers(file, asked)),
            holdouts=tuple(_words(file, asked, "holdout", ["none"])),
            points=tuple(_points(file, asked)),
            precision=asked.get("precision") or usual_precision(),
            **DEFAULTS | plain,
        )


def _words(
    file: _File, asked: Mapping[str, Any], key: str, default: list[str] | None = None
) -> list[str]:
    words = asked.get(key, default)
    words = [words] if isinstance(words, str) else words
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise file.refuse(f'{key} is a list of words, e.g. {key} = ["..."].', key)
    if not words:
        raise file.refuse(f"the study has no cells: {key} names none.", key)
    return words


def _objectives(file: _File, asked: Mapping[str, Any]) -> Iterator[Any]:
    given = asked.get("objectives", ["huber"])
    for entry in given if isinstance(given, list) else [given]:
        values: dict[str, Any] = {"name": entry} if isinstance(entry, str) else dict(entry)
        name = str(values.pop("name", ""))
        if name not in OBJECTIVES:
            raise file.refuse(f"there is no objective {name!r}{nearest(name, OBJECTIVES)}", name)
        made, known = OBJECTIVES[name]
        for key, value in values.items():
            if key not in known or not isinstance(value, float | int):
                have = ", ".join(sorted(known)) or "none"
                raise file.refuse(f"{name} has no number {key!r}; its settings: {have}.", name)
        if not all(value > 0 for value in values.values()):
            raise file.refuse(f"the settings of {name} must be above zero.", name)
        yield made(**{key: float(value) for key, value in values.items()})


def _resamplers(file: _File, asked: Mapping[str, Any]) -> Iterator[Any]:
    known = [name for name in RESAMPLERS if name != "jackknife"]
    for word in _words(file, asked, "resample", ["pairs"]):
        name, by, group = word.partition(" by ")
        if name not in known:
            raise file.refuse(f"there is no resampling {name!r}{nearest(name, known)}", word)
        if by and (group != "group" or "by" not in RESAMPLERS[name].__dataclass_fields__):
            raise file.refuse(f'{name} is not made {word!r}; "pairs by group" is.', word)
        yield RESAMPLERS[name](by="group") if by else RESAMPLERS[name]()


def _points(file: _File, asked: Mapping[str, Any]) -> Iterator[dict[str, float]]:
    if "predict" not in asked:
        return
    for word in _words(file, asked, "predict", []):
        with file.blamed(word):
            yield {name: number(text) for name, text in pairs([word], "N=70B,D=1.4T").items()}


def _data(file: _File, place: int, entry: Mapping[str, Any], laws: list[Law]) -> Iterator[Runs]:
    """The tables of one [[data]] entry: one, or one for every value of its column `each`."""
    for key in entry:
        if key not in ENTRY:
            hint = nearest(key, ENTRY)
            raise file.refuse(f"[[data]] has no key {key!r}{hint}", key, entry=place)
    if not isinstance(entry.get("table"), str):
        raise file.refuse('[[data]] needs a table, e.g. table = "runs.csv".', entry=place)
    table = entry["table"]
    beside = file.path.parent / table
    with file.blamed(table, entry=place):
        frame, roles = frame_of(str(beside) if beside.is_file() else table)
    label = str(entry.get("name", Path(table).stem if beside.is_file() else table))
    with file.blamed(entry=place):
        inputs: dict[str, Any] = {k: k for law in laws for k in law.inputs if k in frame.columns}
        if roles:
            inputs |= {k: v if isinstance(v, str) else list(v) for k, v in roles.inputs.items()}
        inputs |= entry.get("inputs", {})
        target = entry.get("target") or (roles.target if roles else None) or _target(frame, laws)
        group = entry.get("group") or (roles.group if roles else None)
        where = entry.get("where", (roles.where if roles else None) or "")
        make: Callable[..., Runs] = lambda part, name, rows: Runs.from_frame(  # noqa: E731
            part,
            target=target,
            group=group,
            weight=entry.get("weight"),
            where=rows or None,
            name=name,
            **inputs,
        )
        if "each" not in entry:
            yield make(frame, label, where)
            return
        require(frame, entry["each"], label)
        chosen = frame.query(where) if where else frame
        for value, part in chosen.groupby(entry["each"], sort=True):
            yield make(part, f"{label}[{value}]", "")


def _target(frame: pd.DataFrame, laws: list[Law]) -> str:
    names = dict.fromkeys([laws[0].target.name, "loss", "target"])
    found = next((name for name in names if name in frame.columns), None)
    if found is None:
        raise InputError(
            f"the table has no column {' or '.join(names)} to predict: give target = "
            f"{str(frame.columns[-1])!r} or another of {', '.join(map(str, frame.columns))}."
        )
    return found
