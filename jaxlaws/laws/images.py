"""Images: the size of a patch, and training on synthetic pictures."""

from collections.abc import Callable
from typing import Annotated

import jax.numpy as jnp
from jax import Array

from jaxlaws._law import Parameter, Variable, law
from jaxlaws._support import negative, positive, real
from jaxlaws.quantities import Examples, Exponent, Positive

# ImageNet-1k top-1 accuracy in percent at patch sizes 16, 8, 4, 2, 1; (model, image side) -> row;
# None where not trained [wang2025patch].
PATCH_ACCURACY: dict[tuple[str, int], tuple[float | None, ...]] = {
    ("DeiT-B", 64): (68.2, 76.9, 80.1, 80.8, 81.3),
    ("DeiT-B", 128): (78.1, 81.0, 82.3, 82.9, None),
    ("Adventurer-B", 64): (69.2, 77.2, 80.0, 80.5, 80.9),
    ("Adventurer-B", 128): (79.0, 81.5, 81.8, 82.2, 82.4),
    ("Adventurer-B", 224): (None, None, None, None, 84.6),
}

# -k of `synthetic_image_scaling`, read off a figure to +-0.005: (training, test) -> images -> -k.
# Outside the window of the fit, 0.125M to 4M images, the lines bend [fan2023].
SYNTHETIC_SLOPES: dict[tuple[str, str], dict[str, float]] = {
    ("supervised", "ImageNet"): {
        "real": 0.528, "SD, templates": 0.195, "SD, captions": 0.246, "MUSE": 0.237, "Imagen": 0.265
    },
    ("supervised", "ImageNet-Sketch"): {
        "real": 0.239, "SD, templates": 0.253, "SD, captions": 0.162, "MUSE": 0.252, "Imagen": 0.152
    },
    ("supervised", "ImageNet-R"): {
        "real": 0.208, "SD, templates": 0.308, "SD, captions": 0.180, "MUSE": 0.227, "Imagen": 0.189
    },
    ("CLIP", "ImageNet"): {"real": 0.388, "SD, captions": 0.356},
    ("CLIP", "15 tasks"): {"real": 0.314, "SD, captions": 0.288},
}  # fmt: skip

WITHOUT_LAW: tuple[tuple[str, str], ...] = (
    (
        "Scaling Laws in Patchification, 2502.03738",
        "Accuracy rises with every halving of the patch, down to one pixel; no closed form is "
        "known to be published. `patch_tokens` is a proposal to be fitted to the table.",
    ),
)


def tokens(H: Array, p: Array) -> Array:
    """Tokens of a square image of side H in patches of side p: (H / p)^2 [wang2025patch].

    >>> tokens(224, 1)
    50176.0
    """
    return (H / p) ** 2


@law(source="wang2025patch")
def patch_tokens(
    H: Annotated[Array, Variable("pixels")],
    p: Annotated[Array, Variable("pixels")],
    *,
    E: Annotated[Array, Parameter("error rate", positive, (0.05, 0.5))],
    a: Annotated[Array, Parameter("", positive, (0.05, 20.0))],
    b: Exponent,
) -> Annotated[Array, Variable("error rate", name="error")]:
    r"""Error of an image model against the number of patches its images are cut into.

    $$\mathrm{error}(H, p) = E + a\,n^{-b}, \quad n = (H / p)^2$$

    H is the image's side, p the patch's. The paper states the trend and no form: this one is
    proposed here, for one model and one H at a time [wang2025patch].
    """
    return E + a * tokens(H, p) ** -b


@law(source="fan2023")
def synthetic_image_scaling(
    D: Examples,
    *,
    k: Annotated[Array, Parameter("", negative, (-0.7, -0.1))],
    b: Annotated[Array, Parameter("", real, (0.0, 8.0))],
) -> Positive:
    r"""Test loss of an image model against the number of training images, real or synthetic.

    $$\mathrm{loss}(D) = e^{b} D^{k}$$

    -k is the paper's scaling ability of a generator, its prompts and guidance, on one test set;
    `SYNTHETIC_SLOPES` has the published ones, the intercepts b are not known [fan2023].
    """
    return jnp.exp(b + k * jnp.log(D))


def loss_ratio(D_factor: Array, k: Array) -> Array:
    """Loss with so many times the images over the loss before: D_factor^k."""
    return D_factor**k


def crossover(k_1: Array, b_1: Array, k_2: Array, b_2: Array) -> Array:
    """Images at which two lines of `synthetic_image_scaling` give the same loss."""
    return jnp.exp((b_1 - b_2) / (k_2 - k_1))


QUANTITIES: dict[str, dict[str, Callable[..., Array]]] = {
    "patch_tokens": {"n_tokens": tokens},
    "synthetic_image_scaling": {"loss_ratio": loss_ratio, "D_crossover": crossover},
}
