"""Commands that compute: fit, predict, frontier, compare, diagnose, sensitivity, study."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxlaws._archive import check_place
from jaxlaws._backtest import backtest
from jaxlaws._bootstrap import bootstrap
from jaxlaws._cli import _browse
from jaxlaws._cli import _choices as choices
from jaxlaws._cli import _report as say
from jaxlaws._cli._study import study
from jaxlaws._cli._table import Source, read
from jaxlaws._cli._terminal import Report, Table, number, progress
from jaxlaws._cli._words import number as read_number
from jaxlaws._cli._words import numbers, pairs
from jaxlaws._draws import Draws
from jaxlaws._errors import InputError
from jaxlaws._fit import Fit, fit
from jaxlaws._frontier import Frontier, cheapest, frontier
from jaxlaws._io import load, records, save
from jaxlaws._law import Law
from jaxlaws._posterior import posterior

DRAWS = 4000  # refits where only a way of resampling was asked for


def run(args: argparse.Namespace) -> Report:
    """Do what a command says.

    Raises:
        InputError: It cannot be done with this input.
        DataError: A registered table is not to be had.
    """
    report = COMMANDS[args.command](args)
    report.data = {"command": args.command, **report.data}
    return report


def _fit(args: argparse.Namespace) -> Report:
    # Everything that can be refused is refused before the work begins.
    objective, cost = choices.objective(args), choices.cost(args.cost)
    if args.out is not None:
        check_place(args.out)
    say.check_figure(args.plot)
    law = choices.law_of(args.law)
    source = read(args, [law], pairs(args.columns, "N=n_params"))
    law = choices.variant(law, args, source.runs)
    resampler = choices.resampler(args, source.runs)
    draws = args.bootstrap or (DRAWS if args.resample or args.by_group else 0)
    priors = choices.priors(law, args, draws)
    input_error = choices.input_error(law, args, source)
    points = [choices.points(law, pairs([text], "N=70B,D=1.4T")) for text in args.predict]
    budgets = numbers(args.frontier.removeprefix("C=")) if args.frontier else []
    key = None if args.seed is None else jax.random.key(args.seed)

    with progress("fitting"):
        found = fit(
            law,
            source.runs,
            objective=objective,
            space=args.space,
            starts=args.starts,
            key=key,
            precision=args.precision,
        )
    result: Fit | Draws = found
    if draws:
        with progress("refits") as tell:
            result = bootstrap(found, resampler, draws=draws, key=key, progress=tell)
    if args.posterior:
        with progress("sampling"):
            result = posterior(
                found, draws=args.posterior, priors=priors, input_error=input_error, key=key
            )
    known = say.draws_of(result)
    report = Report()
    say.table(report, source, law.name)
    if args.posterior:
        say.priors(report, law, priors, input_error)
        report.say("")
    say.fit(report, result, args.prob)
    groups = len(source.runs.groups)
    if draws and not args.by_group and 1 < groups < len(source.runs):
        report.say(
            f"note: the rows belong to {groups} groups ({source.columns['group']}) and were drawn "
            "one by one; --by-group draws whole groups, whose intervals are wider."
        )
    report.data["predictions"] = [say.prediction(report, known, at, args.prob) for at in points]
    best = None
    if budgets:
        with progress("optimising"):
            best = frontier(known, budgets, cost=cost)
        report.data["frontier"] = say.frontier(report, known, best, args.cost, args.prob)
    report.say("")
    if args.out is not None:
        new = not args.out.parent.exists()
        save(result, args.out)
        say.written(report, "result", args.out, new)
    if args.plot is not None:
        from jaxlaws import plot

        _draw(report, args.plot, lambda: plot.overview(result, best, prob=args.prob))
    return report


def _predict(args: argparse.Namespace) -> Report:
    words = pairs(args.points, "N=70B")
    result, report = _load(args)
    known = say.draws_of(result)
    at = choices.points(known.law, words)
    found = None
    if args.backtest:
        if known.fit is None:
            raise InputError(
                f"{args.file} holds draws without a fit, so there are no runs to test."
            )
        with progress("backtesting"):
            found = backtest(
                known.law, known.fit.runs, objective=known.fit.objective, space=known.space
            )
    report.data["prediction"] = say.prediction(report, known, at, args.prob, found)
    return report


def _frontier(args: argparse.Namespace) -> Report:
    words = pairs(args.points, "C=1e19:1e26")
    cost = choices.cost(args.cost)
    say.check_figure(args.plot)
    result, report = _load(args)
    known = say.draws_of(result)
    target = known.law.target.name
    along = [name for name in ("C", target) if name in words]
    if len(along) != 1:
        raise InputError(
            f"Give either budgets, C=1e19:1e26, or values of {target} to reach, {target}=2.0,2.2."
        )
    at = numbers(words.pop(along[0]))
    given = {name: read_number(text) for name, text in words.items()}
    with progress("optimising"):
        find: Callable[..., Frontier] = frontier if along == ["C"] else cheapest
        best = find(known, at, cost=cost, **given)
    report.data["frontier"] = say.frontier(report, known, best, args.cost, args.prob)
    if args.plot is not None:
        from jaxlaws import plot

        runs = known.fit.runs if known.fit else None
        report.say("")
        _draw(report, args.plot, lambda: plot.frontier(best, runs, prob=args.prob))
    return report


def _compare(args: argparse.Namespace) -> Report:
    from jaxlaws._compare import compare

    objective = choices.objective(args)
    source, laws = _table_and_laws(args)
    with progress("fitting"):
        frame = compare(
            laws,
            source.runs,
            test=None if args.test is None else source.mask(args.test),
            objective=objective,
            space=args.space,
            starts=args.starts,
            key=None if args.seed is None else jax.random.key(args.seed),
        )
    report = Report(trusted=bool((frame["status"] == "converged").all()))
    say.table(report, source, f"{len(laws)} laws")
    report.say(f"  held out {frame.attrs['held_out']}", "")
    shown = frame.drop(columns="note").reset_index()
    cells = [
        [value if isinstance(value, str) else number(value) for value in row]
        for row in shown.itertuples(index=False)
    ]
    report.say(Table([str(name) for name in shown.columns], cells))
    report.say(*(f"note: {law}: {note}" for law, note in frame["note"].items() if note))
    report.data |= {"held_out": frame.attrs["held_out"], "laws": records(frame.reset_index())}
    return report


def _diagnose(args: argparse.Namespace) -> Report:
    from jaxlaws._check import check
    from jaxlaws._diagnose import diagnose

    say.check_figure(args.plot)
    result, report = _load(args)
    known = say.draws_of(result).fit
    if known is None:
        raise InputError(f"{args.file} holds draws without a fit, so there is nothing to diagnose.")
    with progress("profiling"):
        found = diagnose(known, prob=args.prob)
    report.trusted = known.converged
    report.say("", repr(found))
    report.data |= {
        "headline": found.headline,
        "unidentified": list(found.unidentified),
        "prob": args.prob,
        "parameters": records(found.frame().reset_index()),
        "notes": found.notes(),
    }
    draws = result if isinstance(result, Draws) and result.sampling is not None else None
    if draws is not None:
        say.checks(report, check(draws))
    if args.plot is not None:
        from jaxlaws import plot

        report.say("")
        _draw(report, args.plot, lambda: plot.checks(draws) if draws else plot.residuals(result))
    return report


def _sensitivity(args: argparse.Namespace) -> Report:
    from jaxlaws._sensitivity import sensitivity

    say.check_figure(args.plot)
    source, laws = _table_and_laws(args)
    with progress("fitting"):
        found = sensitivity(laws, source.runs, **({"C": args.budget} if args.budget else {}))
    frame = found.frame()
    report = Report(trusted=bool((frame["status"] == "converged").all()))
    say.table(report, source, ", ".join(law.name for law in laws))
    report.say("", repr(found))
    at = {name: float(value) for name, value in found.at.items() if np.ndim(value) == 0}
    report.data |= {"C": found.C, "at": at, "rows": records(frame)}
    if args.plot is not None:
        from jaxlaws import plot

        report.say("")
        _draw(report, args.plot, lambda: plot.specification_curve(found, runs=source.runs))
    return report


def _load(args: argparse.Namespace) -> tuple[Fit | Draws, Report]:
    """What a result file holds, and a report that begins by saying so."""
    result = load(args.file, choices.law_of(args.law) if args.law else None)
    report = Report()
    say.file(report, args.file, result)
    return result, report


def _table_and_laws(args: argparse.Namespace) -> tuple[Source, list[Law]]:
    laws = [choices.law_of(word) for word in args.words if "=" not in word]
    if not laws:
        raise InputError(f"Name a law after {args.table}, e.g. chinchilla.")
    columns = pairs([word for word in args.words if "=" in word], "N=n_params")
    return read(args, laws, columns), laws


def _draw(report: Report, path: Path, make: Callable[[], Any]) -> None:
    """Write a figure, and say so."""
    from jaxlaws import plot

    new = not path.parent.exists()
    with progress("drawing"):
        figure = make()
        path.parent.mkdir(parents=True, exist_ok=True)
        plot.save(figure, path)
    say.written(report, "figure", path, new)


COMMANDS: dict[str, Callable[[argparse.Namespace], Report]] = {
    "list": _browse.list_,
    "show": _browse.show,
    "data": _browse.data,
    "fit": _fit,
    "predict": _predict,
    "frontier": _frontier,
    "compare": _compare,
    "diagnose": _diagnose,
    "sensitivity": _sensitivity,
    "study": study,
}
