"""Every support is a bijection of the real line onto its set."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlaws._support import Support, above, interval, negative, positive, real, simplex, unit

SUPPORTS = {
    "real": real,
    "positive": positive,
    "negative": negative,
    "unit": unit,
    "interval": interval(-1.0, 0.5),
    "above": above(2.0),
}
U = np.linspace(-9.0, 9.0, 37)


@pytest.fixture(params=SUPPORTS.values(), ids=list(SUPPORTS))
def support(request: pytest.FixtureRequest) -> Support:
    return request.param


def test_the_inverse_of_forward_is_identity(support: Support) -> None:
    x = support.constrain(jnp.asarray(U))
    np.testing.assert_allclose(support.unconstrain(x), U, rtol=1e-9, atol=1e-9)


def test_values_lie_in_the_set_and_rise(support: Support) -> None:
    x = np.asarray(support.constrain(jnp.asarray(U)))
    assert all(v in support for v in x)
    assert (np.diff(x) > 0).all()


def test_derivatives_are_finite(support: Support) -> None:
    slope = jax.vmap(jax.grad(support.constrain))(jnp.asarray(U))
    bend = jax.vmap(jax.grad(jax.grad(support.constrain)))(jnp.asarray(U))
    assert np.isfinite(slope).all()
    assert np.isfinite(bend).all()
    assert (np.asarray(slope) > 0).all()


def test_python_numbers_give_the_same(support: Support) -> None:
    for u in (-3.0, -0.2, 0.0, 1.7):
        x = float(support.constrain(jnp.asarray(u)))
        assert math.isclose(support.unconstrain_number(x), u, abs_tol=1e-12)


def test_ends_belong_to_the_closure() -> None:
    assert 0.0 in positive
    assert -1e-300 not in positive
    assert 1.0 in unit
    assert 1.0 + 1e-15 not in unit
    assert 2.0 in above(2.0)
    assert 0.0 in negative
    assert math.nan not in real


@pytest.mark.parametrize("x", [[0.2, 0.3, 0.5], [1e-9, 0.25, 0.75 - 1e-9]])
def test_simplex_gives_shares_and_inverts_them(x: list[float]) -> None:
    u = simplex.unconstrain(jnp.asarray(x))
    np.testing.assert_allclose(simplex.constrain(u), x, rtol=1e-12)
    assert float(simplex.constrain(u + 3.0).sum()) == pytest.approx(1.0)


def test_names_say_what_the_set_is() -> None:
    assert repr(interval(-1.0, 0.5)) == "(-1, 0.5)"
    assert repr(above(2.0)) == "(> 2)"
    assert repr(positive) == "positive"
