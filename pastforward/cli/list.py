"""L7. `pastforward list`."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pastforward.baselines import BASELINES
from pastforward.cells import CELLS
from pastforward.cli.parsing import parse
from pastforward.data import SOURCES
from pastforward.methods import METHODS
from pastforward.recipes import RECIPES
from pastforward.recipes.strategies import strategy_rows
from pastforward.recipes.targets import target_rows
from pastforward.registry import Entry
from pastforward.runs.places import RUNS, describe_runs
from pastforward.teacher.encoders import ENCODERS

DESCRIPTION = """\
Show recipes, data, tasks, strategies, methods, cells, encoders, targets, baselines, and the runs
below runs/. Wherever such a name is taken, one of your own may stand as module:Name.

Examples:
  pastforward list
"""


@dataclass(frozen=True)
class Options:
    """`list` has none."""


def main(argv: list[str]) -> None:
    """Print the tables."""
    parse(Options, argv, "list", DESCRIPTION)

    from pastforward.data.tasks.base import task_rows

    _print("Recipes", _summaries(RECIPES))
    _print("Data, by name or by any path", _summaries(SOURCES))
    _print("Tasks, as copy:64 or key_values:128,pairs=8, with default T and axes", task_rows())
    _print("Strategies (--method)", strategy_rows())
    _print("Methods, strategies of one stage each", _summaries(METHODS))
    _print("Cells (--cell)", _summaries(CELLS))
    _print("Encoders (--encoder)", _summaries(ENCODERS))
    _print("Targets (--targets, or auto), each with its recipe", target_rows())
    _print("Baselines (--network)", _summaries(BASELINES))
    _print_runs()


def _print(title: str, rows: Iterable[tuple[str, str]]) -> None:
    rows = list(rows)
    width = max(16, *(len(name) + 2 for name, _ in rows))
    print("\n".join([title, *(f"  {name:<{width}}{text}" for name, text in rows), ""]))


def _summaries(table: Mapping[str, Entry]) -> Iterable[tuple[str, str]]:
    return ((name, row.summary) for name, row in table.items())


def _print_runs() -> None:
    lines = [f"  {line}" for line in describe_runs()]
    none = f"No run lies in {RUNS}/ yet; train one: pastforward train digits"
    print("\n".join(["Runs", *lines, f"Runs lie in: {RUNS}/"]) if lines else none)
