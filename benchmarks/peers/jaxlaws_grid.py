"""Ours, from the starts given: a fit follows each of them twice and returns where all end."""

import jax
import numpy as np
from common import serve

import jaxlaws as jl

jax.config.update("jax_enable_x64", True)


def contender(points):
    runs = jl.Runs.from_arrays(points.L, N=points.N, D=points.D)

    def run(refits):
        a, b, e, alpha, beta = points.starts[:refits].T
        given = dict(E=np.exp(e), A=np.exp(a), B=np.exp(b), alpha=alpha, beta=beta)
        fit = jl.fit(jl.laws.chinchilla, runs, starts=given)
        # The fit sorts its ends; each is told by its objective, and q is that of the lowest.
        q = np.full((refits, 5), np.nan)
        same = fit.solution.value <= fit.solution.value[0] * (1 + 1e-8)
        p = {k: float(v) for k, v in fit.params.items()}
        q[same] = [*(np.log(p[k]) for k in ("A", "B", "E")), p["alpha"], p["beta"]]
        return q

    return run


serve(contender)
