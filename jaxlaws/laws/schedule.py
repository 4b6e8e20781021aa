"""Loss along training under a learning-rate schedule.

The schedules are part of the law, not of the runs: ``lr_annealing(schedules)`` takes the table of
learning rates (curve, step) once and returns a law of the curve's number and the step. A law of the
whole schedule per run is written with a `jaxlaws.quantities.Schedule` input instead.
"""

from functools import partial
from typing import Annotated

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from jaxlaws._law import Constants, Law, Parameter, law
from jaxlaws._support import positive
from jaxlaws.quantities import Curve, Entropy, Exponent, Loss, Steps

Weight = Annotated[Array, Parameter("", positive, (0.05, 5.0))]


def areas(schedule: ArrayLike, decay: float = 0.999) -> tuple[np.ndarray, np.ndarray]:
    r"""Forward and annealing area of a schedule, after every step.

    $$S_1(s) = \sum_{i \le s} \eta_i, \quad m_i = \lambda m_{i-1} + (\eta_{i-1} - \eta_i), \quad
      S_2(s) = \sum_{i \le s} m_i$$

    Sums run from i = 1: eta_0 is the rate before the first step and enters only the differences
    [tissue2024, eq. 1].

    Args:
        schedule: (..., T) learning rate of steps 0 .. T-1.
        decay: The momentum lambda of the annealing.

    Returns:
        S1 and S2, each (..., T), zero at step 0.

    >>> S1, S2 = areas([1.0, 1.0, 0.5, 0.5, 0.25], decay=0.9)
    >>> float(S1[-1]), round(float(S2[-1]), 3)
    (2.25, 1.605)
    """
    eta = np.asarray(schedule, float)
    forward = np.cumsum(eta, axis=-1) - eta[..., :1]
    drops = -np.diff(eta, axis=-1, prepend=eta[..., :1])
    momentum = np.empty_like(drops)
    momentum[..., 0] = 0.0
    for i in range(1, drops.shape[-1]):
        momentum[..., i] = decay * momentum[..., i - 1] + drops[..., i]
    return forward, np.cumsum(momentum, axis=-1)


def lr_annealing(schedules: ArrayLike, decay: float = 0.999) -> Law:
    """The annealing law over a table of schedules.

    Args:
        schedules: (curves, T) learning rates; warm-up steps are entered at the peak rate.
        decay: The momentum lambda of the annealing, not fitted.
    """
    forward, annealed = areas(_table(schedules), decay)

    def fn(
        curve: Curve, step: Steps, *, L0: Entropy, A: Weight, alpha: Exponent, C: Weight
    ) -> Loss:
        r"""Loss at a step of a run, from the areas under its learning-rate schedule.

        $$L(s) = L_0 + A S_1(s)^{-\alpha} - C S_2(s)$$

        S1 is the area so far, S2 the annealing area of `areas`: lowering the rate late in training
        buys loss that a constant rate would not [tissue2024, eq. 1].
        """
        at = (curve.astype(int), step.astype(int))
        S1, S2 = (jnp.asarray(table, step.dtype)[at] for table in (forward, annealed))
        return L0 + A * S1**-alpha - C * S2

    return law(
        fn,
        source="tissue2024",
        name="lr_annealing",
        constants={
            f"refit_{size}": Constants(values, "reported", "Refitted on the curves of luo2025.")
            for size, values in {
                "25M": dict(L0=3.2467, A=0.5427, alpha=0.8256, C=0.3917),
                "100M": dict(L0=2.9122, A=0.5886, alpha=0.7717, C=0.4678),
                "400M": dict(L0=2.6701, A=0.6301, alpha=0.7276, C=0.5560),
            }.items()
        },
    )


def multi_power_law(schedules: ArrayLike) -> Law:
    """The multi-power law over a table of schedules.

    Args:
        schedules: (curves, T) learning rates, warm-up included.
    """
    eta = _table(schedules)
    area = np.cumsum(eta, axis=1)
    # A step whose rate did not change adds nothing to the sum, so only the changes are kept.
    gaps = np.diff(eta, axis=1)
    longest = max(int((gaps != 0).sum(axis=1).max()), 1)
    where = np.zeros((len(eta), longest), int)
    drop, rate, before = (np.zeros((len(eta), longest)) for _ in range(3))
    rate += 1.0
    for i, gap in enumerate(gaps):
        (changed,) = np.nonzero(gap)
        m = len(changed)
        where[i, :m] = changed + 1
        drop[i, :m] = gap[changed]
        rate[i, :m] = eta[i, changed + 1]
        before[i, :m] = area[i, changed]
    rate = np.where(rate > 0, rate, 1.0)

    def fn(
        curve: Curve,
        step: Steps,
        *,
        L0: Entropy,
        A: Weight,
        alpha: Exponent,
        B: Annotated[Array, Parameter("", positive, (50.0, 3000.0))],
        C: Annotated[Array, Parameter("", positive, (0.1, 10.0))],
        beta: Annotated[Array, Parameter("", positive, (0.1, 2.0))],
        gamma: Annotated[Array, Parameter("", positive, (0.2, 1.5))],
    ) -> Loss:
        r"""Loss at a step of a run: powers of the area so far and since every change of rate.

        $$L(t) = L_0 + A S_1(t)^{-\alpha} + B \sum_{k \le t} (\eta_k - \eta_{k-1})
          \left[1 - \left(1 + C \eta_k^{-\gamma} S_k(t)\right)^{-\beta}\right]$$

        S_k(t) is the area from step k to t; warm-up counts in both sums [luo2025, eq. 8].
        """
        i, t = curve.astype(int), step.astype(int)
        # Tables take the precision of the fit, not the one that was set when the law was made.
        cast = partial(jnp.asarray, dtype=step.dtype)
        S1, drops = cast(area)[i, t], cast(drop)[i]
        since = S1 - cast(before)[i]
        counted = (jnp.asarray(where)[i] <= t) & (drops != 0)
        # The unused branch is kept finite, so that its derivative is no NaN.
        growth = jnp.log1p(C * cast(rate)[i] ** -gamma * jnp.where(counted, since, 0.0))
        return (
            L0
            + A * S1**-alpha
            - B * jnp.sum(jnp.where(counted, drops, 0.0) * jnp.expm1(-beta * growth))
        )

    return law(
        fn,
        source="luo2025",
        name="multi_power_law",
        constants={
            f"luo2025_{size}": Constants(
                dict(zip(("L0", "A", "alpha", "B", "C", "beta", "gamma"), row, strict=True)),
                "verified",
                "Far from the minimum of the stated objective, yet better on held-out schedules.",
            )
            for size, row in {
                "25M": (
                    3.04045406,
                    0.52468604,
                    0.50786857,
                    363.78751622,
                    2.06560812,
                    0.58279013,
                    0.64142257,
                ),
                "400M": (
                    2.37474466,
                    0.65421216,
                    0.42878731,
                    523.42464371,
                    2.02462735,
                    0.59350493,
                    0.63472457,
                ),
            }.items()
        },
    )


def _table(schedules: ArrayLike) -> np.ndarray:
    table = np.asarray(schedules, float)
    if table.ndim != 2:
        raise ValueError(
            "schedules is a table of learning rates with one row per curve and one column per "
            f"step, shape (curves, T); got shape {table.shape}."
        )
    return table
