"""Contrastive models of image and text: zero-shot error on the compute frontier."""

from collections.abc import Callable
from typing import Annotated, Any

import numpy as np
from jax import Array
from jax.typing import ArrayLike

from jaxlaws._law import Constants, Parameter, Variable, law
from jaxlaws._support import negative, positive
from jaxlaws.quantities import ErrorRate

BINS = 5  # of equal width in log10 compute
REACH = 0.1  # decades by which the last bin reaches beyond the largest run; without it alpha moves

GMAC = Annotated[Array, Variable("GMAC", typical=(1e7, 1e16))]


def _line(alpha: float, beta: float) -> Constants:
    return Constants(
        dict(alpha=alpha, beta=beta),
        "verified",
        "Recomputed from the released table; retrieval: 1 - image recall at 5.",
    )


@law(
    source="cherti2022",
    constants={
        "cherti2022_imagenet_openclip": _line(-0.1114, 5.858),
        "cherti2022_imagenet_clip": _line(-0.1638, 23.18),
        "cherti2022_robustness_openclip": _line(-0.1255, 11.61),
        "cherti2022_robustness_clip": _line(-0.2378, 211.7),
        "cherti2022_coco_openclip": _line(-0.0794, 2.750),
        "cherti2022_coco_clip": _line(-0.0508, 1.589),
        "cherti2022_flickr_openclip": _line(-0.1892, 15.51),
        "cherti2022_flickr_clip": _line(-0.1028, 2.208),
        "cherti2022_vtab_openclip": _line(-0.0436, 1.562),
    },
)
def cherti_clip(
    C_gmac: GMAC,
    *,
    alpha: Annotated[Array, Parameter("", negative, (-0.3, -0.03))],
    beta: Annotated[Array, Parameter("", positive, (1.0, 300.0))],
) -> ErrorRate:
    r"""Zero-shot error on the frontier of contrastive training compute.

    $$E = \beta C^{\alpha}$$

    C counts GMAC of a forward pass times samples seen, not FLOP; E is 1 minus the accuracy or the
    recall [cherti2022].
    """
    return beta * C_gmac**alpha


def accuracy(C_gmac: Array, alpha: Array, beta: Array) -> Array:
    """Zero-shot accuracy: 1 - beta C^alpha [cherti2022]."""
    return 1 - beta * C_gmac**alpha


def frontier(C: ArrayLike, error: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Least error in each of five bins of log10 compute: (bin,) centres in compute, errors.

    Bins cover the range up to `REACH` decades beyond the largest run; a bin without runs is left
    out [cherti2022].
    """
    x, y = np.log10(np.asarray(C, float)), np.asarray(error, float)
    edges = np.linspace(x.min(), x.max() + REACH, BINS + 1)
    which = np.clip(np.digitize(x, edges) - 1, 0, BINS - 1)
    full = np.unique(which)
    least = np.array([y[which == i].min() for i in full])
    return 10 ** ((edges[:-1] + edges[1:]) / 2)[full], least


def power_line(C: ArrayLike, error: ArrayLike) -> tuple[float, float]:
    """(alpha, beta) of the least squares line in logs."""
    x, y = np.log(np.asarray(C, float)), np.log(np.asarray(error, float))
    alpha, log_beta = np.polyfit(x, y, 1)
    return float(alpha), float(np.exp(log_beta))


QUANTITIES: dict[str, dict[str, Callable[..., Any]]] = {
    "cherti_clip": {
        "accuracy": accuracy,
        "frontier": frontier,
    },
}
