"""L6. Options of `train` and `compare`: a recipe's config, any field of which can be given.

Options are read twice: once to learn the recipe, whose numbers then are the defaults of the second
time. Imports no torch unless the data has to be looked at.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Annotated, Any, TypeVar

import tyro

from pastforward.commands.parsing import parse
from pastforward.config import (
    Budget,
    DataConfig,
    DMTConfig,
    FitConfig,
    RunConfig,
    SMTConfig,
    Stage,
    StudentConfig,
    TeacherConfig,
)
from pastforward.recipes import RECIPES, STORED_WAY, USUAL_WAY, WAYS, for_labels, for_path

RUNS = Path("runs")
"""Where runs lie, below the current folder."""


@dataclass(frozen=True)
class Options:
    """What `train` and `compare` share."""

    recipe: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RECIPE|PATH")]
    """A recipe, the name of data (copy:48, hf:NAME), or a path to text, images or a table."""
    name: str | None = None
    """Name of the folder below runs/; made from the recipe when not given."""
    seconds: float | None = None
    """Train for so long; compilation and evaluation do not count."""
    steps: int | None = None
    """Train for so many optimiser steps."""
    tokens: int | None = None
    """Train until so many sequence positions were read."""
    resume: bool = False
    """Go on with a run that was stopped."""
    overwrite: bool = False
    """Replace a run of the same name."""
    seed: int = 0
    """Of weights, batches and noise."""
    cell: str | None = None
    """The same as --student.cell, for short."""
    data: DataConfig = field(default_factory=DataConfig)
    student: StudentConfig = field(default_factory=StudentConfig)
    teacher: TeacherConfig = field(default_factory=TeacherConfig)
    smt: SMTConfig = field(default_factory=SMTConfig)
    dmt: DMTConfig = field(default_factory=DMTConfig)
    fit: FitConfig = field(default_factory=FitConfig)


@dataclass(frozen=True)
class TrainOptions(Options):
    """Options of `train`."""

    way: str = USUAL_WAY
    """bptt, tbptt, rtrl, distil, parallel (for a peer), smt, smt+dmt, smt+dmt+bptt or two-stage;
    with --labels, smt-frozen then dmt."""
    labels: str | None = None
    """Instead of a RECIPE: a folder that `label` wrote. No teacher is trained."""
    stages: tuple[Stage, ...] = ()


@dataclass(frozen=True)
class CompareOptions(Options):
    """Options of `compare`."""

    ways: tuple[str, ...] = ("bptt", "smt", "smt+dmt")
    """Any of bptt, tbptt, rtrl, distil, smt, smt+dmt, smt+dmt+bptt and two-stage."""


Kind = TypeVar("Kind", bound=Options)


def read_train(argv: list[str], description: str) -> tuple[TrainOptions, RunConfig]:
    """Options and config of `train`; raises `UsageError` for bad ones, SystemExit after help."""
    labels = _peek(argv, "--labels")
    way = _peek(argv, "--way") or (USUAL_WAY if labels is None else STORED_WAY)
    base = _recipe(argv, way, TrainOptions, "train", description)
    options = replace(_parse(TrainOptions, argv, base, "train", description), way=way)
    return options, configure(options, base)


def read_compare(argv: list[str], description: str) -> tuple[CompareOptions, list[RunConfig]]:
    """Options of `compare` and one config per way; raises as `read_train` does."""
    base = _recipe(argv, USUAL_WAY, CompareOptions, "compare", description)
    options = _parse(CompareOptions, argv, base, "compare", description)
    _require(bool(options.ways), "No way was named after --ways; name one or more.")
    _require(len(set(options.ways)) == len(options.ways), "A way was named twice; name each once.")
    configs = []
    for way in options.ways:
        base = _base(options, way)
        same = _parse(CompareOptions, argv, base, "compare", description)
        configs.append(configure(same, base))
    return options, configs


def configure(options: Options, base: RunConfig) -> RunConfig:
    """The config that the options describe."""
    given = {f.name: getattr(options, f.name) for f in fields(options) if hasattr(base, f.name)}
    given["student"] = _student(options, base.student)
    return replace(base, **given, budget=_budget(options, base.budget))


def _recipe(
    argv: list[str], way: str, kind: type[Options], command: str, description: str
) -> RunConfig:
    """The config of the recipe or path that `argv` names."""
    named = next((word for word in argv if word in RECIPES), "digits")
    later = _asks_help(argv) or _peek(argv, "--labels") is not None
    usual = RECIPES[named](USUAL_WAY if later and way not in WAYS else way)
    return _base(_parse(kind, argv, usual, command, description), way)


def _base(options: Options, way: str) -> RunConfig:
    labels = getattr(options, "labels", None)
    if labels is not None:
        _require(
            not options.recipe,
            f"Both '{options.recipe}' and --labels were given; labels bring their data and sizes, "
            "so leave out the first.",
        )
        return for_labels(labels, way)
    if options.recipe in RECIPES:
        return RECIPES[options.recipe](way)
    _require_data(options.recipe)
    return for_path(replace(options.data, source=options.recipe), way)


def _require_data(name: str) -> None:
    """Refuse a name that is neither data nor a path, with the nearest recipe."""
    from pastforward.data import NAMES

    known = name.partition(":")[0] in (*NAMES, "hf")
    if known or Path(name).expanduser().exists() or "/" in name or "." in name:
        return
    from pastforward.types import UsageError, nearest

    raise UsageError(f"There is no recipe or file '{name}'; {nearest(name, RECIPES)}.")


def _parse(
    kind: type[Kind], argv: list[str], base: RunConfig, command: str, description: str
) -> Kind:
    shared: dict[str, Any] = {
        f.name: getattr(base, f.name) for f in fields(kind) if hasattr(base, f.name)
    }
    # Labels say what a recipe would.
    default = kind(recipe=tyro.MISSING if _peek(argv, "--labels") is None else "", **shared)
    return parse(kind, argv, f"pastforward {command}", description, default)


def _student(options: Options, usual: StudentConfig) -> StudentConfig:
    student = options.student
    if options.cell is None:
        return student
    _require(
        student.cell in (usual.cell, options.cell),
        f"Both --cell {options.cell} and --student.cell {student.cell} were given; give one.",
    )
    return replace(student, cell=options.cell)


def _budget(options: Options, usual: Budget) -> Budget:
    if (options.seconds, options.steps, options.tokens) == (None, None, None):
        return usual
    try:
        return Budget(options.steps, options.tokens, options.seconds)
    except ValueError as error:
        from pastforward.types import UsageError

        raise UsageError(str(error)) from error


def _require(fine: bool, otherwise: str) -> None:
    if not fine:
        from pastforward.types import UsageError

        raise UsageError(otherwise)


def _peek(argv: list[str], option: str) -> str | None:
    """The value of an option, before all of them can be read."""
    for place, word in enumerate(argv):
        if word == option:
            return next(iter(argv[place + 1 :]), None)
        if word.startswith(option + "="):
            return word.partition("=")[2]
    return None


def _asks_help(argv: list[str]) -> bool:
    return "--help" in argv or "-h" in argv
