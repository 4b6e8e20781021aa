"""The benchmarks run and say what is true; a time never fails them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT
from scipy.optimize import approx_fprime

import jaxlaws as jl
from benchmarks import page, record
from benchmarks.__main__ import SECTIONS
from benchmarks.peers import common
from benchmarks.speed import BEST

TRUE_WHATEVER_THE_TIME = {
    "speed": r"no resample above any peer's objective by more than 1e-9 | ",
    "grid": "objective / lowest 1.000000000",
    "tables": "| 100% |",
}


@pytest.mark.parametrize("name", SECTIONS)
def test_small_version_runs(name: str, data: Path) -> None:
    """Every section at a small size, in a process without the tests' settings of JAX."""
    settings = {k: v for k, v in os.environ.items() if not k.startswith("JAX_")}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "benchmarks", name, "--smoke"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=settings,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.startswith("## ")
    assert "failed" not in done.stdout
    assert TRUE_WHATEVER_THE_TIME.get(name, "") in done.stdout


@pytest.fixture
def points(data: Path) -> common.Points:
    runs = jl.datasets.runs("chinchilla_epoch")
    q = np.array([6.1, 7.6, 0.6, 0.35, 0.37])
    counts = np.random.default_rng(0).integers(0, 3, (2, len(runs))).astype(float)
    counts[0] = 1.0
    return common.Points(
        runs.inputs["N"], runs.inputs["D"], runs.target, counts, np.stack([q, q + 0.01])
    )


def test_the_peers_objective_is_ours(points: common.Points) -> None:
    """At the certified minimum, to the digits of its five printed parameters."""
    fit = jl.fit(jl.laws.chinchilla, jl.datasets.runs("chinchilla_epoch"), starts=16)
    p = {k: float(v) for k, v in fit.params.items()}
    q = np.array([[*(np.log(p[k]) for k in ("A", "B", "E")), p["alpha"], p["beta"]]])
    one = points._replace(counts=points.counts[:1])
    assert common.objective(q, one)[0] == pytest.approx(fit.value, rel=1e-12)
    assert fit.value == pytest.approx(BEST, rel=1e-12)


def test_the_peers_gradient_is_the_objectives(points: common.Points) -> None:
    """Forward differences of 1e-8 of a sum near 0.01 are good to about 1e-6 of the slope."""
    for i, q in enumerate(points.starts):
        value, slope = common.gradient(q, points.counts[i], points)
        assert value == pytest.approx(common.objective(points.starts, points)[i], rel=1e-12)
        moved = approx_fprime(q, lambda q: common.gradient(q, points.counts[i], points)[0], 1e-8)  # noqa: B023
        np.testing.assert_allclose(slope, moved, rtol=1e-5, atol=1e-6)


def test_resamples_repeat_their_runs(points: common.Points) -> None:
    N, _, L = points.resample(1)
    assert len(N) == points.counts[1].sum()
    assert L.sum() == pytest.approx((points.counts[1] * points.L).sum())


def test_page_shows_the_newest_record(tmp_path: Path) -> None:
    made = record.Section(
        title="A table",
        text="How it was measured.",
        rows=[{"contender": "jaxlaws", "warm, s": 0.5}, {"contender": "peer", "failed": "no"}],
        goals=[record.Goal("asked", "got", False)],
    )
    for date, got in (("2026-01-02 10:00", "old"), ("2026-01-03 10:00", "new")):
        kept = record.recorded("speed", made) | {"date": date, "title": got}
        record.keep([kept], tmp_path)
    files = sorted(tmp_path.glob("*.json"))
    assert len(files) == 2
    assert str(ROOT) not in files[0].read_text()
    newest = record.newest(tmp_path)
    assert newest["speed"]["title"] == "new"
    page.write(newest, tmp_path / "docs")
    text = (tmp_path / "docs" / "benchmarks.md").read_text()
    assert "## new" in text
    assert "**missed**" in text
    assert (tmp_path / "docs" / "benchmarks_speed.png").stat().st_size > 1000


def test_history_is_readable() -> None:
    """Every recorded run has its sections with date, machine, versions and command."""
    for path in record.HISTORY.glob("*.json"):
        for one in json.loads(path.read_text()):
            assert one["name"] in SECTIONS
            assert {"date", "machine", "versions", "command", "rows"} <= set(one)
