"""Studies of any size, and what the engine's study must show: each command prints its numbers.

    python -m benchmarks.studies make DIR --tables 500 --draws 100    a study to run by hand
    python -m benchmarks.studies rate --tables 500                    cells a second against a loop
    python -m benchmarks.studies kills --kills 50                     kill -9 at random instants
    python -m benchmarks.studies memory --tables 1 --runs 240 240 --draws 1000000
    python -m benchmarks.studies devices                              1 and 8 virtual devices
    python -m benchmarks.studies processes --count 4                  jax.distributed, one killed
    python -m benchmarks.studies workers                              Ray, one worker killed

Tables are simulated from the Chinchilla law; every command works in a fresh folder and with real
processes. docs/studies.md has what they printed, with the date and the machine.
"""

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

TRUTH = dict(E=1.8172, A=482.01, B=2085.43, alpha=0.3478, beta=0.3658)
ROOT = Path(__file__).resolve().parent.parent
NOISE = 0.004


def tables(count: int, runs: tuple[int, int], seed: int = 0) -> pd.DataFrame:
    """Many tables of runs in one, told apart by the column `table`."""
    rng = np.random.default_rng(seed)
    parts = []
    for i in range(count):
        n = int(rng.integers(runs[0], runs[1] + 1))
        N = np.exp(rng.uniform(np.log(4e7), np.log(1e10), n))
        D = N * np.exp(rng.uniform(np.log(5), np.log(200), n))
        law = TRUTH["E"] + TRUTH["A"] * N ** -TRUTH["alpha"] + TRUTH["B"] * D ** -TRUTH["beta"]
        loss = law * np.exp(NOISE * rng.standard_normal(n))
        parts.append(pd.DataFrame(dict(table=f"t{i:05d}", N=N, D=D, loss=loss)))
    return pd.concat(parts, ignore_index=True)


def make(
    folder: Path, count: int, runs: tuple[int, int], draws: int, starts: int, **lists: Any
) -> Path:
    """Write runs.csv and study.toml into a folder; lists are further entries of the file."""
    folder.mkdir(parents=True, exist_ok=True)
    tables(count, runs).to_csv(folder / "runs.csv", index=False)
    entries = {"laws": ["chinchilla"], "draws": draws, "starts": starts, **lists}
    lines = [f"{key} = {json.dumps(value)}" for key, value in entries.items()]
    lines += ["", "[[data]]", 'table = "runs.csv"', 'each = "table"', ""]
    (folder / "study.toml").write_text("\n".join(lines))
    return folder / "study.toml"


def command(*words: Any, **environment: str) -> subprocess.Popen[str]:
    """Start `jaxlaws study` as a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "jaxlaws", "study", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
    )


def finish(process: subprocess.Popen[str]) -> str:
    out, _ = process.communicate()
    if process.returncode:
        raise SystemExit(f"exit {process.returncode}: {out}")
    return out


def contents(folder: Path) -> dict[str, bytes]:
    """The result files of a study, by name."""
    return {path.name: path.read_bytes() for path in sorted((folder / "cells").glob("*.parquet"))}


def draws_of(folder: Path) -> np.ndarray:
    """(number,) every draw of every cell, in order."""
    from jaxlaws._study import Folder

    table = Folder(folder).read("parameter", draws=True)
    return np.concatenate(table.sort_values(["cell", "name"], kind="stable")["draws"].to_list())


@contextmanager
def scratch() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="study-") as name:
        yield Path(name)


def rate(options: argparse.Namespace) -> None:
    """Time the study and the loop, each in a fresh process, compilation included."""
    with scratch() as place:
        file = make(place, options.tables, tuple(options.runs), options.draws, options.starts)
        cold = {"JAX_ENABLE_COMPILATION_CACHE": "false"}
        seconds = {}
        for name in ("study", "loop"):
            code = f"from benchmarks.studies import {name}; {name}({str(file)!r})"
            began = time.perf_counter()
            out = subprocess.run(
                [sys.executable, "-c", code],
                env=os.environ | {"PYTHONPATH": str(ROOT)} | cold,
                check=True,
                capture_output=True,
                text=True,
            ).stdout
            seconds[name] = time.perf_counter() - began
            compiled = [float(line.split()[-1]) for line in out.splitlines() if "compil" in line]
            solved = seconds[name] - sum(compiled)
            print(
                f"{name}: {options.tables} cells in {seconds[name]:.1f} s, "
                f"{options.tables / seconds[name]:.2f} a second; compilation {sum(compiled):.1f} s,"
                f" without it {options.tables / solved:.2f} a second",
                flush=True,
            )
        print(f"ratio, everything: {seconds['loop'] / seconds['study']:.2f}")


@contextmanager
def compilation() -> Iterator[None]:
    """Print the seconds that XLA and tracing take meanwhile."""
    import jax

    spent = [0.0]

    def listen(event: str, duration: float, **about: Any) -> None:
        if event.endswith(("backend_compile_duration", "jaxpr_trace_duration", "mlir_duration")):
            spent[0] += duration

    jax.monitoring.register_event_duration_secs_listener(listen)
    yield
    print(f"compilation {spent[0]}")


def study(file: str) -> None:
    """The study as one would write it."""
    from jaxlaws._cli._toml import read_study
    from jaxlaws._study import run

    with compilation():
        run(read_study(Path(file)), Path(file).with_suffix(""))


def loop(file: str) -> None:
    """The same cells as one would write them without a study; nothing is kept."""
    import jax

    import jaxlaws as jl
    from jaxlaws._cli._toml import read_study

    settings = read_study(Path(file))
    with compilation():
        for i, runs in enumerate(settings.data):
            fit = jl.fit(settings.laws[0], runs, starts=settings.starts)
            jl.bootstrap(fit, draws=settings.draws, key=jax.random.key(i)).frame()


def kills(options: argparse.Namespace) -> None:
    """Kill a study at random instants, and compare what it ends with to an undisturbed run."""
    rng = np.random.default_rng(options.seed)
    lists = dict(laws=["chinchilla", "kaplan_nd"], objectives=["huber", "squared"])
    with scratch() as place:
        file = make(place, 50, (12, 30), 10, 4, **lists)
        began = time.perf_counter()
        finish(command(file, "--out", place / "whole"))
        whole = time.perf_counter() - began
        print(f"undisturbed: {len(contents(place / 'whole'))} blocks in {whole:.0f} s", flush=True)
        killed, half, parts, fresh = 0, 0, 0, 0
        out = place / "killed0"
        while killed < options.kills:
            process = command(file, "--out", out)
            time.sleep(rng.uniform(1.0, 0.6 * whole))
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
                killed += 1
                print(f"kill {killed}: {len(contents(out))} blocks", flush=True)
            process.wait()
            parts += len(list(out.glob("**/.*.part")))
            half += not set(contents(out)) <= set(contents(place / "whole"))
            if (out / "report.md").exists():  # finished too soon: begin again
                assert contents(out) == contents(place / "whole")
                fresh += 1
                out = place / f"killed{fresh}"
        finish(command(file, "--out", out))
        for i in range(fresh + 1):
            assert contents(place / f"killed{i}") == contents(place / "whole")
        print(
            f"{killed} kills over {fresh + 1} studies of 200 cells: wrong or half files seen after "
            f"a kill {half}, unfinished parts left {parts}; final files equal byte for byte"
        )


def memory(options: argparse.Namespace) -> None:
    """Peak resident memory of a study in a process of its own."""
    with scratch() as place:
        file = make(place, options.tables, tuple(options.runs), options.draws, options.starts)
        began = time.perf_counter()
        code = (
            "import resource, sys; from jaxlaws._cli import main; code = main(sys.argv[1:]); "
            "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, code)"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, "study", str(file)],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            check=True,
            capture_output=True,
            text=True,
        )
        peak = float(done.stdout.split()[-2])
        rows = len(pd.read_csv(place / "runs.csv"))
        print(
            f"{options.tables} tables, {rows} runs, {options.draws} resamples each: peak "
            f"{peak:.2f} GiB, {time.perf_counter() - began:.0f} s"
        )


def devices(options: argparse.Namespace) -> None:
    """The same study on one device and on eight."""
    with scratch() as place:
        file = make(place, options.tables, tuple(options.runs), options.draws, options.starts)
        for count in (1, 8):
            flag = f"--xla_force_host_platform_device_count={count}"
            finish(command(file, "--out", place / str(count), XLA_FLAGS=flag))
        one, eight = draws_of(place / "1"), draws_of(place / "8")
        off = np.nanmax(np.abs(one - eight) / np.abs(one))
        same = np.array_equal(np.isnan(one), np.isnan(eight))
        print(f"{len(one)} draws: largest relative difference {off:.1e}; same refits fail: {same}")


def port() -> int:
    with socket.socket() as free:
        free.bind(("localhost", 0))
        return int(free.getsockname()[1])


def together(file: Path, out: Path, count: int) -> list[subprocess.Popen[str]]:
    address = f"localhost:{port()}"
    flags = [f"--processes={address},{count},{rank}" for rank in range(count)]
    return [command(file, "--out", out, flag) for flag in flags]


def processes(options: argparse.Namespace) -> None:
    """One process against several under jax.distributed, and again with one of them killed."""
    with scratch() as place:
        file = make(place, options.tables, tuple(options.runs), options.draws, options.starts)
        began = time.perf_counter()
        finish(command(file, "--out", place / "one"))
        whole = time.perf_counter() - began
        for process in together(file, place / "many", options.count):
            finish(process)
        print(f"{options.count} processes: equal {same(place / 'one', place / 'many')}", flush=True)
        group = together(file, place / "killed", options.count)
        while len(contents(place / "killed")) < 2:
            time.sleep(0.1)
        group[-1].kill()
        codes = [process.wait() for process in group]  # JAX ends the others when it misses one
        left = len(contents(place / "one")) - len(contents(place / "killed"))
        for process in together(file, place / "killed", options.count):
            finish(process)
        print(
            f"one of {options.count} killed (exit codes {codes}), {left} blocks left; after the "
            f"restart equal {same(place / 'one', place / 'killed')}; one process took {whole:.0f} s"
        )


def workers(options: argparse.Namespace) -> None:
    """A local Ray cluster of two workers, one of which is killed in the middle."""
    with scratch() as place:
        file = make(place, options.tables, tuple(options.runs), options.draws, options.starts)
        finish(command(file, "--out", place / "one"))
        import ray

        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
        address = ray.get_runtime_context().gcs_address
        process = command(file, "--out", place / "ray", "--ray", RAY_ADDRESS=address)
        while len(contents(place / "ray")) < 2 and process.poll() is None:
            time.sleep(0.1)
        victim = busy()
        os.kill(victim, signal.SIGKILL)
        finish(process)
        ray.shutdown()
        print(f"worker {victim} killed; equal {same(place / 'one', place / 'ray')}")


def busy() -> int:
    """The process id of a worker that computes a block now."""
    while True:
        found = subprocess.run(
            ["pgrep", "-f", "^ray::_work"], capture_output=True, text=True, check=False
        ).stdout.split()
        if found:
            return int(found[0])
        time.sleep(0.05)


def same(one: Path, other: Path) -> bool:
    return contents(one) == contents(other)


def main() -> None:
    """Read the command."""
    jobs = {f.__name__: f for f in (rate, kills, memory, devices, processes, workers)}
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("job", choices=["make", *jobs])
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--tables", type=int, default=100)
    parser.add_argument("--runs", type=int, nargs=2, default=(20, 60))
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--starts", type=int, default=32)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--count", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if options.job == "make":
        size = (options.tables, tuple(options.runs), options.draws, options.starts)
        print(make(options.folder, *size))
    else:
        jobs[options.job](options)


if __name__ == "__main__":
    main()
