"""Learning rate and batch size: where they are best, and what a batch costs."""

from collections.abc import Callable
from typing import Annotated

import jax
import jax.numpy as jnp
from jax import Array

from jaxlaws._law import Constants, Parameter, Variable, law
from jaxlaws._support import positive, real
from jaxlaws.quantities import Exponent, Loss, Params, Tokens

STEP = "li2025step"
NEAR_BEST = 0.0025  # relative excess loss up to which a run counts as optimal [li2025step]

Factor = Annotated[Array, Parameter("", positive, (0.05, 20.0))]
LogSize = Annotated[Array, Parameter("", real, (2.0, 9.0))]
Batch = Annotated[Array, Variable("examples or tokens")]


@law(
    source=STEP,
    constants={
        STEP: Constants(
            dict(c=1.79, aN=-0.713, aD=0.307),
            "verified",
            "The released table of runs gives other constants by the released recipe "
            "(aN -0.77, aD 0.20): it is not the set of the fit.",
        ),
        f"{STEP}_mean": Constants(
            dict(c=1.7973404, aN=-0.7129222912, aD=0.3074909504),
            "verified",
            "c is the exponential of the mean of log c, 0.5863077908, over the 1000 released "
            "bootstrap fits; standard deviations 0.62 of log c, 0.030 and 0.019.",
        ),
    },
)
def step_lr(
    N: Params,
    D: Tokens,
    *,
    c: Factor,
    aN: Annotated[Array, Parameter("", real, (-1.2, -0.2))],
    aD: Annotated[Array, Parameter("", real, (-0.3, 0.6))],
) -> Annotated[Array, Variable("learning rate", name="lr_opt")]:
    r"""Best peak learning rate of a model with N non-vocabulary parameters on D tokens.

    $$\eta_{opt}(N, D) = c N^{a_N} D^{a_D}$$

    For AdamW with 2000 steps of warm-up and a cosine down to 1e-5. For sparse models the paper
    leaves open whether N is total or active; total is meant here [li2025step].
    """
    return c * N**aN * D**aD


def learning_rate(
    N: Array,
    D: Array,
    aN: Array,
    aD: Array,
    c: Array | None = None,
    c_log: Array | None = None,
) -> Array:
    """`step_lr` with the factor given as c, or as its logarithm c_log."""
    return jnp.exp(_log(c, c_log) + aN * jnp.log(N) + aD * jnp.log(D))


@law(
    source=STEP,
    constants={
        STEP: Constants(
            dict(c=0.58, aD=0.571),
            "verified",
            "The released table of runs gives another exponent by the released recipe (0.61).",
        ),
        f"{STEP}_mean": Constants(
            dict(c=0.5806876, aD=0.5709443645),
            "verified",
            "c is the exponential of the mean of log c, -0.5435421736, over the 1000 released "
            "bootstrap fits; standard deviations 0.44 of log c and 0.019.",
        ),
    },
)
def step_batch(
    D: Tokens, *, c: Factor, aD: Annotated[Array, Parameter("", positive, (0.3, 0.8))]
) -> Annotated[Array, Variable("tokens per step", name="B_opt")]:
    r"""Best batch in tokens for a run of D tokens, whatever the size of the model.

    $$B_{opt}(D) = c D^{a_D}$$

    In tokens, not sequences; setting as in `step_lr` [li2025step].
    """
    return c * D**aD


def batch_tokens(D: Array, aD: Array, c: Array | None = None, c_log: Array | None = None) -> Array:
    """`step_batch` with the factor given as c, or as its logarithm c_log."""
    return jnp.exp(_log(c, c_log) + aD * jnp.log(D))


def _log(c: Array | None, c_log: Array | None) -> Array:
    if c is not None and c_log is None:
        return jnp.log(c)
    if c_log is not None and c is None:
        return c_log
    raise TypeError("Give the factor once, as c or as its logarithm c_log.")


@law(source=STEP)
def step_loss(
    N: Params,
    D: Tokens,
    *,
    E: Annotated[Array, Parameter("", real, (-1.5, 1.4))],
    A: LogSize,
    B: LogSize,
    alpha: Exponent,
    beta: Exponent,
) -> Loss:
    r"""Loss at the best learning rate and batch, with the logarithms of Chinchilla's sizes.

    $$L(N, D) = e^{E} + e^{A} N^{-\alpha} + e^{B} D^{-\beta}$$

    `chinchilla` with E, A and B in logs; no constants are published [li2025step].
    """
    return jnp.exp(E) + jnp.exp(A - alpha * jnp.log(N)) + jnp.exp(B - beta * jnp.log(D))


def near_best(loss: Array, cell: Array, cells: int, share: float = NEAR_BEST) -> Array:
    """(n,) 1 for runs within a share of the least loss of their cell of equal N and D, else 0.

    Args:
        loss: (n,) losses.
        cell: (n,) number of the cell, 0 to cells - 1.
        cells: How many cells there are.
        share: Relative excess loss that still counts.
    """
    least = jax.ops.segment_min(loss, cell, cells)
    return jnp.where(loss < least[cell] * (1 + share), 1.0, 0.0)


def loglinear(y: Array, *x: Array, weight: Array) -> Array:
    """Weighted least squares of ln y on the ln of each x: intercept and exponents, (1 + k,).

    With `near_best` as the weight, y the learning rate or batch and x the sizes this is the
    procedure behind `step_lr` and `step_batch` [li2025step].
    """
    columns = jnp.stack([jnp.ones_like(y), *(jnp.log(each) for each in x)], axis=1)
    root = jnp.sqrt(weight)
    return jnp.linalg.lstsq(columns * root[:, None], jnp.log(y) * root)[0]


@law(source="mccandlish2018")
def batch_tradeoff(
    B: Batch,
    *,
    S_min: Annotated[Array, Parameter("steps", positive, (1e2, 1e6))],
    B_crit: Annotated[Array, Parameter("examples or tokens", positive, (1e2, 1e8))],
) -> Annotated[Array, Variable("steps", name="S")]:
    r"""Steps to a given loss at batch B.

    $$S(B) = S_{min} \left(1 + \frac{B_{crit}}{B}\right)$$

    The hyperbola (S / S_min - 1)(E / E_min - 1) = 1 with E = B S examples and E_min = B_crit
    S_min: at the critical batch both are twice their least. B and B_crit in one unit, examples or
    tokens [mccandlish2018].
    """
    return S_min * (1 + B_crit / B)


def batch_examples(B: Array, S_min: Array, B_crit: Array) -> Array:
    """Examples to a given loss at batch B: E_min (1 + B / B_crit) [mccandlish2018]."""
    return S_min * (B_crit + B)


def least_examples(S_min: Array, B_crit: Array) -> Array:
    """Examples to a given loss at an infinitely small batch: E_min = B_crit S_min."""
    return S_min * B_crit


def critical_batch(S_min: Array, E_min: Array) -> Array:
    """Critical batch E_min / S_min [mccandlish2018]."""
    return E_min / S_min


QUANTITIES: dict[str, dict[str, Callable[..., Array]]] = {
    "step_lr": {"lr_opt": learning_rate, "near_best": near_best, "fit": loglinear},
    "step_batch": {"B_opt_tokens": batch_tokens, "near_best": near_best, "fit": loglinear},
    "batch_tradeoff": {"E": batch_examples, "E_min": least_examples, "B_crit": critical_batch},
}
