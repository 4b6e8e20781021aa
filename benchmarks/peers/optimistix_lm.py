"""jit(vmap(optimistix.LevenbergMarquardt)) on the root of Huber's function, in chunks of 500."""

import jax.numpy as jnp
import optimistix as optx
from common import DELTA, serve
from under_vmap import in_chunks, residual


def contender(points):
    misfit = residual(points)
    solver = optx.LevenbergMarquardt(rtol=1e-8, atol=1e-12)

    def root(q, counts):
        r = misfit(q)
        size = jnp.abs(r)
        outside = size > DELTA  # the double where keeps the square root's gradient finite
        far = jnp.sqrt(2 * DELTA * jnp.where(outside, size, DELTA) - DELTA**2)
        return jnp.sqrt(counts) * jnp.where(outside, jnp.sign(r) * far, r)

    def solve(counts, start):
        found = optx.least_squares(root, solver, start, args=counts, max_steps=2000, throw=False)
        return found.value

    return in_chunks(solve, points, 500)


serve(contender)
