"""float32 against float64, one core against two, one device against eight virtual ones."""

import time
from typing import Any

import numpy as np

import jaxlaws as jl
from benchmarks.clock import cores, fresh
from benchmarks.record import Section

DRAWS, CALLS, ROUNDS = 4000, 4, 2
DEVICES = "--xla_force_host_platform_device_count=8"


def refits(precision: str, draws: int, calls: int) -> dict[str, Any]:
    """Fastest warm bootstrap of Epoch's points, and its standard errors."""
    runs = jl.datasets.runs("chinchilla_epoch")
    fit = jl.fit(jl.laws.chinchilla, runs, precision=precision)
    seconds = []
    for _ in range(calls + 1):
        begin = time.perf_counter()
        boot = jl.bootstrap(fit, draws=draws)
        seconds.append(time.perf_counter() - begin)
    return dict(
        seconds=min(seconds[1:]), se=list(boot.frame()["se"]), failed=float(np.mean(~boot.good))
    )


def measure(smoke: bool = False) -> Section:
    """The table of hardware."""
    draws, calls, rounds = (20, 1, 1) if smoke else (DRAWS, CALLS, ROUNDS)
    many = len(cores())
    settings: dict[str, tuple[str, int, dict[str, str]]] = {
        f"float64, {many} cores, 1 device": ("float64", many, {}),
        f"float32, {many} cores, 1 device": ("float32", many, {}),
        "float64, 1 core, 1 device": ("float64", 1, {}),
        f"float64, {many} cores, 8 virtual devices": ("float64", many, {"XLA_FLAGS": DEVICES}),
    }
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in settings}
    for _ in range(rounds):
        for name, (precision, count, variables) in settings.items():
            found[name].append(
                fresh("hardware:refits", precision, draws, calls, cores=count, **variables)
            )
    base = next(iter(settings))
    first = min(one["seconds"] for one in found[base])
    exact = np.array(found[base][0]["se"], float)
    rows = [
        {
            "setting": name,
            f"{draws} refits, s": min(one["seconds"] for one in each),
            "to the first": min(one["seconds"] for one in each) / first,
            "standard errors off by at most": float(
                np.max(np.abs(np.array(each[0]["se"], float) / exact - 1))
            ),
            "refits not converged": each[0]["failed"],
        }
        for name, each in found.items()
    ]
    return Section(title="Precision, cores, devices", text=TEXT, rows=rows)


TEXT = f"""\
Bootstraps of Epoch's points in processes of their own, {ROUNDS} of each in turn, the fastest of
{CALLS} warm calls. Virtual devices share the cores: eight show what sharing the work out costs
where it brings nothing, not what eight devices would bring."""
