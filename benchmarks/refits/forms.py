"""Laws with inputs of their own: streams, vocabularies, experts, fine-tuning, contrastive runs."""

from collections.abc import Iterator
from typing import Annotated

import numpy as np
from jax import Array

import jaxlaws as jl
from benchmarks.refits.row import Row, explained, number, objective_at, predicted
from jaxlaws import Parameter
from jaxlaws.laws import vision
from jaxlaws.quantities import Amplitude, Entropy, Examples, Exponent, Loss, positive

EXACT = "README, exact minimum"
LN10 = np.log(10.0)


def _parscale(data: str, exact: str, printed: dict[str, str], r2: str, largest: str) -> list[Row]:
    law, runs = jl.laws.parscale, jl.datasets.runs(data)
    theirs = law.published(data.replace("parscale", "chen2025parscale"))
    fit = jl.fit(law, runs)
    at = objective_at(law, theirs, runs)
    what = "objective, 24 runs, Huber on log loss"
    rows = [Row(data, law.name, what, exact, EXACT, fit.value, True, at)]
    for name, value in printed.items():
        rows.append(
            Row(
                data,
                law.name,
                name,
                value,
                "paper",
                number(fit.params[name]),
                finding="E, A and alpha trade off in the fourth digit; the objective is no worse",
            )
        )
    fitted = predicted(law, fit.params, runs)
    off = float(np.max(np.abs(fitted - runs.target)))
    rows.append(Row(data, law.name, "R2", r2, "README", explained(runs.target, fitted)))
    return [*rows, Row(data, law.name, "largest residual", largest, "README", off)]


def parscale_pile() -> Iterator[Row]:
    """Chen et al.: parallel streams on the Pile."""
    printed = dict(E="1.2888", A="1.973e8", alpha="0.1963", k="0.3344")
    yield from _parscale("parscale_pile", "1.81393159e-5", printed, "0.998676", "0.011566")


def parscale_stack_python() -> Iterator[Row]:
    """Chen et al.: parallel streams on Python code."""
    printed = dict(E="0.6914", A="1.13e7", alpha="0.1894", k="0.3935")
    yield from _parscale("parscale_stack_python", "3.67674055e-5", printed, "0.997833", "0.006185")


def scaling_with_vocabulary() -> Iterator[Row]:
    """Tao et al., approach 3: 1054 evaluations, alpha1 = beta."""
    data, law = "scaling_with_vocabulary", jl.laws.vocab_parametric
    runs = jl.datasets.runs(data)
    fit = jl.fit(law.tie(alpha1="beta"), runs)
    at = objective_at(law, law.published(), runs)
    what = f"objective, {len(runs)} rows, Huber on loss"
    yield Row(data, law.name, what, "0.06229135241", EXACT, fit.value, True, at)
    r2 = explained(runs.target, predicted(law, law.published(), runs))
    yield Row(data, law.name, "R2 at the published constants", "0.971649", "README", r2)
    r2 = explained(runs.target, predicted(fit.law, fit.params, runs))
    yield Row(data, law.name, "R2 at the minimum", "0.971468", "README", r2)


def routed_language_models() -> Iterator[Row]:
    """Clark et al.: experts, two routers, least squares of log10 loss."""
    data, law = "routed_language_models", jl.laws.clark_routed
    for router, key, exact, printed, table3 in (
        (
            "S-Base",
            "clark2022_sbase",
            "0.000604179837",
            dict(a="-0.083025", b="-0.118044", c="0.009925", d="1.113580"),
            "-0.082",
        ),
        (
            "Hash",
            "clark2022_hash",
            "0.000497855536",
            dict(a="-0.087357", b="-0.138364", c="0.012635", d="1.159531"),
            "-0.087",
        ),
    ):
        same = "k == 1 and seed == 42"
        routed = f"router_type == '{router}' and routing_frequency == 0.5 and num_experts > 1"
        where = f"{same} and (({routed}) or router_type == 'Dense')"
        runs = jl.datasets.runs(data, where=where)
        fit = jl.fit(law, runs, objective=jl.Squared())
        at = objective_at(law, law.published(key), runs, jl.Squared())
        what = f"sum of squares of log10 loss, {router}, {len(runs)} rows"
        yield Row(data, law.name, what, exact, EXACT, fit.value / LN10**2, True, at / LN10**2)
        for name, value in printed.items():
            yield Row(
                data, law.name, f"{name}, {router}", value, "README", number(fit.params[name])
            )
        yield Row(
            data,
            law.name,
            f"a, {router}",
            table3,
            "paper, table 3",
            number(fit.params["a"]),
            finding="the released rows are not the set of the published fit",
        )


@jl.law
def rectified(
    D: Examples,
    *,
    B: Amplitude,
    D_l: Annotated[Array, Parameter("", positive, (0.3, 3e3))],
    beta: Exponent,
    E: Entropy,
) -> Loss:
    r"""Loss after fine-tuning on D examples, slow to fall while D is small.

    $$L(D) = B / (D_l + D^{\beta}) + E$$
    """
    return B / (D_l + D**beta) + E


def sft_rectified_lin2024() -> Iterator[Row]:
    """Lin et al.: 28 curves of fine-tuning loss, judged at 819,200 examples."""
    data = "sft_rectified_lin2024"
    table = jl.datasets.load(data)
    columns = dict(D="sft_examples", target="test_loss")
    parts = {
        split: {
            key: jl.Runs.from_frame(rows, **columns)
            for key, rows in table[table["sldbench_split"] == split].groupby(["dataset", "model"])
        }
        for split in ("train", "test")
    }
    squares = dict(objective=jl.Squared(), space="natural")
    curves = parts["train"]
    fits = dict(
        zip(curves, jl.fit(rectified, jl.Runs.stack([*curves.values()]), **squares), strict=True)
    )
    ends = {
        key: predicted(rectified, fit.params, parts["test"][key])[0] for key, fit in fits.items()
    }
    known = {key: runs.target[0] for key, runs in parts["test"].items()}
    for name, exact, r2 in (
        ("flan", "0.0583305", "0.933309"),
        ("gigaword", "0.0868074", "0.991856"),
    ):
        mine = [key for key in fits if key[0] == name]
        value = sum(fits[key].value for key in mine)
        what = f"sum of squares of loss, {name}, {len(mine)} curves"
        yield Row(data, "own", what, exact, EXACT, value, True)
        ours = explained(*(np.array([part[key] for key in mine]) for part in (known, ends)))
        yield Row(data, "own", f"test R2, {name}", r2, "README", ours)
    ours = explained(*(np.array([part[key] for key in fits]) for part in (known, ends)))
    yield Row(data, "own", "test R2, 28 curves", "0.993399", "README", ours)
    yield Row(
        data,
        "own",
        "test R2, 28 of the 42 curves",
        "0.957",
        "sldbench, human law",
        ours,
        finding="one of three data sets is missing here, and the published fit is no minimum",
    )


def openclip_reproducible() -> Iterator[Row]:
    """Cherti et al.: zero-shot error against compute, OpenCLIP's frontier and OpenAI's models."""
    data, law = "openclip_reproducible", jl.laws.cherti_clip
    table = jl.datasets.load(data)
    printed = {
        "imagenet1k": ("5.8581", "-0.111388", "23.1836", "-0.163775"),
        "imagenet_robustness": ("11.6087", "-0.125541", "211.660", "-0.237843"),
        "mscoco_captions": ("2.7497", "-0.079434", "1.5886", "-0.050759"),
        "flickr30k": ("15.5060", "-0.189157", "2.2084", "-0.102849"),
    }
    labels, lines = [], []
    for task in printed:
        score = "image_retrieval_recall@5" if task in ("mscoco_captions", "flickr30k") else "acc1"
        mine = table[(table["downstream_dataset"] == task) & table[score].notna()]
        theirs = mine["upstream_dataset"] == "CLIP-WIT"
        for family, rows in (("OpenCLIP", mine[~theirs]), ("CLIP-WIT", mine[theirs])):
            C, error = rows["gmacs_total"].to_numpy(float), 1 - rows[score].to_numpy(float)
            if family == "OpenCLIP":
                C, error = vision.frontier(C, error)
            labels.append((task, family))
            lines.append(jl.Runs.from_arrays(error, C_gmac=C, name=f"{task} {family}"))
    fits = jl.fit(law, jl.Runs.stack(lines), objective=jl.Squared(), space="log")
    for (task, family), fit in zip(labels, fits, strict=True):
        pair = printed[task][:2] if family == "OpenCLIP" else printed[task][2:]
        for name, value in zip(("beta", "alpha"), pair, strict=True):
            what = f"{name}, {task}, {family}"
            yield Row(data, law.name, what, value, "README", number(fit.params[name]))


def laion_clip_segmentation() -> Iterator[Row]:
    """Nezhurina et al.: error of segmentation on the frontier of compute; nothing is printed."""
    data, law = "laion_clip_segmentation", jl.laws.power_shift
    table = jl.datasets.load(data)
    table = table[table["samples_seen"] <= 1e10].sort_values("gflops_total")
    error = 1 - table["ade20k_miou"]
    best = table.assign(error=error)[error == error.cummin()]
    small = best["gflops_total"] <= best["gflops_total"].max() / 10
    columns = dict(x="gflops_total", target="error")
    train, test = (jl.Runs.from_frame(best[part], **columns) for part in (small, ~small))
    fit = jl.fit(law, train)
    fitted = predicted(law, fit.params, test)
    what = f"exponent, {len(train)} runs on the frontier, up to a tenth of the largest"
    yield Row(data, law.name, what, "", "", number(fit.params["b"]))
    off = float(np.mean(np.abs(fitted / test.target - 1)))
    what = f"mean relative error of the {len(test)} runs above"
    yield Row(data, law.name, what, "", "", off)


REFITS = (
    parscale_pile,
    parscale_stack_python,
    scaling_with_vocabulary,
    routed_language_models,
    sft_rectified_lin2024,
    openclip_reproducible,
    laion_clip_segmentation,
)
