"""Settings under which everything is tested, and the tables that many tests look at.

float64 is on, silent broadcasting and silent dtype promotion are errors, and so is every warning.
`JAX_NUMPY_RANK_PROMOTION=allow` (or `JAX_NUMPY_DTYPE_PROMOTION=standard`) in the environment
relaxes one of them for a run by hand.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # benchmarks/ is tested too

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_rank_promotion", os.environ.get("JAX_NUMPY_RANK_PROMOTION", "raise"))
jax.config.update(
    "jax_numpy_dtype_promotion", os.environ.get("JAX_NUMPY_DTYPE_PROMOTION", "strict")
)

import jaxlaws as jl  # noqa: E402 - after the settings

DATA = Path(os.environ.get("JAXLAWS_DATA") or ROOT.parent / "shared" / "data").resolve()
BESIROGLU = dict(E=1.8172, A=482.01, B=2085.43, alpha=0.3478, beta=0.3658)


@pytest.fixture
def key() -> jax.Array:
    return jax.random.key(20240416)


@pytest.fixture
def data(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of public tables; the test fails where it is missing."""
    assert DATA.is_dir(), f"no folder {DATA}; set JAXLAWS_DATA to the folder of tidy tables"
    monkeypatch.setenv("JAXLAWS_DATA", str(DATA))
    return DATA


@pytest.fixture(scope="session")
def runs() -> jl.Runs:
    """81 runs simulated from Chinchilla's law: 0.4 % noise with heavy tails, IsoFLOP design."""
    return jl.datasets.runs("simulated_chinchilla")


@pytest.fixture(scope="session")
def simulated(runs: jl.Runs) -> Callable[..., jl.Runs]:
    """Tables of Chinchilla's law on the design of `runs`, so that compiled code is shared."""

    def make(seed: int, sd: float = 0.004, **constants: float) -> jl.Runs:
        N, D = runs.inputs["N"], runs.inputs["D"]
        law = np.asarray(jl.laws.chinchilla(N, D, **{**BESIROGLU, **constants}))
        noise = np.random.default_rng(seed).standard_normal(len(N))
        return jl.Runs.from_arrays(law * np.exp(sd * noise), N=N, D=D)

    return make


@pytest.fixture(scope="session")
def huber_fit(runs: jl.Runs) -> jl.Fit:
    return jl.fit(jl.laws.chinchilla, runs, starts=32)


@pytest.fixture(scope="session")
def squared_fit(runs: jl.Runs) -> jl.Fit:
    return jl.fit(jl.laws.chinchilla, runs, objective=jl.Squared(), starts=32)


@pytest.fixture(scope="session")
def boot(squared_fit: jl.Fit) -> jl.Draws:
    return jl.bootstrap(squared_fit, draws=400, key=jax.random.key(1))


@pytest.fixture(scope="session")
def python() -> Callable[..., Any]:
    """Run a script in a fresh interpreter without our settings; its last line, read as JSON."""

    def run(script: str, *arguments: str) -> Any:
        environment = {k: v for k, v in os.environ.items() if not k.startswith("JAX_")}
        done = subprocess.run(
            [sys.executable, "-c", script, *arguments],
            capture_output=True,
            text=True,
            cwd=ROOT,
            env=environment,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return json.loads(done.stdout.strip().splitlines()[-1])

    return run


MAPS = Path("/proc/self/maps")
MANY = 30_000  # of the 65,530 that Linux gives a process by default
EVERY = 32  # tests; counting takes some milliseconds
_ended = 0


def pytest_runtest_teardown() -> None:
    """Let compiled programs go: each maps memory, and XLA aborts where Linux gives no more."""
    global _ended
    _ended += 1
    if _ended % EVERY == 0 and MAPS.exists() and MAPS.read_bytes().count(b"\n") > MANY:
        jax.clear_caches()
