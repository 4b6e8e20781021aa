"""The command line: what it prints, how it leaves, and that mistakes cost one sentence."""

import argparse
import dataclasses
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pandas as pd
import pytest

import jaxlaws as jl
from jaxlaws._cli import _arguments, _compute, _terminal, main
from jaxlaws._cli import _words as words
from jaxlaws._io import load, save

Run = Callable[..., "Done"]
SETTINGS = "jax_enable_x64 jax_compilation_cache_dir".split()


@dataclasses.dataclass
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        return json.loads(self.out)


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def run(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    cache: Path,
) -> Run:
    """Run a command in an empty folder, in this process."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    monkeypatch.delenv("JAXLAWS_CACHE", raising=False)
    monkeypatch.chdir(tmp_path)
    before = {name: getattr(jax.config, name) for name in SETTINGS}

    def run(*argv: Any) -> Done:
        code = main([str(word) for word in argv])
        assert {name: getattr(jax.config, name) for name in SETTINGS} == before
        return Done(code, *capsys.readouterr())

    return run


@pytest.fixture(scope="session")
def table() -> pd.DataFrame:
    """The simulated runs under the law's own names."""
    frame = jl.datasets.load("simulated_chinchilla")
    return frame[["params", "tokens", "loss"]].rename(columns=dict(params="N", tokens="D"))


@pytest.fixture(scope="session")
def result(boot: jl.Draws, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(boot, tmp_path_factory.mktemp("result") / "chinchilla.fit")


def mistake(done: Done) -> str:
    """The sentence of a command that could not be done; and that there is nothing else."""
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("jaxlaws: ")
    assert done.err.count("\n") == 1
    assert "Traceback" not in done.err
    return done.err


# The main job


def test_the_main_job(run: Run, boot: jl.Draws) -> None:
    done = run(
        "fit", "chinchilla", "simulated_chinchilla", "--objective", "squared", "--bootstrap", "40",
        "--starts", "32", "--predict", "N=70B,D=1.4T", "--frontier", "1e20:1e24:2",
        "--out", "out/a.fit", "--plot", "out/a.png",
    )  # fmt: skip
    assert done.code == 0
    assert done.err == ""
    assert "simulated_chinchilla: 81 SIMULATED runs, not measurements" in done.out
    assert "N = params, D = tokens, target = loss" in done.out
    assert "pairs bootstrap: 40 refits, 0 failed; 90 % intervals" in done.out
    assert re.search(r"^alpha +0\.34\d+ +0\.0\d+ +0\.3\d+ +0\.3\d+", done.out, re.MULTILINE)
    assert re.search(
        r"^ +70B +1\.4T +1\.9\d+ +1\.9\d+ to \S+ +1\.9\d+ to \S+ +2\.39x$", done.out, re.MULTILINE
    )
    assert re.search(r"^ +1e\+24 +\S+B \[\S+B, \S+B\] +\S+T \[\S+T, \S+T\]", done.out, re.MULTILINE)
    assert "the largest run took 6ND = 3e+21 FLOP" in done.out
    assert "wrote the result to out/a.fit (in a new folder)" in done.out
    assert sorted(p.name for p in Path("out").iterdir()) == ["a.fit", "a.png"]
    assert Path("out/a.png").read_bytes().startswith(b"\x89PNG")
    again = load("out/a.fit")
    assert boot.fit is not None
    np.testing.assert_array_equal(again.fit.params["E"], boot.fit.params["E"])
    assert len(again) == 40


def test_json_says_the_same_and_nothing_else(run: Run, table: pd.DataFrame) -> None:
    frame = table.copy()
    frame.loc[80] = frame.loc[0]
    frame.to_csv("twice.csv", index=False)
    done = run(
        "fit", "chinchilla", "twice.csv", "--objective", "squared", "--bootstrap", "20",
        "--starts", "32", "--predict", "N=1e9,2e9,D=1e10", "--json",
    )  # fmt: skip
    assert done.code == 0
    data = done.data
    assert done.err.startswith("warning: twice.csv: 1 rows repeat an earlier one")
    assert done.err.count("\n") == 1
    assert data["trusted"] is True
    assert data["table"]["kind"] == "unknown"
    assert [p["parameter"] for p in data["result"]["parameters"]] == "E A B alpha beta".split()
    assert [row["N"] for row in data["predictions"][0]["rows"]] == [1e9, 2e9]


def test_without_draws_there_are_no_intervals(run: Run, squared_fit: jl.Fit) -> None:
    save(squared_fit, "a.fit")
    done = run("predict", "a.fit", "N=70e9", "D=1.4e12", "--json")
    assert done.code == 0
    row = done.data["prediction"]["rows"][0]
    assert row["law_low"] is None
    assert row["L"] == pytest.approx(1.974, abs=0.01)
    assert "no intervals, since there are no draws" in run("frontier", "a.fit", "C=1e22").out


def test_a_result_that_is_not_to_be_trusted(run: Run, boot: jl.Draws) -> None:
    bad = dataclasses.replace(boot, status=np.where(np.arange(400) < 40, 1, 0))
    save(bad, "bad.fit")
    done = run("predict", "bad.fit", "N=70B", "D=1.4T")
    assert done.code == 1
    assert done.err == ""
    assert re.search(r"no intervals, since 10\.0% of 400 refits are no certified minima", done.out)
    assert " to " not in done.out.split("note:")[0]
    done = run("frontier", "bad.fit", "C=1e20", "--json")
    assert (done.code, done.data["trusted"]) == (1, False)
    assert done.data["frontier"]["rows"][0]["N_opt_low"] is None
    assert boot.fit is not None
    stalled = dataclasses.replace(boot.fit, status="stalled")
    save(dataclasses.replace(boot, fit=stalled), "stalled.fit")
    done = run("predict", "stalled.fit", "N=70B", "D=1.4T")
    assert done.code == 1
    assert "note: no prediction, since the fit did not converge (stalled)" in done.out
    assert "70B" not in done.out


def test_refits_that_fail_withhold_the_interval(run: Run, table: pd.DataFrame) -> None:
    few = np.isin(np.arange(81), [0, 9, 33, 40, 60, 70, 80])  # 81 rows: code is compiled for them
    table.assign(used=few.astype(float)).to_csv("few.csv", index=False)
    done = run(
        "fit", "chinchilla", "few.csv", "--weight", "used", "--objective", "squared",
        "--bootstrap", "64", "--starts", "32", "--out", "f",
    )  # fmt: skip
    assert done.code == 1
    assert "no intervals, since" in done.out
    assert "Fix or tie parameters" in done.out
    assert re.search(r"^E +\d\S+ +nats/token$", done.out, re.MULTILINE)
    assert load("f").withheld()


# From a result file


def test_predict(run: Run, result: Path, boot: jl.Draws) -> None:
    done = run("predict", result, "N=7e9,70e9", "D=1.4e12", "--prob", "0.5", "--json")
    frame = jl.predict(boot, N=[7e9, 70e9], D=1.4e12).frame(0.5)
    assert done.code == 0
    for column in ("L", "law_low", "law_high", "run_low", "run_high", "reach"):
        shown = [row[column] for row in done.data["prediction"]["rows"]]
        np.testing.assert_array_equal(shown, frame[column])
    assert "SIMULATED runs" in run("predict", result, "N=7e9", "D=1.4e12").out


def test_predict_with_a_backtest(run: Run, result: Path, boot: jl.Draws) -> None:
    done = run("predict", result, "N=70e9", "D=1.4e12", "--backtest", "--json")
    assert done.code == 0
    row = done.data["prediction"]["rows"][0]
    assert row["backtest_low"] < row["run_low"] < row["run_high"] < row["backtest_high"]
    assert "backtest adds how far the law missed" in done.data["prediction"]["includes"][1]
    shown = run("predict", result, "N=70e9", "D=1.4e12", "--backtest").out
    assert "with backtest" in shown
    assert re.search(r"Backtest on \S+: \d cuts hold out", shown)
    save(jl.published(jl.laws.chinchilla, "hoffmann2022_unrounded"), "print.fit")
    done = run("predict", "print.fit", "N=70e9", "D=1.4e12", "--backtest")
    assert done.code == 2
    assert "there are no runs to test" in done.err


def test_a_posterior_with_a_prior_of_ones_own(run: Run) -> None:
    word = ("kaplan_nd", "simulated_chinchilla", "--starts", 8, "--posterior", 250)
    more = ("--input-error", "D=0.02", "--out", "p.fit", "--json")
    done = run("fit", *word, "--prior", "aN=LogNormal(-1.2, 0.3)", *more)
    assert done.code == 0
    table = {row["parameter"]: row for row in done.data["priors"]}
    assert table["aN"]["prior"] == "LogNormal"
    assert table["aN"]["50 %"] == pytest.approx(np.exp(-1.2))
    assert done.data["result"]["sampling"]["chains"] == 4
    assert max(done.data["result"]["sampling"]["rhat"].values()) < 1.05
    again = load(Path("p.fit"))
    assert again.sampling.known.priors["aN"].scale == pytest.approx(0.3)
    assert table["error of D"]["50 %"] == 0.02
    assert again.sampling.model.blurred == ("D",)
    assert "a new run" in run("predict", "p.fit", "N=70B", "D=1.4T").out
    done = run("diagnose", "p.fit", "--plot", "checks.png")
    assert "Posterior predictive checks" in done.out
    assert Path("checks.png").read_bytes().startswith(b"\x89PNG")
    refused = {
        ("--prior", "gamma=Normal(0,1)"): "has no parameter 'gamma'",
        ("--prior", "aN=Norml(0,1)"): "did you mean Normal?",
        ("--prior", "aN=Normal(0,-1)"): "Normal(0, -1) is no distribution",
        ("--prior", "aN"): "is written E=Normal(1.7,0.1)",
        ("--input-error", "lr=0.02"): "no measured input 'lr' with one number per run; it has N, D",
        ("--input-error", "D=-0.02"): "zero or more; got -0.02",
        ("--input-error", "D=tokns"): "'tokns'",
        ("--bootstrap", "100"): "either for --posterior or for --bootstrap",
    }
    for words_, said in refused.items():
        assert said in mistake(run("fit", *word, *words_))
    for words_ in (("--prior", "aN=Normal(0,1)"), ("--input-error", "D=0.02")):
        said = mistake(run("fit", "kaplan_nd", "simulated_chinchilla", *words_))
        assert "belongs to a posterior" in said


def test_frontier(run: Run, result: Path) -> None:
    done = run("frontier", result, "C=1e19:1e21", "--plot", "deep/f.png")
    assert done.code == 0
    assert re.findall(r"^ +(1e\+\d\d) ", done.out, re.MULTILINE) == ["1e+19", "1e+20", "1e+21"]
    assert Path("deep/f.png").read_bytes().startswith(b"\x89PNG")
    row = run("frontier", result, "C=1e19:1e21", "--json").data["frontier"]["rows"][1]
    assert row["N_opt_low"] < row["N_opt"] < row["N_opt_high"]
    found = run("frontier", result, "L=2.2", "--cost", "inference=1e13", "--json").data["frontier"]
    assert found["cost"] == "inference=1e13"
    assert found["rows"][0]["tokens_per_parameter"] > 100  # about 20 where training alone counts


def test_diagnose(run: Run, result: Path) -> None:
    done = run("diagnose", result, "--json")
    assert done.code == 0
    assert done.data["unidentified"] == []
    assert done.data["headline"].startswith("81 runs identify every parameter")


# Over tables


def test_compare(run: Run) -> None:
    done = run(
        "compare", "simulated_chinchilla", "chinchilla", "kaplan_n", "--test", "flops > 1e21",
        "--objective", "squared", "--starts", "8", "--json",
    )  # fmt: skip
    assert done.code == 0
    assert [row["law"] for row in done.data["laws"]] == ["chinchilla", "kaplan_n"]
    assert "of 81 runs" in done.data["held_out"]


def test_sensitivity(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from jaxlaws import _sensitivity

    real = _sensitivity.sensitivity

    def quick(laws: Any, runs: Any, **more: Any) -> Any:
        assert more == {"C": 1e24}
        return real(laws, runs, objectives=[jl.Squared()], spaces=["log"], starts=8, **more)

    monkeypatch.setattr(_sensitivity, "sensitivity", quick)
    done = run("sensitivity", "simulated_chinchilla", "chinchilla", "--budget", "1e24")
    assert done.code == 0
    assert "tokens_per_parameter" in done.out
    assert "simulated_chinchilla: 1 choices" in done.out


def test_columns_of_other_names(run: Run, table: pd.DataFrame) -> None:
    renamed = table.rename(columns=dict(N="n_params", D="n_tokens", loss="val_loss"))
    renamed.assign(lab=np.arange(81) % 3, old=0).to_csv("runs.csv", index=False)
    done = run(
        "fit", "chinchilla", "runs.csv", "N=n_params", "--target", "val_loss", "D=n_tokens",
        "--group", "lab", "--where", "old == 0", "--objective", "squared", "--starts", "32",
        "--json",
    )  # fmt: skip
    assert (done.code, done.err) == (0, "")
    assert done.data["table"]["columns"] == {
        "N": "n_params",
        "D": "n_tokens",
        "target": "val_loss",
        "group": "lab",
    }
    assert done.data["table"]["where"] == "old == 0"


def test_the_roles_of_a_registered_table_and_their_override(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    args = argparse.Namespace(
        table="chinchilla_epoch", target=None, group=None, weight=None, where=None
    )
    source = _compute.read(args, [jl.laws.chinchilla], {})
    assert (len(source.runs), source.where) == (240, "excluded_in_paper == 0")
    args.where = ""
    source = _compute.read(args, [jl.laws.chinchilla], {"N": "tokens"})
    assert len(source.runs) == 245
    np.testing.assert_array_equal(source.runs.inputs["N"], source.runs.inputs["D"])
    assert source.mask("params > 1e9").sum() == (source.frame["params"] > 1e9).sum()


def test_variants_of_a_law(run: Run) -> None:
    args = argparse.Namespace(fix=["E=1.69,A=400"], tie=["beta=alpha"], per_group=["B"])
    runs = jl.Runs.from_arrays([1.0, 2.0], group=["a", "b"])
    made = _compute.choices.variant(jl.laws.chinchilla, args, runs)
    assert list(made.params) == ["B", "alpha"]
    assert made.params["B"].size == (2,)
    made = _compute.choices.variant(
        jl.laws.bnsl(2), argparse.Namespace(fix=["c=0.1,0.2"], tie=[], per_group=[]), runs
    )
    assert "c" not in made.params


TWICE = '''
import jaxlaws as jl
from jaxlaws.quantities import Amplitude, Entropy, Exponent, Loss, Params

@jl.law
def twice(N: Params, *, E: Entropy, H: Entropy, A: Amplitude, alpha: Exponent) -> Loss:
    """A law whose floor is in two parts that nothing tells apart."""
    return E + H + A * N**-alpha
'''


def test_what_the_runs_leave_open_has_no_interval_and_the_rest_does(run: Run) -> None:
    Path("laws.py").write_text(TWICE)
    done = run(
        "fit", "laws.py:twice", "simulated_chinchilla", "--objective", "squared", "--bootstrap",
        "40", "--starts", "16", "--predict", "N=1B", "--out", "a.fit", "--json",
    )  # fmt: skip
    assert done.code == 1  # E and H are printed, and mean nothing
    rows = {row["parameter"]: row for row in done.data["result"]["parameters"]}
    assert [k for k, row in rows.items() if row["low"] is None] == ["E", "H"]
    told = done.data["result"]["loose"]
    assert re.match("the runs do not identify E, H: while . rises and . falls the objective", told)
    assert done.data["predictions"][0]["rows"][0]["law_low"] is not None
    answer = run("predict", "a.fit", "N=1B", "--law", "laws.py:twice")
    assert (answer.code, answer.err) == (0, "")
    assert " to " in answer.out


MINE = '''
import jaxlaws as jl
from jaxlaws.quantities import Amplitude, Entropy, Exponent, Loss, Params, Tokens

@jl.law
def mine(N: Params, D: Tokens, *, E: Entropy, A: Amplitude, alpha: Exponent) -> Loss:
    """A law of one exponent."""
    return E + A * (N**-alpha + D**-alpha)
'''


def test_a_law_of_ones_own(run: Run, boot: jl.Draws) -> None:
    Path("laws.py").write_text(MINE)
    assert "A law of one exponent." in run("show", "laws.py:mine").out
    law = _compute.choices.law_of("laws.py:mine")
    point = {"E": 1.7, "A": 400.0, "alpha": 0.35}
    draws = jl.Draws(
        law=law,
        params={k: jax.numpy.full(3, v) for k, v in point.items()},
        point={k: jax.numpy.asarray(v) for k, v in point.items()},
        status=np.zeros(3, int),
        origin="by hand",
        space="log",
        noise=np.zeros(2),
    )
    save(draws, "mine.fit")
    assert "--law FILE.py:NAME" in mistake(run("predict", "mine.fit", "N=1B", "D=1B"))
    assert run("predict", "mine.fit", "N=1B", "D=1B", "--law", "laws.py:mine").code == 0
    assert "only mine" in mistake(run("show", "laws.py:thine"))
    Path("broken.py").write_text("1 / 0")
    assert "ZeroDivisionError" in mistake(run("show", "broken.py:mine"))


# Looking things up


def test_list_and_show(run: Run) -> None:
    every = run("list", "--json").data["laws"]
    assert len(every) >= 15
    assert len({row["law"] for row in every}) == len(every)
    assert {"chinchilla", "bnsl(breaks)"} <= {row["law"] for row in every}
    few = run("list", "--inputs", "N", "D", "--json").data["laws"]
    assert {row["law"] for row in few} >= {"chinchilla", "kaplan_n"}
    assert all(set(row["inputs"]) <= {"N", "D"} for row in few)
    assert "kaplan_nd" in run("list", "--subject", "pretraining").out
    shown = run("show", "chinchilla")
    assert r"E + A N^{-\alpha} + B D^{-\beta}" in shown.out
    assert "besiroglu2024 (verified): E 1.8172" in shown.out
    assert {row["law"] for row in every if "(" in row["law"]} == set(MEMBERS)
    for row in every:
        member = MEMBERS.get(row["law"], row["law"])
        assert member is None or run("show", member, "--json").code == 0


# Of every family a member; None where it takes a table, which nobody types.
MEMBERS = {
    "bnsl(breaks)": "bnsl(2)",
    "lr_annealing(schedules, decay)": None,
    "multi_power_law(schedules)": None,
    "vocab_parametric(v_unit)": "vocab_parametric(count)",
    "qqt_mixture(pools)": "qqt_mixture(2)",
    "ye_data_mixing(domains)": "ye_data_mixing(3)",
    "shukor_mixture(domains, joint)": "shukor_mixture(3, joint)",
    "ruan_observational(components)": "ruan_observational(2)",
    "sloth_skills(skills, families, benchmarks)": "sloth_skills(2, 5, 3)",
    "flp_m_loss(domains)": "flp_m_loss(3)",
    "code_multilingual(tau)": "code_multilingual(((0, 0.4), (0.4, 0)))",
}


def test_data(run: Run) -> None:
    every = run("data", "--json").data["data"]
    assert [row["name"] for row in every] == list(jl.datasets.names())
    assert (
        run("data", "simulated_chinchilla").out == f"{jl.datasets.info('simulated_chinchilla')}\n"
    )


def test_help_and_version(run: Run) -> None:
    for argv in (["--help"], [], *([c.__name__[1:], "--help"] for c in _arguments.COMMANDS)):
        done = run(*argv)
        assert (done.code, done.err) == (0, "")
        assert "jaxlaws " in done.out
    assert set(_compute.COMMANDS) == {c.__name__[1:] for c in _arguments.COMMANDS}
    # What is offered before JAX is loaded is what there is.
    assert set(_arguments.OBJECTIVES) == set(_compute.choices.OBJECTIVES)
    assert set(_arguments.RESAMPLERS) == set(_compute.choices.RESAMPLERS)
    assert all(name in _arguments.COSTS for name in _compute.choices.COSTS)
    assert re.fullmatch(r"jaxlaws \d\S+\n", run("--version").out)


# Mistakes


def altered(**change: tuple[int, Any]) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """The table with one cell changed in each of some columns."""

    def apply(frame: pd.DataFrame) -> pd.DataFrame:
        frame = frame.astype(object)
        for column, (row, value) in change.items():
            frame.loc[row, column] = value
        return frame

    return apply


TABLES: dict[str, tuple[Callable[[pd.DataFrame], pd.DataFrame], str]] = {
    "text": (
        altered(loss=(3, "2.9x")),
        "column 'loss' (target) holds '2.9x' in row 5; expected a number",
    ),
    "NaN": (
        altered(loss=(3, "")),
        "column 'loss' (target) is missing (NaN) in row 5; fill it in or drop the row",
    ),
    "NaN N": (altered(N=(0, "nan")), "'N' is missing (NaN) in row 2"),
    "infinity": (altered(D=(3, "inf")), "'D' is inf in row 5"),
    "loss -1": (
        altered(loss=(5, -1)),
        "'loss' (target, nats/token) must be above zero, got -1 in row 7",
    ),
    "loss 0": (
        altered(loss=(5, 0)),
        "'loss' (target, nats/token) must be above zero, got 0 in row 7",
    ),
    "N 0": (altered(N=(5, 0)), "'N' (parameters) must be above zero, got 0 in row 7"),
    "N -1": (altered(N=(5, -1)), "'N' (parameters) must be above zero, got -1 in row 7"),
    "D 0": (altered(D=(5, 0)), "'D' (tokens) must be above zero, got 0 in row 7; correct the row"),
    "D -1": (altered(D=(5, -1)), "'D' (tokens) must be above zero, got -1 in row 7"),
    "4 points": (lambda f: f.head(4), "chinchilla has 5 parameters and runs.csv only 4 runs; add"),
    "constant N": (lambda f: f.assign(N=1e9), "'N' is 1e+09 in every run"),
    "constant loss": (lambda f: f.assign(loss=3.0), "column 'loss' (target) is 3 in every run"),
    "D = 20 N": (lambda f: f.assign(D=20 * f.N), "column 'N' and column 'D' move together"),
    "no rows": (lambda f: f.head(0), "runs.csv has no rows"),
    "other names": (
        lambda f: f.rename(columns=dict(N="n_params")),
        "no column 'N' (parameters): say which it is, N=n_params; its columns are n_params, D",
    ),
    "no target": (
        lambda f: f.rename(columns=dict(loss="val_loss")),
        "to predict: say which it is, --target val_loss; its columns are N, D, val_loss",
    ),
}


@pytest.mark.parametrize("name", TABLES)
def test_tables_that_cannot_be_fitted(run: Run, table: pd.DataFrame, name: str) -> None:
    change, words_ = TABLES[name]
    change(table).to_csv("runs.csv", index=False)
    done = run("fit", "chinchilla", "runs.csv", "--out", "a.fit", "--bootstrap", "20")
    assert words_ in mistake(done)
    assert os.listdir() == ["runs.csv"]


def test_mistakes_are_told_by_the_columns_of_the_table(run: Run, table: pd.DataFrame) -> None:
    frame = table.rename(columns=dict(N="D", D="N", loss="val"))
    frame.loc[4, "N"] = -1.0
    frame.to_csv("runs.csv", index=False)
    done = run("fit", "chinchilla", "runs.csv", "N=D", "D=N", "--target", "val")
    assert "column 'N' (D, tokens) must be above zero, got -1 in row 6" in mistake(done)


FILES = {
    "empty": ("", "is empty; expected a header line"),
    "semicolons": ("N;D;loss\n1;2;3\n", "separated by ';'; expected commas"),
    "tabs": ("N\tD\tloss\n1\t2\t3\n", "separated by tabs; expected commas"),
}


@pytest.mark.parametrize("name", FILES)
def test_files_that_cannot_be_read(run: Run, name: str) -> None:
    content, words_ = FILES[name]
    Path("runs.csv").write_text(content)
    assert words_ in mistake(run("fit", "chinchilla", "runs.csv"))


FIT = "fit chinchilla runs.csv".split()
WORDS: list[tuple[list[str], str]] = [
    (["fitt"], "no command 'fitt'; did you mean fit?"),
    (["fit"], "jaxlaws fit needs LAW, TABLE; see `jaxlaws fit --help`"),
    (["--verbose"], "jaxlaws has no option --verbose"),
    ([*FIT, "--bootsrap", "40"], "no option --bootsrap; did you mean --bootstrap?"),
    ([*FIT, "--bootstrap", "-5"], "--bootstrap must be a whole number from 2 on, got '-5'"),
    ([*FIT, "--bootstrap", "inf"], "--bootstrap must be a whole number from 2 on, got 'inf'"),
    ([*FIT, "--bootstrap", "4.5"], "--bootstrap must be a whole number from 2 on, got '4.5'"),
    ([*FIT, "--seed", "-1"], "--seed must be a whole number from 0 on"),
    ([*FIT, "--prob", "90"], "--prob must be between 0 and 1"),
    ([*FIT, "--objective", "hubr"], "--objective is one of huber, squared"),
    ([*FIT, "--objective", "squared", "--delta", "1"], "--delta is no setting of --objective sq"),
    ([*FIT, "--plot", "a.gif"], "--plot must end in .png, .pdf, .svg"),
    ([*FIT, "--fix", "F=1"], "no parameter 'F', only E, A, B, alpha, beta"),
    ([*FIT, "--fix", "E"], "'E' is not of the form NAME=VALUE; write it like --fix E=1.69"),
    ([*FIT, "--fix", "E=-1"], "E must be positive"),
    ([*FIT, "--tie", "beta=alfa"], "no parameter 'alfa', only E, A, B, alpha, beta; did you mean"),
    ([*FIT, "--per-group", "F"], "no parameter 'F'"),
    ([*FIT, "--by-group"], "--by-group needs groups of runs: name their column with --group"),
    ([*FIT, "--resample", "residual", "--by-group", "--group", "N"], "knows no groups"),
    ([*FIT, "N=parms"], "runs.csv has no column 'parms'"),
    ([*FIT, "N=lss"], "no column 'lss'; did you mean 'loss'?"),
    ([*FIT, "M=N"], "chinchilla has no input 'M', only N, D"),
    ([*FIT, "N"], "'N' is not of the form NAME=VALUE"),
    ([*FIT, "N=N", "N=D"], "N is given twice"),
    ([*FIT, "--target", "los"], "no column 'los'; did you mean 'loss'?"),
    ([*FIT, "--group", "sweep"], "no column 'sweep'"),
    ([*FIT, "--weight", "w"], "no column 'w'"),
    ([*FIT, "--where", "N >"], "the filter 'N >' could not be read"),
    ([*FIT, "--where", "N > 1e30"], "no row is left after the filter"),
    ([*FIT, "--predict", "N=70q,D=1e12"], "'70q' is not a number; write it as 70e9 or 70B"),
    ([*FIT, "--predict", "N=70e9"], "chinchilla needs D as well"),
    ([*FIT, "--predict", "N=-1,D=1e12"], "N (parameters) must be finite and positive"),
    ([*FIT, "--predict", "N=1,M=1e12"], "chinchilla has no input 'M'"),
    ([*FIT, "--predict", "N=1,2,D=1,2,3"], "as many values each, or one; got N 2, D 3"),
    ([*FIT, "--frontier", "1e26:1e19"], "'1e26:1e19' is not a range; write it LOW:HIGH"),
    ([*FIT, "--frontier", "1:9:1"], "a range has 2 to 10000 points, got 1"),
    ([*FIT, "--cost", "inferenc=1"], "got 'inferenc'; did you mean inference?"),
    ([*FIT, "--cost", "inference"], "--cost inference is written inference=TOKENS"),
    ([*FIT, "--out", "runs.csv"], "runs.csv exists and is not a jaxlaws result"),
    ([*FIT, "--out", "."], ". is a folder; name a file in it"),
    ([*FIT, "--plot", "runs.csv/a.png"], "runs.csv is not a folder"),
    ("fit chinchila runs.csv".split(), "no law 'chinchila'; did you mean 'chinchilla'?"),
    ("fit chinchilla rums.csv".split(), "no file rums.csv; did you mean runs.csv?"),
    ("fit chinchilla .".split(), ". is a folder; name a CSV file in it"),
    ("fit chinchilla simulated".split(), "no data set 'simulated'; did you mean simulated_chinch"),
    ("fit chinchilla isoflop_marin/other".split(), "no table 'other'"),
    ("fit laws.py:mine runs.csv".split(), "no file laws.py to take the law mine from"),
    ("predict runs.csv N=1".split(), "runs.csv is not a jaxlaws result"),
    ("predict no.fit N=1".split(), "There is no result file no.fit"),
    ("predict a.fit N=1 D".split(), "'D' is not of the form NAME=VALUE"),
    ("compare runs.csv N=N".split(), "Name a law after runs.csv"),
    ([*"compare runs.csv chinchilla --test".split(), "Q > 1"], "'Q > 1' could not be read"),
    ([*"compare runs.csv chinchilla --test".split(), "N + 1"], "'N + 1' is no condition"),
    ("data chinchila_epoch".split(), "did you mean 'chinchilla_epoch'?"),
    ("list --subject pretrain".split(), "its subjects are"),
    ("show kaplan".split(), "There is no law 'kaplan'; did you mean"),
]


@pytest.mark.parametrize(("argv", "expected"), WORDS, ids=[" ".join(a) for a, _ in WORDS])
def test_one_sentence(run: Run, table: pd.DataFrame, argv: list[str], expected: str) -> None:
    table.to_csv("runs.csv", index=False)
    before = Path("runs.csv").read_bytes()
    assert expected in mistake(run(*argv))
    assert os.listdir() == ["runs.csv"]
    assert Path("runs.csv").read_bytes() == before


def test_a_result_cut_short_or_altered(run: Run, result: Path) -> None:
    whole = result.read_bytes()
    Path("cut.fit").write_bytes(whole[:-200])
    assert "cut.fit is cut short or damaged" in mistake(run("predict", "cut.fit", "N=1B", "D=1B"))
    middle = len(whole) // 2
    Path("bit.fit").write_bytes(whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :])
    assert "bit.fit is cut short or damaged" in mistake(run("diagnose", "bit.fit"))


def test_words_after_a_result_file(run: Run, result: Path) -> None:
    assert "either budgets" in mistake(run("frontier", result, "C=1e20", "L=2"))
    assert "either budgets" in mistake(run("frontier", result, "N=1e9"))
    assert "no input 'Q'" in mistake(run("frontier", result, "C=1e20", "Q=1"))
    assert "above zero" in mistake(run("frontier", result, "C=-1"))


def test_an_altered_data_set(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Path("data/chinchilla_epoch")
    folder.mkdir(parents=True)
    (folder / "chinchilla_svg_points.csv").write_text("params,tokens,loss\n1,2,3\n")
    monkeypatch.setenv("JAXLAWS_DATA", "data")
    told = mistake(run("fit", "chinchilla", "chinchilla_epoch"))
    assert "is not the registered table: its sha256 is" in told


def test_a_perplexity_gets_a_hint(run: Run, table: pd.DataFrame) -> None:
    table.assign(loss=np.exp(table["loss"]) + 10).to_csv("runs.csv", index=False)
    done = run("fit", "chinchilla", "runs.csv", "--objective", "squared", "--starts", "32")
    assert re.search(r"^warning: .*perplexity\? then take its logarithm first\.$", done.err)
    assert "parameter" in done.out


def test_a_warning_names_the_column(run: Run, table: pd.DataFrame) -> None:
    frame = table.rename(columns=dict(N="size_in_billions"))
    frame.assign(size_in_billions=frame["size_in_billions"] / 1e9).to_csv("runs.csv", index=False)
    done = run(
        "fit", "chinchilla", "runs.csv", "N=size_in_billions", "--objective", "squared",
        "--starts", "32",
    )  # fmt: skip
    assert "column 'size_in_billions' (N) has a median of" in done.err
    assert "then give plain counts" in done.err


def test_interrupted(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(_compute, "fit", stop)
    done = run("fit", "chinchilla", "simulated_chinchilla", "--out", "out/a.fit")
    assert (done.code, done.out) == (130, "")
    assert done.err == "jaxlaws: interrupted; no half-written file is left behind.\n"
    assert not os.listdir()


def test_a_figure_without_matplotlib(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jaxlaws.plot._mpl", None)
    monkeypatch.delattr("jaxlaws.plot._mpl", raising=False)
    told = mistake(run("fit", "chinchilla", "simulated_chinchilla", "--plot", "a.png"))
    assert 'pip install "jaxlaws[plot]"' in told


# How values are written


def test_numbers() -> None:
    assert words.number("1.4T") == 1.4e12
    assert words.numbers("1e19:1e26")[:2] == [1e19, 1e20]
    assert len(words.numbers("1:1000:7")) == 7
    assert words.numbers("3") == [3.0]
    assert words.pairs(["r=0.2,0.8", "s=5"], "") == {"r": "0.2,0.8", "s": "5"}
    for bad in ("", "x", "1,", "1:", "0:5", "1:2:3:4", "nan:1"):
        with pytest.raises(jl.InputError):
            words.numbers(bad)


def test_numbers_for_a_reader() -> None:
    assert _terminal.number(999_999_9, "tokens", 3) == "10M"
    assert _terminal.number(float("nan")) == _terminal.number(None) == ""
    assert _terminal.span(2.0, float("nan"), 3.0) == "2"


# A terminal


def test_tables_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    report = _terminal.Report(["plain [words]", _terminal.Table(("a", "b [x]"), [("1", "two")])])
    _terminal.show(report, as_json=False)
    shown = capsys.readouterr().out
    assert "plain [words]" in shown
    assert "b [x]" in shown
    assert "──" in shown


def test_progress_is_shown_on_a_terminal_if_it_lasts(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import time

    with _terminal.progress("refits") as tell:
        assert tell is None
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("FORCE_COLOR", "1")
    with _terminal.progress("refits") as tell:
        assert tell is not None
        tell(1, 2)
    assert capsys.readouterr().err == ""  # it was over too soon
    monkeypatch.setattr(_terminal, "PATIENCE", 0.0)
    with _terminal.progress("refits") as tell:
        assert tell is not None
        tell(3, 4)
        time.sleep(0.3)
    assert "refits" in capsys.readouterr().err


# Real processes


@pytest.fixture
def process(cache: Path, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    env = {k: v for k, v in os.environ.items() if not k.startswith("JAX_")}
    env |= {"XDG_CACHE_HOME": str(cache)}

    def call(*argv: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "jaxlaws", *argv]
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=env)

    return call


def test_a_process_from_fit_to_prediction(
    process: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    fitted = process(
        "fit", "kaplan_n", "simulated_chinchilla", "--bootstrap", "20", "--starts", "8",
        "--out", "a.fit",
    )  # fmt: skip
    assert (fitted.returncode, fitted.stderr) == (0, "")
    assert [p.name for p in tmp_path.iterdir()] == ["a.fit"]
    answer = process("predict", "a.fit", "N=70B", "--json")
    assert (answer.returncode, answer.stderr) == (0, "")
    assert json.loads(answer.stdout)["prediction"]["rows"][0]["L"] == pytest.approx(2.0, abs=0.2)


def test_compiled_code_that_was_damaged_is_made_again(
    process: Callable[..., subprocess.CompletedProcess[str]], cache: Path, result: Path
) -> None:
    question = ("predict", str(result), "N=70B", "D=1.4T")
    first = process(*question)
    entries = [p for p in (cache / "jaxlaws" / "xla").iterdir() if p.stat().st_size > 100]
    assert entries
    for entry in entries:
        entry.write_bytes(entry.read_bytes()[:-50])
    again = process(*question)
    assert (again.returncode, again.stderr) == (0, "")
    assert again.stdout == first.stdout
    assert not any(entry.exists() for entry in entries)


def test_a_process_interrupted(process: Callable[..., Any], tmp_path: Path) -> None:
    # A law file that presses Ctrl-C: the signal arrives while the command is at work.
    text = "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(9)\n"
    (tmp_path / "laws.py").write_text(text)
    done = process("fit", "laws.py:mine", "simulated_chinchilla", "--out", "a.fit")
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr == "jaxlaws: interrupted; no half-written file is left behind.\n"
    assert not (tmp_path / "a.fit").exists()


def test_a_reader_that_leaves(cache: Path) -> None:
    env = os.environ | {"XDG_CACHE_HOME": str(cache)}
    command = [sys.executable, "-m", "jaxlaws", "list"]
    with subprocess.Popen(command, stdout=-1, stderr=-1, text=True, env=env) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdout.close()
        assert child.stderr.read() == ""
        assert child.wait() == 141
