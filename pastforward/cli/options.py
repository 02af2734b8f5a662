"""L6. What `train` and `compare` share of their options: any field of a recipe's config.

Options are read twice: once to learn the recipe, whose numbers then are the defaults of the second
time. Imports no torch unless the data has to be looked at.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypeVar

from pastforward.cli.parsing import parse
from pastforward.config import (
    Budget,
    DataConfig,
    DMTConfig,
    FitConfig,
    RunConfig,
    SMTConfig,
    StudentConfig,
    TeacherConfig,
)
from pastforward.recipes import RECIPES
from pastforward.recipes.auto import for_path

RUNS = Path("runs")
"""Where runs lie, below the current folder."""


@dataclass(frozen=True)
class Options:
    """What `train` and `compare` share."""

    name: str | None = None
    """Name of the folder below runs/; made from the recipe when not given."""
    seconds: float | None = None
    """Train for so long; compilation and evaluation do not count."""
    steps: int | None = None
    """Train for so many optimiser steps."""
    tokens: int | None = None
    """Train until so many sequence positions were read."""
    resume: bool = False
    """Go on with what was stopped."""
    overwrite: bool = False
    """Replace what is there under the same name."""
    data: DataConfig = field(default_factory=DataConfig)
    student: StudentConfig = field(default_factory=StudentConfig)
    teacher: TeacherConfig = field(default_factory=TeacherConfig)
    smt: SMTConfig = field(default_factory=SMTConfig)
    dmt: DMTConfig = field(default_factory=DMTConfig)
    fit: FitConfig = field(default_factory=FitConfig)


Kind = TypeVar("Kind", bound=Options)
Json = dict[str, Any]


def configure(options: Options, base: RunConfig) -> RunConfig:
    """The config that the options describe."""
    given = {f.name: getattr(options, f.name) for f in fields(options) if hasattr(base, f.name)}
    return replace(base, **given, budget=_budget(options, base.budget))


def recipe_for(name: str, data: DataConfig, strategy: str) -> RunConfig:
    """The config of a recipe, of data by name or of a path; raises `UsageError` if none is it."""
    if name in RECIPES:
        return RECIPES[name](strategy)
    _require_data(name)
    return for_path(replace(data, source=name), strategy)


def recipe_named(argv: list[str]) -> str:
    """The recipe whose numbers are shown by `--help` and are the defaults of the first reading."""
    return next((word for word in argv if word in RECIPES), "digits")


def parse_over(
    kind: type[Kind], argv: list[str], base: RunConfig, about: tuple[str, str], first: Json
) -> Kind:
    """Options whose defaults are the numbers of `base` and, for what it hasn't, those of `first`.

    `about` is the command's name and what its help says.
    """
    shared: dict[str, Any] = {
        f.name: getattr(base, f.name) for f in fields(kind) if hasattr(base, f.name)
    }
    command, description = about
    return parse(kind, argv, f"pastforward {command}", description, kind(**(first | shared)))


def require(fine: bool, otherwise: str) -> None:
    """Raise `UsageError` with the sentence `otherwise` unless `fine`."""
    if not fine:
        from pastforward.errors import UsageError

        raise UsageError(otherwise)


def peek(argv: list[str], option: str) -> str | None:
    """The value of an option, before all of them can be read."""
    for place, word in enumerate(argv):
        if word == option:
            return next(iter(argv[place + 1 :]), None)
        if word.startswith(option + "="):
            return word.partition("=")[2]
    return None


def asks_help(argv: list[str]) -> bool:
    """Is help all that is wanted?"""
    return "--help" in argv or "-h" in argv


def _require_data(name: str) -> None:
    """Refuse a name that is neither data nor a path, with the nearest recipe."""
    from pastforward.data.opening import NAMES, family

    kind = family(name)
    if kind in NAMES or Path(name).expanduser().exists() or "/" in name or "." in name:
        return
    from pastforward.errors import UsageError, nearest

    known = dict.fromkeys([*RECIPES, *NAMES])
    raise UsageError(f"There is no recipe or file '{name}'; {nearest(kind, known)}.")


def _budget(options: Options, usual: Budget) -> Budget:
    if (options.seconds, options.steps, options.tokens) == (None, None, None):
        return usual
    try:
        return Budget(options.steps, options.tokens, options.seconds)
    except ValueError as error:
        from pastforward.errors import UsageError

        raise UsageError(str(error)) from error
