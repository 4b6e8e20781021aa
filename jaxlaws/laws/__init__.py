"""The catalogue: every law by name, and the families whose members are made by a function."""

import ast
import difflib
import inspect
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any

from jaxlaws._errors import InputError
from jaxlaws._law import Law
from jaxlaws.laws import (
    alignment,
    allocation,
    annealing_areas,
    architectures,
    batch,
    broken,
    capacity,
    code_models,
    context,
    continual,
    cooldown,
    costs,
    counting,
    coupled,
    coupling,
    data_amount,
    data_limited,
    data_quality,
    density,
    distillation,
    downstream,
    estimation,
    experts,
    games,
    generative,
    gradient_noise,
    growth,
    hyperparameters,
    images,
    inference_time,
    kaplan,
    learning_curves,
    low_precision,
    minicpm,
    mixture,
    modality,
    noise,
    noisy_channel,
    observational,
    optimal,
    parallel,
    precision,
    pretraining,
    primitives,
    progress,
    pruning,
    quanta,
    rate_schedules,
    representation,
    retrieval,
    rewards,
    rl_posttraining,
    schedule,
    serving,
    sources,
    sparse,
    standard_fit,
    tasks,
    theory,
    trajectory,
    transfer,
    translation,
    transport,
    trends,
    vision,
    vocabulary,
    width_rules,
    without_law,
)
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

MODULES: tuple[ModuleType, ...] = (
    pretraining,
    kaplan,
    optimal,
    data_limited,
    broken,
    downstream,
    schedule,
    counting,
    serving,
    allocation,
    costs,
    rate_schedules,
    minicpm,
    growth,
    density,
    trends,
    data_amount,
    representation,
    rewards,
    standard_fit,
    transport,
    without_law,
    primitives,
    annealing_areas,
    trajectory,
    precision,
    images,
    generative,
    translation,
    vocabulary,
    alignment,
    capacity,
    data_quality,
    pruning,
    hyperparameters,
    continual,
    modality,
    theory,
    coupled,
    experts,
    sparse,
    low_precision,
    transfer,
    distillation,
    mixture,
    observational,
    progress,
    inference_time,
    games,
    context,
    vision,
    noise,
    cooldown,
    quanta,
    architectures,
    parallel,
    batch,
    gradient_noise,
    learning_curves,
    estimation,
    tasks,
    sources,
    width_rules,
    coupling,
    rl_posttraining,
    code_models,
    retrieval,
    noisy_channel,
)

CATALOGUE: dict[str, Law] = {
    each.name: each for module in MODULES for each in vars(module).values() if isinstance(each, Law)
}

FAMILIES: dict[str, Callable[..., Law]] = {
    "bnsl": bnsl,
    "lr_annealing": lr_annealing,
    "multi_power_law": multi_power_law,
}

# What goes with the laws: id -> quantity -> pure function of inputs and constants by name.
QUANTITIES: dict[str, dict[str, Callable[..., Any]]] = {}
for _module in MODULES:
    for _id, _functions in getattr(_module, "QUANTITIES", {}).items():
        QUANTITIES.setdefault(_id, {}).update(_functions)
    FAMILIES.update(getattr(_module, "FAMILIES", {}))

# Papers of the reading list that state no law, with the reason.
WITHOUT_LAW: tuple[tuple[str, str], ...] = tuple(
    row for module in MODULES for row in getattr(module, "WITHOUT_LAW", ())
)

# Symbols of the literature that cannot be Python names.
SPELLING = {"lambda": "lam", "16bit": "base_16bit"}


def evaluate(law_id: str, quantity: str, values: Mapping[str, Any]) -> Any:
    """A quantity of the catalogue at given inputs and constants, everything by its symbol.

    Args:
        law_id: Id of a law or of a family of functions.
        quantity: A derived quantity's name, or the law's own target.
        values: Inputs and constants by the symbols of the literature; labels that the function
            does not take are passed over.

    Raises:
        InputError: The catalogue has no such quantity.

    >>> float(evaluate("m1", "eps", dict(x=4.0, beta=2.0, c=-0.5)))
    1.0
    """
    named = {SPELLING.get(k, k): v for k, v in values.items()}
    fn = QUANTITIES.get(law_id, {}).get(quantity)
    if fn is None and law_id in CATALOGUE:
        law = CATALOGUE[law_id]
        return law(**{k: v for k, v in named.items() if k in law.inputs or k in law.params})
    if fn is None:
        raise InputError(f"The catalogue has no quantity {quantity!r} of {law_id!r}.")
    taken = inspect.signature(fn).parameters
    return fn(**{k: v for k, v in named.items() if k in taken})


def __getattr__(name: str) -> Law:
    """Any law of the catalogue as an attribute of this module."""
    if name in CATALOGUE:
        return CATALOGUE[name]
    raise AttributeError(f"jaxlaws.laws has no law {name!r}")


def find(name: str) -> Law:
    """A law of the catalogue by name, or the member of a family as one would make it in Python.

    Words need no quotes: ``vocab_parametric(count)``, ``shukor_mixture(3, joint)``.

    Raises:
        InputError: There is no such law (the nearest name is suggested) or member.

    >>> find("bnsl(1)").params["d"].size, find("sloth_skills(2, 5, 3)").params["W1"].size
    ((1,), (3, 2))
    """
    if name in CATALOGUE:
        return CATALOGUE[name]
    stem = name.partition("(")[0].strip()
    if stem in FAMILIES:
        return _member(stem, name)
    known = [*CATALOGUE, *FAMILIES]
    near = difflib.get_close_matches(stem, known, 1)
    raise InputError(
        f"There is no law {name!r}"
        + (f"; did you mean {near[0]!r}?" if near else ";")
        + " `jaxlaws list` shows them all."
    )


def _member(stem: str, name: str) -> Law:
    """What the call ``name`` of a family makes."""
    family = FAMILIES[stem]
    takes = inspect.signature(family)
    try:
        call = ast.parse(name.strip(), mode="eval").body
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
            raise TypeError("no arguments are given")
        bound = takes.bind(
            *map(_literal, call.args), **{str(k.arg): _literal(k.value) for k in call.keywords}
        )
        flags = {}
        for key, value in bound.arguments.items():
            kind = takes.parameters[key].annotation
            if kind is int and type(value) is not int:
                raise TypeError(f"{key} is a whole number, got {value!r}")
            if kind is bool and isinstance(value, str):  # joint: the name of the flag, or its other
                flags[value], bound.arguments[key] = key, value == key
        for key, value in list(bound.arguments.items()):  # said or not, it is the same object
            if value == takes.parameters[key].default:
                del bound.arguments[key]
        made = family(*bound.args, **bound.kwargs)
        if wrong := [word for word in flags if word not in made.name]:
            raise TypeError(f"{flags[wrong[0]]} cannot be {wrong[0]!r}")
    except (SyntaxError, TypeError, ValueError, KeyError) as error:
        shown = ", ".join(takes.parameters)
        raise InputError(f"{name!r} makes no law ({error}); write it {stem}({shown}).") from None
    return made


def _literal(node: ast.expr) -> Any:
    """A number, a word with or without quotes, or tuples of them."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Tuple | ast.List):
        return tuple(map(_literal, node.elts))
    return ast.literal_eval(node)


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
