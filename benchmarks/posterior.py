"""What the posterior is worth: calibration and coverage far from the data, and its speed.

    python -m benchmarks.posterior calibration     # ranks of planted constants, four laws
    python -m benchmarks.posterior coverage        # new runs at ten times the largest, 1000 studies
    python -m benchmarks.posterior together        # 500 small tables in one call, and one by one
    python -m benchmarks.posterior cold            # 4 x 1000 draws in a new process
    python -m benchmarks posterior                 # speed against plain NumPyro models

Calibration plants constants drawn from the default priors (typical ranges; the noise has a prior of
its own, NOISE, since the default one looks at the targets), so that their ranks among the draws of
an exact posterior are uniform. Every parameter of every law and the noise are tested with a
chi-square of 20 bins, Bonferroni-corrected to a false-alarm rate of 1 % for the whole suite. Tables
whose posterior is withheld (unconverged chains) are counted and left out: that choice looks at the
data alone, which leaves the ranks of the others uniform.
"""

import argparse
import subprocess
import sys
import time
import warnings
from collections import Counter
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from arviz_stats.base import array_stats
from numpyro.infer import MCMC, NUTS
from scipy.stats import chi2

import jaxlaws as jl
from benchmarks.record import Section
from jaxlaws._coordinates import coordinates

NOISE = dist.LogNormal(np.log(0.01), 0.7)
STEPS = 3000  # of the schedules of the annealing law
ALARM = 0.01  # false-alarm rate of the whole suite
BINS = 20
THIN = 99  # draws that a rank is taken among, spread over all
PLAIN = 500  # warm-up and draws of each chain of a plain model
LEVELS = (0.5, 0.8, 0.9, 0.95)


def design(name: str, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Inputs of one simulated table."""
    if name == "chinchilla":
        N, D = np.meshgrid(np.geomspace(1e7, 1e10, 7), np.geomspace(1e9, 1e12, 7))
        return {"N": N.ravel(), "D": D.ravel()}
    if name == "muennighoff":
        N, U, R = np.meshgrid(np.geomspace(3e7, 3e9, 4), np.geomspace(1e8, 1e10, 3), [1, 4, 16, 64])
        return {"N": N.ravel(), "D": (U * R).ravel(), "U_D": U.ravel()}
    if name == "bnsl(1)":
        return {"x": np.geomspace(1e3, 1e7, 40)}
    step, curve = np.meshgrid(np.geomspace(100, STEPS - 1, 10).astype(int), np.arange(4))
    return {"curve": curve.ravel(), "step": step.ravel()}


def schedules() -> np.ndarray:
    """(4, STEPS) learning rates: constant, cosine, linear to zero, constant with a late decay."""
    at = np.arange(STEPS) / (STEPS - 1)
    late = np.where(at < 0.8, 1.0, 1 - 0.95 * (at - 0.8) / 0.2)
    return 1e-3 * np.stack([np.ones(STEPS), 0.1 + 0.45 * (1 + np.cos(np.pi * at)), 1 - at, late])


LAWS = {
    "chinchilla": jl.laws.chinchilla,
    "muennighoff": jl.laws.muennighoff,
    "bnsl(1)": jl.laws.bnsl(1),
    "annealing": jl.laws.lr_annealing(schedules()),
}


def planted(
    name: str, count: int, seed: int = 0
) -> tuple[list[jl.Runs], list[dict[str, np.ndarray]], int]:
    """Tables simulated from constants of the prior, the constants, and how many had no number."""
    law, rng = LAWS[name], np.random.default_rng(seed)
    inputs = design(name, rng)
    shown = jl.Runs.from_arrays(np.linspace(1, 2, len(next(iter(inputs.values())))), **inputs)
    layout = coordinates(law)
    frame = layout.frame(shown)
    tables, truths, lost = [], [], 0
    while len(tables) < count:
        truth: dict[str, Any] = {}
        for key, where in layout.slices.items():
            spec = law.params[key]
            z = rng.standard_normal(where.stop - where.start)
            middle, width = frame.middle[where], frame.width[where]
            if key in layout.terms:
                middle, width = spec.centre, spec.spread
            value = spec.support.constrain(jnp.asarray(middle + width * z))
            truth[key] = np.asarray(value, float).reshape(spec.size)
        truth["noise"] = np.exp(float(NOISE.loc) + float(NOISE.scale) * rng.standard_normal())
        mean = np.asarray(law(**inputs, **{k: truth[k] for k in law.params}))
        y = mean * np.exp(truth["noise"] * rng.standard_normal(len(mean)))
        if not (np.isfinite(y).all() and (y > 0).all() and np.ptp(y) > 0):
            lost += 1
            continue
        truth |= {k: np.asarray(v) for k, v in law.canonical(truth).items()}
        tables.append(jl.Runs.from_arrays(y, **inputs))
        truths.append(truth)
    return tables, truths, lost


def sampled(name: str, count: int, sampler: str, seed: int = 0) -> tuple[Any, Any, float]:
    """Posteriors of planted tables, the constants, and the seconds the sampling took."""
    tables, truths, lost = planted(name, count, seed)
    if lost:
        print(f"{name}: {lost} draws of the prior gave no finite table and were drawn again")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", jl.InputWarning)
        fits = jl.fit(LAWS[name], jl.Runs.stack(tables), objective=jl.Squared(), starts=16)
        begin = time.perf_counter()
        known = jl.posterior(fits, draws=500, chains=4, sampler=sampler, priors={"noise": NOISE})
    return known, truths, time.perf_counter() - begin


def calibration(args: argparse.Namespace) -> None:
    results = []
    for name in args.laws or LAWS:
        known, truths, seconds = sampled(name, args.count, args.sampler, args.seed)
        good = [i for i, one in enumerate(known) if not one.withheld()]
        ways = Counter(one.sampling.method for one in known)
        print(
            f"{name}: {len(good)} of {len(known)} tables converged ({dict(ways)}), {seconds:.0f} s"
        )
        for key in (*LAWS[name].params, "noise"):
            ranks = []
            for i in good:
                values = known[i].sampling.scale if key == "noise" else known[i].params[key]
                values = np.asarray(values).reshape(len(values), -1)[:, 0]
                thin = values[np.linspace(0, len(values) - 1, THIN).astype(int)]
                ranks.append(np.sum(thin < np.ravel(truths[i][key])[0]))
            seen = np.histogram(ranks, bins=BINS, range=(-0.5, THIN + 0.5))[0]
            square = float(np.sum((seen - len(good) / BINS) ** 2) / (len(good) / BINS))
            results.append((name, key, square, float(chi2.sf(square, BINS - 1))))
    limit = ALARM / len(results)
    print(
        f"\n{'law':12s} {'parameter':10s} {'chi-square':>10s} {'p':>8s}   refused below {limit:.1e}"
    )
    for name, key, square, p in results:
        print(f"{name:12s} {key:10s} {square:10.1f} {p:8.4f}   {'REJECTED' if p < limit else 'ok'}")


def coverage(args: argparse.Namespace) -> None:
    known, truths, seconds = sampled("chinchilla", args.count, args.sampler, args.seed + 1)
    inputs = design("chinchilla", np.random.default_rng(0))
    at = {key: np.sqrt(10) * values.max() for key, values in inputs.items()}  # 10 x the compute
    rng = np.random.default_rng(args.seed + 2)
    held = {level: [0, 0] for level in LEVELS}
    for one, truth in zip(known, truths, strict=True):
        if one.withheld():
            continue
        mean = float(jl.laws.chinchilla(**at, **{k: truth[k] for k in jl.laws.chinchilla.params}))
        new = mean * np.exp(truth["noise"] * rng.standard_normal())
        found = jl.predict(one, **at)
        for level in LEVELS:
            row = found.frame(level).iloc[0]
            held[level][0] += row["run_low"] <= new <= row["run_high"]
            held[level][1] += 1
    print(f"{len(known)} studies of {len(inputs['N'])} runs, sampled in {seconds:.0f} s")
    print("level  covered  two standard errors  inside")
    for level, (hits, total) in held.items():
        se = np.sqrt(level * (1 - level) / total)
        inside = abs(hits / total - level) <= 2 * se
        print(f"{level:5.2f}  {hits / total:7.4f}  {2 * se:19.4f}  {inside}  ({hits} of {total})")


def plain(centred: bool) -> Any:
    """A NumPyro model as one would write it, with the same priors and likelihood as ours."""
    law, huber = jl.laws.chinchilla, jl.Huber(1e-3)

    def model(N: Any, D: Any, y: Any, spread: float) -> None:
        made = {}
        for key, spec in law.params.items():
            made[key] = dist.LogNormal(spec.centre, spec.spread)
        logs = {"A": np.log(N).mean(), "B": np.log(D).mean()}
        E = numpyro.sample("E", made["E"])
        alpha, beta = numpyro.sample("alpha", made["alpha"]), numpyro.sample("beta", made["beta"])
        if centred:  # the size of a term at the middle of the data
            a = numpyro.sample(
                "a", dist.Normal(law.params["A"].centre - alpha * logs["A"], law.params["A"].spread)
            )
            b = numpyro.sample(
                "b", dist.Normal(law.params["B"].centre - beta * logs["B"], law.params["B"].spread)
            )
            A = numpyro.deterministic("A", jnp.exp(a + alpha * logs["A"]))
            B = numpyro.deterministic("B", jnp.exp(b + beta * logs["B"]))
        else:
            A, B = numpyro.sample("A", made["A"]), numpyro.sample("B", made["B"])
        sigma = numpyro.sample("noise", dist.LogNormal(jnp.log(0.05 * spread), 1.5))
        r = jnp.log(E + A * N**-alpha + B * D**-beta) - jnp.log(y)
        numpyro.factor("runs", huber.log_density(r, sigma).sum())

    return model


def natural(N: Any, D: Any, y: Any, spread: float) -> None:
    """The same in natural parameters: flat over wide boxes, as in most notebooks."""
    E = numpyro.sample("E", dist.Uniform(0.1, 5.0))
    A, B = numpyro.sample("A", dist.Uniform(1, 1e5)), numpyro.sample("B", dist.Uniform(1, 1e6))
    alpha, beta = (numpyro.sample(k, dist.Uniform(0.03, 1.5)) for k in ("alpha", "beta"))
    sigma = numpyro.sample("noise", dist.HalfNormal(spread))
    r = jnp.log(E + A * N**-alpha + B * D**-beta) - jnp.log(y)
    numpyro.factor("runs", jl.Huber(1e-3).log_density(r, sigma).sum())


def measure(smoke: bool = False) -> Section:
    """The table of speed: bulk ESS a second of ours and of plain models."""
    runs = jl.datasets.runs("chinchilla_epoch")
    fit = jl.fit(jl.laws.chinchilla, runs)
    length, draws = (20, 50) if smoke else (PLAIN, 1000)
    rows = []
    for name, sampler in (("jaxlaws NUTS", "nuts"), ("jaxlaws importance", "importance")):
        for seed in (0, 1):  # the first run compiles
            begin = time.perf_counter()
            known = jl.posterior(fit, sampler=sampler, draws=draws, key=jax.random.key(seed))
            seconds = time.perf_counter() - begin
        ess = min(known.sampling.ess.values())
        steps = known.sampling.stats["n_steps"].mean() if known.sampling.stats else np.nan
        rows.append((name, seconds, ess, steps, max(known.sampling.rhat.values())))
    inputs = fit.runs.inputs
    at = (inputs["N"], inputs["D"], fit.runs.target, float(np.std(np.log(fit.runs.target))))
    with jax.enable_x64(True):
        for name, model in (
            ("NumPyro, natural parameters", natural),
            ("NumPyro, log parameters", plain(False)),
            ("NumPyro, centred amplitudes", plain(True)),
        ):
            mcmc = MCMC(
                NUTS(model),
                num_warmup=length,
                num_samples=length,
                num_chains=4,
                chain_method="vectorized",
                progress_bar=False,
            )
            for seed in (0, 1):
                begin = time.perf_counter()
                mcmc.run(jax.random.key(seed), *at, extra_fields=("num_steps",))
                seconds = time.perf_counter() - begin
            found = mcmc.get_samples(group_by_chain=True)
            ess = min(float(array_stats.ess(np.asarray(v))) for v in found.values())
            rhat = max(float(array_stats.rhat(np.asarray(v))) for v in found.values())
            steps = float(mcmc.get_extra_fields()["num_steps"].mean())
            rows.append((name, seconds, ess, steps, rhat))
    each = {name: ess / seconds for name, seconds, ess, *_ in rows}
    table = [
        {
            "warm, four chains": name,
            "s": seconds,
            "least bulk ESS": ess,
            "ESS/s": each[name],
            "steps a draw": steps,
            "R-hat": rhat,
            "to natural": each[name] / each["NumPyro, natural parameters"],
            "to centred": each[name] / each["NumPyro, centred amplitudes"],
        }
        for name, seconds, ess, steps, rhat in rows
    ]
    return Section(title="Posterior", text=TEXT, rows=table)


TEXT = f"""\
Epoch's 240 points, Huber's own density, each twice and timed the second time. Ours: the whole call
of 4 x 1000 draws after its warm-up. NumPyro: 4 x {PLAIN} draws after {PLAIN}, chains vectorised.
ESS is ArviZ's bulk ESS, the least over parameters and noise. The natural model has flat priors,
as in most notebooks; the others have ours."""


def together(args: argparse.Namespace) -> None:
    rng = np.random.default_rng(0)
    law, truth = jl.laws.chinchilla, dict(E=1.8, A=480.0, B=2100.0, alpha=0.35, beta=0.37)
    tables = []
    for _ in range(args.count):
        N, D = np.exp(rng.uniform(np.log([[1e7], [1e9]]), np.log([[1e10], [1e12]]), (2, 30)))
        y = np.asarray(law(N, D, **truth)) * np.exp(0.01 * rng.standard_normal(30))
        tables.append(jl.Runs.from_arrays(y, N=N, D=D))
    fits = jl.fit(law, jl.Runs.stack(tables), objective=jl.Squared(), starts=16)
    few = 16  # one after the other is timed on so many
    for sampler in ("nuts", "importance"):
        jl.posterior(fits, sampler=sampler, draws=250)
        begin = time.perf_counter()
        known = jl.posterior(fits, sampler=sampler, draws=250)
        whole = time.perf_counter() - begin
        jl.posterior(fits[0], sampler=sampler, draws=250)
        begin = time.perf_counter()
        for fit in fits[:few]:
            jl.posterior(fit, sampler=sampler, draws=250)
        alone = (time.perf_counter() - begin) / few * len(fits)
        bad = sum(bool(one.withheld()) for one in known)
        print(
            f"{sampler}: {len(fits)} tables of 30 runs, 4 x 250 draws: {whole:.1f} s in one call, "
            f"{alone:.1f} s one after the other ({few} timed), {alone / whole:.1f}x; {bad} withheld"
        )


def cold(args: argparse.Namespace) -> None:
    code = (
        "import time; t = time.perf_counter()\n"
        "import jax; jax.config.update('jax_enable_compilation_cache', False)\n"
        "import jaxlaws as jl\n"
        "fit = jl.fit(jl.laws.chinchilla, jl.datasets.runs('chinchilla_epoch'))\n"
        "f = time.perf_counter() - t; t = time.perf_counter()\n"
        "jl.posterior(fit)\n"
        "print(f'fit {f:.1f} s, then 4 x 1000 draws {time.perf_counter() - t:.1f} s, cold')"
    )
    for _ in range(3):
        subprocess.run([sys.executable, "-c", code], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=("calibration", "coverage", "together", "cold"))
    parser.add_argument("--count", type=int, default=None, help="simulated tables")
    parser.add_argument("--sampler", default="importance", choices=("nuts", "importance"))
    parser.add_argument("--laws", nargs="+", choices=LAWS, help="of the calibration")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    if args.count is None:
        args.count = 1000 if args.what == "coverage" else 500
    globals()[args.what](args)


if __name__ == "__main__":
    main()
