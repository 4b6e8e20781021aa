"""Counting bits: what a model stores, and what its activations control."""

import math
from collections.abc import Callable
from typing import Annotated

import jax.numpy as jnp
from jax import Array

from jaxlaws._law import Constants, Parameter, Variable, law
from jaxlaws._support import positive
from jaxlaws.quantities import Params

NAMES = 400.0 * 400 * 1000  # N0: full names that bioS draws from
ATTRIBUTES = 2.0 * (12 * 28 * 200) * 200 * 300 * 100 * 263  # S0: attribute values of a person
CHI = (16.0, 25.0)  # attack resistance of models over two orders of magnitude of size [fort2023]

Bits = Annotated[Array, Variable("bits", name="bits")]


def _stored(R: float, note: str) -> Constants:
    return Constants(dict(R=R), "reported", note)


@law(
    source="allenzhu2024",
    constants={
        "allenzhu2024_1000exposures": _stored(2.0, "Each fact seen 1000 times."),
        "allenzhu2024_100exposures": _stored(1.0, "Each fact seen 100 times."),
        "allenzhu2024_int8": _stored(2.0, "1000 exposures, then quantised to 8 bits: no loss."),
        "allenzhu2024_int4": _stored(0.7, "1000 exposures, then quantised to 4 bits."),
        "allenzhu2024_moe32_1000exposures": _stored(2 / 1.3, "32 experts, of all parameters."),
        "allenzhu2024_moe32_100exposures": _stored(1 / 1.5, "32 experts, of all parameters."),
        "allenzhu2024_gated_100exposures": _stored(1 / 1.3, "Gated MLP, as in Llama and Mistral."),
        "allenzhu2024_junk_100exposures": _stored(1 / 20, "7 of 8 tokens are junk; about."),
        "allenzhu2024_junk_tagged_100exposures": _stored(
            1 / 2, "7 of 8 tokens are junk, good text carries its domain's name; about."
        ),
    },
)
def knowledge_capacity(
    P: Params, *, R: Annotated[Array, Parameter("bits/parameter", positive, (0.05, 2.5))]
) -> Bits:
    r"""Bits of knowledge that a model with P parameters can store.

    $$\mathrm{bits}(P) = R P$$

    R depends on how often each fact was seen and on the architecture, hardly on depth or width
    [allenzhu2024].
    """
    return R * P


def stored_bits(P: Array, R: Array, dataset_bits: Array) -> Array:
    """Bits stored of a data set that holds no more than so many: min(dataset_bits, R P)."""
    return jnp.minimum(dataset_bits, R * P)


def ratio_bios(
    N: Array,
    P: Array,
    p1: Array,
    p2: Array,
    N0: Array | float = NAMES,
    S0: Array | float = ATTRIBUTES,
) -> Array:
    r"""Bits per parameter that a model of N biographies has stored, from its losses.

    $$R = \frac{N \log_2(N_0 / e^{p_1}) + N \log_2(S_0 / e^{p_2})}{P}$$

    p1 is the loss on names, p2 that on attributes summed over them, in nats [allenzhu2024; the
    terms in p recalled, not seen in print].
    """
    return N * (jnp.log2(N0) + jnp.log2(S0) - (p1 + p2) / math.log(2)) / P


def ratio_bios_max(
    N: Array, P: Array, S0: Array | float = ATTRIBUTES, N0: Array | float = NAMES
) -> Array:
    """Bits per parameter if N biographies are known without error: N (log2 N0/N + log2 S0) / P."""
    return N * (jnp.log2(N0 / N) + jnp.log2(S0)) / P


def ratio_biod(
    N: Array,
    K: Array,
    C: Array,
    D: Array,
    L: Array,
    T: Array,
    P: Array,
    p1: Array,
    p2: Array,
    p3: Array,
    N0: Array | float = NAMES,
) -> Array:
    r"""Bits per parameter that a model has stored of the synthetic knowledge of bioD.

    $$R = \frac{N \log_2 \frac{N_0}{e^{p_1}} + N K \log_2 \frac{D^C}{e^{p_2}}
      + K D \log_2 \frac{T^L}{D e^{p_3}}}{P}$$

    N names with K attributes of C chunks out of D values, each of length L over T tokens; losses p
    of names, values and diversity in nats [allenzhu2024; the third term recalled].
    """
    nat = 1 / math.log(2)
    names = N * (jnp.log2(N0) - p1 * nat)
    values = N * K * (C * jnp.log2(D) - p2 * nat)
    diversity = K * D * (L * jnp.log2(T) - jnp.log2(D) - p3 * nat)
    return (names + values + diversity) / P


def log2_names(N0: Array | float = NAMES) -> Array:
    """Bits of a full name of bioS [allenzhu2024]."""
    return jnp.log2(N0)


def log2_attributes(S0: Array | float = ATTRIBUTES) -> Array:
    """Bits of a person's attributes in bioS [allenzhu2024]."""
    return jnp.log2(S0)


@law(source="fort2023")
def adv_activation(
    a: Annotated[Array, Variable("attacked token positions")],
    *,
    kappa: Annotated[Array, Parameter("tokens per position", positive, (10.0, 1e3))],
) -> Annotated[Array, Variable("tokens", name="t_max")]:
    r"""Tokens of output that an attacker controls by changing the activations of a positions.

    $$t_{max} = \kappa a$$

    kappa follows from the attack resistance chi = d p / (kappa log2 V), the bits put in per bit
    got out, which lies between 16 and 25 for every model measured [fort2023]; per-model kappa
    have not been recovered.
    """
    return kappa * a


def kappa_of(d: Array, p: Array, V: Array, chi: Array) -> Array:
    """Tokens controlled per position: d p / (chi log2 V), width d of p bits, vocabulary V."""
    return d * p / (chi * jnp.log2(V))


def resistance(d: Array, p: Array, V: Array, kappa: Array) -> Array:
    """Attack resistance chi: bits of activation spent per bit of output controlled."""
    return d * p / (kappa * jnp.log2(V))


def token_resistance(kappa: Array) -> Array:
    """Attack resistance when tokens are changed, not activations: 1 / kappa."""
    return 1 / kappa


def half_success(t: Array, rate: Array) -> Array:
    """Target length at which an attack still succeeds half the time, from a falling curve.

    Args:
        t: (m,) target lengths, increasing.
        rate: (m,) share of attacks that succeeded.
    """
    return jnp.interp(0.5, rate[::-1], t[::-1])


def kappa_fit(a: Array, t_max: Array) -> Array:
    """Tokens per position from (m,) attacks: the line through the origin with the least squares."""
    return jnp.sum(a * t_max) / jnp.sum(a**2)


QUANTITIES: dict[str, dict[str, Callable[..., Array]]] = {
    "knowledge_capacity": {
        "stored_bits": stored_bits,
        "R_bioS": ratio_bios,
        "R_max": ratio_bios_max,
        "R_bioD": ratio_biod,
        "log2_N0": log2_names,
        "log2_S0": log2_attributes,
    },
    "adv_activation": {
        "kappa": kappa_of,
        "chi": resistance,
        "chi_tok": token_resistance,
        "t_half": half_success,
        "kappa_fit": kappa_fit,
    },
}
