"""Runs: a table of training runs as arrays. Every check of the data lives here."""

import difflib
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pandas as pd

from jaxlaws._columns import called, numbers, require
from jaxlaws._errors import InputError, InputWarning
from jaxlaws._law import Law

PACKAGE = str(Path(__file__).parent)
COLLINEAR = 0.9999  # |correlation| of log inputs above which two exponents cannot be told apart


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Runs:
    """Training runs as arrays.

    Attributes:
        inputs: Name -> (n,) or (n, k), by the law's names.
        target: (n,) measured quantity.
        weight: (n,) weight of each run in the objective; zero takes it out.
        group: (n,) number of the run's group (sweep, family, seed), 0, 1, ...
        groups: The groups' labels, in the order of their numbers.
        rows: Where each run stands in the table it came from.
        name: What the table is called in reports.
        columns: (input, "target", "weight" or "group"; its columns in the table) pairs.
    """

    inputs: Mapping[str, np.ndarray]
    target: np.ndarray
    weight: np.ndarray
    group: np.ndarray
    groups: tuple[str, ...] = field(default=(), metadata=dict(static=True))
    rows: tuple[Any, ...] = field(default=(), metadata=dict(static=True))
    name: str = field(default="runs", metadata=dict(static=True))
    columns: tuple[tuple[str, tuple[str, ...]], ...] = field(default=(), metadata=dict(static=True))

    def __len__(self) -> int:
        return len(self.target)

    def __repr__(self) -> str:
        shown = ", ".join(f"{k} {np.min(v):.4g} to {np.max(v):.4g}" for k, v in self.inputs.items())
        return f"Runs({self.name}: {len(self)} runs; {shown}; target {self._target_range()})"

    def _target_range(self) -> str:
        return f"{np.min(self.target):.4g} to {np.max(self.target):.4g}"

    @classmethod
    def from_arrays(
        cls,
        target: Any,
        *,
        weight: Any = None,
        group: Any = None,
        name: str = "runs",
        rows: Sequence[Any] | None = None,
        **inputs: Any,
    ) -> "Runs":
        """Runs from arrays; inputs by the law's names.

        Args:
            target: (n,) measured quantity.
            weight: (n,) or None for ones.
            group: (n,) labels or None for one group.
            name: What the table is called in reports.
            rows: (n,) row labels for messages.
            **inputs: (n,) or (n, k) each.

        Raises:
            InputError: Lengths differ, or a value is not a finite number.

        >>> Runs.from_arrays([3.0, 2.9], N=[1e8, 2e8], D=[2e9, 4e9])
        Runs(runs: 2 runs; N 1e+08 to 2e+08, D 2e+09 to 4e+09; target 2.9 to 3)
        """
        return cls._made(target, weight, group, name, rows, {}, inputs)

    @classmethod
    def _made(
        cls,
        target: Any,
        weight: Any,
        group: Any,
        name: str,
        rows: Sequence[Any] | None,
        columns: Mapping[str, tuple[str, ...]],
        inputs: Mapping[str, Any],
    ) -> "Runs":
        """Runs from arrays, and the columns that they come from."""
        given = {**inputs, "target": target}
        if weight is not None:
            given["weight"] = weight
        n = len(np.atleast_1d(np.asarray(target, object)))
        if n == 0:
            raise InputError(f"{name} has no rows; expected at least one run.")
        labels = tuple(range(n)) if rows is None else tuple(rows)
        arrays = {
            key: numbers(value, key, labels, name, columns.get(key, ()))
            for key, value in given.items()
        }
        for key, value in arrays.items():
            if len(value) != n:
                raise InputError(
                    f"{name}: {key!r} has {len(value)} values where target has {n}; "
                    "every column needs one value per run."
                )
        if arrays["target"].ndim > 1:
            raise InputError(
                f"{name}: the target must be one column; got {arrays['target'].shape[1]}."
            )
        if group is not None and len(np.atleast_1d(np.asarray(group, object))) != n:
            raise InputError(f"{name}: 'group' needs one label per run, {n} in all.")
        weights = arrays.pop("weight", np.ones(n))
        if (weights < 0).any():
            i = int(np.argmax(weights < 0))
            own = called("weight", columns.get("weight", ()))
            raise InputError(
                f"{name}: {own} is {weights[i]:g} in row {labels[i]}; weights must be zero or "
                "more, and zero leaves a run out."
            )
        if weights.sum() == 0:
            raise InputError(f"{name}: weights must be zero or more, with at least one above zero.")
        codes, uniques = pd.factorize(
            pd.Series(["all"] * n if group is None else list(np.asarray(group))), sort=True
        )
        if (codes < 0).any():
            where = labels[int(np.argmax(codes < 0))]
            own = called("group", columns.get("group", ()))
            raise InputError(f"{name}: {own} is missing in row {where}; name it or drop it.")
        return cls(
            inputs={k: v for k, v in arrays.items() if k != "target"},
            target=arrays["target"],
            weight=weights,
            group=codes.astype(np.int32),
            groups=tuple(str(u) for u in uniques),
            rows=labels,
            name=name,
            columns=tuple(columns.items()),
        )

    @classmethod
    def from_frame(
        cls,
        frame: pd.DataFrame,
        *,
        target: str,
        group: str | None = None,
        weight: str | None = None,
        where: str | None = None,
        name: str | None = None,
        **inputs: str | Sequence[str],
    ) -> "Runs":
        """Runs from a pandas table; columns are named, inputs by the law's names.

        Args:
            frame: One row per run.
            target: Column of the measured quantity.
            group: Column of the run's group, or None.
            weight: Column of weights, or None.
            where: A pandas query that keeps rows, e.g. "params > 1e8".
            name: What the table is called in reports.
            **inputs: Law's input -> column, or a list of columns for a vector input.

        Raises:
            InputError: A column is missing (the nearest is suggested), holds text or something that
                is not a finite number (column and row are named), or no row is left.

        >>> table = pd.DataFrame(dict(params=[1e8, 2e8], tokens=[2e9, 4e9], loss=[3.0, 2.9]))
        >>> len(Runs.from_frame(table, N="params", D="tokens", target="loss"))
        2
        """
        label = name or str(frame.attrs.get("name", "table"))
        if not len(frame):
            raise InputError(f"{label} has no rows; expected one row per training run.")
        wanted = [c for v in inputs.values() for c in ([v] if isinstance(v, str) else v)]
        for column in [*wanted, target, *(c for c in (group, weight) if c)]:
            require(frame, column, label)
        if where:
            try:
                frame = frame.query(where)
            except Exception as error:
                raise InputError(
                    f"{label}: the filter {where!r} could not be read ({error}); "
                    f"write it over the columns {', '.join(map(str, frame.columns))}."
                ) from None
            if not len(frame):
                raise InputError(f"{label}: no row is left after the filter {where!r}.")
        roles = {**inputs, "target": target, "weight": weight, "group": group}
        columns = {k: (v,) if isinstance(v, str) else tuple(v) for k, v in roles.items() if v}
        return cls._made(
            frame[target].to_numpy(),
            None if weight is None else frame[weight].to_numpy(),
            None if group is None else frame[group].to_numpy(),
            label,
            tuple(frame.index),
            columns,
            {k: frame[v if isinstance(v, str) else list(v)].to_numpy() for k, v in inputs.items()},
        )

    def called(self, key: str, unit: str = "") -> str:
        """What a user calls an input or the target: its column in the table, and its role."""
        return called(key, dict(self.columns).get(key, ()), unit)

    def where(self, keep: Any) -> "Runs":
        """The runs for which a mask (n,) is true."""
        mask = np.asarray(keep, bool)
        if mask.shape != (len(self),):
            raise InputError(
                f"{self.name}: a mask needs one value per run, shape ({len(self)},); "
                f"got {mask.shape}."
            )
        if not mask.any():
            raise InputError(f"{self.name}: no run is left by the mask.")
        return replace(
            self,
            inputs={k: v[mask] for k, v in self.inputs.items()},
            target=self.target[mask],
            weight=self.weight[mask],
            group=self.group[mask],
            rows=tuple(r for r, m in zip(self.rows, mask, strict=True) if m),
        )

    @staticmethod
    def stack(many: Sequence["Runs"]) -> "Stack":
        """Several tables to be fitted in one call; shorter ones are padded with zero weight.

        Raises:
            InputError: There is none.
        """
        if not many:
            raise InputError("A stack needs at least one table of runs; got none.")
        return Stack(tuple(many))

    def padded(self, n: int) -> "Runs":
        """The same runs followed by copies of the first one with zero weight, n in all."""
        extra = n - len(self)
        if extra < 0:
            raise InputError(f"{self.name} has {len(self)} runs, more than {n}.")
        return replace(
            self,
            inputs={k: _padded(v, extra) for k, v in self.inputs.items()},
            target=_padded(self.target, extra),
            weight=np.concatenate([self.weight, np.zeros(extra)]),
            group=_padded(self.group, extra),
            rows=self.rows + (None,) * extra,
        )

    def checked(self, law: Law, few: bool = False) -> "Runs":
        """These runs with exactly the inputs of a law, after every check against it.

        Args:
            law: The law.
            few: Whether there may be fewer runs than parameters.

        Raises:
            InputError: An input is missing, a value is outside its support, there are fewer runs
                than parameters, an input is constant, or two inputs move together.

        Warns:
            InputWarning: Rows are repeated, or values look like those of another unit.
        """
        inputs = dict(self.inputs)
        if "group" in law.inputs and "group" not in inputs:
            inputs["group"] = self.group.astype(float)
        for name, variable in law.inputs.items():
            if name not in inputs:
                near = difflib.get_close_matches(name, inputs, 1, 0.0)
                raise InputError(
                    f"{law.name} needs the input {name!r} ({variable.unit}); {self.name} has "
                    f"{', '.join(inputs) or 'none'}"
                    + (f": did you mean {name}={near[0]!r}?" if near else ".")
                )
            self._supported(inputs[name], name, variable.support, variable.unit)
        runs = replace(self, inputs={name: inputs[name] for name in law.inputs})
        target_support = law.target.support
        runs._supported(runs.target, "target", target_support, law.target.unit)
        groups = max(
            (q.size[0] for q in law.params.values() if "group" in inputs and q.size), default=0
        )
        if "group" in law.inputs and inputs["group"].max() >= max(groups, 1):
            raise InputError(
                f"{law.name} has {groups} groups and {self.name} has a run of group "
                f"{int(inputs['group'].max())} (from 0); use law.per_group(..., groups=...)."
            )
        runs._hint_units(law)
        runs._enough(law, few)
        runs._spread(law)
        return runs

    def _supported(self, values: np.ndarray, name: str, support: Any, unit: str) -> None:
        with np.errstate(invalid="ignore"):
            open_end = support.lower == 0 and support.name in ("positive", "simplex")
            bad = support.refuses(values)
        if bad.any():
            i = int(np.argmax(bad.reshape(len(values), -1).any(axis=1)))
            what = "above zero" if open_end else f"in {support.name}"
            raise InputError(
                f"{self.name}: {self.called(name, unit)} must be {what}, got "
                f"{np.ravel(values[i])[0]:g} in row {self.rows[i]}; correct the row or drop it."
            )

        whole = support.adds_up(values)
        if not np.all(whole):
            i = int(np.argmin(whole))
            raise InputError(
                f"{self.name}: {self.called(name, unit)} must sum to one in every row, got "
                f"{values[i].sum():g} in row {self.rows[i]}; correct the row or drop it."
            )

    def _hint_units(self, law: Law) -> None:
        ranges = {
            **{k: (v, self.inputs[k]) for k, v in law.inputs.items()},
            "target": (law.target, self.target),
        }
        for name, (variable, values) in ranges.items():
            if variable.typical is None:
                continue
            low, high = variable.typical
            middle = float(np.median(values))
            if low <= middle <= high:
                continue
            hint = ""
            if name == "target" and middle > high:
                hint = "; perplexity? then take its logarithm first"
            elif name != "target" and middle < low:
                hint = "; counted in millions or billions? then give plain counts"
            warnings.warn(
                f"{self.name}: {self.called(name)} has a median of {middle:.4g}, unusual for "
                f"{variable.unit} ({low:g} to {high:g}){hint}.",
                InputWarning,
                skip_file_prefixes=(PACKAGE,),  # points at the user's line
            )

    def _enough(self, law: Law, few: bool) -> None:
        p = sum(int(np.prod(q.size)) for q in law.params.values())
        n = int((self.weight > 0).sum())
        if n < p and not few:
            raise InputError(
                f"{law.name} has {p} parameters and {self.name} only {n} runs; add runs, or hold "
                f"parameters fixed, e.g. law.fix({next(iter(law.params))}=...), or ask for a "
                "posterior, whose prior carries the rest: jl.posterior(jl.fit(..., few=True))."
            )
        table = np.column_stack([v.reshape(len(self), -1) for v in self.inputs.values()])
        table = np.column_stack([table, self.target])[self.weight > 0]
        repeated = pd.DataFrame(table).duplicated().to_numpy()
        if repeated.any():
            at = np.asarray(self.rows, object)[self.weight > 0][int(np.argmax(repeated))]
            warnings.warn(
                f"{self.name}: {int(repeated.sum())} rows repeat an earlier one (the first is row "
                f"{at}); repeats make intervals too narrow. Drop them, or name the run in `group`.",
                InputWarning,
                skip_file_prefixes=(PACKAGE,),  # points at the user's line
            )

    def _spread(self, law: Law) -> None:
        live = self.weight > 0
        logs: dict[str, np.ndarray] = {}
        for name, variable in law.inputs.items():
            values = self.inputs[name][live]
            if name == "group" or values.ndim > 1:
                continue
            if np.ptp(values) <= 1e-9 * np.max(np.abs(values)):
                raise InputError(
                    f"{self.name}: {self.called(name)} is {values[0]:g} in every run, so "
                    f"{law.name} cannot learn how the target depends on it; vary it, or use a law "
                    f"without {name}."
                )
            logs[name] = np.log(values) if variable.support.name == "positive" else values
        names = list(logs)
        for i, first in enumerate(names):
            for second in names[i + 1 :]:
                r = np.corrcoef(logs[first], logs[second])[0, 1]
                if abs(r) > COLLINEAR and len(logs[first]) > 2:
                    raise InputError(
                        f"{self.name}: {self.called(first)} and {self.called(second)} move "
                        f"together (correlation of logs {r:.5f}, as in D = 20 N everywhere), so "
                        f"{law.name} cannot tell their effects apart; add runs with another ratio."
                    )
        if np.ptp(self.target[live]) == 0:
            raise InputError(
                f"{self.name}: {self.called('target')} is {self.target[live][0]:g} in every run, "
                "so there is nothing to learn from it."
            )


@dataclass(frozen=True)
class Stack:
    """Several tables of runs that are fitted in one call."""

    tables: tuple[Runs, ...]

    def __len__(self) -> int:
        return len(self.tables)


def _padded(values: np.ndarray, extra: int) -> np.ndarray:
    return np.concatenate([values, np.repeat(values[:1], extra, axis=0)])
