"""Filtering: good data seen often against poor data seen once; and a share repeated too often."""

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Annotated

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from jaxlaws._law import Law, Parameter, Variable, law
from jaxlaws._support import negative, positive, real, unit
from jaxlaws.quantities import Params

UNIT = 1e5  # samples that one unit of n stands for inside the power, as the released code has it
EPOCHS = 256  # passes counted: what a later one adds is below 2^-25 for every published half-life

# `repeat_effective_n` through its one published point; the width is a guess.
POINT = dict(h=math.log(2), m=math.log(100), w=1.5)

Samples = Annotated[Array, Variable("samples")]
Pool = Annotated[Array, Variable("samples per epoch")]
Error = Annotated[Array, Variable("error rate", positive, space="natural", name="y")]
Scale = Annotated[Array, Parameter("", positive, (1e-4, 0.2))]
HalfLife = Annotated[Array, Parameter("epochs", positive, (1.0, 10.0))]
Utility = Annotated[Array, Parameter("", negative, (-0.5, -0.005))]
Floor = Annotated[Array, Parameter("error rate", positive, (0.02, 0.5))]

WITHOUT_LAW: tuple[tuple[str, str], ...] = (
    (
        "Scaling Laws and Interpretability of Learning from Repeated Data, 2205.10487",
        "Damage is measured, as the size of an unrepeated model of the same loss, and not put into "
        "a formula. `repeat_effective_n` is a proposal; one published point is known.",
    ),
)


def _later_epochs(n: Array, E: Array) -> tuple[Array, Array]:
    """(EPOCHS,) k = 1, 2, ... passes done, and the log growth of samples in the next one."""
    k = jnp.arange(1.0, EPOCHS, dtype=jnp.result_type(n))
    return k, jnp.log(jnp.minimum((k + 1) * E, n)) - jnp.log(jnp.minimum(k * E, n))


def utility_error(
    n_samples: Array,
    E_pool: Array,
    a: Array,
    b: Array,
    tau: Array,
    d: Array,
    sample_unit: Array | float = UNIT,
    floor: str = "outside",
) -> Array:
    """`qqt_utility`, or with floor="inside" what the released code computes: d decays as well."""
    n, E = n_samples / sample_unit, E_pool / sample_unit
    k, growth = _later_epochs(n, E)
    later = jnp.exp(b * jnp.sum(jnp.exp(-math.log(2) / tau * k) * growth))
    first = (a * jnp.minimum(E, n)) ** b
    return {"outside": first * later + d, "inside": (first + d) * later}[floor]


@law(source="goyal2024")
def qqt_utility(
    n_samples: Samples, E_pool: Pool, *, a: Scale, b: Utility, tau: HalfLife, d: Floor
) -> Error:
    r"""Error after n samples from a pool of E whose use halves every tau passes.

    $$y = (a n_1)^{b} \prod_{j \ge 2} \left(\frac{n_j}{n_{j-1}}\right)^{b\,2^{-(j-1)/\tau}} + d,
      \quad n_j = \min(j E, n)$$

    n counts 1e5 samples; b < 0 is the pool's quality, the scale a is shared by all pools. The
    released code adds the floor d before the product (`utility_error`); no table of fitted pools
    is published [goyal2024].
    """
    return utility_error(n_samples, E_pool, a, b, tau, d)


def effective_samples(n: Array, E: Array, tau: Array) -> Array:
    """Samples that n from a pool of E are worth when each pass counts 2^(-1/tau) of the last."""
    passes = jnp.floor(n / E)
    rate = -math.log(2) / tau
    whole = E * jnp.expm1(passes * rate) / jnp.expm1(rate)
    return whole + (n - passes * E) * jnp.exp(passes * rate)


def effective_error(
    n_samples: Array,
    E_pool: Array,
    a: Array,
    b: Array,
    tau: Array,
    d: Array,
    sample_unit: Array | float = UNIT,
) -> Array:
    """`qqt_effective_data` with a unit of samples of one's own."""
    n, E = n_samples / sample_unit, E_pool / sample_unit
    return (a * effective_samples(n, E, tau)) ** b + d


@law(source="goyal2024")
def qqt_effective_data(
    n_samples: Samples, E_pool: Pool, *, a: Scale, b: Utility, tau: HalfLife, d: Floor
) -> Error:
    r"""Error after n samples from a pool of E, repeats counted as fewer fresh samples.

    $$y = (a\,n_{eff})^{b} + d, \quad n_{eff} = \sum_k (n_k - n_{k-1})\,2^{-(k-1)/\tau}$$

    The alternative that the paper compares `qqt_utility` with: here the data decay, not their
    exponent. n counts 1e5 samples [goyal2024].
    """
    return effective_error(n_samples, E_pool, a, b, tau, d)


def mixture_exponent(epoch_k: Array, b: ArrayLike, tau: ArrayLike) -> Array:
    r"""Exponent of an even mixture of p pools in its k-th pass.

    $$b_{mix,k} = \frac{1}{p} \sum_i b_i\,2^{-(k-1)/(p \tau_i)}$$

    In a mixture of p a pool comes round p times more slowly [goyal2024].

    Args:
        epoch_k: () pass, from 1.
        b: (p,) exponents of the pools.
        tau: (p,) half-lives of the pools in passes of their own.
    """
    b, tau = jnp.asarray(b), jnp.asarray(tau)
    return jnp.mean(b * jnp.exp(-math.log(2) * (epoch_k - 1) / (b.shape[-1] * tau)))


def _mixed(n: Array, E: Array, b: Array, tau: Array, used: Array, a: Array, d: Array) -> Array:
    """Error of the mixture of the pools that are used, (p,) of ones and zeros; n, E in units."""
    count = jnp.sum(used)
    k, growth = _later_epochs(n, E)
    share = used * b / count
    decay = jnp.exp(-math.log(2) * k[:, None] / (count * tau)[None, :])
    return (
        jnp.exp(
            jnp.sum(share) * jnp.log(a * jnp.minimum(E, n))
            + jnp.sum(jnp.sum(share[None, :] * decay, axis=1) * growth)
        )
        + d
    )


@lru_cache(maxsize=16)
def qqt_mixture(pools: int) -> Law:
    """The law of an even mixture of so many pools; `qqt_utility` for one."""

    def fn(
        n_samples: Samples,
        E_mix: Pool,
        *,
        a: Scale,
        b: Annotated[Array, Parameter("", negative, (-0.5, -0.005), (pools,))],
        tau: Annotated[Array, Parameter("epochs", positive, (1.0, 10.0), (pools,))],
        d: Floor,
    ) -> Error:
        r"""Error after n samples of an even mixture of p pools, E samples in all.

        $$y = (a n_1)^{b_1} \prod_{j \ge 2} \left(\frac{n_j}{n_{j-1}}\right)^{b_j} + d, \quad
          b_j = \frac{1}{p} \sum_i b_i\,2^{-(j-1)/(p \tau_i)}$$

        n_j = min(j E_mix, n), in units of 1e5 samples; b and tau are those of each pool alone, the
        scale a and the floor d are shared; pools are reported best first [goyal2024].
        """
        return _mixed(n_samples / UNIT, E_mix / UNIT, b, tau, jnp.ones_like(b), a, d)

    return law(fn, source="goyal2024", name=f"qqt_mixture({pools})", canonical=_best_first)


def _best_first(params: dict[str, Array]) -> dict[str, Array]:
    order = jnp.argsort(params["b"], axis=-1)
    pools = {k: jnp.take_along_axis(params[k], order, axis=-1) for k in ("b", "tau")}
    return {**params, **pools}


def pools_opt(
    n_samples: Array, E_pools: ArrayLike, a: Array, b: ArrayLike, tau: ArrayLike, d: Array
) -> Array:
    """How many of the best pools to mix for a budget of n samples; it grows with the budget.

    Args:
        n_samples: () samples that will be seen.
        E_pools: (p,) samples of each pool.
        a: () shared scale.
        b: (p,) exponents, best pool (most negative) first.
        tau: (p,) half-lives.
        d: () shared floor.
    """
    E, b, tau = jnp.asarray(E_pools), jnp.asarray(b), jnp.asarray(tau)
    used = jnp.tril(jnp.ones((b.shape[0], b.shape[0])))

    def error(of: Array) -> Array:
        return _mixed(n_samples / UNIT, jnp.sum(of * E) / UNIT, b, tau, of, a, d)

    return jnp.sum(used, axis=1)[jnp.argmin(jax.vmap(error)(used))]


@law(source="hernandez2022")
def repeat_effective_n(
    N: Params,
    share_of_unique_data_repeated: Annotated[Array, Variable("share", unit)],
    repeats: Annotated[Array, Variable("passes over the repeated share")],
    *,
    h: Annotated[Array, Parameter("", positive, (0.1, 2.0))],
    m: Annotated[Array, Parameter("", real, (2.0, 8.0))],
    w: Annotated[Array, Parameter("", positive, (0.5, 4.0))],
    m_share: Annotated[Array, Parameter("", real, (-1.0, 1.0))],
    m_N: Annotated[Array, Parameter("", real, (-1.0, 1.0))],
) -> Annotated[Array, Variable("share", unit, name="N_eff_over_N")]:
    r"""Share of a model that is left when a small part of its data is repeated many times.

    $$\ln\frac{N_{eff}}{N} = -h \exp\left(-\frac{(\ln r - \mu)^2}{2 w^2}\right), \quad
      \mu = m + m_{share} \ln\frac{s}{10^{-3}} + m_N \ln\frac{N}{8 \cdot 10^8}$$

    Worst where memorising the repeated share s is possible and dear, at r = exp(mu) repeats. The
    form is proposed here, the paper has none [hernandez2022].
    """
    s = share_of_unique_data_repeated
    middle = m + m_share * jnp.log(s / 1e-3) + m_N * jnp.log(N / 8e8)
    return jnp.exp(-h * jnp.exp(-(((jnp.log(repeats) - middle) / w) ** 2) / 2))


def repeat_through_the_point(
    N: Array,
    share_of_unique_data_repeated: Array,
    repeats: Array,
    h: Array | float = POINT["h"],
    m: Array | float = POINT["m"],
    w: Array | float = POINT["w"],
    m_share: Array | float = 0.0,
    m_N: Array | float = 0.0,
) -> Array:
    """`repeat_effective_n` put through the one published point, and a guess elsewhere.

    800M parameters with 0.1 % of the data seen 100 times do as well as 400M [hernandez2022,
    abstract]; the width w and the zero slopes are not measured.
    """
    own = dict(h=h, m=m, w=w, m_share=m_share, m_N=m_N)
    return repeat_effective_n(N, share_of_unique_data_repeated, repeats, **own)


def params_of_loss(L: Array, E: Array, A: Array, alpha: Array) -> Array:
    """Parameters of the unrepeated model with loss L: E + A N^-alpha turned round.

    The paper's procedure: fit that curve to unrepeated runs, and N_eff of a run with repeats is the
    answer at its loss [hernandez2022].
    """
    return (A / (L - E)) ** (1 / alpha)


QUANTITIES: dict[str, dict[str, Callable[..., Array]]] = {
    "qqt_utility": {"y": utility_error},
    "qqt_effective_data": {"y": effective_error, "n_eff": effective_samples},
    "qqt_mixture": {"b_mix": mixture_exponent, "pools_opt": pools_opt},
    "repeat_effective_n": {"N_eff_over_N": repeat_through_the_point, "N_eff": params_of_loss},
}
FAMILIES: dict[str, Callable[..., Law]] = {"qqt_mixture": qqt_mixture}
