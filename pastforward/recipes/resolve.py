"""L5. From what a user names (a recipe, data, a path, module:Name) to a run's config."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pastforward.cells import CELLS
from pastforward.config import RunConfig
from pastforward.data import DataConfig, ImageConfig
from pastforward.data.opening import MEMORY, Opened, family, kind_of, known_names, located
from pastforward.errors import UsageError, nearest
from pastforward.files import expanded
from pastforward.recipes import RECIPES
from pastforward.recipes.labelled import READOUT, labelled
from pastforward.recipes.real_data import flow, pixels
from pastforward.recipes.series import series
from pastforward.recipes.strategies import (
    CURRICULUM,
    DEFAULT_STRATEGY,
    STORED_SHARES,
    STORED_STRATEGY,
    stages,
    with_curriculum,
)
from pastforward.recipes.targets import facts_of, for_targets
from pastforward.recipes.tasks import for_task
from pastforward.registry import import_target, is_foreign

if TYPE_CHECKING:
    from pastforward.data.source import Source

LONGEST = 256
"""Pixels above which images are averaged down, where the user didn't say how far."""
_FEWEST = 4
"""Pixels that are left in either direction."""
STORED_RATES = {"teacher": 2e-3, "smt": 2e-3, "dmt": 1e-3, "bptt": 1e-3}
"""With a label store, where the run that wrote it has no rate."""


def resolve(
    what: str | Source,
    strategy: str = DEFAULT_STRATEGY,
    cell: str = "mlp",
    data: DataConfig | None = None,
    opened: Opened | None = None,
    targets: str | None = None,
) -> RunConfig:
    """The config for a recipe, a name of data, a path, `module:Name`, or a source.

    `module:Name` is a recipe, a function (strategy, cell) -> RunConfig, or a source of data. `data`
    holds further dials of the data; its `source` is replaced by what was named. `opened` keeps the
    data for whoever trains on it. `targets` is a name in `TARGETS`, whose recipe is taken then.
    Raises `UsageError` for what is nothing of these.
    """
    if not isinstance(what, str):
        return for_source(what, DataConfig(MEMORY + what.name), strategy, cell, targets)
    if what in RECIPES and targets is not None:
        return for_data(RECIPES.load(what)().data, strategy, cell, opened, targets)
    if what in RECIPES and (data is None or data.task is None):
        return _unfolded(RECIPES.load(what)(strategy, cell), strategy)
    if is_foreign(what) and family(what) not in known_names():
        found = import_target(what)
        if not _is_source(found):
            if targets is not None:
                raise UsageError(f"'{what}' is a recipe, with targets of its own; name data.")
            return _unfolded(_own_recipe(what, found, strategy, cell), strategy)
    _require_data(what)
    described = DataConfig(what) if data is None else replace(data, source=what)
    return for_data(described, strategy, cell, opened, targets)


def for_data(
    data: str | DataConfig, strategy: str = DEFAULT_STRATEGY, cell: str = "mlp",
    opened: Opened | None = None, targets: str | None = None,
) -> RunConfig:  # fmt: skip
    """A config for a path or a name of data, or for data described further.

    Raises `UsageError` when there is no such data or it can't be read.
    """
    opened = opened or Opened()
    data = DataConfig(data) if isinstance(data, str) else data
    kind_of(data.source, data.task)  # that there is no such data is told by the name given
    data = located(data)
    smaller = _averaged(opened(data), data)
    data = smaller or data
    source = opened(data)
    return for_source(source, data, strategy, cell, targets)


def for_source(
    source: Source, data: DataConfig, strategy: str = DEFAULT_STRATEGY, cell: str = "mlp",
    targets: str | None = None,
) -> RunConfig:  # fmt: skip
    """A config for a source that is open already; `data` says what it is.

    By the kind of data, or with the targets named.
    """
    if targets is None:
        return _unfolded(_for_kind(source, data, strategy, cell), strategy, source)
    found = for_targets(targets, facts_of(source, data), strategy, cell)
    return _unfolded(found, strategy, source)


def _for_kind(source: Source, data: DataConfig, strategy: str, cell: str) -> RunConfig:
    from pastforward.data.codec import ForecastCodec, LabelCodec, PixelCodec
    from pastforward.data.tasks.source import TaskSource
    from pastforward.types import Tokens

    if isinstance(source, TaskSource):
        return for_task(source.task, data, strategy, cell)
    if isinstance(source.codec, LabelCodec):
        length, counted = source.signature.length, source.batch(0, 0, 8).mask.sum(1).max()
        return labelled(data, length, strategy, cell, at_end=4 * int(counted) <= length)
    length, kind = source.signature.length, source.signature.outputs
    # 32 holds a few classes of symbols; large vocabularies and many channels get 64.
    width = 64 if (kind.size if isinstance(kind, Tokens) else kind.width) > 64 else 32
    if isinstance(source.codec, PixelCodec):
        return pixels(data, (length, source.codec.width), strategy, cell, width)
    if isinstance(source.codec, ForecastCodec):
        return series(data, length, strategy, cell, width)
    return flow(data, length, strategy, cell, width)


def for_labels(folder: str, strategy: str = STORED_STRATEGY, cell: str | None = None) -> RunConfig:
    """A config for a label store: a student alone, sizes and by default cell as in its run.

    Raises `UsageError` when there is no such store.
    """
    from pastforward.teacher.label_store import read_store

    facts, _ = read_store(expanded(folder))
    run, memory = facts.config, facts.memory
    student = replace(run.student, slots=memory.slots, width=memory.width)
    if cell is not None and cell != student.cell:
        # The run's dials of its cell stay where the new cell has dials of the same kind.
        known = cell in CELLS and student.cell in CELLS
        alike = known and CELLS[cell].config is CELLS[student.cell].config
        student = replace(student, cell=cell, cell_config=student.cell_config if alike else None)
    config = replace(
        run,
        student=student,
        smt=replace(run.smt, consistency=0.0),  # it would need the decoder
        # No teacher's stage teaches a readout.
        dmt=replace(run.dmt, readout=run.dmt.readout or READOUT),
        stages=stages(strategy, STORED_RATES | {s.method: s.lr for s in run.stages}, STORED_SHARES),
        label_store=folder,
    )
    return _unfolded(config, strategy)


def _unfolded(config: RunConfig, strategy: str, source: Source | None = None) -> RunConfig:
    """The config with all stages of a strategy whose stages depend on the data."""
    if strategy != CURRICULUM:
        return config
    from pastforward.data.opening import open_data

    return with_curriculum(config, source or open_data(config.data))


def _averaged(source: Source, data: DataConfig) -> DataConfig | None:
    """The same images averaged down to at most `LONGEST` pixels, where they are larger."""
    from pastforward.data.codec import PixelCodec

    given = data.options or ImageConfig()
    if not isinstance(source.codec, PixelCodec) or data.length is not None:
        return None
    if not isinstance(given, ImageConfig) or given.pool != 1:
        return None
    pool = _pool(source.codec.height, source.codec.width)
    return None if pool == 1 else replace(data, options=replace(given, pool=pool))


def _pool(height: int, width: int) -> int:
    """The least factor that brings images to `LONGEST` pixels and leaves something to see."""
    factors = range(1, min(height, width) // _FEWEST + 1)
    fitting = (p for p in factors if height % p == 0 and width % p == 0)
    return next((p for p in fitting if height * width <= LONGEST * p * p), 1)


def _own_recipe(name: str, recipe: Any, strategy: str, cell: str) -> RunConfig:
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


def _require_data(name: str) -> None:
    """Refuse a name that is neither data nor a path, with the nearest recipe."""
    known = known_names()
    path = expanded(name).exists() or {"/", "."} & set(name)
    if family(name) not in known and not path and not is_foreign(name):
        choices = dict.fromkeys([*RECIPES, *known])
        raise UsageError(f"There is no recipe or file '{name}'; {nearest(family(name), choices)}.")
