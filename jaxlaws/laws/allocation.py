"""Power laws of the compute-optimal run, and the classical ways to read them off runs."""

from collections.abc import Callable
from typing import Annotated, Any

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from jaxlaws import flops
from jaxlaws._law import Constants, Parameter, Variable, law
from jaxlaws._support import positive
from jaxlaws.laws.pretraining import deepseek_scaling
from jaxlaws.quantities import FLOP, Params, Positive

OptimalTokens = Annotated[Array, Variable("tokens", typical=(1e3, 1e17), name="D_opt")]
OptimalParams = Annotated[Array, Variable("parameters", typical=(1e3, 1e15), name="N_opt")]
# Lines meet near 1e9 at C = 1e20: the steeper, the smaller k; 4e-8 where the slope is 0.84.
Coefficient = Annotated[Array, Parameter("", positive, (1e-8, 1e2))]
Growth = Annotated[Array, Parameter("", positive, (0.3, 0.9))]


@law(
    source="llama2024",
    constants={
        "llama2024_legend": Constants(
            dict(A=0.299, alpha=0.537),
            "reported",
            "The legend of the figure; gives the 16.3e12 tokens at 3.8e25 FLOP that the text uses.",
        ),
        "llama2024_text": Constants(
            dict(A=0.29, alpha=0.53),
            "reported",
            "As printed in the text: gives 10.5e12 tokens at 3.8e25 FLOP, not the stated 16.55e12.",
        ),
    },
)
def llama3_tokens_opt(C: FLOP, *, A: Coefficient, alpha: Growth) -> OptimalTokens:
    r"""Compute-optimal training tokens of Llama 3.

    $$D_{opt}(C) = A\, C^{\alpha}$$

    The paper writes N* for these tokens. Read off parabolas in log tokens at 6e18 to 1e22 FLOP
    [llama2024, sec. 3.2.1].
    """
    return A * C**alpha


@law(
    source="porian2024",
    constants={
        "porian2024_eta_opt": Constants(dict(c=3.7, p=-0.36), "reported"),
        "porian2024_B_opt": Constants(
            dict(c=0.7576, p=0.703), "reported", "In tokens: 156 sequences of 2048 at N = 1e8."
        ),
    },
)
def porian_hyperparameters(
    N: Params,
    *,
    c: Annotated[Array, Parameter("", positive, (1e-2, 1e3))],
    p: Annotated[Array, Parameter("", typical=(-1.0, 1.0))],
) -> Positive:
    r"""Optimal learning rate, or batch in tokens, of N parameters.

    $$y(N) = c\, N^{p}$$

    The two optima are two sets of constants; the batch is in tokens [porian2024].
    """
    return c * N**p


@law(
    source="porian2024",
    constants={
        f"porian2024_{step}": Constants(dict(coefficient=k, exponent=a), "verified", note)
        for step, k, a, note in (
            ("tuned", 0.118926, 0.496895, "Learning rate, batch and beta2 tuned; constant rate."),
            ("kaplan_reproduction", 4.23197e-8, 0.835300, "Counts no FLOP of the last layer."),
            ("last_layer", 1.27018e-5, 0.706470, "Counts the last layer."),
            ("warmup", 1.43092e-3, 0.602038, "And a warm-up that fits the run."),
            ("cosine", 4.76929e-3, 0.571495, "And a cosine that ends with the run."),
            ("tuned_kaplan_counting", 8.95197e-6, 0.711488, "Tuned, long warm-up, no last layer."),
        )
    },
)
def porian_accounting(C: FLOP, *, coefficient: Coefficient, exponent: Growth) -> OptimalParams:
    r"""Compute-optimal parameters under one way of counting and training.

    $$N_{opt}(C) = k\, C^{a}$$

    N is FLOP per token over 6 in the counting chosen, with or without the last layer. Each set of
    constants corrects one more habit of Kaplan's; all are of RefinedWeb [porian2024].
    """
    return coefficient * C**exponent


def saturating_loss(*, C: Array, a: Array, alpha: Array, e: Array) -> Array:
    r"""Loss of the optimal run: $\ln L = \mathrm{logaddexp}(a - \alpha \ln C, e)$ [porian2024]."""
    return jnp.exp(jnp.logaddexp(a - alpha * jnp.log(C), e))


def flop_per_token(*, n_layer: Array, d_model: Array, l_seq: Array) -> Array:
    """Non-embedding FLOP per token, attention counted: the M of C = M D [bi2024, eq. 2].

    >>> flop_per_token(n_layer=30, d_model=4096, l_seq=4096)
    42278584320
    """
    return 72 * n_layer * d_model**2 + 12 * n_layer * d_model * l_seq


def six_sizes(*, n_layer: Array, d_model: Array, n_vocab: Any = 0) -> Array:
    """FLOP per token as 6 N: without embeddings, or with those of a vocabulary [bi2024, eq. 2]."""
    return 72 * n_layer * d_model**2 + 6 * n_vocab * d_model


def product_over_compute(*, C: Any = 1.0) -> Array:
    """M_opt D_opt / C of the two published lines: 1 if they fit together [bi2024, sec. 3.2]."""
    M, D = (deepseek_scaling(C, **deepseek_scaling.published(f"bi2024_{k}_opt")) for k in "MD")
    return M * D / C


def optimal_size_of_tokens(*, C: Array, A: Array, alpha: Array) -> Array:
    """Compute-optimal parameters under C = 6 N D, from the tokens of `llama3_tokens_opt`."""
    return C / (6 * llama3_tokens_opt.fn(C, A=A, alpha=alpha))


def training_cost(*, N: Array, D: Array) -> Array:
    """FLOP of a run: 6 N D."""
    return flops.dense(N, D)


def cost_of_optimum(*, N_opt: Array, D_opt: Array) -> Array:
    """FLOP of a row of Hoffmann's table: 6 N D; the printed pair at 67e9 has two digits."""
    return flops.dense(N_opt, D_opt)


def vertex(*, N: ArrayLike, L: ArrayLike) -> Array:
    r"""Minimum of a parabola in ln N through the losses (n,) of runs (n,) of one budget.

    $$L = p\,(\ln N)^2 + q \ln N + r, \qquad N_{opt} = e^{-q/2p}$$

    NaN where the parabola opens downwards or its minimum is outside the sizes. Biased where the
    sizes are off the centre or the law is not symmetric [hoffmann2022, sec. 3.2].
    """
    x, y = jnp.log(jnp.asarray(N, float)), jnp.asarray(L, float)
    middle, half = (x.max() + x.min()) / 2, (x.max() - x.min()) / 2
    t = (x - middle) / half
    _, q, p = jnp.linalg.lstsq(jnp.stack([jnp.ones_like(t), t, t**2], axis=1), y)[0]
    at = -q / (2 * jnp.where(p > 0, p, 1.0))
    return jnp.where((p > 0) & (jnp.abs(at) < 1), jnp.exp(middle + half * at), jnp.nan)


def winner(*, N: ArrayLike, L: ArrayLike) -> Array:
    """Size (m,) of the lowest of n training curves: sizes (n,), losses (n, m) at m budgets.

    NaN marks budgets that a curve does not reach [hoffmann2022, sec. 3.1].
    """
    L = jnp.asarray(L, float)
    return jnp.asarray(N)[jnp.argmin(jnp.where(jnp.isnan(L), jnp.inf, L), axis=0)]


def line(*, C: ArrayLike, y: ArrayLike, sigma: ArrayLike = 1.0) -> tuple[Array, Array]:
    """Coefficient and exponent of the power law of C (n,) through optima (n,).

    Least squares in logs; weights are 1/sigma^2 with sigma in logs, NaN optima are left out.
    """
    x, v = jnp.log(jnp.asarray(C, float)), jnp.log(jnp.asarray(y, float))
    there = jnp.isfinite(v)
    w = jnp.where(there, jnp.asarray(sigma, float) ** -2.0, 0.0)
    v, x = jnp.where(there, v, 0.0), jnp.where(there, x, 0.0)
    x_mean, v_mean = (jnp.sum(w * u) / jnp.sum(w) for u in (x, v))
    exponent = jnp.sum(w * (x - x_mean) * v) / jnp.sum(w * (x - x_mean) ** 2)
    return jnp.exp(v_mean - exponent * x_mean), exponent


QUANTITIES: dict[str, dict[str, Callable[..., Any]]] = {
    "deepseek_scaling": {
        "M": flop_per_token,
        "6N": six_sizes,
        "M_opt_D_opt_over_C": product_over_compute,
    },
    "llama3_tokens_opt": {"FLOPs": training_cost, "N_opt": optimal_size_of_tokens},
    "porian_accounting": {"L_opt": saturating_loss, "line": line},
    "chinchilla_envelope": {"FLOPs": cost_of_optimum, "N_opt": winner, "line": line},
    "isoflop_parabola": {"N_opt": vertex, "line": line},
}
