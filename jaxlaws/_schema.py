"""The words of a law's schema: what is measured, what is fitted, what was published."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
from jax import Array

from jaxlaws._support import Support, positive, real

NORMAL_90 = 1.6448536269514722  # half width of the central 90 % of a standard normal


@dataclass(frozen=True)
class Variable:
    """A measured quantity: an input of a law, or what a law predicts.

    Attributes:
        unit: Unit in words ("parameters", "tokens", "nats/token").
        support: Where its values may lie.
        size: () for one number per run, (k,) for k numbers per run, (None,) for any length.
        space: For a predicted quantity, the space of its residuals: "log", "natural" or "logit".
        typical: Values outside this range are almost surely in another unit; None for no opinion.
        higher_is_better: Whether an optimum is a largest value (accuracy) and not a smallest one.
        name: The argument's name; filled in by `law`.
    """

    unit: str
    support: Support = positive
    size: tuple[int | None, ...] = ()
    space: str = "log"
    typical: tuple[float, float] | None = None
    higher_is_better: bool = False
    name: str = ""


@dataclass(frozen=True)
class Parameter:
    """A number that a fit decides.

    Attributes:
        unit: Unit in words; empty for a pure number.
        support: Where its values may lie.
        typical: Its 5 % and 95 % points over the literature: the prior, the starts and the scale.
        size: () for one number, (k,) for k of them.
        like: An input whose range in the runs is the parameter's typical range (a break's place).
        name: The argument's name; filled in by `law`.
    """

    unit: str = ""
    support: Support = real
    typical: tuple[float, float] = (-1.0, 1.0)
    size: tuple[int, ...] = ()
    like: str = ""
    name: str = ""

    @property
    def centre(self) -> float:
        """Middle of the typical range on the unconstrained line."""
        low, high = (self.support.unconstrain_number(v) for v in self.typical)
        return (low + high) / 2

    @property
    def spread(self) -> float:
        """Standard deviation on the unconstrained line that makes the typical range its 90 %."""
        low, high = (self.support.unconstrain_number(v) for v in self.typical)
        return (high - low) / (2 * NORMAL_90)

    def constrain(self, z: Array) -> Array:
        """From the standard coordinate z, standard normal over the typical range, to the value."""
        return self.support.constrain(self.centre + self.spread * z)

    def unconstrain(self, value: Array) -> Array:
        """From a value to the standard coordinate z."""
        return (self.support.unconstrain(jnp.asarray(value)) - self.centre) / self.spread


@dataclass(frozen=True)
class Constants:
    """Published values of a law's parameters.

    Attributes:
        values: Parameter name -> value.
        confidence: "verified" (authors' data or text), "reported" (second hand), "unverified".
        note: What is known to be wrong or special about them.
    """

    values: Mapping[str, Any]
    confidence: str = "reported"
    note: str = ""
