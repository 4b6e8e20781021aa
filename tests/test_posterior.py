"""The posterior against quadrature, simulation and itself; what it refuses and what it says."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest
from jax import Array

import benchmarks.posterior as benchmark
import jaxlaws as jl
from jaxlaws._density import GROWTH_WIDTH, NOISE_SHARE, NOISE_WIDTH, POOLED, Model, known_of
from jaxlaws._mixture import mixed, placed, seen
from jaxlaws._psis import smoothed
from jaxlaws._sampling import Sampling
from jaxlaws._support import positive
from jaxlaws.quantities import Exponent, Loss, Params


@jl.law()
def power(N: Params, *, alpha: Exponent) -> Loss:
    r"""A bare power law: $10 N^{-\alpha}$."""
    return 10 * N**-alpha


Signed = Annotated[Array, jl.Parameter("", typical=(-2.0, 2.0))]


@jl.law()
def even(N: Params, *, a: Signed) -> Loss:
    r"""The same for a and -a: $1 + a^2 \log_{10}(N) / 10$."""
    return 1 + a**2 * jnp.log10(N) / 10


def power_runs(n: int = 12, noise: float = 0.05, seed: int = 0) -> jl.Runs:
    rng = np.random.default_rng(seed)
    N = np.geomspace(1e2, 1e4, n)
    return jl.Runs.from_arrays(10 * N**-0.3 * np.exp(noise * rng.standard_normal(n)), N=N)


@pytest.fixture(scope="module")
def power_fit() -> jl.Fit:
    return jl.fit(power, power_runs(), objective=jl.Squared(), starts=4)


def quadrature(fit: jl.Fit) -> tuple[float, float, float]:
    """Posterior mean and sd of alpha and mean of the log noise scale, on a fine grid."""
    model, known = Model(fit.law, fit.space), known_of(fit, len(fit.runs), {}, {})
    center, width = float(fit.solution.z[0, 0]), 0.3
    z = np.linspace(center - width, center + width, 601)
    s = np.log(fit.scale) + np.linspace(-1.5, 2.5, 401)
    grid = np.stack(np.meshgrid(z, s, indexing="ij"), axis=-1).reshape(-1, 2)
    with jax.enable_x64(True):
        log = jax.vmap(lambda place: model.log_density(place, known))(jnp.asarray(grid))
        values = jax.vmap(lambda place: model.params(place, known)["alpha"])(jnp.asarray(grid))
    w, alpha = np.asarray(jax.nn.softmax(log)), np.asarray(values)
    mean = float(w @ alpha)
    return mean, float(np.sqrt(w @ (alpha - mean) ** 2)), float(w @ grid[:, 1])


@pytest.mark.parametrize("sampler", ["nuts", "importance"])
def test_it_is_the_posterior_that_quadrature_finds(power_fit: jl.Fit, sampler: str) -> None:
    mean, sd, log_noise = quadrature(power_fit)
    found = jl.posterior(power_fit, draws=1000, sampler=sampler)
    alpha, s = found.params["alpha"], found.sampling.places[:, 1]
    ess = min(found.sampling.ess.values())
    assert ess > 400
    # Five standard errors of a mean: a false alarm in 2 million, three times.
    assert abs(alpha.mean() - mean) < 5 * sd / np.sqrt(ess)
    assert abs(s.mean() - log_noise) < 5 * s.std() / np.sqrt(ess)
    assert abs(alpha.std() / sd - 1) < 5 * np.sqrt(1 / (2 * ess)) * 1.5  # tails heavier than normal


def test_a_prior_of_ones_own_carries_over(power_fit: jl.Fit) -> None:
    """A normal prior much narrower than the likelihood is the posterior."""
    prior = {"alpha": dist.Normal(0.31, 1e-5), "noise": dist.LogNormal(jnp.log(0.05), 1e-3)}
    found = jl.posterior(power_fit, draws=500, priors=prior, sampler="importance")
    assert abs(found.params["alpha"].mean() - 0.31) < 1e-6
    assert abs(found.params["alpha"].std() / 1e-5 - 1) < 0.15
    assert abs(np.log(found.sampling.scale).std() / 1e-3 - 1) < 0.15
    table = jl.prior_table(power, prior)
    assert table.loc["alpha", "prior"] == "Normal"
    assert abs(table.loc["alpha", "50 %"] - 0.31) < 1e-6


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (dict(priors={"gamma": dist.Normal(0, 1)}), "no parameter 'gamma'"),
        (dict(priors={"alpha": 3.0}), "must be a NumPyro distribution"),
        (dict(draws=2), "draws must be a number, 4 or more"),
        (dict(chains=0), "chains must be a number, 1 or more"),
        (dict(sampler="gibbs"), "sampler must be one of nuts, importance"),
    ],
)
def test_bad_arguments_are_refused(power_fit: jl.Fit, change: Any, words: str) -> None:
    with pytest.raises(jl.InputError, match=words):
        jl.posterior(power_fit, **change)


def test_two_mirrored_modes_are_reported_and_not_averaged() -> None:
    N = np.geomspace(1e2, 1e6, 20)
    rng = np.random.default_rng(0)
    y = (1 + np.log10(N) / 10) * np.exp(0.01 * rng.standard_normal(20))
    fit = jl.fit(even, jl.Runs.from_arrays(y, N=N), objective=jl.Squared(), starts=16)
    found = jl.posterior(fit, draws=500)
    assert found.withheld() == ""
    parts = found.by_mode()
    assert len(parts) == 2
    # Jumps make about as many independent draws of a sign as of anything else.
    ess = min(found.sampling.ess.values())
    assert abs(len(parts[0]) / len(found) - 0.5) < 5 * 0.5 / np.sqrt(ess)
    signs = sorted(float(np.sign(part.params["a"]).mean()) for part in parts)
    assert signs == [-1.0, 1.0]
    assert any("2 separate modes" in note for note in found.notes())
    one, other = (jl.predict(part, N=1e7).estimate[0] for part in parts)
    assert one == pytest.approx(other, rel=0.01)


def test_noise_that_shrinks_with_scale_is_found() -> None:
    n, rng = 200, np.random.default_rng(3)
    N = np.geomspace(1e2, 1e4, n)
    size = np.linspace(-1, 1, n)
    y = 10 * N**-0.3 * np.exp(0.05 * np.exp(-0.8 * size) * rng.standard_normal(n))
    fit = jl.fit(power, jl.Runs.from_arrays(y, N=N), objective=jl.Squared(), starts=4)
    found = jl.posterior(fit, draws=500, growing_noise=True, sampler="importance")
    growth = found.sampling.growth
    # The sum over runs of size^2 times the information of a log scale, 2, is 2 n / 3.
    assert abs(growth.mean() + 0.8) < 5 / np.sqrt(2 * n / 3)
    near, far = (jl.predict(found, N=x) for x in (1e2, 1e5))
    wide = [np.log(p.run[:, 0] / p.mean[:, 0]).std() for p in (near, far)]
    assert wide[0] > 5 * wide[1]  # exp(0.8 * 3) = 11 for sizes -1 and 2


def test_several_fits_are_sampled_side_by_side() -> None:
    tables = [power_runs(n, seed=n) for n in (12, 9, 15)]
    fits = jl.fit(power, jl.Runs.stack(tables), objective=jl.Squared(), starts=4)
    found = jl.posterior(fits, draws=500, sampler="importance")
    for one, fit in zip(found, fits, strict=True):
        mean, sd, _ = quadrature(fit)
        ess = one.sampling.ess["alpha"]
        assert abs(one.params["alpha"].mean() - mean) < 5 * sd / np.sqrt(ess)
    other = jl.fit(power, tables[0], starts=4)
    with pytest.raises(jl.InputError, match="number 1 differs"):
        jl.posterior([fits[0], other])


def test_only_chains_in_trouble_are_run_again(monkeypatch: pytest.MonkeyPatch) -> None:
    tables = [power_runs(12, seed=seed) for seed in (12, 13)]
    fits = jl.fit(power, jl.Runs.stack(tables), objective=jl.Squared(), starts=4)
    before = [one.sampling for one in jl.posterior(fits, draws=50)]
    mine = np.asarray(before[1].known.target)

    def trouble(own: Sampling) -> str:
        return "too slow" * np.array_equal(own.known.target, mine)

    monkeypatch.setattr(Sampling, "trouble", trouble)
    found = jl.posterior(fits, draws=50)
    after = [one.sampling for one in found]
    np.testing.assert_array_equal(before[0].places, after[0].places)
    assert not np.array_equal(before[1].places, after[1].places)
    assert before[1].places.shape == after[1].places.shape == (200, 2)
    for name, values in before[1].stats.items():
        assert values.shape == after[1].stats[name].shape == (4, 50)
    mean, sd, _ = quadrature(fits[1])
    ess = after[1].ess["alpha"]
    assert abs(found[1].params["alpha"].mean() - mean) < 5 * sd / np.sqrt(ess)
    # Of 40 draws no 100 are effective: to run them again would be in vain.
    few = jl.posterior(fits, draws=20, chains=2)
    assert len(few[1]) == 40


def test_corners_that_runs_hardly_see_are_entered_and_left() -> None:
    """A term that may have vanished, planted: chains agree in all of six tables.

    While the mixture began at modes and saw no prior, two of these were withheld.
    """
    known, *_ = benchmark.sampled("chinchilla", 6, "nuts")
    assert not [one.withheld() for one in known if one.withheld()]


def test_nuts_and_weighted_draws_agree_on_measured_runs() -> None:
    fit = jl.fit(jl.laws.chinchilla, jl.datasets.runs("chinchilla_epoch"), starts=32)
    chains = jl.posterior(fit, draws=500)
    weighted = jl.posterior(fit, draws=1000, sampler="importance")
    assert chains.withheld() == weighted.withheld() == ""
    assert max(chains.sampling.rhat.values()) < 1.01
    assert chains.sampling.divergences == 0
    assert weighted.sampling.khat < 0.7
    for name in ("E", "alpha", "beta"):
        a, b = chains.params[name], weighted.params[name]
        spread = a.std() * np.sqrt(1 / chains.sampling.ess[name] + 1 / weighted.sampling.ess[name])
        assert abs(a.mean() - b.mean()) < 5 * spread


@pytest.mark.filterwarnings("ignore::jaxlaws.InputWarning")  # odd units, on purpose
def test_ranks_of_planted_constants_are_uniform() -> None:
    """Simulation-based calibration, 200 tables: chi-square of 10 bins, false alarm 1e-4."""
    count, rng = 200, np.random.default_rng(1)
    N = np.geomspace(1e1, 1e2, 10)
    alpha = power.params["alpha"]
    planted, tables, scales = [], [], []
    for _ in range(count):
        value = float(alpha.constrain(jnp.asarray(rng.standard_normal())))
        scale = 0.05 * np.exp(0.5 * rng.standard_normal())
        y = 10 * N**-value * np.exp(scale * rng.standard_normal(len(N)))
        planted.append(value)
        scales.append(scale)
        tables.append(jl.Runs.from_arrays(y, N=N))
    fits = jl.fit(power, jl.Runs.stack(tables), objective=jl.Squared(), starts=4)
    prior = {"noise": dist.LogNormal(jnp.log(0.05), 0.5)}
    found = jl.posterior(fits, draws=250, priors=prior, sampler="importance")
    assert not any(one.withheld() for one in found)
    for values, truth in (
        ([one.params["alpha"] for one in found], planted),
        ([one.sampling.scale for one in found], scales),
    ):
        ranks = [np.mean(v < t) for v, t in zip(values, truth, strict=True)]
        seen = np.histogram(ranks, bins=10, range=(0, 1))[0]
        assert np.sum((seen - count / 10) ** 2) / (count / 10) < 33.7  # 1e-4 at 9 degrees


@jl.law()
def idle(N: Params, *, alpha: Exponent, gamma: Signed) -> Loss:
    r"""Nothing depends on gamma: $10 N^{-\alpha} + 10^{-12} \gamma$."""
    return 10 * N**-alpha + 1e-12 * gamma


def test_what_the_prior_alone_decides_is_said() -> None:
    fit = jl.fit(idle, power_runs(), objective=jl.Squared(), starts=4)
    found = jl.posterior(fit, draws=500, sampler="importance")
    left = found.sampling.left
    assert left["alpha"] < 0.5
    # A standard deviation from ess draws of a normal: five standard errors.
    assert abs(left["gamma"] - 1) < 5 / np.sqrt(2 * found.sampling.ess["gamma"])
    assert any("next to nothing about gamma" in note for note in found.notes())


@pytest.mark.parametrize("pooled", [(), ("A",), ("alpha", "B")])
def test_the_prior_is_normal_over_the_typical_ranges(pooled: tuple[str, ...]) -> None:
    """A positive parameter's logarithm, whatever the others are; a population's is its middle's."""
    rng = np.random.default_rng(0)
    law = jl.laws.chinchilla.per_group(*pooled, groups=3) if pooled else jl.laws.chinchilla
    columns = dict(N=np.geomspace(1e7, 1e9, 12), D=rng.permutation(np.geomspace(1e9, 1e11, 12)))
    columns |= dict(group=np.arange(12) % 3) if pooled else {}
    runs = jl.Runs.from_arrays(np.linspace(2, 3, 12) + 0.01 * rng.random(12), **columns)
    fit = jl.fit(law, runs, objective=jl.Squared(), starts=2)
    model, known = Model(law, fit.space, True, pooled), known_of(fit, 12, {}, {})
    with jax.enable_x64(True):
        places = jnp.asarray(rng.standard_normal((20, model.size)))
        middle, width = jax.vmap(lambda place: model.prior_frame(place, known))(places)
        prior = jax.vmap(lambda place: model.log_prior(place, known))(places)
        params = jax.vmap(lambda place: model.params(place, known))(places)
        z, rest = np.split(np.asarray(places), [model.layout.size], axis=1)
        ours = ((rest[:, 0] - known.noise[0]) / NOISE_WIDTH) ** 2 + (rest[:, 1] / GROWTH_WIDTH) ** 2
        for name, spec in law.params.items():
            logs = np.log(np.asarray(params[name]).reshape(len(places), -1))
            apart = (logs.mean(axis=1) - spec.centre) / spec.spread  # all five are positive
            if name in pooled:
                of_groups, i = z[:, model.layout.slices[name]], pooled.index(name)
                middles, spreads = (np.asarray(part)[:, i] for part in model.population(places))
                # What an exponent's population has is its middle, a size's the mean of its groups.
                apart = middles if name == "alpha" else apart
                ours += (of_groups**2).sum(axis=1) + ((spreads - POOLED[0]) / POOLED[1]) ** 2
            ours += apart**2
        np.testing.assert_allclose(-0.5 * ours, prior, rtol=1e-9)
        for view in model.views:
            own = seen(places, view, middle, width)
            back = jax.vmap(
                lambda one, view=view: placed(one, view, lambda x: model.prior_frame(x, known))
            )(own)
            np.testing.assert_allclose(back, places, rtol=1e-9, atol=1e-9)


def test_the_mixture_draws_what_its_density_says() -> None:
    """The mean of p/q over draws of q is one, whatever members see: within five standard errors."""

    def frame(place: Any) -> Any:  # the second coordinate is counted from a bent middle
        return jnp.stack([0 * place[0], jnp.sin(place[0])]), jnp.asarray([1.0, 3.0])

    with jax.enable_x64(True):
        mixture = mixed(
            jnp.asarray([0.3, 0.7]),
            jnp.asarray([[False, True], [False, False]]),
            jnp.asarray([[0.0, 1.0], [2.0, -1.0]]),
            jnp.asarray([[[1.0, 0.0], [0.5, 0.8]], [[0.4, 0.0], [-0.2, 0.6]]]),
        )
        places = mixture.sample(jax.random.key(0), 20_000, frame)
        normal = -0.5 * jnp.sum((places - 1) ** 2, axis=1) - jnp.log(2 * jnp.pi)
        ratio = np.exp(np.asarray(normal - mixture.log_density(places, frame)))
    assert abs(ratio.mean() - 1) < 5 * ratio.std() / np.sqrt(len(ratio))


@pytest.mark.parametrize("kind", ["normal", "student", "uniform", "few"])
def test_smoothed_weights_are_those_of_arviz(kind: str) -> None:
    from arviz_stats.base import array_stats

    rng = np.random.default_rng(0)
    log = {
        "normal": 1.5 * rng.standard_normal(4000),
        "student": rng.standard_t(3, 4000),
        "uniform": np.log(rng.random(1000)),
        "few": rng.standard_normal(100),
    }[kind]
    expected, khat = array_stats.psislw(-log)
    with jax.enable_x64(True):
        found, shape = smoothed(jnp.asarray(log))
    np.testing.assert_allclose(found, expected, atol=1e-9)
    assert float(shape) == pytest.approx(float(khat), abs=1e-9)


def test_without_numpyro_one_sentence_names_the_extra(python: Callable[..., Any]) -> None:
    said = python(
        "import json, sys\n"
        "sys.modules['numpyro'] = None\n"
        "import jaxlaws as jl\n"
        "try:\n"
        "    jl.posterior(jl.fit(jl.laws.chinchilla, jl.datasets.runs('simulated_chinchilla'),"
        " starts=2))\n"
        "except jl.InputError as error:\n"
        "    print(json.dumps(str(error)))"
    )
    assert said == 'posterior needs NumPyro; install the extra: pip install "jaxlaws[bayes]".'


def test_the_default_noise_prior_is_stated() -> None:
    table = jl.prior_table(jl.laws.chinchilla)
    low, middle, high = table.loc["noise", ["5 %", "50 %", "95 %"]]
    assert middle == NOISE_SHARE
    assert high / low == pytest.approx(np.exp(2 * 1.6448536 * NOISE_WIDTH))


def test_a_posterior_is_saved_and_loaded(power_fit: jl.Fit, tmp_path: Path) -> None:
    prior = {"alpha": dist.Normal(0.3, 0.1)}
    made = jl.posterior(power_fit, draws=250, priors=prior, sampler="importance")
    file = jl.save(made, tmp_path / "known.fit")
    again = jl.load(file, law=power)
    np.testing.assert_array_equal(again.params["alpha"], made.params["alpha"])
    assert repr(again) == repr(made)
    assert again.sampling.known.priors["alpha"].loc == 0.3
    at = dict(N=[1e5, 1e6])
    np.testing.assert_array_equal(jl.predict(again, **at).run, jl.predict(made, **at).run)


Level = Annotated[Array, jl.Parameter("", positive, typical=(1e-3, 1e3))]


@jl.law()
def level(N: Params, *, E: Level) -> Loss:
    r"""A known slope and an unknown level: $E (N / 1000)^{-0.1}$."""
    return E * (N / 1000) ** -0.1


def test_a_population_is_what_quadrature_finds() -> None:
    """Normal groups in the log: given middle and spread, a group's mean has a normal margin."""
    groups, n, noise, rng = 8, 4, 0.05, np.random.default_rng(0)
    means = np.log(2.0) + 0.2 * rng.standard_normal(groups)
    group = np.repeat(np.arange(groups), n)
    N = np.tile(np.geomspace(1e2, 1e4, n), groups)
    y = np.exp(means[group] + noise * rng.standard_normal(groups * n)) * (N / 1000) ** -0.1
    runs = jl.Runs.from_arrays(y, N=N, group=group)
    law = level.per_group("E", groups=groups)
    fit = jl.fit(law, runs, objective=jl.Squared(), starts=4)
    tight = {"noise": dist.LogNormal(jnp.log(noise), 1e-3)}
    found = jl.posterior(fit, draws=500, pool=["E"], priors=tight)
    assert found.withheld() == ""

    seen = np.array([np.log(y * (N / 1000) ** 0.1)[group == g].mean() for g in range(groups)])
    middle = np.linspace(np.log(2.0) - 0.5, np.log(2.0) + 0.5, 401)[:, None, None]
    log_tau = np.linspace(-5.0, 1.0, 401)[None, :, None]
    variance = np.exp(2 * log_tau) + noise**2 / n
    log = np.sum(-0.5 * (seen - middle) ** 2 / variance - 0.5 * np.log(variance), axis=2)
    log = log - 0.5 * (log_tau[..., 0] - np.log(0.3)) ** 2  # the prior of the spread
    weight = np.exp(log - log.max())
    weight /= weight.sum()
    for word, grid in (("middle", middle[..., 0]), ("spread", log_tau[..., 0])):
        mean = float(np.sum(weight * grid))
        sd = float(np.sqrt(np.sum(weight * (grid - mean) ** 2)))
        values = found.sampling.places[:, -2 if word == "middle" else -1]
        if word == "middle":  # z counts from the level of the targets
            values = values + np.log(np.mean(y)) - np.mean(np.log((N[:n] / 1000) ** -0.1))
        ess = found.sampling.ess[f"{word} of E"]
        # Five standard errors; the wide prior of the middle moves it by sd^2 / 4.2^2, far less.
        assert abs(values.mean() - mean) < 5 * sd / np.sqrt(ess)

    new = jl.new_group(found, level)
    exact = np.sqrt(
        np.sum(weight * (np.exp(2 * log_tau[..., 0]) + (middle[..., 0] - means.mean()) ** 2))
    )
    spread = np.log(new.params["E"])
    low, high = np.quantile(spread, [0.05, 0.95])
    assert 0.6 * 2 * 1.645 * exact < high - low < 1.4 * 2 * 1.645 * exact  # a mixture of normals
    with pytest.raises(jl.InputError, match="has no value for every group"):
        jl.posterior(jl.fit(level, runs, starts=2), pool=["E"])


def test_a_group_of_one_run_is_refused() -> None:
    N = np.geomspace(1e2, 1e4, 7)
    runs = jl.Runs.from_arrays(2 * N**-0.1, N=N, group=np.array([0, 0, 0, 1, 1, 1, 2]))
    fit = jl.fit(level.per_group("E", groups=3), runs, starts=2)
    with pytest.raises(jl.InputError, match="has 1 run; a group that is pooled needs 2"):
        jl.posterior(fit, pool=["E"])


def test_the_prior_carries_what_few_runs_do_not_say() -> None:
    law, true = jl.laws.chinchilla, dict(E=1.7, A=400.0, B=400.0, alpha=0.34, beta=0.28)
    N, D = np.array([1e8, 1e9, 3e8, 1e8]), np.array([1e10, 2e10, 1e11, 1e11])
    noise = np.array([0.01, -0.01, -0.01, 0.01])
    runs = jl.Runs.from_arrays(np.asarray(law(N, D, **true)) * np.exp(noise), N=N, D=D)
    with pytest.raises(jl.InputError, match="few=True"):
        jl.fit(law, runs, starts=4)
    fit = jl.fit(law, runs, starts=16, few=True)
    prior = {"noise": dist.LogNormal(jnp.log(0.01), 0.3)}
    found = jl.posterior(fit, draws=500, priors=prior, sampler="importance")
    assert any("4 runs for 5 parameters: the prior carries the rest" in n for n in found.notes())
    frame = found.frame(0.99)
    assert frame.attrs["withheld"] == ""
    assert all(frame.loc[k, "low"] < v < frame.loc[k, "high"] for k, v in true.items())
