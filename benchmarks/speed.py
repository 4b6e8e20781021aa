"""4000 refits of Epoch's points against jit(vmap(optimistix.BFGS)) in chunks of 500.

Both minimise the same objective, Huber(1e-3) summed on log loss, on the same resamples, in this
process, in turn. Optimistix starts at the full-data minimum, as ours does.

    python -m benchmarks.speed
"""

import argparse
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

import jaxlaws as jl

CHUNK = 500


def weights(draws: int) -> np.ndarray:
    """(draw, n) counts of the pairs bootstrap with the default key."""
    runs = jl.datasets.runs("chinchilla_epoch")
    fit = jl.fit(jl.laws.chinchilla, runs, starts=16)
    return np.asarray(jl.Pairs().draw(jax.random.key(0), np.arange(draws), fit.sample)[0])


def peer(counts: np.ndarray, start: np.ndarray) -> Callable[[], np.ndarray]:
    """The twelve lines: (draw,) objective reached by Optimistix BFGS."""
    import optimistix as optx

    runs = jl.datasets.runs("chinchilla_epoch")
    n, d, y = (jnp.log(jnp.asarray(v)) for v in (*(runs.inputs[k] for k in "ND"), runs.target))

    def loss(q: jax.Array, w: jax.Array) -> jax.Array:
        a, b, e, alpha, beta = q
        terms = jnp.stack([a - alpha * n, b - beta * d, jnp.broadcast_to(e, n.shape)])
        r = jnp.abs(jax.nn.logsumexp(terms, axis=0) - y)
        return jnp.sum(w * jnp.where(r <= 1e-3, 0.5 * r**2, 1e-3 * (r - 0.5e-3)))

    def solve(w: jax.Array) -> tuple[jax.Array, jax.Array]:
        bfgs = optx.BFGS(rtol=1e-8, atol=1e-12)
        found = optx.minimise(loss, bfgs, jnp.asarray(start), args=w, max_steps=2000, throw=False)
        return loss(found.value, w), found.value

    batch = jax.jit(jax.vmap(solve))

    def run() -> np.ndarray:
        chunks = [batch(jnp.asarray(counts[i : i + CHUNK])) for i in range(0, len(counts), CHUNK)]
        return np.concatenate([np.asarray(values) for values, _ in chunks])

    return run


def main() -> None:
    """Time both in turn and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=4000)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    runs = jl.datasets.runs("chinchilla_epoch")
    fit = jl.fit(jl.laws.chinchilla, runs)
    counts = weights(options.draws)
    p = {k: float(v) for k, v in fit.params.items()}
    start = np.array([np.log(p["A"]), np.log(p["B"]), np.log(p["E"]), p["alpha"], p["beta"]])
    theirs = peer(counts, start)
    ours = lambda: jl.bootstrap(fit, draws=options.draws)  # noqa: E731
    seconds: dict[str, list[float]] = {"jaxlaws": [], "optimistix": []}
    for name, job in (("jaxlaws", ours), ("optimistix", theirs)):
        began = time.perf_counter()
        job()
        print(f"{name:12s} cold, compile included: {time.perf_counter() - began:6.2f} s")
    for _ in range(options.repeats):
        for name, job in (("jaxlaws", ours), ("optimistix", theirs)):
            began = time.perf_counter()
            result = job()
            seconds[name].append(time.perf_counter() - began)
            if name == "jaxlaws":
                reached = result.solution.value * float(fit.problem.shared.scale[0])
            else:
                peers = result
    ratio = np.array(seconds["optimistix"]) / np.array(seconds["jaxlaws"])
    for name, values in seconds.items():
        print(f"{name:12s} warm: median {np.median(values):.3f} s, min {min(values):.3f} s")
    print(f"ratio optimistix / jaxlaws: median {np.median(ratio):.2f}, min {ratio.min():.2f}")
    worse = reached / peers - 1
    print(f"objective, ours / theirs - 1: largest {worse.max():.1e}, smallest {worse.min():.1e}")


if __name__ == "__main__":
    main()
