"""frontier: the best use of a budget under any law and any cost model, with intervals.

Everything is a one-dimensional problem in log N: tokens follow from the budget (or from a target
loss), the optimum is the root of a derivative, and derivatives pass through the root.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jax import Array

from jaxlaws import flops
from jaxlaws._draws import TRUST, Draws
from jaxlaws._errors import InputError
from jaxlaws._implicit import argmin, root
from jaxlaws._interval import check_prob
from jaxlaws._law import Law
from jaxlaws._points import check_input

WINDOW = 14.0  # log N is searched this far to both sides of the square root of the budget
DECADES = (0.0, 80.0)  # log D is searched here where a target loss decides it
AFFINE_AT = np.array([0.0, 1e9, 2e9])  # D at which a cost shows whether it is affine in D
DERIVED = ("N", "D", "C", "M")  # inputs that follow from N and D: C = 6 N D, M = D/N

# (law, parameters, () place on the axis, cost, what else is given) -> name -> ()
Best = Callable[..., dict[str, Array]]


@dataclass(frozen=True, eq=False)
class Frontier:
    """Best allocations along one axis (m,) of budgets or target losses.

    Attributes:
        along: Name of the axis, "C" [FLOP] or the target's symbol.
        at: (m,) its values.
        estimate: Name -> (m,): N_opt, D_opt, and L_opt or C_opt.
        values: Name -> (draw, m).
        units: Name -> unit.
        withheld: (m,) why no interval may be given; empty where it may.
        source: The law, and the runs or constants it is known from, in words.
    """

    along: str
    at: np.ndarray
    estimate: Mapping[str, np.ndarray]
    values: Mapping[str, np.ndarray]
    units: Mapping[str, str]
    withheld: tuple[str, ...]
    source: str

    def frame(self, prob: float = 0.9) -> pd.DataFrame:
        """One row per budget: N_opt, D_opt, tokens per parameter and loss, with intervals.

        Args:
            prob: Probability of the central intervals.
        """
        check_prob(prob)
        tail = [(1 - prob) / 2, (1 + prob) / 2]
        frame = pd.DataFrame({self.along: self.at})
        for name, value in self.estimate.items():
            frame[name] = value
            low, high = (np.full(len(frame), np.nan),) * 2
            if len(self.values[name]) > 1:
                inside = ~np.isnan(self.values[name])
                kept = np.where(inside.any(axis=0), self.values[name], 0.0)
                low, high = np.nanquantile(kept, tail, axis=0)
                gone = np.array([bool(w) for w in self.withheld])
                low, high = np.where(gone, np.nan, low), np.where(gone, np.nan, high)
            frame[f"{name}_low"], frame[f"{name}_high"] = low, high
        frame.attrs.update(prob=prob, units=dict(self.units), withheld=self.withheld)
        return frame

    def __repr__(self) -> str:
        frame = self.frame()
        reasons = sorted({w for w in self.withheld if w})
        units = ", ".join(f"{k} [{v}]" for k, v in self.units.items() if v)
        lines = [f"{self.source}: best allocation over {self.along}, 90 % intervals; {units}"]
        lines += [f"  no intervals where {w}" for w in reasons]
        if all(self.withheld) or frame.iloc[:, 2].isna().all():
            frame = frame.dropna(axis=1, how="all")
        return "\n".join([*lines, frame.to_string(index=False, float_format="{:.4g}".format)])


def frontier(draws: Draws, C: Any, *, cost: flops.Cost = flops.dense, **given: Any) -> Frontier:
    r"""Compute-optimal parameters and tokens for budgets C.

    $$N_{opt}(C) = \arg\min_N L(N, D) \quad \text{where} \quad cost(N, D) = C$$

    Args:
        draws: Draws of a law of N and D (or of C and M = D/N).
        C: () or (m,) budgets in FLOP.
        cost: Cost model ``cost(N, D)``, rising in both.
        **given: Values of the law's other inputs (U_D=1e11).

    Raises:
        InputError: A budget is not positive, or the law has no N and D to choose.

    >>> import jaxlaws as jl
    >>> known = jl.published(jl.laws.chinchilla, "hoffmann2022_unrounded")
    >>> f"{jl.frontier(known, C=5.76e23).estimate['N_opt'][0]:.3e}"
    '4.036e+10'
    """
    extra = _given(draws.law, given)
    budgets = _axis(C, "C", "FLOP")
    units = {"N_opt": "parameters", "D_opt": "tokens", "L_opt": draws.law.target.unit}
    return _over(draws, optimum, cost, extra, "C", budgets, units)


def optimum(
    law: Law,
    params: Mapping[str, Array],
    budget: Array,
    cost: flops.Cost,
    given: Mapping[str, Any],
) -> dict[str, Array]:
    """Compute-optimal N, D and L of one parameter set at one budget; differentiable in both."""
    middle = 0.5 * jnp.log(budget / 6.0)

    def tokens(log_n: Array) -> Array:
        return _tokens(cost, jnp.exp(log_n), budget)

    def loss(log_n: Array) -> Array:
        n, d = jnp.exp(log_n), tokens(log_n)
        safe = jnp.where(d > 0, d, 1.0)
        value = law.scalar({**params, **_derived(law, n, safe), **given})
        return jnp.where(d > 0, sign * value, jnp.inf)

    sign = -1.0 if law.target.higher_is_better else 1.0
    log_n = argmin(loss, middle - WINDOW, middle + WINDOW)
    return {"N_opt": jnp.exp(log_n), "D_opt": tokens(log_n), "L_opt": sign * loss(log_n)}


def cheapest(draws: Draws, loss: Any, *, cost: flops.Cost = flops.dense, **given: Any) -> Frontier:
    r"""The cheapest way to a target loss: with ``cost=flops.inference(D_inf)``, serving included.

    $$\min_{N, D} cost(N, D) \quad \text{where} \quad L(N, D) = \ell$$

    The problem of inference-aware training [sardana2024, eq. 2].

    Args:
        draws: Draws of a law of N and D.
        loss: () or (m,) target losses.
        cost: Cost model ``cost(N, D)``.
        **given: Values of the law's other inputs.
    """
    extra = _given(draws.law, given)
    target = draws.law.target
    units = {"N_opt": "parameters", "D_opt": "tokens", "C_opt": "FLOP"}
    losses = _axis(loss, target.name, target.unit)
    return _over(draws, _cheapest, cost, extra, target.name, losses, units)


def _cheapest(
    law: Law,
    params: Mapping[str, Array],
    target: Array,
    cost: flops.Cost,
    given: Mapping[str, Any],
) -> dict[str, Array]:
    def price(log_n: Array) -> Array:
        n = jnp.exp(log_n)
        d = _tokens_for(law, params, n, target, cost, given)
        return jnp.log(cost(n, jnp.where(jnp.isnan(d), 1.0, d))) + 0.0 * d

    log_n = argmin(price, jnp.asarray(np.log(1e3)), jnp.asarray(np.log(1e16)), points=129)
    n = jnp.exp(log_n)
    d = _tokens_for(law, params, n, target, cost, given)
    return {"N_opt": n, "D_opt": d, "C_opt": cost(n, d)}


def isoloss(draws: Draws, loss: float, N: Any, **given: Any) -> Frontier:
    """Tokens that N parameters need to reach a loss: one curve of equal loss.

    Args:
        draws: Draws of a law of N and D.
        loss: The target loss.
        N: (m,) parameters.
        **given: Values of the law's other inputs.
    """
    extra = _given(draws.law, given)
    target = _axis(loss, draws.law.target.name, draws.law.target.unit)[0]
    axis = _axis(N, "N", "parameters")
    return _over(draws, _needed, flops.dense, (target, extra), "N", axis, {"D": "tokens"})


def _needed(
    law: Law, params: Mapping[str, Array], n: Array, cost: flops.Cost, given: Any
) -> dict[str, Array]:
    target, extra = given
    return {"D": _tokens_for(law, params, n, target, cost, extra)}


def _over(
    draws: Draws,
    best: Best,
    cost: flops.Cost,
    given: Any,
    along: str,
    at: np.ndarray,
    units: Mapping[str, str],
) -> Frontier:
    if not callable(cost):
        raise InputError(f"cost is a function of N and D, e.g. jl.flops.dense; got {cost!r}.")

    def at_sets(sets: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        with jax.enable_x64(True):
            found = _everywhere(best, draws.law, cost)(sets, at, given)
        return {k: np.asarray(found[k]).T for k in units}  # jit hands keys back sorted

    found = draws.ask(at_sets)
    estimate, values = found.estimate, found.values
    lost = np.isnan(next(iter(values.values()))).mean(axis=0)
    leaning = np.any([found.leaning(k) for k in units], axis=0)
    sure = draws.withheld() if len(draws) > 1 else ""
    withheld = tuple(
        sure
        or (draws.looseness() if leans else "")
        or (f"{share:.0%} of the draws have no optimum inside the range" if share > TRUST else "")
        for share, leans in zip(lost, leaning, strict=True)
    )
    if {"N_opt", "D_opt"} <= set(estimate):
        estimate["tokens_per_parameter"] = estimate["D_opt"] / estimate["N_opt"]
        values["tokens_per_parameter"] = values["D_opt"] / values["N_opt"]
    return Frontier(along, at, estimate, values, dict(units), withheld, draws.source)


@lru_cache(maxsize=128)  # one compiled function per law and cost
def _everywhere(best: Best, law: Law, cost: flops.Cost) -> Callable[..., dict[str, Array]]:
    """(parameters (draw,), axis (m,), given) -> name -> (m, draw)."""

    def each(params: Mapping[str, Array], at: Array, given: Any) -> dict[str, Array]:
        over_draws = jax.vmap(lambda p, x: best(law, p, x, cost, given), (0, None))
        return jax.lax.map(lambda x: over_draws(params, x), at)

    return jax.jit(each)


def _tokens(cost: flops.Cost, n: Array, budget: Array) -> Array:
    """D that spends the budget: at once where the cost is affine in D, else by a root."""
    if _is_affine(cost):
        # The slope as a derivative: a difference of costs would lose it beside a large fixed one.
        start, ahead = jnp.zeros_like(n), jnp.ones_like(n)
        fixed, slope = jax.jvp(lambda d: cost(n, d), (start,), (ahead,))
        return (budget - fixed) / slope
    low, high = (jnp.full_like(n, end) for end in DECADES)
    return jnp.exp(
        root(lambda log_d: jnp.log(cost(n, jnp.exp(log_d))) - jnp.log(budget), low, high)
    )


@lru_cache(maxsize=128)
def _is_affine(cost: flops.Cost) -> bool:
    price: Callable[..., Any] = cost  # takes plain numbers as well, which cost no compilation
    with jax.ensure_compile_time_eval():  # a cost written with jax.numpy is evaluated too
        first, second, third = (float(price(np.float64(1e9), d)) for d in AFFINE_AT)
    return abs(third - 2 * second + first) <= 1e-6 * abs(third)


def _tokens_for(
    law: Law,
    params: Mapping[str, Array],
    n: Array,
    target: Array,
    cost: flops.Cost,
    given: Mapping[str, Any],
) -> Array:
    """D at which the law reaches a target with n parameters; NaN where it never does."""

    def gap(log_d: Array) -> Array:
        d = jnp.exp(log_d)
        values = {**params, **_derived(law, n, d), **given}
        return jnp.log(law.scalar(values)) - jnp.log(target)

    low, high = (jnp.full_like(n, end) for end in DECADES)
    return jnp.exp(root(gap, low, high))


def _derived(law: Law, n: Array, d: Array) -> dict[str, Array]:
    """The inputs that follow: C is the compute of training, whatever the budget pays for."""
    values = {"N": n, "D": d, "C": flops.dense(n, d), "M": d / n}
    return {k: v for k, v in values.items() if k in law.inputs}


def _given(law: Law, given: Mapping[str, Any]) -> dict[str, np.ndarray]:
    free = [k for k in law.inputs if k in DERIVED and k not in given]
    if not ({"N", "D"} <= set(free) or {"C", "M"} <= set(free)):
        raise InputError(
            f"{law.name} has no N and D to choose: its inputs are {', '.join(law.inputs)}."
        )
    other = [k for k in law.inputs if k not in DERIVED and k not in given]
    if other:
        raise InputError(f"{law.name} also needs {', '.join(other)}: give them by name.")
    unknown = [k for k in given if k not in law.inputs]
    if unknown:
        raise InputError(f"{law.name} has no input {unknown[0]!r}.")
    return {k: check_input(law.inputs[k], v) for k, v in given.items()}


def _axis(values: Any, name: str, unit: str) -> np.ndarray:
    try:
        axis = np.atleast_1d(np.asarray(values, float))
    except (TypeError, ValueError):
        raise InputError(f"{name} ({unit}) must be numbers, got {values!r}.") from None
    if axis.ndim != 1 or not axis.size or not np.isfinite(axis).all() or (axis <= 0).any():
        raise InputError(f"{name} ({unit}) must be finite numbers above zero, got {values!r}.")
    return axis
