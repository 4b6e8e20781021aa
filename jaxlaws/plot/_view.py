"""How a law of several inputs is looked at: what lies along x, what is a colour, what is held."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from jaxlaws._draws import Draws
from jaxlaws._errors import InputError
from jaxlaws._fit import Fit
from jaxlaws._law import Law
from jaxlaws._predict import predict
from jaxlaws._runs import Runs
from jaxlaws.plot._ticks import symbol, write

ALONG = ("D", "C", "x", "L")  # what lies along x if the law has it, in this order
COLOUR = ("N", "M", "U_D")  # what is a colour
DISCRETE = ("group", "curve")  # inputs that only name a family of runs


@dataclass(frozen=True)
class View:
    """One way of looking at a law.

    Attributes:
        law: The law.
        along: Name of the quantity along x: an input, or "C" for 6 N D.
        hue: Name of the input that is a colour; empty for none.
        held: The other inputs, at their middle.
        shown: (n,) which runs are drawn.
    """

    law: Law
    along: str
    hue: str
    held: Mapping[str, float]
    shown: np.ndarray

    def unit(self, name: str) -> str:
        """Unit of an input, or of the compute derived from inputs."""
        return self.law.inputs[name].unit if name in self.law.inputs else "FLOP"

    def inputs(self, x: np.ndarray, hue: Any) -> dict[str, Any]:
        """The law's inputs (m,) at places x (m,) on a curve of one colour."""
        values = {self.along: x} | ({self.hue: np.broadcast_to(hue, x.shape)} if self.hue else {})
        if self.along not in self.law.inputs:
            values["D"] = values.pop(self.along) / (6 * values["N"])
        held = {k: np.broadcast_to(v, x.shape) for k, v in self.held.items()}
        return {k: ({**values, **held})[k] for k in self.law.inputs}

    def x(self, runs: Runs) -> np.ndarray:
        """(n,) where runs lie along x."""
        return column(runs, self.along)

    def levels(self, runs: Runs, most: int = 5) -> np.ndarray:
        """Values of the colour that get a curve: those of the runs if few, else evenly spread."""
        if not self.hue:
            return np.array([1.0])
        values = np.unique(column(runs, self.hue)[self.shown])
        if len(values) <= most + 1:
            return values
        wanted = np.geomspace(values[0], values[-1], most)
        near = [values[np.argmin(np.abs(np.log(values / w)))] for w in wanted]
        return np.unique(near)

    def support(self, runs: Runs, level: float, levels: np.ndarray) -> tuple[float, float]:
        """Where along x runs of about this colour lie."""
        x = self.x(runs)[self.shown]
        if not self.hue:
            return float(x.min()), float(x.max())
        away = np.abs(np.log(column(runs, self.hue)[self.shown][:, None] / levels))
        near = x[levels[np.argmin(away, axis=1)] == level]
        return float(near.min()), float(near.max())

    def note(self) -> str:
        """What is held, in words; empty for nothing."""
        told = [
            f"{symbol(k)} = {write(v, self.unit(k))}"
            for k, v in self.held.items()
            if k not in DISCRETE
        ]
        return f"curves at {', '.join(told)}" if told else ""


def column(runs: Runs, name: str) -> np.ndarray:
    """(n,) a quantity of runs; compute is 6 N D and tokens per parameter D / N where not given.

    Raises:
        InputError: The runs do not have it.
    """
    if name in runs.inputs:
        return runs.inputs[name]
    if {"N", "D"} <= set(runs.inputs) and name in ("C", "M"):
        n, d = runs.inputs["N"], runs.inputs["D"]
        return 6 * n * d if name == "C" else d / n
    if name == "group":
        return runs.group.astype(float)
    raise InputError(f"{runs.name} has no {name!r}; it has {', '.join(runs.inputs)}.")


def look(law: Law, runs: Runs, along: str | None = None) -> View:
    """Choose a view of a law.

    Args:
        law: The law.
        runs: The runs to be seen with it.
        along: What lies along x; None chooses.

    Raises:
        InputError: An input is a vector, or there is nothing of that name to lie along x.
    """
    vectors = [k for k, v in law.inputs.items() if v.size]
    if vectors:
        raise InputError(
            f"{law.name} takes the vector {vectors[0]!r}, which has no axis to be drawn along; "
            "draw plot.residuals instead."
        )
    free = [k for k in law.inputs if k not in DISCRETE]
    derived = ["C"] if {"N", "D"} <= set(free) and "C" not in free else []
    if along is not None and along not in free + derived:
        raise InputError(f"along must be one of {', '.join(free + derived)}; got {along!r}.")
    x = along or next((k for k in (*ALONG, *reversed(free)) if k in free), "")
    rest = [k for k in free if k != x and not (x in derived and k == "D")]
    hue = next((k for k in (*COLOUR, *rest) if k in rest), "")
    live = runs.weight > 0
    held, shown = {}, live
    for name in law.inputs:
        if name in (x, hue) or (x in derived and name == "D"):
            continue
        values = column(runs, name)[live]
        if name in DISCRETE:
            kinds, counts = np.unique(values, return_counts=True)
            held[name] = float(kinds[np.argmax(counts)])
            shown = shown & (column(runs, name) == held[name])
        else:
            held[name] = float(np.median(values))
    return View(law, x, hue, held, shown)


def rising(draws: Draws, runs: Runs) -> bool:
    """Whether larger inputs predict a larger target, as of an accuracy."""
    ends: dict[str, Any] = {
        k: [v.min(), v.max()] for k, v in runs.inputs.items() if k in draws.law.inputs
    }
    low, high = predict(alone(draws), **ends).estimate
    return bool(high > low)


def as_draws(given: Draws | Fit) -> Draws:
    """Draws, or a fit as its estimate alone.

    Raises:
        InputError: It is neither.
    """
    if isinstance(given, Draws):
        return given
    if not isinstance(given, Fit):
        raise InputError(f"Expected draws or a fit, got {type(given).__name__}.")
    return alone(given)


def alone(given: Draws | Fit) -> Draws:
    """The estimate as a single draw."""
    point = given.point if isinstance(given, Draws) else given.params
    return Draws(
        law=given.law,
        params={k: np.asarray(v)[None] for k, v in point.items()},
        point=point,
        status=np.zeros(1, int),
        origin="estimate",
        space=given.space,
        noise=np.zeros(1),
        fit=given.fit if isinstance(given, Draws) else given,
    )


def runs_of(draws: Draws, runs: Runs | None) -> Runs:
    """The runs to draw: those of the fit, or those given.

    Raises:
        InputError: There are none.
    """
    if draws.fit is not None:
        return draws.fit.runs
    if runs is None:
        raise InputError(
            f"{draws.origin} of {draws.law.name} belong to no runs; give runs=... to draw with."
        )
    return runs
