"""Dropping examples: pruning a data set can beat its power law [sorscher2022]."""

import math
from collections.abc import Callable
from functools import partial
from typing import Annotated

import jax
import jax.numpy as jnp
from jax import Array

from jaxlaws._law import Parameter, Variable, law
from jaxlaws._support import positive

SOURCE = "sorscher2022"

PerParameter = Annotated[Array, Variable("examples per parameter")]
Error = Annotated[Array, Variable("error rate", name="err")]
Height = Annotated[Array, Parameter("", positive, (0.1, 2.0))]

WITHOUT_LAW: tuple[tuple[str, str], ...] = (
    (
        "Beyond neural scaling laws: the replica equations, 2206.14486",
        "The curve at a finite quality of the pruning metric solves coupled integral equations "
        "that were not transcribed; `perceptron_error` simulates the same experiment instead.",
    ),
)


@law(source=SOURCE)
def prune_power(alpha_tot: PerParameter, *, c: Height) -> Error:
    r"""Error of a perceptron taught by alpha examples per parameter, drawn at random.

    $$\mathrm{err}(\alpha) = c / \alpha$$

    err = arccos(R) / pi for an overlap R of student and teacher; what an example adds to it falls
    like 1 / alpha [sorscher2022].
    """
    return c / alpha_tot


@law(source=SOURCE)
def prune_exp(
    alpha_prune: PerParameter,
    *,
    c: Height,
    k: Annotated[Array, Parameter("", positive, (0.1, 5.0))],
    q: Annotated[Array, Parameter("", positive, (0.2, 1.2))],
) -> Error:
    r"""Error along the frontier of pruning, per example kept.

    $$\mathrm{err}(\alpha) = c \exp(-k \alpha^{q})$$

    q = 1 is the exponential fall that a perfect metric allows; a poor one leads back to a power.
    A stretched form to be compared with `prune_power` [sorscher2022].
    """
    return c * jnp.exp(-k * alpha_prune**q)


def best_share(fractions: Array, errors: Array) -> Array:
    """Share of the data to keep, f, where the error is least.

    Args:
        fractions: (g,) shares kept.
        errors: (..., g) errors at those shares, a row per size of the whole data set.
    """
    return fractions[jnp.argmin(errors, axis=-1)]


def free_share(fractions: Array, errors: Array, tolerance: float = 0.0) -> Array:
    """Largest share of the data that can be dropped without a worse error than all of it gives.

    Args:
        fractions: (g,) shares kept, increasing, the last one 1.
        errors: (..., g) errors at those shares.
        tolerance: Relative rise of the error that still counts as none.
    """
    kept = jnp.where(errors <= errors[..., -1:] * (1 + tolerance), fractions, 1.0)
    return 1 - jnp.min(kept, axis=-1)


def matching_share(alpha_tot: Array, c: Array, k: Array, q: Array, c_random: Array) -> Array:
    """Share kept on the frontier `prune_exp` that does as well as all data at random, at most 1."""
    return jnp.minimum((jnp.log(c * alpha_tot / c_random) / k) ** (1 / q) / alpha_tot, 1.0)


@partial(jax.jit, static_argnames=("N", "total", "kept", "steps"))
def perceptron_error(
    key: Array, N: int, total: int, kept: int, theta: Array, steps: int = 4000
) -> Array:
    """Error of a student perceptron taught by the hardest of its examples, one random experiment.

    A teacher labels `total` Gaussian examples in N dimensions; those nearest to the boundary of a
    probe at angle theta from the teacher are kept; the student has the widest margin on them, found
    by steps towards the example with the smallest [sorscher2022, sec. 2].
    """
    for_teacher, for_probe, for_examples = jax.random.split(key, 3)
    teacher = jax.random.normal(for_teacher, (N,))
    teacher /= jnp.linalg.norm(teacher)
    aside = jax.random.normal(for_probe, (N,))
    aside -= (aside @ teacher) * teacher
    probe = jnp.cos(theta) * teacher + jnp.sin(theta) * aside / jnp.linalg.norm(aside)
    x = jax.random.normal(for_examples, (total, N))
    hardest = x[jnp.argsort(jnp.abs(x @ probe))[:kept]]
    signed = hardest * jnp.sign(hardest @ teacher)[:, None]

    def nearer(student: Array, _: None) -> tuple[Array, None]:
        return student + signed[jnp.argmin(signed @ student)], None

    student, _ = jax.lax.scan(nearer, jnp.sum(signed, axis=0), None, steps)
    return jnp.arccos(jnp.clip(student @ teacher / jnp.linalg.norm(student), -1, 1)) / math.pi


QUANTITIES: dict[str, dict[str, Callable[..., Array]]] = {
    "prune_frontier": {
        "f_opt": best_share,
        "f_free": free_share,
        "f_matching": matching_share,
        "err_simulated": perceptron_error,
        "err": prune_exp.fn,
    },
}
