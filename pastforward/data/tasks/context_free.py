"""L1. Words of context-free languages: what they ask takes a stack.

Tasks of Deletang et al. 2022 (arXiv 2207.02098), as in `words.py`.
"""

from abc import abstractmethod
from dataclasses import dataclass
from math import log
from typing import final

import numpy as np
from typing_extensions import override

from pastforward.data.tasks.base import LONGEST, Random, Sequences, alphabet, axis, steps
from pastforward.data.tasks.words import Word, once

_SIGNED = 2
"""Symbols of a number with a sign; two more put it in brackets."""


@final
@dataclass(frozen=True)
class ReverseString(Word, family="reverse_string"):
    """A word backwards, a symbol for each of as many blanks."""

    length: int = steps(80, 2)
    symbols: int = alphabet(2)

    @property
    @override
    def longest(self) -> int:
        return self.length // 2

    @override
    def sizes(self) -> tuple[int, int]:
        return self.symbols + 1, self.symbols

    @property
    @override
    def state_entropy(self) -> float:
        return self.longest * log(self.symbols)

    @override
    def words(self, generator: np.random.Generator, lengths: np.ndarray) -> Random:
        return (generator.integers(0, self.symbols, (len(lengths), self.longest)),)

    @override
    def answers(self, x: np.ndarray, lengths: np.ndarray, more: Random) -> Sequences:
        place = 2 * lengths[:, None] - 1 - np.arange(self.length)  # in the word, of what t repeats
        mask = (place >= 0) & (place < lengths[:, None])
        y = np.take_along_axis(x, place.clip(0, self.length - 1), 1)
        return Sequences(x, np.where(mask, y, 0), mask)

    @override
    def states(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """'due': what the next blank asks, V for nothing."""
        lengths = (x < self.symbols).sum(1)[:, None]
        t = np.arange(self.length)
        place = np.where(t < lengths, t, 2 * lengths - 2 - t)
        due = np.take_along_axis(x, place.clip(0, self.length - 1), 1)
        return {"due": np.where(place >= 0, due, self.symbols)}


@final
@dataclass(frozen=True)
class StackManipulation(Word, family="stack_manipulation"):
    """Bits on a stack, then pushes and pops; at the blanks the stack from its top, and its end.

    Inputs 0 and 1 are the stack from its bottom, 2 pops, 3 and 4 push 0 and 1. Outputs are 0, 1 and
    2 for the end. A pop of the empty stack changes nothing.
    """

    length: int = steps(81, 3)

    @property
    @override
    def longest(self) -> int:
        return (self.length - 1) // 2

    @override
    def sizes(self) -> tuple[int, int]:
        return 6, 3

    @property
    @override
    def state_entropy(self) -> float:
        return self.longest * log(2)

    @override
    def words(self, generator: np.random.Generator, lengths: np.ndarray) -> Random:
        size = (len(lengths), self.longest)
        shown = np.where(lengths > 1, generator.integers(1, np.maximum(lengths, 2)), 1)
        bits, actions = generator.integers(0, 2, size), generator.integers(2, 5, size)
        return (np.where(np.arange(self.longest) < shown[:, None], bits, actions),)

    @override
    def answers(self, x: np.ndarray, lengths: np.ndarray, more: Random) -> Sequences:
        y, mask = np.zeros_like(x), np.zeros(x.shape, dtype=bool)
        for row, (word, n) in enumerate(zip(x.tolist(), lengths.tolist(), strict=True)):
            said = [*_manipulated(word[:n])[::-1], 2]
            y[row, n : n + len(said)], mask[row, n : n + len(said)] = said, True
        return Sequences(x, y, mask)

    @override
    def states(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """'height' of the stack after the word so far; blanks take from it."""
        change = np.choose(x, [1, 1, -1, 1, 1, -1])
        found, height = np.empty_like(x), np.zeros_like(x[:, 0])
        for t in range(x.shape[1]):
            found[:, t] = height = np.maximum(height + change[:, t], 0)
        return {"height": found}


def _manipulated(word: list[int]) -> list[int]:
    stack: list[int] = []
    for symbol in word:
        if symbol != 2:
            stack.append(symbol if symbol < 2 else symbol - 3)
        elif stack:
            stack.pop()
    return stack


@dataclass(frozen=True)
class Bracketed(Word):
    """Abstract. Expressions modulo p in brackets, each operation with two of its own.

    Inputs 0..p-1 are numbers, then come +, -, *, ( and ). An expression of 1 to 4 symbols is d, -d,
    (d) or (-d); a longer one is two with an operator between, in brackets, its rest divided at
    random.
    """

    modulus: int = axis(5, "values", 2, 1024)

    @property
    @override
    def state_entropy(self) -> float:
        # A value and an operator for each open bracket; about 2 ln n of them are open.
        return 2 * log(self.longest + 1) * log(3 * self.modulus)

    @override
    def words(self, generator: np.random.Generator, lengths: np.ndarray) -> Random:
        words = np.full((len(lengths), self.longest), self.blank)
        said = np.empty(len(lengths), dtype=np.int64)
        for row, length in enumerate(lengths.tolist()):
            words[row, :length], said[row] = self.word(generator, length)
        return words, said

    @abstractmethod
    def word(self, generator: np.random.Generator, length: int) -> tuple[list[int], int]:
        """A word of that length and what is said of it."""

    @override
    def answers(self, x: np.ndarray, lengths: np.ndarray, more: Random) -> Sequences:
        return Sequences(x, *once(lengths, np.broadcast_to(more[0][:, None], x.shape)))

    @override
    def states(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """'depth': brackets that are open."""
        p = self.modulus
        return {"depth": ((x == p + 3).astype(np.int64) - (x == p + 4)).cumsum(1)}

    def expression(
        self, generator: np.random.Generator, length: int, operators: int
    ) -> tuple[list[int], int]:
        """Symbols of an expression with the first `operators` of +, -, *, and its value."""
        p = self.modulus
        if length <= _SIGNED + 2:
            number, signed = int(generator.integers(p)), length % 2 == 0
            symbols = [p + 1, number] if signed else [number]
            value = -number % p if signed else number
            return ([p + 3, *symbols, p + 4] if length > _SIGNED else symbols), value
        parts = length - 3  # without brackets and operator
        first, operator = int(generator.integers(1, parts)), int(generator.integers(operators))
        left, a = self.expression(generator, first, operators)
        right, b = self.expression(generator, parts - first, operators)
        value = (a + b, a - b, a * b)[operator] % p
        return [p + 3, *left, p + operator, *right, p + 4], value


@final
@dataclass(frozen=True)
class ModularBrackets(Bracketed, family="modular_brackets"):
    """The value of an expression."""

    @override
    def sizes(self) -> tuple[int, int]:
        return self.modulus + 6, self.modulus

    @override
    def word(self, generator: np.random.Generator, length: int) -> tuple[list[int], int]:
        return self.expression(generator, length, 3)


@final
@dataclass(frozen=True)
class SolveEquation(Bracketed, family="solve_equation"):
    """The unknown, p + 5, in an expression of + and -, after which come =, p + 6, and its value."""

    shortest: int = axis(6, "symbols of the shortest equation", 3, LONGEST)

    @override
    def sizes(self) -> tuple[int, int]:
        return self.modulus + 8, self.modulus

    @override
    def word(self, generator: np.random.Generator, length: int) -> tuple[list[int], int]:
        p = self.modulus
        symbols, value = self.expression(generator, length - 2, 2)
        place = int(generator.integers(len(symbols)))
        while symbols[place] >= p:  # the next number from there on
            place = (place + 1) % len(symbols)
        unknown, symbols[place] = symbols[place], p + 5
        return [*symbols, p + 6, value], unknown
