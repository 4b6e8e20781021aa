"""From what was typed to the library's values: laws, objectives, resamplers, costs, points."""

import argparse
import importlib.util
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from jaxlaws import _columns, _objective, _resample, flops, laws
from jaxlaws._cli._table import Source
from jaxlaws._cli._words import nearest, number, numbers, pairs
from jaxlaws._errors import InputError
from jaxlaws._inputs import check_input_error
from jaxlaws._law import Law
from jaxlaws._nuts import named_prior, numpyro
from jaxlaws._objective import Objective
from jaxlaws._points import check_points
from jaxlaws._prior_table import check_priors
from jaxlaws._resample import Resampler
from jaxlaws._runs import Runs

DRAWS = 4000  # refits where only a way of resampling was asked for
OBJECTIVES: dict[str, tuple[Any, set[str]]] = {
    "huber": (_objective.Huber, {"delta"}),
    "squared": (_objective.Squared, set()),
    "logcosh": (_objective.LogCosh, {"delta"}),
    "quantile": (_objective.Quantile, {"tau"}),
    "studentt": (_objective.StudentT, {"scale", "nu"}),
}
RESAMPLERS: dict[str, Any] = {
    "pairs": _resample.Pairs,
    "bayesian": _resample.Bayesian,
    "residual": _resample.Residual,
    "wild": _resample.Wild,
    "parametric": _resample.Parametric,
    "jackknife": _resample.Jackknife,
}
COSTS: dict[str, tuple[Callable[..., flops.Cost], str]] = {
    "inference": (flops.inference, "TOKENS"),
    "attention": (flops.attention, "LAYERS,WIDTH,CONTEXT"),
    "embeddings": (flops.embeddings, "VOCABULARY,WIDTH"),
    "sparse": (flops.sparse, "SHARE"),
    "precision": (flops.precision, "BITS"),
}


def law_of(word: str) -> Law:
    """A law by its name in the catalogue, or one's own as FILE.py:NAME.

    Raises:
        InputError: There is no such law or file, or the file cannot be run.
    """
    file, colon, name = word.rpartition(":")
    if not (colon and file.endswith(".py")):
        return laws.find(word)
    if not Path(file).is_file():
        raise InputError(f"There is no file {file} to take the law {name} from.")
    spec = importlib.util.spec_from_file_location(f"laws_of_{Path(file).stem}", file)
    if spec is None or spec.loader is None:
        raise InputError(f"{file} is no Python file.")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise InputError(f"{file} could not be run ({type(error).__name__}: {error}).") from None
    found = getattr(module, name, None)
    if not isinstance(found, Law):
        known = [key for key, value in vars(module).items() if isinstance(value, Law)]
        raise InputError(
            f"{file} has no law {name!r}, only {', '.join(known) or 'none'}{nearest(name, known)} "
            "A law is a function under @jl.law."
        )
    return found


def variant(law: Law, args: argparse.Namespace, runs: Runs) -> Law:
    """The law with what --fix, --tie and --per-group say.

    Raises:
        InputError: A parameter is unknown, or a value outside its support.
    """
    fixed = {k: numbers(v) for k, v in pairs(args.fix, "--fix E=1.69").items()}
    tied = pairs(args.tie, "--tie beta=alpha")
    own = [name for word in args.per_group for name in word.split(",")]
    for name in (*fixed, *tied, *tied.values(), *own):
        if name not in law.params:
            raise InputError(
                f"{law.name} has no parameter {name!r}, only {', '.join(law.params)}"
                + nearest(name, law.params)
            )
    try:
        if fixed:
            sized = {k: np.asarray(v) if law.params[k].size else v[0] for k, v in fixed.items()}
            law = law.fix(**sized)
        if tied:
            law = law.tie(**tied)
        if own:
            law = law.per_group(*own, groups=len(runs.groups))
    except ValueError as error:
        raise InputError(str(error)) from None
    return law


def objective(args: argparse.Namespace) -> Objective:
    """What --objective and its settings ask for.

    Raises:
        InputError: A setting belongs to another objective.
    """
    made, known = OBJECTIVES[args.objective]
    given = {k: getattr(args, k) for k in ("delta", "tau", "scale", "nu")}
    given = {k: v for k, v in given.items() if v is not None}
    if other := sorted(set(given) - known):
        raise InputError(
            f"--{other[0]} is no setting of --objective {args.objective}, which has "
            f"{', '.join('--' + k for k in sorted(known)) or 'none'}."
        )
    chosen: Objective = made(**given)
    return chosen


def resampler(args: argparse.Namespace, runs: Runs) -> Resampler:
    """What --resample and --by-group ask for.

    Raises:
        InputError: The runs have no groups, or this way knows none.
    """
    made = RESAMPLERS[args.resample or "pairs"]
    if args.by_group and len(runs.groups) < 2:
        raise InputError("--by-group needs groups of runs: name their column with --group COLUMN.")
    if args.by_group and "by" not in made.__dataclass_fields__:
        raise InputError(f"--resample {args.resample} knows no groups; take pairs or wild.")
    chosen: Resampler = made(by="group") if args.by_group else made()
    return chosen


def cost(text: str) -> flops.Cost:
    """A cost model as --cost names it.

    Raises:
        InputError: There is no such model, or its settings are not those.
    """
    name, _, settings = text.partition("=")
    if name == "dense" and not settings:
        return flops.dense
    if name not in COSTS:
        known = ["dense", *COSTS]
        raise InputError(f"--cost is one of {', '.join(known)}, got {name!r}{nearest(name, known)}")
    made, wanted = COSTS[name]
    values = numbers(settings) if settings else []
    if len(values) != len(wanted.split(",")) or min(values) <= 0:
        raise InputError(f"--cost {name} is written {name}={wanted}, above zero; got {text!r}.")
    return made(*values)


def points(law: Law, words: Mapping[str, str]) -> dict[str, Any]:
    """Inputs at which a law is asked, checked against it.

    Raises:
        InputError: An input is missing, unknown, or outside its support.
    """
    for name in words:
        if name not in law.inputs:
            raise InputError(
                f"{law.name} has no input {name!r}, only {', '.join(law.inputs)}"
                + nearest(name, law.inputs)
            )
    values = {name: np.asarray(numbers(text)) for name, text in words.items()}
    check_points(law, values)
    return values


def input_error(law: Law, args: argparse.Namespace, source: Source) -> dict[str, Any]:
    """What --input-error says of inputs: one standard error each, or a column of them.

    Raises:
        InputError: There is no posterior to know them, or one cannot be understood.
    """
    given: dict[str, Any] = dict(pairs(args.input_error, "--input-error D=0.02"))
    if given and not args.posterior:
        raise InputError("--input-error belongs to a posterior; add --posterior.")
    for name, text in given.items():
        if text in source.frame:
            values, runs = source.frame[text].to_numpy(), source.runs
            given[name] = _columns.numbers(values, f"error of {name}", runs.rows, runs.name, [text])
        else:
            given[name] = number(text)
    check_input_error(law, source.runs, given)
    return given


def priors(law: Law, args: argparse.Namespace, draws: int) -> dict[str, Any]:
    """What --prior says of parameters, as NumPyro distributions.

    Raises:
        InputError: There is no posterior to have them, or one cannot be understood.
    """
    if args.prior and not args.posterior:
        raise InputError("--prior belongs to a posterior; add --posterior.")
    if not args.posterior:
        return {}
    if draws:
        raise InputError("Ask either for --posterior or for --bootstrap, not for both.")
    numpyro()
    found = {}
    for text in args.prior:
        form = re.fullmatch(r"(\w+)=(\w+)\(([^()]*)\)", text.replace(" ", ""))
        if not form:
            raise InputError(f"--prior is written E=Normal(1.7,0.1); got {text!r}.")
        found[form[1]] = named_prior(form[2], numbers(form[3]) if form[3] else [])
    return check_priors(law, found)
