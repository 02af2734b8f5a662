"""L1. The source of labelled sequences: batches of inputs and targets, scaled and padded.

x and y stay the arrays that were given: what a batch needs of them is scaled and padded a batch at
a time. A shorter sequence is padded at its end, and nothing counts there.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple, final

import numpy as np
import torch
from typing_extensions import override

from pastforward.data.buckets import Buckets
from pastforward.data.codec import LabelCodec, SeriesCodec
from pastforward.data.label_references import references
from pastforward.data.meaning import CLASSES, FLAGS, Meaning
from pastforward.data.sequences import Sequences
from pastforward.data.source import Source, held_out_index
from pastforward.data.targets import Whole
from pastforward.types import Batch, Signature


class Part(NamedTuple):
    """Sequences of a split: rows of arrays that splits may share."""

    whole: Whole
    rows: np.ndarray
    """`[n]`, which sequences belong to the split."""

    @property
    def lengths(self) -> np.ndarray:
        """`[n]`, steps of each sequence."""
        return self.whole.x.lengths[self.rows]


Parts = tuple[Part, Part, Part]


@final
class LabelledSource(Source):
    """Sequences with targets; every epoch shows each training sequence once.

    Sequences of several lengths are put into at most four buckets; all batches of a bucket have its
    number of steps.
    """

    codec: LabelCodec

    def __init__(
        self, name: str, parts: Parts, signature: Signature, codec: LabelCodec, meaning: Meaning,
        ends: tuple[int, ...], facts: dict[str, Any],
    ) -> None:  # fmt: skip
        """`parts` are train, valid and test; `ends` the lengths of buckets; `facts` are told."""
        super().__init__(name, signature, codec)
        self.parts, self.meaning, self.facts = parts, meaning, facts
        self._buckets = [Buckets(part.rows, part.lengths, ends) for part in parts]

    def weigh(self, weights: np.ndarray) -> None:
        """From now on show training sequences as often as `weights` `[n]`, above 0, say."""
        part = self.parts[0]
        self._buckets[0] = Buckets(part.rows, part.lengths, self._buckets[0].ends, weights)

    @override
    def batch(self, seed: int, index: int, size: int) -> Batch:
        return self._cut(self.parts[0].whole, *self._buckets[0].training(seed, index, size))

    @override
    def held_out(self, split: str, size: int, limit: int) -> Iterator[Batch]:
        index = held_out_index(split)
        chosen = self._buckets[index].held_out(size, limit)
        return (self._cut(self.parts[index].whole, *some) for some in chosen)

    @override
    def content(self) -> Iterator[np.ndarray]:
        for part in self.parts:
            yield part.lengths
            yield from (values for _, values in part.whole.x.chunks(part.rows))
            yield from (values for _, values in part.whole.targets(part.rows))

    @override
    def references(self) -> dict[str, float]:
        train, test = (self.targets(split) for split in ("train", "test"))
        return references(self.signature.outputs, train, test)

    @override
    def describe(self) -> dict[str, Any]:
        return {"name": self.name, **self.facts}

    def targets(self, split: str) -> np.ndarray:
        """All targets of a split that count, as they are learnt: codes `[n]`, or `[n, C]`."""
        part = self.parts[("train", "valid", "test").index(split)]
        return self._learnt(part.whole.counted(part.rows))

    def _cut(self, whole: Whole, rows: np.ndarray, length: int) -> Batch:
        """The sequences `rows` as a batch of `length` steps."""
        real = whole.x.real(rows, length)
        x = self._read(whole.x.padded(rows, length), real)
        counts = real
        if isinstance(whole.y, Sequences):
            y = self._learnt(whole.y.padded(rows, length))
            if whole.mask is not None:
                counts = whole.mask.padded(rows, length).astype(bool)
            y[~counts] = 0
        else:
            counts = np.arange(length) == whole.x.lengths[rows, None] - 1
            ends = self._learnt(whole.y[rows])
            y = np.zeros((len(rows), length, *ends.shape[1:]), ends.dtype)
            y[counts] = ends
        return Batch(*map(torch.from_numpy, (x, y, counts)))

    def _read(self, x: np.ndarray, real: np.ndarray) -> np.ndarray:
        """Inputs as the network reads them, int64 `[B, T]` or float32 `[B, T, C]`."""
        if not isinstance(self.codec.inputs, SeriesCodec):
            return x.astype(np.int64)
        vectors = self.codec.inputs.encode(x.reshape(*x.shape[:2], -1)).astype(np.float32)
        vectors[~real] = 0
        return np.nan_to_num(vectors, copy=False)

    def _learnt(self, y: np.ndarray) -> np.ndarray:
        if self.meaning.kind == CLASSES:
            return self.meaning.codes(y)
        y = y[..., None] if self.meaning.width == 1 else y  # alone it has no axis of channels
        return y.astype(np.float32) if self.meaning.kind == FLAGS else self.codec.encode(y)
