"""Training as a noisy channel: a loss that can rise again with size or with data [ouyang2026]."""

from collections.abc import Callable
from typing import Annotated, Any

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from jaxlaws._implicit import argmin
from jaxlaws._law import Parameter, law
from jaxlaws._support import positive
from jaxlaws.quantities import Loss, Params, Tokens

LN2 = 0.6931471805599453
NAMES = ("b", "c", "d", "e", "beta", "gamma", "delta")


def _log_signal(
    N: Array,
    D: Array,
    b: Array,
    c: Array,
    d: Array,
    e: Array,
    beta: Array,
    gamma: Array,
    delta: Array,
) -> Array:
    """Logarithm of the ratio of signal to noise."""
    n, t = jnp.log(N), jnp.log(D)
    noise = jnp.log(c) + gamma * (n + t), jnp.log(d) + delta * t, jnp.log(e)
    return jnp.log(b) + beta * t - jax.nn.logsumexp(jnp.stack(jnp.broadcast_arrays(*noise)), axis=0)


@law(source="ouyang2026")
def shannon_law(
    N: Params,
    D: Tokens,
    *,
    a: Annotated[Array, Parameter("", positive, (1e-3, 1.0))],
    b: Annotated[Array, Parameter("", positive, (1e-6, 1e-1))],
    c: Annotated[Array, Parameter("", positive, (1e-15, 1e-6))],
    d: Annotated[Array, Parameter("", positive, (1e-9, 1e-2))],
    e: Annotated[Array, Parameter("", positive, (0.1, 10.0))],
    alpha: Annotated[Array, Parameter("", positive, (0.03, 0.6))],
    beta: Annotated[Array, Parameter("", positive, (0.2, 1.2))],
    gamma: Annotated[Array, Parameter("", positive, (0.1, 1.0))],
    delta: Annotated[Array, Parameter("", positive, (0.2, 1.5))],
) -> Loss:
    r"""Loss as the inverse of a channel's capacity: N is its bandwidth, D the signal's power.

    $$L(N, D) = \left[a N^{\alpha} \log_2\left(1 + \frac{b D^{\beta}}
      {c (D N)^{\gamma} + d D^{\delta} + e}\right)\right]^{-1}$$

    Rises again with N when gamma > alpha, with D when gamma or delta > beta. A common factor of b,
    c, d, e changes nothing: fit with ``fix(e=1.0)``. The constants were not recovered
    [ouyang2026].
    """
    u = _log_signal(N, D, b, c, d, e, beta, gamma, delta)
    # ln softplus(u) is u - e^u / 2 where e^u is below the precision of 1.
    low = u < -20.0
    bits = jnp.where(low, u, jnp.log(jax.nn.softplus(jnp.where(low, 0.0, u)))) - jnp.log(LN2)
    return jnp.exp(-jnp.log(a) - alpha * jnp.log(N) - bits)


def capacity(*, N: ArrayLike, D: ArrayLike, **constants: ArrayLike) -> Array:
    """Capacity a N^alpha log2(1 + SNR), the inverse of the loss [ouyang2026]."""
    return 1 / shannon_law(N, D, **constants)


def signal_to_noise(*, N: Array, D: Array, **constants: Array) -> Array:
    """Ratio of signal to noise inside the logarithm [ouyang2026]."""
    return jnp.exp(_log_signal(N, D, **{k: constants[k] for k in NAMES}))


def best_data(*, N: Array, bracket: Any = (1e6, 1e18), **constants: Array) -> Array:
    """Tokens of least loss at N parameters; NaN where the loss does not turn within the bracket."""
    low, high = jnp.log(jnp.asarray(bracket, float))
    values = {k: jnp.asarray(v, float) for k, v in {"N": N, **constants}.items()}
    return jnp.exp(argmin(lambda t: shannon_law.scalar({**values, "D": jnp.exp(t)}), low, high))


def best_size(*, D: Array, bracket: Any = (1e3, 1e15), **constants: Array) -> Array:
    """Parameters of least loss on D tokens; NaN where it does not turn within the bracket."""
    low, high = jnp.log(jnp.asarray(bracket, float))
    values = {k: jnp.asarray(v, float) for k, v in {"D": D, **constants}.items()}
    return jnp.exp(argmin(lambda t: shannon_law.scalar({**values, "N": jnp.exp(t)}), low, high))


QUANTITIES: dict[str, dict[str, Callable[..., Any]]] = {
    "shannon_law": {
        "capacity": capacity,
        "SNR": signal_to_noise,
        "D_basin": best_data,
        "N_basin": best_size,
    },
}
