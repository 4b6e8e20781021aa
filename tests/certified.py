"""Certified values: published tables, and the answers that their exact minima have.

In the manner of NIST's reference data sets: a problem, the certified objective and parameters, and
a tolerance with its reason. Objectives come first, since several valleys are so flat that printed
parameters say little. Where a value is from is said beside it; README means that of the data set's
folder, whose exact minima were computed apart from this library (float64, exact gradients, hundreds
of starts).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

import jaxlaws as jl


@dataclass(frozen=True)
class Certified:
    """One fit with a known answer.

    Attributes:
        name: Its name in reports.
        law: The law.
        runs: Makes the runs.
        value: The certified objective, a sum over runs.
        tolerance: Relative, on the objective.
        params: Certified parameters.
        printed: Relative tolerance on the parameters.
        reason: Why these tolerances, and where the values are from.
        settings: Further arguments of `jl.fit`.
    """

    name: str
    law: jl.Law
    runs: Callable[[], jl.Runs]
    value: float
    tolerance: float
    params: Mapping[str, float]
    printed: float
    reason: str
    settings: Mapping[str, Any]


@cache
def chinchilla_points(rows: int) -> jl.Runs:
    where = {240: None, 245: ""}[rows]
    return jl.datasets.runs("chinchilla_epoch", where=where)


@cache
def gemstones(subset: str) -> jl.Runs:
    hot = jl.datasets.load("gemstones_mcleish2025", "hot_runs")
    table = {
        "hot": lambda: hot[hot["in_hot"] == 1],
        "hot_100b+": lambda: hot,
        "120b+_only": lambda: hot[hot["in_120b_only"] == 1],
        "lr_ablation": lambda: jl.datasets.load("gemstones_mcleish2025", "lr_ablation_hot"),
    }[subset]()
    return jl.Runs.from_frame(table, N="params", D="tokens", target="loss", name=subset)


def _epoch(
    name: str,
    rows: int,
    value: float,
    tolerance: float,
    params: tuple[float, ...],
    printed: float,
    reason: str,
    **settings: Any,
) -> Certified:
    return Certified(
        f"epoch-{name}",
        jl.laws.chinchilla,
        lambda: chinchilla_points(rows),
        value,
        tolerance,
        dict(zip(("A", "B", "E", "alpha", "beta"), params, strict=True)),
        printed,
        reason,
        settings,
    )


def _gemstones(subset: str, delta: float, value: float, *logs: float) -> Certified:
    log_a, log_b, log_e, alpha, beta = logs
    return Certified(
        f"gemstones-{subset}-{delta:g}",
        jl.laws.chinchilla,
        lambda: gemstones(subset),
        value,
        1e-7,
        dict(A=np.exp(log_a), B=np.exp(log_b), E=np.exp(log_e), alpha=alpha, beta=beta),
        1e-5,
        "README, thirteen decimals of the objective; logarithms printed to six decimals, and a "
        "little more for a valley in which they hardly matter",
        dict(objective=jl.Huber(delta)),
    )


EPOCH: tuple[Certified, ...] = (
    _epoch(
        "240-huber",
        240,
        0.0010182740178,
        1e-8,
        (477.826, 2143.417, 1.817218, 0.3473105, 0.3671724),
        1e-6,
        "README, eleven digits; parameters to the digits printed there",
    ),
    _epoch(
        "245-huber",
        245,
        0.0018260105231,
        1e-8,
        (495.726, 12845.61, 1.891339, 0.3493129, 0.4530493),
        1e-6,
        "README, eleven digits; parameters to the digits printed there",
    ),
    _epoch(
        "240-squared-log",
        240,
        0.0114618870,
        1e-8,
        (593.3221, 4875.638, 1.864550, 0.3602528, 0.4058834),
        1e-6,
        "README, nine digits; peers.md, section 2, has the same parameters",
        objective=jl.Squared(),
    ),
    _epoch(
        "240-squared-natural",
        240,
        0.0832038077,
        1e-8,
        (567.8054, 7581.852, 1.882814, 0.3576151, 0.4276206),
        1e-6,
        "README, nine digits; three peers agree on these parameters (peers.md, section 2)",
        objective=jl.Squared(),
        space="natural",
    ),
)

GEMSTONES: tuple[Certified, ...] = (
    _gemstones("hot", 1e-3, 0.0019816128088, 5.361689, 15.418452, 0.762303, 0.292892, 0.712979),
    _gemstones(
        "hot_100b+", 1e-3, 0.0065925341645, 4.901643, 12.851753, 0.668253, 0.259164, 0.597301
    ),
    _gemstones(
        "120b+_only", 1e-3, 0.0038623979551, 4.662085, 14.113109, 0.627175, 0.242394, 0.644835
    ),
    _gemstones(
        "lr_ablation", 1e-3, 0.0019728623965, 5.839056, 14.307077, 0.791166, 0.325523, 0.651251
    ),
    _gemstones("hot", 1e-4, 0.0002075051556, 5.358170, 15.772019, 0.765201, 0.292793, 0.728899),
    _gemstones(
        "hot_100b+", 1e-4, 0.0006923289079, 4.878153, 12.666287, 0.665621, 0.257686, 0.589544
    ),
    _gemstones(
        "120b+_only", 1e-4, 0.0004080785251, 4.636460, 16.235608, 0.628655, 0.240749, 0.731428
    ),
    _gemstones(
        "lr_ablation", 1e-4, 0.0002058420824, 5.903937, 14.209395, 0.793276, 0.329555, 0.646775
    ),
)

# Sum of absolute log residuals of the 240 points (README, by successive linear programs), and the
# minimiser, which is the paper's headline estimate.
EPOCH_L1 = 1.1294946536
EPOCH_L1_PARAMS = dict(A=482.0060, B=2085.436, E=1.816864, alpha=0.3478131, beta=0.3658542)


# OLMo ladder, step 1: column, objective, predictions of the 7B and the 13B run (README).
LADDER = (
    ("c4_en_ce", 3.2998988e-05, 2.43372, 2.34437),
    ("bpb:hellaswag_val_rc_5shot_bpb", 3.4531360e-05, 0.671264, 0.653177),
    ("bpb:arc_challenge_test_rc_5shot_bpb", 7.0384814e-05, 0.794156, 0.783348),
    ("bpb:arc_easy_test_rc_5shot_bpb", 0.00018165668, 0.603765, 0.593104),
    ("bpb:piqa_val_rc_5shot_bpb", 4.2683511e-05, 0.890328, 0.874797),
    ("bpb:csqa_val_rc_5shot_bpb", 0.00016104207, 0.712346, 0.661729),
    ("bpb:socialiqa_val_rc_5shot_bpb", 7.9233374e-05, 1.004465, 0.991579),
    ("bpb:openbookqa_test_rc_5shot_bpb", 8.8400286e-05, 1.284773, 1.275014),
)
LADDER_7B = dict(N=6887575552.0, D=3945065873408.0)
LADDER_13B = dict(N=13202396160.0, D=5000088518656.0)


@cache
def ladder(column: str) -> jl.Runs:
    """The sixteen runs, each with the mean of its last five evaluations."""
    table = jl.datasets.load("olmo_ladder", "ladder_runs_190m_to_1b")
    table = table[table["chinchilla_multiple"].isin(["1xC", "2xC", "5xC", "10xC"])]
    last = table.sort_values("step").groupby("run").tail(5).groupby("run")
    runs = last.agg({column: "mean", "params_N": "last", "tokens_D": "last"})
    assert len(runs) == 16
    return jl.Runs.from_frame(runs, N="params_N", D="tokens_D", target=column, name=column)


@dataclass(frozen=True)
class Overtraining:
    """The fits of Gadre et al. to one train set (README; errors in percent, signs dropped).

    Attributes:
        train_set: Its name in the table.
        loss: Sum of squares and parameters of the loss law on five runs.
        error: Sum of squares and parameters of the error law on six runs; None where not printed.
        loss_errors: (parameters in billions, multiplier, relative error of the loss).
        task_errors: The same for the mean error of 17 tasks, chained from the predicted loss.
    """

    train_set: str
    loss: tuple[float, dict[str, float]]
    error: tuple[float, dict[str, float]] | None
    loss_errors: tuple[tuple[float, float, float], ...]
    task_errors: tuple[tuple[float, float, float], ...]


OVERTRAINING = (
    Overtraining(
        "rpj",
        # The README has a of the coded form: 166.2110 at eta -0.272850703, so 6**0.136... times it.
        (0.000425647670, dict(E=1.836648, a=212.2361, b=366.6872, eta=0.1364253515)),
        (0.00030688464, dict(eps=0.8569919, k=2.2064906, gamma=0.7145907)),
        ((1.4, 640, 0.7103), (6.9, 20, 0.7320)),
        ((1.4, 640, 3.6365), (6.9, 20, 0.0464)),
    ),
    Overtraining(
        "c4_original",
        (0.000414118939, dict(E=1.50826053, a=141.27725, b=189.515517, eta=0.12123612)),
        None,
        ((1.4, 20, 0.7795), (1.4, 80, 1.4979), (6.9, 20, 4.2952)),
        (),
    ),
)


@cache
def overtraining(train_set: str) -> pd.DataFrame:
    table = jl.datasets.load("overtraining_gadre2024", "runs")
    return table[table["train_set"] == train_set]


# Data-constrained law on 182 runs, five constants held (README): objective, R_D*, R_N*, and R^2 on
# the loss where it is printed. The first is global; the last is the published fit's.
DATA_LIMITED = (
    (0.0158046625, 95.36518, 1.705905, 0.791023),
    (0.0158073786, 46.99030, 2.329578, 0.787236),
    (0.0158083359, 52.17335, 2.197140, None),
    (0.0158112893, 160.7097, 1.448714, None),
    (0.0158259321, 15.37176, 5.315126, 0.772186),
)


@cache
def data_limited() -> jl.Runs:
    table = jl.datasets.load("data_constrained_muennighoff2023", "runs")
    return jl.Runs.from_frame(
        table[table["in_paper_fit"] == 1],
        N="params",
        D="tokens",
        U_D="unique_tokens",
        target="loss",
        name="182 runs",
    )


# Four-digit addition (catalogue_1.md, section 40): the first 14 points are fitted.
ADDITION = jl.Runs.from_arrays(
    [
        *(2.13809046, 2.11813418, 2.08955508, 2.06988398, 2.05404987, 2.03837089, 2.02814281),
        *(2.00496872, 1.95576149, 1.86313841, 1.70891537, 1.50637664, 1.29754721, 0.96559684),
        *(0.75856477, 0.64768338, 0.55695445),
    ],
    x=[160, 192, 256, 320, 384, 448, 480, 512, 544, 576, 608, 640, 672, 736, 800, 864, 928],
    name="four-digit addition",
)
ADDITION_TRAIN = 14
ADDITION_RMSLE = (5.985e-4, 1.0916e-2)  # of the published point: on the 14 points, on the last 3


# M1, a straight line in log-log: task, model, RMSLE on the held-out points (README).
M1 = (
    ("date_understanding 1-shot", "262M", 0.03194),
    ("date_understanding 2-shot", "262M", 0.02860),
    ("linguistic_mappings 1-shot", "262M", 0.01655),
    ("linguistic_mappings 2-shot", "262M", 0.01699),
    ("log_perplexity", "6 Enc, 28 Dec", 0.23403),
    ("log_perplexity", "6 Enc, 6 Dec", 0.26187),
    ("log_perplexity", "Dec-only", 0.25197),
    ("log_perplexity", "TEnc-LSTM", 0.18992),
    ("qa_wikidata 1-shot", "262M", 0.00427),
    ("qa_wikidata 2-shot", "262M", 0.00439),
    ("val_loss", "1.68e+07", 0.00637),
)


@cache
def m1_curve(task: str, model: str, training: bool) -> jl.Runs:
    table = jl.datasets.load("bnsl_benchmark_lang")
    mine = (table["task"] == task) & (table["model"] == model)
    part = table[mine & (table["is_training"] == int(training))]
    return jl.Runs.from_frame(part, x="seen_examples", target="loss", name=f"{task} {model}")


# Multi-power law (README): mean test metrics R2, MAE, RMSE, PredE, WorstE.
SCHEDULE_METRICS = {
    ("25M", "published"): (0.998802, 0.00376022, 0.00465199, 0.00110223, 0.00409499),
    ("400M", "published"): (0.997763, 0.00483633, 0.00730482, 0.00167978, 0.00994797),
    ("25M", "exact"): (0.997640, 0.004622, 0.005416, 0.001371, 0.003603),
    ("400M", "exact"): (0.996392, 0.006024, 0.007817, 0.002159, 0.006299),
}
SCHEDULE_DECIMALS = {  # of the last digit printed above
    "published": (6, 8, 8, 8, 8),
    "exact": (6, 6, 6, 6, 6),
}
# Training objective at the published parameters, and its exact minimum with the minimiser.
SCHEDULE_OBJECTIVE = {
    "25M": (
        0.000291223,
        0.000138432009,
        dict(
            L0=2.987634,
            A=0.562719,
            alpha=0.491142,
            B=746.961,
            C=0.378485,
            beta=0.112882,
            gamma=0.895171,
        ),
    ),
    "400M": (
        0.000576985,
        7.883411873e-05,
        dict(
            L0=2.302592,
            A=0.703016,
            alpha=0.416583,
            B=771.229,
            C=0.495911,
            beta=0.272262,
            gamma=0.655943,
        ),
    ),
}
WARM_UP, PEAK, END = 2160, 3e-4, 3e-5


def schedule(name: str) -> np.ndarray:
    """Learning rates of steps 0, 1, ... as the README rebuilds them; (T + 1,)."""
    kind, *numbers = name.split("_")
    first, last = int(numbers[0]), int(numbers[-1])
    length = 16000 if kind == "wsdcon" else last
    step = np.arange(WARM_UP, length + 1)
    if kind == "cosine":
        turn = np.pi * (step - WARM_UP) / (length - WARM_UP)
        rates = END + (PEAK - END) / 2 * (1 + np.cos(turn))
    elif kind == "constant":
        rates = np.full(len(step), PEAK)
    elif kind == "wsdcon":
        rates = np.where(step < 8000, PEAK, first * 1e-5)
    else:
        share = np.clip((step - first) / (last - first), 0, 1)
        rates = PEAK + (END - PEAK) * share if kind == "wsdld" else PEAK * (END / PEAK) ** share
    return np.concatenate([np.linspace(0, PEAK, WARM_UP), rates])


@cache
def loss_curves(size: str, split: str) -> dict[str, pd.DataFrame]:
    """Schedule -> its rows."""
    table = jl.datasets.load("multi_power_law")
    mine = table[(table["model_size_label"] == size) & (table["split"] == split)]
    return {str(name): rows for name, rows in mine.groupby("schedule")}
