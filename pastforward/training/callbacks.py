"""L4. Callbacks: who is told how training goes. And Ctrl-C and SIGTERM as a request to stop."""

import signal
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from typing_extensions import override

from pastforward.data.files import optional_package
from pastforward.errors import UsageError

if TYPE_CHECKING:
    from pastforward.training.loop import Fit


class Callback:
    """Told of every stage and step. Derive from it and override what you need."""

    def on_stage(self, name: str, number: int, of: int) -> None:
        """Stage `number` of `of`, counted from 0, begins."""

    def on_step(self, fit: "Fit", terms: dict[str, float], valid: float | None) -> None:
        """An optimiser step was taken.

        `terms` are its losses by name, and after a step with an evaluation its figures: 'valid',
        the held-out loss, and 'valid_NAME' where `FitConfig.select` names another metric. `valid`
        is that metric of the last evaluation, the loss where none is named; None before the first.
        """

    def on_end(self) -> None:
        """Training is over or was stopped."""


class Callbacks(Callback):
    """Several callbacks as one, in their order."""

    def __init__(self, each: Iterable[Callback]) -> None:
        self.each = tuple(each)

    @override
    def on_stage(self, name: str, number: int, of: int) -> None:
        for one in self.each:
            one.on_stage(name, number, of)

    @override
    def on_step(self, fit: "Fit", terms: dict[str, float], valid: float | None) -> None:
        for one in self.each:
            one.on_step(fit, terms, valid)

    @override
    def on_end(self) -> None:
        for one in self.each:
            one.on_end()


class Scalars(Callback, ABC):
    """Abstract: writes losses, gradient norm and held-out losses against optimiser steps."""

    def __init__(self, every: int) -> None:
        """A row every `every` steps, and where a held-out loss is new."""
        self._every = every
        self._stage, self._steps, self._valid = "", 0, None

    @abstractmethod
    def write(self, row: dict[str, float], step: int) -> None:
        """Write numbers by name."""

    @final
    @override
    def on_stage(self, name: str, number: int, of: int) -> None:
        self._stage = name

    @final
    @override
    def on_step(self, fit: "Fit", terms: dict[str, float], valid: float | None) -> None:
        self._steps += 1
        row: dict[str, float] = {}
        if self._steps % self._every == 0:
            row |= {f"{self._stage}/{name}": value for name, value in terms.items()}
        if valid is not None and valid != self._valid:
            self._valid = row["valid"] = valid
        if row:
            self.write(row, self._steps)


@final
class TensorBoard(Scalars):
    """As TensorBoard scalars. Needs the extra `pastforward[tensorboard]`."""

    def __init__(self, folder: Path | str, every: int = 10) -> None:
        """Event files go to `folder`, a row every `every` steps; `UsageError` without the extra."""
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise UsageError(
                f"TensorBoard can't be imported ({error}); get it with: "
                "pip install 'pastforward[tensorboard]'."
            ) from error
        super().__init__(every)
        self._writer = SummaryWriter(str(folder))

    @override
    def write(self, row: dict[str, float], step: int) -> None:
        for name, value in row.items():
            self._writer.add_scalar(name, value, step)

    @override
    def on_end(self) -> None:
        self._writer.close()


@final
class Tracker(Scalars):
    """By trackio or by Weights & Biases, which are called alike. Needs the extra of that name."""

    def __init__(
        self, package: str, run: str, config: Mapping[str, Any] | None = None, every: int = 10
    ) -> None:
        """`package`: 'trackio' or 'wandb'; `run` names the run, of the project 'pastforward'.

        Raises `UsageError` where it isn't installed.
        """
        super().__init__(every)
        self._tracker = optional_package(package, package, package)
        self._tracker.init(project="pastforward", name=run, config=dict(config or {}))

    @override
    def write(self, row: dict[str, float], step: int) -> None:
        self._tracker.log(row, step=step)

    @override
    def on_end(self) -> None:
        self._tracker.finish()


class StopRequest:
    """Was a stop asked for? Call it to know; `signal` is the signal's number, 0 before."""

    signal = 0

    def __call__(self) -> bool:
        """True once asked."""
        return self.signal != 0


@contextmanager
def stop_signals() -> Iterator[StopRequest]:
    """Ctrl-C and SIGTERM set a flag instead of interrupting a step; a second one interrupts."""
    request = StopRequest()

    def ask(number: int, frame: object) -> None:
        if request():
            raise KeyboardInterrupt
        request.signal = number

    before = {s: signal.signal(s, ask) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
