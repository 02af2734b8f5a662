"""L4. Callbacks: who is told how training goes. And Ctrl-C and SIGTERM as a request to stop."""

import signal
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING, Any, final

from typing_extensions import override

from pastforward.data.files import optional_package
from pastforward.errors import UsageError

if TYPE_CHECKING:
    from pastforward.report.pictures import Pixels
    from pastforward.report.summary import RunSummary
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

    def on_evaluated(self, summary: "RunSummary") -> None:
        """A run in a folder was evaluated after training: figures and samples of its test data.

        The first rank is told. `fit` and `fit_stages` evaluate nothing on test data.
        """

    def on_end(self) -> None:
        """Nothing follows: all is done or was stopped."""


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
    def on_evaluated(self, summary: "RunSummary") -> None:
        for one in self.each:
            one.on_evaluated(summary)

    @override
    def on_end(self) -> None:
        for one in self.each:
            one.on_end()


class Tracking(Callback, ABC):
    """Abstract: writes losses, gradient norm and held-out losses against optimiser steps.

    After an evaluation on test data it writes its figures, and samples as text or pictures.
    """

    def __init__(self, every: int) -> None:
        """A row every `every` steps, and where a held-out loss is new."""
        self._every = every
        self._stage, self._steps, self._valid = "", 0, None

    @abstractmethod
    def write(self, row: dict[str, float], step: int) -> None:
        """Write numbers by name."""

    @abstractmethod
    def show(self, texts: Mapping[str, str], pictures: "Mapping[str, Pixels]", step: int) -> None:
        """Write texts and pictures by name."""

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
    @override
    def on_evaluated(self, summary: "RunSummary") -> None:
        from pastforward.report.pictures import figures_of, pictures_of, texts_of

        self.write(figures_of(summary), self._steps)
        self.show(texts_of(summary), pictures_of(summary), self._steps)


@final
class TensorBoard(Tracking):
    """As TensorBoard's scalars, texts and images. Needs the extra `pastforward[tensorboard]`."""

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
    def show(self, texts: Mapping[str, str], pictures: "Mapping[str, Pixels]", step: int) -> None:
        for name, text in texts.items():
            # Texts are Markdown there; what is indented is shown as it is.
            self._writer.add_text(name, indent(text, "    ", lambda _: True), step)
        for name, pixels in pictures.items():
            self._writer.add_image(name, pixels, step, dataformats="HWC")

    @override
    def on_end(self) -> None:
        self._writer.close()


@final
class Tracker(Tracking):
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
    def show(self, texts: Mapping[str, str], pictures: "Mapping[str, Pixels]", step: int) -> None:
        table, image = self._tracker.Table, self._tracker.Image
        shown = {name: table(columns=["text"], data=[[text]]) for name, text in texts.items()}
        shown |= {name: image(pixels) for name, pixels in pictures.items()}
        if shown:
            self._tracker.log(shown, step=step)

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
