"""average: several laws' predictions as one mixture, and a warning where they are two."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from jaxlaws._draws import TRUST
from jaxlaws._errors import InputError
from jaxlaws._predict import Prediction, in_space, out_of_space

APART = 0.9  # predictions whose intervals of this probability do not meet are two predictions
ROUNDING = 1e-6  # by which printed weights may miss one
COUNTS = 0.05  # total weight below which a group of laws is no prediction of its own


def average(predictions: Sequence[Prediction], weights: Any) -> Prediction:
    r"""Mix the predictions of several laws at the same points into one.

    $$p(y) = \sum_k w_k\, p_k(y)$$

    Draws are taken from every law in proportion to its weight; the estimate is the weighted mean in
    the space of residuals. Where the laws fall into two groups whose 90 % intervals do not meet,
    the mixture has two modes: `includes` then names both, with their weights and intervals, and the
    interval spans them. Laws whose intervals are withheld may have 3 % of the weight, as failed
    refits may; beyond that the mixture has none either.

    Args:
        predictions: What `jl.predict` returns, one per law, at the same points; all with a backtest
            or none.
        weights: (law,) weights, zero or more, that sum to one: `Backtest.weights`, for example.

    Raises:
        InputError: There is none, the weights do not fit, or points, quantity or space differ.

    >>> import jaxlaws as jl
    >>> runs = jl.datasets.runs("simulated_chinchilla")
    >>> laws = [jl.laws.chinchilla, jl.laws.kaplan_nd]
    >>> fits = [jl.fit(law, runs, starts=8) for law in laws]
    >>> each = [jl.predict(jl.laplace(fit, draws=100), N=1e11, D=1e12) for fit in fits]
    >>> jl.average(each, [0.75, 0.25]).run.shape
    (100, 1)
    """
    weight = _checked(predictions, weights)
    first = predictions[0]
    kept = [(p, w) for p, w in zip(predictions, weight, strict=True) if w > 0]
    refused = [(p, w) for p, w in kept if p.withheld]
    reasons = [f"{p.source}: {p.withheld}" for p, _ in refused]
    trusted = sum(w for _, w in refused) <= TRUST
    counts = _share(weight, max(len(p.mean) for p in predictions))
    at = [_spread_out(len(p.mean), n) for p, n in zip(predictions, counts, strict=True)]

    def mixed(field: str) -> np.ndarray:
        parts = zip(predictions, at, strict=True)
        return np.concatenate([getattr(p, field)[i] for p, i in parts])

    centre = np.sum([w * in_space(p.estimate, p.space) for p, w in kept], axis=0)
    return replace(
        first,
        estimate=out_of_space(centre, first.space),
        mean=mixed("mean"),
        run=mixed("run"),
        backtest=None if first.backtest is None else mixed("backtest"),
        withheld="" if trusted else "; ".join(reasons),
        reach=np.max([p.reach for p in predictions], axis=0),
        source="mixture of " + ", ".join(f"{w:.2g} {p.source}" for p, w in kept),
        includes=(*dict.fromkeys(s for p, _ in kept for s in p.includes), *_modes(kept)),
    )


def _checked(predictions: Sequence[Prediction], weights: Any) -> np.ndarray:
    if not predictions:
        raise InputError("average needs at least one prediction, from jl.predict; got none.")
    weight = np.asarray(weights, float)
    if weight.shape != (len(predictions),) or not (weight >= 0).all():
        raise InputError(
            f"average needs one weight, zero or more, for each of {len(predictions)} predictions; "
            f"got {weights}."
        )
    if abs(weight.sum() - 1) > ROUNDING:
        raise InputError(f"Weights of an average sum to one; these sum to {weight.sum():.6g}.")
    first = predictions[0]
    for other in predictions[1:]:
        if (other.name, other.unit, other.space) != (first.name, first.unit, first.space):
            raise InputError(
                f"{first.source} predicts {first.name} [{first.unit}] in {first.space} space and "
                f"{other.source} {other.name} [{other.unit}] in {other.space} space; an average is "
                "of one quantity."
            )
        shared = set(first.points) & set(other.points)
        if len(first.estimate) != len(other.estimate) or any(
            not np.array_equal(first.points[k], other.points[k]) for k in shared
        ):
            raise InputError(
                f"{first.source} and {other.source} are asked at different points; an average is "
                "of predictions at the same ones."
            )
        if (first.backtest is None) != (other.backtest is None):
            raise InputError("Some predictions have a backtest and some have none; give all one.")
    return weight / weight.sum()


def _share(weight: np.ndarray, total: int) -> np.ndarray:
    """(law,) whole numbers in proportion to weights that sum to the total: largest remainders."""
    exact = weight * total
    count = np.floor(exact).astype(int)
    rest = np.argsort(-(exact - count), kind="stable")[: total - count.sum()]
    count[rest] += 1
    return count


def _spread_out(draws: int, count: int) -> np.ndarray:
    """(count,) draws evenly spread over all of them, repeated where more are asked for."""
    return np.floor((np.arange(count) + 0.5) * draws / max(count, 1)).astype(int)


def _modes(kept: Sequence[tuple[Prediction, float]]) -> list[str]:
    """A sentence for every point at which the laws fall into two groups that do not meet."""
    weight = np.array([w for _, w in kept])
    if len(kept) < 2 or any(len(p.run) < 2 for p, _ in kept):
        return []
    tail = [(1 - APART) / 2, (1 + APART) / 2]
    # With a backtest the wider interval decides: what it covers is no second mode.
    with np.errstate(invalid="ignore"):  # draws of a law that runs away
        ends = np.stack(
            [
                np.quantile(p.run if p.backtest is None else p.backtest, tail, axis=0)
                for p, _ in kept
            ]
        )
    out = []
    for i in range(ends.shape[2]):
        order = np.argsort(ends[:, 0, i], kind="stable")
        low, high, share = ends[order, 0, i], ends[order, 1, i], weight[order]
        top = np.maximum.accumulate(high)
        for k in range(1, len(order)):
            sides = share[:k].sum(), share[k:].sum()
            if low[k] > top[k - 1] and min(sides) >= COUNTS:
                spans = (low[0], top[k - 1]), (low[k], high[k:].max())
                names = (order[:k], order[k:])
                both = " and ".join(
                    f"{a:.5g} to {b:.5g} (weight {s:.2g}: "
                    f"{', '.join(kept[n][0].source for n in which)})"
                    for (a, b), s, which in zip(spans, sides, names, strict=True)
                )
                at = ", ".join(f"{k} {np.ravel(v[i])[0]:.4g}" for k, v in kept[0][0].points.items())
                out.append(f"two predictions, not one, at {at}: {both}.")
                break
    return out
