"""Converters: the source files of a data set, as its repository has them, become a tidy table.

A converter takes the name of the table and the local source files in the order of the registry.
It renames, drops and derives columns; it never filters or reorders rows.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import pandas as pd

from jaxlaws.datasets._info import DataError


def chinchilla_epoch(table: str, files: Sequence[Path]) -> pd.DataFrame:
    """Return the points of the figure with tokens from C = 6 N D, and the paper's exclusions.

    The published fit leaves out the five largest losses.
    """
    source = pd.read_csv(files[0])
    params, flops, loss = source["Model Size"], source["Training FLOP"], source["loss"]
    return pd.DataFrame(
        {
            "params": params,
            "train_flops": flops,
            "tokens": flops / (6 * params),
            "loss": loss,
            "excluded_in_paper": (loss >= loss.nlargest(5).min()).astype("int64"),
        }
    )


def step_law_dense(table: str, files: Sequence[Path]) -> pd.DataFrame:
    """Return the runs with readable column names, or the authors' bootstrap fits as stored."""
    source = pd.read_csv(files[0])
    if table == "published_bootstrap_1000_fits":
        return source
    readable = {
        "h": "hidden",
        "ffnh": "ffn_hidden",
        "numh": "num_heads",
        "numl": "num_layers",
        "bs": "batch_size_seqs",
        "ti": "train_iters",
        "loss": "loss_final_raw",
        "smooth loss": "loss_smooth",
        "D": "tokens_D",
        "N": "params_N_nonemb",
        "D/N": "tokens_per_param",
    }
    return source.drop(columns="exp_name").rename(columns=readable)


def multi_power_law(table: str, files: Sequence[Path]) -> pd.DataFrame:
    """Return all loss curves below each other, named by size and schedule.

    The files are `csv_<size>/<schedule>.csv`; the published fit is to three of the nine schedules.
    """
    train = {"cosine_24000", "constant_24000", "wsdcon_9"}
    curves = []
    for file in files:
        curve = pd.read_csv(file).rename(columns={"lr": "lr_logged"})
        curve.insert(0, "model_size_label", file.parent.name.removeprefix("csv_") + "M")
        curve.insert(1, "schedule", file.stem)
        curve.insert(2, "split", "train" if file.stem in train else "test")
        curves.append(curve)
    return pd.concat(curves, ignore_index=True)


def scalebench(table: str, files: Sequence[Path]) -> pd.DataFrame:
    """Return the parquet file as it is."""
    try:
        return pd.read_parquet(files[0], engine="pyarrow")
    except ImportError:
        raise DataError(
            f'table {table!r} is published as parquet; to read it: pip install "jaxlaws[parquet]"'
        ) from None


CONVERTERS: Mapping[str, Callable[[str, Sequence[Path]], pd.DataFrame]] = MappingProxyType(
    {
        "chinchilla_epoch": chinchilla_epoch,
        "step_law_dense": step_law_dense,
        "multi_power_law": multi_power_law,
        "scalebench": scalebench,
    }
)
