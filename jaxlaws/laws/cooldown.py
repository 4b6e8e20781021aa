"""Schedules with a cooldown, what they save, and the multi-power law on a schedule in words."""

from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from jaxlaws._errors import InputError

BEST_RATE = 0.5  # best constant rate over the best cosine's peak, about [hagele2024; recalled]


def factor(x: Array, kind: str = "sqrt") -> Array:
    """Rate over its peak at a share x of the cooldown: 1 - sqrt(x), or 1 - x if "linear"."""
    x = jnp.asarray(x) * 1.0
    return 1 - jnp.sqrt(x) if kind == "sqrt" else 1 - x


def rate(
    n: Array, N: Array, N_d: Array, eta_max: Array, warmup: Array | int = 0, kind: str = "sqrt"
) -> Array:
    """Learning rate at step n of N: linear warm-up, constant, then N_d steps of cooldown.

    A cooldown of 10 to 20 % of the steps does as well as a cosine. NaN where warm-up and cooldown
    do not fit into the run [hagele2024].
    """
    rise = jnp.where(n < warmup, n / jnp.maximum(warmup, 1), 1.0)
    done = (n - (N - N_d)) / N_d
    cooling = done > 0
    fall = jnp.where(cooling, factor(jnp.where(cooling, done, 1.0), kind), 1.0)
    return jnp.where(warmup + N_d > N, jnp.nan, eta_max * rise * fall)


def cost_ratio(ratios: Sequence[float] | Array, cooldown_share: Array) -> Array:
    """Cost of a study over token ratios with one run and cooldowns, over one cosine per ratio.

    The longest run is trained once; each shorter length costs the share of it that cools down
    [hagele2024].
    """
    lengths = jnp.asarray(ratios) * 1.0
    longest = jnp.max(lengths)
    return (longest + cooldown_share * (jnp.sum(lengths) - longest)) / jnp.sum(lengths)


def named_schedule(
    schedule: str, warmup: int = 2160, peak: float = 3e-4, end: float = 3e-5
) -> Array:
    """(T,) rates of "cosine_T" or "constant_T" with a linear warm-up that reaches the peak.

    Raises:
        InputError: Another kind of schedule, or one that the warm-up fills.
    """
    kind, _, length = schedule.partition("_")
    if kind not in ("cosine", "constant") or not length.isdigit():
        raise InputError(f"schedule is cosine_T or constant_T for T steps, got {schedule!r}.")
    rest = int(length) - warmup
    if rest <= 0:
        raise InputError(f"warmup is shorter than {schedule}, got {warmup} steps.")
    phase = jnp.pi * jnp.arange(float(rest)) / rest
    after = end + (peak - end) * (1 + jnp.cos(phase)) / 2 if kind == "cosine" else peak
    return jnp.concatenate([jnp.linspace(0.0, peak, warmup), jnp.broadcast_to(after, (rest,))])


def multi_power_loss(
    L0: Array,
    A: Array,
    alpha: Array,
    B: Array,
    C: Array,
    beta: Array,
    gamma: Array,
    eta: ArrayLike | None = None,
    t: Array | None = None,
    schedule: str = "",
    step: Array | None = None,
    warmup: int = 2160,
    peak: float = 3e-4,
    end: float = 3e-5,
) -> Array:
    """`multi_power_law` at a step of one schedule, by its rates or its name [luo2025].

    Differentiable in the rates: its gradient is what an optimal schedule is found by.

    Args:
        L0: Constants of the law, as A, alpha, B, C, beta and gamma.
        A: See L0.
        alpha: See L0.
        B: See L0.
        C: See L0.
        beta: See L0.
        gamma: See L0.
        eta: (T,) rates, warm-up included; or
        t: Step of it.
        schedule: name for `named_schedule`, with
        step: Step of it.
        warmup: Steps of warm-up.
        peak: Highest rate.
        end: Last rate of a cosine.
    """
    rates = named_schedule(schedule, warmup, peak, end) if eta is None else jnp.asarray(eta)
    at = jnp.asarray(step if t is None else t).astype(int)
    area, gap = jnp.cumsum(rates), jnp.diff(rates)
    counted = (jnp.arange(1, rates.shape[0]) <= at) & (rates[1:] > 0)
    # The unused branch is kept finite, so that its derivative is no NaN.
    now = jnp.where(counted, rates[1:], 1.0)
    growth = jnp.log1p(C * now**-gamma * jnp.where(counted, area[at] - area[:-1], 0.0))
    drops = jnp.sum(jnp.where(counted, gap, 0.0) * jnp.expm1(-beta * growth))
    return L0 + A * area[at] ** -alpha - B * drops


QUANTITIES: dict[str, dict[str, Callable[..., Any]]] = {
    "hagele_cooldown": {"factor": factor, "learning_rate": rate, "cost_ratio": cost_ratio},
    "multi_power_law": {"L": multi_power_loss},
}
