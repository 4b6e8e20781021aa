"""Loss of a dense model against parameters, tokens and compute."""

from typing import Annotated

import jax.numpy as jnp
from jax import Array

from jaxlaws._law import Constants, Parameter, law
from jaxlaws._support import positive
from jaxlaws.quantities import (
    FLOP,
    Amplitude,
    Characteristic,
    Entropy,
    Exponent,
    Loss,
    Params,
    Positive,
    Ratio,
    Tokens,
)

HOFFMANN = dict(
    E=1.6933736809989528, A=406.4010175194737, B=410.7228269450398, alpha=0.33917084, beta=0.2849083
)


@law(
    source="hoffmann2022, besiroglu2024, sardana2024",
    constants={
        "besiroglu2024": Constants(
            dict(E=1.8172, A=482.01, B=2085.43, alpha=0.3478, beta=0.3658),
            "verified",
            "E is of another fit than the rest: A, B, alpha, beta minimise absolute deviations.",
        ),
        "hoffmann2022": Constants(
            dict(E=1.69, A=406.4, B=410.7, alpha=0.34, beta=0.28),
            "verified",
            "Rounded in print: they give N_opt(5.76e23) = 32e9 where the paper has 40e9.",
        ),
        "hoffmann2022_unrounded": Constants(HOFFMANN, "verified", "Stopped short of the minimum."),
        "besiroglu2024_all_points": Constants(
            dict(E=1.89, A=463.0, B=12530.0, alpha=0.345, beta=0.452),
            "verified",
            "With the five highest losses; standard error of B 61650.",
        ),
        "sardana2024_100": Constants(
            dict(E=0.17, A=7.199, B=25.97, alpha=0.08, beta=0.13),
            "reported",
            "Runs of up to 100 tokens per parameter; 47 runs of 150M to 6B parameters in all.",
        ),
        "sardana2024_250": Constants(
            dict(E=0.98, A=14.23, B=39.54, alpha=0.13, beta=0.16),
            "reported",
            "Up to 250 tokens per parameter.",
        ),
        "sardana2024_500": Constants(
            dict(E=0.95, A=17.07, B=35.80, alpha=0.13, beta=0.16),
            "reported",
            "Up to 500 tokens per parameter.",
        ),
        "sardana2024_all": Constants(
            dict(E=1.45, A=33.66, B=138.9, alpha=0.18, beta=0.24),
            "reported",
            "All runs: the exponents rise with the range.",
        ),
    },
)
def chinchilla(
    N: Params, D: Tokens, *, E: Entropy, A: Amplitude, B: Amplitude, alpha: Exponent, beta: Exponent
) -> Loss:
    r"""Pretraining loss of a dense model with N parameters trained on D tokens.

    $$L(N, D) = E + A N^{-\alpha} + B D^{-\beta}$$

    E is the entropy of the text; the power laws price a finite model and a finite corpus
    [hoffmann2022, eq. 2].

    >>> import jaxlaws as jl
    >>> round(float(jl.laws.chinchilla(70e9, 1.4e12, **jl.laws.chinchilla.published())), 4)
    1.9735
    """
    return E + A * N**-alpha + B * D**-beta


@law(
    source="kaplan2020, ouyang2024",
    constants={
        "kaplan2020": dict(aN=0.076, Nc=6.4e13, aD=0.103, Dc=1.8e13),
        "ouyang2024_pythia": Constants(
            dict(aN=0.045, Nc=4.74e19, aD=0.399, Dc=7.63e10),
            "verified",
            "16-bit losses of the Pythia suite.",
        ),
    },
)
def kaplan_nd(
    N: Params, D: Tokens, *, aN: Exponent, Nc: Characteristic, aD: Exponent, Dc: Characteristic
) -> Loss:
    r"""Loss of a model with N non-embedding parameters, early stopped on D tokens.

    $$L(N, D) = \left[(N_c / N)^{a_N / a_D} + D_c / D\right]^{a_D}$$

    There is no floor, so it must not be read beyond the crossing near N = 1e12, L = 1.7
    [kaplan2020, eq. 1.5].
    """
    size, data = aN / aD * jnp.log(Nc / N), jnp.log(Dc / D)  # the ratio of exponents may be large
    return jnp.exp(aD * jnp.logaddexp(size, data))


@law(
    source="kaplan2020, su2024",
    constants={
        "kaplan2020": dict(aN=0.076, Nc=8.8e13),
        "su2024": Constants(dict(aN=0.076, Nc=1.5e14), "unverified", "Recalled; C4, context 1024."),
    },
)
def kaplan_n(N: Params, *, aN: Exponent, Nc: Characteristic) -> Loss:
    r"""Converged loss of a model with N non-embedding parameters on unlimited data.

    $$L(N) = (N_c / N)^{a_N}$$

    [kaplan2020, eq. 1.1]
    """
    return (Nc / N) ** aN


@law(source="kaplan2020", constants={"kaplan2020": dict(aD=0.095, Dc=5.4e13)})
def kaplan_d(D: Tokens, *, aD: Exponent, Dc: Characteristic) -> Loss:
    r"""Early-stopped loss of a large model trained on D tokens.

    $$L(D) = (D_c / D)^{a_D}$$

    [kaplan2020, eq. 1.2]
    """
    return (Dc / D) ** aD


@law(
    source="gadre2024",
    constants={
        "gadre2024_c4": Constants(dict(E=1.508, a=141.3, b=189.5, eta=0.1212), "verified"),
        "gadre2024_redpajama": Constants(dict(E=1.837, a=212.2, b=366.7, eta=0.1364), "verified"),
        "gadre2024_refinedweb": Constants(dict(E=1.734, a=157.1, b=246.2, eta=0.1272), "verified"),
    },
)
def overtrain_loss(
    C: FLOP, M: Ratio, *, E: Entropy, a: Amplitude, b: Amplitude, eta: Exponent
) -> Loss:
    r"""Loss at compute C and M tokens per parameter: parallel lines in log-log for every M.

    $$L(C, M) = E + (a M^{\eta} + b M^{-\eta}) C^{-\eta}$$

    Chinchilla's law with $\alpha = \beta = 2\eta$ and C = 6ND, M = D/N [gadre2024, eq. 4]. The
    published fits use five runs for four parameters: compare predictions, not parameters.
    """
    return E + (a * M**eta + b * M**-eta) * C**-eta


Coefficient = Annotated[Array, Parameter("", positive, (1e-3, 1e3))]


@law(
    source="bi2024",
    constants={
        "bi2024_eta_opt": dict(coefficient=0.3118, exponent=-0.1250),
        "bi2024_B_opt": dict(coefficient=0.2920, exponent=0.3271),
        "bi2024_M_opt": dict(coefficient=0.1715, exponent=0.5243),
        "bi2024_D_opt": dict(coefficient=5.8316, exponent=0.4757),
    },
)
def deepseek_scaling(
    C: FLOP,
    *,
    coefficient: Coefficient,
    exponent: Annotated[Array, Parameter("", typical=(-1.0, 1.0))],
) -> Positive:
    r"""An optimum as a power of compute: learning rate, batch in tokens, FLOP per token, tokens.

    $$y(C) = k\,C^{p}$$

    With C = M D, where M is the non-embedding FLOP per token; the four optima are four sets of
    constants [bi2024, sec. 3].
    """
    return coefficient * C**exponent
