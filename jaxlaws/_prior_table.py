"""prior_table: what a posterior assumes before it sees a run."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from jaxlaws._density import NOISE, NOISE_SHARE, NOISE_WIDTH
from jaxlaws._errors import InputError
from jaxlaws._fit import labelled
from jaxlaws._law import NORMAL_90, Law


def check_priors(law: Law, priors: Mapping[str, Any]) -> dict[str, Any]:
    """The priors of one's own, in the law's order.

    Raises:
        InputError: One is for nothing the law has, or is no distribution.
    """
    for name, prior in priors.items():
        if name not in (*law.params, NOISE):
            raise InputError(
                f"priors: {law.name} has no parameter {name!r}; it has {', '.join(law.params)} "
                f"and {NOISE}, the scale of the residuals."
            )
        if not hasattr(prior, "log_prob"):
            raise InputError(
                f"priors: {name} must be a NumPyro distribution, e.g. LogNormal(0.0, 1.0); "
                f"got {prior!r}."
            )
        if name != NOISE and law.params[name].support.name == "simplex":
            raise InputError(f"priors: {name} lies on a simplex; its prior cannot be replaced.")
    return {name: priors[name] for name in sorted(priors)}


def prior_table(
    law: Law,
    priors: Mapping[str, Any] | None = None,
    input_error: Mapping[str, Any] | None = None,
) -> pd.DataFrame:
    """What a posterior assumes before it sees a run: the 5, 50 and 95 % points of each parameter.

    Args:
        law: The law.
        priors: Parameter -> NumPyro distribution, as in `posterior`.
        input_error: Input -> standard error, as in `posterior`; its points are those over runs.

    >>> import jaxlaws as jl
    >>> jl.prior_table(jl.laws.chinchilla)["5 %"].round(3).tolist()
    [0.2, 1.0, 1.0, 0.03, 0.03, 0.004]
    """
    own = check_priors(law, priors or {})
    rows = []
    for name, p in law.params.items():
        for label, _ in labelled(name, np.zeros(p.size)):
            kind, points = "typical range", np.full(3, np.nan)
            if name in own:
                kind, points = type(own[name]).__name__, _points(own[name])
            elif p.like:
                kind = f"spread over the runs' {p.like}"
            elif p.support.name != "simplex":
                found = p.constrain(jnp.asarray([-NORMAL_90, 0.0, NORMAL_90]))
                points = np.asarray(found, float)
            rows.append((label, p.unit, kind, *points))
    spread = np.exp(NOISE_WIDTH * np.array([-NORMAL_90, 0.0, NORMAL_90]))
    scale: tuple[Any, ...] = ("share of the target's spread", *(NOISE_SHARE * spread))
    if NOISE in own:
        scale = (type(own[NOISE]).__name__, *_points(own[NOISE]))
    rows.append((NOISE, "", *scale))
    for name, error in (input_error or {}).items():
        points = np.quantile(np.asarray(error, float), [0.05, 0.5, 0.95])
        relative = law.inputs[name].support.name == "positive"
        unit = "share of it" if relative else law.inputs[name].unit
        rows.append((f"error of {name}", unit, "known standard error", *points))
        kind = "normal population, learnt"
        rows.append((f"true {name}", law.inputs[name].unit, kind, *np.full(3, np.nan)))
    columns = ["parameter", "unit", "prior", "5 %", "50 %", "95 %"]
    return pd.DataFrame(rows, columns=columns).set_index("parameter")


def _points(prior: Any) -> np.ndarray:
    at = np.array([0.05, 0.5, 0.95])
    try:
        return np.asarray(prior.icdf(at), float)
    except NotImplementedError:  # not every distribution has an inverse
        return np.quantile(np.asarray(prior.sample(jax.random.key(0), (10_001,))), at)
