"""From a few mixtures at two pilot sizes to every mixture at every size [kang2023]."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxlaws._errors import InputError
from jaxlaws._fit import Fit, fit
from jaxlaws._objective import Squared
from jaxlaws._runs import Runs
from jaxlaws._simplex import downhill
from jaxlaws.laws.sources import ot_stage1, projected_score

ROUNDS = 40  # of the way uphill, each with its own transport: three digits of the shares


@dataclass(frozen=True)
class Projection:
    """Scores of mixtures, projected in size.

    Attributes:
        sizes: (N0, N1) the pilot sizes in samples.
        fits: `ot_stage1` at each of them.
        distance: Transport distance of shares (k,) at a size from the validation set.
        domains: k, how many sources there are.
    """

    sizes: tuple[float, float]
    fits: tuple[Fit, Fit]
    distance: Callable[[Array, float], Array]
    domains: int

    def score(self, p: Array, N: Any) -> Array:
        """Score of a mixture with shares p (k,) at N samples; differentiable in both."""
        at = [
            f.params["a0"] - f.params["a1"] * self.distance(p, size)
            for f, size in zip(self.fits, self.sizes, strict=True)
        ]
        return projected_score(N=N, N0=self.sizes[0], N1=self.sizes[1], V_N0=at[0], V_N1=at[1])

    def best(self, N: float) -> np.ndarray:
        """Shares (k,) of the highest score at N samples, from equal shares uphill."""
        with jax.enable_x64(True):
            equal = jnp.ones(self.domains) / self.domains
            return np.asarray(
                jax.jit(lambda p: downhill(lambda q: -self.score(q, N), p, ROUNDS))(equal)
            )


def projektor(p: Any, N: Any, V: Any, *, distance: Callable[[Array, float], Array]) -> Projection:
    """Fit a mixture's score to its transport distance at two sizes, and project both in size.

    Args:
        p: (n, k) shares of the sources in each pilot run.
        N: (n,) samples of each, of two different sizes; a dozen runs of each are usual.
        V: (n,) scores on the validation set.
        distance: Shares (k,) and a size to the distance from the validation set, for instance from
            `laws.transport.distance`; differentiable in the shares.

    Raises:
        InputError: The runs are not of two sizes.

    >>> shares = [[0.0, 1.0], [0.5, 0.5], [1.0, 0.0]] * 2
    >>> sizes, scores = [1e3] * 3 + [4e3] * 3, [0.5, 0.6, 0.7, 0.6, 0.7, 0.8]
    >>> found = projektor(shares, sizes, scores, distance=lambda p, size: 1 + p[1])
    >>> round(float(found.score(jnp.array([1.0, 0.0]), 16e3)), 2)
    0.9
    """
    p, N, V = (np.asarray(v, float) for v in (p, N, V))
    sizes = np.unique(N)
    if len(sizes) != 2:
        raise InputError(
            f"projektor takes pilot runs of two sizes, got {len(sizes)}: {sizes.tolist()}."
        )
    fits = []
    with jax.enable_x64(True):
        for size in sizes:
            here = size == N
            far = jax.lax.map(lambda q, size=float(size): distance(q, size), jnp.asarray(p[here]))
            runs = Runs.from_arrays(V[here], OT=np.asarray(far), name=f"{size:g} samples")
            fits.append(fit(ot_stage1, runs, objective=Squared(), space="natural"))
    return Projection((float(sizes[0]), float(sizes[1])), (fits[0], fits[1]), distance, p.shape[1])


QUANTITIES: dict[str, dict[str, Callable[..., Any]]] = {
    "log_interp_stage2": {"projection": projektor}
}
