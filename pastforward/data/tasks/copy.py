"""L1. String copy: the second half repeats the first, in order or backwards."""

from abc import abstractmethod
from dataclasses import dataclass
from math import log
from typing import final

import numpy as np
from typing_extensions import override

from pastforward.data.tasks.base import Random, Sequences, Task, alphabet, axis, steps


@dataclass(frozen=True)
class SecondHalf(Task):
    """Abstract. x is s, then `repeat(s)`; y_t = x_{t+1} counts where that is in the second half.

    With a delimiter, the symbol V, between them, x ends one symbol before the repetition does.
    """

    length: int = steps(32, 4)
    symbols: int = alphabet(8)
    delimiter: int = axis(0, "symbols that say that the repetition begins", 0, 1)

    @abstractmethod
    def repeat(self, first: np.ndarray) -> np.ndarray:
        """The second half `[B, T/2]`: a permutation of the first that is its own inverse."""

    @override
    def sizes(self) -> tuple[int, int]:
        return self.symbols + self.delimiter, self.symbols

    @property
    @override
    def state_entropy(self) -> float:
        return self.length // 2 * log(self.symbols)

    @override
    def clash(self) -> str | None:
        if self.length % 2:
            return f"length {self.length}; give an even length of at least 4"
        return None

    @override
    def draw(self, generator: np.random.Generator, size: int) -> Random:
        return (generator.integers(0, self.symbols, (size, self.length // 2)),)

    @override
    def build(self, random: Random) -> Sequences:
        (first,) = random
        gap = np.full((len(first), self.delimiter), self.symbols)
        said = np.concatenate([first, gap, self.repeat(first)], 1)
        # Without a delimiter nothing follows the last symbol: y_T is 0 and masked.
        y = np.concatenate([said[:, 1:], np.zeros_like(said[:, :1])], 1)[:, : self.length]
        mask = np.zeros(y.shape, dtype=bool)
        mask[:, self._begin : self._begin + first.shape[1]] = True
        return Sequences(said[:, : self.length], np.where(y < self.symbols, y, 0), mask)

    @property
    def _begin(self) -> int:
        """The first t that counts, from 0: T/2 - 1, or T/2 with a delimiter."""
        return self.length // 2 - 1 + self.delimiter

    @override
    def states(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """'first', 'middle' and 'last': symbols of s, from when each is read until it is repeated.

        'due' is the symbol to be repeated next; V stands for none.
        """
        half, begin = self.length // 2, self._begin
        first, place = x[:, :half], {"first": 0, "middle": half // 2, "last": half - 1}
        due = np.full_like(x, self.symbols)
        due[:, begin : begin + half] = self.repeat(first)
        repeated_at = begin + self.repeat(np.arange(half)[None])[0]
        found = {"due": due}
        for name, j in place.items():
            found[name] = np.full_like(x, self.symbols)
            found[name][:, j : repeated_at[j] + 1] = first[:, j : j + 1]
        return found


@final
@dataclass(frozen=True)
class Copy(SecondHalf, family="copy"):
    """s, then s."""

    @override
    def repeat(self, first: np.ndarray) -> np.ndarray:
        return first


@final
@dataclass(frozen=True)
class ReversedCopy(SecondHalf, family="reversed_copy"):
    """s, then s backwards."""

    @override
    def repeat(self, first: np.ndarray) -> np.ndarray:
        return first[:, ::-1]
