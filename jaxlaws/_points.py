"""Points: inputs at which a law is asked, and every check of them."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxlaws._errors import InputError
from jaxlaws._law import Law, Variable


def check_points(law: Law, inputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The inputs as arrays of equal length, after every check against the law.

    Raises:
        InputError: An input is missing, unknown, not a finite number, or outside its support; or
            lengths differ.
    """
    for name in inputs:
        if name not in law.inputs:
            raise InputError(f"{law.name} has no input {name!r}; it takes {', '.join(law.inputs)}.")
    missing = [name for name in law.inputs if name not in inputs]
    if missing:
        raise InputError(
            f"{law.name} needs {', '.join(missing)} as well; it takes {', '.join(law.inputs)}."
        )
    arrays = {name: check_input(v, inputs[name]) for name, v in law.inputs.items()}
    lead = {k: v.shape[: v.ndim - len(law.inputs[k].size)] for k, v in arrays.items()}
    try:
        shape = np.broadcast_shapes(*lead.values())
    except ValueError:
        shown = ", ".join(f"{k} {own[0]}" for k, own in lead.items() if own not in ((), (1,)))
        raise InputError(f"Inputs need as many values each, or one; got {shown}.") from None
    if len(shape) > 1:
        raise InputError(f"Points are given along one axis; got shape {shape}.")
    m = shape[0] if shape else 1
    if m == 0:
        empty = next(k for k, own in lead.items() if own == (0,))
        raise InputError(f"There is no point to predict: {empty} is an empty list.")
    return {k: np.broadcast_to(v, (m, *v.shape[len(lead[k]) :])).copy() for k, v in arrays.items()}


def check_input(variable: Variable, given: Any) -> np.ndarray:
    """An input as an array, after every check against what it is.

    Raises:
        InputError: It is not a finite number, outside its support, or a vector of another length.
    """
    name = variable.name
    try:
        value = np.asarray(given, float)
    except (TypeError, ValueError):
        raise InputError(f"{name} must be a number, got {given!r}.") from None
    support, sizes = variable.support, variable.size
    if not np.isfinite(value).all() or support.refuses(value).any():
        raise InputError(f"{name} ({variable.unit}) must be finite and {support}, got {value}.")
    ends = value.shape[value.ndim - len(sizes) :]
    if value.ndim < len(sizes) or any(
        size not in (None, end) for size, end in zip(sizes, ends, strict=True)
    ):
        shown = " x ".join("several" if size is None else str(size) for size in sizes)
        raise InputError(
            f"{name} ({variable.unit}) takes {shown} values at every point, got shape "
            f"{value.shape}."
        )
    if not np.all(support.adds_up(value)):
        raise InputError(f"{name} ({variable.unit}) must sum to one, got {value}.")
    return value
