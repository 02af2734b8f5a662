"""L1. One source for all tasks: endless training sequences, and held-out ones."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, final

import numpy as np
import torch
from torch import Tensor
from typing_extensions import override

from pastforward.data.codec import SymbolCodec
from pastforward.data.configs import DataConfig
from pastforward.data.kinds import parse_name
from pastforward.data.sampling import TRAIN, generator, portions
from pastforward.data.source import Source, held_out_index
from pastforward.data.tasks.base import Random, Task
from pastforward.data.tasks.naming import build_task
from pastforward.registry import NoConfig
from pastforward.types import AnyBatch, Batch, Signature, Tokens

HELD_OUT = 2048
"""Sequences in each held-out split of a task."""


@final
class TaskSource(Source):
    """Training sequences are drawn as needed; held-out ones have random streams of their own.

    Held-out sequence n is the same at any `size` and `limit`. References are computed from the
    task, not counted on a split.
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
        rows = [self.task.draw(generator(0, stream, n), 1) for n in range(part.start, part.stop)]
        return self._build(tuple(map(np.concatenate, zip(*rows, strict=True))))

    def _build(self, random: Random) -> Batch:
        return Batch(*map(torch.from_numpy, self.task.build(random)))


def open_task(config: DataConfig, options: NoConfig) -> TaskSource:
    """The task that `config` names; raises `UsageError` for an axis that it can't have."""
    return TaskSource(build_task(*parse_name(config)))
