"""predict: the law's band and the interval of a new run, side by side."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jax import Array

from jaxlaws._draws import Draws
from jaxlaws._errors import InputError
from jaxlaws._interval import check_prob
from jaxlaws._law import Law
from jaxlaws._objective import from_space, to_space


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
    """

    points: Mapping[str, np.ndarray]
    estimate: np.ndarray
    mean: np.ndarray
    run: np.ndarray
    unit: str
    name: str
    withheld: str
    reach: np.ndarray

    def frame(self, prob: float = 0.9) -> pd.DataFrame:
        """One row per point: inputs, estimate, the law's band, the new run's interval, reach.

        Args:
            prob: Probability of the central intervals.
        """
        check_prob(prob)
        tail = [(1 - prob) / 2, (1 + prob) / 2]
        frame = pd.DataFrame({k: list(v) for k, v in self.points.items()})
        frame[self.name] = self.estimate
        for label, values in (("law", self.mean), ("run", self.run)):
            low, high = (np.full(len(frame), np.nan),) * 2
            if not self.withheld and len(values) > 1:
                low, high = np.quantile(values, tail, axis=0)
            frame[f"{label}_low"], frame[f"{label}_high"] = low, high
        frame["reach"] = self.reach
        frame.attrs.update(prob=prob, unit=self.unit, withheld=self.withheld)
        return frame

    def __repr__(self) -> str:
        frame = self.frame()
        head = f"{self.name} [{self.unit}], 90 % intervals of the law and of a new run"
        if self.withheld:
            head = f"{self.name} [{self.unit}], no intervals: {self.withheld}"
            frame = frame.dropna(axis=1, how="all")
        return f"{head}\n{frame.to_string(index=False, float_format='{:.5g}'.format)}"


def predict(draws: Draws, *, key: Array | None = None, **inputs: Any) -> Prediction:
    """Predict at new points, with the law's band and the interval of a new run.

    The band is where the law itself may lie; a new run adds the residual of a single run, drawn
    from those of the fit. Both hold only if the law does: `reach` says how far outside the data
    a point lies.

    Args:
        draws: Draws of the law's parameters.
        key: Random key of the new runs' residuals; None is a fixed one.
        **inputs: The law's inputs, (m,) or (m, k) each, or numbers; they broadcast.

    Raises:
        InputError: An input is missing, unknown, or outside its support.

    >>> import jaxlaws as jl
    >>> known = jl.published(jl.laws.chinchilla, "hoffmann2022_unrounded")
    >>> round(float(jl.predict(known, N=70e9, D=1.4e12).estimate[0]), 3)
    1.921
    """
    law = draws.law
    points = check_points(draws, inputs)
    with jax.enable_x64(True):
        arrays = {k: jnp.asarray(v, float) for k, v in points.items()}
        at = _over_draws(law)
        point = {k: jnp.asarray(v, float)[None] for k, v in draws.point.items()}
        estimate = np.asarray(at(point, arrays))[0]
        chosen = {k: jnp.asarray(v, float) for k, v in draws.select().items()}
        mean = np.asarray(at(chosen, arrays))
        key = jax.random.key(1) if key is None else key
        pick = np.asarray(jax.random.randint(key, mean.shape, 0, len(draws.noise)))
        middle = to_space(jnp.asarray(mean), draws.space)
        run = np.asarray(from_space(middle + draws.noise[pick], draws.space))
    return Prediction(
        points=points,
        estimate=estimate,
        mean=mean,
        run=run,
        unit=law.target.unit,
        name=law.target.name,
        withheld=draws.withheld() if len(draws) > 1 else "",
        reach=_reach(draws, points),
    )


def check_points(draws: Draws, inputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The inputs as arrays of equal length, after every check against the law.

    Raises:
        InputError: An input is missing, unknown, not a finite number, or outside its support.
    """
    law = draws.law
    for name in inputs:
        if name not in law.inputs:
            raise InputError(f"{law.name} has no input {name!r}; it takes {', '.join(law.inputs)}.")
    missing = [name for name in law.inputs if name not in inputs]
    if missing:
        raise InputError(
            f"{law.name} needs {', '.join(missing)} as well; it takes {', '.join(law.inputs)}."
        )
    arrays = {}
    for name, variable in law.inputs.items():
        try:
            value = np.asarray(inputs[name], float)
        except (TypeError, ValueError):
            raise InputError(f"{name} must be a number, got {inputs[name]!r}.") from None
        low = value <= 0 if variable.support.name == "positive" else value < variable.support.lower
        if not np.isfinite(value).all() or low.any() or (value > variable.support.upper).any():
            raise InputError(
                f"{name} ({variable.unit}) must be finite and {variable.support}, got {value}."
            )
        arrays[name] = value
    cores = {k: len(v.size) for k, v in law.inputs.items()}
    lead = np.broadcast_shapes(*(v.shape[: v.ndim - cores[k]] for k, v in arrays.items()))
    if len(lead) > 1:
        raise InputError(f"Points are given along one axis; got shape {lead}.")
    m = lead[0] if lead else 1
    return {
        k: np.broadcast_to(v, (m, *v.shape[v.ndim - cores[k] :])).copy()
        if cores[k]
        else np.broadcast_to(v, (m,)).copy()
        for k, v in arrays.items()
    }


@lru_cache(maxsize=128)  # one compiled function per law
def _over_draws(law: Law) -> Callable[..., Array]:
    """(draws, points) -> (draw, m)."""
    at_points = jax.vmap(lambda p, x: law.scalar({**x, **p}), (None, 0))
    return jax.jit(jax.vmap(at_points, (0, None)))


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
