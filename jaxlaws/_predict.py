"""predict: the law's band and the interval of a new run, side by side."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jax
import numpy as np
import pandas as pd
from jax import Array

from jaxlaws._backtest import Backtest
from jaxlaws._draws import Draws
from jaxlaws._errors import InputError
from jaxlaws._interval import check_prob
from jaxlaws._law import Law
from jaxlaws._objective import from_space, to_space
from jaxlaws._points import check_points

PLAIN = (
    "law holds the parameters' uncertainty if the law is true; run adds the noise of a single run.",
)


@dataclass(frozen=True, eq=False)
class Prediction:
    """Predicted values at points.

    Attributes:
        points: Name -> (m,) or (m, k) inputs.
        estimate: (m,) the law at the estimate.
        mean: (draw, m) the law at every draw.
        run: (draw, m) a new run at every draw: the law plus the residual of a single run.
        unit: Unit of the prediction.
        name: Its symbol.
        withheld: Why no interval may be given; empty when it may.
        reach: (m,) how many times beyond the largest (below the smallest) fitted value the most
            extreme input lies; 1 inside the data; NaN where no data belong to the draws.
        source: The law, and the runs or constants it is known from, in words.
        space: Space of the residuals.
        backtest: (draw, m) a new run with the law's own error as a backtest shows it; None where
            none was given.
        includes: What the intervals include, in words, a sentence each.
    """

    points: Mapping[str, np.ndarray]
    estimate: np.ndarray
    mean: np.ndarray
    run: np.ndarray
    unit: str
    name: str
    withheld: str
    reach: np.ndarray
    source: str
    space: str
    backtest: np.ndarray | None
    includes: tuple[str, ...]

    def frame(self, prob: float = 0.9) -> pd.DataFrame:
        """One row per point: inputs, estimate, band of the law, intervals of a new run, reach.

        Args:
            prob: Probability of the central intervals.
        """
        check_prob(prob)
        tail = [(1 - prob) / 2, (1 + prob) / 2]
        frame = pd.DataFrame({k: list(v) for k, v in self.points.items()})
        frame[self.name] = self.estimate
        asked = {"law": self.mean, "run": self.run, "backtest": self.backtest}
        for label, values in asked.items():
            if values is None:
                continue
            low, high = (np.full(len(frame), np.nan),) * 2
            if not self.withheld and len(values) > 1:
                low, high = np.quantile(values, tail, axis=0)
            frame[f"{label}_low"], frame[f"{label}_high"] = low, high
        frame["reach"] = self.reach
        frame.attrs.update(
            prob=prob, unit=self.unit, withheld=self.withheld, includes=self.includes
        )
        return frame

    def __repr__(self) -> str:
        frame = self.frame()
        head = f"{self.source}: {self.name} [{self.unit}], "
        head += "90 % intervals"
        if self.withheld:
            head = f"{self.source}: {self.name} [{self.unit}], no intervals: {self.withheld}"
            frame = frame.dropna(axis=1, how="all")
        shown = frame.to_string(index=False, float_format="{:.5g}".format)
        notes = () if self.withheld or len(self.mean) < 2 else self.includes
        return "\n".join([head, shown, *(f"note: {note}" for note in notes)])


def predict(
    draws: Draws, *, backtest: Backtest | None = None, key: Array | None = None, **inputs: Any
) -> Prediction:
    """Predict at new points, with the law's band and the interval of a new run.

    The band is where the law itself may lie; a new run adds the residual of a single run, drawn
    from those of the fit. Both hold only if the law does: `reach` says how far outside the data
    a point lies, and a backtest adds the law's own error, as it was found when larger runs were
    held out, to a second interval of a new run.

    Args:
        draws: Draws of the law's parameters.
        backtest: What `jl.backtest` found for this law and these runs, or None.
        key: Random key of the new runs' residuals; None is a fixed one.
        **inputs: The law's inputs, (m,) or (m, k) each, or numbers; they broadcast.

    Raises:
        InputError: An input is missing, unknown, or outside its support, or the backtest is of
            other laws or of another space.

    >>> import jaxlaws as jl
    >>> known = jl.published(jl.laws.chinchilla, "hoffmann2022_unrounded")
    >>> round(float(jl.predict(known, N=70e9, D=1.4e12).estimate[0]), 3)
    1.921
    """
    law = draws.law
    points = check_points(law, inputs)
    found_out = None if backtest is None else backtest.of(law)
    if backtest is not None and backtest.space != draws.space:
        raise InputError(
            f"The backtest's errors are of {backtest.space} {law.target.name} and the draws of "
            f"{draws.space} {law.target.name}; backtest with space={draws.space!r}."
        )
    key = jax.random.key(1) if key is None else key
    rng = np.random.default_rng(np.asarray(jax.random.key_data(key)))
    m = len(next(iter(points.values())))
    noise = draws.new_noise(rng, points)

    def at_sets(sets: Mapping[str, np.ndarray]) -> Mapping[str, Array]:
        before = len(next(iter(sets.values()))) - len(draws)  # no draws, so without noise
        with jax.enable_x64(True):
            return _everywhere(law, draws.space)(
                sets, points, np.concatenate([np.zeros((before, m)), noise])
            )

    found = draws.ask(at_sets)
    lost = float(np.mean(np.isnan(found.values["law"]).any(axis=1)))
    reasons = (
        draws.withheld() if len(draws) > 1 else "",
        draws.looseness() if found.leaning("law").any() else "",
        f"{law.name} gives no number for {lost:.1%} of the draws" if lost else "",
    )
    low, high = law.target.support.lower, law.target.support.upper
    # Noise must not carry a share beyond one.
    run = np.clip(found.values["run"], low, high)
    missed: np.ndarray | None = None
    includes: tuple[str, ...] = PLAIN
    if backtest is not None and found_out is not None:
        scale = found_out.scales(backtest.beyond(points), len(run), rng)
        step = scale * rng.standard_normal((len(run), 1))
        far = in_space(found.values["run"], draws.space) + step
        missed = np.clip(out_of_space(far, draws.space), low, high)
        includes = (*PLAIN, f"backtest adds {backtest.words(law)}.")
    return Prediction(
        points=points,
        estimate=found.estimate["law"],
        mean=found.values["law"],
        run=run,
        unit=law.target.unit,
        name=law.target.name,
        withheld=next(filter(None, reasons), ""),
        reach=_reach(draws, points),
        source=draws.source,
        space=draws.space,
        backtest=missed,
        includes=includes,
    )


def in_space(values: np.ndarray, space: str) -> np.ndarray:
    """Values of any shape brought to the space of residuals."""
    with jax.enable_x64(True):
        return np.asarray(_forth(values, space))


def out_of_space(values: np.ndarray, space: str) -> np.ndarray:
    """The inverse of `in_space`."""
    with jax.enable_x64(True):
        return np.asarray(_back(values, space))


_forth = jax.jit(to_space, static_argnums=1)
_back = jax.jit(from_space, static_argnums=1)


@lru_cache(maxsize=128)  # one compiled function per law and space
def _everywhere(law: Law, space: str) -> Callable[..., dict[str, Array]]:
    """(parameters (set,), points (m,), noise (set, m)) -> the law and a new run, (set, m)."""
    at_points = jax.vmap(lambda p, x: law.scalar({**x, **p}), (None, 0))

    def each(
        params: Mapping[str, Array], points: Mapping[str, Array], noise: Array
    ) -> dict[str, Array]:
        mean = jax.vmap(at_points, (0, None))(params, points)
        return {"law": mean, "run": from_space(to_space(mean, space) + noise, space)}

    return jax.jit(each)


def _reach(draws: Draws, points: Mapping[str, np.ndarray]) -> np.ndarray:
    m = len(next(iter(points.values())))
    if draws.fit is None:
        return np.full(m, np.nan)
    runs, out = draws.fit.runs, np.ones(m)
    for name, values in points.items():
        if draws.law.inputs[name].support.name != "positive" or values.ndim > 1:
            continue
        seen = runs.inputs[name][runs.weight > 0]
        out = np.maximum(out, np.maximum(values / seen.max(), seen.min() / values))
    return out
