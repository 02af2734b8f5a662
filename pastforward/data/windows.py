"""L1. Cutting a long stretch of time into sequences of T steps and their T next steps."""

from collections.abc import Iterator

import numpy as np

from pastforward.data.sampling import TRAIN, generator, portions
from pastforward.data.source import Splits, held_out_index
from pastforward.errors import UsageError

USUAL_LENGTH = 128
_SHORTEST = 4


class Windows:
    """Windows of T + 1 values: random ones to train on, adjacent ones held out."""

    def __init__(self, splits: Splits, length: int) -> None:
        """`splits` hold values `[N]` or `[N, C]`, each at least T + 1 long."""
        self.splits = splits
        self.length = length

    def random(self, seed: int, index: int, size: int) -> np.ndarray:
        """Training windows `[size, T+1, ...]` of batch `index`, at random offsets."""
        train = self.splits.train
        offsets = generator(seed, TRAIN, index).integers(0, len(train) - self.length, size)
        return self._cut(train, offsets)

    def held_out(self, split: str, size: int, limit: int) -> Iterator[np.ndarray]:
        """Windows `[<= size, T+1, ...]`; the targets of one end where the next one starts."""
        values = self.splits[held_out_index(split)]
        offsets = np.arange(self.count(values)) * self.length
        return (self._cut(values, offsets[p]) for p in portions(len(offsets), size, limit))

    def count(self, values: np.ndarray) -> int:
        """How many adjacent windows `values` hold."""
        return (len(values) - 1) // self.length

    def targets(self, values: np.ndarray) -> np.ndarray:
        """All values that are an output of some adjacent window."""
        return values[1 : self.count(values) * self.length + 1]

    def _cut(self, values: np.ndarray, offsets: np.ndarray) -> np.ndarray:
        return values[offsets[:, None] + np.arange(self.length + 1)]


def fit_length(what: str, splits: Splits, length: int | None, unit: str) -> int:
    """T: the one asked for, or the usual one cut so that every split holds four sequences.

    Raises UsageError, with the length of `what`, when a split holds not one sequence.
    """
    shortest = min(len(s) for s in splits)
    total = sum(len(s) for s in splits)
    asked = max(_SHORTEST, min(USUAL_LENGTH, (shortest - 1) // 4)) if length is None else length
    if asked < 1:
        raise UsageError(f"Length {asked} was given for {what}; give at least 1.")
    if shortest <= asked:
        way_out = f"a length of at most {shortest - 1} or " if shortest > _SHORTEST else ""
        raise UsageError(
            f"{what} is {total} {unit} long and its shortest split {shortest}, too short for one "
            f"sequence of {asked} and its next step; give {way_out}more data."
        )
    return asked
