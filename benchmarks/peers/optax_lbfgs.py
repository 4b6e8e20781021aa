"""optax.lbfgs in a while loop, under jit and vmap, in chunks of 500."""

import jax
import jax.numpy as jnp
import optax
from common import serve
from under_vmap import in_chunks, loss

STEPS, SMALL = 1000, 1e-10  # the gradient is that of an objective near 1e-3


def contender(points):
    fn = loss(points)
    solver = optax.lbfgs()

    def solve(counts, start):
        at = lambda q: fn(q, counts)  # noqa: E731
        value_and_grad = optax.value_and_grad_from_state(at)

        def step(carry):
            q, state, _, count = carry
            value, grad = value_and_grad(q, state=state)
            move, state = solver.update(grad, state, q, value=value, grad=grad, value_fn=at)
            return optax.apply_updates(q, move), state, jnp.linalg.norm(grad), count + 1

        def going(carry):
            return (carry[2] > SMALL) & (carry[3] < STEPS)

        begin = (start, solver.init(start), jnp.asarray(jnp.inf), jnp.asarray(0))
        return jax.lax.while_loop(going, step, begin)[0]

    return in_chunks(solve, points, 500)


serve(contender)
