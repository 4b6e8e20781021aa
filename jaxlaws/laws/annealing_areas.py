"""Areas under a learning-rate schedule, and the loss they predict for one schedule at a time.

`jaxlaws.laws.schedule.lr_annealing` is the law over a table of runs; here are its differentiable
pieces: the areas of a schedule as functions of its rates, so that a schedule can be improved by
gradient, and the schedules that papers name in words.
"""

from collections.abc import Callable
from typing import Annotated

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from jaxlaws._implicit import argmin
from jaxlaws._law import Parameter, Variable, law
from jaxlaws._support import positive, real
from jaxlaws.quantities import Amplitude, Entropy, Exponent, Loss, Params

DECAY = 0.999  # lambda, the annealing's momentum; not fitted [tissue2024]

# Rate above the end's, as a share of the peak's, against the share of the run after the warm-up.
SHAPES: dict[str, Callable[[Array], Array]] = {
    "constant": jnp.ones_like,
    "cosine": lambda progress: 0.5 * (1 + jnp.cos(jnp.pi * progress)),
    "linear": lambda progress: 1 - progress,
}


def forward_area(eta_0_to_s: ArrayLike) -> Array:
    r"""Forward area: the sum of the learning rates of steps 1 to s.

    $$S_1 = \sum_{i=1}^{s} \eta_i$$

    eta_0 is the rate before the first step and does not count [tissue2024, eq. 1].

    Args:
        eta_0_to_s: (s + 1,) learning rates; warm-up steps are entered at the peak rate.

    >>> float(forward_area([1.0, 1.0, 0.5, 0.5, 0.25]))
    2.25
    """
    return jnp.sum(jnp.asarray(eta_0_to_s)[1:])


def annealing_area(eta_0_to_s: ArrayLike, lam: Array | float = DECAY) -> Array:
    r"""Annealing area at the last step, in closed form.

    $$S_2 = \sum_{k=1}^{s} (\eta_{k-1} - \eta_k) \frac{1 - \lambda^{s-k+1}}{1 - \lambda}$$

    Zero for a constant rate, negative for a rate that rises again [tissue2024, eq. 1].

    Args:
        eta_0_to_s: (s + 1,) learning rates.
        lam: () momentum lambda, below 1.
    """
    eta = jnp.asarray(eta_0_to_s)
    left = jnp.arange(eta.shape[0] - 1, 0, -1, dtype=eta.dtype)
    return jnp.sum((eta[:-1] - eta[1:]) * -jnp.expm1(left * jnp.log(lam)) / (1 - lam))


def annealing_areas(eta_0_to_s: ArrayLike, lam: Array | float = DECAY) -> Array:
    r"""Annealing area after every step 0 .. s, (s + 1,), by the recursion of the momentum.

    $$m_i = \lambda m_{i-1} + (\eta_{i-1} - \eta_i), \quad S_2(s) = \sum_{i \le s} m_i$$

    The last entry is `annealing_area` [tissue2024, eq. 1].
    """
    eta = jnp.asarray(eta_0_to_s)
    drops = eta[:-1] - eta[1:]

    def join(before: tuple[Array, Array], after: tuple[Array, Array]) -> tuple[Array, Array]:
        return before[0] * after[0], before[1] * after[0] + after[1]

    decay = jnp.full_like(drops, lam)
    momentum = jax.lax.associative_scan(join, (decay, drops))[1]
    return jnp.concatenate([jnp.zeros_like(eta[:1]), jnp.cumsum(momentum)])


def rates(
    schedule: str,
    steps: int,
    peak: Array | float,
    end: Array | float = 0.0,
    warmup_counted_at_peak: Array | float = 0,
) -> Array:
    """(steps + 1,) rates eta_0 .. eta_s of a schedule given in words: constant, cosine or linear.

    Steps up to `warmup_counted_at_peak` stand at the peak, as the areas count a warm-up; a constant
    schedule never leaves it. NaN where the warm-up fills the schedule.

    >>> [round(float(eta), 2) for eta in rates("linear", 4, peak=1.0, end=0.2)]
    [1.0, 0.8, 0.6, 0.4, 0.2]
    """
    step = jnp.arange(steps + 1.0)
    after = (step - warmup_counted_at_peak) / (steps - warmup_counted_at_peak)
    eta = end + (peak - end) * SHAPES[schedule](jnp.clip(after, 0.0, 1.0))
    return jnp.where(jnp.asarray(warmup_counted_at_peak) < steps, eta, jnp.nan)


def loss(S1: Array, S2: Array, L0: Array, A: Array, alpha: Array, C: Array) -> Array:
    """Loss of a run with these areas: L0 + A S1^-alpha - C S2 [tissue2024, eq. 1]."""
    return L0 + A * S1**-alpha - C * S2


def final_loss(
    schedule: str,
    steps: int,
    peak: Array,
    L0: Array,
    A: Array,
    alpha: Array,
    C: Array,
    lam: Array | float = DECAY,
    end: Array | float = 0.0,
    warmup_counted_at_peak: Array | float = 0,
) -> Array:
    """Loss at the end of a schedule given in words: `rates`, then the areas, then `loss`."""
    eta = rates(schedule, steps, peak, end, warmup_counted_at_peak)
    return loss(forward_area(eta), annealing_area(eta, lam), L0, A, alpha, C)


def wsd_areas(
    n: Array, steps: Array, peak: Array, end: Array | float = 0.0, lam: Array | float = DECAY
) -> tuple[Array, Array]:
    r"""Areas of a run that holds the peak and lowers the rate linearly over its last n steps.

    $$S_1 = \eta T - (\eta - \eta_e)\frac{n + 1}{2}, \quad S_2 = \frac{\eta - \eta_e}{1 - \lambda}
      \left[1 - \frac{\lambda (1 - \lambda^{n})}{n (1 - \lambda)}\right]$$

    The sums of `forward_area` and `annealing_area` for that schedule, smooth in n.
    """
    drop = peak - end
    lasting = -lam * jnp.expm1(n * jnp.log(lam)) / (n * (1 - lam))
    return peak * steps - drop * (n + 1) / 2, drop / (1 - lam) * (1 - lasting)


def wsd_share_opt(
    steps: Array,
    peak: Array,
    L0: Array,
    A: Array,
    alpha: Array,
    C: Array,
    end: Array | float = 0.0,
    lam: Array | float = DECAY,
) -> Array:
    """Share of a run of so many steps to spend annealing: more S2 against less S1.

    The minimum of `loss` over n of `wsd_areas`; NaN where it is not inside (1, steps).
    """

    def at(log_n: Array) -> Array:
        return loss(*wsd_areas(jnp.exp(log_n), steps, peak, end, lam), L0, A, alpha, C)

    limit = jnp.log(steps * 1.0)
    return jnp.exp(argmin(at, jnp.zeros_like(limit), limit) - limit)


@law(source="tissue2024")
def lr_annealing_n(
    S1: Annotated[Array, Variable("sum of learning rates")],
    S2: Annotated[Array, Variable("sum of learning rates", real)],
    N: Params,
    *,
    L0: Entropy,
    A: Annotated[Array, Parameter("", positive, (0.05, 5.0))],
    alpha: Exponent,
    B: Amplitude,
    beta: Exponent,
    C: Annotated[Array, Parameter("", positive, (0.05, 5.0))],
) -> Loss:
    r"""Loss of a model with N parameters, from the areas under its learning-rate schedule.

    $$L(S_1, S_2, N) = L_0 + A S_1^{-\alpha} + B N^{-\beta} - C S_2$$

    S1 and S2 are `forward_area` and `annealing_area`; N counts non-embedding parameters. The
    extension to several sizes has no published constants that could be checked [tissue2024].
    """
    return L0 + A * S1**-alpha + B * N**-beta - C * S2


QUANTITIES: dict[str, dict[str, Callable[..., Array]]] = {
    "lr_annealing": {
        "S1": forward_area,
        "S2": annealing_area,
        "L": final_loss,
        "share_opt": wsd_share_opt,
    },
}
