"""A posterior as an ArviZ DataTree, for its tables, comparisons, plots and files."""

from typing import Any

import numpy as np

from jaxlaws._draws import Draws
from jaxlaws._errors import InputError
from jaxlaws._loo import log_likelihood
from jaxlaws._predict import predict
from jaxlaws._prior import log_priors, prior
from jaxlaws._replicas import new_targets, true_inputs

PRIOR_DRAWS = 1000


def to_arviz(draws: Draws) -> Any:
    """Draws as a DataTree with named dimensions.

    A posterior has the groups posterior, sample_stats, log_likelihood, log_prior,
    posterior_predictive, prior, prior_predictive, observed_data and constant_data; a bootstrap
    those of them that it knows: posterior (as one chain), posterior_predictive, observed_data and
    constant_data. Runs are named by their rows. An input with errors has its standard errors among
    the constant_data, as shares of a positive input, and true_D, the true values, in the posterior.

    Raises:
        InputError: The draws have no fit, or ArviZ is not installed.
    """
    try:
        import arviz as az
    except ImportError as error:
        raise InputError(
            'to_arviz needs ArviZ; install the extra: pip install "jaxlaws[bayes]".'
        ) from error
    if draws.fit is None:
        raise InputError(f"{draws.law.name} ({draws.origin}) has no runs to go with it.")
    runs, target = draws.fit.runs, draws.law.target.name
    live = np.flatnonzero(runs.weight > 0)
    inputs: dict[str, Any] = {name: values[live] for name, values in runs.inputs.items()}
    chains = 1 if draws.sampling is None else draws.sampling.chains

    def chained(values: np.ndarray, chains: int = chains) -> np.ndarray:
        return np.asarray(values).reshape(chains, -1, *np.shape(values)[1:])

    groups: dict[str, Any] = {
        "posterior": {name: chained(values) for name, values in draws.params.items()},
        "observed_data": {target: runs.target[live]},
        "constant_data": dict(inputs),
    }
    true: dict[str, np.ndarray] = {}
    if draws.sampling is None:
        groups["posterior_predictive"] = {target: chained(predict(draws, **inputs).run)}
    else:
        groups["posterior_predictive"] = {target: chained(new_targets(draws))}
        groups["posterior"]["noise"] = chained(draws.sampling.scale)
        true = {f"true_{name}": values for name, values in true_inputs(draws).items()}
        groups["posterior"] |= {name: chained(values) for name, values in true.items()}
        for name, blur in draws.sampling.known.blurs.items():
            groups["constant_data"][f"{name}_error"] = np.asarray(blur.error)[live]
        groups["log_likelihood"] = {target: chained(log_likelihood(draws))}
        groups["log_prior"] = {k: chained(v) for k, v in log_priors(draws).items()}
        before = prior(draws, draws=PRIOR_DRAWS)
        groups["prior"] = {k: chained(v, 1) for k, v in before.params.items()}
        groups["prior_predictive"] = {target: chained(predict(before, **inputs).run, 1)}
        if draws.sampling.stats:
            groups["sample_stats"] = dict(draws.sampling.stats)
    sized = {name: p.size for name, p in draws.law.params.items() if p.size}
    return az.from_dict(
        groups,
        dims={name: ["run"] for name in (target, *true, *(f"{k}_error" for k in inputs))}
        | {name: ["run"] if v.ndim == 1 else ["run", f"{name}_part"] for name, v in inputs.items()}
        | {name: [f"{name}_{i}" for i in range(len(size))] for name, size in sized.items()},
        coords={"run": [str(runs.rows[i]) for i in live]},
        attrs={"/": {"law": draws.law.name, "origin": draws.origin, "space": draws.space}},
    )


def prior_sensitivity(draws: Draws) -> Any:
    """How far a posterior moves when prior or likelihood are scaled by a power [kallioinen2024].

    One row per parameter: the sensitivity to the prior, to the likelihood, and what that means; a
    parameter that moves with its prior leans on it.

    Raises:
        InputError: The draws are no posterior, or ArviZ is not installed.
    """
    draws.sampled()
    tree = to_arviz(draws)
    import arviz as az

    names = [*draws.params, "noise"]
    return az.psense_summary(tree, var_names=names)
