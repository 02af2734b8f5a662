"""L6. Progress of a comparison: a bar on a terminal, and a line for every run that ended."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.text import Text
from typing_extensions import override

from pastforward.analysis.metrics import METRICS
from pastforward.config import RunConfig
from pastforward.report.formats import number, percent, seconds_text
from pastforward.report.summary import unit_of
from pastforward.runs.comparison.rates import best_valid
from pastforward.runs.comparison.record import Job, State, failure_of, state
from pastforward.runs.saving import read_saved
from pastforward.training.callbacks import Callback
from pastforward.training.distributed import rank
from pastforward.training.loop import Fit
from pastforward.training.progress import Bars, Lines, bars

_KNOWN = 0.01
"""Share of the work after which the time left is extrapolated from the time spent."""


class GridProgress:
    """Shows how far all runs are, and the time left."""

    def __init__(
        self, jobs: Sequence[Job], count: int, stderr: Console, after: Callable[[], object]
    ) -> None:
        """`after` is called whenever a run has ended."""
        waiting = [job for job in jobs if state(job.folder) in (State.WAITING, State.BEGUN)]
        self.stderr, self._of = stderr, len(waiting)
        self._ended, self._done, self._shares = 0, 0.0, dict[str, float]()
        self._whole = sum(amount(job.config) for job in waiting)
        self._seconds = seconds_of(waiting, count)
        self._begin, self._after = time.monotonic(), after
        self._bars = bars(stderr)
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
        self.stderr.rule(Text(str(job.trial)), align="left")

    def poll(self, running: Sequence[Job]) -> None:
        """Read how far runs in other processes are, by their metrics."""
        for job in running:
            self.at(job, share_of(job))

    def at(self, job: Job, share: float) -> None:
        """A run is so far."""
        self._shares[str(job.trial)] = share * amount(job.config)
        self._bars.update(self._task, completed=self._share(), text=self._left())

    def ended(self, job: Job) -> None:
        """A run has ended; print its outcome."""
        self._shares.pop(str(job.trial), None)
        self._done += amount(job.config)
        self._ended += 1
        self._after()
        left = f"; {self._left()}" if self._ended < self._of else ""
        self._say(f"{self._ended} of {self._of}  {job.trial}: {outcome(job)}{left}")

    @contextmanager
    def watching(self, config: RunConfig, stderr: Console) -> Iterator[Callback]:
        """Shows a run in this process: bars of its stages below that of the whole."""
        if rank() != 0:
            yield Callback()
        elif not self.stderr.is_terminal:
            yield Lines(config, stderr)
        else:
            yield Bars(config, self._bars)
            for task in self._bars.task_ids:
                if task != self._task:
                    self._bars.remove_task(task)

    def counting(self, job: Job) -> Callback:
        """A callback that moves the bar of the whole."""
        return _Counting(self, job)

    def _share(self) -> float:
        return (self._done + sum(self._shares.values())) / (self._whole or 1.0)

    def _left(self) -> str:
        share, spent = self._share(), time.monotonic() - self._begin
        if share > _KNOWN:
            return f"about {seconds_text(spent * (1.0 - share) / share)} left"
        if self._seconds is None:
            return "time left not known yet"
        return f"about {seconds_text(self._seconds - spent)} left"

    def _say(self, text: str) -> None:
        self.stderr.print(text, highlight=False, markup=False, soft_wrap=True)


class _Counting(Callback):
    """Moves the bar of the whole comparison by the steps of one run."""

    def __init__(self, progress: GridProgress, job: Job) -> None:
        self.progress, self.job = progress, job
        self._before, self._now = 0.0, 0.0

    @override
    def on_stage(self, name: str, number: int, of: int) -> None:
        stages = self.job.config.stages
        self._before, self._now = sum(s.share for s in stages[:number]), stages[number].share

    @override
    def on_step(self, fit: Fit, terms: dict[str, float], valid: float | None) -> None:
        share = min(1.0, fit.progress.share(fit.budget))
        self.progress.at(self.job, self._before + self._now * share)

    @override
    def on_end(self) -> None:
        self.progress.at(self.job, 1.0)


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
    except (OSError, ValueError, LookupError, TypeError):  # not there yet, or half a line
        return 0.0


def outcome(job: Job) -> str:
    """What came of a run, in a few words."""
    if state(job.folder) is State.FAILED:
        return f"failed, {failure_of(job.folder)}"
    if not job.trial.is_reported:
        select = job.config.fit.select
        best = best_valid(job.folder.metrics.read(), select)
        what = "loss" if select == "loss" else METRICS[select].label
        return f"{what} {number(best, 4)} on the valid split"
    saved = read_saved(job.folder.evaluation)
    student, facts = saved["evaluation"]["student"], saved["facts"]
    correct = "" if student["accuracy"] is None else f", {percent(student['accuracy'])} correct"
    loss = f"{number(student['nats'], 4)} {unit_of([student])}"
    return f"{loss}{correct}, {seconds_text(facts.get('seconds'))}"
