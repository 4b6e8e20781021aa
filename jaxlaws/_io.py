"""save and load: a fit, or draws with the fit they belong to, as one file; any result as JSON.

The file is described in `_archive`. Its manifest names the law by its place in the catalogue and
what was fixed, tied or given to groups since; a law of one's own is handed to `load`. Either way
the law has to give the saved residuals again, so that a file is never read with another law.
"""

import ast
import inspect
import math
import textwrap
import warnings
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd

from jaxlaws._archive import AGAIN, Arrays, read_archive, sha256, write_archive
from jaxlaws._density import Model, known_of
from jaxlaws._draws import Draws
from jaxlaws._errors import InputError, InputWarning
from jaxlaws._fit import Fit
from jaxlaws._frontier import Frontier
from jaxlaws._law import Law
from jaxlaws._nuts import describe_prior, rebuild_priors
from jaxlaws._objective import Huber, LogCosh, Objective, Quantile, Squared, StudentT
from jaxlaws._predict import Prediction
from jaxlaws._risk import build, residuals
from jaxlaws._runs import Runs
from jaxlaws._sampling import Sampling
from jaxlaws._solver import STATUS, Newton, Solution
from jaxlaws.laws import find, rebuild

OBJECTIVES: dict[str, Any] = {c.label: c for c in (Huber, Squared, LogCosh, StudentT, Quantile)}
MIXING = ("rhat", "ess", "left")
SAME = {"float64": 1e-8, "float32": 1e-3}  # a law that moves a residual by more is another law


def save(result: Fit | Draws, path: str | Path) -> Path:
    """Write a fit, or draws with their fit, to one file; missing folders are made.

    Args:
        result: The fit or draws.
        path: The file. An earlier result is replaced, any other file is left alone.

    Returns:
        The path.

    Raises:
        InputError: The place cannot be written or holds a file that is no result, or the objective
            is not one of jaxlaws' own.

    >>> import tempfile, jaxlaws as jl
    >>> folder = tempfile.TemporaryDirectory()
    >>> known = jl.published(jl.laws.chinchilla, "besiroglu2024")
    >>> load(save(known, folder.name + "/known.fit")).origin
    'published constants besiroglu2024'
    >>> folder.cleanup()
    """
    if not isinstance(result, Fit | Draws):
        raise InputError(f"save takes a Fit or Draws, got {type(result).__name__}.")
    fit = result if isinstance(result, Fit) else result.fit
    arrays: Arrays = {}
    manifest = {
        "law": describe(result.law),
        "fit": None if fit is None else _pack_fit(fit, arrays),
        "draws": _pack_draws(result, arrays) if isinstance(result, Draws) else None,
    }
    write_archive(Path(path), manifest, arrays)
    return Path(path)


def load(path: str | Path, law: Law | None = None) -> Any:
    """Read what `save` wrote: a `Fit`, or `Draws` with their fit.

    Args:
        path: The file.
        law: The law, if it is your own; one of the catalogue is found by its name.

    Raises:
        InputError: The file is missing, cut short, altered, of a newer jaxlaws or no result at
            all; or its law is not known, or not the one that was fitted.

    Warns:
        InputWarning: The source of your law was changed since, though it gives the same residuals.
    """
    path = Path(path)
    manifest, arrays = read_archive(path)
    try:
        law = _find_law(path, manifest["law"], law)
        fit = None
        if manifest["fit"]:
            fit = _unpack_fit(law, manifest["fit"], arrays)
            _check_law(path, manifest["law"]["name"], fit)
        return _unpack_draws(law, manifest["draws"], arrays, fit) if manifest["draws"] else fit
    except InputError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            f"{path} does not hold a whole result ({type(error).__name__}: {error}); {AGAIN}."
        ) from None


def to_json(result: Fit | Draws | Prediction | Frontier, prob: float = 0.9) -> dict[str, Any]:
    """The report of a result as plain values: what its repr says, for other programs.

    A number that is withheld or has no meaning is None; `withheld` says why.

    Args:
        result: The result.
        prob: Probability of the intervals.

    >>> import jaxlaws as jl
    >>> known = jl.published(jl.laws.chinchilla, "hoffmann2022_unrounded")
    >>> round(to_json(jl.predict(known, N=70e9, D=1.4e12))["rows"][0]["L"], 4)
    1.9208
    """
    if isinstance(result, Prediction):
        about = {"target": result.name, "unit": result.unit, "withheld": result.withheld}
        more = {"includes": list(result.includes), "prob": prob}
        return {**about, **more, "rows": records(result.frame(prob))}
    if isinstance(result, Frontier):
        reasons = "; ".join(sorted({reason for reason in result.withheld if reason}))
        units = dict(result.units)
        rows = records(result.frame(prob))
        return dict(along=result.along, units=units, withheld=reasons, prob=prob, rows=rows)
    fit = result if isinstance(result, Fit) else result.fit
    law = describe(result.law)
    out: dict[str, Any] = {"law": {k: v for k, v in law.items() if not k.startswith("source")}}
    if fit is not None:
        saved = _pack_fit(fit, {})
        kept = ("objective", "space", "precision", "starts", "status", "value")
        out |= {"runs": {k: saved["runs"][k] for k in ("name", "count")}}
        out |= {k: saved[k] for k in kept} | {"agreeing": fit.agreeing, "notes": fit.notes()}
    if isinstance(result, Draws):
        frame = result.frame(prob)
        out |= {
            "origin": result.origin,
            "draws": len(result),
            "refits": _counts(result.status),
            "withheld": frame.attrs["withheld"],
            "loose": frame.attrs["loose"],
            "notes_on_draws": [note for note in result.notes() if note != result.looseness()],
            "sampling": _told(result.sampling) if result.sampling else None,
            "prob": prob,
        }
    else:
        frame = result.frame()
    return out | {"parameters": records(frame.reset_index())}


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a table as plain values, None for what is not a finite number."""
    return [{str(k): _plain(v) for k, v in row.items()} for row in frame.to_dict(orient="records")]


# Writing


def describe(law: Law) -> dict[str, Any]:
    """What tells a law from every other, as plain values."""
    source = _source(law)
    return {
        "name": law.name,
        "catalogue": _in_catalogue(law),
        "recipe": [list(step) for step in law.recipe],
        "citation": law.source,
        "formula": law.formula,
        "inputs": {name: v.unit for name, v in law.inputs.items()},
        "params": {name: p.unit for name, p in law.params.items()},
        "target": {law.target.name: law.target.unit},
        "source": source,
        "source_sha256": _fingerprint(source),
    }


def _pack_fit(fit: Fit, arrays: Arrays) -> dict[str, Any]:
    runs = fit.runs
    objective: Any = fit.objective
    if OBJECTIVES.get(getattr(objective, "label", "")) is not type(objective):
        raise InputError(
            f"{type(objective).__name__} is no objective of jaxlaws, so that a file cannot name "
            f"it; save knows {', '.join(OBJECTIVES)}."
        )
    settings = {f.name: float(getattr(objective, f.name)) for f in fields(objective)}
    arrays |= {f"runs/inputs/{k}": np.asarray(v) for k, v in runs.inputs.items()}
    arrays |= {f"runs/{k}": np.asarray(getattr(runs, k)) for k in ("target", "weight", "group")}
    arrays |= {f"fit/params/{k}": np.asarray(v) for k, v in fit.params.items()}
    arrays |= {f"fit/{k}": np.asarray(getattr(fit, k)) for k in ("residual", "minima")}
    arrays |= {f"fit/solution/{k}": v for k, v in fit.solution._asdict().items()}
    return {
        "runs": {
            "name": runs.name,
            "count": len(runs),
            "inputs": list(runs.inputs),
            "groups": list(runs.groups),
            "rows": [_label(row) for row in runs.rows],
            "columns": {k: list(v) for k, v in runs.columns},
        },
        "objective": {"label": objective.label, **settings},
        "space": fit.space,
        "precision": fit.problem.dtype,
        "solver": asdict(fit.solver),
        "starts": _counts(fit.solution.status),
        "status": fit.status,
        "condition": _plain(fit.condition),
        "value": fit.value,
        "at_bound": list(fit.at_bound),
        "dead": list(fit.dead),
    }


def _pack_draws(draws: Draws, arrays: Arrays) -> dict[str, Any]:
    arrays |= {f"draws/params/{k}": np.asarray(v) for k, v in draws.params.items()}
    arrays |= {f"draws/point/{k}": np.asarray(v) for k, v in draws.point.items()}
    arrays |= {f"draws/{k}": np.asarray(getattr(draws, k)) for k in ("status", "noise")}
    if draws.solution is not None:
        arrays |= {f"draws/solution/{k}": v for k, v in draws.solution._asdict().items()}
    return {
        "origin": draws.origin,
        "space": draws.space,
        "count": len(draws),
        "sampling": _pack_sampling(draws.sampling, arrays) if draws.sampling else None,
        "refits": _counts(draws.status),
        "solved": draws.solution is not None,
        "lowered": draws.lowered,
    }


def _pack_sampling(sampling: Sampling, arrays: Arrays) -> dict[str, Any]:
    arrays |= {f"draws/sampling/{k}": getattr(sampling, k) for k in ("places", "modes", "mode")}
    arrays |= {f"draws/stats/{k}": np.asarray(v) for k, v in sampling.stats.items()}
    arrays |= {f"draws/errors/{k}": np.asarray(v.error) for k, v in sampling.known.blurs.items()}
    priors = {name: describe_prior(prior) for name, prior in sampling.known.priors.items()}
    return {
        **_told(sampling),
        "blurred": list(sampling.model.blurred),
        "stats": list(sampling.stats),
        "growing": sampling.model.growing,
        "pooled": list(sampling.model.pooled),
        "priors": priors,
    }


def _told(sampling: Sampling) -> dict[str, Any]:
    numbers = {k: {n: _plain(v) for n, v in getattr(sampling, k).items()} for k in MIXING}
    return {
        "method": sampling.method,
        "chains": sampling.chains,
        "khat": _plain(sampling.khat),
        "divergences": sampling.divergences,
        **numbers,
    }


def _counts(status: Any) -> dict[str, int]:
    return {STATUS[code]: n for code, n in sorted(Counter(map(int, status)).items())}


def _label(row: Any) -> Any:
    row = row.item() if isinstance(row, np.generic) else row
    return row if row is None or isinstance(row, bool | int | float | str) else str(row)


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return [_plain(v) for v in value]
    value = _label(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value


# Reading


def _unpack_fit(law: Law, saved: Mapping[str, Any], arrays: Arrays) -> Fit:
    about, precision, space = saved["runs"], saved["precision"], saved["space"]
    runs = Runs(
        inputs={name: arrays[f"runs/inputs/{name}"] for name in about["inputs"]},
        target=arrays["runs/target"],
        weight=arrays["runs/weight"],
        group=arrays["runs/group"],
        groups=tuple(about["groups"]),
        rows=tuple(about["rows"]),
        name=about["name"],
        columns=tuple((k, tuple(v)) for k, v in about["columns"].items()),
    )
    settings = dict(saved["objective"])
    objective: Objective = OBJECTIVES[settings.pop("label")](**settings)
    with jax.enable_x64(precision == "float64"):
        problem = build(law, (runs,), objective, space, precision)
    return Fit(
        law=law,
        runs=runs,
        objective=objective,
        space=space,
        params=_parameters(law, arrays, "fit/params"),
        value=saved["value"],
        residual=arrays["fit/residual"],
        solution=_solution(arrays, "fit"),
        minima=arrays["fit/minima"],
        status=saved["status"],
        condition=math.inf if saved["condition"] is None else saved["condition"],
        at_bound=tuple(saved["at_bound"]),
        dead=tuple(saved["dead"]),
        problem=problem,
        solver=Newton(**saved["solver"]),
    )


def _check_law(path: Path, name: str, fit: Fit) -> None:
    """Refuse a law that does not give the residuals of the day the fit was saved."""
    problem = fit.problem
    with jax.enable_x64(problem.dtype == "float64"):
        inputs = {k: v[0] for k, v in problem.shared.inputs.items()}
        target = jnp.asarray(problem.target[0])
        found = -np.asarray(residuals(fit.law, fit.space, fit.params, inputs, target), float)
    off = np.max(np.abs(found - fit.residual))
    if not off <= SAME[problem.dtype]:
        raise InputError(
            f"{path} holds {name}, and {fit.law.name} as it is today is not that law: on the runs "
            f"of the fit it is off by up to {off:.2g}; hand over the law that was fitted, or fit "
            "again."
        )


def _unpack_draws(law: Law, saved: Mapping[str, Any], arrays: Arrays, fit: Fit | None) -> Draws:
    return Draws(
        law=law,
        params=_parameters(law, arrays, "draws/params"),
        point=_parameters(law, arrays, "draws/point"),
        status=arrays["draws/status"],
        origin=saved["origin"],
        space=saved["space"],
        noise=arrays["draws/noise"],
        solution=_solution(arrays, "draws") if saved["solved"] else None,
        lowered=saved["lowered"],
        fit=fit,
        sampling=_unpack_sampling(fit, saved["sampling"], arrays) if saved["sampling"] else None,
    )


def _unpack_sampling(fit: Fit | None, saved: Mapping[str, Any], arrays: Arrays) -> Sampling:
    if fit is None:
        raise ValueError("a posterior without its fit")
    numbers = {k: {n: math.nan if v is None else v for n, v in saved[k].items()} for k in MIXING}
    errors = {name: arrays[f"draws/errors/{name}"][: len(fit.runs)] for name in saved["blurred"]}
    with jax.enable_x64(fit.problem.dtype == "float64"):
        known = known_of(fit, fit.problem.runs, rebuild_priors(saved["priors"]), errors)
    return Sampling(
        method=saved["method"],
        chains=saved["chains"],
        stats={name: arrays[f"draws/stats/{name}"] for name in saved["stats"]},
        khat=math.inf if saved["khat"] is None else saved["khat"],
        places=arrays["draws/sampling/places"],
        modes=arrays["draws/sampling/modes"],
        mode=arrays["draws/sampling/mode"],
        model=Model(fit.law, fit.space, saved["growing"], tuple(saved["pooled"]), tuple(errors)),
        known=known,
        **numbers,
    )


def _parameters(law: Law, arrays: Arrays, part: str) -> dict[str, Any]:
    return {name: arrays[f"{part}/{name}"] for name in law.params}


def _solution(arrays: Arrays, part: str) -> Solution:
    leaves: Any = (arrays[f"{part}/solution/{name}"] for name in Solution._fields)
    return Solution(*leaves)


# The identity of a law


def _find_law(path: Path, saved: Mapping[str, Any], given: Law | None) -> Law:
    """The law of a file: the one given, else that of the catalogue."""
    name = saved["name"]
    if given is None and not saved["catalogue"]:
        raise InputError(
            f"{path} holds {name}, which is not in the catalogue; hand it over as "
            f"jl.load({path.name!r}, law=...), or on the command line with --law FILE.py:NAME."
        )
    try:
        law = given or rebuild([(verb, _arrays(details)) for verb, details in saved["recipe"]])
    except ValueError as error:
        raise InputError(f"{path} holds {name}, which cannot be made again: {error}") from None
    for kind, mine in (("inputs", law.inputs), ("params", law.params)):
        if list(mine) != list(saved[kind]):
            raise InputError(
                f"{path} holds {name} with the {kind} {', '.join(saved[kind]) or 'none'}, but "
                f"{law.name} has {', '.join(mine) or 'none'}; hand over the law that was fitted."
            )
    if not saved["catalogue"] and _fingerprint(_source(law)) != saved["source_sha256"]:
        warnings.warn(
            f"{path}: the source of {name} is not the one that was saved, which stands in the "
            "file's manifest.json; outside the runs it may give something else.",
            InputWarning,
            stacklevel=3,
        )
    return law


def _arrays(details: Any) -> Any:
    """A step of a recipe with the arrays that JSON turned into lists of numbers."""
    if not isinstance(details, dict) or "groups" in details:
        return details
    return {k: np.asarray(v) if isinstance(v, list) else v for k, v in details.items()}


def _function(law: Law) -> Callable[..., Any]:
    """The function a law was made from, below what fix, tie and per_group wrapped around it."""
    fn = law.fn
    for _ in law.recipe[1:]:
        fn = inspect.getclosurevars(fn).nonlocals["fn"]
    return fn


def _in_catalogue(law: Law) -> bool:
    try:
        return find(law.recipe[0][1]).fn is _function(law)
    except (InputError, IndexError):
        return False


def _source(law: Law) -> str:
    """The text of a law's function; empty where Python has none, as at an interactive prompt."""
    try:
        return textwrap.dedent(inspect.getsource(_function(law)))
    except (OSError, TypeError):
        return ""


def _fingerprint(source: str) -> str:
    """Checksum of a function without its comments, docstring and decorators."""
    try:
        tree = ast.parse(source)
    except SyntaxError:  # a lambda cut out of an expression
        return sha256(source.encode())
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            node.decorator_list = []
            node.body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    return sha256(ast.unparse(tree).encode())
