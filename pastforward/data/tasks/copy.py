"""L1. String copy: the second half repeats the first, in order or backwards."""

from abc import abstractmethod
from dataclasses import dataclass
from math import log
from typing import final

import numpy as np
from typing_extensions import override

from pastforward.data.tasks.base import Random, Sequences, Task, alphabet, steps


@dataclass(frozen=True)
class SecondHalf(Task):
    """Abstract. x is s, then `repeat(s)`; y_t = x_{t+1} counts where that is in the second half."""

    length: int = steps(32, 4)
    symbols: int = alphabet(8)

    @abstractmethod
    def repeat(self, first: np.ndarray) -> np.ndarray:
        """The second half `[B, T/2]`: a permutation of the first that is its own inverse."""

    @override
    def sizes(self) -> tuple[int, int]:
        return self.symbols, self.symbols

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
        x = np.concatenate([first, self.repeat(first)], 1)
        # Nothing follows the last symbol: y_T is 0 and masked.
        y = np.concatenate([x[:, 1:], np.zeros_like(x[:, :1])], 1)
        mask = np.zeros(x.shape, dtype=bool)  # True at t = T/2 .. T-1
        mask[:, first.shape[1] - 1 : -1] = True
        return Sequences(x, y, mask)

    @override
    def states(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """'first', 'middle' and 'last': symbols of s, from when each is read until it is repeated.

        'due' is the symbol to be repeated next; V stands for none.
        """
        half = self.length // 2
        first, place = x[:, :half], {"first": 0, "middle": half // 2, "last": half - 1}
        due = np.full_like(x, self.symbols)
        due[:, half - 1 : -1] = self.repeat(first)
        repeated_at = half - 1 + self.repeat(np.arange(half)[None])[0]
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
