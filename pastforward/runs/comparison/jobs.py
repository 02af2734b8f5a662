"""L6. The runs of a grid: checked together, then trained one by one or several at a time."""

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from rich.console import Console

from pastforward.cli.compare_options import Comparison
from pastforward.runs.comparison.progress import GridProgress
from pastforward.runs.running import attempt, finished
from pastforward.runs.comparison.workers import run_workers
from pastforward.runs.comparison.grid import Grid, Setting, Trial
from pastforward.runs.comparison.rates import Choice, best_valid, write_rates
from pastforward.runs.comparison.record import Job, State, folder_of, holds_grid, read_record, state
from pastforward.config import RunConfig
from pastforward.training.folder import IfExists, RunFolder
from pastforward.training.trainer import Trainer, Watcher
from pastforward.training.check import check
from pastforward.training.distributed import rank
from pastforward.errors import UsageError


def jobs_for(
    asked: Comparison, root: Path, trials: Sequence[Trial], share: float = 1.0
) -> list[Job]:
    """What each trial is trained with, and where."""
    return [
        Job(trial, asked.config(trial, share), folder_of(root, asked.grid, trial))
        for trial in trials
    ]


def check_all(
    root: Path, asked: Comparison, searches: Sequence[Job], jobs: Sequence[Job], if_exists: IfExists
) -> None:
    """Refuse, before the first run is trained, what the last of them would refuse."""
    if asked.options.jobs > 1 and os.environ.get("WORLD_SIZE", "1") != "1":
        raise UsageError("--jobs was given under torchrun; leave out one of them.")
    networks = set()
    for job in jobs:
        check(job.config)
        kind = (job.trial.setting.task, job.trial.setting.cell)
        if kind not in networks:
            networks.add(kind)
            Trainer(job.config, job.folder)
    if searches and not jobs[0].config.fit.evaluations:
        raise UsageError("--search judges rates by held-out losses; give --fit.evaluations 1.")
    _require_room(root, asked.grid, [*searches, *jobs], if_exists)
    if if_exists is IfExists.RESUME:
        _require_same(searches, jobs)


def clear(jobs: Sequence[Job]) -> None:
    """Remove runs that are to be replaced, all at once: what is found later is from this time."""
    if rank() == 0:
        for job in jobs:
            if job.folder.is_run:
                shutil.rmtree(job.folder.path)


def run_jobs(jobs: Sequence[Job], count: int, progress: GridProgress, resume_command: str) -> None:
    """Train what isn't finished yet; raises `Stopped`, with all saved, when asked to."""
    done = [job for job in jobs if state(job.folder) in (State.FINISHED, State.FAILED)]
    for job in done:
        progress.kept(job)
    waiting = [job for job in jobs if job not in done]
    if count > 1:
        run_workers(waiting, count, progress, resume_command)
        return
    for job in waiting:
        progress.begins(job)
        attempt(job.config, job.folder, progress.stderr, resume_command, partial(_watching, progress, job))
        progress.ended(job)


def searched(root: Path, searches: Sequence[Job]) -> dict[Setting, float | None]:
    """The factor that won for every setting, written to rates.json; empty without a search."""
    choices = _choices(searches)
    if choices and rank() == 0:
        write_rates(root, choices)
    return _factors(choices)


def with_factors(jobs: Sequence[Job], factors: Mapping[Setting, float | None]) -> list[Job]:
    """The jobs with the rates that were found; where all of them failed, the recipe's."""
    return [_with_factor(job, factors.get(job.trial.setting) or 1.0) for job in jobs]


def _choices(searches: Sequence[Job]) -> list[Choice]:
    losses: dict[Setting, dict[float, float | None]] = {}
    for job in searches:
        ended = state(job.folder) is State.FINISHED
        found = best_valid(job.folder.metrics.read()) if ended else None
        losses.setdefault(job.trial.setting, {})[job.trial.factor] = found
    return [Choice(setting, found) for setting, found in losses.items()]


def _factors(choices: Sequence[Choice]) -> dict[Setting, float | None]:
    return {choice.setting: choice.factor for choice in choices}


def _with_factor(job: Job, factor: float) -> Job:
    stages = tuple(replace(stage, lr=factor * stage.lr) for stage in job.config.stages)
    return job._replace(config=replace(job.config, stages=stages))


@contextmanager
def _watching(
    progress: GridProgress, job: Job, config: RunConfig, stderr: Console
) -> Iterator[Watcher]:
    with progress.watching(config, stderr) as watcher:
        yield progress.counting(job, watcher)


def _require_room(root: Path, grid: Grid, jobs: Sequence[Job], if_exists: IfExists) -> None:
    if RunFolder(root).config.exists():
        raise UsageError(f"{root} already holds a single run; choose another --name.")
    taken = [job.folder.path for job in jobs if job.folder.path.exists()]
    if taken and if_exists is IfExists.REFUSE:
        raise UsageError(
            f"{taken[0]} already holds a run; add --resume to go on with it, --overwrite to "
            "replace it, or choose another --name."
        )
    if if_exists is IfExists.RESUME:
        _require_begun(root, grid)
    for job in jobs:
        if job.folder.is_foreign:
            raise UsageError(f"{job.folder.path} was made by no run; choose another --name.")


def _require_begun(root: Path, grid: Grid) -> None:
    """Rates and places of what is there must be those that are asked for."""
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


def _require_same(searches: Sequence[Job], jobs: Sequence[Job]) -> None:
    """What was begun must have been begun with the same options."""
    begun = [job for job in searches if job.folder.config.exists()]
    through = {State.FINISHED, State.FAILED}
    if all(state(job.folder) in through for job in searches):
        jobs = with_factors(jobs, _factors(_choices(searches)))
        begun += [job for job in jobs if job.folder.config.exists()]
    for job in begun:
        finished(job.config, job.folder)
