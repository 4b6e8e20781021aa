"""Learning from a teacher: the student's loss, what it costs and which teacher is best."""

from collections.abc import Callable
from typing import Annotated, Any

import jax
import jax.numpy as jnp
from jax import Array

from jaxlaws._implicit import argmin
from jaxlaws._law import Constants, Parameter, law
from jaxlaws._support import positive
from jaxlaws.laws.coupled import BUSBRIDGE, busbridge_supervised
from jaxlaws.quantities import Amplitude, CrossEntropy, Entropy, Exponent, Loss, Params, Tokens

LEAST_TEACHER = 0.5  # the best teacher's loss is sought above this share of the student's own
STUDENT = (
    BUSBRIDGE
    | dict(gamma=0.452, A_s=2243.0, B_s=24181.0, alpha_s=0.321, beta_s=0.637)
    | dict(gamma_s=0.764, c0=2.549, c1=522.61, f1=0.090, d1=1.315)
)
NOTE = "Recalled, not seen in print; 90 % intervals: c0 2.425 to 2.615, gamma_s 0.732 to 0.788."

Coupling = Annotated[Array, Parameter("", positive, (0.2, 2.0))]


def forward_cost(N: Any) -> Any:
    """FLOP of one forward pass per token: 2 N."""
    return 2 * N


def distillation_cost(
    N_S: Array,
    D_S: Array,
    N_T: Array,
    D_T: Array,
    d_lgt: Array | int = 1,
    d_pre: Array | int = 0,
) -> Array:
    r"""FLOP of training a student on its teacher's logits.

    $$3 F(N_S) D_S + F(N_T) (\delta_{lgt} D_S + 3 \delta_{pre} D_T), \quad F(N) = 2 N$$

    d_lgt counts the teacher's logits, d_pre its own training; each 0 or 1 [busbridge2025].
    """
    teacher = d_lgt * D_S + 3 * d_pre * D_T
    return 3 * forward_cost(N_S) * D_S + forward_cost(N_T) * teacher


@law(
    source="busbridge2025",
    constants={"busbridge2025": Constants(STUDENT, "unverified", NOTE)},
)
def busbridge_distillation(
    L_T: CrossEntropy,
    N_S: Params,
    D_S: Tokens,
    *,
    E: Entropy,
    A: Amplitude,
    alpha: Exponent,
    B: Amplitude,
    beta: Exponent,
    gamma: Coupling,
    A_s: Amplitude,
    B_s: Amplitude,
    alpha_s: Exponent,
    beta_s: Exponent,
    gamma_s: Coupling,
    c0: Annotated[Array, Parameter("", positive, (0.5, 6.0))],
    c1: Annotated[Array, Parameter("", positive, (1.0, 3000.0))],
    f1: Annotated[Array, Parameter("", positive, (0.02, 0.6))],
    d1: Annotated[Array, Parameter("", positive, (0.7, 2.0))],
) -> Loss:
    r"""Loss of a student of N_S parameters after D_S tokens from a teacher of loss L_T.

    $$L_S = L_T + L_T^{-c_0}
      \left[1 + \left(\frac{L_T}{L(N_S, D_S)\, d_1}\right)^{1/f_1}\right]^{-c_1 f_1}
      \left(A' N_S^{-\alpha'} + B' D_S^{-\beta'}\right)^{\gamma'}$$

    L(N, D) is `busbridge_supervised`; primed symbols end in _s. A teacher may be too good for its
    student. A factor of L(N, D) is one of d1: fit with ``fix(d1=1.0)``, or with the constants of
    `busbridge_supervised` held [busbridge2025].
    """
    own = busbridge_supervised.fn(N_S, D_S, E=E, A=A, alpha=alpha, B=B, beta=beta, gamma=gamma)
    teacher = jnp.log(L_T)
    bend = c1 * f1 * jax.nn.softplus((teacher - jnp.log(own * d1)) / f1)
    size, data = jnp.log(A_s) - alpha_s * jnp.log(N_S), jnp.log(B_s) - beta_s * jnp.log(D_S)
    return L_T + jnp.exp(gamma_s * jnp.logaddexp(size, data) - c0 * teacher - bend)


def best_teacher(
    N_S: Array,
    D_S: Array,
    E: Array,
    A: Array,
    alpha: Array,
    B: Array,
    beta: Array,
    gamma: Array,
    A_s: Array,
    B_s: Array,
    alpha_s: Array,
    beta_s: Array,
    gamma_s: Array,
    c0: Array,
    c1: Array,
    f1: Array,
    d1: Array,
) -> Array:
    """The teacher's loss that is best for a student: the bottom of the capacity gap.

    Sought from half the student's own loss without a teacher to that loss; NaN where the minimum
    is not inside. One case at a time [busbridge2025; derived].
    """
    base = dict(E=E, A=A, alpha=alpha, B=B, beta=beta, gamma=gamma)
    rest = dict(A_s=A_s, B_s=B_s, alpha_s=alpha_s, beta_s=beta_s, gamma_s=gamma_s)
    bend = dict(c0=c0, c1=c1, f1=f1, d1=d1)
    own = jnp.log(busbridge_supervised.fn(N_S, D_S, **base))

    def loss(u: Array) -> Array:
        return busbridge_distillation.fn(jnp.exp(u), N_S, D_S, **base, **rest, **bend)

    return jnp.exp(argmin(loss, own + jnp.log(LEAST_TEACHER), own))


QUANTITIES: dict[str, dict[str, Callable[..., Array]]] = {
    "busbridge_distillation": {"L_T_opt": best_teacher},
    "busbridge_cost": {"FLOPs": distillation_cost},
}
