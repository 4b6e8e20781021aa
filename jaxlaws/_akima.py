"""Optima from interpolated losses: Porian's procedure, and the envelope of training curves."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxlaws._draws import Draws
from jaxlaws._errors import InputError
from jaxlaws._isoflop import ENOUGH, Optima, by_budget, inputs, lanes
from jaxlaws._resample import counts
from jaxlaws._runs import Runs

FLAT = 1e-9  # share of the largest change of slope below which a node has no slope of its own
PER = 25  # grid points for each interval between sizes [porian2024]
FLOOR = 0.33  # least standard deviation of a log optimum, in intervals between sizes [porian2024]


def akima(x: Array, y: Array, at: Array, count: Array | int | None = None) -> Array:
    r"""Interpolate by cubics whose slopes no distant point can disturb.

    $$t_i = \frac{|m_{i+1} - m_i|\, m_{i-1} + |m_{i-1} - m_{i-2}|\, m_i}
                 {|m_{i+1} - m_i| + |m_{i-1} - m_{i-2}|}$$

    is the slope at node i, with m_i the slope of the chord from node i to i + 1, two more chords
    extrapolated at each end, and the mean of m_{i-1} and m_i where the denominator is zero up to
    rounding [akima1970].

    Args:
        x: (n,) nodes, rising, the padding too.
        y: (n,) values at the nodes.
        at: (m,) points between the first and the last node.
        count: How many nodes are real, at least three; None for all.

    >>> x = jnp.arange(5.0)
    >>> float(akima(x, x**2, jnp.array([2.5]))[0])
    6.25
    """
    n = len(x)
    count = n if count is None else count
    place = jnp.arange(n + 3)
    chord = jnp.diff(y) / jnp.diff(x)
    left = 2 * chord[0] - chord[1]
    m = jnp.concatenate([jnp.stack([2 * left - chord[0], left]), chord, jnp.zeros(2, y.dtype)])
    right = 2 * m[count] - m[count - 1]
    m = jnp.where(place == count + 1, right, m)
    m = jnp.where(place == count + 2, 2 * right - m[count], m)
    turn = jnp.abs(jnp.diff(m))
    before, after = turn[:-2], turn[2:]
    total = before + after
    bent = total > FLAT * jnp.max(jnp.where(place[:n] < count, total, 0.0))
    share = before / jnp.where(bent, total, 1.0)
    slope = jnp.where(bent, m[1:-2] + share * (m[2:-1] - m[1:-2]), 0.5 * (m[:-3] + m[3:]))
    after_node = jnp.searchsorted(x, at, side="right", method="compare_all").astype(int)
    i = jnp.clip(after_node - 1, 0, count - 2)
    h, u = x[i + 1] - x[i], at - x[i]
    bend = (3 * chord[i] - 2 * slope[i] - slope[i + 1]) / h
    twist = (slope[i] + slope[i + 1] - 2 * chord[i]) / h**2
    return y[i] + u * (slope[i] + u * (bend + u * twist))


def porian(
    runs: Runs,
    *,
    of: str = "N",
    noise: float = 0.002,
    by: str = "C",
    draws: int = 1000,
    key: Array | None = None,
) -> Draws:
    r"""Porian's procedure: a weighted power law through interpolated, noise-tested optima.

    $$\min_{k, a} \sum_C \hat\sigma_C^{-2} (\ln N_{opt}(C) - \ln k - a \ln C)^2$$

    Log loss is interpolated in ln N by Akima's cubics; the optimum of a draw is the lowest of 25
    points for each interval between sizes after normal noise on every loss. N_opt(C) is the
    median, sigma_C the standard deviation of its logarithm, at least a third of the spacing of the
    sizes and divided by the share of draws with an optimum inside; a budget with fewer than half
    is left out [porian2024, sec. 2]. Line i goes through the i-th optimum inside of every budget,
    so there are as many lines as the budget with the fewest has.

    Args:
        runs: Runs with inputs C and N, and D where tokens are not C/(6N). Of runs with the same C
            and N the one of lowest loss counts.
        of: "N" for N_opt(C), "D" for D_opt(C).
        noise: Standard deviation of a loss between seeds.
        by: The input that names the budget, or "group".
        draws: Number of noise draws.
        key: Random key; None is a fixed one. Noise i depends on the key and i alone.

    Raises:
        InputError: An input is missing or not positive, or fewer than two budgets have an optimum
            inside the sampled sizes.

    >>> import jaxlaws as jl
    >>> N, C = np.tile(np.geomspace(2e8, 5e9, 9), 3), np.repeat([1e19, 1e20, 1e21], 9)
    >>> loss = 2 + 0.05 * np.log(N / (0.3 * C**0.49)) ** 2
    >>> found = porian(jl.Runs.from_arrays(loss, C=C, N=N), draws=100)
    >>> abs(float(found.point["exponent"]) - 0.49) < 0.01
    True
    """
    return porian_optima(runs, noise=noise, by=by, draws=draws, key=key).line(of)


def porian_optima(
    runs: Runs,
    *,
    noise: float = 0.002,
    by: str = "C",
    draws: int = 1000,
    key: Array | None = None,
) -> Optima:
    """The optimum of every budget behind `porian`, whose arguments these are."""
    if not noise > 0:
        raise InputError(f"noise (nats/token) must be above zero, got {noise}.")
    table = by_budget(runs, by, lowest=True)
    count = table.many
    # A budget of fewer than three sizes has no optimum inside; its padding must only rise.
    x, wide = table.size, np.maximum(count, 3)
    pad = np.arange(x.shape[1]) - count[:, None] + 1
    x = np.where(pad > 0, np.take_along_axis(x, count[:, None] - 1, 1) + pad, x)
    with jax.enable_x64(True):
        key, ids = lanes(key, draws)
        found = _noisy_minima(key, ids, x, table.loss, wide, jnp.asarray(noise))
        size, loss = (np.where(count >= 3, v, np.nan) for v in found)
    inside = np.isfinite(size[1:]).sum(axis=0)
    kept = np.isfinite(size[0]) & (inside >= draws // 2) & (inside > 0)
    lines = int(inside[kept].min(initial=draws))
    rows = np.argsort(~np.isfinite(size[1:]), axis=0, kind="stable")
    sizes, losses = (np.take_along_axis(v[1:], rows, 0) for v in (size, loss))
    middle, sigma = np.full((2, len(count)), np.nan), np.ones(len(count))
    for b in np.flatnonzero(kept):
        good = slice(0, inside[b])
        middle[:, b] = np.median(sizes[good, b]), np.median(losses[good, b])
        step = np.ptp(table.size[b, : count[b]]) / (PER * (count[b] - 1) - 1)
        sigma[b] = max(np.std(sizes[good, b]), FLOOR * PER * step) * draws / inside[b]
    gone = np.where(kept, 0.0, np.nan)
    optima = table.optima(
        np.concatenate([middle[:1], sizes[:lines] + gone]),
        np.concatenate([middle[1:], losses[:lines] + gone]),
        f"Porian's procedure on {len(count)} budgets, noise {noise:g}",
        1 / sigma**2,
    )
    fewest = f"{draws - lines} of {draws} draws have an optimum at an end in some budget, left out"
    notes = (*optima.notes, fewest) if lines < draws else optima.notes
    return replace(optima, inside=inside / draws, notes=notes)


@jax.jit
def _noisy_minima(
    key: Array, ids: Array, x: Array, loss: Array, count: Array, noise: Array
) -> tuple[Array, Array]:
    """Log sizes and log losses (1 + r, b) of lowest interpolated loss, as measured, then noisy.

    NaN where the minimum is an end of the grid; x (b, n) rises, also where it is padding.
    """
    last = (PER * (count - 1) - 1)[:, None]
    place = jnp.arange(PER * (x.shape[1] - 1))[None]
    end = jnp.take_along_axis(x, count[:, None] - 1, 1)
    grid = x[:, :1] + (end - x[:, :1]) * (jnp.minimum(place, last) / last)

    def minima(losses: Array) -> tuple[Array, Array]:
        values = jax.vmap(akima)(x, jnp.log(losses), grid, count)
        values = jnp.where((place <= last) & ~jnp.isnan(values), values, jnp.inf)
        best = jnp.argmin(values, axis=1, keepdims=True)
        inside = ((best > 0) & (best < last))[:, 0]
        size, low = (jnp.take_along_axis(v, best, 1)[:, 0] for v in (grid, values))
        return jnp.where(inside, size, jnp.nan), jnp.where(inside, low, jnp.nan)

    def draw(i: Array) -> Array:
        return noise * jax.random.normal(jax.random.fold_in(key, i), loss.shape)

    errors = jnp.concatenate([jnp.zeros_like(loss)[None], jax.vmap(draw)(ids)])
    return jax.lax.map(lambda error: minima(loss + error), errors)


def envelope(
    runs: Runs,
    *,
    of: str = "N",
    points: int = 1500,
    edges: bool = False,
    draws: int = 1000,
    key: Array | None = None,
) -> Draws:
    """Hoffmann's Approach 1: the power law through the envelope of training curves.

    At log-spaced budgets the curve of lowest loss (ln L linear in ln C between checkpoints) gives
    N_opt and D_opt [hoffmann2022, sec. 3.1]. A budget counts where curves of a smaller and of a
    larger model reach it too: where the family ends, its last model wins whatever the law. A draw
    resamples whole curves.

    Args:
        runs: Checkpoints with inputs N and C (or D, then C = 6ND); the group names the curve.
        of: "N" for N_opt(C), "D" for D_opt(C).
        points: Number of budgets.
        edges: Count the budgets won by the smallest or largest model as well.
        draws: Number of resamples; one with too few winning sizes counts as failed.
        key: Random key; None is a fixed one. Draw i depends on the key and i alone.

    Raises:
        InputError: An input is missing or not positive, N changes along a curve, or fewer than two
            sizes win inside the family.

    >>> import jaxlaws as jl
    >>> N, D = np.repeat(np.geomspace(1e8, 1e10, 12), 20), np.tile(np.geomspace(1e9, 1e12, 20), 12)
    >>> loss = jl.laws.chinchilla(N, D, **jl.laws.chinchilla.published("besiroglu2024"))
    >>> found = envelope(jl.Runs.from_arrays(loss, N=N, D=D, group=N), draws=100)
    >>> round(float(found.point["exponent"]), 2)
    0.51
    """
    return envelope_optima(runs, points=points, edges=edges, draws=draws, key=key).line(of)


def envelope_optima(
    runs: Runs,
    *,
    points: int = 1500,
    edges: bool = False,
    draws: int = 1000,
    key: Array | None = None,
) -> Optima:
    """The best run of every budget behind `envelope`, whose arguments these are."""
    known = "C" in runs.inputs
    size, other, y = (np.log(v) for v in inputs(runs, "N", "C" if known else "D"))
    x = other if known else other + size + np.log(6)
    tokens = np.log(inputs(runs, "D")[0]) if "D" in runs.inputs else x - size - np.log(6)
    live = runs.group[runs.weight > 0]
    grid = np.linspace(x.min(), x.max(), points)
    sizes, losses, spent = [], [], []
    for g in np.unique(live):
        mine = np.flatnonzero(live == g)
        if np.ptp(size[mine]) > 1e-6:
            raise InputError(
                f"{runs.name}: N changes within the group {runs.groups[g]!r}; an envelope needs "
                "one training curve per group: name the run in `group`."
            )
        mine = mine[np.argsort(x[mine])]
        sizes.append(size[mine[0]])
        losses.append(np.interp(grid, x[mine], y[mine], np.inf, np.inf))
        spent.append(np.interp(grid, x[mine], tokens[mine]))
    size, loss, tokens = np.array(sizes), np.array(losses), np.array(spent)
    with jax.enable_x64(True):
        key, ids = lanes(key, draws)
        times = counts(key, ids, len(size)) > 0
        present = np.concatenate([np.ones((1, len(size)), bool), times])
        win, good = map(np.asarray, _winners(jnp.asarray(present), loss, size, edges))
    at = np.arange(points)
    best = {"N_opt": size[win], "D_opt": tokens[win, at], "L_opt": loss[win, at]}
    found = {k: np.where(good, v, np.nan) for k, v in best.items()}
    distinct = np.array([len(np.unique(row[~np.isnan(row)])) for row in found["N_opt"]])
    if distinct[0] < 2:
        raise InputError(
            f"{runs.name}: {distinct[0]} of {len(np.unique(size))} sizes win inside the family; "
            "a line needs two. Add curves of other sizes, or train them over the same budgets."
        )
    share = good[0].mean()
    note = f"left out {1 - share:.0%} of the budgets, won by the smallest or largest model there"
    return Optima(
        C=np.exp(grid),
        estimate={k: v[0] for k, v in found.items()},
        draws={k: v[1:] for k, v in found.items()},
        weight=np.ones(points),
        inside=good[1:].mean(axis=0),
        enough=distinct[1:] >= min(ENOUGH, distinct[0]),
        origin=f"envelope of {len(size)} curves, whole curves resampled",
        notes=(note,) if share < 1 else (),
    )


@jax.jit
def _winners(present: Array, loss: Array, size: Array, edges: Array) -> tuple[Array, Array]:
    """The curve of lowest loss (r, points), and whether it counts: a smaller and a larger one are.

    Args:
        present: (r, g) which curves a draw has.
        loss: (g, points) log losses, infinite where a curve does not reach.
        size: (g,) log sizes.
        edges: () whether a smallest or largest one counts too.
    """

    def one(here: Array) -> tuple[Array, Array]:
        there = jnp.isfinite(loss) & here[:, None]
        win = jnp.argmin(jnp.where(there, loss, jnp.inf), axis=0)
        smallest = jnp.where(there, size[:, None], jnp.inf).min(axis=0)
        largest = jnp.where(there, size[:, None], -jnp.inf).max(axis=0)
        inside = (size[win] > smallest) & (size[win] < largest)
        return win, inside | (edges & there.any(axis=0))

    return jax.lax.map(one, present)
