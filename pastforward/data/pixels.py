"""L1. Images as sequences: pixels row by row, each predicted from those before it."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from pastforward.data.codec import PixelCodec
from pastforward.data.references import symbol_references
from pastforward.data.sampling import epoch_examples, portions
from pastforward.data.source import Source, Splits, held_out_index
from pastforward.types import Batch, Signature, Tokens


class PixelSource(Source):
    """Final. x = (start, p_1, .., p_{T-1}) and y = (p_1, .., p_T), T = height * width.

    Pixels are levels 0..levels-1; the input symbol `levels` is the start symbol.
    """

    codec: PixelCodec

    def __init__(self, name: str, splits: Splits, codec: PixelCodec, origin: str) -> None:
        """`splits` hold levels `[N, T]`; `origin` says where they came from and how they read."""
        signature = Signature(
            Tokens(codec.levels + 1), Tokens(codec.levels), codec.height * codec.width
        )
        super().__init__(name, signature, codec)
        self._splits = splits
        self._origin = origin

    def batch(self, seed: int, index: int, size: int) -> Batch:
        """See `Source`: every epoch shows each training image once."""
        train = self._splits.train
        return self._sequences(train[epoch_examples(len(train), seed, index, size)])

    def held_out(self, split: str, size: int, limit: int) -> Iterator[Batch]:
        """See `Source`."""
        pixels = self._splits[held_out_index(split)]
        return (self._sequences(pixels[part]) for part in portions(len(pixels), size, limit))

    def references(self) -> dict[str, float]:
        """See `Source`: 'uniform' and 'unigram'."""
        train, _, test = (np.bincount(s.ravel(), minlength=self.codec.levels) for s in self._splits)
        return symbol_references(train, test)

    def describe(self) -> dict[str, Any]:
        """See `Source`."""
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
