"""L1. Splits of labelled sequences where none are given: a tenth each, in one fixed order."""

import numpy as np

from pastforward.data.sampling import TRAIN, generator
from pastforward.errors import UsageError


def divide(
    name: str, strata: np.ndarray, held_out: int, members: np.ndarray | None = None
) -> list[np.ndarray]:
    """Rows of train and of `held_out` (0 to 2) further splits, a tenth of the sequences each.

    `strata` `[N]` are codes whose shares are about the same in all splits, and every code stays in
    train. `members` `[N, K]` tells which of K classes a sequence has steps of: these stay in train,
    too. Raises `UsageError` where there are too few sequences.
    """
    count = len(strata)
    ordered, needed = _ordered(strata)
    if members is not None:
        needed |= _bearers(members[ordered])
    free = ordered[~needed]
    if len(free) < held_out:
        raise UsageError(
            f"'{name}' holds {count} sequences, of which training needs {count - len(free)} to "
            f"have every class; give {held_out} more to hold out, or valid and test."
        )
    tenth = max(1, min(count // 10, len(free) // held_out)) if held_out else 0
    parts = [free[i * tenth : (i + 1) * tenth] for i in range(held_out)]
    rest = np.setdiff1d(np.arange(count), np.concatenate([*parts, np.empty(0, np.int64)]))
    return [rest, *map(np.sort, parts)]


def _ordered(strata: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """An order whose every beginning has all strata in their shares; the last of each is needed.

    `[N]` each: rows in that order, and whether train needs them.
    """
    order = generator(0, TRAIN, 0).permutation(len(strata))
    codes = np.unique(strata[order], return_inverse=True)[1]
    counts = np.bincount(codes)
    by_code = np.argsort(codes, kind="stable")
    rank = np.empty(len(codes), np.int64)
    starts = np.cumsum(counts) - counts
    rank[by_code] = np.arange(len(codes)) - np.repeat(starts, counts)
    by_share = np.argsort((rank + 0.5) / counts[codes], kind="stable")
    last = rank == counts[codes] - 1
    return order[by_share], last[by_share]


def _bearers(members: np.ndarray) -> np.ndarray:
    """`[N]`: a few sequences that together have every class, from the end of the order."""
    needed = np.zeros(len(members), bool)
    for of_class in members.T:
        rows = np.flatnonzero(of_class)
        if len(rows) and not needed[rows].any():
            needed[rows[-1]] = True
    return needed
