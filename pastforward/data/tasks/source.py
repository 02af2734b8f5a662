"""L1. One source serves all tasks: endless training sequences, held-out ones apart from them."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pastforward.data.codec import SymbolCodec
from pastforward.data.sampling import TRAIN, generator, portions
from pastforward.data.source import Source, held_out_index
from pastforward.data.tasks.base import Random, Task
from pastforward.types import AnyBatch, Batch, Signature

HELD_OUT = 2048
"""Sequences in each held-out split of a task."""


class TaskSource(Source):
    """Final. Endless training sequences; held-out ones come from streams of their own."""

    def __init__(self, task: Task) -> None:
        signature = Signature(task.inputs, task.outputs, task.length)
        super().__init__(task.name, signature, SymbolCodec(task.inputs.size))
        self.task = task

    def batch(self, seed: int, index: int, size: int) -> Batch:
        """See `Source`."""
        return self._build(self.task.draw(generator(seed, TRAIN, index), size))

    def held_out(self, split: str, size: int, limit: int) -> Iterator[Batch]:
        """See `Source`: sequence n is the same at any `size` and `limit`."""
        stream = held_out_index(split)
        return (self._drawn(stream, part) for part in portions(HELD_OUT, size, limit))

    def references(self) -> dict[str, float]:
        """See `Source`: computed from the task, not counted on a split."""
        uniform = float(np.log(self.task.outputs.size))
        return {"best": self.task.best(), "uniform": uniform, "unigram": self.task.unigram()}

    def states(self, batch: AnyBatch) -> dict[str, Tensor]:
        """Views of the task's true state after x_1..x_t, by name: labels `[B, T]`, int64."""
        found = self.task.states(batch.x.cpu().numpy())
        return {name: torch.from_numpy(labels) for name, labels in found.items()}

    def describe(self) -> dict[str, Any]:
        """See `Source`."""
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
