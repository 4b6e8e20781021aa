"""Every procedure and estimator that the reading list names, and the function that does it."""

from collections.abc import Callable
from typing import Any

import jaxlaws as jl
from jaxlaws import procedures as p
from jaxlaws.laws import (
    allocation,
    batch,
    capacity,
    code_models,
    continual,
    counting,
    data_quality,
    density,
    estimation,
    games,
    gradient_noise,
    hyperparameters,
    inference_time,
    mixture,
    noise,
    observational,
    optimal,
    progress,
    pruning,
    sources,
    sparse,
    standard_fit,
    tasks,
    transport,
    trends,
    vision,
    vocabulary,
)
from jaxlaws.laws.alignment import kl_best_of_n
from jaxlaws.laws.annealing_areas import annealing_areas, wsd_share_opt
from jaxlaws.laws.architectures import lines
from jaxlaws.laws.data_limited import effective
from jaxlaws.laws.distillation import best_teacher
from jaxlaws.laws.theory import random_feature_loss

# Procedure -> (keys of references.bib, functions).
PROCEDURES: dict[str, tuple[str, tuple[Callable[..., Any], ...]]] = {
    "Approach 1, the envelope": ("hoffmann2022", (jl.envelope, allocation.winner)),
    "Approach 2, IsoFLOP parabolas": ("hoffmann2022", (jl.isoflop, allocation.vertex)),
    "Approach 3, Huber's score from many starts": (
        "hoffmann2022, besiroglu2024",
        (jl.fit, standard_fit.huber_of_logs, standard_fit.published_starts),
    ),
    "Bootstrap over runs": ("besiroglu2024", (jl.bootstrap,)),
    "Accounting and weighted optima": ("porian2024", (jl.porian, p.refits.exponent_of_setting)),
    "Reconciliation of sizes": ("pearce2024", (counting.exponent_over_range,)),
    "Hitchhiker's protocol": (
        "choshen2024",
        (p.family_error, estimation.usable, estimation.judged, estimation.relative_error),
    ),
    "Crossover of two laws": ("xiao2024crossover", (estimation.crossing, estimation.inside)),
    "Two-stage downstream prediction": ("bhagia2024, llama2024, chen2024flp", (p.two_stage,)),
    "FLP-M and its network": ("chen2024flp", (p.flp_m,)),
    "projektor, distance to score to size": (
        "kang2023",
        (p.projektor, transport.distance, transport.label_costs, sources.projected_score),
    ),
    "Data selection by gradient": ("kang2023", (transport.sample_values, transport.potentials)),
    "Mixture optimisation by gradient": (
        "ye2024, shukor2025, ge2024, yang2025",
        (p.best_mixture, mixture.best_shares, code_models.best_shares),
    ),
    "Share of the domain's data": ("que2024", (continual.domain_share, continual.share_opt)),
    "Choice of quality pools": ("goyal2024", (data_quality.pools_opt,)),
    "Effective tokens and samples": (
        "muennighoff2023, goyal2024, yang2025",
        (effective, data_quality.effective_samples, code_models.effective_tokens),
    ),
    "Effective size under repetition": ("hernandez2022", (data_quality.params_of_loss,)),
    "Pruning of examples": ("sorscher2022", (pruning.best_share, pruning.perceptron_error)),
    "Optimal sparsity": ("frantar2023", (sparse.optimal_sparsity, sparse.contour_tokens)),
    "Capacity density": ("xiao2024", (density.capacity_density, density.effective_size)),
    "Vocabulary by IsoFLOP, derivative and law": (
        "tao2024",
        (vocabulary.isoflop_thousands, vocabulary.least_flops, vocabulary.parametric),
    ),
    "Hyperparameters near the best": (
        "li2025step",
        (hyperparameters.near_best, hyperparameters.loglinear),
    ),
    "Critical batch by branched runs": ("merrill2025", (batch.critical_batch, batch.smooth)),
    "Gradient noise scale": ("mccandlish2018", (noise.gradient_square, noise.simple_scale)),
    "Tests of the batch": (
        "lau2024",
        (gradient_noise.norm_batch, gradient_noise.inner_product_batch),
    ),
    "Goodput": ("sakip2026", (batch.best_configuration,)),
    "Areas and the best share of annealing": ("tissue2024", (annealing_areas, wsd_share_opt)),
    "PassUntil, instance by instance": (
        "hu2023",
        (tasks.pass_share_unbiased, tasks.instance_fit, tasks.pass_circuits),
    ),
    "pass@k and coverage": ("brown2024", (inference_time.pass_at_k, inference_time.coverage_beta)),
    "KL of best-of-n": ("gao2022", (kl_best_of_n,)),
    "Principal components of scores": (
        "ruan2024",
        (observational.imputed, observational.capabilities),
    ),
    "Skills with a learned link": ("polo2024", (p.sloth,)),
    "Time horizons and their bootstrap": ("kwa2025", (p.time_horizons, progress.success_fit)),
    "Farseer by stages": ("li2025farseer", (p.farseer_by_stages,)),
    "Intrinsic performance from returns": ("hilton2023", (p.intrinsic_fit, games.tied_exponent)),
    "Frontier of contrastive models": ("cherti2022", (vision.frontier, vision.power_line)),
    "Slopes of architectures": ("tay2022", (lines,)),
    "Trend and discontinuity of scores": (
        "mckenzie2023, chowdhery2022",
        (trends.trend, trends.discontinuity),
    ),
    "Control of activations": ("fort2023", (capacity.half_success, capacity.kappa_fit)),
    "Best teacher": ("busbridge2025", (best_teacher,)),
    "Best repetition of data": ("muennighoff2023", (optimal.best_size_when_repeated,)),
    "Exponents by simulation": ("bahri2021", (random_feature_loss,)),
}
