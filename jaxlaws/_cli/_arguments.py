"""What the command line takes. Standard library alone, so that --help need not wait for JAX."""

import argparse
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from jaxlaws._cli._words import count, natural, nearest, picture, positive, probability
from jaxlaws._errors import InputError

ABOUT = r"""
Fit a neural scaling law to training runs, say how sure it is, and decide what to train.

The main job in one command, on a table of tiny language models that comes with jaxlaws:
parameters with intervals, the loss of a larger run, the best use of compute, a figure, and a file
to go on with.

  jaxlaws fit chinchilla tinylm --bootstrap 4000 \
      --predict N=200K,D=20M --frontier 1e10:1e14 \
      --out out/chinchilla.fit --plot out/chinchilla.png
"""
CODES = """
Numbers are written 70e9 or 70B (K, M, B, T), several as 1e9,2e9, and a range as 1e19:1e26 (one
a decade) or 1e19:1e26:29. `jaxlaws COMMAND --help` shows the options and an example.

exit codes: 0 done; 1 done, but the result is not to be trusted, and says why; 2 the input cannot
be used, said in one sentence; 130 interrupted. No half-written file is ever left behind.
"""
RESAMPLERS = ("pairs", "bayesian", "residual", "wild", "parametric", "jackknife")
OBJECTIVES = ("huber", "squared", "logcosh", "quantile", "studentt")
COSTS = (
    "dense (6ND), inference=TOKENS, attention=LAYERS,WIDTH,CONTEXT, embeddings=VOCABULARY,WIDTH, "
    "sparse=SHARE, precision=BITS"
)


class Parser(argparse.ArgumentParser):
    """An argument parser that raises one sentence, with the nearest name, instead of exiting."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter, **kwargs
        )

    def error(self, message: str) -> NoReturn:
        """Raise what argparse would print before it exits.

        Raises:
            InputError: Always.
        """
        flags = self._option_string_actions
        if unknown := re.match(r"unrecognized arguments: (\S+)", message):
            word = unknown[1].partition("=")[0]
            message = f"{self.prog} has no option {word}{nearest(word, flags)}"
        elif wrong := re.match(r"argument (\S+): invalid choice: '(.*)' \(choose", message):
            known = [str(choice) for choice in flags[wrong[1]].choices or ()]
            hint = nearest(wrong[2], known)
            message = f"{wrong[1]} is one of {', '.join(known)}, got {wrong[2]!r}{hint}"
        elif wrong := re.match(r"argument (\S+): (.*)", message):
            message = f"{wrong[1]} {wrong[2]}; see `{self.prog} --help`."
        else:
            needs = message.replace("the following arguments are required:", "needs")
            message = f"{self.prog} {needs}; see `{self.prog} --help`."
        raise InputError(message)


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The command and its arguments.

    Raises:
        InputError: They cannot be understood.
        SystemExit: Help or the version was asked for, and has been printed.
    """
    top = Parser(prog="jaxlaws", description=ABOUT, epilog=CODES)
    top.add_argument("--version", action="store_true", help="print the version")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", parser_class=Parser)
    known: dict[str, Any] = {}
    for build in COMMANDS:
        name = build.__name__[1:]
        summary, _, example = (build.__doc__ or "").partition("\n\n")
        shown = "\n".join(line.removeprefix("    ") for line in example.rstrip().split("\n"))
        known[name] = commands.add_parser(
            name, help=summary[:1].lower() + summary[1:-1], description=f"{summary}\n\n{shown}"
        )
        known[name].add_argument("--json", action="store_true", help="print one JSON object")
        build(known[name])
    if not argv or argv[0].startswith("-"):
        if top.parse_args(argv).version:
            from importlib.metadata import version

            print(f"jaxlaws {version('jaxlaws')}")
        else:
            top.print_help()
        raise SystemExit(0)
    if argv[0] not in known:
        raise InputError(f"jaxlaws has no command {argv[0]!r}{nearest(argv[0], known)}")
    # Not through the top parser: only so may options stand between INPUT=COLUMN words.
    args: argparse.Namespace = known[argv[0]].parse_intermixed_args(list(argv[1:]))
    args.command = argv[0]
    return args


def _list(parser: Parser) -> None:
    """List the laws of the catalogue.

    jaxlaws list --inputs N D
    """
    parser.add_argument("--inputs", nargs="+", metavar="INPUT", help="laws that take no others")
    parser.add_argument("--subject", help="laws of one subject, e.g. pretraining")


def _show(parser: Parser) -> None:
    """Show a law: formula, inputs, parameters, published constants.

    jaxlaws show chinchilla
    """
    _law(parser)


def _data(parser: Parser) -> None:
    """List the public data sets, or show one.

    jaxlaws data tinylm
    """
    parser.add_argument("name", nargs="?", metavar="NAME", help="a data set")


def _fit(parser: Parser) -> None:
    r"""Fit a law to a table of runs.

    The main job in one command:

      jaxlaws fit chinchilla tinylm --bootstrap 4000 \
          --predict N=200K,D=20M --frontier 1e10:1e14 \
          --out out/chinchilla.fit --plot out/chinchilla.png

    A table of your own, whose columns have other names than the law's inputs:

      jaxlaws fit chinchilla runs.csv N=n_params D=n_tokens --target val_loss --bootstrap 4000
    """
    _law(parser)
    _table(parser)
    parser.add_argument(
        "columns",
        nargs="*",
        default=[],
        metavar="INPUT=COLUMN",
        help="where a column has another name",
    )
    group = parser.add_argument_group("the law")
    group.add_argument("--fix", action="append", default=[], metavar="E=1.69", help="hold it there")
    group.add_argument(
        "--tie", action="append", default=[], metavar="beta=alpha", help="make equal"
    )
    group.add_argument(
        "--per-group", action="append", default=[], metavar="E", help="one value for each group"
    )
    _how(parser)
    group = parser.add_argument_group("uncertainty")
    group.add_argument("--bootstrap", type=count, metavar="DRAWS", help="refits, e.g. 4000")
    group.add_argument("--resample", choices=RESAMPLERS, help="default pairs")
    group.add_argument(
        "--posterior",
        type=count,
        nargs="?",
        const=1000,
        metavar="DRAWS",
        help="NUTS, 4 chains of so many draws, default 1000",
    )
    group.add_argument(
        "--prior",
        action="append",
        default=[],
        metavar="E=Normal(1.7,0.1)",
        help="a NumPyro distribution in place of the typical range",
    )
    group.add_argument(
        "--input-error",
        action="append",
        default=[],
        metavar="D=0.02",
        help="standard error of an input in a posterior, a number or a column",
    )
    group.add_argument("--by-group", action="store_true", help="resample whole groups of runs")
    _prob(group)
    group = parser.add_argument_group("answers and files")
    group.add_argument(
        "--predict", action="append", default=[], metavar="N=..,D=..", help="runs to predict"
    )
    group.add_argument("--frontier", metavar="C", help="best use of budgets, e.g. 1e19:1e26")
    _cost(group)
    group.add_argument("--out", type=Path, metavar="FILE", help="the result, for other commands")
    _plot(group)


def _predict(parser: Parser) -> None:
    """Predict runs from a result file.

    jaxlaws predict out/chinchilla.fit N=70B D=1.4T --prob 0.9
    jaxlaws predict out/chinchilla.fit N=70B D=1.4T --backtest
    """
    _file(parser)
    parser.add_argument("points", nargs="+", metavar="INPUT=VALUE", help="N=70B, or N=7B,70B")
    parser.add_argument(
        "--backtest",
        action="store_true",
        help="refit without the largest runs, and add how far that missed them to the interval",
    )
    _prob(parser)


def _frontier(parser: Parser) -> None:
    """Find the best use of compute, or the cheapest way to a loss, from a result file.

    jaxlaws frontier out/chinchilla.fit C=1e19:1e26 --plot out/frontier.png
    jaxlaws frontier out/chinchilla.fit L=2.0,2.2 --cost inference=1e12
    """
    _file(parser)
    parser.add_argument(
        "points", nargs="+", metavar="C=FLOP", help="budgets C or losses L, and further inputs"
    )
    _cost(parser)
    _prob(parser)
    _plot(parser)


def _compare(parser: Parser) -> None:
    """Compare laws by how well they extrapolate.

    jaxlaws compare tinylm chinchilla kaplan_nd --test "budget > 1e12"
    """
    _table(parser)
    _words(parser)
    parser.add_argument("--test", metavar="QUERY", help='runs to predict, e.g. "N > 1e10"')
    _how(parser)


def _diagnose(parser: Parser) -> None:
    """Say which parameters the runs identify, from a result file, and whether a posterior fits.

    jaxlaws diagnose out/chinchilla.fit
    jaxlaws diagnose out/posterior.fit --plot out/checks.png
    """
    _file(parser)
    _prob(parser)
    _plot(parser)


def _sensitivity(parser: Parser) -> None:
    """Show how the answer depends on objective, width and outliers.

    jaxlaws sensitivity tinylm chinchilla --budget 1e13
    """
    _table(parser)
    _words(parser)
    parser.add_argument(
        "--budget", type=positive, metavar="FLOP", help="compute to allocate, default Chinchilla's"
    )
    _plot(parser)


def _study(parser: Parser) -> None:
    """Ask one question of many tables, durably; docs/studies.md lists the keys of the TOML file.

    jaxlaws study which.toml --dry-run
    jaxlaws study which.toml --out which
    jaxlaws study status which

    The same command goes on where a killed study was. On Slurm: srun jaxlaws study which.toml
    --processes auto.
    """
    parser.add_argument("words", nargs="+", metavar="FILE.toml", help="or: status DIR")
    parser.add_argument("--out", type=Path, metavar="DIR", help="default: the file's name")
    parser.add_argument("--dry-run", action="store_true", help="print the cells and their cost")
    parser.add_argument("--force", action="store_true", help="throw away another study's results")
    parser.add_argument("--ray", action="store_true", help="give the work to a Ray cluster")
    parser.add_argument(
        "--processes", metavar="auto", help="share with others: auto, or HOST:PORT,COUNT,RANK"
    )


COMMANDS = (
    _list,
    _show,
    _data,
    _fit,
    _predict,
    _frontier,
    _compare,
    _diagnose,
    _sensitivity,
    _study,
)


def _law(parser: Parser) -> None:
    parser.add_argument(
        "law", metavar="LAW", help="one of `jaxlaws list`, or yours as FILE.py:NAME"
    )


def _words(parser: Parser) -> None:
    parser.add_argument("words", nargs="+", metavar="LAW", help="laws; columns as INPUT=COLUMN")


def _table(parser: Parser) -> None:
    parser.add_argument("table", metavar="TABLE", help="a CSV file, or a set of `jaxlaws data`")
    group = parser.add_argument_group("the table")
    group.add_argument("--target", metavar="COLUMN", help="what the law predicts")
    group.add_argument("--group", metavar="COLUMN", help="names runs that belong together")
    group.add_argument("--weight", metavar="COLUMN", help="weight of each run")
    group.add_argument("--where", metavar="QUERY", help='rows, e.g. "params > 1e8"; "" for all')


def _how(parser: Parser) -> None:
    group = parser.add_argument_group("the fit")
    group.add_argument("--objective", choices=OBJECTIVES, default="huber", help="default huber")
    group.add_argument("--delta", type=positive, help="width of huber and logcosh, default 1e-3")
    group.add_argument("--tau", type=probability, help="of quantile, default 0.5")
    group.add_argument("--scale", type=positive, help="of studentt, default 0.01")
    group.add_argument("--nu", type=positive, help="of studentt, default 4")
    group.add_argument("--space", choices=("log", "natural", "logit"), help="of the residuals")
    group.add_argument("--starts", type=count, default=128, help="default 128")
    group.add_argument("--seed", type=natural, help="of starts and resamples")
    group.add_argument("--precision", choices=("float64", "float32"), default="float64")


def _file(parser: Parser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="what `jaxlaws fit --out` wrote")
    parser.add_argument("--law", metavar="FILE.py:NAME", help="the law, if it is your own")


def _prob(parser: Any) -> None:
    parser.add_argument(
        "--prob", type=probability, default=0.9, help="of the intervals, default 0.9"
    )


def _cost(parser: Any) -> None:
    parser.add_argument("--cost", default="dense", metavar="MODEL", help=COSTS)


def _plot(parser: Any) -> None:
    parser.add_argument("--plot", type=picture, metavar="FILE.png", help="a figure (png, pdf, svg)")
