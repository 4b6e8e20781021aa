"""Reinforcement learning: reward with compute, and strength at board games."""

import math
from collections.abc import Callable
from typing import Annotated

import jax
import jax.numpy as jnp
from jax import Array

from jaxlaws._law import Constants, Parameter, Variable, law
from jaxlaws._support import negative, positive, real, unit
from jaxlaws.quantities import FLOP, Params, Positive

PER_NAT = math.log(10) / 400  # log odds per Elo

Effort = Annotated[Array, Variable("FLOP or GPU hours")]
Interactions = Annotated[Array, Variable("environment interactions")]
Board = Annotated[Array, Variable("cells along an edge", typical=(2.0, 40.0))]
Times = Annotated[Array, Variable("times as many")]
PassRate = Annotated[Array, Variable("pass rate", unit, space="natural", name="R")]
Elo = Annotated[Array, Variable("Elo", real, space="natural", name="elo")]
Amount = Annotated[Array, Parameter("", positive, (1e2, 1e10))]
Power = Annotated[Array, Parameter("", positive, (0.1, 1.2))]


@law(source="khatri2025")
def scalerl_sigmoid(
    C: Effort,
    *,
    R_0: Annotated[Array, Parameter("", unit, (0.02, 0.6))],
    A: Annotated[Array, Parameter("", unit, (0.2, 0.95))],
    C_mid: Annotated[Array, Parameter("", positive, (1e2, 1e5), like="C")],
    B: Annotated[Array, Parameter("", positive, (0.4, 4.0))],
) -> PassRate:
    r"""Pass rate along reinforcement learning, from its start R_0 up to a ceiling A.

    $$R(C) = R_0 + \frac{A - R_0}{1 + (C_{mid} / C)^{B}}$$

    C in GPU hours or FLOP, as C_mid; R_0 is the first evaluation. The paper drops the first 1500
    GPU hours and knows A to 0.02; its 8 B model has A = 0.61 [khatri2025].
    """
    return R_0 + (A - R_0) * jax.nn.sigmoid(B * (jnp.log(C) - jnp.log(C_mid)))


def reward_slope(C: Array, R_0: Array, A: Array, C_mid: Array, B: Array) -> Array:
    """Pass rate gained per e-fold of compute, B (A - R_0) / 4 at C_mid [khatri2025]."""
    done = jax.nn.sigmoid(B * (jnp.log(C) - jnp.log(C_mid)))
    return B * (A - R_0) * done * (1 - done)


@law(source="hilton2023")
def hilton_intrinsic(
    N: Params,
    E: Interactions,
    *,
    N_c: Amount,
    E_c: Amount,
    a_N: Power,
    a_E: Power,
    beta: Annotated[Array, Parameter("", positive, (0.05, 0.6))],
) -> Positive:
    r"""Intrinsic performance: the least compute at which the family reaches the same return.

    $$I^{-\beta} = (N_c / N)^{\alpha_N} + (E_c / E)^{\alpha_E}$$

    As I is compute on the frontier, beta is not free: see `tied_exponent`. How far ahead rewards
    lie moves the coefficients, not the exponents [hilton2023].
    """
    size, data = a_N * jnp.log(N_c / N), a_E * jnp.log(E_c / E)
    return jnp.exp(-jnp.logaddexp(size, data) / beta)


def tied_exponent(a_N: Array, a_E: Array) -> Array:
    """Beta when compute goes as N E: 1 / (1/a_N + 1/a_E) [hilton2023; derived]."""
    return a_N * a_E / (a_N + a_E)


def size_exponent(a_N: Array, a_E: Array) -> Array:
    """Exponent of N_opt in compute: 1 / (1 + a_N / a_E) [hilton2023; derived]."""
    return a_E / (a_N + a_E)


def interaction_exponent(a_N: Array, a_E: Array) -> Array:
    """Exponent of E_opt in compute: 1 / (1 + a_E / a_N) [hilton2023; derived]."""
    return a_N / (a_N + a_E)


@law(
    source="jones2021",
    constants={
        "jones2021": Constants(
            dict(
                incline_m_f=510.0,
                incline_m_b=-430.0,
                incline_c=-4400.0,
                plateau_m_b=-270.0,
                plateau_c=570.0,
            ),
            "reported",
            "Two digits: they give 2.06 times the compute per cell for take-off where the text "
            "says 4, and 0.708 wins at twice the compute where it says two thirds.",
        )
    },
)
def jones_board_games(
    C: FLOP,
    b: Board,
    *,
    incline_m_f: Annotated[Array, Parameter("Elo per decade", positive, (150.0, 1500.0))],
    incline_m_b: Annotated[Array, Parameter("Elo per cell", negative, (-1200.0, -100.0))],
    incline_c: Annotated[Array, Parameter("Elo", negative, (-1.5e4, -1e3))],
    plateau_m_b: Annotated[Array, Parameter("Elo per cell", negative, (-900.0, -80.0))],
    plateau_c: Annotated[Array, Parameter("Elo", positive, (100.0, 3000.0))],
) -> Elo:
    r"""Strength at Hex of an edge of b cells against perfect play, from training compute.

    $$\mathrm{elo} = \min(0, \max(p_b b + p_c,\ m_f \log_{10} C + m_b b + m_c))$$

    A plateau of random play, an incline, and 0 for perfect play; base-10 logarithm [jones2021].
    """
    incline = incline_m_f * jnp.log10(C) + incline_m_b * b + incline_c
    return jnp.minimum(0.0, jnp.maximum(plateau_m_b * b + plateau_c, incline))


def perfect_play_factor(incline_m_f: Array, incline_m_b: Array) -> Array:
    """Compute for perfect play on a board one cell larger, over that on this one [jones2021]."""
    return 10.0 ** (-incline_m_b / incline_m_f)


def take_off_factor(incline_m_f: Array, incline_m_b: Array, plateau_m_b: Array) -> Array:
    """Compute at which the plateau ends on a board one cell larger, over that on this one."""
    return 10.0 ** ((plateau_m_b - incline_m_b) / incline_m_f)


def win_probability(elo: Array) -> Array:
    """Probability to win when so many Elo stronger: 1 / (1 + 10^(-elo / 400))."""
    return jax.nn.sigmoid(PER_NAT * elo)


def win_at_double(incline_m_f: Array) -> Array:
    """Probability to win with twice the training compute, on the incline [jones2021]."""
    return win_probability(incline_m_f * math.log10(2))


def smooth_elo(C: Array, height: Array, centre: Array, scale: Array) -> Array:
    """Smooth variant for one board: height (sigmoid((log10 C - centre) / scale) - 1)."""
    return -height * jax.nn.sigmoid(-(jnp.log10(C) - centre) / scale)


def search_compute(C: Array, elo: Array) -> Array:
    """FLOP at test time that reach a strength after C in training, board of 9 cells [jones2021].

    log10 of it is -1.2 log10 C + 0.004 elo + 29: ten times the training replaces about 15 times
    the search.
    """
    return 10.0 ** (-1.2 * jnp.log10(C) + 0.004 * elo + 29)


@law(
    source="neumann2022",
    constants={
        "neumann2022": Constants(
            dict(a_N=0.88), "unverified", "Connect Four and Pentago alike; recalled."
        )
    },
)
def neumann_alphazero(N_ratio: Times, *, a_N: Power) -> Elo:
    r"""Elo gained over an agent with so many times fewer parameters, both converged.

    $$\Delta\mathrm{elo} = 400\, a_N \log_{10} (N / N_0)$$

    From playing strength as N^a_N by Bradley and Terry. Compute-optimal agents follow the same
    form with a_C about 0.55, and N_opt ~ C^0.62 to 0.63 [neumann2022; recalled].
    """
    return 400 * a_N * jnp.log10(N_ratio)


def elo_per_decade(a_N: Array) -> Array:
    """Elo for ten times the parameters: 400 a_N [neumann2022]."""
    return 400 * a_N


def win_by_size(
    N_ratio: Array | float = 1.0,
    C_ratio: Array | float = 1.0,
    a_N: Array | float = 0.0,
    a_C: Array | float = 0.0,
) -> Array:
    """Probability to win with so many times the parameters, or so many times the compute."""
    return jax.nn.sigmoid(a_N * jnp.log(N_ratio) + a_C * jnp.log(C_ratio))


def best_size(C: Array, C_0: Array, a_opt: Array | float = 0.62) -> Array:
    """Parameters at the optimum of compute: (C / C_0)^a_opt [neumann2022; recalled]."""
    return (C / C_0) ** a_opt


QUANTITIES: dict[str, dict[str, Callable[..., Array]]] = {
    "scalerl_sigmoid": {"slope_in_ln_C": reward_slope},
    "hilton_intrinsic": {
        "beta": tied_exponent,
        "exponent_N_opt": size_exponent,
        "exponent_E_opt": interaction_exponent,
    },
    "jones_board_games": {
        "compute_factor_perfect_play_per_size": perfect_play_factor,
        "compute_factor_takeoff_per_size": take_off_factor,
        "win_probability_double_compute": win_at_double,
        "win_probability": win_probability,
        "elo_smooth": smooth_elo,
        "C_test": search_compute,
    },
    "neumann_alphazero": {
        "elo_per_10x_N": elo_per_decade,
        "win_probability": win_by_size,
        "N_opt": best_size,
    },
}
