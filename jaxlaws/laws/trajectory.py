"""Steps to a loss: Kaplan's loss of size and steps, turned round, at a finite batch size."""

from collections.abc import Callable
from typing import Annotated

import jax.numpy as jnp
from jax import Array

from jaxlaws._implicit import root
from jaxlaws._law import Constants, Parameter, Variable, law
from jaxlaws._support import positive
from jaxlaws.quantities import CrossEntropy, Params

NEAREST, FARTHEST = 1e-6, 50.0  # nats above the converged loss between which a run's loss is sought

StepsToLoss = Annotated[Array, Variable("steps", name="S")]


def converged(N: Array, aN: Array, Nc: Array) -> Array:
    """Loss of N parameters after infinitely many steps: (Nc / N)^aN [kaplan2020, eq. 1.1]."""
    return (Nc / N) ** aN


def critical_batch(L: Array, Bstar: Array, aB: Array) -> Array:
    """Batch in tokens that doubles both steps and tokens: Bstar / L^(1 / aB) [kaplan2020, 1.4]."""
    return Bstar * L ** (-1 / aB)


def least_steps(L: Array, N: Array, aN: Array, aS: Array, Nc: Array, Sc: Array) -> Array:
    """Steps to loss L at infinite batch; infinite at or below the converged loss."""
    excess = L - converged(N, aN, Nc)
    reached = jnp.where(excess > 0, excess, 1.0)
    return jnp.where(excess > 0, Sc * reached ** (-1 / aS), jnp.inf)


def least_tokens(
    L: Array, N: Array, aN: Array, aS: Array, Nc: Array, Sc: Array, Bstar: Array, aB: Array
) -> Array:
    """Tokens to loss L at infinitely small batch: critical batch times least steps."""
    return critical_batch(L, Bstar, aB) * least_steps(L, N, aN, aS, Nc, Sc)


def stretch(L: Array, B_tokens: Array, Bstar: Array, aB: Array) -> Array:
    """S / S_min at a batch: 1 + B_crit / B, which is 2 at the critical batch [kaplan2020, 5.4]."""
    return 1 + critical_batch(L, Bstar, aB) / B_tokens


def tokens_stretch(L: Array, B_tokens: Array, Bstar: Array, aB: Array) -> Array:
    """E / E_min = C / C_min at a batch: 1 + B / B_crit [kaplan2020, eq. 5.5]."""
    return 1 + B_tokens / critical_batch(L, Bstar, aB)


def loss_after(
    S: Array,
    N: Array,
    B_tokens: Array,
    aN: Array,
    aS: Array,
    Nc: Array,
    Sc: Array,
    Bstar: Array,
    aB: Array,
) -> Array:
    """Loss after S steps at a batch: `kaplan_trajectory` solved for L, whatever the steps are.

    The root is unique, because steps fall as the loss rises; it is sought in log excess loss and
    differentiated implicitly.
    """
    floor = converged(N, aN, Nc)

    def gap(u: Array) -> Array:
        steps = jnp.log(Sc) - u / aS + jnp.log(stretch(floor + jnp.exp(u), B_tokens, Bstar, aB))
        return steps - jnp.log(S)

    low = jnp.log(jnp.full_like(floor, NEAREST))
    return floor + jnp.exp(root(gap, low, jnp.log(jnp.full_like(floor, FARTHEST))))


@law(
    source="su2024, kaplan2020",
    constants={
        "kaplan2020": Constants(
            dict(aN=0.077, aS=0.76, Nc=6.5e13, Sc=2.1e3, Bstar=2.0e8, aB=0.21), "reported"
        ),
        "su2024": Constants(
            dict(aN=0.076, aS=0.67, Nc=1.5e14, Sc=2.6e3, Bstar=1.7e8, aB=0.205),
            "unverified",
            "For C4 at context 1024; recalled, not seen in print.",
        ),
    },
)
def kaplan_trajectory(
    L: CrossEntropy,
    N: Params,
    B_tokens: Annotated[Array, Variable("tokens per step")],
    *,
    aN: Annotated[Array, Parameter("", positive, (0.04, 0.12))],
    aS: Annotated[Array, Parameter("", positive, (0.4, 1.2))],
    Nc: Annotated[Array, Parameter("parameters", positive, (1e13, 1e15))],
    Sc: Annotated[Array, Parameter("steps", positive, (5e2, 1e4))],
    Bstar: Annotated[Array, Parameter("tokens", positive, (5e7, 1e9))],
    aB: Annotated[Array, Parameter("", positive, (0.12, 0.35))],
) -> StepsToLoss:
    r"""Steps that a model with N non-embedding parameters takes to loss L at a finite batch.

    $$S(L, N, B) = S_c \left(L - (N_c / N)^{a_N}\right)^{-1/a_S}
      \left(1 + \frac{B_* L^{-1/a_B}}{B}\right)$$

    The first factor is the least number of steps, at infinite batch; the second prices a batch of
    B tokens against the critical one. Infinite where the model cannot reach L. Learning rate,
    batch and context move the constants, not the form [kaplan2020, eq. 1.6 and 5.4; su2024].
    """
    return least_steps(L, N, aN, aS, Nc, Sc) * stretch(L, B_tokens, Bstar, aB)


QUANTITIES: dict[str, dict[str, Callable[..., Array]]] = {
    "kaplan_trajectory": {
        "S_min": least_steps,
        "S_over_S_min": stretch,
        "E_min": least_tokens,
        "E_over_E_min": tokens_stretch,
        "B_crit": critical_batch,
        "L_inf": converged,
        "L": loss_after,
    },
}
