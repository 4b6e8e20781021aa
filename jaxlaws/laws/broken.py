"""Learning curves of one variable, from a straight line in log-log to a line with breaks."""

from functools import lru_cache
from typing import Annotated

import jax
import jax.numpy as jnp
from jax import Array

from jaxlaws._implicit import root
from jaxlaws._law import Constants, Law, Parameter, law
from jaxlaws._support import negative, positive, real
from jaxlaws.quantities import Positive, Scale

Decay = Annotated[Array, Parameter("", negative, (-1.5, -0.03))]
Height = Annotated[Array, Parameter("", positive, (1e-1, 1e4))]
Floor = Annotated[Array, Parameter("", positive, (1e-3, 3.0))]
Ceiling = Annotated[Array, Parameter("", positive, (0.2, 10.0))]
Bend = Annotated[Array, Parameter("", positive, (0.05, 5.0))]
Offset = Annotated[Array, Parameter("", positive, (1e-12, 1e-2))]
SOURCE = "alabdulmohsin2022"
FARTHEST = 1e4  # logits between which m4's root lies: |ln height| / alpha for any constants


@law(source=SOURCE)
def m1(x: Scale, *, beta: Height, c: Decay) -> Positive:
    r"""Excess error as a pure power of the scale x.

    $$\varepsilon(x) = \beta x^{c}$$

    c < 0 [alabdulmohsin2022, M1].
    """
    return beta * x**c


@law(source=SOURCE)
def m2(x: Scale, *, beta: Height, c: Decay, eps_inf: Floor) -> Positive:
    r"""A power of the scale x above a floor.

    $$\varepsilon(x) = \varepsilon_\infty + \beta x^{c}$$

    [alabdulmohsin2022, M2]
    """
    return eps_inf + beta * x**c


@law(source=SOURCE)
def m3(x: Scale, *, beta: Height, c: Decay, gamma: Offset) -> Positive:
    r"""A power that saturates when 1/x falls below gamma.

    $$\varepsilon(x) = \beta (1/x + \gamma)^{-c}$$

    gamma = 0 gives m1 [alabdulmohsin2022, M3; the sign of c as in m1].
    """
    return beta * (1 / x + gamma) ** -c


@law(source=SOURCE)
def m4(
    x: Scale, *, beta: Height, c: Decay, alpha: Bend, eps_inf: Floor, eps_0: Ceiling
) -> Positive:
    r"""From chance level eps_0 at small scale to the floor eps_inf, bending in between.

    $$\frac{\varepsilon - \varepsilon_\infty}{(\varepsilon_0 - \varepsilon)^{\alpha}}
      = \beta x^{c}$$

    Implicit in the error: its root in (eps_inf, eps_0) is unique, found by bisection in the logit
    of its place between the two and differentiated through the root; alpha = 0 gives m2
    [alabdulmohsin2022, M4].
    """
    span = eps_0 - eps_inf
    one = jnp.ones_like(span)
    log_height = jnp.log(beta) + c * jnp.log(x)
    bend = jnp.where(alpha == 0, 1.0, alpha)

    def gap(u: Array) -> Array:
        left = jnp.log(span) + jax.nn.log_sigmoid(u)
        return left - log_height - bend * (jnp.log(span) + jax.nn.log_sigmoid(-u))

    exact = eps_inf + span * jax.nn.sigmoid(root(gap, -FARTHEST * one, FARTHEST * one))
    return jnp.where(alpha == 0, eps_inf + jnp.exp(log_height), exact)


@lru_cache(maxsize=32)  # one object per size, so that compiled code is found again
def bnsl(breaks: int) -> Law:
    """The broken neural scaling law with a given number of breaks; none gives a power with a floor.

    Raises:
        ValueError: A negative number of breaks.

    >>> import jaxlaws as jl
    >>> jl.laws.bnsl(1).params["d"].size
    (1,)
    """
    if breaks < 0:
        raise ValueError(f"bnsl takes 0 or more breaks, got {breaks}.")
    size = (breaks,)

    def fn(
        x: Scale,
        *,
        a: Annotated[Array, Parameter("", positive, (1e-3, 3.0))],
        b: Annotated[Array, Parameter("", positive, (1e-1, 1e4))],
        c0: Annotated[Array, Parameter("", real, (-0.3, 1.0))],
        c: Annotated[Array, Parameter("", real, (-1.0, 4.0), size)],
        d: Annotated[Array, Parameter("", positive, (1e3, 1e12), size, like="x")],
        f: Annotated[Array, Parameter("", positive, (0.03, 2.0), size)],
    ) -> Positive:
        r"""A power law of x whose exponent changes at smooth breaks.

        $$y(x) = a + b x^{-c_0} \prod_i \left(1 + (x/d_i)^{1/f_i}\right)^{-c_i f_i}$$

        a is the limit, c0 the first slope, c_i the change of slope at d_i, f_i its width (small is
        sharp); the breaks are reported in the order of d [caballero2022, eq. 1].
        """
        u = jnp.log(x)
        bends = jnp.sum(c * f * jax.nn.softplus((u - jnp.log(d)) / f))
        return a + b * jnp.exp(-c0 * u - bends)

    published = {}
    if breaks == 1:
        published["caballero2022_addition"] = Constants(
            dict(
                a=0.41388453071629455,
                b=2.2772722897737556,
                c0=0.055077348404973955,
                c=[5.662903816010331],
                d=[612.5836172918001],
                f=[0.059193036393742314],
            ),
            "verified",
        )
    return law(
        fn,
        source="caballero2022",
        constants=published,
        name=f"bnsl({breaks})",
        canonical=_by_position,
    )


def _by_position(params: dict[str, Array]) -> dict[str, Array]:
    order = jnp.argsort(params["d"], axis=-1)
    breaks = {k: jnp.take_along_axis(params[k], order, axis=-1) for k in ("c", "d", "f")}
    return {**params, **breaks}
