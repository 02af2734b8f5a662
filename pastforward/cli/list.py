"""L7. `pastforward list`."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pastforward.baselines import BASELINES
from pastforward.cells import CELLS
from pastforward.cli.parsing import parse
from pastforward.data import SOURCES
from pastforward.methods import METHODS
from pastforward.recipes import RECIPES
from pastforward.recipes.strategies import STRATEGIES
from pastforward.registry import Entry
from pastforward.runs.places import RUNS, all_runs
from pastforward.teacher.encoders import ENCODERS

DESCRIPTION = """\
Show recipes, data, tasks, strategies, methods, cells, encoders, baselines, and the runs below
runs/. Wherever such a name is taken, one of your own may stand as module:Name.

Examples:
  pastforward list
"""


@dataclass(frozen=True)
class Options:
    """`list` has none."""


def main(argv: list[str]) -> None:
    """Print the tables."""
    parse(Options, argv, "list", DESCRIPTION)
    _print_table("Recipes", RECIPES)
    _print_table("Data (by name, or any path)", SOURCES)
    _print_tasks()
    print("\nStrategies (--method)")
    for name, parts in STRATEGIES.items():
        _print_row(name, ", then ".join(f"{m} {100 * share:.0f}%" for m, share in parts))
    _print_table("\nMethods (a strategy of one stage each)", METHODS)
    _print_table("\nCells (--cell)", CELLS)
    _print_table("\nEncoders (--encoder)", ENCODERS)
    _print_table("\nBaselines (--network)", BASELINES)
    print()
    _print_runs()


def _print_table(title: str, table: Mapping[str, Entry]) -> None:
    print(title)
    for name, row in table.items():
        _print_row(name, row.summary)


def _print_row(name: str, text: str) -> None:
    print(f"  {name:<16}{text}")


def _print_tasks() -> None:
    from pastforward.data.tasks import TASKS
    from pastforward.data.tasks.base import axes

    print("\nTasks, as copy:64 or key_values:128,pairs=8 (with default T and axes)")
    for name in TASKS:
        task = TASKS.load(name)
        told = [(one.name, one.default, one.metadata["axis"].meaning) for one in axes(task)]
        shown = [f"T = {task.length}", *(f"{axis}={value} ({what})" for axis, value, what in told)]
        _print_row(name, TASKS[name].summary)
        _print_row("", ", ".join(shown))


def _print_runs() -> None:
    lines = list(_runs())
    if lines:
        print("Runs\n" + "\n".join(f"  {line}" for line in lines))
        print(f"Runs lie in: {RUNS}/")
    else:
        print(f"No run lies in {RUNS}/ yet; train one: pastforward train digits")


def _runs() -> Iterator[str]:
    grids = {path.parent for path in RUNS.rglob("grid.json")}
    folders = [run.path for run in all_runs()]
    inside = {grid: [f for f in folders if grid in f.parent.parents] for grid in grids}
    for grid, runs in sorted(inside.items()):
        if runs:
            name = grid.relative_to(RUNS)
            yield f"{name!s:<28} a comparison with {len(runs)} runs: pastforward report {name}"
    for folder in [f for f in folders if not any(f in runs for runs in inside.values())]:
        yield f"{folder.relative_to(RUNS)!s:<28} {_state(folder)}"


def _state(folder: Path) -> str:
    try:
        found: dict[str, Any] = json.loads((folder / "evaluation.json").read_text())
        return f"{found['evaluation']['student']['nats']:.4f} nats per output, alone"
    except FileNotFoundError:
        return "not finished"
    except (OSError, ValueError, KeyError, TypeError):
        return "evaluation.json can't be read"
