"""simple-scaling-laws: one fit with its own wild bootstrap, least squares of the loss itself.

It cannot be given resamples or an objective, so that only its fit of the points is compared.
"""

import warnings

import numpy as np
import polars as pl
from common import serve
from simple_scaling_laws import fit


def contender(points):
    target, n = "test_loss__ce", len(points.N)
    table = pl.DataFrame(
        {
            "training_run_id": [f"r{i}" for i in range(n)],
            "model_size__n": points.N,
            "dataset_size__d": points.D,
            target: points.L,
        }
    )

    def run(refits):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = fit(table, law="separable-power", n_draws=refits, seed=0)
        p = found.fits[target].to_dict(found.law, found._reference)["params_raw_scale"]
        q = np.full((refits, 5), np.nan)
        q[0] = [np.log(p["A"]), np.log(p["B"]), np.log(p["E"]), p["alpha"], p["beta"]]
        return q

    return run


serve(contender)
