"""The best value of a grid: the vertex of a parabola in logs."""

from collections.abc import Sequence

import numpy as np

from jaxlaws.laws.allocation import vertex


def best(at: Sequence[float], loss: Sequence[float]) -> tuple[float, bool]:
    """Return the vertex through the least loss and its neighbours, and whether it has both."""
    i = int(np.argmin(loss))
    if not 0 < i < len(loss) - 1:
        return float(at[i]), False
    near = slice(i - 1, i + 2)
    return float(vertex(N=np.asarray(at)[near], L=np.asarray(loss)[near])), True
