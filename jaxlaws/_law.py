"""A law: one pure function whose signature says what it takes, fits and predicts."""

import inspect
import math
import re
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from types import MappingProxyType
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxlaws._schema import NORMAL_90 as NORMAL_90
from jaxlaws._schema import Constants as Constants
from jaxlaws._schema import Parameter as Parameter
from jaxlaws._schema import Variable as Variable
from jaxlaws._support import real


@dataclass(frozen=True, eq=False)
class Law:
    """A scaling law: a pure function and the schema read from its signature.

    Call it like the function it is, with inputs by position or name and parameters by name; arrays
    broadcast. `fix`, `tie` and `per_group` give new laws.

    Attributes:
        name: Its id in the catalogue.
        fn: The scalar function; inputs then keyword-only parameters.
        inputs: Name -> Variable, in order.
        params: Name -> Parameter, in order.
        target: What it predicts.
        source: Citation keys of references.bib, comma separated.
        constants: Citation key -> published constants.
        doc: The docstring.
        canonical: Brings equivalent parameters to one form (breaks in order of position).
        recipe: How it was made, step by step from a named law, so that a file can tell.
    """

    name: str
    fn: Callable[..., Array]
    inputs: Mapping[str, Variable]
    params: Mapping[str, Parameter]
    target: Variable
    source: str = ""
    constants: Mapping[str, Constants] = field(default_factory=dict)
    doc: str = ""
    canonical: Callable[[dict[str, Array]], dict[str, Array]] = dict
    recipe: tuple[tuple[str, Any], ...] = ()

    def __call__(self, *args: Any, **kwargs: Any) -> Array:
        """Evaluate the law; inputs and parameters broadcast against each other.

        Where an input lies outside its support the value is NaN, never a plausible number.

        Raises:
            TypeError: An input or parameter is missing, unknown, or given twice.
        """
        names = [*self.inputs, *self.params]
        if len(args) > len(self.inputs):
            raise TypeError(
                f"{self.name} takes {len(self.inputs)} inputs by position "
                f"({', '.join(self.inputs)}), got {len(args)}; parameters are given by name."
            )
        given = dict(zip(self.inputs, args, strict=False))
        for key, value in kwargs.items():
            if key not in names:
                raise TypeError(
                    f"{self.name} has no input or parameter {key!r}; it has {', '.join(names)}."
                )
            if key in given:
                raise TypeError(f"{self.name} got {key!r} twice, by position and by name.")
            given[key] = value
        missing = [name for name in names if name not in given]
        if missing:
            raise TypeError(f"{self.name} needs {', '.join(missing)} as well.")
        arrays = [_real(given[name]) for name in names]
        cores = [len((self.inputs.get(name) or self.params[name]).size) for name in names]
        lead = max(v.ndim - core for v, core in zip(arrays, cores, strict=True))
        # Equal ranks first: a user may have told JAX to refuse silent rank promotion.
        return self._vectorised(
            *(
                v.reshape((1,) * (lead - v.ndim + core) + v.shape)
                for v, core in zip(arrays, cores, strict=True)
            )
        )

    @cached_property
    def _vectorised(self) -> Callable[..., Array]:
        names = [*self.inputs, *self.params]
        sizes = [(self.inputs.get(n) or self.params[n]).size for n in names]
        cores = [
            "(" + ",".join(f"{n}_{i}" for i in range(len(size))) + ")"
            for n, size in zip(names, sizes, strict=True)
        ]

        def one(*values: Array) -> Array:
            given = dict(zip(names, values, strict=True))
            inside = [v.support.holds(given[name]) for name, v in self.inputs.items()]
            return jnp.where(jnp.stack(inside).all(), self.scalar(given), jnp.nan)

        return jnp.vectorize(
            one,
            signature=",".join(cores) + "->()",
        )

    def scalar(self, values: Mapping[str, Array]) -> Array:
        """Evaluate one run at one set of parameters, everything by name."""
        inputs = [values[name] for name in self.inputs]
        return self.fn(*inputs, **{name: values[name] for name in self.params})

    @property
    def formula(self) -> str:
        """The display formula of the docstring, in LaTeX."""
        found = re.search(r"\$\$(.+?)\$\$", self.doc, re.DOTALL)
        return " ".join(found.group(1).split()) if found else ""

    @property
    def summary(self) -> str:
        """The first sentence of the docstring."""
        return self.doc.strip().split("\n")[0]

    def published(self, key: str | None = None) -> dict[str, Any]:
        """Published constants by citation key; the first set when no key is given.

        Raises:
            ValueError: There are none, or none under that key.
        """
        if not self.constants:
            raise ValueError(f"{self.name} has no published constants; fit it or pass your own.")
        key = key or next(iter(self.constants))
        if key not in self.constants:
            raise ValueError(
                f"{self.name} has constants of {', '.join(self.constants)}; got {key!r}."
            )
        return dict(self.constants[key].values)

    def fix(self, **values: Any) -> "Law":
        """The law with some parameters held at given values.

        >>> import jaxlaws as jl
        >>> sorted(jl.laws.chinchilla.fix(E=1.69).params)
        ['A', 'B', 'alpha', 'beta']
        """
        self._check_params(values, "fix")
        for name, value in values.items():
            if not all(v in self.params[name].support for v in _flat(value)):
                raise ValueError(
                    f"{self.name}.fix: {name} must be {self.params[name].support}, got {value}."
                )
        return _fixed(self, tuple((k, _frozen(v)) for k, v in values.items()))

    def tie(self, **pairs: str) -> "Law":
        """The law with some parameters equal to others: ``tie(beta="alpha")``.

        >>> import jaxlaws as jl
        >>> sorted(jl.laws.chinchilla.tie(beta="alpha").params)
        ['A', 'B', 'E', 'alpha']
        """
        self._check_params(pairs, "tie")
        self._check_params({leader: 0 for leader in pairs.values()}, "tie")
        if clash := [name for name, leader in pairs.items() if leader in pairs]:
            raise ValueError(f"{self.name}.tie: {clash[0]} is tied to a parameter tied itself.")
        return _tied(self, tuple(pairs.items()))

    def per_group(self, *names: str, groups: int) -> "Law":
        """The law with some parameters of their own for each group of runs.

        The new law takes the group's number (0, 1, ...) as a further input ``group``.

        >>> import jaxlaws as jl
        >>> jl.laws.chinchilla.per_group("E", groups=3).params["E"].size
        (3,)
        """
        self._check_params({name: 0 for name in names}, "per_group")
        if "group" in self.inputs:
            raise ValueError(f"{self.name}.per_group: the law has an input `group` already.")
        sized = [name for name in names if self.params[name].size]
        if sized:
            raise ValueError(f"{self.name}.per_group: {sized[0]} has a size already.")
        return _grouped(self, names, groups)

    @property
    def grouped(self) -> tuple[tuple[str, ...], int]:
        """Parameters that `per_group` gave to every group, and the number of groups."""
        made = [details for verb, details in self.recipe if verb == "per_group"]
        return (tuple(made[-1]["names"]), made[-1]["groups"]) if made else ((), 0)

    def then(self, second: "Law", *, name: str = "", source: str = "") -> "Law":
        """The chain of two laws: what this one predicts is the second one's only input.

        Raises:
            ValueError: The second law takes more than one input, or the two share a parameter.

        >>> import jaxlaws as jl
        >>> jl.laws.chinchilla.then(jl.laws.ppl_to_error).target.name
        'error'
        """
        if len(second.inputs) != 1:
            raise ValueError(
                f"{self.name}.then({second.name}): the second law must take one input, "
                f"it takes {', '.join(second.inputs)}."
            )
        if shared := set(self.params) & set(second.params):
            raise ValueError(
                f"{self.name}.then({second.name}): both have a parameter {sorted(shared)[0]!r}."
            )

        def chained(*inputs: Array, **params: Array) -> Array:
            middle = self.fn(*inputs, **{k: params[k] for k in self.params})
            return second.fn(middle, **{k: params[k] for k in second.params})

        return replace(
            second,
            name=name or f"{self.name}.then({second.name})",
            fn=chained,
            inputs=self.inputs,
            params=MappingProxyType({**self.params, **second.params}),
            source=source
            or ", ".join(dict.fromkeys(f"{self.source}, {second.source}".strip(", ").split(", "))),
            constants=MappingProxyType({}),
            doc=f"{second.summary}\n\nThe chain {self.name} -> {second.name}.\n\n"
            f"$${self.formula}$$ then $${second.formula}$$",
            canonical=lambda p: second.canonical(self.canonical(p)),
            recipe=(("law", name or f"{self.name}.then({second.name})"),),
        )

    def _check_params(self, names: Mapping[str, Any], verb: str) -> None:
        for name in names:
            if name not in self.params:
                raise ValueError(
                    f"{self.name}.{verb}: there is no parameter {name!r}; "
                    f"it has {', '.join(self.params)}."
                )

    def __repr__(self) -> str:
        inputs = ", ".join(f"{n} [{v.unit}]" for n, v in self.inputs.items())
        params = ", ".join(self.params)
        return f"{self.name}({inputs}; {params}) -> {self.target.name} [{self.target.unit}]"


# Variants are made once, so that asking for the same one again finds its compiled code.


@lru_cache(maxsize=512)
def _fixed(law: Law, values: tuple[tuple[str, Any], ...]) -> Law:
    fn = law.fn
    held = {k: np.asarray(v, float) for k, v in values}
    return _variant(
        law,
        ", ".join(f"{k}={_short(v)}" for k, v in held.items()),
        lambda *a, **k: fn(*a, **k, **{name: jnp.asarray(v) for name, v in held.items()}),
        drop=held,
        step=("fix", {k: v.tolist() for k, v in held.items()}),
    )


@lru_cache(maxsize=512)
def _tied(law: Law, pairs: tuple[tuple[str, str], ...]) -> Law:
    fn = law.fn
    return _variant(
        law,
        ", ".join(f"{k}={v}" for k, v in pairs),
        lambda *a, **k: fn(*a, **k, **{name: k[leader] for name, leader in pairs}),
        drop=dict(pairs),
        step=("tie", dict(pairs)),
    )


@lru_cache(maxsize=512)
def _grouped(law: Law, names: tuple[str, ...], groups: int) -> Law:
    fn = law.fn

    def grouped(*args: Array, **params: Array) -> Array:
        *inputs, group = args
        own = {name: params[name][group.astype(int)] for name in names}
        return fn(*inputs, **{**params, **own})

    params = {
        name: replace(p, size=(groups,)) if name in names else p for name, p in law.params.items()
    }
    return replace(
        law,
        name=f"{law.name}[{', '.join(names)} per group]",
        fn=grouped,
        inputs=MappingProxyType({**law.inputs, "group": Variable("group", real, name="group")}),
        params=MappingProxyType(params),
        constants=MappingProxyType({}),
        recipe=(*law.recipe, ("per_group", {"names": list(names), "groups": groups})),
    )


def _variant(
    law: Law,
    shown: str,
    fn: Callable[..., Array],
    drop: Mapping[str, Any],
    step: tuple[str, Any],
) -> Law:
    keep = {k: p for k, p in law.params.items() if k not in drop}
    return replace(
        law,
        name=f"{law.name}[{shown}]",
        fn=fn,
        params=MappingProxyType(keep),
        constants=MappingProxyType({}),
        recipe=(*law.recipe, step),
    )


def law(
    fn: Callable[..., Array] | None = None,
    *,
    source: str = "",
    constants: Mapping[str, Mapping[str, Any] | Constants] | None = None,
    name: str = "",
    canonical: Callable[[dict[str, Array]], dict[str, Array]] = dict,
) -> Any:
    """Read a function's signature into a `Law`; use as ``@law`` or ``@law(source=...)``.

    Positional arguments are inputs, keyword-only arguments are parameters, the return annotation
    is what the law predicts; each is annotated with a quantity of `jaxlaws.quantities` or with
    ``Annotated[Array, Variable(...)]`` / ``Annotated[Array, Parameter(...)]``.

    Raises:
        TypeError: An argument has no such annotation, or there is no docstring.
    """
    if fn is None:
        return lambda f: law(f, source=source, constants=constants, name=name, canonical=canonical)
    label = name or fn.__name__
    if not fn.__doc__:
        raise TypeError(f"The law {label} needs a docstring: one sentence and its formula.")
    hints = typing.get_type_hints(fn, include_extras=True)
    inputs: dict[str, Variable] = {}
    params: dict[str, Parameter] = {}
    for argument in inspect.signature(fn).parameters.values():
        keyword = argument.kind is argument.KEYWORD_ONLY
        wanted = Parameter if keyword else Variable
        schema = _schema(hints.get(argument.name), wanted)
        if schema is None:
            raise TypeError(
                f"The law {label}: annotate {argument.name!r} with a "
                f"{'parameter' if keyword else 'variable'} of jaxlaws.quantities "
                "(inputs come before the *, parameters after it)."
            )
        if keyword:
            params[argument.name] = replace(schema, name=argument.name)
        else:
            inputs[argument.name] = replace(schema, name=argument.name)
    target = _schema(hints.get("return"), Variable)
    if target is None:
        raise TypeError(f"The law {label}: annotate the return with what it predicts, e.g. Loss.")
    sets = {
        key: value if isinstance(value, Constants) else Constants(dict(value))
        for key, value in (constants or {}).items()
    }
    for key, published in sets.items():
        if set(published.values) != set(params):
            raise TypeError(
                f"The law {label}: constants {key!r} must name {', '.join(params)}, "
                f"got {', '.join(published.values)}."
            )
    return Law(
        name=label,
        fn=fn,
        inputs=MappingProxyType(inputs),
        params=MappingProxyType(params),
        target=replace(target, name=target.name or "L"),
        source=source,
        constants=MappingProxyType(sets),
        doc=inspect.cleandoc(fn.__doc__),
        canonical=canonical,
        recipe=(("law", label),),
    )


def _schema(hint: Any, wanted: type) -> Any:
    for extra in getattr(hint, "__metadata__", ()):
        if isinstance(extra, wanted):
            return extra
    return None


def _real(value: Any) -> Array:
    """A value as floating numbers: a whole number of tokens does not fit an int32."""
    if isinstance(value, int):
        return jnp.asarray(float(value))
    kind = getattr(value, "dtype", type(value))
    return jnp.asarray(value, None if jnp.issubdtype(kind, jnp.floating) else float)


def _frozen(value: Any) -> Any:
    """Numbers as a nested tuple, which can be a key."""
    value = np.asarray(value, float).tolist()
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


def _flat(value: Any) -> list[float]:
    return [float(v) for v in np.ravel(np.asarray(value, float))]


def _short(value: Any) -> str:
    flat = _flat(value)
    if any(math.isnan(v) for v in flat):
        return "nan"
    return f"{flat[0]:.6g}" if len(flat) == 1 else f"{len(flat)} values"
