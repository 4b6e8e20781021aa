"""From the losses of several domains to a task's score, by a small network [chen2024flp].

Second step of FLP-M. Sizes and rates are this library's: the paper's were not recovered.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jax import Array

from jaxlaws._errors import InputError
from jaxlaws._fit import Fit, fit
from jaxlaws._interval import check_prob
from jaxlaws._runs import Runs
from jaxlaws.laws.sources import flp_m_loss
from jaxlaws.procedures._descent import descend

HIDDEN, RATE, STEPS, PATIENCE = 8, 0.03, 5000, 300
HELD = 0.2  # share of the checkpoints that a member holds out to stop early

Weights = dict[str, Array]


def network(weights: Weights, L: Array) -> Array:
    r"""Score of a task from standardised losses (..., k) of k domains: two layers.

    $$\mathrm{Perf} = w_2^\top \tanh(W_1 L + b_1) + b_2$$

    [chen2024flp]
    """
    hidden = jnp.tanh(
        jnp.tensordot(L, weights["W1"], 1) + jnp.expand_dims(weights["b1"], range(L.ndim - 1))
    )
    return jnp.tensordot(hidden, weights["w2"], 1) + weights["b2"]


def trained(key: Array, L: Array, perf: Array, hidden: int = HIDDEN) -> tuple[Weights, Array]:
    """One network trained by Adam until the error on its own held-out checkpoints stops falling.

    Full batches; the weights of the least held-out error are kept. Batched over keys by vmap: each
    key draws other weights to begin with and other checkpoints to hold out.

    Args:
        key: Random key.
        L: (n, k) losses, standardised.
        perf: (n,) scores, standardised.
        hidden: Units of the hidden layer.

    Returns:
        Weights, and the mean squared error on what was held out.
    """
    first, second, split = jax.random.split(key, 3)
    k = L.shape[1]
    start = dict(
        W1=jax.random.normal(first, (k, hidden), L.dtype) / jnp.sqrt(float(k)),
        b1=jnp.zeros(hidden, L.dtype),
        w2=jax.random.normal(second, (hidden,), L.dtype) / jnp.sqrt(float(hidden)),
        b2=jnp.zeros((), L.dtype),
    )
    n = len(perf)
    held = jax.random.permutation(split, n) < max(1, round(HELD * n))

    def objective(weights: Weights) -> tuple[Array, Array]:
        wrong = (network(weights, L) - perf) ** 2
        return jnp.mean(wrong, where=~held), jnp.mean(wrong, where=held)

    weights, least, _ = descend(objective, start, rate=RATE, steps=STEPS, patience=PATIENCE)
    return weights, least


@dataclass(frozen=True)
class TwoSteps:
    """FLP-M: a law of compute for the loss on each domain, and networks from losses to a score.

    Attributes:
        domains: Names of the k domains.
        fits: `flp_m_loss` of each domain.
        weights: Weights of the networks, leading axis (member,).
        held_out: (member,) mean squared error on the checkpoints that each member held out.
        middle: (k + 1,) means of losses and score, that standardise them.
        width: (k + 1,) their standard deviations.
    """

    domains: tuple[str, ...]
    fits: tuple[Fit, ...]
    weights: Weights
    held_out: np.ndarray
    middle: np.ndarray
    width: np.ndarray

    def losses(self, C: Any) -> np.ndarray:
        """(m, k) losses of runs that spend C (m, k) FLOP on the domains."""
        C = np.atleast_2d(np.asarray(C, float))
        with jax.enable_x64(True):
            own = [f.law(_first(C, i), **f.params) for i, f in enumerate(self.fits)]
            return np.stack([np.asarray(loss) for loss in own], axis=1)

    def members(self, L: Any) -> np.ndarray:
        """(member, m) scores at losses L (m, k), by each network."""
        L = (np.atleast_2d(np.asarray(L, float)) - self.middle[None, :-1]) / self.width[None, :-1]
        with jax.enable_x64(True):
            scores = jax.vmap(network, (0, None))(self.weights, jnp.asarray(L))
        return np.asarray(scores) * self.width[-1] + self.middle[-1]

    def predict(self, C: Any, prob: float = 0.9) -> pd.DataFrame:
        """Losses and scores of runs that spend C (m, k): the domains, score, low, high.

        The score is the networks' median; the interval is their spread over seeds and held-out
        checkpoints, which the errors of the losses are not in.
        """
        check_prob(prob)
        losses = self.losses(C)
        low, score, high = np.quantile(
            self.members(losses), [(1 - prob) / 2, 0.5, (1 + prob) / 2], axis=0
        )
        table = pd.DataFrame(losses, columns=[f"loss on {name}" for name in self.domains])
        return table.assign(score=score, low=low, high=high)


def flp_m(
    C: Any,
    L: Any,
    perf: Any,
    *,
    domains: tuple[str, ...] = (),
    checkpoints: tuple[Any, Any] | None = None,
    members: int = 32,
    key: Array | None = None,
    **options: Any,
) -> TwoSteps:
    """Predict a task's score from the compute spent on each domain, in two steps.

    Args:
        C: (n, k) FLOP that each run spent on each domain.
        L: (n, k) its losses on them.
        perf: (n,) its scores.
        domains: Names; numbers if none.
        checkpoints: Losses (c, k) and scores (c,) of intermediate checkpoints past emergence, that
            the networks learn from; None takes L and perf.
        members: Networks, trained at once.
        key: Random key; None is a fixed one.
        **options: What `jaxlaws.fit` takes besides law and runs.

    Raises:
        InputError: The tables do not belong together.

    >>> C = np.geomspace(1e18, 1e21, 16)[:, None] * np.array([[0.8, 0.2], [0.3, 0.7]] * 8)
    >>> L = 1.5 + 300 * C**-0.13
    >>> found = flp_m(C, L, 1 / L.sum(axis=1), members=2, starts=4)
    >>> found.predict([1e21, 1e21]).shape
    (1, 5)
    """
    C, L, perf = (np.asarray(v, float) for v in (C, L, perf))
    if C.ndim != 2 or L.shape != C.shape or perf.shape != C.shape[:1]:
        raise InputError(
            "flp_m takes C (n, k), L (n, k) and perf (n,) of the same n runs and k domains; got "
            f"{C.shape}, {L.shape} and {perf.shape}."
        )
    losses, scores = (L, perf) if checkpoints is None else map(np.asarray, checkpoints)
    if losses.shape != (len(scores), L.shape[1]) or len(scores) < 5:
        raise InputError(
            f"The networks need losses (c, {L.shape[1]}) and scores (c,) of 5 checkpoints or more; "
            f"got {losses.shape} and {scores.shape}."
        )
    law = flp_m_loss(C.shape[1])
    tables = [Runs.from_arrays(L[:, i], C=_first(C, i)) for i in range(C.shape[1])]
    fits = fit(law, Runs.stack(tables), **options)
    both = np.column_stack([losses, scores])
    middle, width = both.mean(axis=0), both.std(axis=0)
    width = np.where(width > 0, width, 1.0)
    with jax.enable_x64(True):
        key = jax.random.key(0) if key is None else key
        x = jnp.asarray((both - middle[None, :]) / width[None, :])
        keys = jax.random.split(key, members)
        train = jax.jit(jax.vmap(trained, (0, None, None)))
        weights, held_out = train(keys, x[:, :-1], x[:, -1])
    names = domains or tuple(map(str, range(C.shape[1])))
    return TwoSteps(names, fits, weights, np.asarray(held_out), middle, width)


def _first(C: np.ndarray, i: int) -> np.ndarray:
    """Compute (n, k) with domain i before the others."""
    return np.concatenate([C[:, i : i + 1], np.delete(C, i, axis=1)], axis=1)


QUANTITIES: dict[str, dict[str, Callable[..., Any]]] = {
    "flp_m_loss": {"two_steps": flp_m, "Perf": network}
}
