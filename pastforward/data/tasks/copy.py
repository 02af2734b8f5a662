"""L1. String copy: the second half repeats the first, in order or backwards, as from a stack."""

from abc import abstractmethod
from dataclasses import dataclass
from math import log
from typing import ClassVar, final

import numpy as np

from pastforward.data.tasks.base import Random, Sequences, Task, alphabet, steps
from pastforward.types import Tokens


@dataclass(frozen=True)
class SecondHalf(Task):
    """Abstract. x is s, then `again(s)`; y_t = x_{t+1} counts where x_{t+1} is of `again(s)`."""

    length: int = steps(32, 4)
    symbols: int = alphabet(8)

    @abstractmethod
    def resume_command(self, first: np.ndarray) -> np.ndarray:
        """What follows the first half `[B, T/2]`; an order that is its own inverse."""

    @property
    def inputs(self) -> Tokens:
        """See `Task`."""
        return Tokens(self.symbols)

    @property
    def outputs(self) -> Tokens:
        """See `Task`."""
        return Tokens(self.symbols)

    @property
    def state_entropy(self) -> float:
        """See `Task`: the string."""
        return self.length // 2 * log(self.symbols)

    @property
    def dependency_length(self) -> int:
        """See `Task`: the string's first symbol may be asked for last."""
        return self.length

    def clash(self) -> str | None:
        """See `Task`."""
        if self.length % 2:
            return f"length {self.length}; give an even length of at least 4"
        return None

    def draw(self, generator: np.random.Generator, size: int) -> Random:
        """See `Task`: s."""
        return (generator.integers(0, self.symbols, (size, self.length // 2)),)

    def build(self, random: Random) -> Sequences:
        """See `Task`: counted are t = T/2 .. T-1."""
        (first,) = random
        x = np.concatenate([first, self.resume_command(first)], 1)
        # After the last symbol comes none: a 0 that is masked.
        y = np.concatenate([x[:, 1:], np.zeros_like(x[:, :1])], 1)
        mask = np.zeros(x.shape, dtype=bool)
        mask[:, first.shape[1] - 1 : -1] = True
        return Sequences(x, y, mask)

    def states(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """See `Task`; V stands for none.

        'first', 'middle' and 'last' are symbols of s, from when each is read until it is said;
        'due' is the symbol to be said next.
        """
        half = self.length // 2
        first, place = x[:, :half], {"first": 0, "middle": half // 2, "last": half - 1}
        due = np.full_like(x, self.symbols)
        due[:, half - 1 : -1] = self.resume_command(first)
        said = half - 1 + self.resume_command(np.arange(half)[None])[0]
        found = {"due": due}
        for name, j in place.items():
            found[name] = np.full_like(x, self.symbols)
            found[name][:, j : said[j] + 1] = first[:, j : j + 1]
        return found


@final
@dataclass(frozen=True)
class Copy(SecondHalf):
    """Final. s, then s."""

    family: ClassVar[str] = "copy"
    summary: ClassVar[str] = "the second half repeats the first"

    def resume_command(self, first: np.ndarray) -> np.ndarray:
        """See `SecondHalf`."""
        return first


@final
@dataclass(frozen=True)
class ReversedCopy(SecondHalf):
    """Final. s, then s backwards."""

    family: ClassVar[str] = "reversed_copy"
    summary: ClassVar[str] = "the second half is the first, backwards"

    def resume_command(self, first: np.ndarray) -> np.ndarray:
        """See `SecondHalf`."""
        return first[:, ::-1]
