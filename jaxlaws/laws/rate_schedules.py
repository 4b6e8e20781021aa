"""Learning rates over a run: warm-up, stable phase and decay, and the power scheduler."""

from collections.abc import Callable
from typing import Annotated, Any

import jax.numpy as jnp
from jax import Array

from jaxlaws._law import Constants, Parameter, Variable, law
from jaxlaws._support import negative, positive
from jaxlaws.quantities import Tokens

Sequences = Annotated[Array, Variable("sequences of 4096 tokens", typical=(1.0, 1e6))]
Rate = Annotated[Array, Variable("learning rate", name="eta")]
GRID = "The text also quotes optima of a grid with steps of a factor 2: up to 26 % from the line."


@law(
    source="shen2024",
    constants={
        "shen2024": Constants(dict(a=4.6, b=-0.51), "verified", GRID),
        "shen2024_12M": Constants(dict(a=4.34, b=-0.507), "verified"),
        "shen2024_36M": Constants(dict(a=4.86, b=-0.513), "verified"),
        "shen2024_121M": Constants(dict(a=4.46, b=-0.508), "verified"),
    },
)
def power_scheduler_optimal_lr(
    batch_sequences: Sequences,
    T: Tokens,
    *,
    a: Annotated[Array, Parameter("", positive, (0.5, 50.0))],
    b: Annotated[Array, Parameter("", negative, (-1.0, -0.2))],
) -> Rate:
    r"""Best learning rate for a batch and a number of training tokens.

    $$\eta_{opt} = \beta\, a\, T^{b}$$

    $\beta$ is the batch in sequences of 4096 tokens, T the tokens of the run; the rate is the base
    rate under the maximal update parametrisation [shen2024].
    """
    return batch_sequences * a * T**b


def power_schedule(
    *,
    n: Array,
    batch_sequences: Array,
    a: Any = 4.0,
    b: Any = -0.51,
    eta_max: Any = 0.02,
    N: Array,
    N_warm: Any = 1e9,
    N_decay: Array,
    decay: str = "linear",
) -> Array:
    r"""Learning rate after n tokens: a power of n between a warm-up and a decay.

    $$\eta_{power}(n) = \min(\eta_{max}, \beta\, a\, n^{b})$$

    up to N_warm a ramp to it, over the last N_decay of N tokens a fall from it to zero; continuous
    at both joins, and before the decay the same for every N; NaN where warm-up and decay do not fit
    into the run [shen2024].

    Args:
        n: Tokens consumed.
        batch_sequences: Batch in sequences of 4096 tokens.
        a: Amplitude.
        b: Exponent.
        eta_max: Ceiling.
        N: Tokens of the run.
        N_warm: Tokens of the warm-up.
        N_decay: Tokens of the decay, about a tenth of N.
        decay: Name of a shape in `DECAYS`.
    """
    held = jnp.clip(jnp.asarray(n, float), N_warm, N - N_decay)
    rate = jnp.minimum(eta_max, batch_sequences * a * held**b) * jnp.clip(n / N_warm, 0.0, 1.0)
    fall = decay_factor(x=(n - N + N_decay) / N_decay, family=decay)
    return jnp.where(N_warm + N_decay > N, jnp.nan, rate * fall)


def _one_minus_sqrt(x: Array) -> Array:
    """The root's slope is infinite at 0, so the root is taken of another number there."""
    return 1 - jnp.where(x > 0, jnp.sqrt(jnp.where(x > 0, x, 1.0)), 0.0)


# From 1 at the start of the decay, x = 0, to 0 at its end, x = 1.
DECAYS: dict[str, Callable[[Array], Array]] = {
    "linear": lambda x: 1 - x,
    "cosine": lambda x: (1 + jnp.cos(jnp.pi * x)) / 2,
    "one_minus_sqrt": _one_minus_sqrt,
}


def decay_factor(
    *, family: str = "exponential", x: Any = None, s_minus_T: Any = None, tau: Any = 5000.0
) -> Array:
    r"""Factor on the stable learning rate during the decay.

    Exponential: $2^{-(s-T)/\tau}$ with the half-life tau in steps. The others are functions of the
    share x of the decay that is done: linear 1 - x, cosine (1 + cos(pi x))/2, and 1 - sqrt(x)
    [hu2024; hagele2024 for the last].

    >>> float(decay_factor(family="one_minus_sqrt", x=0.25))
    0.5
    """
    if family == "exponential":
        return jnp.exp2(-jnp.maximum(s_minus_T, 0.0) / tau)
    return DECAYS[family](jnp.clip(jnp.asarray(x, float), 0.0, 1.0))


def wsd(
    *,
    s: Array,
    W: Array,
    T: Array,
    S: Array,
    eta: Array,
    family: str = "exponential",
    tau: Any = 5000.0,
) -> Array:
    r"""Learning rate at step s: warm-up to W, constant to T, decay to S [hu2024].

    $$\eta(s) = \eta \min(s/W, 1)\, f(s - T)$$

    A tenth of the tokens is enough for the decay, 2.5 % is not. Because runs share their stable
    phase, m sizes times m amounts of data cost O(m) runs, not O(m^2). NaN unless W <= T <= S.
    """
    fall = decay_factor(family=family, x=(s - T) / (S - T), s_minus_T=s - T, tau=tau)
    return jnp.where((W <= T) & (T <= S), eta * jnp.clip(s / W, 0.0, 1.0) * fall, jnp.nan)


QUANTITIES: dict[str, dict[str, Callable[..., Any]]] = {
    "power_scheduler_schedule": {"eta": power_schedule},
    "wsd_schedule": {"decay_factor": decay_factor, "eta": wsd},
}
