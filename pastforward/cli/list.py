"""L6. `pastforward list`."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pastforward.cli.options import RUNS
from pastforward.cli.parsing import parse
from pastforward.recipes import RECIPES
from pastforward.recipes.strategies import STRATEGIES

DESCRIPTION = """\
Show recipes, tasks, ways to train, cells, peers, encoders, and the runs below runs/.

Examples:
  pastforward list
"""

ENCODERS = ("linear", "registers", "state", "delta", "window")
"""Names that `--teacher.encoder` takes."""


@dataclass(frozen=True)
class ListOptions:
    """`list` has none."""


def main(argv: list[str]) -> None:
    """Print the catalogue."""
    parse(ListOptions, argv, "pastforward list", DESCRIPTION)

    from pastforward.baselines import BASELINES
    from pastforward.cells import CELLS

    print("Recipes (or any path to text, images or a table)")
    for name, recipe in RECIPES.items():
        config = recipe("smt+dmt")
        student = config.student
        size = f"K = {student.slots}, D = {student.width}"
        print(f"  {name:<14}data {config.data.source}, {student.cell} cell, {size}")
    _print_tasks()
    print("\nWays")
    for name, parts in STRATEGIES.items():
        print(f"  {name:<14}{', then '.join(f'{m} {100 * share:.0f}%' for m, share in parts)}")
    print(f"\nCells      {', '.join(CELLS)}\nPeers      {', '.join(BASELINES)}, by way of parallel")
    print(f"Encoders   {', '.join(ENCODERS)}\n")
    _print_runs()


def _print_tasks() -> None:
    from pastforward.data.tasks.base import axes
    from pastforward.data.tasks.naming import TASKS

    print("\nTasks, as copy:64 or key_values:128,pairs=8 (with the usual T and axes)")
    for name, task in TASKS.items():
        told = [(one.name, one.default, one.metadata["axis"].meaning) for one in axes(task)]
        usual = [f"T = {task.length}", *(f"{axis}={value} ({what})" for axis, value, what in told)]
        print(f"  {name:<14}{task.summary}\n  {'':<14}{', '.join(usual)}")


def _print_runs() -> None:
    lines = list(_runs())
    if lines:
        print("Runs")
        print("\n".join(f"  {line}" for line in lines))
        print(f"Runs lie in: {RUNS}/")
    else:
        print(f"No run lies in {RUNS}/ yet; train one: pastforward train digits")


def _runs() -> Iterator[str]:
    grids = {path.parent for path in RUNS.rglob("grid.json")}
    folders = [config.parent for config in sorted(RUNS.rglob("config.json"))]
    inside = {grid: [f for f in folders if grid in f.parent.parents] for grid in grids}
    for grid, runs in sorted(inside.items()):
        if runs:
            name = grid.relative_to(RUNS)
            yield f"{name!s:<28} a comparison with {len(runs)} runs: pastforward report {name}"
    for folder in [f for f in folders if not any(f in runs for runs in inside.values())]:
        name = folder.relative_to(RUNS)
        yield f"{name!s:<28} {_state(folder)}"


def _state(folder: Path) -> str:
    try:
        found: dict[str, Any] = json.loads((folder / "evaluation.json").read_text())
        return f"{found['evaluation']['student']['nats']:.4f} nats per output, alone"
    except FileNotFoundError:
        return "not finished"
    except (OSError, ValueError, KeyError, TypeError):
        return "evaluation.json can't be read"
