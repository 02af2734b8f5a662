"""L1. What a source of data is: batches that are pure functions of (source, seed, index)."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from pastforward.data.codec import Codec
from pastforward.errors import UsageError, nearest
from pastforward.types import Batch, Signature


class Splits(NamedTuple):
    """Three disjoint parts of finite data; the first axis counts examples, or runs over time."""

    train: np.ndarray
    valid: np.ndarray
    test: np.ndarray


class Source(ABC):
    """Abstract: data to train on and data held out. Concrete sources are final."""

    def __init__(self, name: str, signature: Signature, codec: Codec) -> None:
        self.name = name
        self.signature = signature
        self.codec = codec

    @abstractmethod
    def batch(self, seed: int, index: int, size: int) -> Batch:
        """Training batch `index` of `size` sequences: the same for the same arguments, always."""

    @abstractmethod
    def held_out(self, split: str, size: int, limit: int) -> Iterator[Batch]:
        """At most `limit` sequences of 'valid' or 'test', in fixed order, `size` at a time.

        The last batch may be smaller. Raises UsageError for another split.
        """

    @abstractmethod
    def references(self) -> dict[str, float]:
        """Losses on the test split, nats per counted output, of predictors that read no input.

        Where it is known, 'best' is that of the best predictor that reads x_1..x_t.
        """

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """What this is, where it came from and how much there is, as a JSON object."""


def held_out_index(split: str) -> int:
    """The place of 'valid' (1) or 'test' (2) in `Splits`; UsageError for anything else."""
    known = ("train", "valid", "test")
    if split not in known[1:]:
        raise UsageError(f"Split '{split}' was asked for; {nearest(split, known[1:])}.")
    return known.index(split)
