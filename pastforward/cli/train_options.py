"""L6. Options of `train`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

import tyro

from pastforward.cli.options import (
    Options,
    asks_help,
    configure,
    parse_over,
    peek,
    recipe_for,
    recipe_named,
    require,
)
from pastforward.config import RunConfig, Stage, StudentConfig
from pastforward.recipes import RECIPES
from pastforward.recipes.stored import STORED_STRATEGY, for_labels
from pastforward.recipes.strategies import DEFAULT_STRATEGY, STRATEGIES


@dataclass(frozen=True, kw_only=True)
class TrainOptions(Options):
    """Options of `train`."""

    recipe: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RECIPE|PATH")]
    """A recipe, the name of data (copy:48, key_values:128,pairs=8, hf:NAME), or a path to text,
    images or a table."""
    seed: int = 0
    """Of weights, batches and noise."""
    cell: str | None = None
    """The same as --student.cell, for short."""
    method: str = DEFAULT_STRATEGY
    """bptt, tbptt, rtrl, distill, parallel (for a peer), smt, smt+dmt, smt+dmt+bptt or two-stage;
    with --labels, smt-frozen then dmt."""
    labels: str | None = None
    """Instead of a RECIPE: a folder that `label` wrote. No teacher is trained."""
    stages: tuple[Stage, ...] = ()


def read_train(argv: list[str], description: str) -> tuple[TrainOptions, RunConfig]:
    """Options and config of `train`; raises `UsageError` for bad ones, SystemExit after help."""
    labels = peek(argv, "--labels")
    strategy = peek(argv, "--method") or (DEFAULT_STRATEGY if labels is None else STORED_STRATEGY)
    later = asks_help(argv) or labels is not None
    shown = RECIPES[recipe_named(argv)](
        DEFAULT_STRATEGY if later and strategy not in STRATEGIES else strategy
    )
    base = _base(_parse(argv, shown, description), strategy)
    options = replace(_parse(argv, base, description), method=strategy)
    config = configure(options, base)
    return options, replace(config, student=_student(options, base.student))


def _parse(argv: list[str], base: RunConfig, description: str) -> TrainOptions:
    # Labels say what a recipe would.
    recipe = tyro.MISSING if peek(argv, "--labels") is None else ""
    return parse_over(TrainOptions, argv, base, ("train", description), {"recipe": recipe})


def _base(options: TrainOptions, strategy: str) -> RunConfig:
    if options.labels is None:
        return recipe_for(options.recipe, options.data, strategy)
    require(
        not options.recipe,
        f"Both '{options.recipe}' and --labels were given; labels bring their data and sizes, "
        "so leave out the first.",
    )
    return for_labels(options.labels, strategy)


def _student(options: TrainOptions, usual: StudentConfig) -> StudentConfig:
    student = options.student
    if options.cell is None:
        return student
    require(
        student.cell in (usual.cell, options.cell),
        f"Both --cell {options.cell} and --student.cell {student.cell} were given; give one.",
    )
    return replace(student, cell=options.cell)
