"""Studies: cells are what fit and bootstrap say, and no kill, damage or company changes them."""

import dataclasses
import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import jaxlaws as jl
from benchmarks import studies
from jaxlaws._archive import sha256
from jaxlaws._cli._toml import ENTRY, read_study
from jaxlaws._cli._toml import KEYS as KEYS_OF_FILE
from jaxlaws._errors import InputError
from jaxlaws._law import law
from jaxlaws._study import Folder, Settings, run
from jaxlaws._study import _solve as solving
from jaxlaws._study._rows import rows
from jaxlaws._study._settings import bucket, held_out
from jaxlaws.quantities import Amplitude, Entropy, Exponent, Loss, Scale

DRAWS = 24
TWO = [jl.Pairs(), jl.Wild()]


@law
def decay(x: Scale, *, E: Entropy, A: Amplitude, alpha: Exponent) -> Loss:
    r"""A power law above a floor.

    $$L = E + A x^{-\alpha}$$
    """
    return E + A * x**-alpha


@law
def plain(x: Scale, *, A: Amplitude, alpha: Exponent) -> Loss:
    r"""A power law.

    $$L = A x^{-\alpha}$$
    """
    return A * x**-alpha


def table(seed: int, n: int = 14, name: str = "") -> jl.Runs:
    rng = np.random.default_rng(seed)
    x = np.geomspace(1e3, 1e8, n)
    loss = (1.7 + 30.0 * x**-0.3) * np.exp(0.003 * rng.standard_normal(n))
    return jl.Runs.from_arrays(loss, x=x, group=np.arange(n) % 5, name=name or f"t{seed}")


TABLES = tuple(table(seed, n) for seed, n in enumerate((14, 16, 20, 15, 13)))


def settings(**other: Any) -> Settings:
    usual: dict[str, Any] = dict(
        data=TABLES,
        laws=(decay, plain),
        objectives=(jl.Huber(), jl.Huber(1e-2)),
        resamplers=tuple(TWO),
        holdouts=("none", "largest 0.2"),
        points=({"x": 1e9},),
        draws=DRAWS,
        starts=8,
        seed=3,
        prob=0.9,
        precision="float64",
        space=None,
    )
    return Settings(**usual | other)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> jl.Study:
    """A study of 80 cells that nothing disturbed."""
    return run(settings(), tmp_path_factory.mktemp("study") / "whole")


def contents(folder: Path) -> dict[str, bytes]:
    return studies.contents(folder)


# What a cell says


def test_a_cell_is_what_fit_and_bootstrap_say(whole: jl.Study) -> None:
    """The same minima: refits agree to what a certified end leaves open, sqrt(1e-13) in z."""
    asked = settings()
    frame = whole.frame("parameter", draws=True)
    for cell in [c for c in asked.cells() if c.law == 0 and c.holdout == 0][::4]:
        fit = jl.fit(decay, TABLES[cell.data], objective=asked.objectives[cell.objective])
        boot = jl.bootstrap(fit, TWO[cell.resampler], draws=DRAWS, key=asked.key(cell))
        found = frame[frame["cell"] == asked.identity(cell)[:16]]
        assert found["estimate"].to_numpy() == pytest.approx(
            boot.frame()["estimate"].to_numpy(), rel=1e-4
        )
        ours = np.stack(found["draws"].to_list())
        theirs = np.where(boot.good, np.stack(list(boot.params.values())), np.nan)
        close = np.isclose(ours, theirs, rtol=1e-3) | np.isnan(ours) | np.isnan(theirs)
        assert close.mean() > 0.95  # a refit may end in another of nearly equal minima


def test_every_cell_is_there_once(whole: jl.Study) -> None:
    asked = settings()
    fits = whole.frame("fit")
    assert len(fits) == len(asked.cells()) == 80
    assert fits["cell"].is_unique
    assert set(fits["cell"]) == {asked.identity(cell)[:16] for cell in asked.cells()}


def test_held_out_runs_are_not_fitted(whole: jl.Study) -> None:
    """The error on the runs held out is that of a fit that never saw them."""
    held = held_out(TABLES[2], "largest 0.2")
    assert held.sum() == 4  # a fifth of 20
    assert TABLES[2].inputs["x"][held].min() > TABLES[2].inputs["x"][~held].max()
    fit = jl.fit(decay, TABLES[2].where(~held))
    predicted = np.asarray(fit.bind()(TABLES[2].inputs["x"][held]))
    rows = whole.frame("extrapolation").query(
        "data == 't2' and law == 'decay' and objective == 'Huber(delta=0.001)'"
    )
    assert len(rows) == 8
    error = np.log(predicted) - np.log(TABLES[2].target[held])
    assert rows["error"].to_numpy() == pytest.approx(np.tile(error, 2), abs=1e-6)
    inside = (rows["low"] <= rows["measured"]) & (rows["measured"] <= rows["high"])
    assert (rows["covered"].astype(bool) == inside).all()


def test_a_cells_key_is_its_own() -> None:
    """Another table, or another order, leaves the key of a cell alone; its own draws change it."""
    one, other = settings(), settings(data=TABLES[::-1][1:])
    names = {json.dumps(one.names(c)): one.identity(c) for c in one.cells()}
    assert all(names[json.dumps(other.names(c))] == other.identity(c) for c in other.cells())
    more = settings(draws=DRAWS + 1)
    assert more.identity(more.cells()[0]) != one.identity(one.cells()[0])


def test_tables_are_padded_to_a_few_lengths() -> None:
    assert [bucket(n) for n in (1, 16, 17, 32, 33, 1000)] == [16, 16, 32, 32, 64, 1024]


def test_a_cell_that_fails_is_a_row_with_its_reason(tmp_path: Path) -> None:
    bad = jl.Runs.from_arrays([2.0, 2.1], x=[1e4, 1e5], name="two runs")
    strange = dataclasses.replace(TABLES[0], inputs={"y": TABLES[0].inputs["x"]}, name="no x")
    asked = settings(data=(*TABLES, bad, strange), laws=(decay,), resamplers=(jl.Pairs(),))
    found = run(asked, tmp_path / "study")
    failed = found.failures().set_index("data")
    assert (failed["status"] == "failed").all()
    assert set(failed.index) == {"two runs", "no x"}
    assert "only 2 runs" in failed.loc["two runs", "note"].iloc[0]
    assert "needs the input 'x'" in failed.loc["no x", "note"].iloc[0]
    assert len(found.frame("fit")) == len(asked.cells())


def test_a_block_that_breaks_is_tried_cell_by_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    real = solving.build

    def breaks(law: Any, tables: Any, *rest: Any) -> Any:
        if any(t.name == "t1" for t in tables):
            raise RuntimeError("the device is gone")
        return real(law, tables, *rest)

    monkeypatch.setattr(solving, "build", breaks)
    asked = settings(laws=(plain,), objectives=(jl.Squared(),), holdouts=("none",))
    with solving.on_host():
        found = solving.answers(asked, asked.blocks()[0], lambda share: None)
    reasons = {asked.data[a.cell.data].name: a.reason for a in found}
    assert reasons.pop("t1") == "RuntimeError: the device is gone"
    assert set(reasons.values()) == {""}
    assert rows(asked, found[0])[0]["status"] in ("ok", "failed")


# What a folder survives


def test_the_same_settings_give_the_same_bytes(whole: jl.Study, tmp_path: Path) -> None:
    again = run(settings(), tmp_path / "again")
    assert contents(again.folder) == contents(whole.folder)


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


DAMAGE: dict[str, Callable[[Path], object]] = {
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-100]),
    "emptied": lambda path: path.write_bytes(b""),
    "flipped": flip,
    "renamed": lambda path: path.rename(path.with_name("copy.parquet")),
    "doubled": lambda path: path.with_name(path.name[:6] + "f" * 16 + ".parquet").write_bytes(b"x"),
}


@pytest.mark.parametrize("how", list(DAMAGE))
def test_a_damaged_file_is_found_named_and_computed_again(
    how: str, whole: jl.Study, tmp_path: Path
) -> None:
    folder = copy(whole.folder, tmp_path)
    victim = sorted((folder / "cells").glob("*.parquet"))[1]
    DAMAGE[how](victim)
    (bad, _), *others = Folder(folder).damaged()
    assert not others
    found = run(settings(), folder)
    assert any(bad.name in line and "computed again" in line for line in found.said)
    assert contents(folder) == contents(whole.folder)


def copy(folder: Path, place: Path) -> Path:
    out = place / "copy"
    for path in folder.rglob("*"):
        if path.is_file():
            (out / path.relative_to(folder)).parent.mkdir(parents=True, exist_ok=True)
            (out / path.relative_to(folder)).write_bytes(path.read_bytes())
    return out


@pytest.mark.parametrize("how", ["truncated", "emptied", "flipped"])
def test_a_damaged_manifest_is_written_again(how: str, whole: jl.Study, tmp_path: Path) -> None:
    folder = copy(whole.folder, tmp_path)
    DAMAGE[how](folder / "manifest.json")
    found = run(settings(), folder)
    assert "manifest.json is missing or damaged" in found.said[0]
    assert (folder / "manifest.json").read_bytes() == (whole.folder / "manifest.json").read_bytes()
    assert contents(folder) == contents(whole.folder)


def test_another_study_is_refused_and_force_replaces_it(whole: jl.Study, tmp_path: Path) -> None:
    folder = copy(whole.folder, tmp_path)
    other = settings(laws=(plain,), objectives=(jl.Squared(),), seed=4)
    with pytest.raises(InputError, match="holds another study .*seed.* differ.*--force"):
        run(other, folder)
    assert contents(folder) == contents(whole.folder)
    (folder / "manifest.json").write_bytes(b"")
    with pytest.raises(InputError, match="holds another study"):
        run(other, folder)
    found = run(other, folder, force=True)
    assert len(found.frame("fit")) == len(other.cells())


def test_a_folder_of_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match="holds files and no study"):
        run(settings(), tmp_path, force=True)
    with pytest.raises(InputError, match="is a file"):
        run(settings(), tmp_path / "thesis.tex")
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_folder_of_the_future_is_refused(whole: jl.Study, tmp_path: Path) -> None:
    folder = copy(whole.folder, tmp_path)
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | {"version": 99}))
    with pytest.raises(InputError, match="format 99.*upgrade jaxlaws"):
        run(settings(), folder, force=True)
    assert contents(folder) == contents(whole.folder)


def test_other_versions_are_said(whole: jl.Study, tmp_path: Path) -> None:
    folder = copy(whole.folder, tmp_path)
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["sha256"]
    manifest["made_with"]["jax"] = "0.1"
    text = json.dumps(manifest)
    seal = sha256(text.encode())
    (folder / "manifest.json").write_text(json.dumps(manifest | {"sha256": seal}))
    assert "other versions" in run(settings(), folder).said[0]


def test_a_second_process_is_refused(whole: jl.Study, tmp_path: Path) -> None:
    folder = copy(whole.folder, tmp_path)
    code = (
        "import sys, time; from pathlib import Path; from jaxlaws._study import Folder\n"
        "with Folder(Path(sys.argv[1])).locked():\n"
        "    print('held', flush=True); time.sleep(60)"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", code, str(folder)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        assert Folder(folder).in_use()
        with pytest.raises(InputError, match=f"in use by process {other.pid} on"):
            run(settings(), folder)
    finally:
        other.send_signal(signal.SIGKILL)
        other.wait()
    assert other.stdout.close() is None
    assert not Folder(folder).in_use()  # the kernel let go
    run(settings(), folder)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for a manifest and little else."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)],
        check=False,
        capture_output=True,
    )
    if mounted.returncode:  # not root: a limit on the size of files does the same
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (32 * 1024, before[1]))
        yield place
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
        return
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_costs_one_sentence_and_nothing_that_is_done(
    small_disk: Path, whole: jl.Study
) -> None:
    folder = small_disk / "study"
    with pytest.raises(InputError, match="no room left .* is safe: make room"):
        run(settings(), folder)
    kept = contents(folder)
    assert not Folder(folder).damaged()
    assert kept.items() <= contents(whole.folder).items()
    assert not list(folder.rglob("*.part"))


def test_a_closed_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"/proc/study cannot be written"):
        run(settings(), Path("/proc/study"))


# Kills


SCRIPT = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
import tests.test_study as t
from jaxlaws._study import run
run(t.settings(), Path(sys.argv[1]))
"""


def start(folder: Path, **environment: str) -> subprocess.Popen[bytes]:
    root = str(studies.ROOT)
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(folder), root],
        env=os.environ | {"PYTHONPATH": root} | environment,
        cwd=root,
    )


def test_a_killed_study_goes_on_where_it_was(whole: jl.Study, tmp_path: Path) -> None:
    """Killed as soon as a block is there, thrice; then finished: the same files, byte for byte."""
    folder = tmp_path / "killed"
    for blocks in (1, 2, 4):
        process = start(folder)
        while len(contents(folder)) < blocks and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        done = contents(folder)
        assert len(done) >= blocks
        assert done.items() <= contents(whole.folder).items()
        assert not Folder(folder).damaged()
    run(settings(), folder)
    assert contents(folder) == contents(whole.folder)


@pytest.mark.slow
def test_fifty_kills() -> None:
    """Prints what docs/studies.md says; an error in between is an assertion."""
    subprocess.run([sys.executable, "-m", "benchmarks.studies", "kills"], check=True)


# Devices, processes, precision


def certain(folder: Path) -> pd.DataFrame:
    """Rows of parameters that the runs identify: the right law, and residuals within Huber's delta.

    Elsewhere the objective is flat along stretches, and any point of one is an answer.
    """
    table = Folder(folder).read("parameter", draws=True)
    return table[(table["law"] == "decay") & (table["objective"] == "Huber(delta=0.01)")]


KEYS = ["data", "law", "objective", "resample", "holdout", "name"]


def test_eight_devices_give_the_draws_of_one(whole: jl.Study, tmp_path: Path) -> None:
    """To 1e-12 in the median; a last bit is worth the condition of the refit, at most 1e-8 here."""
    flags = "--xla_force_host_platform_device_count=8"
    assert start(tmp_path / "eight", XLA_FLAGS=flags).wait() == 0
    both = certain(whole.folder).merge(certain(tmp_path / "eight"), on=KEYS)
    one, eight = (np.concatenate(both[f"draws_{side}"].to_list()) for side in "xy")
    assert np.array_equal(np.isnan(one), np.isnan(eight))
    off = np.abs(one / eight - 1)
    assert np.nanmedian(off) < 1e-12
    assert np.nanmax(off) < 1e-8


HLO = """
import json, os
import numpy as np
import jaxlaws as jl
import jaxlaws._risk as risk
texts = []
real = risk.solve_on
def seen(*a, **k):
    texts.append(real.lower(*a, **k).compile().as_text())
    found = real(*a, **k)
    texts.append(str(found.z.sharding))
    return found
risk.solve_on = seen
runs = jl.datasets.runs("simulated_chinchilla")
jl.fit(jl.laws.chinchilla, runs, starts=8, precision="float32")
text = texts[0]
print(json.dumps(dict(
    parts="num_partitions=8" in text, spread=texts[1],
    gathers=[w for w in ("all-gather", "all-reduce", "all-to-all") if w in text],
    f64="f64[" in text,
    targets=[l.split('custom_call_target="')[1].split('"')[0]
             for l in text.splitlines() if "custom_call_target" in l],
)))
"""


def test_the_compiled_solve_is_spread_and_calls_no_host(
    python: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the program that eight devices run in float32."""
    monkeypatch.setenv("XLA_FLAGS", "--xla_force_host_platform_device_count=8")
    found = python(HLO)
    assert found["parts"]
    assert "'task': 8" in found["spread"]
    assert "P('task',)" in found["spread"]
    assert found["gathers"] == []
    assert not any("callback" in target for target in found["targets"])
    assert not found["f64"]


def test_float32_ends_at_the_minima_of_float64(whole: jl.Study, tmp_path: Path) -> None:
    """After the polish on the host; a rough end may fall into another of nearly equal minima."""
    found = run(settings(precision="float32"), tmp_path / "float32")
    both = certain(whole.folder).merge(certain(found.folder), on=KEYS)
    assert both["estimate_x"].to_numpy() == pytest.approx(both["estimate_y"].to_numpy(), rel=1e-5)
    one, other = (np.concatenate(both[f"draws_{side}"].to_list()) for side in "xy")
    assert (np.abs(one / other - 1) < 1e-4).mean() > 0.95


@pytest.mark.slow
@pytest.mark.parametrize("count", [2, 4])
def test_processes_share_a_study(count: int, capfd: pytest.CaptureFixture[str]) -> None:
    words = ["processes", "--count", str(count), "--tables", "100"]
    subprocess.run([sys.executable, "-m", "benchmarks.studies", *words], check=True)
    assert capfd.readouterr().out.count("equal True") == 2


def test_two_processes_share_a_study(tmp_path: Path) -> None:
    lists = dict(objectives=["huber", "squared"])
    file = studies.make(tmp_path, 4, (16, 16), 8, 4, **lists)
    studies.finish(studies.command(file, "--out", tmp_path / "one"))
    for process in studies.together(file, tmp_path / "two", 2):
        studies.finish(process)
    assert studies.same(tmp_path / "one", tmp_path / "two")


@pytest.mark.slow
def test_ray_workers_share_a_study(capfd: pytest.CaptureFixture[str]) -> None:
    subprocess.run([sys.executable, "-m", "benchmarks.studies", "workers"], check=True)
    assert "equal True" in capfd.readouterr().out


# The TOML file and the command

GOOD = """
laws = ["chinchilla", "kaplan_nd"]  # two
objectives = ["huber", {name = "huber", delta = 0.01}]
resample = ["pairs", "wild by group"]
holdout = ["largest 0.2"]
predict = ["N=70B,D=1.4T"]
draws = 20

[[data]]
table = "runs.csv"
inputs = {N = "params", D = "tokens"}
target = "loss"
each = "sweep"

[[data]]
table = "simulated_chinchilla"
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    runs = studies.tables(3, (16, 20))
    runs.columns = ["sweep", "params", "tokens", "loss"]
    runs.to_csv(tmp_path / "runs.csv", index=False)
    return tmp_path


def written(place: Path, text: str) -> Path:
    (place / "which.toml").write_text(text)
    return place / "which.toml"


def test_a_file_names_its_cells(place: Path) -> None:
    asked = read_study(written(place, GOOD))
    assert asked.labels == {
        "data": ["runs[t00000]", "runs[t00001]", "runs[t00002]", "simulated_chinchilla"],
        "law": ["chinchilla", "kaplan_nd"],
        "objective": ["Huber(delta=0.001)", "Huber(delta=0.01)"],
        "resample": ["pairs", "wild by group"],
        "holdout": ["largest 0.2"],
    }
    assert len(asked.cells()) == 32
    assert dict(asked.points[0]) == {"N": 70e9, "D": 1.4e12}


def test_the_readmes_file_runs_and_the_page_names_every_key(place: Path) -> None:
    readme = (studies.ROOT / "README.md").read_text()
    (text,) = re.findall(r"```toml\n(.*?)```", readme, re.DOTALL)
    assert len(read_study(written(place, text)).cells()) == 2
    page = (studies.ROOT / "docs" / "studies.md").read_text()
    (text,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    assert set(tomllib.loads(text)) == set(KEYS_OF_FILE)
    assert set().union(*tomllib.loads(text)["data"]) == set(ENTRY)


MISTAKES = {
    "law": (
        '"kaplan_nd"',
        '"kaplan_dn"',
        r"line 2: There is no law .kaplan_dn.; did you mean .kaplan_n",
    ),
    "column": ('"params"', '"parms"', r"line 11: .*no column 'parms'; did you mean 'params'"),
    "each": ('"sweep"', '"swep"', r"line 13: .*no column 'swep'; did you mean 'sweep'"),
    "set": ('"simulated_', '"simulate_', r"line 16: .*simulate_chinchilla.*did you mean"),
    "key": ("draws = 20", "drawz = 20", r"line 7: there is no key 'drawz'; did you mean draws"),
    "entry": ("target =", "targett =", r"line 12: .*no key 'targett'; did you mean target"),
    "objective": ('"huber",', '"hubert",', r"line 3: there is no objective 'hubert'.*huber"),
    "setting": ("delta =", "detla =", r"line 3: huber has no number 'detla'"),
    "resample": ('"pairs"', '"pears"', r"line 4: there is no resampling 'pears'.*pairs"),
    "by": ("wild by group", "wild by law", r"line 4: .*pairs by group"),
    "number": ("70B", "70Z", r"line 6: '70Z' is not a number"),
    "kind": ("draws = 20", 'draws = "20"', r"line 7: draws must be of kind int"),
    "few": ("draws = 20", "draws = 1", r"at least 2 draws"),
    "no laws": ('["chinchilla", "kaplan_nd"]', "[]", r"line 2: the study has no cells"),
    "no rule": ('["largest 0.2"]', "[]", r"line 5: the study has no cells"),
    "twice": ('"kaplan_nd"', '"chinchilla"', r"names 'chinchilla' twice"),
    "toml": ("laws = [", "laws = ", r"is no TOML: .*line 2"),
    "precision": ("draws = 20", 'precision = "float16"', r"line 7: precision must be one of"),
}


@pytest.mark.parametrize("what", list(MISTAKES))
def test_a_mistake_costs_one_sentence_with_its_line(
    what: str, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from jaxlaws._cli import main

    old, new, message = MISTAKES[what]
    assert GOOD.count(old)
    file = written(place, GOOD.replace(old, new, 1))
    assert main(["study", str(file)]) == 2
    said = capsys.readouterr().err
    with pytest.raises(InputError, match=message):
        read_study(file)
    assert said.count("\n") == 1
    assert not (place / "which").exists()


def test_a_rule_that_holds_out_nothing_is_the_cells_own_failure(tmp_path: Path) -> None:
    asked = settings(laws=(plain,), holdouts=("x > 1e99", "nonsense ++", "largest 2"))
    found = run(asked, tmp_path / "study").failures()
    assert set(found["status"]) == {"failed"}
    assert found["note"].str.contains("must hold out some|could not be read|between 0 and 1").all()


def test_the_command_runs_goes_on_and_reports(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from jaxlaws._cli import main

    text = GOOD.replace('"chinchilla", ', "").replace(', {name = "huber", delta = 0.01}', "")
    file = written(place, text)
    assert main(["study", str(file), "--dry-run", "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert len(plan["cells"]) == 8
    assert plan["cost"]["refits"] == 160
    assert not (place / "which").exists()
    assert main(["study", str(file), "--out", str(place / "out")]) == 0
    first = capsys.readouterr().out
    assert "Extrapolation" in first
    assert "8 cells in" in first
    report = (place / "out" / "report.md").read_text()
    assert "## Extrapolation" in report
    assert (place / "out" / "figures" / "coverage.png").stat().st_size > 1000
    assert main(["study", str(file), "--out", str(place / "out")]) == 0
    assert capsys.readouterr().out == first
    assert main(["study", "status", str(place / "out")]) == 0
    assert "8 of 8 cells done; no process works here" in capsys.readouterr().out
    DAMAGE["flipped"](next((place / "out" / "cells").glob("*.parquet")))
    assert main(["study", "status", str(place / "out")]) == 1
    assert "does not have the checksum" in capsys.readouterr().out
    assert main(["study", "status", str(place)]) == 2
    assert main(["study"]) == 2
    whole = pd.read_parquet(place / "out" / "cells", columns=["cell", "question"])
    assert set(whole["question"]) == {"fit", "parameter", "prediction", "extrapolation"}


def test_python_takes_single_values_and_refuses_none(tmp_path: Path) -> None:
    found = jl.study(tmp_path / "one", data=TABLES[0], laws=plain, draws=8, starts=4)
    assert repr(found).startswith(f"Study in {tmp_path / 'one'}: 1 cells (1 ok)")
    assert set(found.tables()) == {"cells", "failures", "parameters"}
    with pytest.raises(InputError, match="list of laws is empty"):
        jl.study(tmp_path / "none", data=TABLES[0], laws=[])
    with pytest.raises(InputError, match="not the jackknife"):
        jl.study(tmp_path / "none", data=TABLES[0], laws=plain, resamplers=jl.Jackknife())
    with pytest.raises(InputError, match="takes a folder first"):
        jl.study(TABLES[0], data=TABLES[0], laws=plain)  # type: ignore[arg-type]
    assert not (tmp_path / "none").exists()
