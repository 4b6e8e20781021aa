"""new_group: what a pooled posterior says of a group of runs that nobody has seen."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxlaws._coordinates import coordinates
from jaxlaws._draws import Draws
from jaxlaws._errors import InputError
from jaxlaws._law import Law


def new_group(draws: Draws, law: Law, *, key: Array | None = None) -> Draws:
    """Draws of a law's parameters in a new group, from the population of those seen.

    Args:
        draws: A posterior with pooled parameters: `posterior(fit, pool=...)`.
        law: The law without its groups: what `per_group` was asked of.
        key: Random key; None is a fixed one.

    Returns:
        `Draws` of that law: predict and frontier take them as any others.

    Raises:
        InputError: The draws are not pooled, or the law is not theirs.
    """
    sampling, fit = draws.sampling, draws.fit
    if sampling is None or fit is None or not sampling.model.pooled:
        raise InputError("new_group takes a posterior with pooled parameters: posterior(pool=...).")
    names, _ = draws.law.grouped
    if list(law.params) != list(draws.law.params) or any(law.params[k].size for k in names):
        raise InputError(
            f"{law.name} is not {draws.law.name} without its groups; hand over the law that "
            "per_group was asked of."
        )
    model = sampling.model
    if free := [name for name in names if name not in model.pooled]:
        raise InputError(
            f"{', '.join(free)} of {draws.law.name} is free in every group, so that nothing is "
            "known of it in a new one; pool it as well."
        )
    layout, whole = coordinates(law), model.layout
    key = jax.random.key(3) if key is None else key
    middles, spreads = (np.asarray(v) for v in model.population(jnp.asarray(sampling.places)))
    with jax.enable_x64(True):
        noise = np.asarray(jax.random.normal(key, middles.shape))
        z = np.zeros((len(draws), layout.size))
        for name, where in layout.slices.items():
            if name in model.pooled:
                i = model.pooled.index(name)
                z[:, where] = (middles[:, i] + np.exp(spreads[:, i]) * noise[:, i])[:, None]
            else:
                z[:, where] = sampling.places[:, whole.slices[name]]
        frame = jax.tree.map(jnp.asarray, layout.frame(fit.runs))
        found = jax.vmap(lambda one: layout.to_params(one, frame))(jnp.asarray(z))
        params = {name: np.asarray(value) for name, value in law.canonical(found).items()}
    return Draws(
        law=law,
        params=params,
        point={name: np.median(value, axis=0) for name, value in params.items()},
        status=draws.status,
        origin=f"a new group, {draws.origin}",
        space=draws.space,
        noise=draws.noise,
        failure=draws.withheld(),
    )
