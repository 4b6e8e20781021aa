"""What pre-training on other data is worth, counted in the data of the task."""

from collections.abc import Callable
from typing import Annotated

from jax import Array

from jaxlaws._law import Constants, Parameter, Variable, law
from jaxlaws._support import positive
from jaxlaws.quantities import Exponent, Params

Own = Annotated[Array, Variable("characters", typical=(1e2, 1e15))]
Worth = Annotated[Array, Variable("characters", name="D_T")]


@law(
    source="hernandez2021",
    constants={
        "hernandez2021_text": Constants(
            dict(k=1.9e4, alpha=0.18, beta=0.38), "reported", "From text to Python."
        ),
        "hernandez2021_code": Constants(
            dict(k=2.1e5, alpha=0.096, beta=0.38),
            "reported",
            "From half text, half other code to Python.",
        ),
    },
)
def hernandez_transfer(
    D_F: Own,
    N: Params,
    *,
    k: Annotated[Array, Parameter("", positive, (1e3, 1e6))],
    alpha: Exponent,
    beta: Exponent,
) -> Worth:
    r"""Data of the task that pre-training replaces, for N parameters tuned on D_F characters.

    $$D_T = k D_F^{\alpha} N^{\beta}$$

    Both D in characters, N non-embedding; measured in the low-data regime [hernandez2021].
    """
    return k * D_F**alpha * N**beta


def effective_data(D_F: Array, N: Array, k: Array, alpha: Array, beta: Array) -> Array:
    """Data that training from scratch would need: D_F + D_T [hernandez2021]."""
    return D_F + k * D_F**alpha * N**beta


def multiplier(D_F: Array, N: Array, k: Array, alpha: Array, beta: Array) -> Array:
    """Effective data over own data: (D_F + D_T) / D_F [hernandez2021]."""
    return 1 + k * D_F ** (alpha - 1) * N**beta


def trade_off(alpha: Array, beta: Array) -> Array:
    """Relative change of D_F that one of N replaces at equal D_T: -beta / alpha."""
    return -beta / alpha


def tuned_loss(
    D_F: Array,
    N: Array,
    k: Array,
    alpha: Array,
    beta: Array,
    N_c: Array,
    a_N: Array,
    D_c: Array,
    a_D: Array,
) -> Array:
    r"""Loss after fine-tuning where data are scarce: `kaplan_nd` with D_T for its data.

    $$L = \left((N_c / N)^{a_N / a_D} + D_c / (k D_F^{\alpha} N^{\beta})\right)^{a_D}$$

    [hernandez2021]
    """
    return ((N_c / N) ** (a_N / a_D) + D_c / (k * D_F**alpha * N**beta)) ** a_D


QUANTITIES: dict[str, dict[str, Callable[..., Array]]] = {
    "hernandez_transfer": {
        "D_E": effective_data,
        "multiplier": multiplier,
        "dlnDF_dlnN": trade_off,
        "L": tuned_loss,
    },
}
