"""The protocol of a hitchhiker: a family's law judged on its largest model [choshen2024]."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
from jax.typing import ArrayLike

from jaxlaws._fit import fit
from jaxlaws._runs import Runs
from jaxlaws.laws.estimation import FIRST_TOKENS, LAST_SHARE, judged, relative_error, usable
from jaxlaws.laws.pretraining import chinchilla


def family_error(
    *,
    N: ArrayLike,
    D: ArrayLike,
    L: ArrayLike,
    borrowed: Mapping[str, float] | None = None,
    first: float = FIRST_TOKENS,
    share: float = LAST_SHARE,
    **options: Any,
) -> float:
    """`relative_error` on a family's largest model of chinchilla's law fitted to the smaller ones.

    All checkpoints count, not only last ones, and models near the target more than many small
    ones; E and the exponent of D are often not identified although predictions are good
    [choshen2024].

    Args:
        N: (n,) parameters of the model of each checkpoint.
        D: (n,) tokens seen by then.
        L: (n,) losses.
        borrowed: Parameters taken from another family, for instance alpha and beta.
        first: Tokens below which a checkpoint is left out of the fit.
        share: Last part of the target's run that is judged.
        **options: What `jaxlaws.fit` takes besides law and runs.
    """
    N, D, L = (np.asarray(v, float) for v in (N, D, L))
    target = np.max(N) == N
    kept = ~target & (np.asarray(usable(D=D, first=first)) > 0)
    law = chinchilla.fix(**borrowed) if borrowed else chinchilla
    params = fit(law, Runs.from_arrays(L[kept], N=N[kept], D=D[kept]), **options).params
    with jax.enable_x64(True):  # as the fit was
        predicted = law(N[target], D[target], **params)
        weight = judged(D=D[target], share=share)
        return float(relative_error(L=L[target], L_hat=predicted, weight=weight))


QUANTITIES: dict[str, dict[str, Callable[..., Any]]] = {
    "hitchhiker_protocol": {"ARE_of_family": family_error},
}
