"""L5. A recipe for data that has none: sizes chosen by looking at it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pastforward.config import RunConfig
from pastforward.data import DataConfig, ImageConfig
from pastforward.recipes.flow import flow
from pastforward.recipes.memory import student_for
from pastforward.recipes.pixels import pixels
from pastforward.recipes.strategies import DEFAULT_STRATEGY
from pastforward.recipes.task import for_task

if TYPE_CHECKING:
    from pastforward.data.codec import PixelCodec
    from pastforward.data.source import Source

LONGEST = 256
"""Pixels above which images are averaged down, where the user didn't say how far."""
_FEWEST = 4
"""Pixels that are left in either direction."""


def for_data(
    data: str | DataConfig, strategy: str = DEFAULT_STRATEGY, cell: str = "mlp"
) -> RunConfig:
    """A config for a path or a name of data, or for data described further.

    Raises `UsageError` when there is no such data or it can't be read.
    """
    from pastforward.data.opening import open_data

    data = DataConfig(data) if isinstance(data, str) else data
    source = open_data(data)
    smaller = _averaged(source, data)
    if smaller is not None:
        data, source = smaller, open_data(smaller)
    return for_source(source, data, strategy, cell)


def for_source(
    source: Source, data: DataConfig, strategy: str = DEFAULT_STRATEGY, cell: str = "mlp"
) -> RunConfig:
    """A config for a source that is open already; `data` says what it is."""
    from pastforward.data.codec import PixelCodec
    from pastforward.data.tasks.source import TaskSource

    if isinstance(source, TaskSource):
        return for_task(source.task, data, strategy, cell)
    length, width = source.signature.length, _width(source)
    if isinstance(source.codec, PixelCodec):
        return pixels(data, length, source.codec.width, strategy, cell, width)
    return flow(data, length, student_for(cell, slots=4, width=width), strategy)


def _averaged(source: Source, data: DataConfig) -> DataConfig | None:
    """The same images averaged down to at most `LONGEST` pixels, where they are larger."""
    from pastforward.data.codec import PixelCodec

    given = data.options or ImageConfig()
    if not isinstance(source.codec, PixelCodec) or data.length is not None:
        return None
    if not isinstance(given, ImageConfig) or given.pool != 1:
        return None
    pool = _pool(source.codec)
    return None if pool == 1 else replace(data, options=replace(given, pool=pool))


def _pool(codec: PixelCodec) -> int:
    """The least factor that brings images to `LONGEST` pixels and leaves something to see."""
    fitting = [
        pool
        for pool in range(1, min(codec.height, codec.width) // _FEWEST + 1)
        if codec.height % pool == 0 and codec.width % pool == 0
    ]
    enough = (p for p in fitting if codec.height * codec.width <= LONGEST * p * p)
    return next(enough, 1)


def _width(source: Source) -> int:
    """D: 32 holds a few classes of symbols; large vocabularies and many channels get 64."""
    from pastforward.types import Tokens

    kind = source.signature.outputs
    return 64 if (kind.size if isinstance(kind, Tokens) else kind.width) > 64 else 32
