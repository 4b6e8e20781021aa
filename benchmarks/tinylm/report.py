"""What the shipped table says: noise, laws, schedules, repeated data, learning rate and batch."""

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

import jaxlaws as jl
from benchmarks.tinylm import curves
from benchmarks.tinylm.forecast import CANDIDATES, PLACE
from benchmarks.tinylm.optimum import best
from jaxlaws import laws
from jaxlaws.laws.hyperparameters import loglinear

SHOWN = ["test_rmsle", "test_bias", "worst", "p", "status"]
LARGEST = 2  # budgets held out
EPOCHS = 10  # runs with more passes are held out
NOISE = 0.01  # of log loss between seeds of runs as large as those of the sweeps
RETOLD = 200
REPEATED = (laws.chinchilla, laws.muennighoff)


def show() -> None:
    """Print the report."""
    for part in (noise, surface, allocation, schedules, repeated, rates, outcome):
        print(f"## {(part.__doc__ or '').splitlines()[0]}\n\n{part()}\n", flush=True)


def noise() -> str:
    """Noise between seeds beside the residuals of the fit, in log loss."""
    frame = jl.datasets.load("tinylm").query("purpose in ['surface', 'seeds']")
    runs = jl.datasets.runs("tinylm")
    law = jl.fit(laws.chinchilla, runs).bind()
    frame = frame.assign(
        log=np.log(frame["loss"]),
        residual=np.log(frame["loss"])
        - np.log(np.asarray(law(runs.inputs["N"], runs.inputs["D"]))),
        cell=frame["run"].str.replace(r"-seed\d+", "", regex=True),
    )
    cells = frame.groupby("cell").agg(
        params=("params", "first"),
        tokens=("tokens", "first"),
        compute=("compute", "first"),
        seeds=("log", "size"),
        sd=("log", "std"),
        residual=("residual", "mean"),
    )
    cells = cells[cells["seeds"] > 1].sort_values("compute")
    lines = [cells.to_string(index=False, float_format="{:.4g}".format)]
    middle = frame["compute"].median()
    for name, half in (
        ("all", "compute > 0"),
        ("below", f"compute < {middle}"),
        ("above", f"compute >= {middle}"),
    ):
        here = cells.query(half)
        spread = frame.query(half)["residual"].std()
        pooled = np.sqrt((here["sd"] ** 2).mean()) if len(here) else np.nan
        lines.append(
            f"{name}{'' if name == 'all' else f' {middle:.2g} FLOP'}: "
            f"seeds {pooled:.4f} ({len(here)} cells), residuals {spread:.4f}"
        )
    return "\n".join(lines)


def surface() -> str:
    """Laws of N and D: the largest budgets predicted from the others."""
    runs = jl.datasets.runs("tinylm")
    compute = np.asarray(runs.inputs["C"])
    test = compute >= np.unique(compute)[-LARGEST]
    table = jl.compare(CANDIDATES, runs, test=test)
    # Farseer's law is in bits; errors of the logarithm compare across units.
    bits = jl.Runs.from_arrays(
        np.asarray(runs.target) / np.log(2), N=runs.inputs["N"], D=runs.inputs["D"], name="tinylm"
    )
    table = pd.concat([table, jl.compare(laws.farseer, bits, test=test)]).sort_values("test_rmsle")
    weights = jl.backtest(CANDIDATES, runs).weights
    table["backtest"] = pd.Series(weights, [law.name for law in CANDIDATES])
    head = f"{int(test.sum())} of {len(runs)} runs held out\n"
    return head + table[[*SHOWN, "backtest"]].to_string(float_format="{:.4g}".format)


def allocation() -> str:
    """The compute-optimal size: law, and parabolas through the profiles."""
    runs = jl.datasets.runs("tinylm")
    shown = [jl.isoflop(runs).frame().to_string()]
    for law in (laws.chinchilla, laws.coupled_additive):
        boot = jl.bootstrap(jl.fit(law, runs), draws=2000)
        uses = jl.frontier(boot, C=[1e10, 1e11, 1e12, 1e13, 2.5e13]).frame()
        shown += [law.name, boot.frame().to_string(), uses.to_string()]
    return "\n\n".join(shown)


def schedules() -> str:
    """Laws over schedules: fitted to constant and cosine, asked for the others."""
    lines = []
    for kind in curves.KINDS:
        law = curves.law(kind)
        known = curves.runs("schedule in ['constant', 'cosine']")
        fit = jl.fit(law, known, starts=curves.STARTS)
        for schedule in ("cosine_double", "wsd_10", "wsd_30"):
            asked = curves.runs(f"schedule == '{schedule}'")
            with jax.enable_x64(True):  # the law numbers its steps in 64 bits
                found = np.asarray(fit.bind()(*asked.inputs.values()))
            error = np.log(found) - np.log(np.asarray(asked.target))
            lines.append(
                {
                    "law": kind,
                    "schedule": schedule,
                    "rmsle": np.sqrt((error**2).mean()),
                    "at the end": error[-1],
                }
            )
        lines.append({"law": kind, "schedule": "fitted", "rmsle": fit.scale})
    ends = jl.datasets.load("tinylm").query("purpose == 'schedules'")[["run", "loss", "loss_se"]]
    return "\n\n".join(
        frame.to_string(index=False, float_format="{:.4f}".format)
        for frame in (ends, pd.DataFrame(lines))
    )


def repeated() -> str:
    """Repeated data: many passes predicted from few."""
    frame = jl.datasets.load("tinylm").query("purpose in ['surface', 'seeds', 'repeated']")
    columns = {"N": "params", "D": "tokens", "U_D": "unique_tokens"}
    runs = jl.Runs.from_frame(frame, **columns, target="loss", name="tinylm")
    test = np.asarray(frame["tokens"] / frame["unique_tokens"]) > EPOCHS
    table = jl.compare(REPEATED, runs, test=test)
    # The third law calls the tokens seen T and the unique ones D.
    other = {"N": "params", "T": "tokens", "D": "unique_tokens"}
    runs = jl.Runs.from_frame(frame, **other, target="loss", name="tinylm")
    table = pd.concat([table, jl.compare(laws.practical_data_constrained, runs, test=test)])
    shown = table[["test_rmsle", "test_bias", "worst", "p", "aicc", "status"]]
    return f"{int(test.sum())} of {len(runs)} runs held out\n" + shown.to_string()


def rates() -> str:
    """The best learning rate and batch: parabolas in logs, beside Step Law's exponents."""
    frame = jl.datasets.load("tinylm").query("purpose == 'sweep'")
    table, found = _optima(frame)
    random = np.random.default_rng(0)
    again = [
        _optima(frame.assign(loss=frame["loss"] * np.exp(random.normal(0, NOISE, len(frame)))))[1]
        for _ in range(RETOLD)
    ]
    low, high = np.quantile(again, [0.05, 0.95], axis=0)
    names = ("rate ~ N^, over cells", "rate ~ D^, one size", "batch ~ D^, over cells")
    rate, batch = (law.constants["li2025step"].values for law in (laws.step_lr, laws.step_batch))
    lines = [
        f"{name}: {one:.2f} ({a:.2f}, {b:.2f}); Step Law {theirs}"
        for name, one, a, b, theirs in zip(
            names, found, low, high, (rate["aN"], rate["aD"], batch["aD"]), strict=True
        )
    ]
    head = f"90 % intervals: {RETOLD} times with the noise of seeds, {NOISE:.0%}, added again"
    return "\n".join([table.to_string(index=False, float_format="{:.4g}".format), head, *lines])


def _optima(frame: pd.DataFrame) -> tuple[pd.DataFrame, tuple[float, float, float]]:
    """Return the best rate and batch of every cell, and three exponents through them."""
    # Lengths differ by the rounding to whole steps: a cell is what was asked for.
    cell = frame["run"].str.extract(r"sweep-(\d+)-(\d+)-b").astype(int)
    optima = []
    for (params, tokens), rows in frame.groupby([cell[0], cell[1]]):
        grid = rows.pivot(index="batch", columns="learning_rate", values="loss")
        batch, inside = best(grid.index, grid.min(axis=1))
        row = grid.loc[grid.min(axis=1).idxmin()]
        rate, within = best(row.index, row)
        optima.append(
            {
                "params": params,
                "tokens": tokens,
                "rate": rate,
                "batch": batch,
                "loss": grid.min().min(),  # over the runs there are
                "inside": inside and within,
            }
        )
    table = pd.DataFrame(optima)
    N, D = jnp.asarray(table["params"], float), jnp.asarray(table["tokens"], float)
    weight = jnp.asarray(table["inside"], float)
    rate = loglinear(jnp.asarray(table["rate"]), N, weight=weight)
    batch = loglinear(jnp.asarray(table["batch"]), D, weight=weight)
    same = table[table["params"].duplicated(keep=False)]  # one size, two lengths
    (short, long) = same.sort_values("tokens").itertuples(index=False)
    slope = np.log(long.rate / short.rate) / np.log(long.tokens / short.tokens)
    return table, (float(rate[1]), float(slope), float(batch[1]))


def outcome() -> str:
    """The largest runs: forecast and measurement."""
    if not PLACE.exists():
        return "no forecast yet"
    return beside().to_string(index=False, float_format="{:.4f}".format)


def beside() -> pd.DataFrame:
    """Return the committed forecast with what was measured, and whether intervals hold it."""
    measured = jl.datasets.load("tinylm").set_index("run")["loss"]
    table = pd.read_csv(PLACE)
    found = table["run"].map(measured)  # missing until a run is trained
    table["measured"] = found
    table["error"] = np.log(table["loss"] / found)
    for prob in (50, 90):
        inside = (table[f"low_{prob}"] <= found) & (found <= table[f"high_{prob}"])
        table[f"in_{prob}"] = inside.map({True: "yes", False: "no"}).where(found.notna(), "")
    return table
