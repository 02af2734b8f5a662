"""L4. Callbacks: who is told how training goes. And Ctrl-C and SIGTERM as a request to stop."""

import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from typing_extensions import override

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


class TensorBoard(Callback):
    """Losses, gradient norm and held-out loss as TensorBoard scalars, against optimiser steps.

    Needs the extra `pastforward[tensorboard]`.
    """

    def __init__(self, folder: Path | str, every: int = 10) -> None:
        """Event files go to `folder`, a row every `every` steps; `UsageError` without the extra."""
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise UsageError(
                f"TensorBoard can't be imported ({error}); get it with: "
                "pip install 'pastforward[tensorboard]'."
            ) from error
        self._writer, self._every = SummaryWriter(str(folder)), every
        self._stage, self._steps, self._valid = "", 0, None

    @override
    def on_stage(self, name: str, number: int, of: int) -> None:
        self._stage = name

    @override
    def on_step(self, fit: "Fit", terms: dict[str, float], valid: float | None) -> None:
        self._steps += 1
        if self._steps % self._every == 0:
            for name, value in terms.items():
                self._writer.add_scalar(f"{self._stage}/{name}", value, self._steps)
        if valid is not None and valid != self._valid:
            self._valid = valid
            self._writer.add_scalar("valid", valid, self._steps)

    @override
    def on_end(self) -> None:
        self._writer.close()


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
