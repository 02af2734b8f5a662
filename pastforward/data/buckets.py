"""L1. Buckets: sequences of several lengths in few groups, each padded to a length of its own.

Batches of a bucket all have one shape, and little of it is padding. Which bucket and which
sequences a batch takes are pure functions of (seed, index, size).
"""

from collections.abc import Iterator
from functools import lru_cache
from itertools import combinations

import numpy as np

from pastforward.data.sampling import TRAIN, epoch_examples, generator, portions

MOST = 4
"""Buckets at most: compiled code has a variant for each."""
_LITTLE = 1.1
"""Fewer buckets are taken where they have at most so many times the steps of the most."""
_GOLDEN = (5**0.5 - 1) / 2


def bucket_ends(lengths: np.ndarray, most: int = MOST) -> tuple[int, ...]:
    """Lengths of the buckets, rising: few of the 20-quantiles of `lengths` `[N]`."""
    quantiles = np.unique(np.quantile(lengths, np.arange(1, 21) / 20, method="higher"))
    *inner, longest = (int(length) for length in quantiles)
    values, counts = np.unique(lengths, return_counts=True)

    def steps(ends: tuple[int, ...]) -> int:
        return int((np.asarray(ends)[np.searchsorted(ends, values)] * counts).sum())

    best = [
        min((tuple([*some, longest]) for some in combinations(inner, size)), key=steps)
        for size in range(min(most, len(inner) + 1))
    ]
    return next(ends for ends in best if steps(ends) <= _LITTLE * steps(best[-1]))


class Buckets:
    """Sequences of a split by bucket."""

    def __init__(
        self, rows: np.ndarray, lengths: np.ndarray, ends: tuple[int, ...],
        weights: np.ndarray | None = None,
    ) -> None:  # fmt: skip
        """`rows` `[n]` and their `lengths` `[n]`; `ends` are at least as long as the longest.

        `weights` `[n]`, above 0, say how often each is shown in training; all alike when None.
        """
        self.ends, self.rows, self.weights = ends, rows, weights
        self.bucket = np.searchsorted(ends, lengths)

    def training(self, seed: int, index: int, size: int) -> tuple[np.ndarray, int]:
        """Sequences `[size]` of training batch `index`, and the length of its bucket.

        Every sequence is shown once in an epoch of its bucket, or as often as its weight says, and
        buckets have their turn as often as they have sequences.
        """
        # A bucket of less than a batch would show some of its sequences twice in one batch.
        merged = _merged(self._counts(), size)
        group = np.asarray(merged)[self.bucket]
        which, turn = _turn(self._shares(group, max(merged) + 1), seed, index, size)
        members = np.flatnonzero(group == which)
        chosen = epoch_examples(len(members), seed, turn, size)
        if self.weights is not None:
            epochs = (turn * size + np.arange(size)) // len(members)
            chosen = _weighted(self.weights[members], chosen, epochs)
        last = max(b for b, into in enumerate(merged) if into == which)
        return self.rows[members[chosen]], self.ends[last]

    def held_out(self, size: int, limit: int) -> Iterator[tuple[np.ndarray, int]]:
        """The first `limit` sequences, those of one bucket after the other, `size` at a time."""
        bucket = self.bucket[:limit]
        for which, end in enumerate(self.ends):
            rows = self.rows[:limit][bucket == which]
            yield from ((rows[part], end) for part in portions(len(rows), size, len(rows)))

    def _shares(self, group: np.ndarray, groups: int) -> tuple[int, ...]:
        """Sequences of each group, as many as their weights make of them."""
        counts = np.bincount(group, self.weights, groups)
        if self.weights is not None:
            counts = np.maximum(1, np.rint(counts * (len(group) / counts.sum())))
        return tuple(counts.astype(int).tolist())

    def _counts(self) -> tuple[int, ...]:
        return tuple(np.bincount(self.bucket, minlength=len(self.ends)).tolist())


def _weighted(weights: np.ndarray, places: np.ndarray, epochs: np.ndarray) -> np.ndarray:
    """The sequences at `places` 0..n-1 of epochs in which each has room as its weight says.

    It is systematic sampling: of n draws, a share w of all weights has n * w, rounded up or down
    so that it evens out over epochs.
    """
    total = np.cumsum(weights, dtype=np.float64)
    at = (places + (0.5 + epochs * _GOLDEN) % 1.0) / len(weights) * total[-1]
    return np.searchsorted(total, at, side="right").clip(max=len(weights) - 1)


def _merged(counts: tuple[int, ...], size: int) -> list[int]:
    """For each bucket the group that it goes into: neighbours of together `size` and more."""
    groups, group, held = [], 0, 0
    for count in counts:
        groups.append(group)
        held += count
        if held >= size:
            group, held = group + 1, 0
    # What is left over at the end is too few: it joins the group before.
    return [min(g, max(0, group - 1)) for g in groups]


def _turn(counts: tuple[int, ...], seed: int, index: int, size: int) -> tuple[int, int]:
    """The bucket of batch `index`, and how many batches before it had the same one."""
    cycle, place = divmod(index, max(1, sum(counts) // size))
    order = _order(counts, seed, size, cycle)
    which = int(order[place])
    before = _turns(counts, size, np.arange(cycle))[:, which].sum()
    return which, int(before + np.count_nonzero(order[:place] == which))


@lru_cache(maxsize=4)
def _order(counts: tuple[int, ...], seed: int, size: int, cycle: int) -> np.ndarray:
    """Buckets of the batches of one cycle, about an epoch, in random order."""
    (turns,) = _turns(counts, size, np.array([cycle]))
    return generator(seed, TRAIN, cycle).permutation(np.repeat(np.arange(len(turns)), turns))


def _turns(counts: tuple[int, ...], size: int, cycles: np.ndarray) -> np.ndarray:
    """Batches of each bucket in each cycle, `[cycles, buckets]`.

    Multiples of the golden ratio spread what rounding takes and gives evenly over cycles.
    """
    batches = max(1, sum(counts) // size)
    parts = np.concatenate([[0], np.cumsum(counts)]) / sum(counts)
    offsets = (cycles * _GOLDEN % 1.0)[:, None]
    # The last bound is exact, so that the turns of a cycle always add up to its batches.
    bounds = np.ceil(parts * batches - offsets).astype(np.int64).clip(0)
    bounds[:, -1] = batches
    return np.diff(bounds, axis=1)
