"""The rewriting through logarithms is the same function, with the same derivatives."""

from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array
from test_catalogue import LAWS, inputs_of

import jaxlaws as jl
from jaxlaws._law import Parameter, Variable, law
from jaxlaws._powers import scalar_in_logs
from jaxlaws._support import positive, real, simplex, unit
from jaxlaws.quantities import Amplitude, Entropy, Exponent, Loss, Params, Positive, Steps

Real = Annotated[Array, Parameter("", real, (-2.0, 2.0))]
Anywhere = Annotated[Array, Variable("", real)]
Size = Annotated[Array, Variable("", positive)]
Signed = Annotated[Array, Variable("", real, space="natural")]


def both(made: jl.Law, z: Array, inputs: dict[str, Array]) -> tuple[Any, Any]:
    """Value, gradient and Hessian in z (p,) of the law and of its rewriting."""

    def params(z: Array) -> dict[str, Array]:
        out, at = {}, 0
        for k, p in made.params.items():
            n = int(np.prod(p.size, dtype=int))
            out[k] = p.constrain(0.4 * z[at : at + n].reshape(p.size))
            at += n
        return out

    def three(scalar: Any) -> Any:
        def f(z: Array) -> Array:
            return scalar({**inputs, **params(z)})

        return f(z), jax.grad(f)(z), jax.hessian(f)(z)

    return three(made.scalar), three(scalar_in_logs(made))


# kaplan_trajectory is infinite at and below the converged loss, which random runs reach.
@pytest.mark.parametrize("name", [name for name in LAWS if name != "kaplan_trajectory"])
def test_value_gradient_and_hessian_agree(name: str) -> None:
    """At random parameters and runs, for every law of the catalogue."""
    made = LAWS[name]
    rng = np.random.default_rng(5)
    size = sum(int(np.prod(p.size, dtype=int)) for p in made.params.values())
    rows = rng.integers(0, 36, 6)
    inputs = {k: jnp.asarray(v[rows]) for k, v in inputs_of(name).items()}
    z = jnp.asarray(rng.uniform(-1, 1, (6, size)))
    plain, logs = jax.jit(jax.vmap(lambda z, x: both(made, z, x)))(z, inputs)
    for a, b in zip(plain, logs, strict=True):
        a, b = np.asarray(a), np.asarray(b)
        assert (np.isfinite(a) == np.isfinite(b)).all()
        scale = np.abs(a).max(axis=tuple(range(1, a.ndim)), keepdims=True)
        assert (np.nan_to_num(np.abs(a - b)) <= 1e-9 * scale + 1e-300).all()


def same_to_the_last_bit(made: jl.Law, **values: Any) -> None:
    values = {k: jnp.asarray(v) for k, v in values.items()}
    assert float(scalar_in_logs(made)(values)) == float(made.scalar(values))
    slopes = jax.grad(lambda v: scalar_in_logs(made)(v))(values)
    exact = jax.grad(lambda v: made.scalar(v))(values)
    for k, slope in slopes.items():
        np.testing.assert_array_equal(slope, exact[k], err_msg=k)


@law
def negative_base(x: Anywhere, *, a: Real, b: Real) -> Signed:
    """Powers of what may be negative: $$(x - a)^2 + b (-x)^3 + |x|^{1.5}$$."""
    return (x - a) ** 2 + b * (-x) ** 3 + jnp.abs(x) ** 1.5


@law
def real_exponent(x: Anywhere, *, a: Real) -> Signed:
    """A real base to a real power: $$x^a$$."""
    return jnp.power(x, a)


@law
def integer_power(x: Size, *, A: Amplitude) -> Positive:
    """A positive base to an integer power: $$A x^3 + x^{-2}$$."""
    return A * x**3 + x**-2


def test_negative_bases_and_integer_powers_are_untouched() -> None:
    for x in (-3.0, -0.5, 2.0):
        same_to_the_last_bit(negative_base, x=x, a=0.3, b=-1.2)
    same_to_the_last_bit(real_exponent, x=2.5, a=-1.2)
    same_to_the_last_bit(integer_power, x=1e3, A=17.0)
    jaxpr = jax.make_jaxpr(scalar_in_logs(negative_base))({k: 1.0 for k in ("x", "a", "b")})
    assert not [e for e in jaxpr.eqns if e.primitive.name == "log"]


def test_a_power_of_a_negative_number_is_nan_in_both() -> None:
    values = dict(x=jnp.asarray(-2.0), a=jnp.asarray(0.5))
    assert np.isnan(real_exponent.scalar(values))
    assert np.isnan(scalar_in_logs(real_exponent)(values))


@law
def fading(N: Params, t: Steps, *, E: Entropy, A: Amplitude, alpha: Exponent, k: Exponent) -> Loss:
    """A power that fades exponentially: $$E + A e^{-k t} N^{-alpha}$$."""
    return E + A * jnp.exp(-k * t) * N**-alpha


@law
def mixed(
    h: Annotated[Array, Variable("share", simplex, size=(None,))],
    *,
    c: Entropy,
    t: Annotated[Array, Parameter("", positive, (0.1, 2.0), (3,))],
    g: Exponent,
) -> Loss:
    """A power of shares: $$c + (sum_i h_i t_i)^g + sum_i t_i h_i^g$$."""
    return c + jnp.dot(h, t) ** g + jnp.sum(t * h**g)


@law
def accuracy_power(q: Annotated[Array, Variable("", unit)], *, c: Entropy, g: Exponent) -> Loss:
    """A power of a share that may be zero: $$c + q^g$$."""
    return c + q**g


EDGES = {
    "an exponential that underflows": (
        fading,
        dict(N=1e9, t=5000.0, E=1.7, A=400.0, alpha=0.3, k=1.0),
    ),
    "a share of zero": (mixed, dict(h=[0.0, 0.4, 0.6], c=1.0, t=[0.5, 0.7, 0.9], g=0.7)),
    "an input at the end of its support": (accuracy_power, dict(q=0.0, c=1.0, g=0.7)),
}


@pytest.mark.parametrize("order", ["value", "gradient", "hessian"])
@pytest.mark.parametrize("edge", list(EDGES))
def test_edges_where_a_logarithm_is_infinite(edge: str, order: str) -> None:
    """Where a factor is zero its logarithm is -inf; the law and its derivatives are finite."""
    made, given = EDGES[edge]
    values = {k: jnp.asarray(v) for k, v in given.items()}
    inputs = {k: values[k] for k in made.inputs}
    params = {k: values[k] for k in made.params}

    def of(scalar: Any) -> Any:
        f = lambda p: scalar({**inputs, **p})  # noqa: E731
        return {"value": f, "gradient": jax.grad(f), "hessian": jax.hessian(f)}[order](params)

    exact = jax.tree.leaves(of(made.scalar))
    found = jax.tree.leaves(of(scalar_in_logs(made)))
    assert all(np.isfinite(leaf).all() for leaf in exact)
    for a, b in zip(found, exact, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-300)


def test_constants_and_nested_functions_pass_through() -> None:
    @law
    def nested(N: Params, *, A: Amplitude, alpha: Exponent) -> Loss:
        """A law with jit, where, a loop and a table inside."""
        table = jnp.asarray([1.0, 2.0, 3.0])
        inner = jax.jit(lambda x: x**-alpha)(N)
        looped = jax.lax.fori_loop(0, 3, lambda i, s: s + table[i] * inner, 0.0 * inner)
        return jnp.where(N > 10, A * looped, A * inner) + jnp.logaddexp(alpha, A * inner)

    values = {k: jnp.asarray(v) for k, v in dict(N=1e4, A=20.0, alpha=0.4).items()}
    f = jax.value_and_grad(lambda v: scalar_in_logs(nested)(v))
    g = jax.value_and_grad(nested.scalar)
    for a, b in zip(jax.tree.leaves(f(values)), jax.tree.leaves(g(values)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-11)


def test_float32_stays_float32() -> None:
    made = LAWS["chinchilla"]
    values = {k: jnp.asarray(v, jnp.float32) for k, v in made.published().items()}
    out = scalar_in_logs(made)(
        {**values, "N": jnp.asarray(1e9, jnp.float32), "D": jnp.asarray(2e10, jnp.float32)}
    )
    assert out.dtype == jnp.float32
    assert float(out) == pytest.approx(2.53005, rel=1e-5)
