"""Translation: size, data and mixture against loss, and loss or pretraining data against score."""

from collections.abc import Callable
from typing import Annotated

import jax.numpy as jnp
from jax import Array

from jaxlaws._law import Parameter, Variable, law
from jaxlaws._support import positive, unit
from jaxlaws.quantities import (
    Amplitude,
    CrossEntropy,
    Entropy,
    Exponent,
    Loss,
    Params,
    Tokens,
)

Reference = Annotated[Array, Variable("parameters of the reference model")]
Multiple = Annotated[Array, Parameter("", positive, (0.05, 10.0))]
Sharing = Annotated[Array, Parameter("", positive, (0.1, 3.0))]


def capacity_share(p: Array, c1: Array, c2: Array, c3: Array) -> Array:
    r"""Share of a model that a language pair with sampling weight p has in effect.

    $$f(p) = p + c_1 p^{c_2} (1 - p)^{c_3}$$

    f(1) = 1; c1 >= 0 is what pairs lend each other [fernandes2023].
    """
    return p + c1 * p**c2 * (1 - p) ** c3


def transfer_gain(p: Array, c1: Array, c2: Array, c3: Array) -> Array:
    """Capacity that sharing creates, sum over pairs of f(p) - 1: positive where pairs help."""
    return jnp.sum(capacity_share(p, c1, c2, c3), axis=-1) - 1


@law(source="fernandes2023")
def mnmt_joint(
    N: Params,
    p: Annotated[Array, Variable("share", unit)],
    *,
    beta1: Amplitude,
    alpha: Exponent,
    Linf: Entropy,
    c1: Sharing,
    c2: Sharing,
    c3: Sharing,
) -> Loss:
    r"""Loss of one language pair in a multilingual model that samples it with weight p.

    $$L(N; p) = \beta_1 \left(f(p) N\right)^{-\alpha} + L_\infty, \quad
      f(p) = p + c_1 p^{c_2} (1 - p)^{c_3}$$

    beta1, alpha, Linf are those of a model for this pair alone; f is `capacity_share`. The c of
    the paper have not been recovered [fernandes2023].
    """
    return beta1 * (capacity_share(p, c1, c2, c3) * N) ** -alpha + Linf


@law(source="ghorbani2021")
def nmt_bivariate(
    N_e: Params,
    N_d: Params,
    Nbar_e: Reference,
    Nbar_d: Reference,
    *,
    alpha: Multiple,
    p_e: Exponent,
    p_d: Exponent,
    Linf: Entropy,
) -> Loss:
    r"""Loss of an encoder of N_e and a decoder of N_d parameters.

    $$L(N_e, N_d) = \alpha (\bar N_e / N_e)^{p_e} (\bar N_d / N_d)^{p_d} + L_\infty$$

    Without embeddings and softmax. The sizes Nbar of a reference model are inputs, the same for
    every run: with alpha free they are a choice of unit [ghorbani2021].
    """
    return alpha * (Nbar_e / N_e) ** p_e * (Nbar_d / N_d) ** p_d + Linf


def encoder_opt(B: Array, p_e: Array, p_d: Array) -> Array:
    """Encoder parameters of the best split of B parameters: B p_e / (p_e + p_d) [ghorbani2021]."""
    return B * p_e / (p_e + p_d)


def decoder_opt(B: Array, p_e: Array, p_d: Array) -> Array:
    """Decoder parameters of the best split of B parameters: B p_d / (p_e + p_d) [ghorbani2021]."""
    return B * p_d / (p_e + p_d)


def split_loss(
    B: Array, alpha: Array, p_e: Array, p_d: Array, Nbar_e: Array, Nbar_d: Array, Linf: Array
) -> Array:
    """Loss at the best split of B parameters: a power -(p_e + p_d) of B [ghorbani2021]."""
    encoder, decoder = encoder_opt(B, p_e, p_d), decoder_opt(B, p_e, p_d)
    return alpha * (Nbar_e / encoder) ** p_e * (Nbar_d / decoder) ** p_d + Linf


@law(source="bansal2022")
def nmt_data(
    D: Annotated[Array, Variable("sentence pairs")],
    *,
    alpha: Amplitude,
    C: Annotated[Array, Parameter("", positive, (1e-11, 1e-5))],
    p: Exponent,
) -> Loss:
    r"""Loss of a translation model against the size D of its parallel corpus.

    $$L(D) = \alpha (1 / D + C)^{p}$$

    Levels off where D exceeds 1 / C. The exponent p hardly depends on the architecture
    [bansal2022].
    """
    return alpha * (1 / D + C) ** p


@law(source="ghorbani2021")
def bleu_vs_loss(
    L: CrossEntropy,
    *,
    c_B: Annotated[Array, Parameter("BLEU", positive, (10.0, 300.0))],
    p_B: Annotated[Array, Parameter("", positive, (0.3, 5.0))],
) -> Annotated[Array, Variable("BLEU", name="BLEU")]:
    r"""BLEU of a translation model against its test loss.

    $$\mathrm{BLEU}(L) = c_B L^{-p_B}$$

    Only on test sets written in the target language: with sources written originally in the other
    one BLEU flattens while the loss L falls [ghorbani2021].
    """
    return c_B * L**-p_B


@law(source="isik2024")
def bleu_log_law(
    D_p: Tokens,
    *,
    A: Annotated[Array, Parameter("", positive, (1e-8, 1e3))],
    alpha: Annotated[Array, Parameter("", positive, (0.05, 2.0))],
    beta: Annotated[Array, Parameter("", positive, (0.5, 4.0))],
) -> Annotated[Array, Variable("BLEU, COMET or ROUGE", name="score")]:
    r"""Translation score after finetuning a model that was pretrained on D_p tokens.

    $$f(D_p) = \left(\ln (A D_p^{\alpha})\right)^{\beta}$$

    Defined where A D_p^alpha > 1, elsewhere 0. It holds for pretraining data aligned with the
    task; a fit that fails, or a score that turns, is the sign of misalignment. No table of
    constants is published [isik2024].
    """
    inner = jnp.log(A) + alpha * jnp.log(D_p)
    below = inner <= 0
    return jnp.where(below, 0.0, jnp.where(below, 1.0, inner) ** beta)


def data_value(D_p: Array, factor: Array, A: Array, alpha: Array, beta: Array) -> Array:
    """Score gained by so many times the pretraining tokens: f(factor D_p) - f(D_p)."""
    score = bleu_log_law.fn
    return score(factor * D_p, A=A, alpha=alpha, beta=beta) - score(
        D_p, A=A, alpha=alpha, beta=beta
    )


@law(source="isik2024")
def downstream_ce(D_p: Tokens, *, E: Entropy, A: Amplitude, alpha: Exponent) -> Loss:
    r"""Cross-entropy on a translation task after pretraining on D_p tokens.

    $$L(D_p) = E + A D_p^{-\alpha}$$

    A and alpha are not those of `bleu_log_law`; it falls even where the score does not rise
    [isik2024].
    """
    return E + A * D_p**-alpha


def alignment(
    P_src: Array, P_dest: Array, w_src: Array | float = 0.7, w_dest: Array | float = 0.8
) -> Array:
    r"""How well a pretraining mixture fits a translation task, from its shares of both languages.

    $$\mathrm{align} = P_{src} P_{dest} + w_{src} P_{src} + w_{dest} P_{dest}$$

    The weights are the paper's, as reported in a reader's notes [isik2024].
    """
    return P_src * P_dest + w_src * P_src + w_dest * P_dest


QUANTITIES: dict[str, dict[str, Callable[..., Array]]] = {
    "mnmt_joint": {"f": capacity_share, "transfer_gain": transfer_gain},
    "nmt_bivariate": {"N_e_opt": encoder_opt, "N_d_opt": decoder_opt, "L_opt": split_loss},
    "bleu_log_law": {"data_value": data_value},
    "translation_alignment": {"align": alignment},
}
