"""Tasks: scores from size or loss, how small scores are measured, and what metrics do to them."""

from collections.abc import Callable
from typing import Annotated, Any

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from jaxlaws._law import Parameter, Variable, law
from jaxlaws._support import negative, positive, real, unit
from jaxlaws.laws.pretraining import overtrain_loss
from jaxlaws.quantities import FLOP, CrossEntropy, Loss, Params

FLP = "chen2024flp"
NEWTON = 40  # steps of a fit of two numbers

Passes = Annotated[Array, Variable("share of passes", unit, name="PU")]
Score = Annotated[Array, Variable("score", real, space="natural", name="perf")]

WITHOUT_LAW: tuple[tuple[str, str], ...] = (
    (
        "The Fine Line, 2404.01204",
        "Follows checkpoints of several sizes through benchmarks; trends and no equation.",
    ),
    (
        "Knowledge graph engineering and model size, 2505.16276",
        "Correlations of scores with size, and plateaus; nothing is fitted.",
    ),
    (
        "Why Has Predicting Downstream Capabilities Remained Elusive, 2406.04391",
        "Follows a score's correlation with compute through its metric. The steps are "
        "`choice_share`, `choice_accuracy` and `brier`.",
    ),
)


def overtrained(
    *,
    E: ArrayLike,
    a: ArrayLike,
    b: ArrayLike,
    eta: ArrayLike,
    C: Any = None,
    M: Any = None,
    N: Any = None,
    D: Any = None,
) -> Array:
    """`overtrain_loss` at compute C and M tokens per parameter, or at N parameters, D tokens."""
    if C is None or M is None:
        C, M = 6.0 * jnp.asarray(N, float) * D, jnp.asarray(D, float) / N
    return overtrain_loss(C, M, E=E, a=a, b=b, eta=eta)


def best_multiple(*, a: ArrayLike, b: ArrayLike, eta: ArrayLike) -> Array:
    """Tokens per parameter of the least loss at any compute: (b / a)^(1 / (2 eta)) [gadre2024]."""
    return (jnp.asarray(b, float) / a) ** (0.5 / jnp.asarray(eta, float))


def offset(*, M: ArrayLike, a: ArrayLike, b: ArrayLike, eta: ArrayLike) -> Array:
    """Height at C = 1 of the line in log-log of M tokens per parameter [gadre2024, eq. 4]."""
    M, a, b, eta = (jnp.asarray(v, float) for v in (M, a, b, eta))
    return a * M**eta + b * M**-eta


def as_chinchilla(
    *, E: ArrayLike, a: ArrayLike, b: ArrayLike, eta: ArrayLike
) -> dict[str, ArrayLike]:
    """Constants of `chinchilla` for the same loss: alpha = beta = 2 eta, A / a = B / b = 6^-eta."""
    share, power = 6.0 ** -jnp.asarray(eta, float), 2 * jnp.asarray(eta, float)
    return dict(E=E, A=a * share, B=b * share, alpha=power, beta=power)


def loss_for_error(*, error: ArrayLike, eps: ArrayLike, k: ArrayLike, gamma: ArrayLike) -> Array:
    """Loss at which `ppl_to_error` has this error; infinite at eps, NaN above [gadre2024]."""
    return (jnp.log(k) - jnp.log(eps - jnp.asarray(error, float))) / gamma


def pass_share(*, r: ArrayLike, K: ArrayLike) -> Array:
    """Chance to pass from K draws that ended with the r-th pass: r / K [hu2023].

    Resolves 1e-5, where a test set resolves 1e-2 to 1e-3.
    """
    return jnp.asarray(r, float) / K


def pass_share_unbiased(*, r: ArrayLike, K: ArrayLike) -> Array:
    """The unbiased estimate (r - 1) / (K - 1) from the same draws, for r >= 2."""
    return (jnp.asarray(r, float) - 1) / (jnp.asarray(K, float) - 1)


@law(source="hu2023")
def task_exp_power(
    N: Params,
    *,
    c: Annotated[Array, Parameter("", positive, (1.0, 1e4))],
    a: Annotated[Array, Parameter("", positive, (0.05, 1.0))],
) -> Passes:
    r"""Chance that a model of N parameters solves a task, or one instance of it.

    $$\mathrm{PU}(N) = \exp(-c\,N^{-a})$$

    Recalled. Easy instances, each fitted alone and then averaged, extrapolate better; a curve that
    grows faster than this law in ln(-ln PU) is the paper's emergence, and no product of such steps
    explains it (`task_line`, `pass_steps`) [hu2023].
    """
    return jnp.exp(-c * N**-a)


def task_line(*, N: Array, PU: Array) -> tuple[Array, Array]:
    """Least squares of ln(-ln PU) on ln N over models (n,): c and a of `task_exp_power`."""
    x, y = jnp.log(N), jnp.log(-jnp.log(PU))
    x0, y0 = jnp.mean(x), jnp.mean(y)
    slope = jnp.sum((x - x0) * (y - y0)) / jnp.sum((x - x0) ** 2)
    return jnp.exp(y0 - slope * x0), -slope


def pass_of_loss(*, L: Array) -> Array:
    """Chance to give an answer of loss L nats in all, where no other answer is right [hu2023]."""
    return jnp.exp(-L)


def pass_steps(*, N: Array, c: Array, a: Array) -> Array:
    """Chance to pass steps (s,) that all must succeed, each a `task_exp_power` [hu2023]."""
    return jnp.exp(-jnp.sum(_rates(N, c, a), axis=-1))


def pass_circuits(*, N: Array, c: Array, a: Array, w: Array) -> Array:
    r"""Chance to pass where one of several circuits (s,) is used, each with a share w of the time.

    $$\mathrm{PU}(N) = \sum_j w_j \exp(-c_j N^{-a_j})$$

    A steep circuit that takes over makes ln(-ln PU) fall faster than a line in ln N, which one
    circuit, or steps that must all succeed, cannot [hu2023, recalled].
    """
    return jnp.exp(-_rates(N, c, a)) @ jnp.asarray(w)


def _rates(N: Array, c: Array, a: Array) -> Array:
    """-ln of the chance of each of (s,) powers at N (...): (..., s)."""
    N = jnp.asarray(N)[..., None]
    c, a = (jnp.expand_dims(jnp.asarray(v), range(N.ndim - 1)) for v in (c, a))
    return c * N**-a


def instance_fit(*, N: Array, passes: Array, draws: Array) -> tuple[Array, Array]:
    """(c, a) of one instance by maximum likelihood, from its passes in so many draws.

    Sampling until the r-th pass and sampling a given number have the same likelihood. Models that
    never passed count too, as `task_line` cannot have it. Batched over instances by vmap; NaN where
    no model, or every one at each draw, passed.

    Args:
        N: (m,) parameters of the models.
        passes: (m,) draws that passed.
        draws: (m,) draws, zero where a model was not tried.

    >>> N, draws = jnp.array([1e8, 3e8, 1e9]), jnp.full(3, 1000)
    >>> c, a = instance_fit(N=N, passes=jnp.array([0, 4, 60]), draws=draws)
    >>> round(float(a), 1)
    0.6
    """
    u = jnp.log(N)
    u = u - jnp.mean(u)
    passes, draws = (jnp.asarray(v, u.dtype) for v in (passes, draws))

    def loss(both: Array) -> Array:  # ln(-ln PU) = both[0] - both[1] u
        rate = jnp.exp(both[0] - both[1] * u)
        fail = jnp.log(-jnp.expm1(-rate))
        return jnp.sum(passes * rate - (draws - passes) * fail)

    def newton(_: int, both: Array) -> Array:
        slope, bend = jax.grad(loss)(both), jax.hessian(loss)(both)
        size, turn = jnp.linalg.eigh(bend)  # uphill directions are turned round
        step = turn @ ((turn.T @ slope) / jnp.maximum(jnp.abs(size), 1e-9))
        tried = both[None, :] - step[None, :] * 0.5 ** jnp.arange(20.0, dtype=u.dtype)[:, None]
        return tried[jnp.nanargmin(jax.vmap(loss)(tried))]

    share = jnp.clip((jnp.sum(passes) + 0.5) / (jnp.sum(draws) + 1), 1e-9, 1 - 1e-9)
    start = jnp.stack([jnp.log(-jnp.log(share)), jnp.zeros_like(share)])
    level, a = jax.lax.fori_loop(0, NEWTON, newton, start)
    told = (jnp.sum(passes) > 0) & jnp.any(passes < draws)
    c = jnp.exp(level + a * jnp.mean(jnp.log(N)))
    return jnp.where(told, c, jnp.nan), jnp.where(told, a, jnp.nan)


def instances_score(*, N: Array, c: Array, a: Array) -> Array:
    """Score of a task at N: the mean over instances (i,) of `task_exp_power`, NaN ones left out.

    Fitted one by one and then averaged, easy instances are not held back by hard ones; it takes
    many draws of each, since errors of the exponents push the mean up [hu2023].
    """
    return jnp.nanmean(jnp.exp(-_rates(N, c, a)), axis=-1)


@law(source=FLP)
def flp_loss(
    C: FLOP,
    *,
    C_N: Annotated[Array, Parameter("FLOP", positive, (1e22, 1e36))],
    a_N: Annotated[Array, Parameter("", negative, (-0.2, -0.02))],
) -> Loss:
    r"""Loss of a converged model against its compute.

    $$L(C) = (C / C_N)^{a_N}$$

    First of two steps to a score; the form is recalled, and no constants were recovered
    [chen2024flp].
    """
    return jnp.exp(a_N * (jnp.log(C) - jnp.log(C_N)))  # C_N squared overflows float32


@law(source=FLP)
def flp_perf(
    L: CrossEntropy,
    *,
    w0: Annotated[Array, Parameter("", real, (0.0, 4.0))],
    w1: Annotated[Array, Parameter("1/nats", real, (-1.5, 0.2))],
) -> Score:
    r"""Score of a task against the pretraining loss, past emergence.

    $$\mathrm{Perf}(L) = w_0 + w_1 L$$

    Second of two steps, fitted only to checkpoints whose loss is below the task's threshold; from
    models of up to 3e9 parameters it came within 5 % at 7e9 and 10 % at 13e9 [chen2024flp].
    """
    return w0 + w1 * L


def choice_share(*, p: Array) -> Array:
    """(..., choices) probabilities of the choices of a question as shares of their sum."""
    return p / jnp.sum(p, axis=-1, keepdims=True)


def choice_accuracy(*, p: Array, correct: Array) -> Array:
    """1 where the most probable of (..., choices) is the correct one, else 0: no slope."""
    return jnp.where(jnp.argmax(p, axis=-1) == correct, 1.0, 0.0)


def brier(*, p: Array, correct: Array) -> Array:
    """Brier score: squared distance of the shares (..., choices) from the right answer."""
    right = jax.nn.one_hot(correct, p.shape[-1], dtype=p.dtype)
    return jnp.sum((choice_share(p=p) - right) ** 2, axis=-1)


QUANTITIES: dict[str, dict[str, Callable[..., Any]]] = {
    "overtrain_loss": {
        "L": overtrained,
        "M_opt": best_multiple,
        "offset": offset,
        "chinchilla": as_chinchilla,
    },
    "ppl_to_error": {"L": loss_for_error},
    "passuntil_estimator": {"PU": pass_share, "PU_unbiased": pass_share_unbiased},
    "task_exp_power": {
        "line": task_line,
        "PU_of_loss": pass_of_loss,
        "PU_of_steps": pass_steps,
        "PU_of_circuits": pass_circuits,
        "PU_of_instances": instances_score,
        "instance": instance_fit,
    },
}
