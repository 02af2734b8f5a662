"""L1. Tasks by name, as `key_values:128,pairs=8`, and the one source that serves them all."""

from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Any, final

import numpy as np
import torch
from torch import Tensor
from typing_extensions import override

from pastforward.data import DataConfig
from pastforward.data.codec import Codec, SymbolCodec
from pastforward.data.opening import parse_name, whole
from pastforward.data.sampling import TRAIN, generator, portions
from pastforward.data.source import Source, held_out_index
from pastforward.data.tasks import TASKS
from pastforward.data.tasks.base import Random, Task, axes
from pastforward.errors import UsageError, nearest
from pastforward.registry import NoConfig
from pastforward.types import AnyBatch, Batch, Signature, Tokens


def build_task(family: str, length: int | None, given: list[str]) -> Task:
    """The task of a family in `TASKS` at T = `length`, or its default, with axes 'name=value'.

    Raises `UsageError` for an unknown axis or a value that it can't have.
    """
    kind: type[Task] = TASKS.load(family)
    values = {} if length is None else {"length": length}
    known = {one.name: one.default for one in axes(kind)}
    for word in given:
        name, _, value = (part.strip() for part in word.partition("="))
        if name not in known:
            raise UsageError(f"The {family} task has no axis '{name}'; {nearest(name, known)}.")
        if name in values:
            raise UsageError(f"The {family} task was given '{name}' twice; give it once.")
        number = whole(value)
        if number is None:
            raise UsageError(
                f"The {family} task was given {name} '{value[:40]}'; give a whole number, as in "
                f"'{name}={known[name]}'."
            )
        values[name] = number
    return kind(**values)


HELD_OUT = 2048
"""Sequences in each held-out split of a task."""


@final
class TaskSource(Source):
    """Sequences are drawn as needed, held-out ones from random streams of their own.

    References are computed from the task, not counted on a split.
    """

    def __init__(self, task: Task) -> None:
        inputs, outputs = map(Tokens, task.sizes())
        super().__init__(
            task.name, Signature(inputs, outputs, task.length), SymbolCodec(inputs.size)
        )
        self.task = task

    @override
    def batch(self, seed: int, index: int, size: int) -> Batch:
        return self._build(self.task.draw(generator(seed, TRAIN, index), size))

    @override
    def at_length(self, length: int) -> "TaskSource":
        return TaskSource(replace(self.task, length=length))

    @override
    def held_out(self, split: str, size: int, limit: int) -> Iterator[Batch]:
        stream = held_out_index(split)
        return (self._drawn(stream, part) for part in portions(HELD_OUT, size, limit))

    @override
    def references(self) -> dict[str, float]:
        uniform = float(np.log(self.task.sizes()[1]))
        return {"best": self.task.best(), "uniform": uniform, "unigram": self.task.unigram()}

    def states(self, batch: AnyBatch) -> dict[str, Tensor]:
        """Views of the task's true state after x_1..x_t, by name: classes `[B, T]`, int64."""
        found = self.task.states(batch.x.cpu().numpy())
        return {name: torch.from_numpy(classes) for name, classes in found.items()}

    @override
    def describe(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "origin": "synthetic, drawn as needed",
            "kind": "task",
            "axes": asdict(self.task),
            "sequences": {"train": None, "valid": HELD_OUT, "test": HELD_OUT},
        }

    def _drawn(self, stream: int, part: slice) -> Batch:
        # A generator for each sequence: the same ones at any `size` and `limit`.
        rows = [self.task.draw(generator(0, stream, n), 1) for n in range(part.start, part.stop)]
        return self._build(tuple(map(np.concatenate, zip(*rows, strict=True))))

    def _build(self, random: Random) -> Batch:
        return Batch(*map(torch.from_numpy, self.task.build(random)))


def open_task(config: DataConfig, options: NoConfig, codec: Codec | None = None) -> TaskSource:
    """The task that `config` names; raises `UsageError` for an axis that it can't have."""
    return TaskSource(build_task(*parse_name(config)))
