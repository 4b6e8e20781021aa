"""z is standard normal over the typical ranges, and a term's z is its log share of the target."""

from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array

import jaxlaws as jl
from jaxlaws._coordinates import ALIVE, FARTHEST, coordinates
from jaxlaws._law import NORMAL_90, Parameter, law
from jaxlaws._support import positive, real
from jaxlaws.quantities import Amplitude, Entropy, Exponent, Loss, Params, Share, Tokens

CHINCHILLA = jl.laws.chinchilla


def test_layout_names_every_number() -> None:
    layout = coordinates(jl.laws.bnsl(2))
    assert layout.size == 9
    assert layout.names() == ["a", "b", "c0", "c[0]", "c[1]", "d[0]", "d[1]", "f[0]", "f[1]"]
    assert coordinates(CHINCHILLA).names() == ["E", "A", "B", "alpha", "beta"]
    assert coordinates(CHINCHILLA.fix(E=1.7)).names() == ["A", "B", "alpha", "beta"]


TERMS = {
    "chinchilla": (CHINCHILLA, {"E", "A", "B"}),
    "tied": (CHINCHILLA.tie(beta="alpha"), {"E", "A", "B"}),
    "tied amplitudes": (CHINCHILLA.tie(B="A"), {"E", "A"}),
    "fixed": (CHINCHILLA.fix(A=400.0), {"E", "B"}),
    "per group": (CHINCHILLA.per_group("E", groups=3), {"E", "A", "B"}),
    "kaplan_nd": (jl.laws.kaplan_nd, set()),
    "m4": (jl.laws.m4, set()),
    "muennighoff": (jl.laws.muennighoff, {"E"}),
    "bnsl(1)": (jl.laws.bnsl(1), {"a", "b"}),
    "olmo_ladder": (jl.laws.olmo_ladder, set()),
    "loss_to_accuracy": (jl.laws.loss_to_accuracy, set()),
}


@pytest.mark.parametrize(("made", "terms"), TERMS.values(), ids=list(TERMS))
def test_the_positive_linear_parameters_are_found(made: jl.Law, terms: set[str]) -> None:
    assert set(coordinates(made).terms) == terms


def test_products_of_linear_parameters_are_not_both_terms() -> None:
    @law
    def product(N: Params, *, A: Amplitude, B: Amplitude, alpha: Exponent) -> Loss:
        """A and B only as a product: one is a term, not both."""
        return A * B * N**-alpha

    assert len(coordinates(product).terms) == 1


def test_a_terms_z_is_its_log_share_at_the_centre(runs: jl.Runs) -> None:
    """Whatever the exponents are: that is what the coordinate is for."""
    layout = coordinates(CHINCHILLA)
    frame = layout.frame(runs)
    N, D = (np.exp(np.mean(np.log(runs.inputs[k]))) for k in "ND")
    level = np.mean(runs.target)
    rng = np.random.default_rng(0)
    for _ in range(5):
        z = jnp.asarray(rng.uniform(-2, 1, 5))
        p = layout.to_params(z, frame)
        shares = (p["E"], p["A"] * N ** -p["alpha"], p["B"] * D ** -p["beta"])
        np.testing.assert_allclose(np.log(np.asarray(shares) / level), z[:3], atol=1e-10)


def test_an_ordinary_z_is_its_own_parameters(runs: jl.Runs) -> None:
    layout = coordinates(CHINCHILLA)
    frame = layout.frame(runs)
    for sign in (-1, 1):
        z = jnp.zeros(5).at[3].set(sign * NORMAL_90)
        p = layout.to_params(z, frame)
        assert float(p["alpha"]) == pytest.approx({-1: 0.03, 1: 1.5}[sign])


def test_a_break_lies_in_the_range_of_the_runs() -> None:
    layout = coordinates(jl.laws.bnsl(2))
    for scale in (1.0, 1e6):
        x = scale * np.geomspace(10.0, 1e5, 20)
        made = jl.Runs.from_arrays(2 + 1 / np.log(x), x=x)
        frame = layout.frame(made)
        low = layout.to_params(jnp.full(9, -NORMAL_90), frame)["d"]
        high = layout.to_params(jnp.full(9, NORMAL_90), frame)["d"]
        np.testing.assert_allclose(low, x[0] * np.exp(-0.5), rtol=1e-9)
        np.testing.assert_allclose(high, x[-1] * np.exp(0.5), rtol=1e-9)


def test_the_frame_looks_only_at_runs_that_count(runs: jl.Runs) -> None:
    layout = coordinates(CHINCHILLA)
    longer = runs.padded(100)
    for a, b in zip(
        jax.tree.leaves(layout.frame(runs)), jax.tree.leaves(layout.frame(longer)), strict=True
    ):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_round_trip_in_both_precisions(runs: jl.Runs, dtype: str) -> None:
    layout = coordinates(CHINCHILLA)
    frame = jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), layout.frame(runs))
    z = jnp.asarray(np.random.default_rng(2).uniform(-2, 2, 5), dtype)
    p = layout.to_params(z, frame)
    assert all(v.dtype == dtype for v in p.values())
    tolerance = 1e-10 if dtype == "float64" else 2e-4
    np.testing.assert_allclose(layout.from_params(p, frame), z, atol=tolerance)


# Starts and bounds


def test_starts_are_alive_and_spread() -> None:
    layout = coordinates(CHINCHILLA)
    z = layout.random_starts(0, 256)
    term = layout.is_term()
    assert z.shape == (256, 5)
    assert (z[:, term] >= ALIVE[0]).all()
    assert (z[:, term] <= ALIVE[1]).all()
    assert np.abs(z[:, ~term]).max() < 3
    assert z[1:, ~term].std() == pytest.approx(0.9, abs=0.05)  # the far tails are cut
    np.testing.assert_array_equal(z[0], [-1, -1, -1, 0, 0])
    np.testing.assert_array_equal(z, layout.random_starts(0, 256))
    assert not np.array_equal(z[1], layout.random_starts(1, 256)[1])


@pytest.mark.parametrize("count", [1, 2, 3, 100])
def test_any_number_of_starts_is_made_in_silence(count: int) -> None:
    """SciPy warns where a number is no power of two: that is not the user's business."""
    assert coordinates(CHINCHILLA).random_starts(0, count).shape == (count, 5)


def test_dead_starts_are_brought_to_life() -> None:
    layout = coordinates(CHINCHILLA)
    z = layout.alive(np.full((3, 5), -40.0))
    assert (z[:, :3] == ALIVE[0]).all()
    assert (np.abs(z[:, 3:]) <= 3).all()


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_bounds_hold_the_starts(dtype: str) -> None:
    layout = coordinates(CHINCHILLA)
    lower, upper = layout.bounds(dtype)
    z = layout.random_starts(0, 64)
    assert (z > lower).all()
    assert (z < upper).all()
    assert (upper[~layout.is_term()] == FARTHEST).all()


def test_constants_of_the_literature_lie_within_bounds() -> None:
    for name, made in jl.laws.CATALOGUE.items():
        layout = coordinates(made)
        for key, constants in made.constants.items():
            for k, v in constants.values.items():
                if k not in layout.terms and not made.params[k].like:
                    z = made.params[k].unconstrain(jnp.asarray(v, float))
                    assert (np.abs(z) < FARTHEST).all(), (name, key, k)


# Laws that are not like the others


@law
def signed(N: Params, *, a: Annotated[Array, Parameter("", real, (-2.0, 2.0))], E: Entropy) -> Loss:
    """A slope of either sign."""
    return E + a * jnp.log(N)


@law
def shares(N: Params, D: Tokens, *, s: Share, A: Amplitude, alpha: Exponent) -> Loss:
    """A share between two inputs."""
    return A * (s * N**-alpha + (1 - s) * D**-alpha)


@law
def sized(
    N: Params, *, w: Annotated[Array, Parameter("", positive, (0.1, 10.0), (3,))], alpha: Exponent
) -> Loss:
    """Three weights of one power."""
    return jnp.sum(w) * N**-alpha


@law
def nothing_to_fit(N: Params) -> Loss:
    """No parameters."""
    return N**-0.1


@pytest.mark.parametrize("made", [signed, shares, sized, nothing_to_fit], ids=lambda m: m.name)
def test_odd_laws_have_coordinates_too(made: jl.Law) -> None:
    N, D = np.geomspace(1e7, 1e9, 12), np.geomspace(1e11, 1e9, 12)
    inputs = {"N": N, "D": D}
    runs = jl.Runs.from_arrays(np.linspace(4.0, 2.0, 12), **{k: inputs[k] for k in made.inputs})
    layout = coordinates(made)
    frame = layout.frame(runs)
    z = jnp.asarray(np.random.default_rng(0).uniform(-1, 1, layout.size))
    p = layout.to_params(z, frame)
    assert {k: v.shape for k, v in p.items()} == {k: q.size for k, q in made.params.items()}
    np.testing.assert_allclose(layout.from_params(p, frame), z, atol=1e-9)


def test_a_term_that_vanishes_at_the_centre_keeps_its_own_units() -> None:
    """Annealing has not begun at the centre's step: no division by zero."""
    made = jl.laws.lr_annealing(np.full((1, 50), 1e-3))
    runs = jl.Runs.from_arrays(
        np.linspace(4.0, 3.0, 20), curve=np.zeros(20), step=np.arange(10.0, 30.0)
    )
    layout = coordinates(made)
    p = layout.to_params(jnp.zeros(layout.size), layout.frame(runs))
    assert all(np.isfinite(v).all() for v in p.values())
