"""Chains of two fits, and what mixture is best, as draws."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jax import Array

from jaxlaws._bootstrap import bootstrap
from jaxlaws._draws import Draws
from jaxlaws._errors import InputError
from jaxlaws._fit import fit
from jaxlaws._interval import check_prob
from jaxlaws._law import Law
from jaxlaws._resample import Resampler
from jaxlaws._runs import Runs
from jaxlaws._simplex import best_shares


def two_stage(
    first: Law,
    runs: Runs,
    second: Law,
    tasks: Runs,
    *,
    draws: int = 1000,
    resampler: Resampler | None = None,
    key: Array | None = None,
    options: tuple[dict[str, Any], dict[str, Any]] = ({}, {}),
) -> Draws:
    """Predict a task's score from size in two stages: size to loss, and loss to score.

    Each law is fitted to its own runs and refitted to resamples of them; draw i of the chain takes
    draw i of both, so that its spread holds what either leaves open. The second law may see
    intermediate checkpoints, or only those past emergence: filter its runs (`Runs.where`)
    [bhagia2024; llama2024; chen2024flp].

    Args:
        first: Law of the loss, for instance `chinchilla` or `flp_loss`.
        runs: Its runs.
        second: Law of the score, whose only input is that loss.
        tasks: Its runs.
        draws: Number of draws.
        resampler: How both are resampled; pairs when None.
        key: Random key; None is a fixed one.
        options: What `jaxlaws.fit` takes besides law and runs, for each.

    Returns:
        Draws of the chain, which predict, frontier and plots take.

    >>> import jaxlaws as jl
    >>> runs = jl.datasets.runs("simulated_chinchilla")
    >>> score = jl.laws.ppl_to_error(runs.target, eps=0.85, k=2.1, gamma=0.75)
    >>> tasks = jl.Runs.from_arrays(score, L=runs.target)
    >>> chain = two_stage(jl.laws.chinchilla, runs, jl.laws.ppl_to_error, tasks, draws=20)
    >>> list(chain.law.inputs), len(chain)
    (['N', 'D'], 20)
    """
    keys = jax.random.split(jax.random.key(0) if key is None else key)
    ends = [
        bootstrap(fit(law, table, **more), resampler, draws=draws, key=own)
        for law, table, own, more in zip((first, second), (runs, tasks), keys, options, strict=True)
    ]
    return ends[0].then(ends[1])


def best_mixture(
    domains: Sequence[Draws],
    weights: Any,
    *,
    shares: str | None = None,
    fixed: dict[str, float] | None = None,
    prob: float = 0.9,
) -> pd.DataFrame:
    r"""The mixture of least weighted loss over several domains, at the estimate and at every draw.

    $$\arg\min_p \sum_i w_i L_i(p, x), \quad \sum_j p_j = 1, \quad p_j \ge 0$$

    By the gradient of the laws on the simplex: one compiled search for all draws. Draw i takes draw
    i of every domain; a loss that is not convex in the shares may have other minima.

    Args:
        domains: Draws of a mixture law for the loss on each domain, as many of each.
        weights: (domains,) what each counts.
        shares: The input that is the mixture; found if there is only one on the simplex.
        fixed: The other inputs, for instance N and D.
        prob: Probability of the percentile interval.

    Returns:
        A row per share: estimate, low, high; `attrs["loss"]` holds the loss at the estimate.

    Raises:
        InputError: There is no such input, or the draws do not belong together.

    >>> import jaxlaws as jl
    >>> law = jl.laws.find("ye_data_mixing(2)")
    >>> r = np.array([[0.1, 0.9], [0.4, 0.6], [0.6, 0.4], [0.8, 0.2], [0.9, 0.1]])
    >>> ends = [
    ...     jl.bootstrap(
    ...         jl.fit(law, jl.Runs.from_arrays(1 + np.exp(-2 * r[:, i]), r=r), starts=8),
    ...         jl.Bayesian(),
    ...         draws=4,
    ...     )
    ...     for i in (0, 1)
    ... ]
    >>> [round(share, 2) for share in best_mixture(ends, [0.5, 0.5])["estimate"]]
    [0.5, 0.5]
    """
    check_prob(prob)
    law, fixed = domains[0].law, fixed or {}
    found = [k for k, v in law.inputs.items() if v.support.name == "simplex"]
    name = shares or (found[0] if len(found) == 1 else "")
    size = law.inputs[name].size if name in law.inputs else None
    if not size or size[0] is None:
        raise InputError(f"{law.name} has no mixture among its inputs {', '.join(law.inputs)}.")
    if missing := sorted(set(law.inputs) - {name, *fixed}):
        raise InputError(f"{law.name} needs {', '.join(missing)} in `fixed`.")
    if len({len(each) for each in domains}) > 1 or len(domains) != np.size(weights):
        raise InputError(
            "best_mixture takes as many draws of every domain and a weight for each; got draws "
            f"{[len(each) for each in domains]} and {np.size(weights)} weights."
        )
    laws = [each.law for each in domains]
    good = np.all([each.good for each in domains], axis=0)
    with jax.enable_x64(True):
        w = jnp.asarray(weights, float)
        held = {k: jnp.asarray(v, float) for k, v in fixed.items()}

        def loss(p: Array, params: list[dict[str, Array]]) -> Array:
            own = [f.scalar({name: p, **held, **q}) for f, q in zip(laws, params, strict=True)]
            return jnp.sum(w * jnp.stack(own))

        start = jnp.full(size[0], 1 / size[0])

        @jax.jit
        def search(params: list[dict[str, Array]]) -> Array:
            return jax.vmap(lambda q: best_shares(lambda p: loss(p, q), start))(params)

        sets = [
            {
                k: jnp.concatenate([jnp.asarray(v)[None], jnp.asarray(each.params[k])[good]])
                for k, v in each.point.items()
            }
            for each in domains
        ]
        at = np.asarray(search(sets))
        least = float(
            loss(jnp.asarray(at[0]), [{k: v[0] for k, v in each.items()} for each in sets])
        )
    low, high = np.quantile(at[1:], [(1 - prob) / 2, (1 + prob) / 2], axis=0)
    table = pd.DataFrame(dict(estimate=at[0], low=low, high=high))
    table.index.name = name
    table.attrs.update(prob=prob, loss=least)
    return table


QUANTITIES: dict[str, dict[str, Callable[..., Any]]] = {
    "olmo_ladder": {"chain": two_stage},
    "llama3_two_stage": {"chain": two_stage},
    "flp_perf": {"chain": two_stage},
    "ye_data_mixing": {"r_opt": best_mixture},
    "shukor_mixture": {"h_opt": best_mixture},
}
