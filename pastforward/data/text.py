"""L1. Text as bytes or characters, each predicted from those before it."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from pastforward.data.codec import TextCodec
from pastforward.data.references import symbol_references
from pastforward.data.source import Source, Splits
from pastforward.data.windows import Windows, fit_length
from pastforward.types import Batch, Signature, Tokens


class TextSource(Source):
    """Final. x = s[i : i+T] and y = s[i+1 : i+T+1] at random i; held out, adjacent windows."""

    codec: TextCodec

    def __init__(
        self, name: str, splits: Splits, codec: TextCodec, length: int | None, origin: str
    ) -> None:
        """`splits` hold symbols `[N]`; UsageError when one is shorter than a sequence."""
        unit = "bytes" if codec.characters is None else "characters"
        length = fit_length(f"The text '{name}'", splits, length, unit)
        symbols = Tokens(codec.size)
        super().__init__(name, Signature(symbols, symbols, length), codec)
        self._windows = Windows(splits, length)
        self._origin = origin

    def batch(self, seed: int, index: int, size: int) -> Batch:
        """See `Source`."""
        return _sequences(self._windows.random(seed, index, size))

    def held_out(self, split: str, size: int, limit: int) -> Iterator[Batch]:
        """See `Source`."""
        return map(_sequences, self._windows.held_out(split, size, limit))

    def references(self) -> dict[str, float]:
        """See `Source`: 'uniform' and 'unigram'."""
        train, _, test = self._windows.splits
        outputs = (train, self._windows.targets(test))
        return symbol_references(*(np.bincount(s, minlength=self.codec.size) for s in outputs))

    def describe(self) -> dict[str, Any]:
        """See `Source`; training windows overlap, so only held-out splits have a count."""
        splits = self._windows.splits._asdict()
        counts = {k: self._windows.count(v) for k, v in splits.items()}
        return {
            "name": self.name,
            "origin": self._origin,
            "kind": "bytes" if self.codec.characters is None else "characters",
            "vocabulary": self.codec.size,
            "symbols": {k: len(v) for k, v in splits.items()},
            "sequences": counts | {"train": None},
        }


def _sequences(windows: np.ndarray) -> Batch:
    s = torch.from_numpy(windows.astype(np.int64))
    x, y = s[:, :-1].contiguous(), s[:, 1:].contiguous()
    return Batch(x, y, torch.ones_like(y, dtype=torch.bool))
