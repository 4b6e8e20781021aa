"""The catalogue: every law by name. `bnsl` and the laws over schedules are functions of a size."""

import difflib
import re
from collections.abc import Callable, Sequence
from typing import Any

from jaxlaws._errors import InputError
from jaxlaws._law import Law
from jaxlaws.laws.broken import bnsl as bnsl
from jaxlaws.laws.broken import m1 as m1
from jaxlaws.laws.broken import m2 as m2
from jaxlaws.laws.broken import m3 as m3
from jaxlaws.laws.broken import m4 as m4
from jaxlaws.laws.data_limited import muennighoff as muennighoff
from jaxlaws.laws.downstream import loss_to_accuracy as loss_to_accuracy
from jaxlaws.laws.downstream import olmo_ladder as olmo_ladder
from jaxlaws.laws.downstream import ppl_to_error as ppl_to_error
from jaxlaws.laws.pretraining import chinchilla as chinchilla
from jaxlaws.laws.pretraining import deepseek_scaling as deepseek_scaling
from jaxlaws.laws.pretraining import kaplan_d as kaplan_d
from jaxlaws.laws.pretraining import kaplan_n as kaplan_n
from jaxlaws.laws.pretraining import kaplan_nd as kaplan_nd
from jaxlaws.laws.pretraining import overtrain_loss as overtrain_loss
from jaxlaws.laws.schedule import lr_annealing as lr_annealing
from jaxlaws.laws.schedule import multi_power_law as multi_power_law

CATALOGUE: dict[str, Law] = {
    each.name: each
    for each in (
        chinchilla,
        kaplan_n,
        kaplan_d,
        kaplan_nd,
        overtrain_loss,
        deepseek_scaling,
        muennighoff,
        m1,
        m2,
        m3,
        m4,
        ppl_to_error,
        loss_to_accuracy,
        olmo_ladder,
    )
}

FAMILIES: dict[str, Callable[..., Law]] = {
    "bnsl": bnsl,
    "lr_annealing": lr_annealing,
    "multi_power_law": multi_power_law,
}


def find(name: str) -> Law:
    """A law of the catalogue by name; ``bnsl(2)`` makes the member of a family.

    Raises:
        InputError: There is no such law; the nearest name is suggested.

    >>> find("bnsl(1)").params["d"].size
    (1,)
    """
    if name in CATALOGUE:
        return CATALOGUE[name]
    if sized := re.fullmatch(r"bnsl\((\d+)\)", name):
        return bnsl(int(sized[1]))
    near = difflib.get_close_matches(name, [*CATALOGUE, "bnsl(1)"], 1)
    raise InputError(
        f"There is no law {name!r}"
        + (f"; did you mean {near[0]!r}?" if near else ";")
        + " `jaxlaws list` shows them all."
    )


def rebuild(recipe: Sequence[tuple[str, Any]]) -> Law:
    """The law that a recipe describes; the inverse of `Law.recipe`.

    >>> import jaxlaws as jl
    >>> rebuild(jl.laws.chinchilla.fix(E=1.69).tie(beta="alpha").recipe).name
    'chinchilla[E=1.69][beta=alpha]'
    """
    (_, name), *steps = recipe
    made = find(name)
    for verb, details in steps:
        if verb == "fix":
            made = made.fix(**details)
        elif verb == "tie":
            made = made.tie(**details)
        else:
            made = made.per_group(*details["names"], groups=details["groups"])
    return made
