"""Best shares on the simplex against closed forms, and the best sparsity against a grid."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxlaws as jl
from jaxlaws._simplex import best_shares
from jaxlaws.laws import mixture, sparse

EQUAL = jnp.ones(3) / 3
BIMIX = dict(
    A=jnp.array([1.0, 2.0, 1.5]),
    alpha=jnp.array([0.1, 0.2, 0.05]),
    B=jnp.array([50.0, 30.0, 70.0]),
    beta=jnp.array([0.3, 0.25, 0.4]),
    C=jnp.array([1.5, 2.0, 1.0]),
)


@jax.jit
def nearest(to: jax.Array) -> jax.Array:
    """The point of the simplex that is nearest."""
    return best_shares(lambda p: jnp.sum((p - to) ** 2), EQUAL)


def test_the_nearest_point_of_the_simplex():
    """Its closed form takes the same amount off every share that is left."""
    assert nearest(jnp.array([0.7, 0.5, -1.0])) == pytest.approx([0.6, 0.4, 0.0], abs=1e-15)
    assert nearest(jnp.array([0.2, 0.3, 0.5])) == pytest.approx([0.2, 0.3, 0.5], abs=1e-15)
    assert nearest(jnp.array([3.0, 0.0, 0.0])) == pytest.approx([1.0, 0.0, 0.0], abs=1e-15)


@pytest.mark.parametrize("derivative", [jax.jacfwd, jax.jacrev])
def test_derivatives_go_through_the_minimum(derivative):
    there = jax.jit(derivative(nearest))(jnp.array([0.7, 0.5, -1.0]))
    assert there == pytest.approx(np.array([[0.5, -0.5, 0], [-0.5, 0.5, 0], [0, 0, 0]]), abs=1e-14)


def bimix_shares(s: jax.Array) -> jax.Array:
    k = BIMIX

    def total(r: jax.Array) -> jax.Array:
        return jnp.sum(k["A"] * r ** -k["alpha"] * (k["B"] * s ** -k["beta"] + k["C"]))

    return best_shares(total, EQUAL)


def test_bimix_by_its_lagrange_multiplier():
    s = jnp.array([1e3, 1e4, 1e5])
    by_hand = jax.vmap(lambda s: mixture.best_shares(s, **BIMIX))
    assert jax.jit(jax.vmap(bimix_shares))(s) == pytest.approx(np.asarray(by_hand(s)), rel=1e-12)
    theirs = jax.jit(jax.jacfwd(by_hand))(s)
    assert jax.jit(jax.jacfwd(jax.vmap(bimix_shares)))(s) == pytest.approx(
        np.asarray(theirs), rel=1e-9
    )


def test_second_derivatives_are_exact_too():
    """One of three shares ends at none; central differences of exact first derivatives."""

    def shares(s: jax.Array) -> jax.Array:
        return best_shares(lambda p: jnp.sum(jnp.exp(p * s * jnp.arange(1.0, 4.0))), EQUAL)

    first = jax.jit(jax.jacfwd(shares))
    bend = jax.jit(jax.jacfwd(jax.jacrev(shares)))(1.3)
    there = (first(1.3 + 1e-4) - first(1.3 - 1e-4)) / 2e-4
    assert bend == pytest.approx(np.asarray(there), rel=1e-6)
    assert shares(1.3)[2] == 0


def test_no_mixture_drawn_at_random_is_better(key):
    """Convex, five domains: 20,000 draws come near the minimum and never below it."""
    draw, more = jax.random.split(key)
    t = 2 * jax.random.normal(draw, (5, 5)) - 3 * jnp.eye(5)

    def total(r: jax.Array) -> jax.Array:
        return mixture.overall_loss(r, jnp.ones(5) / 5, jnp.ones(5), jnp.ones(5), t)

    least = float(total(jax.jit(lambda p: best_shares(total, p))(jnp.ones(5) / 5)))
    others = jax.vmap(total)(jax.random.dirichlet(more, jnp.ones(5), (20_000,)))
    assert least <= others.min() < 1.02 * least


@pytest.mark.parametrize("constants", ["frantar2023_t5", "frantar2023_vit"])
@pytest.mark.parametrize("tokens", [0.005, 1.0, 5.0, 300.0])  # of the contour of half
def test_best_sparsity_by_a_grid(constants: str, tokens: float):
    known = jl.laws.frantar_sparsity.published(constants)
    own = {k: v for k, v in known.items() if k not in ("c_S", "c")}
    N = 1e8
    C = 6 * N * tokens * sparse.contour_tokens(0.5, N, **own) * sparse.cost_multiplier(0.5)
    grid = jnp.linspace(0.0, 0.9999, 100_001)
    loss = jl.laws.frantar_sparsity(grid, N, C / (6 * N * sparse.cost_multiplier(grid)), **known)
    best = jax.jit(lambda C: sparse.optimal_sparsity(N, C, **own))(C)
    assert best == pytest.approx(float(grid[jnp.argmin(loss)]), abs=2e-5)
    assert (best == 0) == (tokens == 0.005)
    if tokens == 1.0:
        assert best == pytest.approx(0.5, rel=1e-12)
        rise = jax.grad(lambda u: sparse.optimal_sparsity(N, C * jnp.exp(u), **own))
        step = (sparse.optimal_sparsity(N, C * jnp.exp(1e-4), **own) - best) / 1e-4
        assert rise(0.0) == pytest.approx(float(step), rel=1e-3)


def test_the_cost_of_gradual_pruning():
    """A quarter dense, half along the cubic schedule, a quarter sparse."""
    S, t = 0.8, (np.arange(100_000) + 0.5) / 100_000
    left = 1 - S * (1 - (1 - t) ** 3)
    assert sparse.cost_multiplier(S) == pytest.approx((0.25 + 0.5 * left.mean()) / (1 - S) + 0.25)


def test_contours_are_parallel_to_the_compute_optimal_line():
    known = {k: v for k, v in jl.laws.frantar_sparsity.published().items() if k not in ("c_S", "c")}
    ratio = sparse.contour_tokens(0.75, jnp.array([1e7, 1e9]), **known)
    assert jnp.log(ratio[1] / ratio[0]) / jnp.log(100) == pytest.approx(
        float(known["b_N"] / known["b_D"])
    )
