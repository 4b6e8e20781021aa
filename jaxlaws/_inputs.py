"""Inputs that were measured with an error, and what a run's true ones may be."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxlaws._errors import InputError
from jaxlaws._law import Law
from jaxlaws._runs import Runs

COUNTED = ("group", "curve")  # inputs that number something, and have no error
DEPENDENT = 1e-9  # an input whose part beyond the others is smaller says nothing of its own


class Blur(NamedTuple):
    r"""An input with errors, on its unconstrained line (the logarithm of a positive input).

    $$x_i = m_i + u\,(b_i^\top c + e^s w_i), \quad \hat x_i = x_i + \epsilon_i$$

    with w standard normal, so that the true values x come from a population whose middle moves with
    the other inputs and whose spread is learnt [kelly2007]; without it an exponent would come out
    too small. Leaves may gain a leading axis of data sets.

    Attributes:
        middle: (n,) m, what a regression on the other measured inputs says.
        seen: (n,) measured minus that, in units of u.
        error: (n,) standard deviation of epsilon, on the line.
        basis: (n, k) b, a constant and the other inputs, orthogonal and of mean square one.
        unit: () u, the spread of the measured values around m.
    """

    middle: Any
    seen: Any
    error: Any
    basis: Any
    unit: Any

    def log_density(self, place: Array) -> Array:
        """(n,) log density of the measured values, at c and s as one vector (k + 1,)."""
        centre, spread, error = self._population(place)
        variance = spread**2 + error**2
        return -0.5 * ((self.seen - centre) ** 2 / variance + jnp.log(variance))

    def true(self, place: Array) -> tuple[Array, Array]:
        """Mean and standard deviation (n,) of the true values on the line, given the measured."""
        centre, spread, error = self._population(place)
        share = spread**2 / (spread**2 + error**2)
        mean = centre + share * (self.seen - centre)
        return self.middle + self.unit * mean, self.unit * jnp.sqrt(share) * error

    def _population(self, place: Array) -> tuple[Array, Array, Array]:
        return self.basis @ place[:-1], jnp.exp(place[-1]), self.error / self.unit


def numeric(law: Law) -> tuple[str, ...]:
    """The inputs with one number per run that can be measured."""
    return tuple(k for k, v in law.inputs.items() if not v.size and k not in COUNTED)


def check_input_error(law: Law, runs: Runs, given: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Name -> (n,) standard errors on the unconstrained line, in the law's order.

    Args:
        law: The law.
        runs: The runs.
        given: Input -> standard error, one number or (n,): a share of a positive input, else in
            the input's own unit.

    Raises:
        InputError: One is for nothing the law can have an error in, is negative or no number, or
            there are too few runs to see how the true inputs vary.
    """
    known = () if "curve" in law.inputs else numeric(law)  # steps of a curve are counted
    found = {}
    for name, value in given.items():
        if name not in known:
            raise InputError(
                f"input_error: {law.name} has no measured input {name!r} with one number per run; "
                f"it has {', '.join(known) or 'none'}."
            )
        try:
            error = np.broadcast_to(np.asarray(value, float), (len(runs),))
        except (TypeError, ValueError):
            raise InputError(
                f"input_error: {name} takes one standard error, or one for each of {len(runs)} "
                f"runs; got {value!r}."
            ) from None
        if not (np.isfinite(error) & (error >= 0)).all():
            i = int(np.argmin(np.isfinite(error) & (error >= 0)))
            raise InputError(
                f"input_error: {name} must be a standard error, zero or more; got {error[i]:g} for "
                f"row {runs.rows[i]} of {runs.name}."
            )
        support = law.inputs[name].support
        if support.name != "positive":
            with jax.enable_x64(True):
                slope = np.asarray(jax.vmap(jax.grad(support.unconstrain))(runs.inputs[name]))
            if not np.isfinite(slope[error > 0]).all():
                raise InputError(
                    f"input_error: {name} is at an end of {support} in a run, where it has no "
                    "error on either side; give that run the error 0."
                )
            error = np.where(error > 0, np.abs(slope) * error, 0.0)
        found[name] = error
    count, least = int((runs.weight > 0).sum()), len(known) + 2
    if found and count < least:
        raise InputError(
            f"input_error: {runs.name} has {count} runs, and {least} are needed to see how the "
            f"true {' and '.join(found)} vary."
        )
    return {name: found[name] for name in law.inputs if name in found}


def blur(law: Law, runs: Runs, name: str, error: np.ndarray) -> Blur:
    """What is known of one input's true values, from its standard errors (n,) on the line."""
    live = runs.weight > 0
    columns = [_on_line(law, runs, key) for key in numeric(law) if key != name]
    table = np.column_stack([np.ones(len(runs)), *columns])
    # Orthogonal among the runs that count; a run without weight follows.
    _, size, turn = np.linalg.svd(table[live], full_matrices=False)
    free = size > DEPENDENT * size[0]
    basis = np.sqrt(live.sum()) * (table @ turn.T) * np.where(free, 1 / size, 0.0)
    own = _on_line(law, runs, name)
    middle = basis @ (basis[live].T @ own[live]) / live.sum()
    off = own - middle
    unit = np.sqrt(np.sum(off[live] ** 2) / (live.sum() - free.sum()))
    return Blur(middle, off / unit, error, basis, unit)


def _on_line(law: Law, runs: Runs, name: str) -> np.ndarray:
    support = law.inputs[name].support
    return np.array([support.unconstrain_number(value) for value in runs.inputs[name]])
