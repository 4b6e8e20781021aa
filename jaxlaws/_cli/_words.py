"""How people write values on the command line: 70B, 1e19:1e26, N=n_params, laws.py:my_law."""

import argparse
import difflib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from jaxlaws._errors import InputError

LETTERS = {"K": 1e3, "M": 1e6, "B": 1e9, "G": 1e9, "T": 1e12}
PICTURES = (".png", ".pdf", ".svg")


def nearest(word: str, known: Iterable[str], cutoff: float = 0.5) -> str:
    """The end of a sentence that suggests the nearest name.

    >>> nearest("--bootsrap", ["--bootstrap", "--out"])
    '; did you mean --bootstrap?'
    """
    near = difflib.get_close_matches(word, list(known), 1, cutoff)
    return f"; did you mean {near[0]}?" if near else "."


def number(text: str) -> float:
    """A number as people write it.

    Raises:
        InputError: It is none.

    >>> number("70B"), number("1.4e12")
    (70000000000.0, 1400000000000.0)
    """
    letter = LETTERS.get(text[-1:].upper(), 0.0)
    try:
        return float(text[:-1]) * letter if letter else float(text)
    except ValueError:
        raise InputError(
            f"{text!r} is not a number; write it as 70e9 or 70B (K, M, B, T)."
        ) from None


def numbers(text: str) -> list[float]:
    """Numbers: one, several with commas, or a range that is even in the logarithm.

    Raises:
        InputError: They are none, or the range has no two ends above zero.

    >>> numbers("1e19:1e21"), numbers("1,2")
    ([1e+19, 1e+20, 1e+21], [1.0, 2.0])
    """
    if ":" not in text:
        return [number(part) for part in text.split(",")]
    low, high, *count = text.split(":")
    ends = number(low), number(high)
    if len(count) > 1 or not 0 < ends[0] < ends[1] < float("inf"):
        raise InputError(f"{text!r} is not a range; write it LOW:HIGH or LOW:HIGH:POINTS.")
    import numpy as np

    decades = float(np.log10(ends[1] / ends[0]))
    points = int(number(count[0])) if count else max(2, round(decades) + 1)
    if not 2 <= points <= 10_000:
        raise InputError(f"{text!r}: a range has 2 to 10000 points, got {points}.")
    return [float(f"{v:.15g}") for v in np.geomspace(*ends, points)]


def pairs(words: Sequence[str], what: str) -> dict[str, str]:
    """NAME=VALUE words by name.

    Args:
        words: The words; commas join several, and go on with a value where no name follows.
        what: How a right one looks, for the message.

    Raises:
        InputError: A word is none, or a name comes twice.

    >>> pairs(["N=70e9,140e9,D=1.4e12"], "N=70e9")
    {'N': '70e9,140e9', 'D': '1.4e12'}
    """
    out: dict[str, str] = {}
    for word in words:
        name = ""
        for part in word.split(","):
            key, equals, value = part.partition("=")
            if equals and key.isidentifier() and value:
                name = key
                if name in out:
                    raise InputError(f"{name} is given twice; give its values as {name}=1,2.")
                out[name] = value
            elif name and part and not equals:
                out[name] += "," + part
            else:
                raise InputError(f"{word!r} is not of the form NAME=VALUE; write it like {what}.")
    return out


def picture(text: str) -> Path:
    """A figure's file."""
    if Path(text).suffix.lower() not in PICTURES:
        raise argparse.ArgumentTypeError(f"must end in {', '.join(PICTURES)}, got {text!r}")
    return Path(text)


def _bounded(kind: Callable[[str], Any], good: Callable[[Any], bool], what: str) -> Any:
    """A type for argparse: a number that has to lie somewhere."""

    def convert(text: str) -> Any:
        try:
            value = kind(text)
            fits = good(value)
        except (ValueError, OverflowError):
            fits = False
        if not fits:
            raise argparse.ArgumentTypeError(f"must be {what}, got {text!r}")
        return value

    return convert


def _whole(text: str) -> int:
    value = number(text)
    if value != int(value):
        raise ValueError(text)
    return int(value)


count = _bounded(_whole, lambda v: v >= 2, "a whole number from 2 on")
natural = _bounded(_whole, lambda v: 0 <= v < 2**31, "a whole number from 0 on")
positive = _bounded(number, lambda v: 0 < v < float("inf"), "above zero")
probability = _bounded(number, lambda v: 0 < v < 1, "between 0 and 1, e.g. 0.9")
