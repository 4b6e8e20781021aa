"""Autoregressive models of text, images, video and mathematics."""

from collections.abc import Callable
from typing import Annotated

from jax import Array

from jaxlaws._law import Constants, Parameter, Variable, law
from jaxlaws._support import positive, real
from jaxlaws.quantities import Loss, Scale

SOURCE = "henighan2020"
IMAGE_WEIGHT = 9  # of the image tokens' loss in text-and-image models [henighan2020]

# Domain -> Linf, N0, alpha of L(N), N in parameters; table 1.
IN_PARAMETERS = {
    "language": (0.0, 1.47e14, 0.070),
    "image_8x8": (3.12, 8.0e1, 0.24),
    "image_16x16": (2.64, 2.8e2, 0.22),
    "image_32x32": (2.20, 6.3e1, 0.13),
    "image_vq_16x16": (3.99, 2.7e4, 0.13),
    "image_vq_32x32": (3.07, 1.9e4, 0.14),
    "text_to_image_text": (0.0, 5.6e8, 0.037),
    "text_to_image_image": (2.0, 5.1e3, 0.16),
    "image_to_text_text": (0.0, 7.0e8, 0.039),
    "image_to_text_image": (2.0, 5.5e3, 0.15),
    "video_vq_16": (1.01, 3.7e4, 0.24),
    "math": (0.28, 1.1e4, 0.16),
}
# Domain -> Linf, C0, alpha of L(C), C in PF-days; text and image together in the two mixed ones.
IN_COMPUTE = {
    "language": (0.0, 3.47e8, 0.048),
    "image_8x8": (3.13, 1.8e-8, 0.19),
    "image_16x16": (2.64, 1.6e-8, 0.16),
    "image_32x32": (2.21, 3.6e-9, 0.10),
    "image_vq_16x16": (4.09, 6.1e-7, 0.11),
    "image_vq_32x32": (3.17, 2.6e-6, 0.12),
    "text_to_image_image": (1.93, 1.5e-6, 0.15),
    "image_to_text_image": (1.97, 1.5e-6, 0.16),
    "video_vq_16": (0.95, 2.2e-5, 0.14),
    "math": (0.14, 1.4e-5, 0.17),
}
# Domain -> c0, b of N_opt(C), C in PF-days.
OPTIMA = {
    "language": (3.3e-13, 0.73),
    "image_8x8": (5.3e-14, 0.64),
    "image_16x16": (4.8e-12, 0.75),
    "image_32x32": (1.6e-13, 0.65),
    "image_vq_16x16": (6.2e-14, 0.64),
    "image_vq_32x32": (9.4e-13, 0.70),
    "text_to_image_image": (9.4e-13, 0.70),
    "image_to_text_image": (3.3e-12, 0.72),
    "video_vq_16": (1.13e-12, 0.71),
    "math": (2.3e-12, 0.69),
}
NO_FLOOR = "Linf is 0: no floor was seen."
COMBINED = "Text and image tokens together: the paper fits no L(C) to the text alone."
SAME = "text_to_image_image and image_vq_32x32 share this entry: possibly copied in print."


def _published(table: dict[str, tuple[float, float, float]], axis: str) -> dict[str, Constants]:
    return {
        f"{SOURCE}_{domain}_{axis}": Constants(
            dict(Linf=Linf, x0=x0, alpha=alpha),
            "verified",
            NO_FLOOR if Linf == 0 else COMBINED if axis == "C" and "_to_" in domain else "",
        )
        for domain, (Linf, x0, alpha) in table.items()
    }


@law(
    source=SOURCE,
    constants=_published(IN_PARAMETERS, "N") | _published(IN_COMPUTE, "C"),
)
def autoreg_domain(
    x: Scale,
    *,
    Linf: Annotated[Array, Parameter("nats/token", real, (-0.2, 4.2))],
    x0: Annotated[Array, Parameter("", positive, (1e-8, 1e14))],
    alpha: Annotated[Array, Parameter("", positive, (0.03, 0.3))],
) -> Loss:
    r"""Loss of an autoregressive model of one domain, a power of the scale x above a floor.

    $$L(x) = L_\infty + (x_0 / x)^{\alpha}$$

    x is the number of non-embedding parameters, of tokens, or the compute in PF-days of 8.64e19
    FLOP; Linf estimates the entropy of the data, so that the rest is a Kullback-Leibler
    divergence. Linf is on the real line because 0 is among its values [henighan2020, eq. 1.1,
    table 1].
    """
    return Linf + (x0 / x) ** alpha


@law(
    source=SOURCE,
    constants={
        f"{SOURCE}_{domain}": Constants(
            dict(c0=c0, b=b), "verified", SAME if (c0, b) == OPTIMA["image_vq_32x32"] else ""
        )
        for domain, (c0, b) in OPTIMA.items()
    },
)
def autoreg_n_opt(
    C_PF_days: Annotated[Array, Variable("PF-days")],
    *,
    c0: Annotated[Array, Parameter("PF-days", positive, (3e-14, 1e-11))],
    b: Annotated[Array, Parameter("", positive, (0.4, 0.9))],
) -> Annotated[Array, Variable("parameters", name="N_opt")]:
    r"""Compute-optimal number of parameters of an autoregressive model of one domain.

    $$N_{opt}(C) = (C / c_0)^{b}$$

    b is near 0.7 in every domain, so that tokens grow like N^0.4; C in PF-days of 8.64e19 FLOP
    [henighan2020, eq. 1.4, table 1].
    """
    return (C_PF_days / c0) ** b


def loss_of_params(N: Array, Linf: Array, N0: Array, alpha: Array) -> Array:
    """`autoreg_domain` with x the number of parameters."""
    return Linf + (N0 / N) ** alpha


def loss_of_compute(C_PF_days: Array, Linf: Array, C0: Array, alpha: Array) -> Array:
    """`autoreg_domain` with x the compute in PF-days."""
    return Linf + (C0 / C_PF_days) ** alpha


def reducible(N: Array, tokens: Array, N0: Array, alpha: Array) -> Array:
    """Nats per image above the entropy: tokens (N0 / N)^alpha; 3 R^2 tokens of a raw R x R."""
    return tokens * (N0 / N) ** alpha


def params_for_reducible(nats: Array, tokens: Array, N0: Array, alpha: Array) -> Array:
    """Parameters that bring the reducible loss of an image down to so many nats."""
    return N0 * (tokens / nats) ** (1 / alpha)


def multimodal_loss(
    L_image: Array, L_text: Array, image_weight: Array | float = IMAGE_WEIGHT
) -> Array:
    """Loss of a text-and-image model: image_weight times the image's, plus the text's."""
    return image_weight * L_image + L_text


def infogain(mutual_information_nats: Array, text_loss_nats: Array) -> Array:
    """Share of a caption's information that its image gives: I(text, image) / L(text), below 1.

    [henighan2020]
    """
    return mutual_information_nats / text_loss_nats


QUANTITIES: dict[str, dict[str, Callable[..., Array]]] = {
    "autoreg_domain": {
        "L_of_N": loss_of_params,
        "L_of_C": loss_of_compute,
        "N_opt": autoreg_n_opt.fn,
        "reducible_nats_per_image": reducible,
        "N_for_reducible": params_for_reducible,
        "multimodal_loss": multimodal_loss,
    },
    "infogain": {"infogain": infogain},
}
