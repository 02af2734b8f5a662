"""L1. What a source of data is: batches that are pure functions of (source, seed, index)."""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from pastforward.data.codec import Codec
from pastforward.errors import UsageError, nearest
from pastforward.types import Batch, Signature

BEST_POSSIBLE = "best"
"""Name of the reference loss that no predictor can beat; the others read no input."""


class Splits(NamedTuple):
    """Three disjoint parts of finite data; the first axis counts examples, or is time."""

    train: np.ndarray
    valid: np.ndarray
    test: np.ndarray


class Source(ABC):
    """Abstract: data to train on and held-out data."""

    def __init__(self, name: str, signature: Signature, codec: Codec) -> None:
        self.name = name
        self.signature = signature
        self.codec = codec

    @abstractmethod
    def batch(self, seed: int, index: int, size: int) -> Batch:
        """Training batch `index` of `size` sequences: always the same for the same arguments."""

    def at_length(self, length: int) -> "Source":
        """The same task with sequences of T = `length`.

        Raises `UsageError` where the data's length isn't free.
        """
        raise UsageError(
            f"Sequences of {length} steps were asked for of '{self.name}', whose length is "
            f"{self.signature.length}; leave the length out, or give a prefix."
        )

    @abstractmethod
    def held_out(self, split: str, size: int, limit: int) -> Iterator[Batch]:
        """At most `limit` sequences of 'valid' or 'test', in fixed order, `size` at a time.

        The last batch may be smaller, or the last of each length. Raises `UsageError` for another
        split.
        """

    @abstractmethod
    def references(self) -> dict[str, float]:
        """Reference losses on the test split, in nats per counted output.

        They are those of predictors that read no input ('uniform', 'unigram', 'gaussian') and,
        where it is known, that of the best possible predictor from x_1..x_t (`BEST_POSSIBLE`).
        """

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """What this is, where it came from and how much there is, as a JSON object."""


def held_out_index(split: str) -> int:
    """The index of 'valid' (1) or 'test' (2) in `Splits`; `UsageError` for anything else."""
    held_out = Splits._fields[1:]
    if split not in held_out:
        raise UsageError(f"Split '{split}' was asked for; {nearest(split, held_out)}.")
    return Splits._fields.index(split)


def require_length(source: Source, length: int | None) -> Source:
    """`source`, or `UsageError` when another length was asked for than its sequences have."""
    if length not in (None, source.signature.length):
        raise UsageError(
            f"Length {length} was given for '{source.name}', whose sequences have "
            f"{source.signature.length} steps; leave it out."
        )
    return source


def symbol_references(train_counts: np.ndarray, test_counts: np.ndarray) -> dict[str, float]:
    """Nats per test symbol: 'uniform', and 'unigram' by the training counts plus one.

    Both counts are `[V]`, how often each of the V symbols is an output.
    """
    log_p = np.log((train_counts + 1.0) / (train_counts.sum() + len(train_counts)))
    unigram = -float((test_counts * log_p).sum() / test_counts.sum())
    return {"uniform": math.log(len(train_counts)), "unigram": unigram}
