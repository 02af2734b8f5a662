"""L5. From what a user names (a recipe, data, a path, module:Name) to a run's config."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pastforward.config import RunConfig
from pastforward.data import DataConfig
from pastforward.data.opening import MEMORY, family, known_names
from pastforward.errors import UsageError, nearest
from pastforward.recipes import RECIPES
from pastforward.recipes.auto import for_data, for_source
from pastforward.recipes.strategies import DEFAULT_STRATEGY
from pastforward.registry import import_target, is_foreign

if TYPE_CHECKING:
    from pastforward.data.source import Source


def resolve(
    what: str | Source,
    strategy: str = DEFAULT_STRATEGY,
    cell: str = "mlp",
    data: DataConfig | None = None,
) -> RunConfig:
    """The config for a recipe, a name of data, a path, `module:Name`, or a source.

    `module:Name` is a recipe, a function (strategy, cell) -> RunConfig, or a source of data. `data`
    holds further dials of the data; its `source` is replaced by what was named. Raises `UsageError`
    for what is nothing of these.
    """
    if not isinstance(what, str):
        return for_source(what, DataConfig(MEMORY + what.name), strategy, cell)
    if what in RECIPES:
        return RECIPES.load(what)(strategy, cell)
    described = DataConfig(what) if data is None else _named(data, what)
    if is_foreign(what) and not _is_data(what):
        found = import_target(what)
        if not _is_source(found):
            return _own_recipe(what, found, strategy, cell)
    _require_data(what)
    return for_data(described, strategy, cell)


def _named(data: DataConfig, what: str) -> DataConfig:
    return DataConfig(what, data.length, data.options)


def _own_recipe(name: str, recipe: Callable[..., Any], strategy: str, cell: str) -> RunConfig:
    found = recipe(strategy, cell) if callable(recipe) else recipe
    if not isinstance(found, RunConfig):
        raise UsageError(
            f"'{name}' gave {type(found).__name__} where a RunConfig was expected; make it a "
            "function (strategy, cell) -> RunConfig, or a Source."
        )
    return found


def _is_source(found: Any) -> bool:
    """Is it data: a Source class, or a function that says it returns one?"""
    from pastforward.data.source import Source

    if isinstance(found, type):
        return issubclass(found, Source)
    hint = getattr(found, "__annotations__", {}).get("return")
    named = hint.rpartition(".")[2] if isinstance(hint, str) else getattr(hint, "__name__", "")
    return named.endswith("Source")


def _is_data(name: str) -> bool:
    return family(name) in known_names()


def _require_data(name: str) -> None:
    """Refuse a name that is neither data nor a path, with the nearest recipe."""
    known = known_names()
    if _is_data(name) or Path(name).expanduser().exists() or {"/", "."} & set(name):
        return
    if is_foreign(name):
        return
    choices = dict.fromkeys([*RECIPES, *known])
    raise UsageError(f"There is no recipe or file '{name}'; {nearest(family(name), choices)}.")
