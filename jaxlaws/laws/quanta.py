"""Scaling by quanta: skills of falling frequency, learned one after another."""

from collections.abc import Callable

from jax import Array


def data_exponent(a: Array) -> Array:
    r"""Exponent of the data when quanta have frequencies that fall as $k^{-(a + 1)}$.

    $$\alpha_D = \frac{a}{1 + a}$$

    The exponent of the parameters is a itself [michaud2023].
    """
    return a / (1 + a)


def rank_exponent(alpha_D: Array) -> Array:
    """The inverse: a = alpha_D / (1 - alpha_D) [michaud2023]."""
    return alpha_D / (1 - alpha_D)


QUANTITIES: dict[str, dict[str, Callable[..., Array]]] = {
    "michaud_quanta": {"alpha_D": data_exponent, "a": rank_exponent},
}
