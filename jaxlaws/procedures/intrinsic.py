"""Intrinsic performance: returns become compute, and a law of it is fitted [hilton2023]."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxlaws._errors import InputError
from jaxlaws._law import Parameter, law
from jaxlaws._support import positive
from jaxlaws.laws.games import Interactions, Power, hilton_intrinsic, tied_exponent
from jaxlaws.quantities import Params, Positive

KNOTS = 12  # of the map from performance to return


@law(source="hilton2023")
def anchored_intrinsic(
    N: Params,
    E: Interactions,
    *,
    ratio: Annotated[Array, Parameter("interactions per parameter", positive, (1e-3, 1e3))],
    a_N: Power,
    a_E: Power,
) -> Positive:
    r"""Intrinsic performance whose unit is compute N E: `hilton_intrinsic` with two numbers less.

    $$I^{-\beta} = (N_c / N)^{\alpha_N} + (E_c / E)^{\alpha_E}, \quad
      \frac1\beta = \frac1{\alpha_N} + \frac1{\alpha_E}, \quad
      N_c E_c = \left(\frac\beta{\alpha_N}\right)^{1/\alpha_N}
        \left(\frac\beta{\alpha_E}\right)^{1/\alpha_E}$$

    The least N E that reaches I is I itself, which fixes beta and the product of the
    coefficients; ratio is E_c / N_c [hilton2023; derived].
    """
    return hilton_intrinsic.fn(N, E, **anchored(ratio, a_N, a_E))


def anchored(ratio: Array, a_N: Array, a_E: Array) -> dict[str, Array]:
    """Constants of `hilton_intrinsic` from those of `anchored_intrinsic`."""
    beta = tied_exponent(a_N, a_E)
    log_product = jnp.log(beta / a_N) / a_N + jnp.log(beta / a_E) / a_E
    N_c = jnp.exp((log_product - jnp.log(ratio)) / 2)
    return dict(N_c=N_c, E_c=N_c * ratio, a_N=a_N, a_E=a_E, beta=beta)


@dataclass(frozen=True)
class Intrinsic:
    """A law of intrinsic performance, and the map from returns to it.

    Attributes:
        constants: Of `hilton_intrinsic`, in units of N E.
        log_performance: (k,) rising logarithms of the intrinsic performance.
        returns: (k,) the mean return at each; it never falls.
        error: Root mean square of the returns around the map.
        agreeing: Share of the starts that ended at the same error.
    """

    constants: dict[str, float]
    log_performance: np.ndarray
    returns: np.ndarray
    error: float
    agreeing: float

    def of_return(self, value: Any) -> np.ndarray:
        """Intrinsic performance of returns (...); NaN outside those that were seen."""
        return np.exp(np.interp(value, self.returns, self.log_performance, np.nan, np.nan))


def intrinsic_fit(N: Any, E: Any, score: Any) -> Intrinsic:
    r"""Fit the law of intrinsic performance together with the map from it to returns.

    $$\min_\theta \min_m \sum_i \left(R_i - m(\ln I_\theta(N_i, E_i))\right)^2$$

    For a given law the map m, a smooth curve, is a linear least squares problem, and is solved
    inside; three constants are left for the search, which is what taking turns between law and map
    ends at. Errors are those of the returns: errors of ln I would shrink with I itself, and pull
    the exponents to zero. That the least N E of a performance is the performance gives I its unit.

    Args:
        N: (n,) parameters of each point along the runs.
        E: (n,) interactions with the environment so far.
        score: (n,) mean return there, higher is better.

    Raises:
        InputError: There are fewer than two sizes, or points than the map has knots.

    >>> sizes, steps = np.geomspace(1e4, 1e7, 6), np.geomspace(1e5, 1e9, 20)
    >>> N, E = (v.ravel() for v in np.meshgrid(sizes, steps))
    >>> performance = hilton_intrinsic(N, E, **anchored(30.0, 0.5, 0.8))
    >>> found = intrinsic_fit(N, E, -((1e9 / performance) ** 0.2))
    >>> round(found.constants["a_N"], 1), round(found.constants["a_E"], 1)
    (0.5, 0.8)
    """
    from scipy.optimize import isotonic_regression, least_squares  # slow to import

    N, E, score = (np.asarray(v, float) for v in (N, E, score))
    if len(np.unique(N)) < 2 or len(score) <= 2 * KNOTS:
        raise InputError(
            f"intrinsic_fit needs two sizes and more than {2 * KNOTS} points; got "
            f"{len(np.unique(N))} and {len(score)}."
        )
    with jax.enable_x64(True):

        @jax.jit
        def left(z: Array) -> tuple[Array, Array, Array]:
            ratio, a_N, a_E = jnp.exp(z)
            u = jnp.log(anchored_intrinsic(N, E, ratio=ratio, a_N=a_N, a_E=a_E))
            x = (u - jnp.min(u)) / (jnp.max(u) - jnp.min(u))
            hats = _smooth(x)
            curve = hats @ jnp.linalg.lstsq(hats, jnp.asarray(score))[0]
            return score - curve, curve, u

        def residual(z: Any) -> Array:
            return left(z)[0]

        slopes = jax.jit(jax.jacfwd(residual))
        middle = np.log(E).mean() - np.log(N).mean()
        ends = [
            least_squares(residual, [middle + shift, *np.log(a)], slopes)
            for shift, *a in product((-3.0, 0.0, 3.0), (0.3, 0.8), (0.3, 0.8))
        ]
        best = min(ends, key=lambda end: end.cost)
        _, curve, u = (np.asarray(v) for v in left(best.x))
        constants = {k: float(v) for k, v in anchored(*np.exp(best.x)).items()}
    order = np.argsort(u)
    return Intrinsic(
        constants,
        u[order],
        isotonic_regression(curve[order]).x,
        float(np.sqrt(2 * best.cost / len(score))),
        float(np.mean([end.cost <= best.cost * (1 + 1e-4) + 1e-20 for end in ends])),
    )


def _smooth(x: Array) -> Array:
    """(n, knots) cubic bumps at even places, for a curve over x (n,) in [0, 1]."""
    places = jnp.linspace(-1 / (KNOTS - 3), 1 + 1 / (KNOTS - 3), KNOTS)
    r = jnp.abs(x[:, None] - places[None, :]) * (KNOTS - 3)
    near = (4 - 6 * r**2 + 3 * r**3) / 6
    return jnp.where(r < 1, near, jnp.where(r < 2, (2 - r) ** 3 / 6, 0.0))


QUANTITIES: dict[str, dict[str, Callable[..., Any]]] = {
    "hilton_intrinsic": {"fitted": intrinsic_fit, "anchored": anchored}
}
