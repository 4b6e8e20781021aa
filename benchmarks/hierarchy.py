"""What partial pooling is worth on families, models and domains that were measured.

    python -m benchmarks.hierarchy [name ...] [--draws 500] [--groups 4]

models: losses along the training of published models (hitchhiker_colpret), floor, size of the term
and exponent of tokens pooled over models; families: MMLU of base models (sloth_polo2024), level and
slope in the logarithm of compute pooled over families; domains: losses after continued training on
mixtures of two corpora (data_mixing_laws), three parameters pooled over domains. Every group is
held out in turn, once but for its smallest runs (`few`), once whole (`none`), and its other runs
are predicted by

    pooled      groups from one population: its own values, or a new group's
    alone       its own runs and the priors (`none`: the prior)
    complete    one set of values for all groups

Scores are means over all held-out runs: log predictive density, its gain over `complete` with the
standard error over groups, and the share inside 90 % intervals. rhat is the largest of any table's,
withheld the tables of which the library would give no interval; their draws are scored as they are.
"""

import argparse
import os
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import jax.numpy as jnp
import numpy as np
import pandas as pd
from jax import Array, nn
from scipy.special import logsumexp
from scipy.stats import norm

import jaxlaws as jl
from jaxlaws import Parameter, Variable
from jaxlaws._predict import in_space
from jaxlaws._support import interval, positive, real, unit
from jaxlaws.quantities import Accuracy, Amplitude, Entropy, Exponent, Loss, Tokens

os.environ.setdefault("JAXLAWS_DATA", str(Path(__file__).resolve().parents[2] / "shared" / "data"))
PROB = 0.9
CHANCE = 0.2303  # of MMLU, as Maia Polo et al. fix it
EARLY = 0.3  # share of a training that is seen, so far as tokens go
WARM = 1e10  # tokens before which a loss is left out, as Choshen et al. do
BINS = 24  # medians of a training, evenly spaced in the logarithm of tokens
TRAINED = 10_000  # steps of the continued training
Compute = Annotated[Array, Variable("1e21 FLOP", positive)]
Weight = Annotated[Array, Variable("share", unit)]


@jl.law
def training(D: Tokens, *, E: Entropy, B: Amplitude, beta: Exponent) -> Loss:
    r"""Loss along a training: $E + B D^{-\beta}$."""
    return E + B * D**-beta


@jl.law
def skill(
    C: Compute,
    *,
    b: Annotated[Array, Parameter("", real, (-4.0, 2.0))],
    s: Annotated[Array, Parameter("", positive, (0.05, 1.5))],
) -> Accuracy:
    r"""Score above chance: $h + (1 - h)\,\sigma(b + s \ln C)$."""
    return CHANCE + (1 - CHANCE) * nn.sigmoid(b + s * jnp.log(C))


@jl.law
def mixed(
    w: Weight,
    *,
    c: Entropy,
    k: Annotated[Array, Parameter("nats/token", positive, (0.01, 3.0))],
    t: Annotated[Array, Parameter("", interval(-20.0, 20.0), (-6.0, 6.0))],
) -> Loss:
    r"""Loss of a domain where a corpus has the share w: $c + k e^{t w}$ [ye2024]."""
    return c + k * jnp.exp(t * w)


@dataclass(frozen=True)
class Study:
    """A table of groups: what is fitted, and which runs of a held-out group are seen.

    Attributes:
        law: The law of one group.
        runs: All runs.
        early: (n,) whether a run is seen of the group that is held out.
        space: Space of the residuals.
    """

    law: jl.Law
    runs: jl.Runs
    early: np.ndarray
    space: str

    @property
    def groups(self) -> int:
        """How many groups there are."""
        return len(self.runs.groups)


def models() -> Study:
    """Trainings, each a group; what is seen is its first part."""
    load = jl.datasets.load
    opt = load("hitchhiker_colpret", "opt_trajectories")
    parts = {f"OPT {size}": g for size, g in opt.groupby("model_size")}
    parts = {k: g.assign(loss=np.log(g["perplexity"])) for k, g in parts.items()}
    olmo = load("hitchhiker_colpret", "olmo1_eval_losses")
    wiki, pile = "wikitext_103-validation/CrossEntropyLoss", "pile/CrossEntropyLoss"
    for name, g in olmo.groupby("model_name"):
        parts[str(name).strip()] = g.assign(loss=g[wiki].fillna(g[pile]))  # each has one of them
    red = load("hitchhiker_colpret", "redpajama_incite_train_loss")
    for size, g in red.groupby("model"):
        parts[f"RedPajama {size}"] = g.assign(loss=g["train_loss"])
    k2 = load("hitchhiker_colpret", "k2_65b_train_loss_thin10")
    parts["K2-65B"] = k2.assign(loss=k2["train_loss"])
    rows = []
    for name, part in parts.items():
        part = part.dropna(subset=["loss"])
        part = part[part["tokens_D"] >= WARM]
        edges = np.geomspace(WARM, part["tokens_D"].max() * (1 + 1e-9), BINS + 1)
        at = np.digitize(part["tokens_D"], edges)
        middle = part.groupby(at)[["tokens_D", "loss"]].median()
        last = part["tokens_D"].max()
        rows.append(middle.assign(group=name, early=middle["tokens_D"] <= EARLY * last))
    frame = pd.concat(rows, ignore_index=True)
    runs = jl.Runs.from_frame(
        frame, D="tokens_D", target="loss", group="group", name="hitchhiker_colpret"
    )
    return Study(training, runs, frame["early"].to_numpy(), "log")


def families() -> Study:
    """Base models with known compute, families of three or more; the two smallest are seen."""
    frame = jl.datasets.load("sloth_polo2024")
    frame = frame.dropna(subset=["flops_1e21", "MMLU"])
    frame = frame[~frame["instruct"].astype(bool)]
    frame = frame[frame.groupby("family")["MMLU"].transform("size") >= 3]
    rank = frame.groupby("family")["flops_1e21"].rank(method="first")
    runs = jl.Runs.from_frame(
        frame, C="flops_1e21", target="MMLU", group="family", name="sloth_polo2024"
    )
    return Study(skill, runs, (rank <= 2).to_numpy(), "natural")


def domains() -> Study:
    """Losses of every domain; the two mixtures with least of the first corpus are seen."""
    frame = jl.datasets.load("data_mixing_laws", "ct")
    frame = frame[(frame["step"] == TRAINED) & (frame["val_domain"] != "valid")]
    rank = frame.groupby("val_domain")["w_first"].rank()
    runs = jl.Runs.from_frame(
        frame, w="w_first", target="loss", group="val_domain", name="data_mixing_laws"
    )
    return Study(mixed, runs, (rank <= 2).to_numpy(), "log")


STUDIES: tuple[Callable[[], Study], ...] = (models, families, domains)


def cut(runs: jl.Runs, keep: np.ndarray, without: int | None = None) -> jl.Runs:
    """Some of the runs; the group `without`, of which none is left, is no group any more."""
    some = runs.where(keep)
    if without is None:
        return some
    groups = tuple(label for g, label in enumerate(runs.groups) if g != without)
    group = some.group - (some.group > without).astype(some.group.dtype)
    return replace(some, group=group, groups=groups)


def posteriors(
    study: Study, law: jl.Law, tables: Sequence[jl.Runs], draws: int, pool: Sequence[str] = ()
) -> Sequence[jl.Draws]:
    """NUTS on all tables in one call."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", jl.InputWarning)
        fits = jl.fit(
            law,
            jl.Runs.stack(tables),
            objective=jl.Squared(),
            space=study.space,
            starts=32,
            few=True,
        )
        return jl.posterior(fits, draws=draws, pool=pool)


def scored(
    draws: jl.Draws, scale: np.ndarray, inputs: dict[str, Any], measured: np.ndarray, space: str
) -> tuple[np.ndarray, np.ndarray]:
    """Log density of every measured value, and whether the interval of a new run holds it."""
    found = jl.predict(draws, **inputs)
    mean, at = in_space(found.mean, space), in_space(measured, space)
    each = norm.logpdf(at[None], mean, scale[:, None])
    density = logsumexp(each, axis=0) - np.log(len(mean))
    density -= np.log(measured) if space == "log" else 0.0
    low, high = np.quantile(found.run, [(1 - PROB) / 2, (1 + PROB) / 2], axis=0)
    return density, (low <= measured) & (measured <= high)


def study(made: Study, draws: int, chosen: Sequence[int] | None = None) -> pd.DataFrame:
    """One row per held-out run, what was seen of its group, and way of predicting it.

    Args:
        made: The table of groups.
        draws: Draws of each chain.
        chosen: Groups that are held out; None is every one.
    """
    law, runs, rows = made.law, made.runs, []
    pool = tuple(law.params)
    held = list(range(made.groups) if chosen is None else chosen)
    own = [runs.group == g for g in held]
    few = [cut(runs, ~mine | made.early) for mine in own]
    none = [cut(runs, ~mine, g) for g, mine in zip(held, own, strict=True)]
    alone = [cut(runs, mine & made.early) for mine in own]
    begin = time.perf_counter()
    known = {
        ("few", "pooled"): posteriors(
            made, law.per_group(*pool, groups=made.groups), few, draws, pool
        ),
        ("few", "alone"): posteriors(made, law, alone, draws),
        ("few", "complete"): posteriors(made, law, few, draws),
        ("none", "pooled"): posteriors(
            made, law.per_group(*pool, groups=made.groups - 1), none, draws, pool
        ),
        ("none", "complete"): posteriors(made, law, none, draws),
    }
    known["none", "alone"] = known["few", "alone"]
    print(
        f"{len(held)} groups held out, sampled in {time.perf_counter() - begin:.0f} s", flush=True
    )
    for (seen, way), found in known.items():
        for g, mine, one in zip(held, own, found, strict=True):
            far = mine & ~made.early
            inputs: dict[str, Any] = {k: v[far] for k, v in runs.inputs.items() if k in law.inputs}
            if (seen, way) == ("few", "pooled"):
                inputs["group"] = float(g)
            used, scale = one, one.sampling.scale
            if (seen, way) == ("none", "pooled"):
                used = jl.new_group(one, law)
            if (seen, way) == ("none", "alone"):
                used = jl.prior(one, draws=len(one))
                scale = used.noise.std(axis=1)
            density, holds = scored(used, scale, inputs, runs.target[far], made.space)
            rows += [
                dict(
                    seen=seen,
                    way=way,
                    group=runs.groups[g],
                    density=d,
                    holds=h,
                    rhat=max(one.sampling.rhat.values()),
                    withheld=bool(one.withheld()),
                )
                for d, h in zip(density, holds, strict=True)
            ]
    return pd.DataFrame(rows)


def table(found: pd.DataFrame) -> pd.DataFrame:
    """Means over held-out runs of every way."""
    rows = []
    for (seen, way), part in found.groupby(["seen", "way"], sort=False):
        base = found[(found["seen"] == seen) & (found["way"] == "complete")]
        gain = part.groupby("group")["density"].mean() - base.groupby("group")["density"].mean()
        each = part.groupby("group").first()
        rows.append(
            {
                "seen": seen,
                "way": way,
                "density": part["density"].mean(),
                "gain": gain.mean(),
                "se": gain.std(ddof=1) / np.sqrt(len(gain)),
                "covered": part["holds"].mean(),
                "runs": len(part),
                "groups": len(each),
                "rhat": each["rhat"].max(),
                "withheld": int(each["withheld"].sum()),
            }
        )
    return pd.DataFrame(rows).set_index(["seen", "way"])


def main() -> None:
    """Print a table for every study asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    names = [made.__name__ for made in STUDIES]
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(names))
    parser.add_argument("--draws", type=int, default=500, help="of each of four chains")
    parser.add_argument(
        "--groups", type=int, help="held out, evenly spread; every one if not given"
    )
    args = parser.parse_args()
    if unknown := set(args.names) - set(names):
        parser.error(f"no study {min(unknown)}; there are {', '.join(names)}")
    for made in STUDIES:
        if made.__name__ in (args.names or names):
            one = made()
            print(
                f"\n{made.__name__}: {one.groups} groups, {len(one.runs)} runs of {one.runs.name}"
            )
            chosen = None
            if args.groups:
                chosen = np.linspace(0, one.groups - 1, args.groups).round().astype(int).tolist()
            print(table(study(one, args.draws, chosen)).round(3).to_string(), flush=True)


if __name__ == "__main__":
    main()
