"""L1. Modular arithmetic in context: a running expression whose value is asked now and then."""

from dataclasses import dataclass
from math import gcd, log
from typing import ClassVar, NamedTuple, final

import numpy as np
from typing_extensions import override

from pastforward.data.tasks.base import Random, Sequences, Task, axis, masked, steps


class _Trace(NamedTuple):
    value: np.ndarray  # [B, T], value of the complete part of the expression
    pending: np.ndarray  # [B, T], operator that waits for its number: 1, 2, 3; 0 for none


@final
@dataclass(frozen=True)
class Modular(Task):
    """As in `3 + 4 * 2 = - 1 = =`: read from left to right, modulo p, no precedence.

    Inputs 0..p-1 are numbers, then come +, -, * and =. The first is a number, the last an =. At an
    = the output is the value so far, and the expression goes on. Factors are coprime to p, so that
    each operation is invertible and all values stay equally likely.
    """

    family: ClassVar[str] = "modular"

    length: int = steps(64, 2)
    modulus: int = axis(5, "values", 2, 1024)
    every: int = axis(8, "steps from one question to the next, on average", 2, 65536)

    @override
    def sizes(self) -> tuple[int, int]:
        return self.modulus + 4, self.modulus

    @property
    @override
    def state_entropy(self) -> float:
        # The value and a pending operator.
        return log(4 * self.modulus)

    @property
    @override
    def dependency_length(self) -> int:
        # An = outputs the whole value, so an input matters for a few questions at most.
        return min(self.length, 4 * self.every)

    @override
    def draw(self, generator: np.random.Generator, size: int) -> Random:
        # The first number; then where the value is asked, operators, factors and summands.
        p, asks = self.modulus, max(1, self.length // self.every)
        asks += (self.length - 1 - asks) % 2  # the rest are pairs of an operator and a number
        parts = asks + (self.length - 1 - asks) // 2
        asked = np.tile(np.arange(parts - 1) < asks - 1, (size, 1))
        factors = np.array([n for n in range(p) if gcd(n, p) == 1])
        return (
            generator.integers(0, p, (size, 1)),
            generator.permuted(asked, axis=1),
            generator.integers(0, 3, (size, parts)),
            factors[generator.integers(0, len(factors), (size, parts))],
            generator.integers(0, p, (size, parts)),
        )

    @override
    def build(self, random: Random) -> Sequences:
        # Only questions count, and the last part is one.
        first, asked, operator, factor, number = random
        p, size = self.modulus, len(first)
        asked = np.concatenate([asked, np.ones_like(first, dtype=bool)], 1)
        number = np.where(operator == 2, factor, number)
        # Parts are pairs of symbols; a question is one symbol, so its second is dropped.
        pairs = np.stack([np.where(asked, p + 3, p + operator), number], 2).reshape(size, -1)
        kept = np.stack([np.ones_like(asked), ~asked], 2).reshape(size, -1)
        x = np.concatenate([first, pairs[kept].reshape(size, -1)], 1)
        mask = x == p + 3
        return Sequences(x, masked(self._trace(x).value, mask), mask)

    @override
    def states(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """'value' of the complete part, and 'pending', the operator that waits for its number.

        Operators are 1, 2, 3 for +, -, * and 0 for none.
        """
        found = self._trace(x)
        return {"value": found.value, "pending": found.pending}

    def _trace(self, x: np.ndarray) -> _Trace:
        p, found = self.modulus, _Trace(np.empty_like(x), np.empty_like(x))
        value, pending = x[:, 0] % p, np.zeros_like(x[:, 0])
        for t in range(x.shape[1]):
            word = x[:, t]
            done = np.choose(pending, [value, value + word, value - word, value * word]) % p
            value = np.where(word < p, done, value)
            pending = np.where((word >= p) & (word < p + 3), word - p + 1, 0)
            found.value[:, t], found.pending[:, t] = value, pending
        return found
