"""Round numbers for log axes, and how they are written."""

import math
import re
from collections.abc import Sequence

import numpy as np

LINEAR = 0.75  # decades below which a log axis carries evenly spaced numbers
COUNTS = ("parameters", "tokens", "unique tokens", "examples", "steps", "count")
LETTERS = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "K"))
GREEK = ("alpha", "beta", "gamma", "delta", "eta", "eps", "rho", "kappa", "lambda", "sigma", "tau")


def major(low: float, high: float, most: int = 6, powers_only: bool = False) -> np.ndarray:
    """At most so many round numbers in [low, high], both above zero.

    Args:
        low: Left end.
        high: Right end.
        most: How many at most.
        powers_only: Whether powers of ten are enough where three of them lie inside.

    >>> major(1.9, 4.2).tolist()
    [2.0, 2.5, 3.0, 3.5, 4.0]
    >>> major(5e7, 2e10, most=4).tolist()
    [100000000.0, 1000000000.0, 10000000000.0]
    """
    slack = 1e-9
    if math.log10(high / low) < LINEAR:
        size = 10.0 ** math.floor(math.log10((high - low) / most or 1.0))
        for step in (size * k for k in (1, 2, 2.5, 5, 10, 20, 25, 50)):
            first = math.ceil(low / step - slack)
            last = math.floor(high / step + slack)
            if last - first < most:
                return np.array([float(f"{i * step:.12g}") for i in range(first, last + 1)])
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    choices: list[tuple[tuple[int, ...], int]] = [
        ((1, 2, 5), 1),
        ((1, 3), 1),
        ((1,), 1),
        ((1,), 2),
        ((1,), 3),
    ]
    if powers_only and high / low > 100:
        choices = choices[2:]
    for mantissas, every in choices:
        found = [float(f"{m}e{p}") for p in powers if p % every == 0 for m in mantissas]
        inside = [v for v in found if low * (1 - slack) <= v <= high * (1 + slack)]
        if len(inside) <= most and (len(inside) > 1 or mantissas == (1,)):
            return np.array(inside)
    every = math.ceil((powers[-1] - powers[0]) / most)
    inside = [10.0**p for p in powers if p % every == 0]
    return np.array([v for v in inside if low <= v <= high])


def minor(low: float, high: float) -> np.ndarray:
    """The multiples 2 to 9 of the powers of ten, where they can be told apart."""
    span = math.log10(high / low)
    if not LINEAR <= span <= 9:
        return np.array([])
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    every = np.array([m * 10.0**p for p in powers for m in range(1, 10)])
    return every[(every >= low) & (every <= high)]


def write(value: float, unit: str = "") -> str:
    r"""A number as a label: 1.4B where things are counted, powers of ten where numbers are large.

    >>> write(1.4e9, "tokens"), write(6e18, "FLOP"), write(2.5)
    ('1.4B', '$6\\times10^{18}$', '2.5')
    """
    if unit in COUNTS and 1e3 <= value < 1e15:
        rounded = float(f"{value:.2g}")  # before the letter is chosen: 999.6M is 1B
        size, letter = next(pair for pair in LETTERS if rounded >= pair[0])
        shown = value / size
        return f"{shown:.0f}{letter}" if shown >= 99.5 else f"{shown:.2g}{letter}"
    if value != 0 and not 1e-3 <= abs(value) < 1e5:
        return _power(value)
    return f"{value:.6g}"


def _power(value: float) -> str:
    mantissa, power = f"{value:.2e}".split("e")
    ten = f"10^{{{int(power)}}}"
    return f"${ten}$" if float(mantissa) == 1 else f"${float(mantissa):g}\\times{ten}$"


def together(values: Sequence[float], unit: str = "") -> list[str]:
    """The labels of one axis: evenly spaced ones with the same decimals, powers beside powers.

    >>> together([2.5, 3.0]), together([1e3, 1e6])
    (['2.5', '3.0'], ['$10^{3}$', '$10^{6}$'])
    """
    texts = [write(float(v), unit) for v in values]
    if any("^" in text for text in texts):
        return [_power(v) if v >= 1e3 else t for v, t in zip(values, texts, strict=True)]
    even = len(texts) > 1 and np.ptp(np.diff(values)) <= 1e-6 * np.ptp(values)
    if not even or any(re.search(r"[^\d.-]", text) for text in texts):
        return texts
    decimals = max((len(text.partition(".")[2]) for text in texts), default=0)
    return [f"{float(v):.{decimals}f}" for v in values]


def number(value: float) -> str:
    """A number with three digits, as it stands in a text.

    >>> number(1234.5), number(0.34731), number(1.8)
    ('1230', '0.347', '1.80')
    """
    if 1e-3 <= abs(value) < 999.5:
        return f"{value:#.3g}".rstrip(".")
    return write(float(f"{value:.3g}"))


def fold(parts: Sequence[str], width: int, join: str = "; ") -> str:
    r"""Parts of a text, without the empty ones, in lines of about so many visible characters.

    >>> fold(["one", "", "two", "$N$"], 8)
    'one; two\n$N$'
    """
    lines: list[str] = []
    for part in filter(None, parts):
        longer = f"{lines[-1]}{join}{part}" if lines else part
        if lines and len(re.sub(r"\\[a-z]+|[${}^_]", "", longer)) > width:
            lines.append(part)
        else:
            lines[-1:] = [longer]
    return "\n".join(lines)


def symbol(name: str) -> str:
    r"""A law's name of a quantity as mathematics, or as words where it is a word.

    >>> symbol("N"), symbol("alpha"), symbol("U_D"), symbol("N_opt"), symbol("R_D_star")
    ('$N$', '$\\alpha$', '$U_{D}$', '$N_\\mathrm{opt}$', '$R_{D}^*$')
    """
    found = re.fullmatch(r"([A-Za-z]+?)(_\w+?)?(_star)?(\[\d+\])?(\d*)", name)
    if not found:
        return name.replace("_", " ")
    head, sub, star, index, digits = found.groups(default="")
    below = sub[1:] or digits
    if head in GREEK:
        head = f"\\{'varepsilon' if head == 'eps' else head}"
    elif len(head) == 2 and not head.islower() and not below:  # aN, Nc: whose it is, below
        head, below = head[0], head[1]
    elif len(head) > 1:
        return name.replace("_", " ")
    if index:
        below = f"{below}{int(index[1:-1]) + 1}"
    low = f"_\\mathrm{{{below}}}" if len(below) > 2 else f"_{{{below}}}" if below else ""
    return f"${head}{low}{'^*' if star else ''}$"


def label(name: str, unit: str = "") -> str:
    """An axis label: symbol and unit.

    >>> label("D", "tokens"), label("accuracy", "accuracy")
    ('$D$ (tokens)', 'accuracy')
    """
    return symbol(name) if not unit or unit == name else f"{symbol(name)} ({unit})"
