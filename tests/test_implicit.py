"""Roots and minima against closed forms, with their derivatives."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlaws._implicit import argmin, root

CUBE = jnp.asarray(5.0)
ROOTS: dict[str, tuple[Callable, Callable, float]] = {
    "cube root": (lambda a: root(lambda x: x**3 - a, 0.0, 10.0), lambda a: a ** (1 / 3), 5.0),
    "falling": (lambda a: root(lambda x: a - jnp.exp(x), -5.0, 5.0), jnp.log, 0.3),
    "steep": (lambda a: root(lambda x: jnp.log(x) - a, 1e-12, 1e6), jnp.exp, -2.0),
    "cosine": (lambda a: root(lambda x: jnp.cos(x) - a, 0.0, jnp.pi), jnp.arccos, 0.2),
}


@pytest.mark.parametrize(("found", "exact", "at"), ROOTS.values(), ids=list(ROOTS))
def test_roots_and_three_derivatives(found: Callable, exact: Callable, at: float) -> None:
    for _ in range(4):
        assert float(found(at)) == pytest.approx(float(exact(at)), rel=1e-10)
        found, exact = jax.grad(found), jax.grad(exact)


def test_mixed_derivatives_in_two_constants() -> None:
    """x = sqrt(b / a): the Hessian passes through everything the function closes over."""

    def found(p: jax.Array) -> jax.Array:
        return root(lambda x: p[0] * x**2 - p[1], 0.0, 50.0)

    p = jnp.asarray([0.7, 3.0])
    exact = jax.hessian(lambda p: jnp.sqrt(p[1] / p[0]))(p)
    np.testing.assert_allclose(jax.hessian(found)(p), exact, rtol=1e-9)
    np.testing.assert_allclose(jax.jit(jax.jacfwd(jax.grad(found)))(p), exact, rtol=1e-9)


def test_many_roots_at_once() -> None:
    a = jnp.linspace(0.1, 900.0, 64)
    found = jax.jit(jax.vmap(lambda a: root(lambda x: x**3 - a, 0.0, 10.0)))(a)
    np.testing.assert_allclose(found, np.cbrt(a), rtol=1e-12)


def test_no_sign_change_gives_nan() -> None:
    assert np.isnan(root(lambda x: x**2 + 1, -1.0, 1.0))
    assert np.isnan(root(lambda x: x - 5, 0.0, 1.0))


def test_a_root_at_an_end_is_found() -> None:
    assert float(root(lambda x: x, 0.0, 1.0)) == pytest.approx(0.0, abs=1e-15)
    assert float(root(lambda x: x - 1, 0.0, 1.0)) == pytest.approx(1.0, abs=1e-15)


def test_argmin_and_its_derivative() -> None:
    """The minimum of a/x + b x lies at sqrt(a / b)."""

    def best(a: jax.Array) -> jax.Array:
        return jnp.exp(argmin(lambda u: a * jnp.exp(-u) + 2 * jnp.exp(u), -6.0, 6.0))

    exact: Callable = lambda a: jnp.sqrt(a / 2)  # noqa: E731
    for a in (0.01, 1.0, 300.0):
        assert float(best(a)) == pytest.approx(float(exact(a)), rel=1e-10)
        assert float(jax.grad(best)(a)) == pytest.approx(float(jax.grad(exact)(a)), rel=1e-8)


def test_argmin_takes_the_lower_of_two() -> None:
    """A quartic with wells at -1 and 1, tilted."""
    for tilt in (-0.3, 0.3):
        x = argmin(lambda x, t=tilt: (x**2 - 1) ** 2 + t * x, -2.0, 2.0)
        assert np.sign(x) == -np.sign(tilt)
        assert float(4 * x * (x**2 - 1) + tilt) == pytest.approx(0.0, abs=1e-9)


def test_argmin_at_an_end_is_nan() -> None:
    assert np.isnan(argmin(lambda x: x, 0.0, 1.0))
    assert np.isnan(argmin(lambda x: -x, 0.0, 1.0))


def test_argmin_looks_past_where_the_function_is_not_defined() -> None:
    x = argmin(lambda x: jnp.where(x > 0.5, jnp.nan, (x - 0.25) ** 2), 0.0, 1.0)
    assert float(x) == pytest.approx(0.25, abs=1e-10)
    assert np.isnan(argmin(lambda x: jnp.nan * x, 0.0, 1.0))
