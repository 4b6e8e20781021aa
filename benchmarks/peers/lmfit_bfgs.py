"""lmfit.Minimizer with BFGS and Huber's function as reduce_fcn; derivatives are its own."""

import lmfit
import numpy as np
from common import Points, huber, misfit, serve

NAMES = ("a", "b", "e", "alpha", "beta")


def minimizer(points, i, **settings):
    """The minimizer and parameters of resample i."""
    own = Points(*points.resample(i), points.counts[i], points.starts[i])
    parameters = lmfit.create_params(**dict(zip(NAMES, points.starts[i].tolist(), strict=True)))

    def fcn(p):
        return misfit(np.array([p[name].value for name in NAMES]), own)

    return lmfit.Minimizer(fcn, parameters, **settings)


def vector(found):
    return np.array([found.params[name].value for name in NAMES])


def contender(points):
    def one(i):
        total = minimizer(points, i, reduce_fcn=lambda r: huber(r).sum(), calc_covar=False)
        return vector(total.minimize(method="bfgs", tol=1e-9))

    return lambda refits: np.stack([one(i) for i in range(refits)])


if __name__ == "__main__":
    serve(contender)
