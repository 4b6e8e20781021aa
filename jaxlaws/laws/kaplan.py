"""Kaplan's family: loss against compute and steps, the critical batch, and how to spend compute.

Loss against parameters and data (`kaplan_n`, `kaplan_d`, `kaplan_nd`) is in `pretraining`, steps
to a loss at a finite batch (`kaplan_trajectory`) in `trajectory`. N counts parameters without
embeddings, batches are in tokens, compute is in PF-days (8.64e19 FLOP).
"""

from collections.abc import Callable
from typing import Annotated, Any

import jax.numpy as jnp
from jax import Array

from jaxlaws._law import Constants, Parameter, Variable, law
from jaxlaws._support import negative, positive, real
from jaxlaws.quantities import Characteristic, CrossEntropy, Exponent, Loss, Params, Positive, Steps

PFDays = Annotated[Array, Variable("PF-days", typical=(1e-12, 1e12))]
Batch = Annotated[Array, Variable("tokens", typical=(1.0, 1e12), name="B_crit")]
LearningRate = Annotated[Array, Variable("learning rate", real, space="natural", name="lr")]
# Published step scales are 2100 and 2600; two decades around them allow other batches and tokens.
StepScale = Annotated[Array, Parameter("steps", positive, (1e2, 1e5))]
BatchScale = Annotated[Array, Parameter("tokens", positive, (1e6, 1e10))]
# Slopes of log loss against compute: 0.05 in PF-days goes with a scale of 1e8, 0.2 with 1e2.
ComputeScale = Annotated[Array, Parameter("PF-days", positive, (1e2, 1e12))]


@law(
    source="kaplan2020",
    constants={
        "kaplan2020": Constants(dict(aC=0.050, Cc=3.1e8), "reported", "Against C_min."),
        "kaplan2020_fixed_batch": Constants(
            dict(aC=0.057, Cc=1.6e7), "unverified", "Against C at one batch size, not C_min."
        ),
    },
)
def kaplan_c(C_min_PF_days: PFDays, *, aC: Exponent, Cc: ComputeScale) -> Loss:
    r"""Loss at the compute-efficient frontier, in PF-days corrected to small batches.

    $$L(C_{min}) = (C_c / C_{min})^{a_C}$$

    C_min = C / (1 + B/B_crit(L)) is what the run would cost far below the critical batch; the
    trend at a fixed batch has constants of its own. There is no floor: do not read it beyond 1e4
    PF-days, where it crosses `kaplan_d` [kaplan2020, eq. 1.3].
    """
    return (Cc / C_min_PF_days) ** aC


@law(
    source="kaplan2020, su2024",
    constants={
        "kaplan2020": Constants(dict(aN=0.077, Nc=6.5e13, aS=0.76, Sc=2.1e3), "reported"),
        "su2024": Constants(
            dict(aN=0.076, Nc=1.5e14, aS=0.67, Sc=2.6e3),
            "unverified",
            "Recalled; C4, context 1024.",
        ),
    },
)
def kaplan_ns(
    N: Params, S_min: Steps, *, aN: Exponent, Nc: Characteristic, aS: Exponent, Sc: StepScale
) -> Loss:
    r"""Loss of N parameters after S_min steps at a very large batch.

    $$L(N, S_{min}) = (N_c / N)^{a_N} + (S_c / S_{min})^{a_S}$$

    S_min = S / (1 + B_crit(L)/B) corrects S steps of batch B [kaplan2020, eq. 1.6].
    """
    return (Nc / N) ** aN + (Sc / S_min) ** aS


@law(
    source="kaplan2020, su2024",
    constants={
        "kaplan2020": Constants(dict(Bstar=2e8, aB=0.21), "reported"),
        "su2024": Constants(dict(Bstar=1.7e8, aB=0.205), "unverified", "Recalled."),
    },
)
def kaplan_b_crit(L: CrossEntropy, *, Bstar: BatchScale, aB: Exponent) -> Batch:
    r"""Critical batch in tokens of a run at loss L, whatever its size.

    $$B_{crit}(L) = B_* L^{-1/a_B}$$

    At this batch a run takes twice the least steps and twice the least tokens
    [kaplan2020, eq. 1.4].
    """
    return Bstar * L ** (-1 / aB)


@law(
    source="kaplan2020",
    constants={
        "kaplan2020_N": Constants(
            dict(coefficient=1.3e9, exponent=0.73),
            "reported",
            "Read off the runs; the product formula gives 0.684 (aC 0.052).",
        ),
        "kaplan2020_B": Constants(dict(coefficient=2.0e6, exponent=0.24), "unverified"),
        "kaplan2020_S_min": Constants(dict(coefficient=5.4e3, exponent=0.03), "unverified"),
        "kaplan2020_D": Constants(
            dict(coefficient=2.0e10, exponent=0.27),
            "unverified",
            "About twice B S_min: a run at the critical batch takes 2 S_min steps.",
        ),
    },
)
def kaplan_allocation(
    C_min_PF_days: PFDays,
    *,
    coefficient: Annotated[Array, Parameter("", positive, (1e3, 1e11))],
    exponent: Exponent,
) -> Positive:
    r"""An optimum as a power of compute: parameters, batch, steps or tokens.

    $$y(C_{min}) = k\, C_{min}^{p}$$

    with C_min in PF-days; the four optima are four sets of constants [kaplan2020, sec. 6].
    """
    return coefficient * C_min_PF_days**exponent


@law(
    source="kaplan2020",
    constants={"kaplan2020": Constants(dict(c0=0.003239, c1=-0.0001395), "reported")},
)
def kaplan_learning_rate(
    N: Params,
    *,
    c0: Annotated[Array, Parameter("", positive, (5e-4, 2e-2))],
    c1: Annotated[Array, Parameter("", negative, (-1e-3, -2e-5))],
) -> LearningRate:
    r"""Peak learning rate of Adam for N parameters.

    $$\mathrm{LR}(N) = c_0 + c_1 \ln N$$

    The logarithm is natural. It falls to zero near N = 1.2e10, so it is a rule for smaller models
    [kaplan2020, eq. D.1].
    """
    return c0 + c1 * jnp.log(N)


def least_steps(*, S: Array, L: Array, B_tokens: Array, Bstar: Array, aB: Array) -> Array:
    """What S steps of batch B are worth at a very large batch: S / (1 + B_crit(L)/B).

    [kaplan2020, eq. 5.4]
    """
    return S / (1 + kaplan_b_crit.fn(L, Bstar=Bstar, aB=aB) / B_tokens)


def least_compute(*, C: Array, L: Array, B_tokens: Array, Bstar: Array, aB: Array) -> Array:
    """What a run of cost C would cost at a very small batch: C / (1 + B/B_crit(L)).

    [kaplan2020, eq. 5.5]
    """
    return C / (1 + B_tokens / kaplan_b_crit.fn(L, Bstar=Bstar, aB=aB))


def loss_against_compute(
    *,
    aC: Array,
    Cc: Array,
    C_min_PF_days: Array | None = None,
    C_PF_days: Array | None = None,
) -> Array:
    """`kaplan_c` against C_min, or against C with the constants of a fixed batch."""
    return kaplan_c.fn(C_PF_days if C_min_PF_days is None else C_min_PF_days, aC=aC, Cc=Cc)


def compute_exponent(*, aN: Array, aB: Array, aS: Array) -> Array:
    """Exponent of the loss in C_min: 1 / (1/aS + 1/aB + 1/aN) [kaplan2020, eq. 1.7]."""
    return 1 / (1 / aS + 1 / aB + 1 / aN)


def size_exponent(*, aN: Array, aB: Array, aS: Array) -> Array:
    """Exponent of N_opt in C_min: aC / aN [kaplan2020, eq. 1.8]."""
    return compute_exponent(aN=aN, aB=aB, aS=aS) / aN


def batch_exponent(*, aN: Array, aB: Array, aS: Array) -> Array:
    """Exponent of the batch in C_min: aC / aB [kaplan2020, eq. 1.8]."""
    return compute_exponent(aN=aN, aB=aB, aS=aS) / aB


def step_exponent(*, aN: Array, aB: Array, aS: Array) -> Array:
    """Exponent of the steps in C_min: aC / aS [kaplan2020, eq. 1.8]."""
    return compute_exponent(aN=aN, aB=aB, aS=aS) / aS


def token_exponent(*, aN: Array, aB: Array, aS: Array) -> Array:
    """Exponent of the tokens B S in C_min: what the parameters leave [kaplan2020, eq. 1.8]."""
    return 1 - size_exponent(aN=aN, aB=aB, aS=aS)


def efficient_excess(*, aN: Array, aS: Array) -> Array:
    """Loss of the compute-efficient run over the converged one: 1 + aN/aS [kaplan2020, app. B]."""
    return 1 + aN / aS


def overfit(*, N: Array, D: Array, aN: Array, aD: Array, Nc: Array, Dc: Array) -> Array:
    r"""Relative loss from finite data: $L(N, D) / L(N, \infty) - 1$ [kaplan2020, sec. 4.2]."""
    return jnp.expm1(aD * jnp.log1p((N / Nc) ** (aN / aD) * (Dc / D)))


def steps_before_overfit(
    *, N: Array, D: Array, aN: Array, aD: Array, Nc: Array, Dc: Array, Sc: Array, aS: Array
) -> Array:
    r"""Least steps before early stopping: $S_c\,(L(N, D) - L(N, \infty))^{-1/a_S}$.

    [kaplan2020, eq. 5.7]
    """
    excess = (Nc / N) ** aN * overfit(N=N, D=D, aN=aN, aD=aD, Nc=Nc, Dc=Dc)
    return Sc * excess ** (-1 / aS)


def safe_tokens(*, N: Array, coefficient: Any = 5e3, exponent: Any = 0.74) -> Array:
    """Tokens that keep the overfitting below the noise of 0.02 [kaplan2020, eq. 4.4]."""
    return coefficient * N**exponent


def misread_exponent(*, aN: Array, aD: Array) -> Array:
    """Exponent of N_opt if `kaplan_nd` is minimised under C = 6ND: 1 / (1 + aN/aD).

    A misuse: the law is of early-stopped runs, and 0.575 is not the paper's 0.73 [kaplan2020].
    """
    return 1 / (1 + aN / aD)


def misread_size(*, C: Array, aN: Array, aD: Array, Nc: Array, Dc: Array) -> Array:
    """N_opt if `kaplan_nd` is minimised under C = 6ND; see `misread_exponent`."""
    r = aN / aD
    return jnp.exp((jnp.log(r) + r * jnp.log(Nc) + jnp.log(C / 6) - jnp.log(Dc)) / (1 + r))


QUANTITIES: dict[str, dict[str, Callable[..., Any]]] = {
    "kaplan_c": {"L": loss_against_compute, "C_min": least_compute},
    "kaplan_b_crit": {"S_min": least_steps, "C_min": least_compute},
    "kaplan_allocation": {
        "exponent_C": compute_exponent,
        "exponent_N": size_exponent,
        "exponent_B": batch_exponent,
        "exponent_S": step_exponent,
        "exponent_D": token_exponent,
        "L_star_over_L_inf": efficient_excess,
    },
    "kaplan_overfit": {
        "relative_excess_loss": overfit,
        "S_stop_lower_bound": steps_before_overfit,
        "D_safe": safe_tokens,
    },
    "kaplan_misuse": {"exponent_N_under_6ND": misread_exponent, "N_opt": misread_size},
}
