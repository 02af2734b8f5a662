"""L6. The plan of a comparison: its runs, checked together before the first one is trained."""

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pastforward.config import Budget
from pastforward.errors import UsageError
from pastforward.report.formats import seconds_text
from pastforward.runs.comparison.grid import Grid, Setting, Trial
from pastforward.runs.comparison.progress import seconds_of
from pastforward.runs.comparison.rates import Choice, best_valid
from pastforward.runs.comparison.record import Job, State, folder_of, holds_grid, read_record, state
from pastforward.runs.comparison.request import Configs
from pastforward.runs.training import is_finished
from pastforward.training.check import check
from pastforward.training.folder import IfExists, RunFolder
from pastforward.training.trainer import Trainer


@dataclass(frozen=True)
class Plan:
    """Runs of a comparison: those that search learning rates, and those that are reported."""

    root: Path
    grid: Grid
    searches: Sequence[Job]
    jobs: Sequence[Job]

    @property
    def all(self) -> list[Job]:
        """All runs, in the order of training."""
        return [*self.searches, *self.jobs]


@dataclass(frozen=True)
class Shard:
    """Part `number`, from 1, of a grid that is cut in `of` parts: every `of`-th run.

    Where rates are searched, every `of`-th line of the table, with its searches.
    """

    number: int
    of: int

    def part(self, plan: Plan) -> Plan:
        """The runs of this part."""
        jobs = plan.jobs[self.number - 1 :: self.of]
        if plan.searches:
            own = set(plan.grid.settings()[self.number - 1 :: self.of])
            jobs = [job for job in plan.jobs if job.trial.setting in own]
        else:
            own = set()
        searches = [job for job in plan.searches if job.trial.setting in own]
        return replace(plan, jobs=jobs, searches=searches)


def shard_of(text: str) -> Shard:
    """'3/8' as a `Shard`; raises `UsageError` for anything else."""
    number, _, of = text.partition("/")
    if not (number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of)):
        raise UsageError(
            f"--shard is '{text}'; give a part and their number, from 1/N to N/N, as in 3/8."
        )
    return Shard(int(number), int(of))


def plan_of(configs: Configs, root: Path) -> Plan:
    """What is trained, with which configs, and where."""

    def job(trial: Trial) -> Job:
        return Job(trial, configs.config(trial), folder_of(root, configs.grid, trial))

    grid = configs.grid
    return Plan(root, grid, list(map(job, grid.searches())), list(map(job, grid.trials())))


def plan_text(plan: Plan, count: int) -> str:
    """How many runs, of what, and for how long, with `count` at a time."""
    grid = plan.grid
    axes = (
        ("task", grid.tasks), ("cell", grid.cells), ("network", grid.networks),
        ("method", grid.strategies if grid.cells else ()), ("seed", grid.seeds),
    )  # fmt: skip
    parts = [f"{what}{'s' * (len(of) > 1)} {' '.join(map(str, of))}" for what, of in axes if of]
    lines = [f"{_runs(plan.jobs)}: {', '.join(parts)}"]
    if plan.searches:
        factors = ", ".join(f"{factor:g}" for factor in grid.factors)
        lines.append(f"before them {_runs(plan.searches)} to find rates: the recipe's x {factors}")
    waiting = [job for job in plan.all if state(job.folder) in (State.WAITING, State.BEGUN)]
    if len(waiting) < len(plan.all):
        lines.append(f"{len(plan.all) - len(waiting)} of them are there already")
    seconds = seconds_of(waiting, count)
    unknown = "unknown until some of it is done, as the budget is not in seconds"
    time = unknown if seconds is None else f"about {seconds_text(seconds)}, and evaluation"
    cores = os.cpu_count() or 1
    shared = f" on {cores} cores, which they share" if count > cores else ""
    lines.append(f"time: {time}; {count} at a time{shared}")
    return "\n".join(lines)


def check_plan(plan: Plan, count: int, if_exists: IfExists) -> None:
    """Raise, before the first run is trained, the `UsageError` that any of them would raise."""
    if count < 1:
        raise UsageError(f"--jobs is {count}; give 1 or more.")
    if count > 1 and os.environ.get("WORLD_SIZE", "1") != "1":
        raise UsageError("--jobs was given under torchrun; leave out one of them.")
    networks = set()
    for job in plan.jobs:
        check(job.config)
        kind = (job.trial.setting.task, job.trial.setting.cell)
        if kind not in networks:
            networks.add(kind)
            Trainer(job.config, job.folder)
    if not plan.jobs:
        raise UsageError("This --shard of the grid holds no run; give fewer parts.")
    if plan.searches and not plan.jobs[0].config.fit.evaluations:
        raise UsageError("--search compares rates by held-out figures; give --fit.evaluations 1.")
    _require_room(plan, if_exists)
    if if_exists is IfExists.RESUME:
        _require_same(plan)


def clear(jobs: Sequence[Job]) -> None:
    """Remove runs that are to be replaced, all at once, so that none of them is taken for new."""
    for job in jobs:
        if job.folder.is_run:
            shutil.rmtree(job.folder.path)


def choices_of(searches: Sequence[Job]) -> list[Choice]:
    """What the search found so far, by setting."""
    found: dict[Setting, dict[float, float | None]] = {}
    select = searches[0].config.fit.select if searches else "loss"
    for job in searches:
        ended = state(job.folder) is State.FINISHED
        best = best_valid(job.folder.metrics.read(), select) if ended else None
        found.setdefault(job.trial.setting, {})[job.trial.factor] = best
    return [Choice(setting, of, select) for setting, of in found.items()]


def with_factors(jobs: Sequence[Job], choices: Sequence[Choice]) -> list[Job]:
    """The jobs with the learning rates found; with the recipe's where every search failed."""
    factors = {choice.setting: choice.factor for choice in choices}
    return [_with_factor(job, factors) for job in jobs]


def _with_factor(job: Job, factors: Mapping[Setting, float | None]) -> Job:
    factor = factors.get(job.trial.setting) or 1.0
    stages = tuple(replace(stage, lr=factor * stage.lr) for stage in job.config.stages)
    return job._replace(config=replace(job.config, stages=stages))


def _require_room(plan: Plan, if_exists: IfExists) -> None:
    if RunFolder(plan.root).config.exists():
        raise UsageError(f"{plan.root} already holds a single run; choose another --name.")
    taken = [job.folder.path for job in plan.all if job.folder.path.exists()]
    if taken and if_exists is IfExists.REFUSE:
        raise UsageError(
            f"{taken[0]} already holds a run; add --resume to go on with it, --overwrite to "
            "replace it, or choose another --name."
        )
    if if_exists is IfExists.RESUME:
        _require_begun(plan)
    for job in plan.all:
        if job.folder.is_foreign:
            raise UsageError(f"{job.folder.path} was made by no run; choose another --name.")


def _require_begun(plan: Plan) -> None:
    """Search and folders of what is there must be those that are asked for."""
    root, grid = plan.root, plan.grid
    if not root.exists():
        raise UsageError(f"{root} holds no comparison to resume; leave out --resume.")
    if not holds_grid(root):
        return
    begun = read_record(root).grid
    if (begun.plain, begun.factors, begun.share) != (grid.plain, grid.factors, grid.share):
        raise UsageError(
            f"{root} was begun with another --search, or for one task, cell and seed alone; "
            "choose another --name."
        )


def _require_same(plan: Plan) -> None:
    """Raise `UsageError` for a run that was begun with other options."""
    jobs, ended = plan.jobs, {State.FINISHED, State.FAILED}
    begun = [job for job in plan.searches if job.folder.config.exists()]
    if all(state(job.folder) in ended for job in plan.searches):
        jobs = with_factors(jobs, choices_of(plan.searches))
        begun += [job for job in jobs if job.folder.config.exists()]
    for job in begun:
        is_finished(job.config, job.folder)


def _runs(jobs: Sequence[Job]) -> str:
    budgets = {_budget_text(job.config.budget) for job in jobs}
    each = f" of {budgets.pop()}" if len(budgets) == 1 else ""
    return f"{len(jobs)} run{'s' * (len(jobs) > 1)}{each}"


def _budget_text(budget: Budget) -> str:
    if budget.seconds is not None:
        return seconds_text(budget.seconds)
    return f"{budget.steps:,} optimiser steps" if budget.steps else f"{budget.tokens:,} tokens"
