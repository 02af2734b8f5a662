"""L5. A recipe for data that has none: sizes chosen by looking at it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pastforward.config import (
    Budget,
    DataConfig,
    DMTConfig,
    FitConfig,
    RunConfig,
    SMTConfig,
    StudentConfig,
)
from pastforward.recipes.pixels import pixels
from pastforward.recipes.task import for_task
from pastforward.recipes.ways import USUAL_WAY, WAYS, stages

if TYPE_CHECKING:
    from pastforward.data import Source

RATES = {"teacher": 4e-3, "smt": 4e-3, "dmt": 1e-3, "bptt": 1e-3, "finetune": 1e-3}

_SHARES = {
    "smt+dmt": (("teacher", 0.07), ("smt", 0.31), ("dmt", 0.62)),
    "smt+dmt+bptt": (("teacher", 0.07), ("smt", 0.31), ("dmt", 0.12), ("bptt", 0.5)),
}

LONGEST = 256
"""Pixels above which images are averaged down, where the user didn't say how far."""
_FEWEST = 4
"""Pixels that are left in either direction."""
_FUTURE, _ROLLOUT, _POSITIONS = 16, 256, 2048


def for_path(data: str | DataConfig, way: str = USUAL_WAY) -> RunConfig:
    """A config for a path or a name of data, or for data described further.

    Raises `UsageError` when there is no such data or it can't be read.
    """
    from pastforward.data import PixelCodec, TaskSource, open_data

    data = DataConfig(data) if isinstance(data, str) else data
    source = open_data(data)
    if isinstance(source, TaskSource):
        return for_task(source.task, data, way)
    pool = _pool(source, data)
    if pool != data.pool:
        data = replace(data, pool=pool)
        source = open_data(data)
    length, codec = source.signature.length, source.codec
    student = StudentConfig("mlp", slots=4, width=_width(source))
    if isinstance(codec, PixelCodec):
        return replace(pixels(data, length, codec.width, way), student=student)
    return RunConfig(
        data=data,
        student=student,
        # One short future a sequence: what it leaves out, the readout at every t makes up for.
        smt=SMTConfig(future=min(length, _FUTURE), anchors=1, uniformity=0.01, noise=0.05),
        # The whole rollout, new sequences at every step: a student of text soon knows more than
        # its teacher, and one that sees a batch four times learns that batch.
        dmt=DMTConfig(window=min(length, _ROLLOUT), dynamics=0.1, visits=1),
        fit=FitConfig(batch=max(8, min(64, _POSITIONS // length))),
        budget=Budget(seconds=180.0),
        stages=stages(way, RATES, WAYS | _SHARES),
    )


def _pool(source: Source, data: DataConfig) -> int:
    """The least factor that brings images to `LONGEST` pixels and leaves something to see."""
    from pastforward.data import PixelCodec

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
