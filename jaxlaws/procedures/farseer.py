"""Farseer's law by stages: differences of losses, then curves in N, then all at once.

Differences of two losses of one size are free of the term in N alone [li2025farseer].
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxlaws._errors import InputError
from jaxlaws._fit import Fit, fit
from jaxlaws._implicit import argmin
from jaxlaws._runs import Runs
from jaxlaws.laws.coupled import farseer

EXPONENTS = (0.01, 2.0)  # of the data, between which a size's own is sought
POWERS = (-1.0, 1.0)  # of N, between which that of a curve is sought
TERMS = (("a1", "a", "b1"), ("a2", "b", "b2"), ("a3", "g", "b3"))  # exponent, height, floor
LEAST = 3  # token counts of a size: two differences


def data_term(D: Array, L: Array, weight: Array) -> tuple[Array, Array]:
    r"""(ln A, B) of one size's A D^-B, from differences of its losses.

    $$\ln(L_j - L_{j+1}) = \ln A + \ln\left(D_j^{-B} - D_{j+1}^{-B}\right)$$

    B is where the difference of both sides, ln A, varies least; on a grid of equal ratios this is
    the line of ln(L(N, D) - L(N, lambda D)) on ln D. A difference weighs as its square, since equal
    errors of the losses make its logarithm so uncertain; pairs whose loss does not fall are left
    out.

    Args:
        D: (c,) rising token counts.
        L: (c,) losses.
        weight: (c - 1,) weights of the differences, zero for none.
    """
    fall = L[:-1] - L[1:]
    weight = jnp.where(fall > 0, weight * fall**2, 0.0)
    left = jnp.log(jnp.where(weight > 0, fall, 1.0))
    u = jnp.log(D / D[0])
    step = jnp.where(weight > 0, jnp.diff(u), 1.0)

    def height(B: Array) -> Array:  # of A D[0]^-B
        return left + B * u[:-1] - jnp.log(-jnp.expm1(-B * step))

    def spread(log_B: Array) -> Array:
        h = height(jnp.exp(log_B))
        middle = jnp.sum(weight * h) / jnp.sum(weight)
        return jnp.sum(weight * (h - middle) ** 2)

    ends = jnp.log(jnp.asarray(EXPONENTS, L.dtype))
    B = jnp.exp(argmin(spread, ends[0], ends[1]))
    return jnp.sum(weight * height(B)) / jnp.sum(weight) + B * jnp.log(D[0]), B


def line(p: Array, N: Array, y: Array, weight: Array) -> tuple[Array, Array]:
    r"""(a, p, b) of the least squares curve y = a N^p + b over sizes (n,) for a given p, not zero.

    Also the weighted sum of squares that it leaves.
    """
    u = jnp.log(N)
    middle = jnp.mean(u)
    x = (u - middle) * _over(p * (u - middle))  # ((N / middle)^p - 1) / p: ln N where p is small
    mean_x, mean_y = (jnp.sum(weight * v) / jnp.sum(weight) for v in (x, y))
    slope = jnp.sum(weight * (x - mean_x) * (y - mean_y)) / jnp.sum(weight * (x - mean_x) ** 2)
    left = y - mean_y - slope * (x - mean_x)
    level = mean_y - slope * mean_x - slope / p
    return jnp.stack([slope / p * jnp.exp(-p * middle), p, level]), jnp.sum(weight * left**2)


def curves(N: Array, y: Array, weight: Array, powers: Array) -> Array:
    """(1 + k, 3) the curve at its best power, NaN if that is at an end, and at k given ones."""
    low, high = (jnp.asarray(end, y.dtype) for end in POWERS)
    best = argmin(lambda p: line(p, N, y, weight)[1], low, high)
    return jax.vmap(lambda p: line(p, N, y, weight)[0])(jnp.append(best, powers))


def _over(x: Array) -> Array:
    """(e^x - 1) / x, also where x is none."""
    small = jnp.abs(x) < 1e-6
    safe = jnp.where(small, 1.0, x)
    return jnp.where(small, 1 + x / 2, jnp.expm1(safe) / safe)


@jax.jit
def stages(N: Array, D: Array, L: Array, there: Array) -> dict[str, Array]:
    """Constants of `farseer` from a table of sizes (n,) by token counts, each stage by itself.

    The runs may hardly tell the power of a curve, so each curve is given at its best power and at
    the ends of that power's typical range.

    Args:
        N: (n,) parameters.
        D: (n, c) rising token counts of each size; padded by larger ones.
        L: (n, c) losses.
        there: (n, c) which of them were measured, the first ones of each row.

    Returns:
        Name -> (27,): three curves for each of three terms, in all combinations, the best first.
    """
    pairs = jnp.where(there[:, 1:], 1.0, 0.0)
    log_A, B = jax.vmap(data_term)(D, L, pairs)
    count = jnp.sum(pairs, axis=1)
    rest = L - jnp.exp(log_A[:, None] - B[:, None] * jnp.log(D))
    floor = jnp.sum(jnp.where(there, rest, 0.0), axis=1) / (count + 1)
    found = [
        curves(N, y, count, jnp.asarray(farseer.params[names[1]].typical, L.dtype))
        for names, y in zip(TERMS, (jnp.log(B), log_A, jnp.log(floor)), strict=True)
    ]
    choice = jnp.stack(jnp.meshgrid(*[jnp.arange(3)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    return {
        name: found[i][choice[:, i], j]
        for i, names in enumerate(TERMS)
        for j, name in enumerate(names)
    }


def farseer_by_stages(runs: Runs, **options: Any) -> Fit:
    """Fit `farseer` from where the stages end: differences, curves in N, the floor, then together.

    Args:
        runs: Runs with inputs N and D: three token counts or more of each of four sizes or more.
        **options: What `jaxlaws.fit` takes besides law, runs and starts.

    Returns:
        The `Fit` of all nine parameters at once, from the starts that the stages give.

    Raises:
        InputError: There are too few sizes, or token counts of them.

    >>> planted = dict(a1=-0.12, a=0.12, b1=0.42, a2=88, b=-0.1, b2=-6.3, a3=-0.02, g=0.17, b3=-0.1)
    >>> N, D = (v.ravel() for v in np.meshgrid(np.geomspace(2e8, 6e9, 5), [4e9, 2e10, 1e11, 5e11]))
    >>> runs = Runs.from_arrays(np.asarray(farseer(N, D, **planted)), N=N, D=D)
    >>> round(float(farseer_by_stages(runs).params["g"]), 2)
    0.17
    """
    runs = runs.checked(farseer)
    sizes, number = np.unique(runs.inputs["N"], return_inverse=True)
    kept = [i for i in range(len(sizes)) if np.sum(number == i) >= LEAST]
    if len(kept) < 4:
        raise InputError(
            f"{runs.name}: Farseer's stages need {LEAST} token counts or more of 4 sizes or more; "
            f"{len(kept)} of {len(sizes)} sizes have them. jl.fit(jl.laws.farseer, ...) needs none."
        )
    rows = [np.flatnonzero(number == i) for i in kept]
    rows = [row[np.argsort(runs.inputs["D"][row])] for row in rows]
    most = max(map(len, rows))
    at = np.stack([np.pad(row, (0, most - len(row)), mode="edge") for row in rows])
    there = np.stack([np.arange(most) < len(row) for row in rows])
    with jax.enable_x64(True):
        found = stages(sizes[kept], runs.inputs["D"][at], runs.target[at], there)
    starts = {k: np.asarray(v) for k, v in found.items()}
    good = np.all([np.isfinite(v) for v in starts.values()], axis=0)
    return fit(farseer, runs, starts={k: v[good] for k, v in starts.items()}, **options)


QUANTITIES: dict[str, dict[str, Callable[..., Any]]] = {
    "farseer": {"stages": stages, "fitted": farseer_by_stages}
}
