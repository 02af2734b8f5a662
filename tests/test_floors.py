"""The floors of the house: a module imports its own floor and those below, and ships light."""

import ast
import re
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


def floor(name: str) -> int | None:
    found = re.match(r"L(\d)\. ", ast.get_docstring(TREES[name]) or "")
    return int(found[1]) if found else None


def imports(name: str) -> set[str]:
    """Everything that a module names in an import, wherever it stands."""
    found = set()
    for node in ast.walk(TREES[name]):
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


def house(name: str) -> set[str]:
    return {found for found in imports(name) if found in MODULES}


def reached(name: str) -> set[str]:
    """All modules that importing `name` runs, packages on the way included."""
    seen, waiting = set(), [name]
    while waiting:
        module = waiting.pop()
        if module in seen or module == FACADE:  # the facade imports on first use
            continue
        seen.add(module)
        waiting += house(module)
        waiting += [module.rpartition(".")[0]]
    return seen


def test_the_house_was_found():
    assert {"pastforward.types", "pastforward.cells.gru", "pastforward.methods"} <= MODULES.keys()
    assert "pastforward.memory" in house("pastforward.cells.gru")
    assert "pastforward.blocks" in reached("pastforward.methods")


@pytest.mark.parametrize("name", [name for name in MODULES if name != FACADE])
def test_floor_is_stated_and_nothing_above_is_imported(name):
    own = floor(name)
    assert own is not None, f"{name}: the docstring should start with its floor, 'L<n>. '"
    above = {other: floor(other) for other in house(name) if (floor(other) or 0) > own}
    assert not above, f"{name} (L{own}) imports {above}"


def test_no_module_imports_the_facade():
    assert not [name for name in MODULES if FACADE in house(name) and name != FACADE]


@pytest.mark.parametrize("name", ["stream", "student_file", "student", "rollout"])
def test_what_ships_knows_nothing_of_training(name):
    found = reached(f"pastforward.{name}")
    training = ("teacher", "encoder", "decoder", "objectives", "methods", "training", "evaluation")
    banned = re.compile(rf"pastforward\.({'|'.join(training)})(\.|$)")
    assert not [module for module in found if banned.match(module)]


def test_config_is_plain_python():
    assert imports("pastforward.config") == {"dataclasses"}


def test_nothing_is_pickled():
    assert not [name for name in MODULES if "pickle" in imports(name)]
