"""The catalogue: every law by name. `bnsl` and the laws over schedules are functions of a size."""

from collections.abc import Callable

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
