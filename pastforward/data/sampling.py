"""L1. Which examples and windows a batch takes: pure functions of (seed, index)."""

from collections.abc import Iterator
from functools import lru_cache
from typing import ClassVar

import numpy as np
import torch
from typing_extensions import override

from pastforward.data.source import Source, Splits, held_out_index
from pastforward.errors import UsageError
from pastforward.types import Batch

TRAIN = 0
"""Random stream of the training split; 1 and 2 are those of 'valid' and 'test'."""


def generator(seed: int, stream: int, index: int) -> np.random.Generator:
    """The random generator of one batch; every (seed, stream, index) has its own."""
    # NumPy refuses negative entropy: map the integers to 0, 1, 2, ...
    entropy = 2 * seed if seed >= 0 else -2 * seed - 1
    return np.random.default_rng(np.random.SeedSequence(entropy, spawn_key=(stream, index)))


def epoch_examples(count: int, seed: int, index: int, size: int) -> np.ndarray:
    """Examples `[size]` of training batch `index`: epoch after epoch, each in a new order."""
    return grouped_examples(count, None, seed, index, size)


def grouped_examples(count: int, group: int | None, seed: int, index: int, size: int) -> np.ndarray:
    """As `epoch_examples`, but in groups of `group` neighbours: all of one, then the next."""
    k = np.arange(index * size, (index + 1) * size)
    epochs = range(k[0] // count, k[-1] // count + 1)
    return np.concatenate(
        [_order(count, group, seed, e)[k[k // count == e] % count] for e in epochs]
    )


@lru_cache(maxsize=4)
def _order(count: int, group: int | None, seed: int, epoch: int) -> np.ndarray:
    # Cached: consecutive batches ask for the order of the same epoch.
    random = generator(seed, TRAIN, epoch)
    if group is None:
        return random.permutation(count)
    starts = random.permutation(np.arange(0, count, group))
    return np.concatenate([random.permutation(np.arange(count)[s : s + group]) for s in starts])


def portions(count: int, size: int, limit: int) -> Iterator[slice]:
    """The first min(count, limit) examples, `size` at a time."""
    end = min(count, limit)
    return (slice(i, min(i + size, end)) for i in range(0, end, size))


def shuffled(examples: np.ndarray, train: int, valid: int) -> Splits:
    """Shuffle by one fixed order, then split; what `train` and `valid` leave is the test split."""
    examples = examples[generator(0, TRAIN, 0).permutation(len(examples))]
    return Splits(*np.split(examples, [train, train + valid]))


def contiguous(values: np.ndarray) -> Splits:
    """Split along time: 90% train, then 5% valid, then 5% test."""
    n = len(values)
    held = n // 20
    return Splits(*np.split(values, [n - 2 * held, n - held]))


DEFAULT_LENGTH = 128
_SHORTEST = 4


class WindowSource(Source):
    """Abstract. x = s[i : i+T] and y = s[i+1 : i+T+1], where s are the values of a split.

    Training windows start at random offsets and may overlap; held-out windows are adjacent.
    """

    dtype: ClassVar[type[np.generic]]
    splits: Splits
    """Values `[N]` or `[N, C]`, each split at least T + 1 long."""

    @override
    def batch(self, seed: int, index: int, size: int) -> Batch:
        train = self.splits.train
        limit = len(train) - self.signature.length
        return self._cut(train, generator(seed, TRAIN, index).integers(0, limit, size))

    @override
    def held_out(self, split: str, size: int, limit: int) -> Iterator[Batch]:
        values = self.splits[held_out_index(split)]
        offsets = np.arange(self._count(values)) * self.signature.length
        return (self._cut(values, offsets[p]) for p in portions(len(offsets), size, limit))

    @override
    def content(self) -> Iterator[np.ndarray]:
        return iter(self.splits)

    def test_outputs(self) -> np.ndarray:
        """All values that are an output of some window of the test split."""
        values = self.splits.test
        return values[1 : self._count(values) * self.signature.length + 1]

    def sequence_counts(self) -> dict[str, int | None]:
        """Windows of each split; training windows overlap, so they have no count."""
        counts = {name: self._count(values) for name, values in self.splits._asdict().items()}
        return counts | {"train": None}

    def _count(self, values: np.ndarray) -> int:
        return (len(values) - 1) // self.signature.length

    def _cut(self, values: np.ndarray, offsets: np.ndarray) -> Batch:
        windows = values[offsets[:, None] + np.arange(self.signature.length + 1)]
        s = torch.from_numpy(windows.astype(self.dtype))
        x, y = s[:, :-1].contiguous(), s[:, 1:].contiguous()
        return Batch(x, y, torch.ones(x.shape[:2], dtype=torch.bool))


def fit_length(what: str, splits: Splits, length: int | None, unit: str) -> int:
    """T: `length`, or at most 128 so that every split has four sequences.

    Raises `UsageError`, with the size of `what`, when a split has not even one sequence.
    """
    shortest, total = min(map(len, splits)), sum(map(len, splits))
    default = max(_SHORTEST, min(DEFAULT_LENGTH, (shortest - 1) // 4))
    wanted = default if length is None else length
    if wanted < 1:
        raise UsageError(f"Length {wanted} was given for {what}; give at least 1.")
    if shortest <= wanted:
        advice = f"a length of at most {shortest - 1} or " if shortest > _SHORTEST else ""
        raise UsageError(
            f"{what} is {total} {unit} long and its shortest split {shortest}, too short for one "
            f"sequence of {wanted} and its next step; give {advice}more data."
        )
    return wanted
