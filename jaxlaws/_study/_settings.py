"""What a study asks: its cells, who they are, and which of them are solved together."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import product
from typing import Any

import jax
import numpy as np
import pandas as pd
from jax import Array

from jaxlaws._columns import condition
from jaxlaws._errors import InputError
from jaxlaws._io import describe
from jaxlaws._law import Law
from jaxlaws._objective import Objective
from jaxlaws._resample import Jackknife, Resampler
from jaxlaws._runs import Runs

TOGETHER = 2**14  # refits that are in work at one time, where the cells are small
MOST = 32  # tables in one compiled call
SHORTEST = 16  # runs of the smallest bucket
PRECISIONS = ("float64", "float32")


@dataclass(frozen=True)
class Cell:
    """One question to one table: the place of each choice in the settings' lists.

    Attributes:
        data: Which table.
        law: Which law.
        objective: Which objective.
        resampler: Which way of resampling.
        holdout: Which rule for the runs that are held out.
    """

    data: int
    law: int
    objective: int
    resampler: int
    holdout: int


@dataclass(frozen=True)
class Block:
    """Cells that share one compiled solve and one result file.

    Attributes:
        index: Its number, and its file's.
        law: Which law.
        objective: Which objective.
        length: Runs of every table after padding.
        width: Tables of every compiled call after padding.
        tables: (data, holdout) pairs; each is asked with every resampler.
    """

    index: int
    law: int
    objective: int
    length: int
    width: int
    tables: tuple[tuple[int, int], ...]


@dataclass(frozen=True, eq=False)
class Settings:
    """Everything a study's numbers depend on; `jl.study` says what each entry means."""

    data: tuple[Runs, ...]
    laws: tuple[Law, ...]
    objectives: tuple[Objective, ...]
    resamplers: tuple[Resampler, ...]
    holdouts: tuple[str, ...]
    points: tuple[Mapping[str, float], ...]
    draws: int
    starts: int | None
    seed: int
    prob: float
    precision: str
    space: str | None

    def __post_init__(self) -> None:
        """Refuse what no cell can be made of.

        Raises:
            InputError: A list is empty or names something twice, or a number is out of its range.
        """
        for name in ("data", "laws", "objectives", "resamplers", "holdouts"):
            if not getattr(self, name):
                raise InputError(
                    f"The study has no cells: its list of {name} is empty; name at least one."
                )
        for name, labels in self.labels.items():
            for label in labels:
                if labels.count(label) > 1:
                    raise InputError(f"The study names {label!r} twice in its list of {name}.")
        if any(isinstance(r, Jackknife) for r in self.resamplers):
            raise InputError("A study draws resamples at random; take pairs, not the jackknife.")
        if self.draws < 2:
            raise InputError(f"A study needs at least 2 draws, got {self.draws}.")
        if self.precision not in PRECISIONS:
            raise InputError(
                f"precision must be one of {', '.join(PRECISIONS)}; got {self.precision!r}."
            )

    @cached_property
    def labels(self) -> dict[str, list[str]]:
        """List -> what its entries are called in the results."""
        return {
            "data": [runs.name for runs in self.data],
            "law": [law.name for law in self.laws],
            "objective": [label_of(o) for o in self.objectives],
            "resample": [label_of(r) for r in self.resamplers],
            "holdout": list(self.holdouts),
        }

    def cells(self) -> list[Cell]:
        """All cells, data sets first."""
        lists = (self.data, self.laws, self.objectives, self.resamplers, self.holdouts)
        return [Cell(*place) for place in product(*(range(len(entries)) for entries in lists))]

    def names(self, cell: Cell) -> dict[str, str]:
        """What a cell is called: data, law, objective, resample, holdout."""
        places = (cell.data, cell.law, cell.objective, cell.resampler, cell.holdout)
        return {k: v[i] for (k, v), i in zip(self.labels.items(), places, strict=True)}

    def identity(self, cell: Cell) -> str:
        """A cell's fingerprint: of its own table, law and settings, and of no other cell's."""
        return _digest({**self._question(cell), **self._numbers})

    def key(self, cell: Cell) -> Array:
        """The key of a cell's resamples: it depends on the seed and on the cell's question alone.

        Resample i is then the same whatever the number of draws, the precision or the points.
        """
        number = int(_digest(self._question(cell))[:8], 16)
        return jax.random.fold_in(jax.random.key(self.seed), number)

    def _question(self, cell: Cell) -> dict[str, Any]:
        chosen = {"data": self._data[cell.data], "law": self._laws[cell.law]}
        return self.names(cell) | chosen

    def blocks(self) -> list[Block]:
        """The blocks, a function of the settings alone, so that every run makes the same ones."""
        width = max(1, min(MOST, TOGETHER // self.draws))
        lengths = [bucket(len(runs)) for runs in self.data]
        out: list[Block] = []
        for law, objective, length in product(
            range(len(self.laws)), range(len(self.objectives)), sorted(set(lengths))
        ):
            tables = [
                (data, rule)
                for data in range(len(self.data))
                if lengths[data] == length
                for rule in range(len(self.holdouts))
            ]
            wide = min(width, len(tables))
            for at in range(0, len(tables), wide):
                part = tuple(tables[at : at + wide])
                out.append(Block(len(out), law, objective, length, wide, part))
        return out

    def cells_of(self, block: Block) -> list[Cell]:
        """The cells of a block, table by table."""
        return [
            Cell(data, block.law, block.objective, resampler, rule)
            for data, rule in block.tables
            for resampler in range(len(self.resamplers))
        ]

    @cached_property
    def _data(self) -> list[str]:
        return [_fingerprint(runs) for runs in self.data]

    @cached_property
    def _laws(self) -> list[Any]:
        return [describe(law) for law in self.laws]

    @property
    def _numbers(self) -> dict[str, Any]:
        kept = ("points", "draws", "starts", "seed", "prob", "precision", "space")
        return {name: getattr(self, name) for name in kept}

    def record(self) -> dict[str, Any]:
        """The settings as plain values, with checksums in place of tables."""
        tables = [
            {"name": runs.name, "runs": len(runs), "sha256": digest}
            for runs, digest in zip(self.data, self._data, strict=True)
        ]
        laws = [{k: v for k, v in law.items() if k != "source"} for law in self._laws]
        rest = {k: v for k, v in self.labels.items() if k not in ("data", "law")}
        return {"data": tables, "laws": laws, **rest, **self._numbers}

    @cached_property
    def fingerprint(self) -> str:
        """Checksum of everything the results depend on."""
        return _digest(self.record())


def label_of(value: Any) -> str:
    """What an objective or a way of resampling is called: Huber(delta=0.001), pairs by group."""
    settings = {k: v for k, v in asdict(value).items() if v is not None}
    if "by" in settings or not settings:
        name = type(value).__name__
        by = f" by {settings['by']}" if settings else ""
        return (name if hasattr(value, "score") else name.lower()) + by
    return f"{value.label}({', '.join(f'{k}={v:g}' for k, v in settings.items())})"


def bucket(length: int) -> int:
    """The padded length of a table: 16, 32, 64, ...; a compiled program costs more than padding."""
    return max(SHORTEST, 1 << (length - 1).bit_length())


def held_out(runs: Runs, rule: str) -> np.ndarray:
    """(n,) mask of the runs that a rule holds out of the fit.

    Args:
        runs: The runs.
        rule: "none"; "largest 0.2", about a fifth of the runs: those with the most compute C, or
            the largest N D where C is not known, or the largest product of their positive inputs
            (runs of one size stay together); or a query over inputs and target, "N > 1e10".

    Raises:
        InputError: The rule cannot be read, or holds out nothing or everything.
    """
    live = runs.weight > 0
    if rule == "none":
        return np.zeros(len(runs), bool)
    word, _, share = rule.partition(" ")
    if word == "largest":
        held = _largest(runs, live, _share(rule, share))
    else:
        held = _asked(runs, rule)
    if not (held & live).any() or not (~held & live).any():
        count = int((held & live).sum())
        raise InputError(
            f"{runs.name}: the rule {rule!r} holds out {count} of {int(live.sum())} runs; it must "
            "hold out some, and not all."
        )
    return held


def _share(rule: str, text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = 0.0
    if not 0 < share < 1:
        raise InputError(f'A rule is written "largest 0.2", a share between 0 and 1; got {rule!r}.')
    return share


def _largest(runs: Runs, live: np.ndarray, share: float) -> np.ndarray:
    flat = {k: v for k, v in runs.inputs.items() if v.ndim == 1 and (v > 0).all()}
    chosen = [flat["C"]] if "C" in flat else [flat[k] for k in "ND" if k in flat]
    if not (chosen or flat):
        raise InputError(f"{runs.name}: no input says how large a run is; hold runs out by query.")
    size = np.prod(chosen or list(flat.values()), axis=0)
    cuts = np.unique(size[live])[1:]  # runs of one size stay together
    if not len(cuts):
        raise InputError(f"{runs.name}: all runs are of one size; hold runs out by query.")
    shares = np.mean(size[live][None, :] >= cuts[:, None], axis=1)
    held: np.ndarray = size >= cuts[np.argmin(np.abs(shares - share))]
    return held


def _asked(runs: Runs, query: str) -> np.ndarray:
    flat = {k: v for k, v in runs.inputs.items() if v.ndim == 1}
    frame = pd.DataFrame({**flat, "target": runs.target})
    remedy = 'write "none", "largest 0.2" or a query over'
    return condition(frame, query, f"{runs.name}: the hold-out rule", remedy)


def _fingerprint(runs: Runs) -> str:
    digest = hashlib.sha256(json.dumps([runs.name, list(runs.inputs), list(runs.groups)]).encode())
    for values in (*runs.inputs.values(), runs.target, runs.weight, runs.group):
        digest.update(np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()


def _digest(values: Any) -> str:
    text = json.dumps(values, sort_keys=True, default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else np.asarray(value).tolist()


def as_tuple(values: Any, kind: type | tuple[type, ...]) -> tuple[Any, ...]:
    """One value, or several, as a tuple."""
    if isinstance(values, kind) or not isinstance(values, Sequence):
        return (values,)
    return tuple(values)
