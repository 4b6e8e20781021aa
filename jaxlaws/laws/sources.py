"""Sources of data: a score projected from a small mixture to a large one, losses by domain."""

from collections.abc import Callable
from functools import lru_cache
from typing import Annotated, Any

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from jaxlaws._law import Law, Parameter, Variable, law
from jaxlaws._support import positive, real
from jaxlaws.quantities import Amplitude, Entropy, Exponent, Loss

PROJEKTOR = "kang2023"
FLP = "chen2024flp"

Score = Annotated[Array, Variable("score", real, space="natural", name="V")]


@law(source=PROJEKTOR)
def ot_stage1(
    OT: Annotated[Array, Variable("optimal transport distance")],
    *,
    a0: Annotated[Array, Parameter("", real, (0.0, 1.0))],
    a1: Annotated[Array, Parameter("", real, (-0.5, 2.0))],
) -> Score:
    r"""Score of a mixture of sources at one size against its distance from the validation set.

    $$V(N_0, p) = a_0 - a_1\, \mathrm{OT}$$

    OT is the entropic transport cost, labels included, between the mixture p of N_0 samples and
    the validation set; fitted to about a dozen mixtures. Recalled [kang2023].
    """
    return a0 - a1 * OT


def source_score(*, p: Array, b: Array, c: Array, a0: Array | float = 0.0) -> Array:
    """Score by a parabola in each share p (k,): a0 + sum of b p^2 + c p [kang2023, recalled]."""
    return a0 + jnp.sum(b * p**2 + c * p, axis=-1)


def projected_score(
    *, N: ArrayLike, N0: ArrayLike, N1: ArrayLike, V_N0: ArrayLike, V_N1: ArrayLike
) -> Array:
    r"""Score of a mixture at N samples from the scores at N0 and N1, without parameters.

    $$V(N) = \frac{V(N_0) \ln(N_1 / N) + V(N_1) \ln(N / N_0)}{\ln(N_1 / N_0)}$$

    The line in ln N through both, so it is not bounded: an accuracy can pass 1 far beyond N1
    [kang2023].
    """
    n, low, high = (jnp.log(jnp.asarray(v, float)) for v in (N, N0, N1))
    return ((high - n) * V_N0 + (n - low) * V_N1) / (high - low)


@lru_cache(maxsize=32)  # one object per size, so that compiled code is found again
def flp_m_loss(domains: int) -> Law:
    """Loss on one domain against the compute spent on each of so many, its own domain first.

    Raises:
        ValueError: Less than one domain.

    >>> flp_m_loss(3).params["k"].size
    (2,)
    """
    if domains < 1:
        raise ValueError(f"flp_m_loss takes 1 or more domains, got {domains}.")

    def fn(
        C: Annotated[Array, Variable("FLOP", size=(domains,))],
        *,
        E: Entropy,
        A: Amplitude,
        a: Exponent,
        k: Annotated[Array, Parameter("", positive, (0.01, 1.0), (domains - 1,))],
    ) -> Loss:
        r"""Loss on one domain against the compute C spent on each, its own domain first.

        $$L = E + A \left(C_0 + \sum_j k_j C_j\right)^{-a}$$

        k_j is what compute on another domain is worth here; its own counts 1, which fixes the
        scale of A. The form is this library's: the paper's was not recovered. A small network
        from the losses of all domains to the score is its second step [chen2024flp].
        """
        return E + A * (C[0] + jnp.sum(k * C[1:])) ** -a

    return law(fn, source=FLP, name=f"flp_m_loss({domains})")


def domain_loss(*, C: ArrayLike, E: ArrayLike, A: ArrayLike, a: ArrayLike, k: ArrayLike) -> Array:
    """`flp_m_loss` with the weights (d,) of all domains, the own one among them [chen2024flp]."""
    seen = jnp.sum(jnp.asarray(k, float) * jnp.asarray(C, float), axis=-1)
    E, A, a = (jnp.asarray(v, float) for v in (E, A, a))
    return E + A * seen**-a


FAMILIES: dict[str, Callable[..., Law]] = {"flp_m_loss": flp_m_loss}

QUANTITIES: dict[str, dict[str, Callable[..., Any]]] = {
    "ot_stage1": {"V_of_shares": source_score},
    "log_interp_stage2": {"V": projected_score},
    "flp_m_loss": {"L_1": domain_loss},
}
