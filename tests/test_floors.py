"""The floors of the house: a module imports its own floor and those below, and ships light."""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import pastforward

ROOT = Path(pastforward.__file__).parent
FACADE = "pastforward"


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in sorted(ROOT.rglob("*.py"))}
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in MODULES.items()}

HOUSE = {
    "errors": 0, "registry": 0, "files": 0, "types": 0, "memory": 0, "blocks": 0,
    "scan": 0, "config": 0, "watching": 0, "cells": 1, "outputs": 1, "data": 1,
    "student": 2, "student_file": 2, "teacher": 2, "losses": 2, "baselines": 2, "methods": 3,
    "inference": 3, "training": 4, "analysis": 4, "report": 4, "recipes": 5, "runs": 6,
    "estimators": 6, "serving": 6, "cli": 7, "__main__": 7, "provenance": 0,
    "plain_torch": 2, "onnx_stream": 2,
}  # fmt: skip
"""The highest floor of each module or package: parts of it, such as its configs, may lie lower."""


def floor(name: str) -> int | None:
    found = re.match(r"L([0-7])\. ", ast.get_docstring(TREES[name]) or "")
    return int(found[1]) if found else None


def _for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def nodes(tree: ast.AST, skip: tuple[type, ...] = (), types: bool = True) -> Iterator[ast.AST]:
    """All nodes, without what lies in nodes of type `skip`, or is there for annotations alone."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, skip):
            continue
        if _for_types(node) and not types:
            yield from (inner for part in node.orelse for inner in nodes(part, skip, types))
            continue
        yield node
        yield from nodes(node, skip, types)


def imports(name: str, skip: tuple[type, ...] = (), types: bool = True) -> set[str]:
    """What a module names in its imports: of modules of the house, the modules themselves."""
    found = set()
    for node in nodes(TREES[name], skip, types):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name} has a relative import"
            assert node.module
            found |= {_resolve(node.module, alias.name) for alias in node.names}
    return found


def _resolve(module: str, name: str) -> str:
    inner = f"{module}.{name}"
    return inner if inner in MODULES else module


def house(name: str, skip: tuple[type, ...] = (), types: bool = True) -> set[str]:
    return {found for found in imports(name, skip, types) if found in MODULES}


FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


def at_once(name: str) -> set[str]:
    """Modules that run when `name` is imported: those named outside of functions."""
    return house(name, skip=FUNCTIONS, types=False)


def reached(name: str) -> set[str]:
    """All modules that using `name` may run, packages on the way included."""
    seen, waiting = set(), [name]
    while waiting:
        module = waiting.pop()
        if module in seen or module == FACADE:  # the facade imports on first use
            continue
        seen.add(module)
        waiting += house(module, types=False)
        waiting += [module.rpartition(".")[0]]
    return seen


def cycle_from(graph: dict[str, set[str]]) -> list[str]:
    """A path that ends where it began, or nothing."""
    done: set[str] = set()

    def visit(name: str, path: list[str]) -> list[str]:
        if name in path:
            return [*path[path.index(name) :], name]
        if name not in done:
            for other in sorted(graph[name]):
                if found := visit(other, [*path, name]):
                    return found
            done.add(name)
        return []

    return next((found for name in graph if (found := visit(name, []))), [])


def test_the_house_was_found():
    assert {"pastforward.types", "pastforward.cells.gru", "pastforward.methods"} <= MODULES.keys()
    assert "pastforward.memory" in house("pastforward.cells.gru")
    assert "pastforward.memory" in at_once("pastforward.cells.gru")
    assert "pastforward.blocks" in reached("pastforward.baselines.build")
    assert "torch.utils.tensorboard" in imports("pastforward.training.callbacks")
    assert "pastforward.training.loop" in house("pastforward.training.callbacks")
    assert "pastforward.training.loop" not in at_once("pastforward.training.callbacks")


def test_a_cycle_is_found():
    assert cycle_from({"a": {"b"}, "b": {"c"}, "c": set()}) == []
    assert cycle_from({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]
    assert cycle_from({"a": {"a"}}) == ["a", "a"]


@pytest.mark.parametrize("name", [name for name in MODULES if name != FACADE])
def test_floor_is_stated_and_nothing_above_is_imported(name):
    own = floor(name)
    assert own is not None, f"{name}: the docstring should start with its floor, 'L<n>. '"
    above = {other: floor(other) for other in house(name) if (floor(other) or 0) > own}
    assert not above, f"{name} (L{own}) imports {above}"


@pytest.mark.parametrize("name", [name for name in MODULES if name != FACADE])
def test_every_module_is_on_its_floor_of_the_house_or_below(name):
    top = name.split(".")[1]
    assert top in HOUSE, f"{name} has no place in the house"
    assert (floor(name) or 0) <= HOUSE[top]


def test_no_module_is_in_a_cycle_of_imports():
    graph = {name: at_once(name) - {name} for name in MODULES}
    assert not cycle_from(graph)


def test_no_module_imports_the_facade():
    assert not [name for name in MODULES if FACADE in house(name) and name != FACADE]


@pytest.mark.parametrize("name", ["inference.stream", "student_file", "student", "memory"])
def test_what_ships_knows_nothing_of_training(name):
    found = reached(f"pastforward.{name}")
    training = ("teacher", "losses", "methods", "training", "analysis", "recipes", "runs", "config")
    banned = re.compile(rf"pastforward\.({'|'.join(training)})(\.|$)")
    assert not [module for module in found if banned.match(module)]


LIGHT = sorted(
    name
    for name in MODULES
    if name.endswith(".configs")
    or name.startswith("pastforward.recipes")
    or name.removeprefix("pastforward.") in (
        "errors", "registry", "config", "files", "cells", "baselines", "methods",
        "data", "teacher", "teacher.encoders", "training", "inference", "analysis",
        "report", "runs", "serving", "cli",
    )
)  # fmt: skip
"""Modules that are imported before anything is asked for."""

WATCH = """
import importlib, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
    heavy = {"torch", "numpy", "pandas", "matplotlib"} & sys.modules.keys()
    if heavy:
        sys.exit(f"{name} imports {heavy}")
"""


def test_light_modules_import_no_torch():
    assert len(LIGHT) >= 20
    names = [FACADE, *LIGHT]
    done = subprocess.run(
        [sys.executable, "-c", WATCH, *names], capture_output=True, text=True, check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT.parent)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_configs_are_plain_python():
    plain = {"collections.abc", "dataclasses", "math", "typing", "pastforward.errors"}
    for name in MODULES:
        if name.endswith(".configs"):
            assert imports(name) <= plain | {"pastforward.errors"}, name


def calls(name: str) -> set[str]:
    return {ast.unparse(n.func) for n in ast.walk(TREES[name]) if isinstance(n, ast.Call)}


def test_nothing_is_pickled():
    assert not [name for name in MODULES if {"pickle", "cPickle", "dill"} & imports(name)]
    for name, path in MODULES.items():
        assert not {"torch.load", "torch.save", "joblib.load"} & calls(name), name
        assert "allow_pickle=True" not in path.read_text(encoding="utf-8"), name


def lines(paths: list[Path]) -> int:
    return sum(len(path.read_text(encoding="utf-8").splitlines()) for path in paths)


def test_the_house_stays_small():
    paths = list(MODULES.values())
    count = lines(paths)
    # Raised from 23,800 and 206 for forecasts, tokens, exports, the server and the sharded engine.
    assert count <= 36_000, "raise it with a reason alone: the aim was 13,000 before labelled data"
    assert len(paths) <= 310, "the aim was 140"


def test_commands_stay_short():
    commands = sorted((ROOT / "cli").glob("*.py"))
    count = lines(commands)
    assert count <= 1_300  # raised from 1,000 for forecast, backtest, export and serve
    assert not {path.name: lines([path]) for path in commands if lines([path]) > 100}
