"""L1. Synthetic tasks: a task draws sequences from a generator; one source serves them all."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from pastforward.data.codec import SymbolCodec
from pastforward.data.sampling import TRAIN, generator, portions
from pastforward.data.source import Source, held_out_index
from pastforward.types import Batch, Signature, Tokens

HELD_OUT = 2048
"""Sequences in each held-out split of a task."""


@dataclass(frozen=True)
class Task:
    """`draw(generator, size)` is pure; counted outputs are uniform over the output symbols."""

    name: str
    inputs: Tokens
    outputs: Tokens
    length: int
    draw: Callable[[np.random.Generator, int], Batch]


class TaskSource(Source):
    """Final. Endless training sequences; held-out ones come from streams of their own."""

    def __init__(self, task: Task) -> None:
        signature = Signature(task.inputs, task.outputs, task.length)
        super().__init__(task.name, signature, SymbolCodec(task.inputs.size))
        self._task = task

    def batch(self, seed: int, index: int, size: int) -> Batch:
        """See `Source`."""
        return self._task.draw(generator(seed, TRAIN, index), size)

    def held_out(self, split: str, size: int, limit: int) -> Iterator[Batch]:
        """See `Source`: sequence n is the same at any `size` and `limit`."""
        stream = held_out_index(split)
        return (self._drawn(stream, part) for part in portions(HELD_OUT, size, limit))

    def floors(self) -> dict[str, float]:
        """See `Source`: the counted outputs are uniform, so both floors are ln V."""
        nats = float(np.log(self._task.outputs.size))
        return {"uniform": nats, "unigram": nats}

    def describe(self) -> dict[str, Any]:
        """See `Source`."""
        return {
            "name": self.name,
            "origin": "synthetic, drawn as needed",
            "kind": "task",
            "sequences": {"train": None, "valid": HELD_OUT, "test": HELD_OUT},
        }

    def _drawn(self, stream: int, part: slice) -> Batch:
        rows = [self._task.draw(generator(0, stream, n), 1) for n in range(part.start, part.stop)]
        return Batch(*(torch.cat(column) for column in zip(*rows, strict=True)))
