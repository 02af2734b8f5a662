"""L1. Images as sequences: pixels row by row, each predicted from those before it."""

from collections.abc import Iterator
from typing import Any, final

import numpy as np
import torch
from typing_extensions import override

from pastforward.data.codec import PixelCodec
from pastforward.data.sampling import epoch_examples, portions
from pastforward.data.source import Source, Splits, held_out_index, symbol_references
from pastforward.types import Batch, Signature, Tokens


@final
class PixelSource(Source):
    """x = (start, p_1, .., p_{T-1}) and y = (p_1, .., p_T), T = height * width.

    Pixels are levels 0..levels-1; the input symbol `levels` is the start symbol. Every epoch shows
    each training image once.
    """

    codec: PixelCodec

    def __init__(self, name: str, splits: Splits, codec: PixelCodec, origin: str) -> None:
        """`splits` hold levels `[N, T]`; `origin` says where they came from and how they read."""
        inputs, outputs = Tokens(codec.levels + 1), Tokens(codec.levels)
        super().__init__(name, Signature(inputs, outputs, codec.height * codec.width), codec)
        self._splits = splits
        self._origin = origin

    @override
    def batch(self, seed: int, index: int, size: int) -> Batch:
        train = self._splits.train
        return self._sequences(train[epoch_examples(len(train), seed, index, size)])

    @override
    def held_out(self, split: str, size: int, limit: int) -> Iterator[Batch]:
        pixels = self._splits[held_out_index(split)]
        return (self._sequences(pixels[part]) for part in portions(len(pixels), size, limit))

    @override
    def references(self) -> dict[str, float]:
        train, _, test = (np.bincount(s.ravel(), minlength=self.codec.levels) for s in self._splits)
        return symbol_references(train, test)

    @override
    def describe(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "origin": self._origin,
            "kind": "pixels",
            "height": self.codec.height,
            "width": self.codec.width,
            "levels": self.codec.levels,
            "sequences": {k: len(v) for k, v in self._splits._asdict().items()},
        }

    def _sequences(self, pixels: np.ndarray) -> Batch:
        y = torch.from_numpy(pixels.astype(np.int64))
        start = torch.full((len(y), 1), self.codec.levels)
        return Batch(torch.cat([start, y[:, :-1]], 1), y, torch.ones_like(y, dtype=torch.bool))
