"""How large a vocabulary should be, by three approaches [tao2024]."""

from collections.abc import Callable
from functools import lru_cache
from typing import Annotated

import jax.numpy as jnp
from jax import Array

from jaxlaws._implicit import root
from jaxlaws._law import Constants, Law, Parameter, Variable, law
from jaxlaws._support import positive, real
from jaxlaws.quantities import FLOP, Exponent, Params

SOURCE = "tao2024"
LARGEST = 200_000  # vocabulary beyond which the tokens per character stay as they are
SMALLEST = 256  # vocabulary below which no optimum is sought
REFERENCE = 33e6  # non-vocabulary parameters of the model that `vocab_derivative` starts from

# Embedding width against the most non-vocabulary parameters that have it.
WIDTHS = (
    (50e6, 512),
    (200e6, 768),
    (500e6, 1024),
    (1e9, 1536),
    (2e9, 2048),
    (5e9, 3200),
    (10e9, 4096),
    (20e9, 5120),
    (50e9, 6048),
    (100e9, 8192),
    (200e9, 12288),
    (500e9, 16384),
    (1e12, 20480),
)

Vocabulary = Annotated[Array, Variable("entries", typical=(10.0, 1e8))]
Width = Annotated[Array, Variable("embedding width")]
VocabParams = Annotated[Array, Variable("vocabulary parameters", name="N_v")]
Excess = Annotated[Array, Variable("nats/token over the unigram model", real, (), "natural")]


def width(N_nv: Array) -> Array:
    """Embedding width that the paper gives a model of N_nv non-vocabulary parameters."""
    limits, widths = (jnp.asarray(column, float) for column in zip(*WIDTHS, strict=True))
    return widths[jnp.minimum(jnp.searchsorted(limits, N_nv), len(WIDTHS) - 1)]


@law(
    source=SOURCE,
    constants={SOURCE: Constants(dict(a=0.00639222, b=-0.15811069, c=1.20470122), "verified")},
)
def tokens_per_char(
    V: Vocabulary,
    *,
    a: Annotated[Array, Parameter("", real, (2e-3, 2e-2))],
    b: Annotated[Array, Parameter("", real, (-0.5, -0.05))],
    c: Annotated[Array, Parameter("", real, (0.5, 3.0))],
) -> Annotated[Array, Variable("tokens per character", name="f")]:
    r"""Tokens that a tokeniser with V entries makes of a character of English text.

    $$f(V) = a \ln^2 V + b \ln V + c$$

    Held at f(200000) beyond 200000 entries, near the minimum of the parabola, so that D = H f(V)
    tokens for H characters [tao2024].
    """
    u = jnp.log(jnp.minimum(V, float(LARGEST)))
    return (a * u + b) * u + c


TOKENS = tokens_per_char.published()


@law(
    source=SOURCE,
    constants={
        f"{SOURCE}_N_nv": Constants(dict(k=0.08335464, a=0.5), "verified"),
        f"{SOURCE}_N_v": Constants(dict(k=0.20412325, a=0.4163622634), "verified"),
    },
)
def vocab_isoflop(
    F: FLOP,
    *,
    k: Annotated[Array, Parameter("", positive, (0.01, 2.0))],
    a: Annotated[Array, Parameter("", positive, (0.3, 0.7))],
) -> Annotated[Array, Variable("parameters", name="N")]:
    r"""Compute-optimal parameters, outside or inside the vocabulary, at F FLOP: approach 1.

    $$N(F) = k F^{a}$$

    Two sets of constants for two lines, from the lowest losses at equal compute; characters grow
    like F^0.5 [tao2024, approach 1].
    """
    return k * F**a


def budget(N_nv: Array, k_N: Array, a_N: Array) -> Array:
    """FLOP at which N_nv non-vocabulary parameters are optimal: `vocab_isoflop` turned round."""
    return (N_nv / k_N) ** (1 / a_N)


def isoflop_thousands(F: Array, d: Array, k_V: Array, a_V: Array) -> Array:
    """Optimal vocabulary at F FLOP and width d, in thousands, by approach 1."""
    return k_V * F**a_V / d / 1e3


@law(
    source=SOURCE,
    constants={SOURCE: Constants(dict(Nv0=3145728.0, gamma=0.8353974), "verified")},
)
def vocab_derivative(
    N_nv: Params,
    *,
    Nv0: Annotated[Array, Parameter("parameters", positive, (1e6, 1e7))],
    gamma: Annotated[Array, Parameter("", positive, (0.5, 1.0))],
) -> VocabParams:
    r"""Optimal vocabulary parameters of a model with N_nv others: approach 2.

    $$N_v = N_{v,0} \left(N_{nv} / N_{nv,0}\right)^{\gamma}$$

    A line through the vocabularies at which compute per character is least (`least_flops`), from
    the reference size N_nv,0 = 33e6 upwards [tao2024, approach 2].
    """
    return Nv0 * (N_nv / REFERENCE) ** gamma


def derivative_thousands(
    N_nv: Array, d: Array, Nv0: Array, gamma: Array, Nnv0: Array | float = REFERENCE
) -> Array:
    """Optimal vocabulary of a model of width d, in thousands, by approach 2."""
    return Nv0 * (N_nv / Nnv0) ** gamma / d / 1e3


def least_flops(N_nv: Array, d: Array, a: Array, b: Array, c: Array) -> Array:
    r"""Vocabulary at which a character costs least: the raw root of approach 2.

    $$d\,f(V) + (N_{nv} + V d)\,f'(V) = 0$$

    A larger vocabulary saves tokens and costs embeddings. Where the cost still falls at 200000
    entries the answer is 200000, beyond which the tokens per character are constant [tao2024].
    """

    def slope(u: Array) -> Array:  # of the cost with respect to u = ln V
        V = jnp.exp(u)
        return d * V * ((a * u + b) * u + c) + (N_nv + V * d) * (2 * a * u + b)

    one = jnp.ones_like(N_nv * 1.0)
    low, high = jnp.log(SMALLEST * one), jnp.log(LARGEST * one)
    inside = slope(high) > 0
    u = root(slope, low, jnp.where(inside, high, high + 10.0))
    return jnp.where(inside, jnp.exp(u), LARGEST * one)


@lru_cache(maxsize=8)
def vocab_parametric_in(v_unit: str = "thousands") -> Law:
    """The parametric law with characters turned into tokens as f(V) or as f(V / 1000).

    The released fit evaluates f at V in thousands, and the published constants hold only so. To
    fit with the tokens that were really seen use "count".

    Args:
        v_unit: "thousands" or "count".
    """
    unit = {"thousands": 1e3, "count": 1.0}[v_unit]

    def fn(
        N_nv: Params,
        V: Vocabulary,
        d: Width,
        H: Annotated[Array, Variable("characters")],
        *,
        A1: Annotated[Array, Parameter("", positive, (0.1, 20.0))],
        A2: Annotated[Array, Parameter("", positive, (0.01, 5.0))],
        B: Annotated[Array, Parameter("", positive, (0.1, 20.0))],
        E: Annotated[Array, Parameter("nats/token", positive, (2.0, 10.0))],
        alpha1: Exponent,
        alpha2: Exponent,
        beta: Exponent,
    ) -> Excess:
        r"""Loss over that of a unigram model, comparable across vocabularies: approach 3.

        $$L_u = -E + \frac{A_1}{N_{nv}^{\alpha_1}} + \frac{A_2}{(V d)^{\alpha_2}}
          + \frac{B}{D^{\beta}}, \quad D = H f(V / 1000)$$

        N_nv counts millions, V and d thousands, H characters and D tokens billions inside the
        formula; the arguments are plain counts. L_u is negative. f is `tokens_per_char`
        [tao2024, approach 3].
        """
        D = H / 1e9 * tokens_per_char.fn(V / unit, **TOKENS)
        size = A1 * (N_nv / 1e6) ** -alpha1 + A2 * (V * d / 1e6) ** -alpha2
        return -E + size + B * D**-beta

    published = Constants(
        dict(
            A1=1.8313851560,
            A2=0.1958423840,
            B=2.1241123120,
            E=5.5327846803,
            alpha1=0.4466063415,
            alpha2=0.6707374680,
            beta=0.4466063415,
        ),
        "verified",
        "alpha1 = beta was imposed. They hold for f(V / 1000) alone, as the released code has it: "
        "R2 0.97 then, 0.04 with the true V. A2 and alpha2 are weakly identified.",
    )
    counted = v_unit == "count"
    return law(
        fn,
        source=SOURCE,
        name="vocab_parametric(count)" if counted else "vocab_parametric",
        constants={} if counted else {SOURCE: published},
    )


vocab_parametric = vocab_parametric_in("thousands")


def scaled_loss(
    N_nv_millions: Array,
    V_thousands: Array,
    d_thousands: Array,
    H_billions: Array,
    A1: Array,
    A2: Array,
    B: Array,
    E: Array,
    alpha1: Array,
    alpha2: Array,
    beta: Array,
    v_unit: str = "thousands",
) -> Array:
    """`vocab_parametric` with its inputs in the units that its constants have."""
    counts = (N_nv_millions * 1e6, V_thousands * 1e3, d_thousands * 1e3, H_billions * 1e9)
    own = dict(A1=A1, A2=A2, B=B, E=E, alpha1=alpha1, alpha2=alpha2, beta=beta)
    return vocab_parametric_in(v_unit).fn(*counts, **own)


def parametric(
    N_nv: Array, d: Array, F: Array, A2: Array, B: Array, alpha2: Array, beta: Array
) -> Array:
    r"""Vocabulary with the least loss at F FLOP and width d, by approach 3.

    $$A_2 \alpha_2 \frac{(V d)^{-\alpha_2}}{V} = B \beta u^{-\beta} \frac{d}{N_{nv} + V d},
      \quad u = \frac{F}{6 (N_{nv} + V d)}$$

    Embeddings against tokens u, both in the units of `vocab_parametric`; the difference of the
    logarithms falls in V, so the root is unique [tao2024, approach 3].
    """
    N, D, width = N_nv / 1e6, F / 1e15 / 6, d / 1e3

    def gap(log_V: Array) -> Array:
        size = N + jnp.exp(log_V) * width
        gain = jnp.log(A2 * alpha2) - alpha2 * (log_V + jnp.log(width)) - log_V
        price = jnp.log(B * beta) - beta * (jnp.log(D) - jnp.log(size))
        return gain - price - jnp.log(width) + jnp.log(size)

    wide = 20.0 * jnp.ones_like(N_nv * 1.0)
    return 1e3 * jnp.exp(root(gap, -wide, wide))


def parametric_thousands(
    N_nv: Array, d: Array, F: Array, A2: Array, B: Array, alpha2: Array, beta: Array
) -> Array:
    """`parametric` in thousands of entries."""
    return parametric(N_nv, d, F, A2, B, alpha2, beta) / 1e3


QUANTITIES: dict[str, dict[str, Callable[..., Array]]] = {
    "vocab_isoflop": {"V_opt_thousands": isoflop_thousands, "F_of_N_nv": budget, "d": width},
    "vocab_derivative": {"V_opt_thousands": derivative_thousands, "V_root": least_flops},
    "vocab_parametric": {
        "V_opt_thousands": parametric_thousands,
        "V_opt": parametric,
        "L_u": scaled_loss,
    },
}
FAMILIES: dict[str, Callable[..., Law]] = {"vocab_parametric": vocab_parametric_in}
