"""Data for the analyses: given sequences, and parity with its true state."""

from collections.abc import Iterator

import torch
from torch import Tensor

from pastforward.data.codec import SymbolCodec
from pastforward.data.source import Source
from pastforward.types import Batch, Signature, Tokens


class Fixed(Source):
    """The same sequences in every split."""

    def __init__(self, signature: Signature, whole: Batch) -> None:
        super().__init__("fixed", signature, SymbolCodec(8))
        self.whole = whole

    def batch(self, seed: int, index: int, size: int) -> Batch:
        return self.whole

    def held_out(self, split: str, size: int, limit: int) -> Iterator[Batch]:
        whole = Batch(*(part[:limit] for part in self.whole))
        parts = zip(*(part.split(size) for part in whole), strict=True)
        return (Batch(*part) for part in parts)

    def references(self) -> dict[str, float]:
        return {"unigram": 1.5}

    def describe(self) -> dict:
        return {}


class Parity(Fixed):
    """Bits; y_t and the true state are the parity of x_1..x_t."""

    def __init__(self, count: int, length: int, seed: int = 0) -> None:
        bits = torch.Generator().manual_seed(seed)
        x = torch.randint(2, (count, length), generator=bits)
        mask = torch.ones_like(x, dtype=torch.bool)
        signature = Signature(Tokens(2), Tokens(2), length)
        super().__init__(signature, Batch(x, x.cumsum(1) % 2, mask))

    def states(self, batch: Batch) -> dict[str, Tensor]:
        return {"parity": batch.x.cumsum(1) % 2, "length": torch.arange(1, 1 + batch.x.shape[1])
                .expand(len(batch.x), -1)}  # fmt: skip
