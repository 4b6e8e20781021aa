"""Practice of estimation: fits of a family judged on its largest model, and where curves cross."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from jaxlaws._implicit import root

FIRST_TOKENS = 1e10  # tokens of a run's beginning that are left out [choshen2024]
LAST_SHARE = 0.3  # end of the target's run on which a fit is judged [choshen2024]


def relative_error(*, L: ArrayLike, L_hat: ArrayLike, weight: Any = 1.0) -> Array:
    r"""Mean absolute relative error over the evaluated checkpoints (n,) of the target.

    $$\mathrm{ARE} = \frac1n \sum_i |\hat L_i - L_i| / L_i$$

    Other seeds alone move it by up to 4 %, which is about the best that is reached; 20 % still
    separates many choices of a training run (recalled figures) [choshen2024].
    """
    L, L_hat = jnp.asarray(L, float), jnp.asarray(L_hat, float)
    w = jnp.broadcast_to(jnp.asarray(weight, float), L.shape)
    return jnp.sum(w * jnp.abs(L_hat - L) / L) / jnp.sum(w)


def usable(*, D: ArrayLike, first: ArrayLike = FIRST_TOKENS) -> Array:
    """(n,) 1 for checkpoints after the first tokens of a run, which fits leave out, else 0."""
    return jnp.where(jnp.asarray(D) > first, 1.0, 0.0)


def judged(*, D: ArrayLike, share: ArrayLike = LAST_SHARE) -> Array:
    """(n,) 1 for checkpoints in the last share of a run, on which a fit is judged, else 0."""
    tokens = jnp.asarray(D)
    return jnp.where(tokens >= (1 - share) * jnp.max(tokens), 1.0, 0.0)


def crossing(
    *, y1: Callable[[Array], Array], y2: Callable[[Array], Array], bracket: ArrayLike
) -> Array:
    """Scale x where two positive curves meet, between two ends; NaN where their order is kept.

    Differentiable in all that the curves close over, so that draws of two fits give draws of the
    crossover; bisection is on ln x, and the curves must cross once [xiao2024crossover].
    """
    low, high = jnp.log(jnp.asarray(bracket, float))
    return jnp.exp(root(lambda u: jnp.log(y1(jnp.exp(u))) - jnp.log(y2(jnp.exp(u))), low, high))


def power_crossing(
    *,
    a1: ArrayLike,
    b1: ArrayLike,
    a2: ArrayLike,
    b2: ArrayLike,
    E1: Any = 0.0,
    E2: Any = 0.0,
    bracket: Any = None,
) -> Array:
    r"""Scale where E1 + a1 x^-b1 and E2 + a2 x^-b2 meet.

    $$x^* = (a_1 / a_2)^{1 / (b_1 - b_2)}$$

    without floors, when no bracket is given; with floors between the ends of the bracket
    [xiao2024crossover].
    """
    a1, b1, a2, b2 = (jnp.asarray(v, float) for v in (a1, b1, a2, b2))
    if bracket is None:
        return jnp.exp((jnp.log(a1) - jnp.log(a2)) / (b1 - b2))
    return crossing(y1=lambda x: E1 + a1 * x**-b1, y2=lambda x: E2 + a2 * x**-b2, bracket=bracket)


def inside(*, x_star: Array, x: Array) -> Array:
    """Whether a crossover lies among the scales (n,) that were measured, or is extrapolated."""
    return (x_star >= jnp.min(x)) & (x_star <= jnp.max(x))


QUANTITIES: dict[str, dict[str, Callable[..., Any]]] = {
    "hitchhiker_protocol": {
        "ARE": relative_error,
        "usable": usable,
        "judged": judged,
    },
    "crossover": {"x_star": power_crossing, "x_star_of_curves": crossing, "inside": inside},
}
