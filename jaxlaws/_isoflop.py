"""IsoFLOP parabolas, and what every classical estimate of the compute-optimal size shares."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jax import Array

from jaxlaws._draws import Draws
from jaxlaws._errors import InputError
from jaxlaws._frontier import Frontier
from jaxlaws._law import Law, Parameter, Variable, law
from jaxlaws._runs import Runs
from jaxlaws._solver import CONVERGED, NOT_FINITE
from jaxlaws._support import positive
from jaxlaws.quantities import FLOP, Slope

HALF = 0.5  # share of draws with an optimum below which a budget has no interval
ENOUGH = 3  # budgets, or sizes on an envelope, that a draw's line needs where the data have them
SHOWN = 20  # budgets in a printed table at most
WIDTH = 16  # budgets are padded to a multiple, so that tables of like size share a compilation

Coefficient = Annotated[Array, Parameter("", positive, (1e-6, 1e4))]
Optimum = Annotated[Array, Variable("parameters", typical=(1e3, 1e15), name="N_opt")]


@law(source="hoffmann2022")
def optimum_power(C: FLOP, *, coefficient: Coefficient, exponent: Slope) -> Optimum:
    r"""Compute-optimal number of parameters (or tokens) for a budget of C FLOP.

    $$N_{opt}(C) = k\, C^{a}$$

    k is the coefficient and a the exponent, near 1/2 where parameters and tokens grow alike
    [hoffmann2022, sec. 3].
    """
    return jnp.exp(jnp.log(coefficient) + exponent * jnp.log(C))


def power_law_of(of: str) -> Law:
    """The law of N_opt(C) for "N", of D_opt(C) for "D"."""
    if of not in ("N", "D"):
        raise InputError(f'of must be "N" (parameters) or "D" (tokens); got {of!r}.')
    tokens = Variable("tokens", typical=(1e3, 1e17), name="D_opt")
    return optimum_power if of == "N" else replace(optimum_power, target=tokens)


@dataclass(frozen=True, eq=False)
class Optima:
    """The compute-optimal run of every budget, with draws: the points behind a power law of C.

    Attributes:
        C: (b,) budgets in FLOP.
        estimate: "N_opt", "D_opt", "L_opt" -> (b,) logarithms; NaN where there is no optimum.
        draws: The same names -> (draw, b).
        weight: (b,) weights of the budgets in a regression on C.
        inside: (b,) share of all draws in which the budget has an optimum.
        enough: (draw,) whether a draw has optima enough for a line.
        origin: How they were found, in words.
        notes: What was left out, and what a reader must know.
    """

    C: np.ndarray
    estimate: Mapping[str, np.ndarray]
    draws: Mapping[str, np.ndarray]
    weight: np.ndarray
    inside: np.ndarray
    enough: np.ndarray
    origin: str
    notes: tuple[str, ...] = ()

    def line(self, of: str = "N") -> Draws:
        """Draws of the power law through the optima, of parameters ("N") or of tokens ("D")."""
        chosen = power_law_of(of)
        y = self.estimate[f"{of}_opt"]
        point = power_line(self.C, np.exp(y), self.weight)
        many = power_line(self.C, np.exp(self.draws[f"{of}_opt"]), self.weight)
        good = self.enough & np.isfinite(many["exponent"])
        residual = y - np.log(point["coefficient"]) - point["exponent"] * np.log(self.C)
        residual = residual[np.isfinite(residual)]
        spent = np.sqrt(len(residual) / (len(residual) - 2)) if len(residual) > 2 else 0.0
        return Draws(
            law=chosen,
            params={k: np.where(good, v, np.nan) for k, v in many.items()},
            point=point,
            status=np.where(good, CONVERGED, NOT_FINITE),
            origin="; ".join([f"{of}_opt by {self.origin}", *self.notes]),
            space="log",
            noise=(residual - residual.mean()) * spent,
            failure="fewer budgets than a line needs have an optimum inside their sizes; "
            "sample sizes on both sides of the optimum, or add budgets.",
        )

    def frontier(self) -> Frontier:
        """The optima as a frontier over C, for its table and its plots."""
        units = {"N_opt": "parameters", "D_opt": "tokens", "L_opt": "nats/token"}
        estimate, values = (
            {k: np.exp(v) for k, v in part.items()}
            | {"tokens_per_parameter": np.exp(part["D_opt"] - part["N_opt"])}
            for part in (self.estimate, self.draws)
        )
        gone = np.isnan(self.estimate["N_opt"]) | (self.inside < HALF)
        withheld = tuple(
            f"C = {c:.3g} has an optimum inside in {share:.0%} of the draws" if out else ""
            for c, share, out in zip(self.C, self.inside, gone, strict=True)
        )
        return Frontier("C", self.C, estimate, values, units, withheld, self.origin)

    def frame(self, prob: float = 0.9) -> pd.DataFrame:
        """One row per budget: N, D, loss and D/N with intervals, and the share of draws inside.

        Intervals are over the draws that have an optimum; none where fewer than half do.
        """
        frame = self.frontier().frame(prob)
        frame["inside"] = self.inside
        frame.attrs["notes"] = self.notes
        return frame

    def __repr__(self) -> str:
        frame = self.frame().dropna(subset="N_opt")
        shown = frame.iloc[np.unique(np.linspace(0, len(frame) - 1, SHOWN).astype(int))]
        table = shown.to_string(index=False, na_rep="-", float_format="{:.4g}".format)
        head = (
            f"{self.origin}: {len(self.enough)} draws, 90 % intervals where half of them have one"
        )
        return "\n".join([head, *(f"  note: {note}" for note in self.notes), table])


def power_line(C: Any, y: Any, weight: Any = None) -> dict[str, np.ndarray]:
    r"""The power law k C^a through points by weighted least squares in logs.

    $$\min_{k, a} \sum_i w_i (\ln y_i - \ln k - a \ln C_i)^2$$

    Args:
        C: (b,) budgets.
        y: (b,) or (draw, b) positive values; NaN leaves a point out.
        weight: (b,) weights, or None for ones.

    Returns:
        "coefficient" and "exponent", () or (draw,); NaN where fewer than two budgets are left.

    >>> float(power_line([1e18, 1e20, 1e22], [3e8, 3e9, 3e10])["exponent"].round(9))
    0.5
    """
    x, logs = np.log(np.asarray(C, float)), np.log(np.asarray(y, float))
    w = np.where(np.isfinite(logs), 1.0 if weight is None else np.asarray(weight, float), 0.0)
    logs = np.where(np.isfinite(logs), logs, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        total = np.sum(w, -1)
        x_mean, y_mean = np.sum(w * x, -1) / total, np.sum(w * logs, -1) / total
        away = x - x_mean[..., None]
        square = np.sum(w * away**2, -1)
        slope = np.where(square > 1e-12 * total, np.sum(w * away * logs, -1) / square, np.nan)
        return {"coefficient": np.exp(y_mean - slope * x_mean), "exponent": slope}


class Budgets(NamedTuple):
    """Runs by budget: C (b,), how many (b,), and ln N, loss, ln D, weight (b, m), rising in N."""

    C: np.ndarray
    many: np.ndarray
    size: np.ndarray
    loss: np.ndarray
    tokens: np.ndarray
    weight: np.ndarray
    label: str

    def optima(self, size: np.ndarray, loss: np.ndarray, origin: str, weight: Any) -> Optima:
        """The record of minima (1 + draw, b) in logs, those of the measured losses first."""
        there = np.isfinite(size)
        usable = int(there[0].sum())
        if usable < 2:
            raise InputError(
                f"{self.label}: {usable} of {len(self.C)} budgets have a minimum of the loss "
                "inside the sampled sizes; a line needs two. Runs of one budget must share C, or "
                'name the budget with by="group"; else sample smaller and larger models.'
            )
        rows = zip(size.T, self.size, self.tokens, self.many, strict=True)
        tokens = np.stack([np.interp(at, x[:n], d[:n]) for at, x, d, n in rows], axis=1)
        found = {"N_opt": size, "D_opt": tokens, "L_opt": loss}
        return Optima(
            C=self.C,
            estimate={k: v[0] for k, v in found.items()},
            draws={k: v[1:] for k, v in found.items()},
            weight=weight,
            inside=there[1:].mean(axis=0),
            enough=there[1:].sum(axis=1) >= min(ENOUGH, usable),
            origin=origin,
            notes=tuple(
                f"no minimum inside the {n} runs at C = {c:.3g}, left out"
                for c, n, ok in zip(self.C, self.many, there[0], strict=True)
                if not ok
            ),
        )


def by_budget(runs: Runs, by: str = "C", lowest: bool = False) -> Budgets:
    """Runs of positive weight by budget, padded with copies of the first one with no weight.

    With `lowest`, only the run of lowest loss counts among those of a budget and a size.
    """
    C, N, loss = inputs(runs, "C", "N")
    tokens = inputs(runs, "D")[0] if "D" in runs.inputs else C / (6 * N)
    if by != "group" and (by not in runs.inputs or runs.inputs[by].ndim > 1):
        raise InputError(
            f'{runs.name}: by must be "group" or an input of one number per run; got {by!r}.'
        )
    live = runs.weight > 0
    names = np.log(C).round(6) if by == "C" else {**runs.inputs, "group": runs.group}[by][live]
    code = np.unique(names, return_inverse=True)[1]
    order = np.lexsort((loss, N, code))
    if lowest:
        again = (np.diff(code[order]) == 0) & (np.diff(N[order]) == 0)
        order = order[np.append(True, ~again)]
    count = np.bincount(code[order])
    slot = np.arange(-(-count.max() // WIDTH) * WIDTH)
    real = slot < count[:, None]
    index = order[(np.cumsum(count) - count)[:, None] + np.where(real, slot, 0)]
    return Budgets(
        C=np.exp(np.bincount(code, np.log(C)) / np.bincount(code)),
        many=count,
        size=np.log(N)[index],
        loss=loss[index],
        tokens=np.log(tokens)[index],
        weight=np.where(real, runs.weight[live][index], 0.0),
        label=runs.name,
    )


def inputs(runs: Runs, *names: str) -> tuple[np.ndarray, ...]:
    """Inputs (live,) of the runs of positive weight, and their target last, checked positive."""
    units = {"C": "FLOP", "N": "parameters", "D": "tokens", "target": "loss"}
    if missing := [name for name in names if name not in runs.inputs]:
        raise InputError(
            f"{runs.name} has no input {missing[0]!r} ({units[missing[0]]}); it has "
            f"{', '.join(runs.inputs) or 'none'}."
        )
    columns = {**{name: runs.inputs[name] for name in names}, "target": runs.target}
    for name, values in columns.items():
        runs._supported(values, name, positive, units[name])
    return tuple(values[runs.weight > 0] for values in columns.values())


def isoflop(
    runs: Runs,
    *,
    of: str = "N",
    degree: int = 2,
    by: str = "C",
    draws: int = 1000,
    key: Array | None = None,
) -> Draws:
    r"""Hoffmann's Approach 2: the power law through the minima of IsoFLOP parabolas.

    $$L = p\,(\ln N)^2 + q \ln N + r, \qquad N_{opt} = e^{-q/2p}$$

    for every budget, and a straight line of ln N_opt on ln C [hoffmann2022, sec. 3.2]. A draw
    resamples the runs within each budget and repeats everything. The parabola is biased where the
    loss is not symmetric about its minimum; `degree=3` allows for that.

    Args:
        runs: Runs with inputs C and N, and D where tokens are not C/(6N).
        of: "N" for N_opt(C), "D" for D_opt(C).
        degree: 2, or 3 for a cubic.
        by: The input that names the budget, or "group"; C is then the budget's geometric mean.
        draws: Number of resamples; one with too few minima inside counts as failed.
        key: Random key; None is a fixed one. Draw i depends on the key and i alone.

    Raises:
        InputError: An input is missing or not positive, or fewer than two budgets have a minimum
            inside the sampled sizes.

    >>> import jaxlaws as jl
    >>> N, C = np.tile(np.geomspace(2e8, 5e9, 7), 3), np.repeat([1e19, 1e20, 1e21], 7)
    >>> loss = 2 + 0.05 * np.log(N / (0.3 * C**0.49)) ** 2
    >>> found = isoflop(jl.Runs.from_arrays(loss, C=C, N=N), draws=100)
    >>> round(float(found.point["exponent"]), 6)
    0.49
    """
    return isoflop_optima(runs, degree=degree, by=by, draws=draws, key=key).line(of)


def isoflop_optima(
    runs: Runs, *, degree: int = 2, by: str = "C", draws: int = 1000, key: Array | None = None
) -> Optima:
    """The minimum of every budget behind `isoflop`, whose arguments these are."""
    if degree not in (2, 3):
        raise InputError(f"degree must be 2 or 3, got {degree}.")
    table = by_budget(runs, by)
    with jax.enable_x64(True):
        key, ids = lanes(key, draws)
        size, loss = map(np.asarray, _vertices(key, ids, table[1:-1], jnp.asarray(degree)))
    shape, check = ("parabolas", "cubics")[:: 1 if degree == 2 else -1]
    origin = f"IsoFLOP {shape}, pairs within {len(table.C)} budgets"
    found = table.optima(size[1:], loss[1:], origin, np.ones(len(table.C)))
    shared = np.where(np.isfinite(size[0] + size[1]), np.exp(size[:2]), np.nan)
    there, here = power_line(table.C, shared)["exponent"]
    spread = np.asarray(found.line().select()["exponent"])
    if len(spread) and abs(there - here) > spread.std():
        note = (
            f"at the same budgets {check} give the exponent {there:.3g} where {shape} give "
            f"{here:.3g}, further apart than its standard error: skewed losses or sizes off centre"
        )
        found = replace(found, notes=(*found.notes, note))
    return found


def lanes(key: Array | None, draws: int) -> tuple[Array, Array]:
    """The key, a fixed one for None, and the numbers (draw,) of the draws."""
    if draws < 2:
        raise InputError(f"An interval needs at least 2 draws, got {draws}.")
    return jax.random.key(0) if key is None else key, jnp.arange(draws)


@jax.jit
def _vertices(
    key: Array, ids: Array, table: tuple[Array, ...], degree: Array
) -> tuple[Array, Array]:
    """Log size and log loss (2 + r, b) at the minima: all runs in the other degree, all, draws."""
    count, x, loss, _, weight = table
    slot, row = jnp.arange(x.shape[1])[None], jnp.arange(len(x))[:, None]
    low, high = x.min(axis=1, keepdims=True), x.max(axis=1, keepdims=True)
    middle, half = (low + high) / 2, jnp.where(high > low, (high - low) / 2, 1.0)
    t = (x - middle) / half
    powers = jnp.stack([t**j for j in range(4)])
    earlier = (x[:, :, None] == x[:, None, :]) & (slot[:, :, None] > slot[:, None, :])

    def minimum(w: Array, degree: Array) -> tuple[Array, Array]:
        seen = w > 0
        distinct = seen & ~(earlier & seen[:, None, :]).any(axis=2)
        enough = distinct.sum(axis=1) > degree
        gram = jnp.einsum("jbm,kbm->jkb", w[None] * powers, powers)
        used = jnp.arange(4) <= degree  # a term that is not used is held at zero
        both = (used[:, None] & used[None])[..., None] & enough[None, None]
        gram = jnp.where(both, gram, jnp.eye(4)[..., None])
        right = jnp.where(used[:, None], (w[None] * powers * loss[None]).sum(axis=-1), 0.0)
        c = _solve(gram, right)
        # Of a cubic's two flat points this is the minimum, and at c[3] = 0 it is the parabola's.
        square = c[2] ** 2 - 3 * c[1] * c[3]
        below = c[2] + jnp.sqrt(jnp.maximum(square, 0.0))
        curved = enough & (square > 0) & (below > 0)
        at = -c[1] / jnp.where(curved, below, 1.0)
        left, right = jnp.where(seen, t, 2.0).min(axis=1), jnp.where(seen, t, -2.0).max(axis=1)
        value = c[0] + at * (c[1] + at * (c[2] + at * c[3]))
        good = curved & (at > left) & (at < right) & (value > 0)
        size = middle[:, 0] + half[:, 0] * at
        return jnp.where(good, size, jnp.nan), jnp.log(jnp.where(good, value, jnp.nan))

    def resample(i: Array) -> Array:
        uniform = jax.random.uniform(jax.random.fold_in(key, i), x.shape)
        pick = (uniform * count[:, None].astype(float)).astype(int)
        times = jnp.zeros(x.shape).at[row, pick].add(jnp.where(slot < count[:, None], 1.0, 0.0))
        return times * weight

    weights = jnp.concatenate([weight[None], weight[None], jax.vmap(resample)(ids)])
    degrees = jnp.full(len(weights), degree).at[0].set(5 - degree)
    return jax.vmap(minimum)(weights, degrees)


def _solve(gram: Array, right: Array) -> list[Array]:
    """Solve symmetric positive systems (p, p, b) for p times (b,), unrolled: quick to compile."""
    rows = [jnp.concatenate([g, r[None]]) for g, r in zip(gram, right, strict=True)]
    for i in range(len(rows)):
        rows[i] = rows[i] / rows[i][i][None]
        rows = [r if k == i else r - r[i][None] * rows[i] for k, r in enumerate(rows)]
    return [r[-1] for r in rows]
