"""Backtests of tables with several inputs: the OLMo ladder and the test regions of ScaleBench.

    python -m benchmarks.backtests [name ...]

OLMo: the 90 % interval of a new run at 7B and 13B from sixteen runs of at most 1.3B, plain and with
what the backtest adds, beside the measured value. ScaleBench: R^2 on the test rows of all groups
together, of every law that takes the inputs, of the one with the greatest backtest weight, and of
the average; groups are alike tables, each with the prior that the others give it. Shares of a
mixture say nothing about how large a run is: there the law of each loss is chosen, and the average
stacked, by leaving out one mixture at a time.
"""

import argparse
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import jaxlaws as jl
from benchmarks.refits.row import explained, predicted
from benchmarks.refits.sldbench import (
    SHARES,
    floor_by_size,
    floor_shares,
    flp_shares,
    pair,
    step_coupled,
    step_skewed,
    step_surface,
    vocab_joint,
    vocab_runs,
)
from jaxlaws._loo import stacking
from jaxlaws.laws.mixture import ye_data_mixing
from tests import certified

os.environ.setdefault("JAXLAWS_DATA", str(Path(__file__).resolve().parents[2] / "shared" / "data"))
STARTS = 32
FEWER = {"lr_bsz": 8}  # a table of 2702 runs; every cut also tries the ends at the others
DRAWS = 1000
SIZES = {"160M": 1.6e8, "305M": 3.05e8, "410M": 4.1e8, "70M": 7e7}  # sorted as groups are
Table = tuple[jl.Runs, jl.Runs]


def olmo() -> pd.DataFrame:
    """Eight columns, two targets: measured, predicted, intervals, and whether they hold it."""
    law, columns = jl.laws.chinchilla, [column for column, *_ in certified.LADDER]
    stack = jl.Runs.stack([certified.ladder(column) for column in columns])
    large = jl.datasets.load("olmo_ladder", "published_predictions_13b")
    large = large[large["analysis"] == "step1_main"].set_index("Task")["Actual"]
    small = jl.datasets.load("olmo_ladder", "target_7b")
    small = small[small["file"] == "peteish7_eval_anneal"].iloc[0]
    at = {k: [certified.LADDER_7B[k], certified.LADDER_13B[k]] for k in ("N", "D")}
    rows = []
    fits, tests = jl.fit(law, stack), jl.backtest(law, stack, starts=STARTS)
    for column, fit, found in zip(columns, fits, tests, strict=True):
        task = column.removeprefix("bpb:").removesuffix("_rc_5shot_bpb")
        named = large[large.index.str.startswith(task)]
        actual = (small[column], named.iloc[0] if len(named) else np.nan)
        draws = jl.bootstrap(fit, jl.Bayesian(), draws=DRAWS)
        prediction = jl.predict(draws, backtest=found, **at)
        frame = prediction.frame(0.9)
        for i, size in enumerate(("7B", "13B")):
            row = dict(task=task, at=size, measured=actual[i], predicted=frame["L"][i])
            for kind, values in (("run", prediction.run), ("backtest", prediction.backtest)):
                assert values is not None
                low, high = np.quantile(values[:, i], [0.05, 0.95])
                row |= {f"{kind}_low": low, f"{kind}_high": high}
                row[f"{kind}_holds"] = bool(low <= actual[i] <= high)
                if np.isnan(actual[i]):
                    row[f"{kind}_holds"] = None
            notes = [*fit.at_bound, *(f"dead {name}" for name in fit.dead)]
            row["open"] = "; ".join(notes) or ("withheld" if prediction.withheld else "")
            rows.append(row)
    return pd.DataFrame(rows)


def _pair(task: str) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
    """Training and test rows of every group."""
    train, test = pair(task)
    for group in train["group"].unique():
        yield train[train["group"] == group], test[test["group"] == group]


def lr_bsz() -> tuple[list[Table], Sequence[jl.Law], list[str]]:
    """Li et al.: learning rate and batch; the largest size and data predicted."""
    columns = dict(N="non_embedding_param_size", D="data_size", lr="lr", B="bsz", target="lm_loss")
    laws = (step_surface, step_coupled, step_skewed, jl.laws.chinchilla, jl.laws.kaplan_nd)
    return _runs("lr_bsz", **columns), laws, ["N", "D"]


def vocab() -> tuple[list[Table], Sequence[jl.Law], list[str]]:
    """Tao et al.: the largest vocabulary predicted."""
    laws = (jl.laws.vocab_parametric, jl.laws.find("vocab_parametric(count)"), vocab_joint)
    return [vocab_runs()], laws, ["V"]


def parallel() -> tuple[list[Table], Sequence[jl.Law], list[str]]:
    """Chen et al.: streams 1, 2, 4 fitted, 8 predicted."""
    laws = (jl.laws.parscale, jl.laws.parscale_rho, jl.laws.kaplan_n)
    return _runs("parallel", N="num_params", P="parallel_size", target="loss"), laws, ["N", "P"]


def data_constrained() -> tuple[list[Table], Sequence[jl.Law], list[str]]:
    """Muennighoff et al.: the largest runs predicted."""
    columns = dict(N="params", D="tokens", U_D="unique_tokens", target="loss")
    # Of the others that take N and D, farseer is in bits, practical_data_constrained calls other
    # columns D, and the rest are the same surfaces under other names.
    names = ("chinchilla", "kaplan_nd", "coupled_additive", "densing_loss", "shannon_law")
    laws = (jl.laws.muennighoff, *map(jl.laws.find, names))
    return _runs("data_constrained", **columns), laws, ["N", "D"]


def _runs(task: str, **columns: Any) -> list[Table]:
    return [
        (jl.Runs.from_frame(a, **columns), jl.Runs.from_frame(b, **columns)) for a, b in _pair(task)
    ]


TASKS: tuple[Callable[[], tuple[list[Table], Sequence[jl.Law], list[str]]], ...] = (
    parallel,
    vocab,
    data_constrained,
    lr_bsz,
)


def scalebench(wanted: Sequence[str]) -> pd.DataFrame:
    """Pooled test R^2 of every law, of the chosen one, and of the average."""
    rows = []
    for task in (task for task in TASKS if task.__name__ in wanted):
        tables, laws, size = task()
        stack = jl.Runs.stack([train for train, _ in tables])
        starts = FEWER.get(task.__name__, STARTS)
        tests = jl.backtest(laws, stack, size=size, starts=starts)
        ends: dict[str, list[np.ndarray]] = {law.name: [] for law in laws}
        for law in laws:
            for fit, (_, far) in zip(jl.fit(law, stack), tables, strict=True):
                ends[law.name].append(predicted(law, fit.params, far))
        try:
            tests = jl.pool(tests) if len(tests) > 1 else tests
            weights = [found.weights for found in tests]
        except jl.InputError as refusal:  # then no law is chosen
            print(refusal, flush=True)
            weights = []
        ends |= {"chosen": [], "average": []} if weights else {}
        logs = laws[0].target.space == "log"
        forth, back = (np.log, np.exp) if logs else (np.asarray, np.asarray)
        for g, (found, share) in enumerate(zip(tests, weights, strict=bool(weights))):
            print(found, flush=True)
            each = np.stack([ends[law.name][g] for law in laws])
            ends["chosen"].append(each[share.argmax()])
            ends["average"].append(back(share @ forth(each)))
        measured = np.concatenate([far.target for _, far in tables])
        weight = np.mean(weights, axis=0) if weights else np.full(len(laws), np.nan)
        for i, (name, parts) in enumerate(ends.items()):
            row = dict(task=task.__name__, law=name, weight=weight[i] if i < len(laws) else np.nan)
            rows.append(row | dict(R2=explained(measured, np.concatenate(parts))))
        print(pd.DataFrame(rows).tail(len(ends)).to_string(index=False), flush=True)
    if "domain_mixture" in wanted:
        rows += _domain_mixture()
    return pd.DataFrame(rows)


def _domain_mixture() -> Iterator[dict[str, Any]]:
    """Ye et al.: five losses at four sizes; six mixtures predicted from twenty others."""
    train, test = (
        part.assign(
            N=part["group"].map(SIZES), mixture=part.groupby(SHARES, sort=False).ngroup()
        ).sort_values(["group", "mixture"])
        for part in pair("domain_mixture")
    )
    mixtures = train["mixture"]
    left = [(train[mixtures != k], train[mixtures == k]) for k in mixtures.unique()]
    ends: dict[str, list[np.ndarray]] = {}
    measured, weights = [], []
    for i, own in enumerate(SHARES):
        target = f"loss_domain_{i + 1}"
        laws = {  # columns, and whether one surface holds for all sizes
            ye_data_mixing(5): (dict(r=SHARES), False),
            flp_shares: (dict(h=[own, *(one for one in SHARES if one != own)]), False),
            floor_shares: (dict(h=SHARES), False),
            floor_by_size: (dict(N="N", h=SHARES), True),
        }
        away, each = [], []
        for law, (columns, joint) in laws.items():
            columns = columns | dict(target=target)
            found = _fitted(law, left, joint, columns)
            error = np.concatenate([np.log(p) for p in found])
            error -= np.concatenate([np.log(far[target]) for _, far in left])
            away.append(error)
            each.append(_fitted(law, [(train, test)], joint, columns)[0])
            ends.setdefault(law.name, []).append(each[-1])
        spread = np.sqrt(np.mean(np.square(away), axis=1))
        print(target, {law.name: round(float(sd), 4) for law, sd in zip(laws, spread, strict=True)})
        log = -0.5 * (np.stack(away) / spread[:, None]) ** 2 - np.log(spread[:, None])
        weights.append(stacking(log.T))
        ends.setdefault("chosen", []).append(each[int(spread.argmin())])
        ends.setdefault("average", []).append(np.exp(weights[-1] @ np.log(each)))
        measured.append(test[target])
    shown = np.mean(weights, axis=0)
    for i, (name, parts) in enumerate(ends.items()):
        value = explained(np.concatenate(measured), np.concatenate(parts))
        weight = shown[i] if i < len(shown) else np.nan
        yield dict(task="domain_mixture", law=name, weight=weight, R2=value)


def _fitted(
    law: jl.Law, pairs: list[tuple[pd.DataFrame, pd.DataFrame]], joint: bool, columns: dict
) -> list[np.ndarray]:
    """What a law fitted to the first tables predicts of the second, each size alone or jointly."""
    sizes = [slice(None)] if joint else list(SIZES)
    tables = [
        tuple(
            jl.Runs.from_frame(part if joint else part[part["group"] == size], **columns)
            for part in pair
        )
        for pair in pairs
        for size in sizes
    ]
    fits = jl.fit(law, jl.Runs.stack([near for near, _ in tables]), starts=STARTS)
    found = [predicted(law, fit.params, far) for fit, (_, far) in zip(fits, tables, strict=True)]
    return [np.concatenate(found[k : k + len(sizes)]) for k in range(0, len(found), len(sizes))]


def main() -> None:
    """Print the tables asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    known = ["olmo", *(task.__name__ for task in TASKS), "domain_mixture"]
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(known))
    names = parser.parse_args().names or known
    if unknown := set(names) - set(known):
        parser.error(f"no task {min(unknown)}; there are {', '.join(known)}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", jl.InputWarning)
        for found in ([olmo()] if "olmo" in names else [], [scalebench(names)]):
            for part in found:
                print(part.to_string(index=False, float_format="{:.4f}".format), flush=True)


if __name__ == "__main__":
    main()
