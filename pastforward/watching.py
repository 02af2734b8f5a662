"""L0. Progress of reading and measuring: who does it counts, an upper floor says where it is shown.

Imports rich when there is something to show.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar, final

from pastforward.errors import is_first_rank

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

T = TypeVar("T")

MOMENT = 0.5
"""Seconds after which there is a bar."""


def stderr_console() -> "Console":
    """For messages on the way, that of `shown_on` inside it; ranks other than 0 write nothing."""
    shown = _SHOWN.get()
    return _stderr() if shown is None else shown.console


@contextmanager
def shown_on(console: "Console | None" = None) -> Iterator[None]:
    """What is counted inside has a bar on `console` (stderr when None), if it is a terminal."""
    shown = _Shown(console)
    before = _SHOWN.set(shown)
    try:
        yield
    finally:
        shown.end()
        _SHOWN.reset(before)


@contextmanager
def counting(what: str, total: int | None) -> Iterator[Callable[[int], object]]:
    """Call it with how much more of `total` is done; with None only the time is shown."""
    shown = _SHOWN.get()
    if shown is None or not shown.console.is_terminal:
        yield lambda done: None
        return
    shown.bars.start()
    task = shown.bars.add_task(what, total=total)
    try:
        yield lambda done: shown.bars.advance(task, done)
    finally:
        shown.bars.remove_task(task)
        if not shown.bars.tasks:
            shown.bars.stop()


def watched(
    items: Iterable[T], what: str, total: int | None, size: Callable[[T], int] = lambda item: 1
) -> Iterator[T]:
    """The items, each counted as `size` of `total` once it was used."""
    with counting(what, total) as done:
        for item in items:
            yield item
            done(size(item))


@final
class _Shown:
    def __init__(self, console: "Console | None") -> None:
        self._given = console

    @cached_property
    def console(self) -> "Console":
        return self._given or _stderr()

    @cached_property
    def bars(self) -> "Progress":
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
        from rich.progress import TimeElapsedColumn as Elapsed

        class Late(Progress):
            """Nothing at first: most work is over in a moment."""

            def get_renderables(self):
                begun = [task.start_time or 0.0 for task in self.tasks]
                if begun and time.monotonic() - min(begun) > MOMENT:
                    yield from super().get_renderables()

        title = TextColumn("{task.description}", markup=False)
        columns = title, BarColumn(bar_width=16), TaskProgressColumn(), Elapsed()
        return Late(*columns, console=self.console, transient=True, refresh_per_second=4)

    def end(self) -> None:
        """An error may leave its bars open."""
        if "bars" in vars(self):
            self.bars.stop()


_SHOWN: ContextVar[_Shown | None] = ContextVar("shown", default=None)


def _stderr() -> "Console":
    from rich.console import Console

    return Console(stderr=True, quiet=not is_first_rank())
