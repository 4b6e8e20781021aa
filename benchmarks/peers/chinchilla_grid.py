"""The package chinchilla over 243 starts, three a parameter within Hoffmann's grid."""

import numpy as np
from chinchilla_start import fitted
from common import serve

GRID = dict(
    e=[-1.0, 0.0, 1.0],
    a=[0.0, 10.0, 20.0],
    b=[0.0, 10.0, 20.0],
    alpha=[0.0, 0.5, 1.0],
    beta=[0.0, 0.5, 1.0],
)


def contender(points):
    return lambda refits: np.stack([fitted(points, i, GRID) for i in range(refits)])


serve(contender)
