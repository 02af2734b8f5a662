"""L6. What a comparison is asked to be, and the configs of its runs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pastforward.baselines import BASELINES, BaselineConfig
from pastforward.cells import CELLS
from pastforward.config import Budget, RunConfig, Stage
from pastforward.data import DataConfig
from pastforward.data.opening import Opened
from pastforward.errors import UsageError, nearest
from pastforward.recipes.names import at_length
from pastforward.recipes.strategies import DEFAULT_STRATEGY
from pastforward.recipes.targets import AUTO, TARGETS
from pastforward.runs.comparison.grid import Grid, Setting, Trial, problem
from pastforward.runs.request import TrainOptions, config_for, require_cell
from pastforward.runs.sections import dial_names, with_changes


@dataclass(frozen=True)
class CompareRequest:
    """The axes of a comparison besides its tasks, and what all of its runs share."""

    cells: tuple[str, ...] = ()
    """Cells of students; the recipes' when neither cells nor networks are given. A cell that needs
    a certain number of slots keeps the same K * D numbers in them."""
    networks: tuple[str, ...] = ()
    """Baselines, of as many weights as the recipe's student."""
    methods: tuple[str, ...] = ("bptt", "smt", "smt+dmt")
    """How students are trained."""
    seeds: tuple[int, ...] = (0,)
    lengths: tuple[int, ...] = ()
    """T of tasks without a length in their name."""
    factors: tuple[float, ...] = ()
    """Factors on the recipes' learning rates that are searched first; none for no search."""
    share: float = 0.25
    """Part of the budget of each run of the search."""
    shard: str | None = None
    """'3/8': every eighth run, from the third on, is trained; all when None."""
    budget: Budget | None = None
    """The recipes' when None."""
    encoder: str | None = None
    targets: str | None = None
    """A name in `TARGETS`."""
    data: DataConfig | None = None
    """Length and options of the data."""
    changes: Mapping[str, Any] = field(default_factory=dict)
    """Fields of configs by dotted name, as for `train`; each of a run that has it."""
    opened: Opened | None = None
    """What opens the data of all configs of a task once."""


DEFAULT = CompareRequest()


@dataclass(frozen=True)
class Configs:
    """The grid of a comparison, and what its runs are trained with."""

    grid: Grid
    networks: Mapping[tuple[str, str], RunConfig]
    """By task and cell or baseline; all but the stages."""
    stages: Mapping[tuple[str, str], tuple[Stage, ...]]
    """By task and method."""

    def config(self, trial: Trial) -> RunConfig:
        """The config of one run; runs of a search get their share of the budget."""
        setting = trial.setting
        config = self.networks[setting.task, setting.cell]
        stages = self.stages[setting.task, setting.strategy]
        whole = trial.is_reported or self.grid.share == 1.0
        return replace(
            config,
            stages=tuple(replace(stage, lr=trial.factor * stage.lr) for stage in stages),
            budget=config.budget if whole else config.budget.part(self.grid.share),
            seed=trial.seed,
        )

    @property
    def sources(self) -> dict[str, str]:
        """Source of the data of every task."""
        return {task: config.data.source for (task, _), config in self.networks.items()}


def configs_for(tasks: Sequence[str], request: CompareRequest) -> Configs:
    """Grid and configs; raises `UsageError` for axes that can't be and for unknown names."""
    names, request = tasks_at_lengths(tasks, request.lengths), replace(request, opened=Opened())
    grid = Grid(
        names, cells_of(names, request), request.methods, request.seeds, request.factors,
        request.share, request.networks,
    )  # fmt: skip
    wrong = problem(grid)
    if wrong is not None:
        raise UsageError(wrong)
    for cell in grid.cells:
        require_cell(cell, "--networks")
    for network in grid.networks:
        BASELINES.require(network)
    networks = {
        (task, name): _network_config(task, name, request)
        for task in names
        for name in (*grid.cells, *grid.networks)
    }
    _require_used(request.changes, networks.values())
    stages = {
        (setting.task, setting.strategy): _stages(setting, request)
        for setting in {(s.task, s.strategy): s for s in grid.settings()}.values()
    }
    return Configs(grid, networks, stages)


def cells_of(tasks: Sequence[str], request: CompareRequest) -> tuple[str, ...]:
    """The cells asked for, or that of the first task's recipe where no network is named."""
    if request.cells or request.networks or not tasks:
        return request.cells
    return (base_config(tasks[0], request).student.cell,)


def tasks_at_lengths(tasks: Sequence[str], lengths: Sequence[int]) -> tuple[str, ...]:
    """Every task at every length, or as it is named."""
    if not lengths:
        return tuple(tasks)
    return tuple(at_length(task, length) for task in tasks for length in lengths)


def base_config(task: str, request: CompareRequest, cell: str | None = None) -> RunConfig:
    """The config of a task before any changes."""
    if request.targets == AUTO:
        raise UsageError(
            "Targets are chosen for one run: train --targets auto says which suit the data; name "
            f"them here: {', '.join(TARGETS)}."
        )
    options = TrainOptions(
        encoder=request.encoder, targets=request.targets, data=request.data, opened=request.opened
    )
    return config_for(task, DEFAULT_STRATEGY, cell, options)


def first_config(task: str, request: CompareRequest) -> tuple[RunConfig, list[str]]:
    """The config of a task with its first cell and baseline, and sections that cells don't share.

    Its dials are those that `changes` may name. Raises `UsageError` for an unknown cell.
    """
    for cell in request.cells:
        require_cell(cell, "--networks")
    config = base_config(task, request, next(iter(request.cells), None))
    if request.networks:
        config = replace(config, baseline=BaselineConfig(request.networks[0]))
    apart = len({CELLS.config_type(cell) for cell in request.cells}) > 1
    return config, ["student.cell_config"] * apart


def _network_config(task: str, name: str, request: CompareRequest) -> RunConfig:
    if name in request.networks:
        config = replace(base_config(task, request), baseline=BaselineConfig(name))
    else:
        config = base_config(task, request, name)
    known = dial_names(config)
    changes = {dial: value for dial, value in request.changes.items() if dial in known}
    config = _in_its_slots(with_changes(config, changes))
    return config if request.budget is None else replace(config, budget=request.budget)


def _in_its_slots(config: RunConfig) -> RunConfig:
    """The same K * D numbers in as many slots as the cell needs."""
    student = config.student
    needed = CELLS[student.cell].slots if student.cell in CELLS else None
    size = student.slots * student.width
    if needed in (None, student.slots) or size % needed:
        return config
    return replace(config, student=replace(student, slots=needed, width=size // needed))


def _stages(setting: Setting, request: CompareRequest) -> tuple[Stage, ...]:
    options = TrainOptions(targets=request.targets, data=request.data, opened=request.opened)
    return config_for(setting.task, setting.strategy, None, options).stages


def _require_used(changes: Mapping[str, Any], configs: Iterable[RunConfig]) -> None:
    """Raise `UsageError` for a change of something that no run has."""
    known = dict.fromkeys(name for config in configs for name in dial_names(config))
    for name in changes:
        if name not in known:
            raise UsageError(f"No run has a field '{name}'; {nearest(name, known)}.")
