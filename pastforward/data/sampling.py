"""L1. Which examples a batch takes: pure functions of the seed and the index of the batch."""

from collections.abc import Callable, Iterator
from functools import lru_cache

import numpy as np

from pastforward.data.source import Splits

TRAIN, VALID, TEST = range(3)


def generator(seed: int, stream: int, index: int) -> np.random.Generator:
    """The random generator of one batch; every (seed, stream, index) has its own."""
    # NumPy refuses negative entropy: map the integers to 0, 1, 2, ...
    entropy = 2 * seed if seed >= 0 else -2 * seed - 1
    return np.random.default_rng(np.random.SeedSequence(entropy, spawn_key=(stream, index)))


def epoch_examples(count: int, seed: int, index: int, size: int) -> np.ndarray:
    """Examples `[size]` of training batch `index`: epoch after epoch, each in a new order."""
    return _across_epochs(lambda epoch: _order(count, seed, epoch), count, index, size)


def grouped_examples(count: int, group: int, seed: int, index: int, size: int) -> np.ndarray:
    """As `epoch_examples`, but in groups of `group` neighbours: all of one, then the next."""
    return _across_epochs(lambda e: _grouped_order(count, group, seed, e), count, index, size)


def _across_epochs(
    order: Callable[[int], np.ndarray], count: int, index: int, size: int
) -> np.ndarray:
    k = np.arange(index * size, (index + 1) * size)
    epochs = range(k[0] // count, k[-1] // count + 1)
    return np.concatenate([order(e)[k[k // count == e] % count] for e in epochs])


@lru_cache(maxsize=2)
def _grouped_order(count: int, group: int, seed: int, epoch: int) -> np.ndarray:
    random = generator(seed, TRAIN, epoch)
    starts = random.permutation(np.arange(0, count, group))
    return np.concatenate([random.permutation(np.arange(count)[s : s + group]) for s in starts])


@lru_cache(maxsize=2)
def _order(count: int, seed: int, epoch: int) -> np.ndarray:
    # Consecutive batches ask for the order of the same epoch.
    return generator(seed, TRAIN, epoch).permutation(count)


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
