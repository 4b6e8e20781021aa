"""A design of runs and a set of constants for every law of the catalogue.

Runs are scattered over the ranges that a law's units say, or over its own line in `RANGES`; the
constants are the first published ones, or a line of `MADE_UP`, or the middle of the typical ranges:
a new law needs a line only where these are no sensible runs. The tests of the catalogue and the
benchmarks of recovery and precision share them.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.stats import qmc

import jaxlaws as jl
from jaxlaws import laws
from jaxlaws._law import Variable

STEPS, PEAK = 24_000, 3e-4
BLOCK = np.arange(STEPS) // 2400 / 10  # rates change every 2400 steps, so that sums stay short
WARM = np.minimum(1.0, (np.arange(STEPS) // 1200 + 1) / 2)
SCHEDULES = PEAK * np.stack(
    [
        WARM,
        WARM * (0.1 + 0.45 * (1 + np.cos(np.pi * BLOCK))),
        WARM * np.where(BLOCK < 0.7, 1.0, 1.0 - (BLOCK - 0.7) / 0.31),
    ]
)
MEMBERS = (  # of the families, small ones
    "bnsl(1)",
    "bnsl(2)",
    "code_multilingual(((1.0, 0.2), (0.3, 1.0)))",
    "flp_m_loss(3)",
    "qqt_mixture(2)",
    "ruan_observational(3)",
    "shukor_mixture(3)",
    "shukor_mixture(3, joint)",
    "sloth_skills(2, 2, 3)",
    "ye_data_mixing(3)",
)
LAWS: dict[str, jl.Law] = {
    **laws.CATALOGUE,
    **{name: laws.find(name) for name in MEMBERS},
    "lr_annealing": laws.lr_annealing(SCHEDULES),
    "multi_power_law": laws.multi_power_law(SCHEDULES),
}

UNITS = {
    "parameters": (4e7, 2e10),
    "tokens": (8e8, 6e11),
    "unique tokens": (8e8, 6e11),
    "characters": (1e8, 1e12),
    "FLOP": (1e17, 1e22),
    "PF-days": (1e-6, 1e3),
    "nats/token": (1.9, 4.5),
    "bits": (2.5, 12.0),
    "steps": (1e3, 1e5),
    "examples": (1e3, 1e7),
    "scale": (30.0, 1e8),
}
# Where the unit does not say where a law's runs lie: input -> ends; logarithmic unless it is real.
RANGES: dict[str, dict[str, tuple[float, float]]] = {
    "adv_activation": dict(a=(1.0, 32.0)),
    "autoreg_domain": dict(x=(1e5, 1e10)),
    "batch_tradeoff": dict(B=(1e3, 1e7)),
    "bleu_vs_loss": dict(L=(0.8, 3.0)),
    "bnsl(1)": dict(x=(30.0, 1e4)),
    "busbridge_distillation": dict(L_T=(1.8, 3.2)),
    "cbs_growth": dict(t=(1e8, 1e12)),
    "contrastive_gap": dict(n=(1e3, 1e7), B=(64.0, 65536.0)),
    "d_cpt_cross": dict(K=(0.2, 5.0)),
    "densing_capacity_density": dict(N=(1e7, 1e11), D=(1e9, 1e13)),
    "densing_growth": dict(t=(0.0, 800.0)),
    "densing_performance": dict(L=(0.3, 2.5)),
    "distractor_mixture": dict(x=(18.0, 27.0)),
    "exp_decay": dict(x=(1.9, 4.5)),
    "fp_quant": dict(E=(1.0, 6.0), M=(1.0, 8.0), B=(16.0, 1024.0)),
    "fs_gen_parameter_ratio": dict(ratio=(2.0, 1e3)),
    "goodput": dict(T=(1e4, 1e6), Bg=(1e5, 1e8)),
    "h_field": dict(B1=(10.0, 80.0)),
    "hestness_error": dict(m=(1e4, 1e9)),
    "hilton_intrinsic": dict(N=(1e4, 1e8), E=(1e4, 1e9)),
    "ho_algorithmic_progress": dict(year=(-4.0, 4.0)),
    "imitation_power": dict(x=(2.0, 64.0)),
    "jones_board_games": dict(C=(1e8, 1e15), b=(3.0, 9.0)),
    "kaplan_trajectory": dict(N=(1e8, 1e10), L=(3.2, 5.0), B_tokens=(1e4, 1e7)),
    "llama3_accuracy": dict(NLL=(-0.5, 2.0)),
    "loss_to_accuracy": dict(L=(0.35, 1.5)),
    "lr_annealing_n": dict(S1=(0.5, 20.0), S2=(0.0, 3.0)),
    "monkeys_coverage": dict(k=(1.0, 1e4)),
    "neumann_alphazero": dict(N_ratio=(1.0, 1e3)),
    "nmt_bivariate": dict(N_e=(1e7, 1e9), N_d=(1e7, 1e9), Nbar_e=(1e7, 1e8), Nbar_d=(1e7, 1e8)),
    "nmt_data": dict(D=(1e5, 1e10)),
    "noise_scale": dict(B=(100.0, 1e6)),
    "ot_stage1": dict(OT=(0.05, 1.0)),
    "overopt_bon": dict(d=(0.3, 3.5)),
    "overopt_daa": dict(d=(0.3, 20.0)),
    "overopt_rl": dict(d=(0.3, 20.0)),
    "parscale": dict(P=(1.0, 16.0)),
    "parscale_rho": dict(P=(1.0, 16.0)),
    "patch_tokens": dict(H=(64.0, 1024.0), p=(2.0, 32.0)),
    "practical_data_constrained": dict(T=(2e10, 6e11), D=(1e8, 2e10)),
    "prune_exp": dict(alpha_prune=(1.0, 30.0)),
    "prune_power": dict(alpha_tot=(1.0, 30.0)),
    "qqt_effective_data": dict(n_samples=(10.0, 1e5), E_pool=(10.0, 1e3)),
    "qqt_utility": dict(n_samples=(10.0, 1e5), E_pool=(10.0, 1e3)),
    "repeat_effective_n": dict(
        share_of_unique_data_repeated=(1e-4, 0.1), repeats=(1.0, 1e5), N=(1e6, 1e10)
    ),
    "resolution_limited": dict(D=(1e3, 1e9)),
    "rl_post_loglinear": dict(N=(5e8, 7e10), X=(10.0, 1e5)),
    "rl_post_nested": dict(N=(5e8, 7e10), X=(1e3, 1e6)),
    "rl_post_slope": dict(N=(5e8, 7e10)),
    "ruan_observational(3)": dict(S=(-2.0, 2.0)),
    "scalerl_sigmoid": dict(C=(100.0, 1e5)),
    "sft_alignment": dict(n=(50.0, 2e4)),
    "sft_data_composition": dict(n=(100.0, 1e5)),
    "sloth_skills(2, 2, 3)": dict(
        s=(0.1, 100.0), t=(0.1, 20.0), family=(0.0, 2.0), benchmark=(0.0, 3.0)
    ),
    "synthetic_image_scaling": dict(D=(1e5, 1e9)),
    "t2i_diffusion_power": dict(x=(0.3, 8.0)),
    "three_regions": dict(m=(10.0, 1e9)),
    "token_crisis_repeat": dict(R=(0.5, 60.0)),
    "tsfm_power": dict(x=(1e5, 1e10)),
    "uncertainty_power": dict(N=(100.0, 1e7)),
    "variance_limited": dict(D=(100.0, 1e6)),
    "vocab_parametric": dict(N_nv=(3e7, 3e9), V=(4e3, 1e5), d=(256.0, 4096.0), H=(1e9, 1e12)),
}
CURVES = ("lr_annealing", "multi_power_law")  # inputs are a curve and a step on it

# Constants where the literature gives none; the ladder's are HellaSwag's of bhagia2024.
TASK = dict(p=-0.7, k=8.0, x0=0.8, q=0.95)
LOSS = dict(E=1.7, A=420.0, alpha=0.34, B=900.0, beta=0.33)
DENSE = dict(a=100.0, alpha=0.3, b=300.0, beta=0.3)
SCORE = dict(c=0.6, d=0.2, l=0.8, gamma=-4.0)
BENCH = dict(floor=0.25, ceil=0.9, g0=-4.0, g1=5.0)
UTILITY = dict(a=0.01, b=-0.15, tau=4.0, d=0.12)
CPT = LOSS | dict(eta=0.4, C=0.08, gamma=0.5, eps=0.02)
MADE_UP: dict[str, dict[str, Any]] = {
    "m1": dict(beta=2.0, c=-0.2),
    "m2": dict(beta=2.0, c=-0.3, eps_inf=0.1),
    "m3": dict(beta=2.0, c=-0.25, gamma=1e-5),
    "m4": dict(beta=4.0, c=-0.35, alpha=0.7, eps_inf=0.1, eps_0=0.9),
    "loss_to_accuracy": TASK,
    "olmo_ladder": dict(A=11.13, B=60.35, alpha=0.1949, beta=0.2565, E=0.5012, **TASK),
    "bnsl(2)": dict(a=0.05, b=3.0, c0=0.05, c=[0.4, 0.6], d=[1e3, 3e6], f=[0.4, 0.3]),
    "adv_activation": dict(kappa=80.0),
    "aghajanyan_mixed_modal": dict(
        E=[1.5, 2.0], A=[300.0, 900.0], alpha=[0.3, 0.4], B=[500.0, 2000.0], beta=[0.3, 0.36],
        C=0.1, A_ij=20.0, alpha_ij=0.2, B_ij=100.0, beta_ij=0.25,
    ),
    "batch_tradeoff": dict(S_min=8e3, B_crit=2e5),
    "bimix": dict(A=1.2, alpha=0.06, B=40.0, beta=0.5, C=1.8),
    "bleu_log_law": dict(A=0.01, alpha=0.3, beta=1.5),
    "bleu_vs_loss": dict(c_B=80.0, p_B=0.9),
    "cbs_growth": dict(a=40.0, c=0.4),
    "code_pl_chinchilla": dict(A=420.0, B=900.0, aN=0.34, aD=0.33, Linf=0.3),
    "contrastive_gap": dict(c1=2.0, c2=0.5),
    "d_cpt": CPT,
    "d_cpt_cross": CPT | dict(F=0.1, mu=0.5),
    "densing_capacity_density": DENSE | SCORE,
    "densing_growth": dict(A=0.007, B=-1.0),
    "densing_loss": DENSE,
    "densing_performance": SCORE,
    "distractor_mixture": dict(k=1.5, x_true=24.0, w=0.4, k_distractor=1.2, x_distractor=21.0),
    "downstream_ce": dict(E=1.1, A=300.0, alpha=0.3),
    "exp_decay": dict(eps=0.85, k=2.08, g=0.756),
    "exp_power": dict(c=3.0, a=0.2),
    "farseer": dict(
        a1=-0.124, a=0.123, b1=0.424, a2=88.0, b=-0.1, b2=-6.29, a3=-0.021, g=0.169, b3=-0.091
    ),
    "flp_loss": dict(C_N=1e28, a_N=-0.05),
    "flp_perf": dict(w0=2.5, w1=-0.6),
    "fs_gen_parameter_ratio": dict(k=0.04, p=0.2),
    "goodput": dict(B_noise=3e6),
    "hestness_error": dict(alpha=30.0, beta_g=-0.3, gamma=0.08),
    "hestness_size": dict(alpha_s=20.0, beta_p=0.7),
    "hilton_intrinsic": dict(N_c=1e5, E_c=1e6, a_N=0.4, a_E=0.5, beta=0.2),
    "ho_algorithmic_progress": dict(
        A=50.0, alpha=0.2, B=60.0, beta=0.18, a_prime=0.4, b_prime=0.9
    ),
    "kumar_precision": LOSS | dict(gamma_w=2.7, gamma_a=2.2, gamma_kv=0.95),
    "languini_trend": dict(c=3.0, k=0.08),
    "llama3_accuracy": BENCH,
    "llama3_nll": dict(b0=3.5, b1=-0.06),
    "llama3_two_stage": dict(b0=3.5, b1=-0.06) | BENCH,
    "log_law": dict(A=0.2, a=0.5, b=1.6),
    "lr_annealing_n": dict(L0=1.8, A=0.5, alpha=0.5, B=300.0, beta=0.3, C=0.1),
    "metr_time_horizon": dict(w=-0.6, v=2.5),
    "minicpm_data_model_law": dict(C_N=420.0, C_D=900.0, alpha=0.34, beta=0.33, L0=1.7),
    "mnmt_joint": dict(beta1=300.0, alpha=0.3, Linf=1.2, c1=0.5, c2=0.4, c3=0.8),
    "nested_generalised": LOSS | dict(q=0.5),
    "nmt_bivariate": dict(alpha=0.8, p_e=0.25, p_d=0.15, Linf=1.3),
    "nmt_data": dict(alpha=60.0, C=1e-8, p=0.3),
    "noise_scale": dict(eps_max=0.02, B_noise=2e4),
    "ot_stage1": dict(a0=0.7, a1=0.5),
    "overopt_bon": dict(a=0.6, b=0.12),
    "overopt_daa": dict(a=0.6, b=0.2),
    "overopt_rl": dict(a=0.6, b=0.2),
    "p2_pruning_posttrain": dict(
        gamma=-0.9, delta=0.05, N_C=50.0, alpha=0.25, D_C=300.0, beta=0.3, E=0.3
    ),
    "parscale_rho": dict(E=1.2, A=2e8, alpha=0.2, rho=0.8),
    "patch_tokens": dict(E=0.15, a=2.0, b=0.4),
    "power": dict(a=20.0, b=0.2),
    "power_const": dict(E=0.3, a=20.0, b=0.35),
    "power_shift": dict(E=0.3, a=20.0, b=0.35, x0=1e3),
    "practical_data_constrained": dict(
        E=1.7, L0=10.0, a=60.0, alpha=0.34, b=100.0, beta=0.33, c=3.0, gamma=0.3, delta=0.5
    ),
    "prune_exp": dict(c=0.5, k=0.6, q=0.6),
    "prune_power": dict(c=0.5),
    "qqt_effective_data": UTILITY,
    "qqt_utility": UTILITY,
    "repeat_effective_n": dict(h=0.6, m=5.0, w=1.5, m_share=-0.3, m_N=0.2),
    "resolution_limited": dict(c=80.0, a=0.3),
    "rl_post_loglinear": dict(Kmax=0.15, N0=1e10, E=-0.1),
    "rosenfeld_envelope": dict(a=60.0, alpha=0.5, b=300.0, beta=0.4, c=0.3, e0=0.9, eta=2.0),
    "scalerl_sigmoid": dict(R_0=0.2, A=0.61, C_mid=3e3, B=1.2),
    "sft_alignment": dict(y_0=35.0, y_inf=60.0, n_s=1e3),
    "sft_data_composition": dict(u=10.0, v=3.0),
    "shannon_law": dict(
        a=0.06, b=3e-4, c=3e-11, d=3e-6, e=1.0, alpha=0.13, beta=0.5, gamma=0.3, delta=0.55
    ),
    "step_loss": dict(E=0.5, A=6.0, B=6.8, alpha=0.34, beta=0.33),
    "synthetic_image_scaling": dict(k=-0.25, b=4.0),
    "task_exp_power": dict(c=100.0, a=0.2),
    "three_regions": dict(plateau=1.5, alpha=30.0, beta_g=-0.3, gamma=0.08),
    "uncertainty_power": dict(a=3.0, g=0.4),
    "variance_limited": dict(c=500.0),
    "code_multilingual(((1.0, 0.2), (0.3, 1.0)))": dict(
        A=420.0, B=900.0, gamma=0.3, aN=[0.34, 0.3], aD=[0.33, 0.36], Linf=[0.3, 0.5]
    ),
    "flp_m_loss(3)": dict(E=1.5, A=1e3, a=0.15, k=[0.3, 0.1]),
    "qqt_mixture(2)": dict(a=0.01, b=[-0.25, -0.1], tau=[3.0, 8.0], d=0.12),
    "ruan_observational(3)": dict(h=0.2, w=[1.5, -0.5, 0.8], b=0.3),
    "shukor_mixture(3)": LOSS | dict(C=[1.0, 2.0, 1.5], gamma=[0.5, 0.3, 0.7]),
    "shukor_mixture(3, joint)": dict(
        E=1.7, C=[1.0, 2.0, 1.5], gamma=[0.5, 0.3, 0.7], C_A=[8.0, 12.0, 10.0], gamma_A=2.5,
        alpha=0.34, C_B=[10.0, 14.0, 8.0], gamma_B=2.8, beta=0.33,
    ),
    "sloth_skills(2, 2, 3)": dict(
        W1=[[0.6, 0.2], [0.4, 0.5], [0.05, -0.03]], intercept=[[0.3, -0.2], [-0.4, 0.5]],
        W2=[[1.0, 0.4, -0.3], [0.2, 0.8, 1.1]], b2=[0.2, -0.5, 0.3], c=[0.1, 0.25, 0.2],
    ),
    "ye_data_mixing(3)": dict(c=1.5, k=1.2, t=[-1.0, 0.3, 0.7]),
}  # fmt: skip


def constants_of(name: str) -> dict[str, dict[str, jax.Array]]:
    """Every set of constants of a law: published, or made up, or the middle of its ranges."""
    law = LAWS[name]
    found = {key: c.values for key, c in law.constants.items()}
    if not found:
        middle = {k: p.constrain(jnp.zeros(p.size)) for k, p in law.params.items()}
        found = {"made up": MADE_UP.get(name, middle)}
    return {key: {k: jnp.asarray(v, float) for k, v in c.items()} for key, c in found.items()}


def inputs_of(name: str, n: int = 36) -> dict[str, np.ndarray]:
    """A design of n runs, name -> (n,) or (n, k): Halton's points over the ranges of the inputs."""
    law = LAWS[name]
    if name in CURVES:
        steps = np.linspace(900.0, STEPS - 1.0, n // 3).round()
        return dict(curve=np.repeat(np.arange(3.0), n // 3), step=np.tile(steps, 3))
    sizes = {k: (v.size[0] or 3) if v.size else 1 for k, v in law.inputs.items()}
    share = qmc.Halton(sum(sizes.values()), rng=0).random(n)
    made, at = {}, 0
    for k, v in law.inputs.items():
        own = share[:, at : at + sizes[k]] if v.size else share[:, at]
        made[k] = _spread(own, v, RANGES.get(name, {}).get(k))
        at += sizes[k]
    return made


def _spread(share: np.ndarray, v: Variable, ends: tuple[float, float] | None) -> np.ndarray:
    """Shares of (0, 1) spread over an input's range: (n,), or (n, k) on the simplex."""
    low, high = v.support.lower, v.support.upper
    if v.support.name == "simplex":
        exponential = -np.log(share)
        return exponential / exponential.sum(axis=1, keepdims=True)
    if ends is None and math.isfinite(high):
        ends = (low + 0.1 * (high - low), high - 0.1 * (high - low))
        return ends[0] + (ends[1] - ends[0]) * share
    middle = math.sqrt(v.typical[0] * v.typical[1]) if v.typical else 5.0
    first, last = ends or UNITS.get(v.unit) or (low + middle / 8, low + middle * 8)
    if v.unit == "number":
        return np.floor(first + (last - first) * share)
    if v.support.lower < 0:
        return first + (last - first) * share
    return first * (last / first) ** share


def predicted(name: str, constants: Any, inputs: Any) -> np.ndarray:
    """(n,) a law at constants on a design."""
    own = {k: jnp.asarray(v) for k, v in constants.items()}
    columns = {k: jnp.asarray(v) for k, v in inputs.items()}
    return np.asarray(jax.vmap(lambda x: LAWS[name].scalar({**x, **own}))(columns))


def table(name: str, constants: Any, n: int = 36) -> jl.Runs:
    """Noiseless runs of a law."""
    inputs = inputs_of(name, n)
    return jl.Runs.from_arrays(predicted(name, constants, inputs), name=name, **inputs)
