"""Imports go one way, and `import jaxlaws` loads nothing heavy that it does not need."""

import ast
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import jaxlaws

PACKAGE = Path(jaxlaws.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))

# design.md, section 3. A module may import modules of lower rank; modules of one rank only each
# other where they stand in one line here. What is not listed yet must be listed before it passes.
RANKS = [
    ["_errors", "_support", "_arguments", "_columns"],
    ["_schema"],
    ["_law"],
    ["quantities", "_implicit", "_simplex", "_powers", "flops"],
    ["laws"],
    ["_objective", "_runs", "_points", "_psis"],
    ["_coordinates", "_solver", "_resample"],
    ["_risk"],
    ["_search"],
    ["_fit"],
    ["_refit", "_rolling", "_interval", "_curvature", "_inputs", "_density", "_prior_table"],
    ["_sampling", "_mixture", "_annealing", "_importance", "_trajectory", "_nuts"],
    ["_draws"],
    ["_bootstrap"],
]
LATER = {  # over draws; not of each other, except what is named
    "_posterior": set(),
    "_prior": set(),
    "_population": set(),
    "_loo": set(),
    "_replicas": set(),
    "_check": {"_replicas"},
    "_power_scaling": {"_loo", "_prior"},
    "_arviz": {"_loo", "_predict", "_prior", "_replicas"},
    "_discrepancy": set(),
    "_backtest": {"_compare", "_discrepancy"},
    "_pooled": {"_backtest"},
    "_predict": {"_backtest"},
    "_average": {"_predict"},
    "_frontier": set(),
    "_akima": {"_isoflop"},
    "_isoflop": {"_frontier", "_predict"},
    "_profile": set(),
    "_diagnose": {"_profile"},
    "_compare": {"_profile"},
    "_sensitivity": {"_frontier", "_predict"},
    "_design": {"_predict", "_frontier", "_diagnose", "_profile"},
    "_contrast": {"_predict", "_frontier"},
}
TOP = ["procedures", "_archive", "_io", "plot", "_study", "_cli", "__main__"]
RANK = {name: i for i, line in enumerate(RANKS) for name in line}
# `datasets` hands out Runs; the namespaces of the package may import anything.
FREE = {"", "datasets"}
HEAVY = {
    "numpyro",
    "arviz",
    "matplotlib",
    "rich",
    "pooch",
    "requests",
    "optax",
}  # pandas 3 loads pyarrow by itself
ONLY_IN = {"numpyro": {"_nuts"}, "arviz": {"_arviz"}, "matplotlib": {"plot"}}


def module(path: Path) -> str:
    """Top-level name inside the package: `_solver/_newton.py` is part of `_solver`."""
    first = path.relative_to(PACKAGE).parts[0]
    return "" if first == "__init__.py" else first.removesuffix(".py")


def imports(path: Path) -> list[tuple[str, bool]]:
    """Modules that a file imports, and whether it does when it is loaded."""
    found = []
    tree = ast.parse(path.read_text(encoding="utf-8"))

    def visit(node: ast.AST, loaded: bool) -> None:
        for child in ast.iter_child_nodes(node):
            inner = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            checked = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
            if isinstance(child, ast.Import):
                found.extend((alias.name, loaded) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                base = child.module or ""
                assert child.level == 0, f"{path}: relative import"
                found.append((base, loaded))
                if base == "jaxlaws":
                    found.extend((f"jaxlaws.{alias.name}", loaded) for alias in child.names)
            visit(child, loaded and not inner and not checked)

    visit(tree, True)
    return found


def inside(path: Path) -> set[str]:
    """Modules of the package that a file imports when it is loaded."""
    out = set()
    for name, loaded in imports(path):
        parts = name.split(".")
        if parts[0] == "jaxlaws" and len(parts) > 1 and loaded:
            out.add(parts[1])
    return out - {module(path)}


def test_laws_never_ask_for_the_engine() -> None:
    """Not even inside a function: what takes runs is a procedure."""
    below = {"laws", *(name for name in RANK if RANK[name] < RANK["laws"])}
    for path in (PACKAGE / "laws").glob("*.py"):
        asked = {name.split(".")[1] for name, _ in imports(path) if name.startswith("jaxlaws.")}
        assert asked <= below, path


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_one_way(path: Path) -> None:
    here = module(path)
    if here in FREE:
        return
    assert here in RANK or here in LATER or here in TOP, f"{here} has no place in test_layers.py"
    for other in inside(path):
        if here in RANK:
            assert other in RANK, f"{here} imports {other}, which comes later"
            allowed = RANK[other] < RANK[here] or other in RANKS[RANK[here]]
            assert allowed, f"{here} imports {other}, which comes later"
        elif here in LATER:
            assert other in RANK or other in LATER[here], f"{here} imports {other}"
        else:
            assert other not in TOP or TOP.index(other) < TOP.index(here), f"{here}, {other}"


def test_there_is_no_circle() -> None:
    graph: dict[str, set[str]] = {}
    for path in FILES:
        graph.setdefault(module(path), set()).update(inside(path))
    graph.pop("")

    def reach(name: str, seen: tuple[str, ...]) -> None:
        assert name not in seen, " -> ".join([*seen, name])
        for other in graph.get(name, ()):
            reach(other, (*seen, name))

    for name in graph:
        reach(name, ())


@pytest.mark.parametrize("library", list(ONLY_IN))
def test_each_backend_lives_in_one_module(library: str) -> None:
    users = {
        module(path) for path in FILES for name, _ in imports(path) if name.split(".")[0] == library
    }
    assert users <= ONLY_IN[library]


def test_the_solver_knows_no_law() -> None:
    for path in (PACKAGE / "_solver").glob("*.py"):
        outside = {n.split(".")[0] for n, _ in imports(path)} - {"jaxlaws", "jax", "numpy"}
        assert outside <= set(sys.stdlib_module_names)
        assert inside(path) == set()


def test_the_public_namespace_is_explicit() -> None:
    """`x as x`, nothing computed."""
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Expr):  # the docstring
            continue
        assert isinstance(node, ast.ImportFrom), ast.unparse(node)
        assert all(alias.asname == alias.name for alias in node.names), ast.unparse(node)


def test_files_have_a_size_one_can_read() -> None:
    lines = {p.relative_to(PACKAGE): len(p.read_text("utf-8").splitlines()) for p in FILES}
    assert {p: n for p, n in lines.items() if n > 450} == {}


def test_importing_jaxlaws_is_light(python: Callable[..., Any]) -> None:
    loaded = python("import json, sys, jaxlaws; print(json.dumps([m for m in sys.modules]))")
    heavy = {*HEAVY, "scipy.stats", "scipy.optimize"}
    found = {name for name in loaded if name in heavy or name.split(".")[0] in HEAVY}
    assert found == set()


def test_importing_jaxlaws_changes_no_setting_and_starts_no_backend(
    python: Callable[..., Any],
) -> None:
    """Flags are the user's; starting a backend would take the memory of a GPU."""
    found = python(
        "import json, jax, jaxlaws\n"
        "from jax._src import xla_bridge\n"
        "print(json.dumps([jax.config.jax_enable_x64, bool(xla_bridge._backends)]))"
    )
    assert found[0] is False
    assert found[1] is False, "import jaxlaws starts a JAX backend"
