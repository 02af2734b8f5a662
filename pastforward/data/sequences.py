"""L1. Sequences of several lengths in the arrays that hold them, and padded a batch at a time."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, final

import numpy as np

from pastforward.errors import UsageError

Arrays = np.ndarray | Sequence[Any]
"""`[N, T]` or `[N, T, C]`, or N arrays `[T_i]` or `[T_i, C]` of several lengths."""

_CHUNK = 2**20
"""Numbers that are looked at in one go: few enough that no second copy of x arises."""


class Place(NamedTuple):
    """Where a value stands: a sequence and a step of it, counted from 0."""

    row: int
    step: int


@final
class Sequences:
    """N sequences; the arrays are those that were given, not copies."""

    def __init__(self, arrays: np.ndarray | list[np.ndarray], lengths: np.ndarray) -> None:
        """`arrays` `[N, T, ...]` or N times `[T_i, ...]`; `lengths` `[N]` counts real steps."""
        self.arrays, self.lengths = arrays, lengths
        dense = isinstance(arrays, np.ndarray)
        self.dtype = arrays.dtype if dense else np.result_type(*{a.dtype for a in arrays})
        self.shape = arrays.shape[2:] if dense else arrays[0].shape[1:]
        """Of one step: () or (C,)."""

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def longest(self) -> int:
        """Steps of the longest."""
        return int(self.lengths.max())

    def padded(self, rows: np.ndarray, length: int) -> np.ndarray:
        """The sequences `rows` as `[B, length, ...]`, with zeros after the end of each."""
        if not isinstance(self.arrays, np.ndarray):
            whole = np.zeros((len(rows), length, *self.shape), self.dtype)
            for place, row in zip(whole, rows, strict=True):
                steps = self.lengths[row]
                place[:steps] = self.arrays[row][:steps]
            return whole
        found = self.arrays[rows, :length]
        if found.shape[1] < length:
            missing = np.zeros((len(rows), length - found.shape[1], *self.shape), self.dtype)
            found = np.concatenate([found, missing], 1)
        if (self.lengths[rows] < length).any():
            found[~self.real(rows, length)] = np.zeros((), self.dtype)
        return found

    def real(self, rows: np.ndarray, length: int) -> np.ndarray:
        """`[B, length]`, True up to the end of each of the sequences `rows`."""
        return np.arange(length) < self.lengths[rows, None]

    def chunks(self, rows: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Some of `rows` at a time, and all their real steps one after the other, `[n, ...]`."""
        size = max(1, _CHUNK // (self.longest * int(np.prod(self.shape, dtype=int))))
        for start in range(0, len(rows), size):
            some = rows[start : start + size]
            length = int(self.lengths[some].max())
            yield some, self.padded(some, length)[self.real(some, length)]

    def place(self, rows: np.ndarray, index: int) -> Place:
        """Where the value `index` of a chunk of `rows` stands."""
        ends = np.cumsum(self.lengths[rows])
        which = int(np.searchsorted(ends, index, side="right"))
        return Place(int(rows[which]), int(index - ends[which] + self.lengths[rows[which]]))


def sequences(what: str, given: Any, lengths: Any = None) -> Sequences:
    """Sequences from arrays; `what` is their name in messages.

    Raises `UsageError` for ragged, empty and object arrays, and for lengths out of range.
    """
    listed = isinstance(given, list | tuple) or (
        isinstance(given, np.ndarray) and given.dtype == object and given.ndim == 1
    )
    if not listed:
        return _dense(what, np.asarray(given), lengths)
    if not len(given):
        raise UsageError(f"{what} is empty; give at least one sequence.")
    arrays = [_one(what, i, one) for i, one in enumerate(given)]
    if lengths is not None:
        raise UsageError(
            f"lengths was given beside a list of {len(arrays)} arrays in {what}, which have their "
            "own; leave it out."
        )
    steps = {a.shape[1:] for a in arrays}
    if len(steps) > 1:
        i = next(i for i, a in enumerate(arrays) if a.shape[1:] != arrays[0].shape[1:])
        raise UsageError(
            f"{what} is ragged: sequence 0 has shape {arrays[0].shape} and sequence {i} "
            f"{arrays[i].shape}; give every step of every sequence as many channels."
        )
    return Sequences(arrays, np.array([len(a) for a in arrays]))


def _one(what: str, i: int, given: Any) -> np.ndarray:
    try:
        one = np.asarray(given)
    except ValueError as error:
        raise UsageError(
            f"Sequence {i} of {what} is ragged; give an array [T] or [T, C]."
        ) from error
    if one.ndim not in (1, 2) or not one.size or one.dtype == object:
        raise UsageError(
            f"Sequence {i} of {what} is an array of {one.dtype} of shape {one.shape}; give numbers "
            "as [T] or [T, C], at least one step."
        )
    return one


def _dense(what: str, array: np.ndarray, lengths: Any) -> Sequences:
    if array.ndim not in (2, 3) or not array.size or array.dtype == object:
        raise UsageError(
            f"{what} is an array of {array.dtype} of shape {array.shape}; give numbers as [N, T] "
            "or [N, T, C], none of them 0, or a list of arrays of several lengths."
        )
    count, longest = array.shape[:2]
    if lengths is None:
        return Sequences(array, np.full(count, longest))
    steps = np.asarray(lengths)
    if steps.shape != (count,) or steps.dtype.kind not in "iu":
        raise UsageError(
            f"The lengths of {what} are an array of {steps.dtype} of shape {steps.shape}; give "
            f"{count} whole numbers, one a sequence."
        )
    wrong = np.flatnonzero((steps < 1) | (steps > longest))
    if len(wrong):
        raise UsageError(
            f"The length of sequence {wrong[0]} of {what} is {steps[wrong[0]]}; give lengths from "
            f"1 to T = {longest}."
        )
    return Sequences(array, steps.astype(np.int64))
