"""Loss of a domain from the shares of the domains that were trained on."""

from collections.abc import Callable
from functools import lru_cache
from typing import Annotated

import jax
import jax.numpy as jnp
from jax import Array

from jaxlaws._implicit import root
from jaxlaws._law import Law, Parameter, Variable, law
from jaxlaws._support import interval, positive, real, simplex
from jaxlaws.quantities import Amplitude, Entropy, Exponent, Loss, Params, Steps, Tokens

# Uni-modal exponents (alpha of size, beta of data); only these are printed [aghajanyan2023]
UNIMODAL = {
    "code": (0.37, 0.32),
    "image_text": (0.12, 0.11),
    "image": (0.13, 0.13),
    "molecules": (0.37, 0.26),
    "speech_text": (0.32, 0.24),
    "speech": (0.31, 0.24),
    "text": (0.18, 0.22),
}
MULTIPLIERS = 200.0  # log of the widest range in which the Lagrange multiplier is sought

Part = Annotated[Array, Variable("share", interval(0.0, 1.0))]
Height = Annotated[Array, Parameter("", positive, (0.02, 20.0))]


@lru_cache(maxsize=32)
def ye_data_mixing(domains: int) -> Law:
    """The exponential law over a mixture of so many domains, for one domain's loss.

    >>> import jaxlaws as jl
    >>> ye_data_mixing(2).params["t"].size
    (2,)
    """

    def fn(
        r: Annotated[Array, Variable("share", simplex, size=(domains,))],
        *,
        c: Entropy,
        k: Height,
        t: Annotated[Array, Parameter("", real, (-4.0, 4.0), (domains,))],
    ) -> Loss:
        r"""Loss on one domain from the shares r of all domains in training.

        $$L_i(r) = c_i + k_i \exp\left(\sum_j t_{ij} r_j\right)$$

        Adding a number to all t and dividing k by its exponential changes nothing, as shares sum
        to 1; reported with t of mean zero, or fit with ``fix(k=1.0)`` [ye2024].
        """
        return mixed_loss(r, c, k, t)

    return law(fn, source="ye2024", name=f"ye_data_mixing({domains})", canonical=_centred)


def _centred(params: dict[str, Array]) -> dict[str, Array]:
    t = params["t"]
    middle = jnp.mean(t, axis=-1, keepdims=True)
    return {**params, "t": t - middle, "k": params["k"] * jnp.exp(middle[..., 0])}


def mixed_loss(r: Array, c: Array, k: Array, t: Array) -> Array:
    """Loss on one domain from (domains,) shares r and their (domains,) effects t [ye2024]."""
    return c + k * jnp.exp(jnp.einsum("...j,...j->...", jnp.asarray(t), jnp.asarray(r)))


def overall_loss(r: Array, s: Array, c: Array, k: Array, t: Array) -> Array:
    """Loss on validation data that hold shares s (i,) of domains with c, k (i,) and t (i, j).

    s may be fitted as well: domains that nobody has named [ye2024].
    """
    return jnp.sum(jnp.asarray(s) * mixed_loss(r, jnp.asarray(c), jnp.asarray(k), t))


def loss_after_steps(D: Array, c: Array, D0: Array, a: Array) -> Array:
    """Loss of one mixture along training, c + (D0 / D)^a, that the paper extrapolates [ye2024]."""
    return c + (D0 / D) ** a


@law(source="ge2024")
def bimix(
    r_i: Part,
    s: Steps,
    *,
    A: Annotated[Array, Parameter("", positive, (0.3, 5.0))],
    alpha: Annotated[Array, Parameter("", positive, (0.01, 0.3))],
    B: Annotated[Array, Parameter("", positive, (0.5, 1e5))],
    beta: Exponent,
    C: Entropy,
) -> Loss:
    r"""Loss on a domain from its own share of training and the number of steps.

    $$L_i = \frac{A_i}{r_i^{\alpha_i}} \left(\frac{B_i}{s^{\beta_i}} + C_i\right)$$

    Only A B and A C are identified: fit with ``bimix.fix(A=1.0)``. s in steps or tokens. The
    printed R2 above 0.97 does not hold for the released losses: 10 of 22 domains reach it
    [ge2024; the form recalled].
    """
    return A * r_i**-alpha * (B * s**-beta + C)


def best_shares(s: Array, A: Array, alpha: Array, B: Array, beta: Array, C: Array) -> Array:
    r"""Shares (domains,) at the least sum of BiMix losses after s steps.

    $$r_i = \left(\frac{\alpha_i A_i (B_i s^{-\beta_i} + C_i)}{\lambda}\right)^{1/(\alpha_i + 1)}$$

    lambda makes them sum to 1 [ge2024; derived].
    """
    pull = jnp.log(jnp.asarray(alpha) * A * (B * s ** -jnp.asarray(beta) + C))

    def log_shares(u: Array) -> Array:
        return (pull - u) / (jnp.asarray(alpha) + 1)

    span = jnp.full_like(pull[0], MULTIPLIERS)
    u = root(lambda u: jax.nn.logsumexp(log_shares(u)), -span, span)
    return jnp.exp(log_shares(u))


@law(source="aghajanyan2023")
def aghajanyan_mixed_modal(
    N: Params,
    D_i: Tokens,
    D_j: Tokens,
    *,
    E: Annotated[Array, Parameter("nats/token", positive, (0.2, 4.0), (2,))],
    A: Annotated[Array, Parameter("", positive, (1.0, 1e6), (2,))],
    alpha: Annotated[Array, Parameter("", positive, (0.03, 1.5), (2,))],
    B: Annotated[Array, Parameter("", positive, (1.0, 1e6), (2,))],
    beta: Annotated[Array, Parameter("", positive, (0.03, 1.5), (2,))],
    C: Annotated[Array, Parameter("nats/token", positive, (0.01, 1.0))],
    A_ij: Amplitude,
    alpha_ij: Exponent,
    B_ij: Amplitude,
    beta_ij: Exponent,
) -> Loss:
    r"""Loss of a model trained on two modalities, from their own laws and their interaction.

    $$L = \tfrac12 \sum_{m \in \{i, j\}} \left(E_m + A_m N^{-\alpha_m} + B_m D_m^{-\beta_m}\right)
      - C_{ij} + A_{ij} N^{-\alpha_{ij}} + B_{ij} (D_i + D_j)^{-\beta_{ij}}$$

    C_ij is the most the modalities can gain from each other; they compete until size and data
    bring the last two terms below it. Of E and C only (E_i + E_j)/2 - C is identified: fit with
    ``fix(E=...)`` from the uni-modal fits. The printed uni-modal exponents are `UNIMODAL`
    [aghajanyan2023; the layout of the interaction recalled].
    """
    own = E + A * N**-alpha + B * jnp.stack([D_i, D_j]) ** -beta
    return jnp.mean(own) - C + A_ij * N**-alpha_ij + B_ij * (D_i + D_j) ** -beta_ij


def synergy_limit(C: Array) -> Array:
    """Loss below the mean of the two floors that infinite size and data reach: -C_ij."""
    return -C


def competition(
    N: Array, D: Array, C: Array, A_ij: Array, alpha_ij: Array, B_ij: Array, beta_ij: Array
) -> Array:
    """Interaction in nats: modalities compete where positive, help where negative.

    Zero at the competition barrier; D counts both modalities [aghajanyan2023].
    """
    return A_ij * N**-alpha_ij + B_ij * D**-beta_ij - C


@lru_cache(maxsize=32)
def shukor_mixture(domains: int, joint: bool = False) -> Law:
    """Loss on a target domain of size, data and a mixture, additive or joint [shukor2025].

    >>> sorted(shukor_mixture(3).params)
    ['A', 'B', 'C', 'E', 'alpha', 'beta', 'gamma']
    """
    Shares = Annotated[Array, Variable("share", simplex, size=(domains,))]
    Heights = Annotated[Array, Parameter("", positive, (0.05, 20.0), (domains,))]
    Powers = Annotated[Array, Parameter("", positive, (0.05, 2.0), (domains,))]
    # (sum C h)^gamma is the amplitude of N^-alpha, some hundreds: from less, the term starts dead.
    Bases = Annotated[Array, Parameter("", positive, (3.0, 300.0), (domains,))]
    Outer = Annotated[Array, Parameter("", real, (0.3, 3.0))]

    def additive(
        N: Params,
        D: Tokens,
        h: Shares,
        *,
        E: Entropy,
        C: Heights,
        gamma: Powers,
        A: Amplitude,
        alpha: Exponent,
        B: Amplitude,
        beta: Exponent,
    ) -> Loss:
        r"""Loss on a target from size, data and shares h that act on the floor alone.

        $$L = E + \frac{1}{\sum_i C_i h_i^{\gamma_i}} + A N^{-\alpha} + B D^{-\beta}$$

        The best mixture does not depend on N or D [shukor2025; the form recalled].
        """
        return E + 1 / jnp.sum(C * _power(h, gamma)) + A * N**-alpha + B * D**-beta

    def with_scale(
        N: Params,
        D: Tokens,
        h: Shares,
        *,
        E: Entropy,
        C: Heights,
        gamma: Powers,
        C_A: Bases,
        gamma_A: Outer,
        alpha: Exponent,
        C_B: Bases,
        gamma_B: Outer,
        beta: Exponent,
    ) -> Loss:
        r"""Loss on a target from size, data and shares h that act on every term.

        $$L = E + \frac{1}{\sum_i C_i h_i^{\gamma_i}}
          + \Big(\sum_i C^A_i h_i\Big)^{\gamma^A} N^{-\alpha}
          + \Big(\sum_i C^B_i h_i\Big)^{\gamma^B} D^{-\beta}$$

        The best mixture moves with N and D [shukor2025; the form recalled].
        """
        size, data = jnp.sum(C_A * h) ** gamma_A, jnp.sum(C_B * h) ** gamma_B
        floor = 1 / jnp.sum(C * _power(h, gamma))
        return E + floor + size * N**-alpha + data * D**-beta

    kind = "joint" if joint else "additive"
    fn = with_scale if joint else additive
    return law(fn, source="shukor2025", name=f"shukor_mixture({domains}, {kind})")


def _power(h: Array, gamma: Array) -> Array:
    """h^gamma with a share of zero giving zero, and no NaN in its derivatives."""
    zero = h == 0
    return jnp.where(zero, 0.0, jnp.where(zero, 1.0, h) ** gamma)


FAMILIES: dict[str, Callable[..., Law]] = {
    "ye_data_mixing": ye_data_mixing,
    "shukor_mixture": shukor_mixture,
}

QUANTITIES: dict[str, dict[str, Callable[..., Array]]] = {
    "ye_data_mixing": {"L_i": mixed_loss, "L": overall_loss, "L_of_D": loss_after_steps},
    "bimix": {"r_opt": best_shares},
    "aghajanyan_mixed_modal": {
        "L_limit_minus_mean_of_E": synergy_limit,
        "interaction": competition,
    },
}
