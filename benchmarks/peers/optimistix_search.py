"""The twelve lines with what ours does too: the start is searched for, from 128 random starts.

The first call includes the search, in the box of Hoffmann's grid; the others begin at its minimum.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optimistix as optx
from common import Points, serve
from under_vmap import in_chunks, loss

BOX = np.array([[0.0, 25.0], [0.0, 25.0], [-1.0, 1.0], [0.0, 2.0], [0.0, 2.0]])
STARTS = 128


def contender(points):
    fn = loss(points)
    bfgs = optx.BFGS(rtol=1e-8, atol=1e-12)

    def solve(counts, start):
        return optx.minimise(fn, bfgs, start, args=counts, max_steps=2000, throw=False).value

    kept = []

    def run(refits):
        if not kept:
            random = np.random.default_rng(0).uniform(*BOX.T, (STARTS, 5))
            plain = np.tile(points.counts[0], (STARTS, 1))
            ends = jnp.asarray(in_chunks(solve, Points(*points[:3], plain, random), STARTS)(STARTS))
            values = jax.vmap(fn, (0, None))(ends, jnp.asarray(points.counts[0]))
            lowest = np.asarray(ends[jnp.nanargmin(values)])
            given = np.tile(lowest, (len(points.counts), 1))
            kept.append(in_chunks(solve, points._replace(starts=given), 500))
        return kept[0](refits)

    return run


serve(contender)
