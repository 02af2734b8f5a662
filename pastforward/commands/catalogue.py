"""L6. `pastforward list`."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pastforward.commands.options import RUNS
from pastforward.commands.parsing import parse
from pastforward.recipes import RECIPES, WAYS

DESCRIPTION = """\
Show recipes, ways to train, cells, peers, encoders, and the runs below runs/.

Examples:
  pastforward list
"""

ENCODERS = ("registers", "state", "window")
"""Names that `--teacher.encoder` takes."""


@dataclass(frozen=True)
class ListOptions:
    """`list` has none."""


def main(argv: list[str]) -> None:
    """Print the catalogue."""
    parse(ListOptions, argv, "pastforward list", DESCRIPTION)

    from pastforward.cells import CELLS
    from pastforward.peers import PEERS

    print("Recipes (or any path to text, images or a table)")
    for name, recipe in RECIPES.items():
        config = recipe("smt+dmt")
        student = config.student
        size = f"K = {student.slots}, D = {student.width}"
        print(f"  {name:<14}data {config.data.source}, {student.cell} cell, {size}")
    print("\nWays")
    for name, parts in WAYS.items():
        print(f"  {name:<14}{', then '.join(f'{m} {100 * share:.0f}%' for m, share in parts)}")
    print(f"\nCells      {', '.join(CELLS)}\nPeers      {', '.join(PEERS)}, by way of parallel")
    print(f"Encoders   {', '.join(ENCODERS)}\n")
    _print_runs()


def _print_runs() -> None:
    lines = list(_runs())
    if lines:
        print("Runs")
        print("\n".join(f"  {line}" for line in lines))
        print(f"Runs lie in: {RUNS}/")
    else:
        print(f"No run lies in {RUNS}/ yet; train one: pastforward train digits")


def _runs() -> Iterator[str]:
    for config in sorted(RUNS.rglob("config.json")):
        folder = config.parent
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
