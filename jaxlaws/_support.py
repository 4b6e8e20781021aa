"""Where a number may live, and the smooth one-to-one map from the real line onto that place."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

SHARES = 1e-3  # shares add up to one, but for their rounding in print


@dataclass(frozen=True)
class Support:
    """A set of numbers with the map from the real line onto it, and back.

    Attributes:
        name: How the set is written in a report.
        lower: Its lower end.
        upper: Its upper end.
        constrain: The map u -> x from the real line; differentiable, elementwise.
        unconstrain: Its inverse x -> u.
    """

    name: str
    lower: float
    upper: float
    constrain: Callable[[Array], Array]
    unconstrain: Callable[[Array], Array]

    def __contains__(self, value: float) -> bool:
        """Whether a number lies in the closure of the set."""
        return self.lower <= float(value) <= self.upper

    def holds(self, value: Array) -> Array:
        """Whether all numbers of a value lie in the closure; shares must also sum to one."""
        inside = jnp.all((value >= self.lower) & (value <= self.upper))
        return inside & self.adds_up(value)

    def refuses(self, values: np.ndarray) -> np.ndarray:
        """Which numbers may not be given, elementwise: positive ones are above zero."""
        low = values <= self.lower if self.name == "positive" else values < self.lower
        return low | (values > self.upper)

    def adds_up(self, values: Any) -> Any:
        """(...,) whether shares (..., k) sum to one; whatever is not a share does."""
        return self.name != "simplex" or abs(values.sum(axis=-1) - 1) <= SHARES

    def __repr__(self) -> str:
        return self.name

    def unconstrain_number(self, value: float) -> float:
        """The inverse map with Python's own arithmetic, for static numbers under a jit trace."""
        if self.lower == -math.inf and self.upper == math.inf:
            return float(value)
        if self.lower == -math.inf:
            return -math.log(self.upper - value)
        if self.upper == math.inf:
            return math.log(value - self.lower)
        share = (value - self.lower) / (self.upper - self.lower)
        return math.log(share) - math.log1p(-share)


real = Support("real", -math.inf, math.inf, lambda u: u, lambda x: x)
positive = Support("positive", 0.0, math.inf, jnp.exp, jnp.log)
negative = Support("negative", -math.inf, 0.0, lambda u: -jnp.exp(-u), lambda x: -jnp.log(-x))


def interval(lower: float, upper: float) -> Support:
    """Numbers between two ends: x = lower + (upper - lower) sigmoid(u)."""
    width = upper - lower
    return Support(
        f"({lower:g}, {upper:g})",
        lower,
        upper,
        lambda u: lower + width * jax.nn.sigmoid(u),
        lambda x: jnp.log(x - lower) - jnp.log(upper - x),
    )


def above(lower: float) -> Support:
    """Numbers above one end: x = lower + exp(u)."""
    return Support(
        f"(> {lower:g})",
        lower,
        math.inf,
        lambda u: lower + jnp.exp(u),
        lambda x: jnp.log(x - lower),
    )


unit = interval(0.0, 1.0)
simplex = Support("simplex", 0.0, 1.0, jax.nn.softmax, jnp.log)
