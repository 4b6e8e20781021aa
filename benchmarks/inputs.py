"""Inputs measured with errors: true inputs integrated out or sampled, and what ignoring them costs.

    python -m benchmarks.inputs latent      # three points of the law against sampled true inputs
    python -m benchmarks.inputs coverage    # simulated studies, errors known and ignored

latent: the same model twice, on Epoch's 240 points with an assumed error of D. `jl.posterior`
follows the law at three points around each run; NumPyro's NUTS samples the 240 true inputs beside
the parameters, non-centred around what their measurements say, which is exact. coverage: tables of
Chinchilla's law with constants planted from the priors, and sizes measured with a known error.
"""

import argparse
import time
import warnings
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpyro.diagnostics import effective_sample_size, split_gelman_rubin
from numpyro.infer import MCMC, NUTS

import jaxlaws as jl
from benchmarks.posterior import LEVELS, NOISE, planted
from jaxlaws._density import Known, Model
from jaxlaws._risk import residuals

ERRORS = (0.02, 0.1, 0.3)  # of D
STEPS = 500  # of warm-up, and draws of each of four chains of the sampled true inputs
STUDIED = {"N": 0.3, "D": 0.3}  # errors of the coverage study, on grids of three decades


def latent(args: argparse.Namespace) -> None:
    """Posterior means and spreads, and effective draws per second, both ways."""
    fit = jl.fit(jl.laws.chinchilla, jl.datasets.runs("chinchilla_epoch"), starts=32)
    print("error of D, parameter: mean and sd integrated, sampled; difference in sd; R-hat")
    for error in ERRORS:
        for key in (0, 1):  # the first call compiles
            begin = time.perf_counter()
            ours = jl.posterior(fit, input_error={"D": error}, key=jax.random.key(key))
            seconds = time.perf_counter() - begin
        places, own, theirs = sampled(ours)
        names = [*fit.law.params, "noise"]
        draws = np.stack([*ours.params.values(), ours.sampling.scale], axis=1)
        exact = np.stack([places[name] for name in names], axis=2)
        rhat, ess = split_gelman_rubin(exact), effective_sample_size(exact)
        for i, name in enumerate(names):
            one, other = draws[:, i], exact[..., i].ravel()
            away = (one.mean() - other.mean()) / other.std()
            print(
                f"  {error:4.2f} {name:6s} {one.mean():9.5g} {one.std():9.3g}  {other.mean():9.5g} "
                f"{other.std():9.3g}  {away:6.3f}  {rhat[i]:.3f}"
            )
        least = min(ours.sampling.ess.values())
        print(
            f"  integrated: {len(ours)} draws in {seconds:.1f} s, least ESS {least:.0f}, "
            f"{least / seconds:.0f} per second; sampled: {exact[..., 0].size} draws in "
            f"{own:.1f} s, least ESS {ess.min():.0f}, {ess.min() / own:.1f} per second, "
            f"{theirs:.0f} steps each",
            flush=True,
        )


def sampled(draws: jl.Draws) -> tuple[dict[str, np.ndarray], float, float]:
    """Parameters (chain, draw) where true inputs are sampled too, seconds, steps of a draw."""
    _, sampling = draws.sampled()
    model, known, d = sampling.model, sampling.known, sampling.model.size
    with jax.enable_x64(True):
        middle = jnp.asarray(np.median(sampling.places, axis=0))
        root = jnp.asarray(np.linalg.cholesky(np.cov(sampling.places.T)))

        def potential(round_: Array) -> Array:
            place, w = middle + root @ round_[:d], round_[d:]
            return -joint(model, place, w, known)

        start = jnp.zeros((4, d + len(known.target)))
        start += 0.5 * jax.random.normal(jax.random.key(0), start.shape)
        mcmc = MCMC(
            NUTS(potential_fn=potential),
            num_warmup=STEPS,
            num_samples=STEPS,
            num_chains=4,
            chain_method="vectorized",
            progress_bar=False,
        )
        for key in (0, 1):  # the first run compiles
            begin = time.perf_counter()
            mcmc.run(jax.random.key(key), init_params=start, extra_fields=("num_steps",))
            found = jax.block_until_ready(mcmc.get_samples(group_by_chain=True))
            seconds = time.perf_counter() - begin
        places = middle + found[..., :d] @ root.T
        params = jax.vmap(jax.vmap(lambda place: model.params(place, known)))(places)
        made = {name: np.asarray(value) for name, value in params.items()}
        made["noise"] = np.exp(np.asarray(places[..., model.layout.size]))
        steps = float(mcmc.get_extra_fields()["num_steps"].mean())
    return made, seconds, steps


def joint(model: Model, place: Array, w: Array, known: Known) -> Array:
    """Log density at a place (d,) and true inputs w (n,) sds from what their measurement says."""
    (name,) = model.blurred
    mean, sd = known.blurs[name].true(model.truth(place)[name])
    inputs = {**known.inputs, name: jnp.exp(mean + sd * w)}
    r = residuals(model.law, model.space, model.params(place, known), inputs, known.target)
    each = known.objective.log_density(r, jnp.exp(model.log_noise(place, known)))
    return jnp.sum(each) + model._log_rest(place, known) - 0.5 * jnp.sum(w**2)


def coverage(args: argparse.Namespace) -> None:
    """Shares of tables whose intervals hold the planted constants, errors known and ignored."""
    tables, truths, _ = planted("chinchilla", args.count)
    rng = np.random.default_rng(7)
    blurred = [
        jl.Runs.from_arrays(
            table.target,
            **{
                name: values * np.exp(STUDIED[name] * rng.standard_normal(len(table)))
                for name, values in table.inputs.items()
            },
        )
        for table in tables
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", jl.InputWarning)
        fits = jl.fit(jl.laws.chinchilla, jl.Runs.stack(blurred), objective=jl.Squared(), starts=16)
    settings: dict[str, Any] = dict(draws=250, sampler=args.sampler, priors={"noise": NOISE})
    for label, error in (("known", STUDIED), ("ignored", None)):
        found = jl.posterior(fits, input_error=error, **settings)
        good = [i for i, one in enumerate(found) if not one.withheld()]
        print(f"errors {label}: {len(good)} of {len(found)} tables converged")
        for name in jl.laws.chinchilla.params:
            shares = []
            for level in LEVELS:
                tail = [(1 - level) / 2, (1 + level) / 2]
                ends = [np.quantile(found[i].params[name], tail) for i in good]
                hits = [a <= truths[i][name] <= b for i, (a, b) in zip(good, ends, strict=True)]
                shares.append(f"{np.mean(hits):.3f}")
            print(f"  {name:6s} " + "  ".join(shares))
    print("levels   " + "  ".join(f"{level:.2f} " for level in LEVELS))


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=("latent", "coverage"))
    parser.add_argument("--count", type=int, default=300, help="simulated tables")
    parser.add_argument("--sampler", default="importance", choices=("nuts", "importance"))
    args = parser.parse_args()
    globals()[args.what](args)


if __name__ == "__main__":
    main()
