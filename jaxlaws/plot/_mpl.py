"""Everything of matplotlib that the figures need: the only file that imports it."""

from typing import Any

import matplotlib as matplotlib
import numpy as np
from matplotlib.axes import Axes as Axes
from matplotlib.figure import Figure as Figure
from matplotlib.ticker import Formatter, Locator
from matplotlib.ticker import MaxNLocator as MaxNLocator
from matplotlib.ticker import NullFormatter as NullFormatter

from jaxlaws.plot import _ticks


class LogTicks(Locator):
    """Few round numbers on a log axis, whatever its span; minor ticks fill the decades."""

    def __init__(self, most: int = 6, powers_only: bool = False, minor: bool = False) -> None:
        self.most, self.powers_only, self.minor = most, powers_only, minor

    def __call__(self) -> Any:
        """Ticks of the axis as it is shown."""
        return self.tick_values(*self.axis.get_view_interval())  # type: ignore[union-attr]

    def tick_values(self, vmin: float, vmax: float) -> Any:
        """Ticks between two values."""
        low, high = sorted((vmin, vmax))
        if not (low > 0 and np.isfinite(high)):
            return np.array([])
        if self.minor:
            return _ticks.minor(low, high)
        return _ticks.major(low, high, self.most, self.powers_only)


class Written(Formatter):
    """Numbers in words of their unit, with the same decimals along one axis."""

    def __init__(self, unit: str) -> None:
        self.unit = unit

    def __call__(self, x: float, pos: int | None = None) -> str:
        """One number."""
        return _ticks.write(x, self.unit)

    def format_ticks(self, values: Any) -> list[str]:
        """All ticks of an axis."""
        return _ticks.together(values, self.unit)
