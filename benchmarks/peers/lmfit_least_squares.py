"""lmfit.Minimizer with least_squares and loss="huber"; derivatives are its own."""

import numpy as np
from common import DELTA, serve
from lmfit_bfgs import minimizer, vector


def contender(points):
    def one(i):
        found = minimizer(points, i, calc_covar=False).minimize(
            method="least_squares",
            loss="huber",
            f_scale=DELTA,
            x_scale="jac",
            ftol=1e-12,
            xtol=1e-12,
            gtol=1e-14,
        )
        return vector(found)

    return lambda refits: np.stack([one(i) for i in range(refits)])


serve(contender)
