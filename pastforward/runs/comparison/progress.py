"""L6. How far a whole grid is: a bar on a terminal, and a line for every run that ended."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

from pastforward.runs.comparison.grid import SEARCH_SEED
from pastforward.runs.comparison.rates import best_valid
from pastforward.runs.comparison.record import Job, State, state
from pastforward.config import RunConfig
from pastforward.report.summary import number, percent
from pastforward.training.progress import Bars, Lines, Silent
from pastforward.training.loop import Fit
from pastforward.training.trainer import Watcher
from pastforward.training.distributed import rank

_KNOWN = 0.01
"""Part of the work after which what is left is judged by what was done."""


class GridProgress:
    """Told of every run; shows the whole with the time that is left."""

    def __init__(
        self, jobs: Sequence[Job], count: int, stderr: Console, after: Callable[[], object]
    ) -> None:
        """`after` is called whenever a run is through."""
        waiting = [job for job in jobs if state(job.folder) in (State.WAITING, State.BEGUN)]
        self.stderr, self._of = stderr, len(waiting)
        self._ended, self._done, self._shares = 0, 0.0, dict[str, float]()
        self._whole = sum(amount(job.config) for job in waiting)
        self._seconds = seconds_of(waiting, count)
        self._begin, self._after = time.monotonic(), after
        columns = (
            TextColumn("{task.description}"), BarColumn(bar_width=16), TaskProgressColumn(),
            TextColumn("{task.fields[text]}"),
        )  # fmt: skip
        self._bars = Progress(*columns, console=stderr, refresh_per_second=4)
        self._task = self._bars.add_task("all runs", total=1.0, text="")

    def __enter__(self) -> "GridProgress":
        if self.stderr.is_terminal and self._of:
            self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def kept(self, job: Job) -> None:
        """A run was there already."""
        self._say(f"{job.folder.path} is {state(job.folder).value}.")

    def begins(self, job: Job) -> None:
        """A run in this process begins."""
        self.stderr.rule(str(job.trial), align="left")

    def look(self, running: Sequence[Job]) -> None:
        """See how far runs in other processes are, by their metrics."""
        for job in running:
            self.at(job, share_of(job))

    def at(self, job: Job, share: float) -> None:
        """A run is so far."""
        self._shares[str(job.trial)] = share * amount(job.config)
        self._bars.update(self._task, completed=self._share(), text=self._left())

    def ended(self, job: Job) -> None:
        """A run is through; say what came of it."""
        self._shares.pop(str(job.trial), None)
        self._done += amount(job.config)
        self._ended += 1
        self._after()
        left = f"; {self._left()}" if self._ended < self._of else ""
        self._say(f"{self._ended} of {self._of}  {job.trial}: {outcome(job)}{left}")

    @contextmanager
    def watching(self, config: RunConfig, stderr: Console) -> Iterator[Watcher]:
        """The watcher of a run in this process; bars of its stages below the whole one."""
        if rank() != 0:
            yield Silent()
        elif not self.stderr.is_terminal:
            yield Lines(config, stderr)
        else:
            yield Bars(config, self._bars)
            for task in self._bars.task_ids:
                if task != self._task:
                    self._bars.remove_task(task)

    def counting(self, job: Job, watcher: Watcher) -> Watcher:
        """The same watcher, which also moves the bar of the whole."""
        return _Counting(self, job, watcher)

    def _share(self) -> float:
        return (self._done + sum(self._shares.values())) / (self._whole or 1.0)

    def _left(self) -> str:
        share, spent = self._share(), time.monotonic() - self._begin
        if share > _KNOWN:
            return f"about {duration(spent * (1.0 - share) / share)} left"
        if self._seconds is None:
            return "time left not known yet"
        return f"about {duration(self._seconds - spent)} left"

    def _say(self, text: str) -> None:
        self.stderr.print(text, highlight=False, soft_wrap=True)


class _Counting:
    """Passes on what it is told, and moves the bar of the whole grid."""

    def __init__(self, progress: GridProgress, job: Job, watcher: Watcher) -> None:
        self.progress, self.job, self.watcher = progress, job, watcher
        self._before, self._now = 0.0, 0.0

    def stage(self, name: str, number: int, of: int) -> None:
        """See `Watcher`."""
        stages = self.job.config.stages
        self._before, self._now = sum(s.share for s in stages[:number]), stages[number].share
        self.watcher.stage(name, number, of)

    def step(self, stage: Fit, terms: dict[str, float], valid: float | None) -> None:
        """See `Watcher`."""
        share = min(1.0, stage.progress.share(stage.budget))
        self.progress.at(self.job, self._before + self._now * share)
        self.watcher.step(stage, terms, valid)


def amount(config: RunConfig) -> float:
    """The budget, in whatever unit it has."""
    budget = config.budget
    return float(budget.steps or budget.tokens or budget.seconds or 0.0)


def seconds_of(jobs: Sequence[Job], count: int) -> float | None:
    """How long runs train, `count` at a time; None where budgets are in steps or tokens."""
    if any(job.config.budget.seconds is None for job in jobs):
        return None
    return sum(amount(job.config) for job in jobs) / count


def share_of(job: Job) -> float:
    """How far a run in another process is, by the last line of its metrics."""
    path, budget = job.folder.metrics.path, job.config.budget
    unit = "steps" if budget.steps else "tokens" if budget.tokens else "seconds"
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 4096))
            last = json.loads(file.read().splitlines()[-1])
        return min(1.0, last["step" if unit == "steps" else unit] / amount(job.config))
    except (OSError, ValueError, IndexError, KeyError):  # not there yet, or half a line
        return 0.0


def outcome(job: Job) -> str:
    """What came of a run, in a few words."""
    if state(job.folder) is State.FAILED:
        return f"failed, {json.loads(job.folder.failure.read_text())['error']}"
    if job.trial.seed == SEARCH_SEED:
        return f"{number(best_valid(job.folder.metrics.read()), 4)} nats on the valid split"
    saved = json.loads(job.folder.evaluation.read_text())
    student, facts = saved["evaluation"]["student"], saved["facts"]
    right = "" if student["accuracy"] is None else f", {percent(student['accuracy'])} right"
    return f"{number(student['nats'], 4)} nats{right}, {facts['seconds']:.3g} s"


def duration(seconds: float) -> str:
    """Seconds as people say them."""
    seconds = max(0.0, seconds)
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
