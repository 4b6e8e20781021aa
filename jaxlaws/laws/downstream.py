"""From loss to a task's score."""

from typing import Annotated

import jax
import jax.numpy as jnp
from jax import Array

from jaxlaws._law import Constants, Parameter, law
from jaxlaws._support import interval, positive, unit
from jaxlaws.laws.pretraining import chinchilla
from jaxlaws.quantities import Accuracy, CrossEntropy, ErrorRate, Rate


@law(
    source="gadre2024",
    constants={
        "gadre2024_c4": Constants(dict(eps=0.850, k=2.079, gamma=0.7561), "verified"),
        "gadre2024_redpajama": Constants(dict(eps=0.857, k=2.206, gamma=0.7146), "verified"),
        "gadre2024_refinedweb": Constants(dict(eps=0.865, k=2.215, gamma=0.7070), "verified"),
        "gadre2024_c4_46": Constants(dict(eps=0.759, k=1.289, gamma=0.972), "verified"),
        "gadre2024_redpajama_46": Constants(dict(eps=0.761, k=1.323, gamma=0.891), "verified"),
        "gadre2024_refinedweb_46": Constants(dict(eps=0.768, k=1.128, gamma=0.822), "verified"),
    },
)
def ppl_to_error(
    L: CrossEntropy,
    *,
    eps: Annotated[Array, Parameter("", positive, (0.3, 1.5))],
    k: Annotated[Array, Parameter("", positive, (0.3, 10.0))],
    gamma: Annotated[Array, Parameter("", positive, (0.2, 3.0))],
) -> ErrorRate:
    r"""Average top-1 error of a set of tasks against the validation loss.

    $$\mathrm{Err}(L) = \varepsilon - k e^{-\gamma L}$$

    eps is the error of an uninformed model [gadre2024, eq. 5].
    """
    return eps - k * jnp.exp(-gamma * L)


@law(source="bhagia2024")
def loss_to_accuracy(
    L: CrossEntropy,
    *,
    p: Annotated[Array, Parameter("", interval(-1.0, 0.0), (-0.95, -0.2))],
    k: Rate,
    x0: Annotated[Array, Parameter("", positive, (0.2, 3.0))],
    q: Annotated[Array, Parameter("", unit, (0.3, 0.98))],
) -> Accuracy:
    r"""Accuracy of a task against its own loss (bits per byte of the right answer).

    $$\mathrm{acc}(L) = \frac{p}{1 + e^{-k (L - x_0)}} + q$$

    p < 0: accuracy falls from q at small loss to q + p, chance, at large loss [bhagia2024, eq. 3].
    """
    return p * jax.nn.sigmoid(k * (L - x0)) + q


olmo_ladder = chinchilla.then(loss_to_accuracy, name="olmo_ladder", source="bhagia2024")
