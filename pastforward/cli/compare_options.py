"""L6. Options of `compare`, and the grid that they describe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated

import tyro

from pastforward.cli.options import (
    Options,
    configure,
    parse_over,
    peek,
    recipe_for,
    recipe_named,
    require,
)
from pastforward.config import RunConfig
from pastforward.recipes import RECIPES
from pastforward.recipes.names import at_length
from pastforward.recipes.strategies import DEFAULT_STRATEGY
from pastforward.runs.comparison.grid import Grid, Trial, configured, problem, strategies_of


@dataclass(frozen=True, kw_only=True)
class CompareOptions(Options):
    """Options of `compare`."""

    tasks: Annotated[
        tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="TASK [TASK ...]")
    ]
    """Recipes, names of data (copy:48, hf:NAME), paths to text, images or tables."""
    lengths: tuple[int, ...] = ()
    """T, for synthetic tasks without a length in their name (copy, retrieval)."""
    cells: tuple[str, ...] = ()
    """Cells and peers; the recipe's when not given. An LSTM keeps the same numbers in 2 slots, a
    peer has as many parameters as the recipe's student and one way to be trained, 'parallel'."""
    methods: tuple[str, ...] = ("bptt", "smt", "smt+dmt")
    """Any of bptt, tbptt, rtrl, distill, smt, smt+dmt, smt+dmt+bptt and two-stage."""
    seeds: tuple[int, ...] = (0,)
    """Of weights, batches and noise; a run for each."""
    search: bool = False
    """First find the learning rates of every task, cell and way, on a seed of its own."""
    factors: tuple[float, ...] = (0.3, 1.0, 3.0)
    """What the search multiplies the recipe's rates by."""
    share: float = 0.25
    """Part of the budget that each run of the search gets."""
    jobs: int = 1
    """Runs at a time; 2 and more get one thread each."""
    plan: bool = False
    """Say what would be trained and for how long, and write nothing."""


@dataclass(frozen=True)
class Comparison:
    """A grid and the configs that its runs begin from, by task and way."""

    options: CompareOptions
    grid: Grid
    configs: Mapping[tuple[str, str], RunConfig]

    def config(self, trial: Trial, share: float = 1.0) -> RunConfig:
        """The config of one run, for a share of the budget."""
        return configured(self.configs[trial.setting.task, trial.setting.strategy], trial, share)


def read_compare(argv: list[str], description: str) -> Comparison:
    """What `compare` is asked for; raises `UsageError` for bad input, SystemExit after help."""
    about = ("compare", description)
    first = {"tasks": tyro.MISSING}
    shown = RECIPES[recipe_named(argv)](DEFAULT_STRATEGY)
    options = parse_over(CompareOptions, argv, shown, about, first)
    require(bool(options.tasks), "No task was named; name a recipe, data or a path.")
    require(
        bool(options.lengths) or "--lengths" not in argv, "No length was named after --lengths."
    )
    for option in ("--factors", "--share"):
        idle = not options.search and option in argv
        require(not idle, f"{option} was given without --search; add it or leave {option} out.")
    require(options.jobs >= 1, f"--jobs is {options.jobs}; give 1 or more.")
    names = _at_lengths(options)
    configs = {}
    for name in names:
        base = recipe_for(name, options.data, DEFAULT_STRATEGY)
        own = parse_over(CompareOptions, argv, base, about, first)
        configs |= _by_way(name, own, configure(own, base))
    usual = [config.student.cell for config in configs.values()][:1]
    grid = Grid(
        names, options.cells or tuple(usual), options.methods, options.seeds,
        options.factors if options.search else (), options.share,
    )  # fmt: skip
    wrong = problem(grid)
    require(wrong is None, wrong or "")
    _require_cells(options.cells, argv)
    return Comparison(options, grid, configs)


def _at_lengths(options: CompareOptions) -> tuple[str, ...]:
    if not options.lengths:
        return options.tasks
    return tuple(at_length(task, length) for task in options.tasks for length in options.lengths)


def _by_way(
    name: str, options: CompareOptions, config: RunConfig
) -> dict[tuple[str, str], RunConfig]:
    """The config of a task by each way: its stages are all that differs."""
    cells = options.cells or (config.student.cell,)
    strategies = dict.fromkeys(
        strategy for cell in cells for strategy in strategies_of(cell, options.methods)
    )
    stages = {strategy: recipe_for(name, options.data, strategy).stages for strategy in strategies}
    return {(name, strategy): replace(config, stages=parts) for strategy, parts in stages.items()}


def _require_cells(cells: tuple[str, ...], argv: list[str]) -> None:
    from pastforward.baselines import BASELINES
    from pastforward.cells import CELLS
    from pastforward.errors import nearest

    other = peek(argv, "--student.cell")
    require(
        not cells or other is None,
        f"Both --cells and --student.cell {other} were given; name all cells after --cells.",
    )
    for cell in cells:
        known = [*CELLS, *BASELINES]
        require(cell in known, f"There is no cell '{cell}'; {nearest(cell, known)}.")
