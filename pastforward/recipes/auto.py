"""L5. A recipe for data that has none: sizes chosen by looking at it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pastforward.config import DataConfig, RunConfig, StudentConfig
from pastforward.recipes.flow import flow
from pastforward.recipes.pixels import pixels
from pastforward.recipes.strategies import DEFAULT_STRATEGY
from pastforward.recipes.task import for_task

if TYPE_CHECKING:
    from pastforward.data.source import Source

LONGEST = 256
"""Pixels above which images are averaged down, where the user didn't say how far."""
_FEWEST = 4
"""Pixels that are left in either direction."""


def for_path(data: str | DataConfig, strategy: str = DEFAULT_STRATEGY) -> RunConfig:
    """A config for a path or a name of data, or for data described further.

    Raises `UsageError` when there is no such data or it can't be read.
    """
    from pastforward.data.codec import PixelCodec
    from pastforward.data.opening import open_data
    from pastforward.data.tasks.source import TaskSource

    data = DataConfig(data) if isinstance(data, str) else data
    source = open_data(data)
    if isinstance(source, TaskSource):
        return for_task(source.task, data, strategy)
    pool = _pool(source, data)
    if pool != data.pool:
        data = replace(data, pool=pool)
        source = open_data(data)
    length, codec = source.signature.length, source.codec
    student = StudentConfig("mlp", slots=4, width=_width(source))
    if isinstance(codec, PixelCodec):
        return replace(pixels(data, length, codec.width, strategy), student=student)
    return flow(data, length, student, strategy)


def _pool(source: Source, data: DataConfig) -> int:
    """The least factor that brings images to `LONGEST` pixels and leaves something to see."""
    from pastforward.data.codec import PixelCodec

    codec = source.codec
    if not isinstance(codec, PixelCodec) or data.pool != 1 or data.length is not None:
        return data.pool
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
