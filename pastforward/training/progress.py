"""L4. Watchers of a run: bars on a terminal, a line now and then elsewhere, nothing on rank > 0."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn

from pastforward.config import RunConfig
from pastforward.training.distributed import rank
from pastforward.training.loop import Fit
from pastforward.training.trainer import Watcher

LINE_EVERY = 10.0
"""Seconds between lines where there is no terminal."""
_BAR_EVERY = 0.25
_SMOOTH = 0.95


class _State(NamedTuple):
    """What is shown of a stage under way."""

    share: float
    text: str


class Silent:
    """Says nothing."""

    def stage(self, name: str, number: int, of: int) -> None:
        """See `Watcher`."""

    def step(self, stage: Fit, terms: dict[str, float], valid: float | None) -> None:
        """See `Watcher`."""


@dataclass
class _Reader:
    """Turns steps into what is shown; the loss is a running mean, as single steps jump about."""

    config: RunConfig
    number: int = 0
    name: str = ""
    loss: float | None = None

    def begin(self, name: str, number: int) -> None:
        self.name, self.number, self.loss = name, number, None

    def read(self, stage: Fit, terms: dict[str, float]) -> None:
        last = terms["loss"]
        self.loss = last if self.loss is None else _SMOOTH * self.loss + (1 - _SMOOTH) * last

    def state(self, stage: Fit, valid: float | None) -> _State:
        share = min(1.0, stage.progress.share(stage.budget))
        shown = [f"loss {self.loss or 0.0:.3f}"]
        if valid is not None:
            shown.append(f"held-out {valid:.3f}")
        shown += [self._speed(stage), f"{_clock(self._left(stage, share))} left"]
        return _State(share, "  ".join(shown))

    def _speed(self, stage: Fit) -> str:
        """Labels for methods that have them, else tokens, per second of training."""
        rate = stage.progress.tokens / max(stage.progress.seconds, 1e-9)
        if "bptt" in self.name:
            return f"{_short(rate)} tokens/s"
        length = stage.source.signature.length
        used = length if "dmt" in self.name else self.config.smt.transitions or length
        return f"{_short(rate * used / length)} labels/s"

    def _left(self, stage: Fit, share: float) -> float:
        """Seconds until the whole run ends, if the other stages go as this one does."""
        part = self.config.stages[self.number].share
        done = sum(s.share for s in self.config.stages[: self.number]) + part * share
        return stage.progress.seconds / max(part * share, 1e-9) * max(0.0, 1.0 - done)


class Lines:
    """A line at the start of a stage and every `LINE_EVERY` seconds."""

    def __init__(self, config: RunConfig, console: Console) -> None:
        self._reader, self._console = _Reader(config), console
        self._shown = 0.0

    def stage(self, name: str, number: int, of: int) -> None:
        """See `Watcher`."""
        self._reader.begin(name, number)
        self._shown = time.monotonic()
        self._console.print(f"stage {number + 1} of {of}: {name}", highlight=False)

    def step(self, stage: Fit, terms: dict[str, float], valid: float | None) -> None:
        """See `Watcher`."""
        self._reader.read(stage, terms)
        if time.monotonic() - self._shown < LINE_EVERY:
            return
        self._shown = time.monotonic()
        share, text = self._reader.state(stage, valid)
        self._console.print(f"  {100 * share:3.0f}%  {text}", highlight=False, soft_wrap=True)


class Bars:
    """A bar for every stage."""

    def __init__(self, config: RunConfig, progress: Progress) -> None:
        self._reader, self._progress = _Reader(config), progress
        self._task: TaskID | None = None
        self._shown = 0.0

    def stage(self, name: str, number: int, of: int) -> None:
        """See `Watcher`."""
        if self._task is not None:
            self._progress.update(self._task, completed=1.0)
        self._reader.begin(name, number)
        title = f"{number + 1}/{of} {name}"
        self._task = self._progress.add_task(title, total=1.0, text="preparing")

    def step(self, stage: Fit, terms: dict[str, float], valid: float | None) -> None:
        """See `Watcher`."""
        self._reader.read(stage, terms)
        ending = stage.progress.share(stage.budget) >= 1.0
        if self._task is None or (time.monotonic() - self._shown < _BAR_EVERY and not ending):
            return
        self._shown = time.monotonic()
        share, text = self._reader.state(stage, valid)
        self._progress.update(self._task, completed=share, text=text)


@contextmanager
def make_watcher(config: RunConfig, console: Console) -> Iterator[Watcher]:
    """The watcher that suits the console and this rank."""
    if rank() != 0:
        yield Silent()
    elif not console.is_terminal:
        yield Lines(config, console)
    else:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=16),
            TaskProgressColumn(),
            TextColumn("{task.fields[text]}"),
        )
        with Progress(*columns, console=console, refresh_per_second=4) as progress:
            yield Bars(config, progress)


def _short(value: float) -> str:
    return f"{value / 1000:.1f}k" if value >= 1000 else f"{value:.0f}"


def _clock(seconds: float) -> str:
    whole = round(seconds)
    if whole >= 3600:
        return f"{whole // 3600}h{whole % 3600 // 60:02d}"
    return f"{whole // 60}:{whole % 60:02d}"
