"""Transport between samples against sorted samples and finite differences; a planted projection."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxlaws as jl
from jaxlaws import procedures
from jaxlaws.laws import transport

EVEN = jnp.ones(40) / 40
FROM = jax.random.normal(jax.random.key(1), (40, 1))
TO = 1.0 + 1.5 * jax.random.normal(jax.random.key(2), (40, 1))


def test_entropic_cost_goes_to_the_cost_of_sorted_samples():
    """On a line the optimal plan moves sorted to sorted; entropy adds at most epsilon ln n."""
    exact = float(jnp.mean((jnp.sort(FROM[:, 0]) - jnp.sort(TO[:, 0])) ** 2))
    cost = transport.squared_distances(FROM, TO)
    for epsilon in (0.1, 0.01):
        found = float(jax.jit(transport.transport_cost)(cost, EVEN, EVEN, epsilon))
        assert exact < found < exact + epsilon * np.log(40)


def test_the_potentials_are_the_derivative():
    cost = transport.squared_distances(FROM, TO)
    value = jax.jit(lambda a: transport.transport_cost(cost, a, EVEN, 0.1))
    more = jnp.zeros(40).at[3].set(1e-5).at[7].set(-1e-5)
    slope = float(value(EVEN + more) - value(EVEN - more)) / 2e-5
    found = jax.grad(value)(EVEN)
    assert found[3] - found[7] == pytest.approx(slope, rel=1e-6)
    f, g = transport.potentials(cost, EVEN, EVEN, 0.1)
    assert f[3] - f[7] == pytest.approx(slope, rel=1e-6)
    plan = np.exp((f[:, None] + g[None, :] - cost) / 0.1) / 1600
    assert plan.sum(axis=0) == pytest.approx(np.full(40, 1 / 40), rel=1e-7)
    assert plan.sum(axis=1) == pytest.approx(np.full(40, 1 / 40), rel=1e-7)
    # a sample's value is what its own weight does when all others give way alike
    tilt = jnp.full(40, -1e-5 / 39).at[3].set(1e-5)
    felt = float(value(EVEN + tilt) - value(EVEN - tilt)) / 2e-5
    assert transport.sample_values(f)[3] == pytest.approx(felt, rel=1e-6)


def test_the_distance_of_equal_samples_is_none_and_of_moved_ones_the_square():
    """A shift by c costs c^2 whatever the entropy: the debiased divergence of a translation."""
    far = jax.jit(lambda y: transport.distance(FROM, EVEN, y, EVEN, 0.5))
    assert far(FROM) == pytest.approx(0.0, abs=1e-12)
    assert far(FROM + 2.0) == pytest.approx(4.0, rel=1e-9)


def test_samples_without_weight_do_not_count():
    half = jnp.where(jnp.arange(40) < 20, 0.05, 0.0)
    cost = transport.squared_distances(FROM, TO)
    all_of_them = transport.transport_cost(cost, half, EVEN, 0.1)
    assert all_of_them == pytest.approx(
        float(transport.transport_cost(cost[:20], half[:20], EVEN, 0.1)), rel=1e-9
    )


def test_labels_cost_what_their_samples_are_apart():
    """Two labels on one shape, 3 apart: 9 between them; none within."""
    shape, label = FROM[:20], jnp.repeat(jnp.arange(2), 20)
    x = jnp.concatenate([shape, shape + 3.0])
    table = transport.label_costs(x, label, 2, 0.1)
    assert table[0, 39] == pytest.approx(9.0, rel=1e-9)
    assert table[0, 1] == pytest.approx(0.0, abs=1e-12)
    with_labels = transport.distance(x[:20], EVEN[:20] * 2, x[20:], EVEN[:20] * 2, 0.1, table)
    assert with_labels == pytest.approx(18.0, rel=1e-9)


def test_projektor_finds_the_mixture_of_the_validation_set(key):
    """Three sources; validation is 3/10 of the first and 7/10 of the second; scores are planted."""
    centres = jnp.array([[0.0, 0.0], [4.0, 0.0], [0.0, 5.0]])
    source = jnp.repeat(jnp.arange(3), 10)
    noise = jax.random.normal(key, (10, 2))
    x = jnp.tile(noise, (3, 1)) + centres[source]
    y = jnp.concatenate([noise, noise + centres[1:2]])
    b = jnp.repeat(jnp.array([0.3, 0.7]), 10) / 10
    planted = {1000.0: (0.8, 0.03), 4000.0: (0.9, 0.028)}

    @jax.jit
    def distance(p: jax.Array, size: float) -> jax.Array:
        return transport.distance(x, transport.sample_weights(p, source), y, b, 1.0)

    p = np.asarray(jax.random.dirichlet(key, jnp.ones(3), (12,)))
    far = np.asarray([distance(jnp.asarray(q), 0.0) for q in p])
    p, N = np.concatenate([p, p]), np.repeat(list(planted), 12)
    V = np.concatenate([a0 - a1 * far for a0, a1 in planted.values()])
    found = procedures.projektor(p, N, V, distance=distance)
    for fit, (a0, a1) in zip(found.fits, planted.values(), strict=True):
        assert fit.converged
        assert fit.params["a0"] == pytest.approx(a0, rel=1e-6)
        assert fit.params["a1"] == pytest.approx(a1, rel=1e-6)
    best = found.best(64_000)
    assert best == pytest.approx([0.3, 0.7, 0.0], abs=1e-3)
    # two factors of 4 beyond a step that gained 0.1 at no distance: 0.9 + 2 x 0.1
    assert found.score(jnp.asarray([0.3, 0.7, 0.0]), 64_000) == pytest.approx(1.1, abs=1e-6)
    # the gradient of the score is felt by the shares
    slope = jax.grad(lambda p: found.score(p, 4000.0))(jnp.array([0.2, 0.4, 0.4]))
    assert slope[2] == slope.min()


def test_projektor_wants_two_sizes():
    with pytest.raises(jl.InputError, match=r"two sizes, got 3: \[1.0, 2.0, 3.0\]"):
        procedures.projektor(np.eye(3), [1, 2, 3], [0.1, 0.2, 0.3], distance=lambda p, N: p[0])
