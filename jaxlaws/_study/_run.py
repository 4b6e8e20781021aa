"""study: one question to many tables, durable and resumable."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import jax
import pandas as pd

from jaxlaws._errors import InputError
from jaxlaws._law import Law
from jaxlaws._objective import Huber, Objective
from jaxlaws._resample import Pairs, Resampler
from jaxlaws._runs import Runs
from jaxlaws._study._folder import Folder, check_place, prepare
from jaxlaws._study._report import summaries, write_report
from jaxlaws._study._rows import FAILED, to_table
from jaxlaws._study._settings import Block, Settings, as_tuple
from jaxlaws._study._solve import answers, on_host

FAST64 = ("V100", "A100", "A30", "H100", "H200", "GH200", "B200", "MI2", "MI3")


@dataclass(frozen=True)
class State:
    """How far a study is: cells that are done, that failed, and all of them."""

    done: float
    failed: int
    total: int


Tell = Callable[[State], None]


@dataclass(frozen=True)
class Study:
    """A finished study.

    Attributes:
        folder: Where its files are.
        prob: Probability of its intervals.
        said: What was found wrong with the folder and mended.
    """

    folder: Path
    prob: float
    said: tuple[str, ...] = ()

    def frame(self, question: str | None = None, draws: bool = False) -> pd.DataFrame:
        """The results as one table, a row per number; docs/studies.md names the columns.

        Args:
            question: "fit", "parameter", "prediction" or "extrapolation"; None for all.
            draws: Whether to read the draws, too.
        """
        return Folder(self.folder).read(question, draws)

    def tables(self) -> dict[str, pd.DataFrame]:
        """What the report says: cells, failures, extrapolation, parameters, predictions."""
        return summaries(self.frame(), self.prob)

    def failures(self) -> pd.DataFrame:
        """The cells that have no answer, with the reason."""
        table = self.frame("fit")
        return table.loc[table["status"] != "ok", [*NAMES, "status", "note"]]

    def __repr__(self) -> str:
        table = self.frame("fit")
        counts = ", ".join(f"{n} {word}" for word, n in table["status"].value_counts().items())
        return f"Study in {self.folder}: {len(table)} cells ({counts}); report.md has the tables"


NAMES = ["data", "law", "objective", "resample", "holdout"]


def study(
    folder: str | Path,
    *,
    data: Runs | Sequence[Runs],
    laws: Law | Sequence[Law],
    objectives: Objective | Sequence[Objective] | None = None,
    resamplers: Resampler | Sequence[Resampler] | None = None,
    holdouts: str | Sequence[str] = "none",
    points: Mapping[str, float] | Sequence[Mapping[str, float]] = (),
    draws: int = 1000,
    starts: int | None = None,
    seed: int = 0,
    prob: float = 0.9,
    precision: str | None = None,
    space: str | None = None,
    force: bool = False,
    ray: bool = False,
    progress: Tell | None = None,
) -> Study:
    """Ask every law of every table, under every objective, resampling and hold-out rule.

    Every combination is a cell: a fit, its refits, its parameters with intervals, its predictions,
    and its error on the runs held out. Finished cells are on the disk; the same call goes on where
    a killed one was, and its table is the same bit for bit. A cell that cannot be done is a row
    with the reason.

    Args:
        folder: Where the results go; docs/studies.md describes it.
        data: Tables of runs, with different names.
        laws: Laws.
        objectives: What to minimise; Huber(1e-3) when None.
        resamplers: Ways of resampling; `Pairs` when None.
        holdouts: Which runs are predicted and not fitted: "none", "largest 0.2" or a query over
            inputs and target, e.g. "N > 1e10".
        points: Where to predict: input -> value.
        draws: Refits of every cell.
        starts: Starts of every fit; None takes what `fit` does.
        seed: Seeds starts and resamples; a cell's key depends on it and on the cell alone.
        prob: Probability of the intervals.
        precision: "float64", or "float32" in the solve with a float64 polish on the host; None
            takes float64 where the devices are fast at it.
        space: Space of the residuals; None takes what a law's target asks for.
        force: Throw away the results of another study in the folder.
        ray: Give the blocks to a Ray cluster (extra `ray`).
        progress: Called with a `State`.

    Raises:
        InputError: There are no cells, or the folder is another study's, in use, closed or full.

    >>> import tempfile, jaxlaws as jl
    >>> runs = jl.datasets.runs("simulated_chinchilla")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     found = jl.study(folder, data=runs, laws=jl.laws.chinchilla, draws=20, starts=8)
    ...     found.frame("parameter").set_index("name")["estimate"].round(1)["E"]
    np.float64(1.8)
    """
    if not isinstance(folder, str | Path):
        raise InputError(f"study takes a folder first, got {type(folder).__name__}.")
    settings = Settings(
        data=as_tuple(data, Runs),
        laws=as_tuple(laws, Law),
        objectives=as_tuple(objectives or Huber(), ()),
        resamplers=as_tuple(resamplers or Pairs(), ()),
        holdouts=as_tuple(holdouts, str),
        points=as_tuple(points, Mapping),
        draws=draws,
        starts=starts,
        seed=seed,
        prob=prob,
        precision=precision or usual_precision(),
        space=space,
    )
    return run(settings, Path(folder), force=force, ray=ray, progress=progress)


def run(
    settings: Settings,
    path: Path,
    *,
    force: bool = False,
    ray: bool = False,
    progress: Tell | None = None,
) -> Study:
    """Do what is left of a study, and write its report.

    Under `jax.distributed` every process takes its share of the blocks; the first one keeps the
    folder.
    """
    _check_libraries(ray)
    check_place(path)
    folder = Folder(path)
    rank, count = jax.process_index(), jax.process_count()
    said: list[str] = []
    with folder.locked() if rank == 0 else nullcontext():
        if rank == 0:
            said = prepare(folder, settings, force)
        _wait(count, "prepared")
        todo = [b for b in settings.blocks() if b.index not in folder.done()]
        meter = _Meter(settings, folder, progress)
        if ray:
            from jaxlaws._study._ray import on_ray

            on_ray(settings, path, todo, meter.finished)
        else:
            # Shares are of all blocks, so that they do not depend on when a process looked.
            for block in (b for b in todo if b.index % count == rank):
                work(settings, folder, block, partial(meter.inside, block))
                meter.finished(block)
        _wait(count, "solved")
        if rank == 0:
            write_report(settings, folder)
        _wait(count, "reported")
    return Study(path, settings.prob, tuple(said))


def work(settings: Settings, folder: Folder, block: Block, tell: Callable[[float], None]) -> None:
    """Compute one block and put its rows into the folder."""
    with on_host():
        table = to_table(settings, block, answers(settings, block, tell))
    folder.put(block.index, table)


def usual_precision() -> str:
    """float64 on the host and on accelerators that are made for it, else float32."""
    device = jax.local_devices()[0]
    fast = device.platform == "cpu" or any(word in device.device_kind for word in FAST64)
    return "float64" if fast else "float32"


class _Meter:
    """Counts cells for whoever looks on."""

    def __init__(self, settings: Settings, folder: Folder, tell: Tell | None) -> None:
        self.settings, self.folder, self.tell = settings, folder, tell
        self.total = len(settings.cells())
        self.sizes = {b.index: len(settings.cells_of(b)) for b in settings.blocks()}
        self.failed: dict[int, int] = {}
        self.inside(None, 0.0)

    def inside(self, block: Block | None, share: float) -> None:
        """Say how far a block is."""
        if self.tell is None:
            return
        files = self.folder.done()
        for index in files.keys() - self.failed.keys():
            self.failed[index] = _failures(files[index])
        done = sum(self.sizes[index] for index in files if index in self.sizes)
        part = share * self.sizes[block.index] if block else 0.0
        self.tell(State(done + part, sum(self.failed.values()), self.total))

    def finished(self, block: Block) -> None:
        """Say that a block is done."""
        self.inside(None, 0.0)


def _failures(path: Path) -> int:
    import pyarrow.parquet as pq

    status = pq.read_table(path, columns=["question", "status"])
    pairs = zip(*(status[name].to_pylist() for name in status.column_names), strict=True)
    return sum(question == "fit" and how == FAILED for question, how in pairs)


def _wait(count: int, name: str) -> None:
    """Wait until all processes are here."""
    if count > 1:
        from jax.experimental.multihost_utils import sync_global_devices

        sync_global_devices(f"study {name}")


def _check_libraries(ray: bool) -> None:
    for library, extra in (("pyarrow", "parquet"), *([("ray", "ray")] if ray else [])):
        try:
            __import__(library)
        except ImportError as error:
            raise InputError(
                f'A study needs {library} ({error}): pip install "jaxlaws[{extra}]".'
            ) from None
