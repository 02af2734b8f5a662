"""L6. What a run is asked to be: from names, data or a config to the config that is trained."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pastforward.baselines import BASELINES, BaselineConfig
from pastforward.cells import CELLS, StudentConfig
from pastforward.config import RunConfig
from pastforward.data import DataConfig
from pastforward.data.opening import MEMORY, Opened, kind_of, located, require_there
from pastforward.errors import UsageError
from pastforward.files import expanded
from pastforward.recipes import RECIPES
from pastforward.recipes.names import stem
from pastforward.recipes.resolve import for_labels, resolve
from pastforward.recipes.strategies import CURRICULUM, DEFAULT_STRATEGY, STORED_STRATEGY
from pastforward.recipes.targets import AUTO, TARGETS
from pastforward.runs.foreign import require_allowed
from pastforward.runs.sections import with_changes

if TYPE_CHECKING:
    from rich.console import Console
    from torch import nn
    from typing_extensions import TypeIs

    from pastforward.data.source import Source
    from pastforward.teacher.label_store import LabelStore
    from pastforward.training.callbacks import Callback

    What = str | Path | Source | LabelStore | RunConfig
    """What a run is trained on."""


@dataclass(frozen=True)
class TrainOptions:
    """What is rarely needed of `train`."""

    network: str | None = None
    """A name in `BASELINES`, or module:Name: trained in the student's place."""
    encoder: str | None = None
    """A name in `ENCODERS`, or an encoder of your own as module:Name."""
    targets: str | None = None
    """A name in `TARGETS`: what target memories are, and with it the recipe; 'auto' for the one
    whose teacher does best in short trials."""
    data: DataConfig | None = None
    """Length and options of the data; its `source` is what is trained on."""
    changes: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the config by dotted name: {'student.width': 64, 'cell.depth': 3}."""
    allow: Collection[str] = ()
    """Code that a label store names and that may be imported, as module:Name."""
    callbacks: Sequence[Callback] = ()
    """Called at every step, see `pastforward.training.callbacks`."""
    console: Console | None = None
    """Where progress is shown; stderr when None."""
    resume_command: str = "train(..., if_exists='resume')"
    """What messages say that a stopped run goes on with."""
    allow_new_data: bool = False
    """A run to be resumed may go on with other content of its data, by the codec of then."""
    start: nn.Module | None = None
    """A network of torch.nn whose sizes and weights the student begins with, see `from_torch`."""
    opened: Opened | None = None
    """What has opened the data for the config."""
    source: str | None = None
    """Where the data of a label store lies now; where it was when None."""


PLAIN = TrainOptions()


def config_for(
    what: What, method: str | None = None, cell: str | None = None, options: TrainOptions = PLAIN
) -> RunConfig:
    """The config of a run on a recipe's data, on data, a path, a label store, or of a config.

    Raises `UsageError` for what is nothing of these, or has no such component.
    """
    require_cell(cell, "--network")
    if isinstance(what, RunConfig) and method is not None:
        raise UsageError(f"A RunConfig, which has its own stages, was given with '{method}'.")
    strategy = method or default_method(what, options)
    if options.targets == AUTO:
        options = replace(options, targets=_chosen(what, cell, options))
    config = _base(what, strategy, cell, options)
    if method == CURRICULUM and len(config.stages) == 1:
        _say_that_it_is_plain(config, options)
    if options.network is not None:
        BASELINES.require(options.network)
        config = replace(config, baseline=BaselineConfig(options.network))
    if options.encoder not in (None, config.teacher.encoder):
        teacher = replace(config.teacher, encoder=options.encoder, encoder_config=None)
        config = replace(config, teacher=teacher)
    if options.start is not None:
        config = replace(config, student=_started(options.start, config, cell))
    store = config.label_store
    store = None if store is None else str(expanded(store).absolute())
    config = replace(config, data=located(config.data), label_store=store)
    return with_changes(config, options.changes)


def _chosen(what: What, cell: str | None, options: TrainOptions) -> str:
    from pastforward.runs.choosing import choose
    from pastforward.watching import stderr_console

    options = replace(options, opened=options.opened or Opened(), targets=next(iter(TARGETS)))
    config = _base(what, DEFAULT_STRATEGY, cell, options)  # refuses what has no targets to choose
    assert options.opened is not None
    source = options.opened(config.data) if isinstance(what, str | Path) else cast("Source", what)
    return choose(source, config, options.console or stderr_console())


def _started(module: nn.Module, config: RunConfig, cell: str | None) -> StudentConfig:
    """The module's sizes, in as many slots as the recipe has where that fits."""
    from pastforward.plain_torch import torch_config

    if cell is not None or config.baseline is not None:
        raise UsageError("A network to start from was given with a cell or baseline; give one.")
    found, slots = torch_config(module), config.student.slots
    return found if found.width % slots else torch_config(module, slots)


def _say_that_it_is_plain(config: RunConfig, options: TrainOptions) -> None:
    from pastforward.runs.training import stderr_console

    (options.console or stderr_console()).print(
        f"'{config.data.source}' has no shorter form of its task: its outputs are at the end "
        f"alone, or it is short; so {CURRICULUM} is bptt", highlight=False, markup=False,
        soft_wrap=True,
    )  # fmt: skip


def recipe_or_labels(named: str | None, labels: str | None) -> Any:
    """What the command line names: a recipe or data, or a label store, opened."""
    if labels is None and named is None:
        raise UsageError("Name a RECIPE or PATH first, as in: pastforward train digits.")
    if labels is None:
        return named
    if named is not None:
        raise UsageError(
            f"Both '{named}' and --labels were given; labels bring their data and sizes, so leave "
            "out the first."
        )
    from pastforward.teacher.label_store import open_labels

    return open_labels(labels)


def help_config(
    named: str | None, method: str | None, cell: str | None, options: TrainOptions
) -> RunConfig:
    """A config whose dials help shows: the recipe named, or digits with the data named.

    No data is opened.
    """
    recipe = named if named is not None and named in RECIPES else "digits"
    if method in (STORED_STRATEGY, CURRICULUM):  # their stages would need the data
        method = None
    options = replace(options, source=None, targets=None)
    config = config_for(recipe, method, cell, replace(options, data=None))
    task = None if options.data is None else options.data.task
    if named is None or (named == recipe and task is None):
        return config
    try:
        kind_of(named, task)
    except UsageError:
        return config
    return replace(config, data=DataConfig(named, task=task))


def require_cell(cell: str | None, option: str) -> None:
    """Raise `UsageError` for an unknown cell; `option` is where a baseline is given instead."""
    if cell in BASELINES:
        raise UsageError(f"'{cell}' is a baseline; give it as {option} {cell}.")
    if cell is not None:
        CELLS.require(cell)


def default_method(what: What, options: TrainOptions = PLAIN) -> str:
    """The strategy where none is asked for."""
    if options.network is not None:
        return "parallel"
    return STORED_STRATEGY if _is_store(what) else DEFAULT_STRATEGY


def default_name(what: What, method: str | None, config: RunConfig) -> str:
    """A run's folder: recipe or data, and strategy; with stored targets, the cell too."""
    if isinstance(what, RunConfig):
        method = "+".join(dict.fromkeys(stage.method for stage in what.stages))
    source = config.data.source.removeprefix(MEMORY)
    parts = [stem(str(what) if isinstance(what, str | Path) else source)]
    if config.baseline is not None:
        parts.append(config.baseline.name)
    else:
        parts.append(method or default_method(what))
    if config.label_store is not None:
        parts.append(config.student.cell)
    return "-".join(part.replace(":", ".") for part in parts)


def _base(what: What, method: str, cell: str | None, options: TrainOptions) -> RunConfig:
    if options.source is not None and not _is_store(what):
        raise UsageError(
            "--source says where the data of --labels lies now; without them name the path itself."
        )
    if options.targets is not None and (isinstance(what, RunConfig) or _is_store(what)):
        raise UsageError("A config and a label store have their targets; give --targets with data.")
    if isinstance(what, RunConfig):
        return _as_given(what, cell, options)
    if _is_store(what):
        config = for_labels(str(what.folder), method, cell)
        if options.source is not None:
            config = replace(config, data=replace(config.data, source=options.source))
        require_there(config.data, str(what.folder))
        given = (cell, method, options.encoder, *options.allow)
        require_allowed(config, [name for name in given if name], what.folder)
        return config
    named = str(what) if isinstance(what, Path) else what
    return resolve(named, method, cell or "mlp", options.data, options.opened, options.targets)


def _as_given(config: RunConfig, cell: str | None, options: TrainOptions) -> RunConfig:
    if options.data is not None:
        raise UsageError("A RunConfig was given with other data; change its field `data`.")
    if cell in (None, config.student.cell):
        return config
    return replace(config, student=replace(config.student, cell=cell, cell_config=None))


def _is_store(what: What) -> TypeIs[LabelStore]:
    if isinstance(what, str | Path | RunConfig):  # without torch
        return False
    from pastforward.teacher.label_store import LabelStore

    return isinstance(what, LabelStore)
