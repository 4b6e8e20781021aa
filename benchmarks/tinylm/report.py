"""What the shipped table says: noise, laws, schedules, repeated data, learning rate and batch."""

import jax.numpy as jnp
import numpy as np
import pandas as pd

import jaxlaws as jl
from benchmarks.tinylm import curves
from benchmarks.tinylm.forecast import CANDIDATES, PLACE
from jaxlaws import laws
from jaxlaws.laws.hyperparameters import loglinear

SHOWN = ["test_rmsle", "test_bias", "worst", "p", "delta_aicc", "status"]
LARGEST = 2  # budgets held out
EPOCHS = 10  # runs with more passes are held out
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
    weights = jl.backtest(CANDIDATES, runs).weights
    table["backtest"] = pd.Series(weights, [law.name for law in CANDIDATES])
    head = f"{int(test.sum())} of {len(runs)} runs held out\n"
    return head + table[[*SHOWN, "backtest"]].to_string(float_format="{:.4g}".format)


def allocation() -> str:
    """The compute-optimal size: law, and parabolas through the profiles."""
    runs = jl.datasets.runs("tinylm")
    boot = jl.bootstrap(jl.fit(laws.chinchilla, runs), draws=2000)
    shown = [boot.frame().to_string(), jl.isoflop(runs).frame().to_string()]
    shown.append(jl.frontier(boot, C=[1e10, 1e11, 1e12, 1e13, 2.5e13]).frame().to_string())
    return "\n\n".join(shown)


def schedules() -> str:
    """Laws over schedules: fitted to constant and cosine, asked for the others."""
    lines = []
    for kind in curves.KINDS:
        law = curves.law(kind)
        known = curves.runs("schedule in ['constant', 'cosine']")
        fit = jl.fit(law, known)
        for schedule in ("cosine_double", "wsd_10", "wsd_30"):
            asked = curves.runs(f"schedule == '{schedule}'")
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
    return pd.DataFrame(lines).to_string(index=False, float_format="{:.4f}".format)


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
    # Lengths differ by the rounding to whole steps: a cell is what was asked for.
    cell = frame["run"].str.extract(r"sweep-(\d+)-(\d+)-b")
    optima = []
    for (params, tokens), rows in frame.groupby([cell[0].astype(int), cell[1].astype(int)]):
        x, y = np.log(rows["learning_rate"]), np.log(rows["batch"])
        near = rows["loss"] < 1.05 * rows["loss"].min()
        design = np.stack([np.ones_like(x), x, y, x**2, x * y, y**2], axis=1)
        c = np.linalg.lstsq(design[near], np.log(rows["loss"])[near], rcond=None)[0]
        best = np.linalg.solve([[2 * c[3], c[4]], [c[4], 2 * c[5]]], [-c[1], -c[2]])
        least = rows.loc[rows["loss"].idxmin()]
        optima.append(
            {
                "params": params,
                "tokens": tokens,
                "rate": np.exp(best[0]),
                "batch": np.exp(best[1]),
                "best run's rate": least["learning_rate"],
                "best run's batch": least["batch"],
                "loss": least["loss"],
                "minimum": c[3] > 0 and 4 * c[3] * c[5] > c[4] ** 2,
            }
        )
    table = pd.DataFrame(optima)
    N, D = jnp.asarray(table["params"]), jnp.asarray(table["tokens"])
    one = jnp.ones(len(table))
    rate = loglinear(jnp.asarray(table["rate"]), N, D, weight=one)
    batch = loglinear(jnp.asarray(table["batch"]), D, weight=one)
    return "\n".join(
        [
            table.to_string(index=False, float_format="{:.4g}".format),
            f"rate = {np.exp(rate[0]):.3g} N^{rate[1]:.3f} D^{rate[2]:.3f}"
            "; Step Law 1.79 N^-0.713 D^0.307",
            f"batch = {np.exp(batch[0]):.3g} D^{batch[1]:.3f}; Step Law 0.58 D^0.571",
        ]
    )


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
