"""L1. Words of formal languages: a word of any length, then a question. The regular ones.

Tasks of Deletang et al. 2022 (Neural Networks and the Chomsky Hierarchy, arXiv 2207.02098): there
trained on words of 1 to 40 symbols, tested on longer ones. Sequences are a word and then blanks, in
as many of which as the task says something is asked; the rest is padding.
"""

from abc import abstractmethod
from dataclasses import dataclass
from math import log
from typing import final

import numpy as np
from typing_extensions import override

from pastforward.data.tasks.base import LONGEST, Random, Sequences, Task, axis, steps

_COUNTED = 2**16
"""Steps of drawn sequences by which outputs are counted for their entropy."""


@dataclass(frozen=True)
class Word(Task):
    """Abstract. Words of `shortest` symbols to the longest that fits into T, equally likely."""

    length: int = steps(41, 2)
    shortest: int = axis(3, "symbols of the shortest word", 1, LONGEST)

    @property
    def longest(self) -> int:
        """Symbols of the longest word that fits, with all that is asked after it."""
        return self.length - 1

    @property
    def blank(self) -> int:
        """The input symbol after a word."""
        return self.sizes()[0] - 1

    def of_length(self, length: int) -> int:
        """The symbols of the word that is drawn for one of `length`."""
        return length

    @abstractmethod
    def words(self, generator: np.random.Generator, lengths: np.ndarray) -> Random:
        """Words `[B, longest]` of the lengths drawn, with anything after them, and what else is
        needed to say what is asked."""

    @abstractmethod
    def answers(self, x: np.ndarray, lengths: np.ndarray, more: Random) -> Sequences:
        """x, what it asks and where."""

    @override
    def clash(self) -> str | None:
        if self.of_length(self.longest) < self.shortest:
            return (
                f"words of {self.shortest} symbols, and a length of {self.length} holds "
                f"{self.of_length(self.longest)}; give a longer one or a smaller shortest"
            )
        return None

    @override
    def unigram(self) -> float:
        """Estimated on sequences that are drawn for it."""
        count = max(16, min(1024, _COUNTED // self.length))
        _, y, mask = self.build(self.draw(np.random.default_rng(0), count))
        share = np.bincount(y[mask]) / mask.sum()
        return float(-(share[share > 0] * np.log(share[share > 0])).sum())

    @override
    def draw(self, generator: np.random.Generator, size: int) -> Random:
        drawn = generator.integers(self.shortest, self.longest + 1, size)
        lengths = np.array([self.of_length(n) for n in drawn])
        return lengths, *self.words(generator, lengths)

    @override
    def build(self, random: Random) -> Sequences:
        lengths, words, *more = random
        x = np.full((len(words), self.length), self.blank)
        inside = np.arange(words.shape[1]) < lengths[:, None]
        x[:, : words.shape[1]] = np.where(inside, words, self.blank)
        return self.answers(x, lengths, tuple(more))


@dataclass(frozen=True)
class Regular(Word):
    """Abstract. What an automaton with few states says of a word, asked once after it."""

    @abstractmethod
    def value(self, x: np.ndarray) -> np.ndarray:
        """What would be said of x_1..x_t, `[B, T]`; blanks change nothing."""

    @override
    def words(self, generator: np.random.Generator, lengths: np.ndarray) -> Random:
        return (generator.integers(0, self.blank, (len(lengths), self.longest)),)

    @override
    def answers(self, x: np.ndarray, lengths: np.ndarray, more: Random) -> Sequences:
        return Sequences(x, *once(lengths, self.value(x)))

    @override
    def states(self, x: np.ndarray) -> dict[str, np.ndarray]:
        return {"value": self.value(x)}

    @property
    @override
    def state_entropy(self) -> float:
        return log(self.sizes()[1])


def once(lengths: np.ndarray, value: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """y and mask: of `value` `[B, T]`, the one at the first blank after each word."""
    mask = np.arange(value.shape[1]) == lengths[:, None]
    return np.where(mask, value, 0), mask


@final
@dataclass(frozen=True)
class EvenPairs(Regular, family="even_pairs"):
    """Is the number of 01 and 10 in a word of bits odd? That is, do its first and last differ?"""

    @override
    def sizes(self) -> tuple[int, int]:
        return 3, 2

    @property
    @override
    def state_entropy(self) -> float:
        return 2 * log(2)

    @override
    def value(self, x: np.ndarray) -> np.ndarray:
        unlike = (x[:, 1:] != x[:, :-1]) & (x[:, 1:] != self.blank)
        return np.pad(unlike.cumsum(1) % 2, ((0, 0), (1, 0)))


@final
@dataclass(frozen=True)
class ParityCheck(Regular, family="parity_check"):
    """Is the number of ones in a word of bits odd?"""

    @override
    def sizes(self) -> tuple[int, int]:
        return 3, 2

    @override
    def value(self, x: np.ndarray) -> np.ndarray:
        return (x == 1).cumsum(1) % 2


@final
@dataclass(frozen=True)
class CycleNavigation(Regular, family="cycle_navigation"):
    """The place on a circle after steps back (0), none (1) and on (2), from place 0."""

    places: int = axis(5, "places on the circle", 2, 4096)

    @override
    def sizes(self) -> tuple[int, int]:
        return 4, self.places

    @override
    def value(self, x: np.ndarray) -> np.ndarray:
        return np.where(x == self.blank, 0, x - 1).cumsum(1) % self.places


@final
@dataclass(frozen=True)
class ModularSimple(Regular, family="modular_simple"):
    """A sum of products modulo p, as in 1 + 2 * 3; words have odd lengths.

    Inputs 0..p-1 are numbers, then come +, - and *, which binds more tightly.
    """

    modulus: int = axis(5, "values", 2, 1024)

    @override
    def sizes(self) -> tuple[int, int]:
        return self.modulus + 4, self.modulus

    @override
    def of_length(self, length: int) -> int:
        return length - 1 + length % 2

    @override
    def words(self, generator: np.random.Generator, lengths: np.ndarray) -> Random:
        size, p = (len(lengths), self.longest), self.modulus
        operator = np.arange(self.longest) % 2 == 1
        numbers = generator.integers(0, p, size)
        return (np.where(operator, generator.integers(p, p + 3, size), numbers),)

    @override
    def value(self, x: np.ndarray) -> np.ndarray:
        p, found = self.modulus, np.empty_like(x)
        done, term, last = (np.zeros_like(x[:, 0]) for _ in range(3))
        for t in range(x.shape[1]):
            word = x[:, t]
            ends = (word == p) | (word == p + 1)
            done = np.where(ends, done + term, done) % p
            product = np.choose(last, [word, -word, term * word])
            term = np.where(word < p, product, np.where(ends, 0, term)) % p
            last = np.where((word >= p) & (word < p + 3), word - p, last)
            found[:, t] = (done + term) % p
        return found

    @property
    @override
    def state_entropy(self) -> float:
        # What is done, the product that may go on, and the operator.
        return 2 * log(self.modulus) + log(4)
