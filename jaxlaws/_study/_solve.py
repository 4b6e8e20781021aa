"""The cells of a block, fitted and resampled together: arrays that share one compiled solve."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxlaws._curvature import to_params
from jaxlaws._draws import Draws
from jaxlaws._errors import InputError, InputWarning
from jaxlaws._fit import Fit, check_space, report
from jaxlaws._refit import refit
from jaxlaws._resample import Resampler, inflated_residuals
from jaxlaws._risk import Problem, build, minimise
from jaxlaws._runs import Runs
from jaxlaws._search import lowest_first, search
from jaxlaws._solver import Newton, Solution
from jaxlaws._study._settings import Block, Cell, Settings, held_out, label_of

BLOCK = 256  # resamples drawn at a time
KEPT = 2**23  # numbers of resamples that are kept for the restarts

Progress = Callable[[float], None]


@dataclass(frozen=True)
class Answer:
    """What came of one cell.

    Attributes:
        cell: The cell.
        held: (n,) the runs that were held out.
        draws: Its draws, with their fit; None where it failed.
        reason: Why it failed; empty where it did not.
        notes: What was said about its table on the way.
    """

    cell: Cell
    held: np.ndarray
    draws: Draws | None
    reason: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Table:
    """A table made ready: padded, checked, the held-out runs of weight zero."""

    pair: tuple[int, int]
    runs: Runs
    held: np.ndarray
    notes: tuple[str, ...]


def answers(settings: Settings, block: Block, tell: Progress) -> list[Answer]:
    """Fit and resample every cell of a block; what cannot be done is an answer with its reason.

    A block that breaks as a whole is tried again cell by cell, so that one cell's trouble stays
    its own.
    """
    try:
        return _together(settings, block, tell)
    except (InputError, ValueError, ArithmeticError, TypeError, RuntimeError) as error:
        if len(block.tables) > 1:
            alone = [replace(block, tables=(pair,)) for pair in block.tables]
            return [answer for one in alone for answer in answers(settings, one, tell)]
        reason = str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error}"
        return _failed(settings, block, block.tables[0], reason)


def _together(settings: Settings, block: Block, tell: Progress) -> list[Answer]:
    law, objective = settings.laws[block.law], settings.objectives[block.objective]
    space = settings.space or law.target.space
    ready: list[_Table] = []
    found: dict[tuple[int, int], list[Answer]] = {}
    for pair in block.tables:
        try:
            ready.append(_prepare(settings, block, pair, space))
        except InputError as refusal:
            found[pair] = _failed(settings, block, pair, str(refusal))
    if ready:
        tables = tuple(table.runs for table in ready)
        problem = _padded(build(law, tables, objective, space, "float64"), block.width)
        fits: list[tuple[_Table, Fit, int]] = []
        for g, (table, ends) in enumerate(
            zip(ready, _search(settings, problem, tables), strict=True)
        ):
            alone = build(law, (table.runs,), objective, space, "float64")
            try:
                fits.append((table, report(alone, table.runs, objective, ends, Newton()), g))
            except InputError as refusal:
                found[table.pair] = _failed(settings, block, table.pair, str(refusal))
        tell(0.3)
        for i, made in enumerate(settings.resamplers):
            part = _resampled(settings, block, problem, tables, fits, i, made)
            for (table, _, _), draws in zip(fits, part, strict=True):
                cell = Cell(table.pair[0], block.law, block.objective, i, table.pair[1])
                answer = Answer(cell, table.held, draws, notes=table.notes)
                found.setdefault(table.pair, []).append(answer)
            tell(0.3 + 0.7 * (i + 1) / len(settings.resamplers))
    return [answer for pair in block.tables for answer in found[pair]]


def _prepare(settings: Settings, block: Block, pair: tuple[int, int], space: str) -> _Table:
    runs, law = settings.data[pair[0]], settings.laws[block.law]
    held = held_out(runs, settings.holdouts[pair[1]])
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        train = replace(runs, weight=np.where(held, 0.0, runs.weight)).checked(law)
    check_space(train, space)
    said = dict.fromkeys(str(w.message) for w in heard if issubclass(w.category, InputWarning))
    padded = np.concatenate([held, np.zeros(block.length - len(held), bool)])
    return _Table(pair, train.padded(block.length), padded, tuple(said))


def _failed(settings: Settings, block: Block, pair: tuple[int, int], reason: str) -> list[Answer]:
    nothing = np.zeros(len(settings.data[pair[0]]), bool)
    cells = (
        Cell(pair[0], block.law, block.objective, i, pair[1])
        for i in range(len(settings.resamplers))
    )
    return [Answer(cell, nothing, None, reason) for cell in cells]


def _padded(problem: Problem, width: int) -> Problem:
    """The problem with its first table repeated, so that all blocks have one compiled shape."""

    def fill(leaf: Any) -> Any:
        extra = width - len(leaf)
        return jnp.concatenate([leaf, jnp.repeat(leaf[:1], extra, axis=0)]) if extra else leaf

    shared = problem.shared
    fields = {name: jax.tree.map(fill, getattr(shared, name)) for name in shared._fields[1:]}
    return replace(problem, shared=shared._replace(**fields))


def _search(settings: Settings, problem: Problem, tables: tuple[Runs, ...]) -> Sequence[Solution]:
    """For each table the ends of all starts, lowest first."""
    key, starts = jax.random.key(settings.seed), settings.starts
    if starts is None:
        starts = 128 if problem.layout.size <= 6 else 512
    if settings.precision == "float64":
        with on_devices():
            return search(problem, Newton(), starts, key)
    with on_devices():
        rough = search(_rounded(problem, tables), Newton(), starts, key)
    ids = np.repeat(np.arange(len(tables)), [len(ends.value) for ends in rough])
    z = np.concatenate([ends.z for ends in rough])
    exact = minimise(
        problem, Newton(), np.asarray(z, float), ids, lambda g: (problem.weight[g], None, g)
    )
    return [
        lowest_first(jax.tree.map(lambda leaf, g=g: leaf[ids == g], exact))
        for g in range(len(tables))
    ]


def _rounded(problem: Problem, tables: tuple[Runs, ...]) -> Problem:
    """The same problem in float32."""
    width = len(problem.shared.scale)
    objective = problem.shared.objective
    with jax.enable_x64(False):
        objective = jax.tree.map(float, objective)
        return _padded(build(problem.law, tables, objective, problem.space, "float32"), width)


def _resampled(
    settings: Settings,
    block: Block,
    problem: Problem,
    tables: tuple[Runs, ...],
    fits: Sequence[tuple[_Table, Fit, int]],
    number: int,
    resampler: Resampler,
) -> list[Draws]:
    """Draws of every fit by one way of resampling; a fit that is no minimum gets none."""
    draws, n = settings.draws, block.length
    used = [i for i, (_, fit, _) in enumerate(fits) if fit.converged]
    samples = [fits[i][1].sample for i in used]
    owner = np.array([fits[i][2] for i in used], int)
    keys = [
        settings.key(Cell(pair[0], block.law, block.objective, number, pair[1]))
        for pair in (fits[i][0].pair for i in used)
    ]
    size = min(BLOCK, draws)

    @lru_cache(maxsize=max(2, KEPT // (size * n)))
    def drawn(which: int, part: int) -> tuple[np.ndarray, np.ndarray]:
        ids = np.arange(part * size, (part + 1) * size)
        with on_host():
            weight, target = resampler.draw(keys[which], ids, samples[which])
        measured = samples[which].target if target is None else target
        return np.asarray(weight), np.broadcast_to(np.asarray(measured), (size, n))

    def table(ids: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        which, inside = np.divmod(ids, draws)
        part, row = np.divmod(inside, size)
        weight, target = np.empty((2, len(ids), n))
        for c, j in sorted(set(zip(which.tolist(), part.tolist(), strict=True))):
            mine = (which == c) & (part == j)
            weights, targets = drawn(c, j)
            weight[mine], target[mine] = weights[row[mine]], targets[row[mine]]
        return weight, target, owner[which]

    if used:
        nowhere = np.zeros((1, problem.layout.size))
        minima = [nowhere] * len(tables)
        for i, g in zip(used, owner, strict=True):
            minima[g] = fits[i][1].minima
        ends, lowered = _refits(settings, problem, tables, minima, np.repeat(owner, draws), table)
    out: list[Draws] = []
    for i, (_, fit, _) in enumerate(fits):
        if i not in used:
            out.append(_nothing(fit))
            continue
        c = used.index(i)
        mine = jax.tree.map(lambda leaf, c=c: leaf[c * draws : (c + 1) * draws], ends)
        out.append(
            Draws(
                law=fit.law,
                params=to_params(fit, mine.z),
                point=fit.params,
                status=np.asarray(mine.status),
                origin=f"{label_of(resampler)} bootstrap",
                space=fit.space,
                noise=inflated_residuals(samples[c]),
                solution=mine,
                lowered=float(lowered[owner[c]]),
                fit=fit,
            )
        )
    return out


def _refits(
    settings: Settings,
    problem: Problem,
    tables: tuple[Runs, ...],
    minima: Sequence[np.ndarray],
    data: np.ndarray,
    table: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray]],
) -> tuple[Solution, np.ndarray]:
    """The end of every refit, and for each table the share that restarts still lowered."""
    if settings.precision == "float64":
        with on_devices():
            return refit(problem, Newton(), minima, data, table)
    with on_devices():
        rough, lowered = refit(_rounded(problem, tables), Newton(), minima, data, table)
    ids = np.arange(len(data))
    return minimise(problem, Newton(), np.asarray(rough.z, float), ids, table), lowered


def _nothing(fit: Fit) -> Draws:
    """The estimate alone, of a fit that did not converge."""
    point = {name: np.asarray(value) for name, value in fit.params.items()}
    return Draws(
        law=fit.law,
        params={name: value[None] for name, value in point.items()},
        point=point,
        status=np.zeros(1, int),
        origin="no refits",
        space=fit.space,
        noise=np.zeros(1),
        fit=fit,
    )


@contextmanager
def on_devices() -> Iterator[None]:
    """Solve on all devices of this process; everything else of a study stays on the host."""
    with jax.default_device(None):
        yield


@contextmanager
def on_host() -> Iterator[None]:
    """Reports, resamples and the polish of float32 solves: float64 on the host's first device."""
    with jax.default_device(jax.local_devices(backend="cpu")[0]), jax.enable_x64(True):
        yield
