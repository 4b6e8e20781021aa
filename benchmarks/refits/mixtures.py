"""Loss of a mixture of domains: three published tables."""

from collections.abc import Iterator
from typing import Annotated

import jax.numpy as jnp
import numpy as np
import pandas as pd
from jax import Array

import jaxlaws as jl
from benchmarks.refits.row import Row, explained, predicted
from jaxlaws import Parameter, Variable
from jaxlaws.laws.mixture import ye_data_mixing
from jaxlaws.quantities import Loss, simplex

NATURAL = dict(objective=jl.Squared(), space="natural")


def data_mixing_laws() -> Iterator[Row]:
    """Ye et al.: two domains of five mixtures, and the overall loss of five domains."""
    data, law = "data_mixing_laws", ye_data_mixing(2)
    table = jl.datasets.load(data, "2mix")
    table = table[table["step"] == 30000]
    printed = {
        ("70M", "Github"): "3.67010e-05",
        ("70M", "Pile-CC"): "1.58613e-05",
        ("160M", "Github"): "2.45211e-05",
        ("160M", "Pile-CC"): "2.82253e-05",
    }
    columns = dict(r=["w_github", "w_pile_cc"], target="loss")
    cells = dict(list(table.groupby(["model_size", "val_domain"])))
    stack = jl.Runs.stack([jl.Runs.from_frame(cells[key], **columns) for key in printed])
    for (key, value), fit in zip(printed.items(), jl.fit(law, stack, **NATURAL), strict=True):
        what = f"sum of squares of loss, {' '.join(key)}, 5 mixtures"
        yield Row(data, "ye_data_mixing", what, value, "README", fit.value, True)
    yield _overall(data)


def _overall(data: str) -> Row:
    """Loss on the whole validation set, from the laws of its 22 parts; fitted to 20 mixtures."""
    table = jl.datasets.load(data, "5mix")
    share = jl.datasets.load(data, "validation_weights").set_index("val_domain")["weight"]
    table = table[(table["model_size"] == "70M") & (table["step"] == 30000)]
    table = table.assign(mixture=table["run"].str.split("_").str[1].astype(int))
    columns = dict(r=[c for c in table if c.startswith("w_")], target="loss")
    errors: np.ndarray | float = 0.0
    parts = {
        name: [
            jl.Runs.from_frame(rows[early], **columns)
            for early in (rows["mixture"] < 20, rows["mixture"] >= 20)
        ]
        for name, rows in table.sort_values("mixture").groupby("val_domain")
    }
    fits = jl.fit(ye_data_mixing(5), jl.Runs.stack([train for train, _ in parts.values()]))
    for (name, (_, test)), fit in zip(parts.items(), fits, strict=True):
        off = predicted(fit.law, fit.params, test) - test.target
        errors = errors + share[name] / share.sum() * off
    return Row(
        data,
        "ye_data_mixing",
        f"mean absolute error of the overall loss, 70M, {len(errors)} held-out mixtures",
        "0.0086",
        "README, explicit domains",
        float(np.mean(np.abs(errors))),
        finding="fitted per validation set (22) instead of per training domain (5), whose losses "
        "the table does not name; the size and step of theirs are not stated",
    )


def bimix_pile() -> Iterator[Row]:
    """Ge et al.: 22 domains of the Pile, six mixtures along training, least squares of loss."""
    data, law = "bimix_pile", jl.laws.bimix.fix(A=1.0)
    table = jl.datasets.load(data)
    table = table[table["domain"] != "avg"]
    column = "val_log_perplexity_or_loss"
    columns = dict(r_i="domain_proportion", s="global_step", target=column)
    printed = {
        "Pile-CC": "0.99346",
        "EuroParl": "0.99264",
        "Enron Emails": "0.99253",
        "YoutubeSubtitles": "0.99024",
        "StackExchange": "0.98982",
        "Books3": "0.98210",
        "OpenWebText2": "0.97992",
        "PhilPapers": "0.97716",
        "ArXiv": "0.97655",
        "Ubuntu IRC": "0.97368",
        "DM Mathematics": "0.96989",
        "NIH ExPorter": "0.95985",
        "HackerNews": "0.95467",
        "PubMed Abstracts": "0.95223",
        "Github": "0.95093",
        "PubMed Central": "0.94286",
        "USPTO Backgrounds": "0.94280",
        "Wikipedia (en)": "0.92783",
        "OpenSubtitles": "0.90179",
        "FreeLaw": "0.89244",
        "Gutenberg (PG-19)": "0.78481",
        "BookCorpus2": "0.71828",
    }
    domains = dict(list(table.groupby("domain")))
    runs = [jl.Runs.from_frame(rows, **columns) for rows in domains.values()]
    found = {
        name: explained(one.target, predicted(law, fit.params, one))
        for name, one, fit in zip(
            domains, runs, jl.fit(law, jl.Runs.stack(runs), **NATURAL), strict=True
        )
    }
    for name, value in printed.items():
        yield Row(data, "bimix", f"R2, {name}", value, "README", found[name])
    yield Row(
        data,
        "bimix",
        "domains of 22 with R2 above 0.97",
        "22",
        "paper's claim",
        float(sum(r2 > 0.97 for r2 in found.values())),
        within=0.0,
        finding="the law leaves more at its exact minimum; the law is the limit",
    )


@jl.law
def linear_mixing(
    r: Annotated[Array, Variable("share", simplex, size=(17,))],
    *,
    w: Annotated[Array, Parameter("nats/token", typical=(-10.0, 20.0), size=(17,))],
) -> Loss:
    r"""Loss as a linear function of the shares of 17 domains.

    $$L = \sum_j w_j r_j$$
    """
    return jnp.sum(w * r)


def regmix() -> Iterator[Row]:
    """Liu et al.: loss on Pile-CC of 512 small models ranks mixtures for larger ones."""
    data = "regmix"
    splits = {
        name: jl.datasets.runs(data, where=f"split_size == '{name}'")
        for name in ("train_1m", "test_1m", "test_60m")
    }
    train = splits["train_1m"]
    for law, label, printed in (
        (linear_mixing, "own", dict(test_1m="0.901632", test_60m="0.892437")),
        (ye_data_mixing(17), "ye_data_mixing", dict(test_1m="0.9845", test_60m="0.9864")),
    ):
        fit = jl.fit(law, train, **NATURAL)
        if label == "own":
            r2 = explained(train.target, predicted(law, fit.params, train))
            yield Row(data, label, "R2, linear law, 512 runs", "0.767714", "README", r2)
        for name, value in printed.items():
            ranks = [
                pd.Series(v).rank().to_numpy()
                for v in (predicted(law, fit.params, splits[name]), splits[name].target)
            ]
            what = f"rank correlation on {name}, {law.name}"
            source = "README" if label == "own" else "paper, LightGBM"
            ours = float(np.corrcoef(*ranks)[0, 1])
            reason = "another model: boosted trees, no law"
            yield Row(data, label, what, value, source, ours, finding=reason)


REFITS = (data_mixing_laws, bimix_pile, regmix)
