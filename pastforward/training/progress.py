"""L4. Progress of a run: bars on a terminal, a line now and then elsewhere, none on rank > 0."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn
from typing_extensions import override

from pastforward.analysis.metrics import METRICS
from pastforward.config import RunConfig
from pastforward.methods import SMTConfig
from pastforward.methods import facts as method_facts
from pastforward.report.formats import seconds_text
from pastforward.training.callbacks import Callback
from pastforward.training.distributed import rank
from pastforward.training.loop import Fit

LINE_EVERY = 10.0
"""Seconds between lines where there is no terminal."""
_BAR_EVERY = 0.25
_SMOOTH = 0.95


@dataclass
class _Reader:
    """Turns steps into text; the loss is a running mean, as single steps fluctuate."""

    config: RunConfig
    number: int = 0
    loss: float | None = None

    @property
    def _metric(self) -> str:
        """The metric that selects students, where it isn't the loss."""
        select = self.config.fit.select
        return "" if select == "loss" else f"{METRICS[select].label} "

    def begin(self, number: int) -> None:
        self.number, self.loss = number, None

    def add(self, terms: dict[str, float]) -> None:
        last = terms["loss"]
        self.loss = last if self.loss is None else _SMOOTH * self.loss + (1 - _SMOOTH) * last

    def read(self, fit: Fit, valid: float | None) -> tuple[float, str]:
        """Share of the stage that is done, and what to say of it."""
        share = min(1.0, fit.progress.share(fit.budget))
        shown = [f"loss {self.loss or 0.0:.3f}"]
        if valid is not None:
            shown.append(f"held-out {self._metric}{valid:.3f}")
        shown += [self._speed(fit), f"{seconds_text(self._left(fit, share))} left"]
        return share, "  ".join(shown)

    def _speed(self, fit: Fit) -> str:
        """Target memories for methods that have them, else tokens, per second of training."""
        rate = fit.progress.tokens / max(fit.progress.seconds, 1e-9)
        facts = method_facts(self.config.stages[self.number].method)
        length = fit.source.signature.length
        used = self.config.smt.transitions or length if facts.config is SMTConfig else length
        rate *= used / length
        short = f"{rate / 1000:.1f}k" if rate >= 1000 else f"{rate:.0f}"
        return f"{short} {facts.unit}/s"

    def _left(self, fit: Fit, share: float) -> float:
        """Seconds until the whole run ends, if the other stages go as this one does."""
        part = self.config.stages[self.number].share
        done = sum(s.share for s in self.config.stages[: self.number]) + part * share
        return fit.progress.seconds / max(part * share, 1e-9) * max(0.0, 1.0 - done)


class Lines(Callback):
    """A line at the start of a stage and every `LINE_EVERY` seconds."""

    def __init__(self, config: RunConfig, console: Console) -> None:
        self._reader, self._console = _Reader(config), console
        self._shown = 0.0

    @override
    def on_stage(self, name: str, number: int, of: int) -> None:
        self._reader.begin(number)
        self._shown = time.monotonic()
        self._say(f"stage {number + 1} of {of}: {name}")

    @override
    def on_step(self, fit: Fit, terms: dict[str, float], valid: float | None) -> None:
        self._reader.add(terms)
        if time.monotonic() - self._shown < LINE_EVERY:
            return
        self._shown = time.monotonic()
        share, text = self._reader.read(fit, valid)
        self._say(f"  {100 * share:3.0f}%  {text}")

    def _say(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


class Bars(Callback):
    """A bar for every stage."""

    def __init__(self, config: RunConfig, progress: Progress) -> None:
        self._reader, self._progress = _Reader(config), progress
        self._task: TaskID | None = None
        self._shown = 0.0

    @override
    def on_stage(self, name: str, number: int, of: int) -> None:
        if self._task is not None:
            self._progress.update(self._task, completed=1.0)
        self._reader.begin(number)
        title = f"{number + 1}/{of} {name}"
        self._task = self._progress.add_task(title, total=1.0, text="preparing")

    @override
    def on_step(self, fit: Fit, terms: dict[str, float], valid: float | None) -> None:
        self._reader.add(terms)
        ending = fit.progress.share(fit.budget) >= 1.0
        if self._task is None or (time.monotonic() - self._shown < _BAR_EVERY and not ending):
            return
        self._shown = time.monotonic()
        share, text = self._reader.read(fit, valid)
        self._progress.update(self._task, completed=share, text=text)


@contextmanager
def progress(config: RunConfig, console: Console) -> Iterator[Callback]:
    """The callback that suits the console and this rank."""
    if rank() != 0:
        yield Callback()
    elif not console.is_terminal:
        yield Lines(config, console)
    else:
        with bars(console) as shown:
            yield Bars(config, shown)


def bars(console: Console) -> Progress:
    """Bars with a line of text beside each."""
    kinds = "{task.description}", "{task.fields[text]}"
    title, text = (TextColumn(kind, markup=False) for kind in kinds)
    columns = title, BarColumn(bar_width=16), TaskProgressColumn(), text
    return Progress(*columns, console=console, refresh_per_second=4)
