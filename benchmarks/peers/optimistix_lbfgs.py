"""jit(vmap(optimistix.LBFGS)), in chunks of 500."""

import optimistix as optx
from common import serve
from under_vmap import in_chunks, loss


def contender(points):
    fn = loss(points)
    lbfgs = optx.LBFGS(rtol=1e-8, atol=1e-12)

    def solve(counts, start):
        return optx.minimise(fn, lbfgs, start, args=counts, max_steps=2000, throw=False).value

    return in_chunks(solve, points, 500)


serve(contender)
